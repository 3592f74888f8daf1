/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * settings/judge.c - whether settings can be in force in this httpd. See settings/settings.h.
 */
#include <string.h>

#include <apr_strings.h>

#include "settings/allow.h"
#include "settings/peer.h"
#include "settings/settings.h"

const char *mirror_judge_settings(const mirror_registry_t *registry, const mirror_t *mirror,
                                  const mirror_settings_t *before, const mirror_settings_t *after,
                                  apr_pool_t *pool)
{
    const char *wrong = mirror_allow_settings(registry, mirror, after, pool);

    if (!wrong) {
        wrong = mirror_peer_refuse(registry, mirror, after, pool);
    }
    if (!wrong &&
        (strcmp(before->target.url, after->target.url) || before->limit_id != after->limit_id ||
         before->enable_limit_count != after->enable_limit_count)) {
        wrong = mirror_settings_missing(mirror, after, pool);
        wrong = wrong ? apr_pstrcat(pool, "attributes: ", wrong, NULL) : NULL;
    }
    return wrong;
}

const char *mirror_judge_fleet(const mirror_registry_t *registry, const mirror_t *mirror,
                               const char *fleet, apr_pool_t *pool)
{
    mirror_layers_t alone = { fleet, NULL, 0, 0, 0 };
    mirror_settings_t *settings;
    const char *wrong;

    if (!fleet) {
        return NULL;
    }
    wrong = mirror_settings_make(&settings, mirror, &alone, pool);
    if (!wrong) {
        wrong = mirror_judge_settings(registry, mirror, mirror->settings, settings, pool);
        mirror_settings_drop(settings);
    }
    return wrong;
}

const char *mirror_judge_rest(const mirror_registry_t *registry, const mirror_t *mirror,
                              const char *fleet, apr_pool_t *pool)
{
    return mirror_judge_fleet(registry, mirror, fleet, pool)
               ? mirror_override_rest(fleet, mirror, pool)
               : fleet;
}

void mirror_judge_layers(mirror_layers_t *layers, const mirror_registry_t *registry,
                         const mirror_t *mirror, apr_pool_t *pool)
{
    mirror_layers_read(layers, registry, mirror, pool);
    layers->fleet = mirror_judge_rest(registry, mirror, layers->fleet, pool);
}
