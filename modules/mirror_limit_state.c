/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * mirror_limit_state.c - what all children together know of a limit. See mirror_limit.h.
 */
#include <httpd.h>
#include <ap_provider.h>

#include "mirror_limit.h"
#include "mirror_limit_settings.h"
#include "mirror_limit_window.h"
#include "mirror_slotmem.h"

const mirror_limit_provider_t *mirror_limit_provider(const mirror_settings_t *settings)
{
    return ap_lookup_provider(MIRROR_LIMIT_PROVIDERS, mirror_limit_settings_policies[settings->policy],
                              MIRROR_LIMIT_PROVIDER_VERSION);
}

const char *mirror_limit_missing(const mirror_t *mirror, apr_pool_t *pool)
{
    const mirror_limit_provider_t *provider = mirror_limit_provider(mirror->settings);

    return mirror->settings->enable_limit_count && provider->missing ? provider->missing(mirror, pool) : NULL;
}

void mirror_limit_state(mirror_limit_state_t *state, const mirror_t *mirror)
{
    const mirror_settings_t *settings = mirror->settings;
    apr_interval_time_t length = apr_time_from_sec(settings->time_window);
    mirror_slot_t *slot = mirror->slot;
    apr_time_t now = mirror_limit_window_now();
    int remote = mirror_limit_provider(settings)->remote;
    apr_time_t closed =
        mirror_limit_window_closed_until(apr_atomic_read64(&slot->limit_closed), now, settings->limit_id, length);

    state->fallback = remote && apr_atomic_read64(&slot->limit_silent) != 0;
    state->closed_until = closed ? apr_time_now() + (closed - now) : 0;
    if (!remote || (state->fallback && settings->limit_fallback == MIRROR_FALLBACK_LOCAL)) {
        state->used = mirror_limit_window_used(apr_atomic_read64(&slot->limit_local), now, length);
    }
    else {
        state->used = mirror_limit_window_told(apr_atomic_read64(&slot->limit_shared), now, length);
    }
}
