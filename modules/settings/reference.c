/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * settings/reference.c - references to settings. See settings/settings.h.
 */
#include "settings/settings.h"
#include "shared/table.h"

/* The count is the only member of settings that is written. */
static apr_uint32_t *references(const mirror_settings_t *settings)
{
    return &((mirror_settings_t *)settings)->references;
}

void mirror_settings_keep(const mirror_settings_t *settings)
{
    if (settings->pool) {
        apr_atomic_inc32(references(settings));
    }
}

void mirror_settings_drop(const mirror_settings_t *settings)
{
    if (settings && settings->pool && apr_atomic_dec32(references(settings)) == 0) {
        apr_pool_destroy(settings->pool);
    }
}

int mirror_settings_are_current(const mirror_settings_t *settings, const mirror_lane_t *lane)
{
    const mirror_t *mirror = lane->mirror;

    return settings->version == mirror_layers_version(mirror->slot) &&
           apr_atomic_read64(&mirror->slot->config) == mirror->config;
}
