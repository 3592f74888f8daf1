/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * mirror_breaker.c - down and up. See mirror_breaker.h.
 */
#include <httpd.h>
#include <http_config.h>
#include <http_log.h>

#include "mirror_breaker.h"
#include "mirror_slotmem.h"

APLOG_USE_MODULE(proxy_mirror);

mirror_breaker_e mirror_breaker_pass(mirror_lane_t *lane, const mirror_settings_t *settings)
{
    mirror_slot_t *slot = lane->mirror->slot;
    apr_uint64_t until = apr_atomic_read64(&slot->down_until);
    apr_time_t now;

    if (until == 0) {
        return MIRROR_BREAKER_OPEN;
    }
    now = apr_time_now();
    if (until <= (apr_uint64_t)now &&
        apr_atomic_cas64(&slot->down_until, (apr_uint64_t)(now + settings->retry + settings->connect_timeout),
                         until) == until) {
        return MIRROR_BREAKER_PROBE;
    }
    mirror_breaker_dropped(lane, 1);
    return MIRROR_BREAKER_CLOSED;
}

void mirror_breaker_forgo(mirror_lane_t *lane)
{
    apr_uint64_t *word = &lane->mirror->slot->down_until;
    apr_uint64_t until = apr_atomic_read64(word);
    apr_uint64_t now = (apr_uint64_t)apr_time_now();

    if (until > now) {
        apr_atomic_cas64(word, now, until); /* if it fails, somebody knows better */
    }
}

int mirror_breaker_is_down(const mirror_lane_t *lane, apr_time_t now)
{
    return apr_atomic_read64(&lane->mirror->slot->down_until) > (apr_uint64_t)now;
}

void mirror_breaker_dropped(mirror_lane_t *lane, apr_uint64_t dropped)
{
    apr_atomic_add64(&lane->mirror->slot->down_drops, dropped);
}

void mirror_breaker_down(mirror_lane_t *lane, apr_interval_time_t retry, const char *what, apr_status_t rv,
                         void *server)
{
    apr_uint64_t until = (apr_uint64_t)(apr_time_now() + retry);
    /* A retry of 0 means that every copy is a probe. */
    apr_uint64_t was = apr_atomic_xchg64(&lane->mirror->slot->down_until, until);

    if (was == 0) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, rv, (server_rec *)server,
                     "PM0400: mirror %s is down: %s failed; its copies are dropped, and one is tried every %" APR_TIME_T_FMT
                     " ms",
                     lane->mirror->name, what, apr_time_as_msec(retry));
    }
}

void mirror_breaker_up(mirror_lane_t *lane, void *server)
{
    mirror_slot_t *slot = lane->mirror->slot;

    if (apr_atomic_read64(&slot->down_until) != 0 && apr_atomic_xchg64(&slot->down_until, 0) != 0) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, (server_rec *)server,
                     "PM0401: mirror %s is up again; %" APR_UINT64_T_FMT " copies were dropped while it was down",
                     lane->mirror->name, apr_atomic_xchg64(&slot->down_drops, 0));
    }
}
