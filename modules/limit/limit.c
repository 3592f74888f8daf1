/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * limit/limit.c - the state of a limit, shared by all children. See limit/limit.h.
 */
#include <httpd.h>
#include <ap_provider.h>
#include <http_config.h>
#include <http_log.h>

#include "attributes/limit_settings.h"
#include "base/clock.h"
#include "base/window.h"
#include "limit/limit.h"
#include "shared/table.h"

APLOG_USE_MODULE(proxy_mirror);

const mirror_limit_provider_t *mirror_limit_provider(const mirror_settings_t *settings)
{
    return ap_lookup_provider(MIRROR_LIMIT_PROVIDERS,
                              mirror_limit_settings_policies[settings->policy],
                              MIRROR_LIMIT_PROVIDER_VERSION);
}

const char *mirror_limit_missing(const mirror_t *mirror, const mirror_settings_t *settings,
                                 apr_pool_t *pool)
{
    const mirror_limit_provider_t *provider = mirror_limit_provider(settings);

    return settings->enable_limit_count && provider->missing
               ? provider->missing(mirror, settings, pool)
               : NULL;
}

void mirror_limit_state(mirror_limit_state_t *state, const mirror_t *mirror,
                        const mirror_settings_t *settings)
{
    apr_interval_time_t length = apr_time_from_sec(settings->time_window);
    mirror_slot_t *slot = mirror->slot;
    apr_time_t now = mirror_clock_now();
    int remote = mirror_limit_provider(settings)->remote;
    apr_time_t closed = mirror_window_closed_until(apr_atomic_read64(&slot->limit_closed), now,
                                                   settings->limit_id, length);

    state->fallback = remote && apr_atomic_read64(&slot->limit_silent) != 0;
    state->closed_until = closed ? mirror_clock_to_wall(closed) : 0;
    if (!remote || (state->fallback && settings->limit_fallback == MIRROR_FALLBACK_LOCAL)) {
        state->used = mirror_window_used(apr_atomic_read64(&slot->limit_local), now, length);
    }
    else {
        state->used = mirror_window_reported(apr_atomic_read64(&slot->limit_shared), now, length);
    }
}

void mirror_limit_silence_began(const mirror_t *mirror, const mirror_settings_t *settings,
                                const char *fault, struct server_rec *server)
{
    static const char *const words[] = { "local", "mirror", "drop" }; /* mirror_fallback_e */

    if (apr_atomic_cas64(&mirror->slot->limit_silent, (apr_uint64_t)mirror_clock_now(), 0) == 0) {
        ap_log_error(
            APLOG_MARK, APLOG_WARNING, 0, server,
            "PM0600: mirror %s: the limit cannot be checked: %s; limit_fallback=%s applies",
            mirror->name, fault, words[settings->limit_fallback]);
    }
}

void mirror_limit_silence_ended(const mirror_t *mirror, struct server_rec *server)
{
    apr_uint64_t since = apr_atomic_read64(&mirror->slot->limit_silent);
    apr_interval_time_t ago = mirror_clock_now() - (apr_time_t)since;

    if (since != 0 && apr_atomic_cas64(&mirror->slot->limit_silent, 0, since) == since) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, server,
                     "PM0601: mirror %s: the limit can be checked again after %" APR_TIME_T_FMT
                     " ms",
                     mirror->name, apr_time_as_msec(ago > 0 ? ago : 0));
    }
}
