/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * shared/breaker.c - the circuit breaker. See shared/breaker.h.
 */
#include <httpd.h>
#include <http_config.h>
#include <http_log.h>

#include "base/clock.h"
#include "shared/breaker.h"
#include "shared/table.h"

APLOG_USE_MODULE(proxy_mirror);

/* The maximum of `retry` and `connect_timeout` is a week each (attributes/attributes_table.c). */
#define MIRROR_LONGEST apr_time_from_sec(2 * 7 * 24 * 3600 + 60)

/* Return whether the mirror is still down at `now`. `until` is in shared memory: a time later than
 * `now` + `longest` was not written by this code. */
static int is_ahead(apr_uint64_t until, apr_time_t now, apr_interval_time_t longest)
{
    return until > (apr_uint64_t)now && until - (apr_uint64_t)now <= (apr_uint64_t)longest;
}

mirror_breaker_e mirror_breaker_pass(mirror_lane_t *lane, const mirror_settings_t *settings)
{
    mirror_slot_t *slot = lane->mirror->slot;
    apr_uint64_t until = apr_atomic_read64(&slot->down_until);
    apr_interval_time_t longest = settings->retry + settings->connect_timeout;
    apr_time_t now;

    if (until == 0) {
        return MIRROR_BREAKER_PASS;
    }
    now = mirror_clock_now();
    if (!is_ahead(until, now, longest) &&
        apr_atomic_cas64(&slot->down_until, (apr_uint64_t)(now + longest), until) == until) {
        return MIRROR_BREAKER_PROBE;
    }
    mirror_breaker_dropped(lane, 1);
    return MIRROR_BREAKER_REFUSE;
}

void mirror_breaker_forgo(mirror_lane_t *lane)
{
    apr_uint64_t *word = &lane->mirror->slot->down_until;
    apr_uint64_t until = apr_atomic_read64(word);
    apr_uint64_t now = (apr_uint64_t)mirror_clock_now();

    if (until > now) {
        /* if this fails, another thread has newer information */
        apr_atomic_cas64(word, now, until);
    }
}

int mirror_breaker_is_down(const mirror_lane_t *lane, apr_time_t now)
{
    return is_ahead(apr_atomic_read64(&lane->mirror->slot->down_until), now, MIRROR_LONGEST);
}

apr_time_t mirror_breaker_down_until(mirror_slot_t *slot)
{
    apr_uint64_t until = apr_atomic_read64(&slot->down_until);

    return is_ahead(until, mirror_clock_now(), MIRROR_LONGEST)
               ? mirror_clock_to_wall((apr_time_t)until)
               : 0;
}

void mirror_breaker_dropped(mirror_lane_t *lane, apr_uint64_t dropped)
{
    apr_atomic_add64(&lane->mirror->slot->down_drops, dropped);
}

void mirror_breaker_down(mirror_lane_t *lane, apr_interval_time_t retry, const char *what,
                         apr_status_t rv, struct server_rec *server)
{
    apr_uint64_t until = (apr_uint64_t)(mirror_clock_now() + retry);
    /* with a retry of 0 every copy is a probe */
    apr_uint64_t was = apr_atomic_xchg64(&lane->mirror->slot->down_until, until);

    if (was == 0) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, rv, server,
                     "PM0400: mirror %s is down: %s failed; copies are dropped, with a retry every "
                     "%" APR_TIME_T_FMT " ms",
                     lane->mirror->name, what, apr_time_as_msec(retry));
    }
}

void mirror_breaker_up(mirror_lane_t *lane, struct server_rec *server)
{
    mirror_slot_t *slot = lane->mirror->slot;

    if (apr_atomic_read64(&slot->down_until) != 0 && apr_atomic_xchg64(&slot->down_until, 0) != 0) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, server,
                     "PM0401: mirror %s is up again; %" APR_UINT64_T_FMT
                     " copies were dropped while it was down",
                     lane->mirror->name, apr_atomic_xchg64(&slot->down_drops, 0));
    }
}
