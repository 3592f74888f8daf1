/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/pool_members_health.c - which members of a pool are down or ejected. See send/pool_state.h. Sender
 * thread.
 *
 * Down: a connection failed. Ejected: MIRROR_FAILURES copies in a row timed out or broke. Both last
 * until a time in shared memory. Then a connection is opened as a probe (pool_members_use.c). If it is
 * established, the member is up; one that was ejected, or failed over TLS, is on trial: one copy at
 * a time until its next response.
 */
#include <httpd.h>
#include <http_config.h>
#include <http_log.h>

#include "base/clock.h"
#include "send/pool_state.h"
#include "settings/settings.h"

APLOG_USE_MODULE(proxy_mirror);

/* The number of failed copies in a row that ejects a member. */
#define MIRROR_FAILURES 5
/* A test ends with an event, after which members whose time is over are tested: without a pause, as
 * with retry=0, tests would follow one another forever. */
#define MIRROR_LEAST_PAUSE apr_time_from_msec(10)

apr_interval_time_t mirror_pool_members_pause(const mirror_pool_t *pool)
{
    return pool->settings->retry > MIRROR_LEAST_PAUSE ? pool->settings->retry : MIRROR_LEAST_PAUSE;
}

int mirror_pool_member_is_up(const mirror_member_t *member)
{
    return apr_atomic_read64((apr_uint64_t *)&member->words->down_until) == 0 ||
           mirror_servers_out_until(member->words, mirror_clock_now()) == 0;
}

int mirror_pool_member_is_tested(const mirror_member_t *member)
{
    const mirror_connection_t *c;

    APR_RING_FOREACH(c, &member->rings[MIRROR_RING_IDLE], mirror_connection_t, link)
    {
        if (c->yields) {
            return 1;
        }
    }
    return 0;
}

int mirror_pool_members_count_up(const mirror_pool_t *pool)
{
    int i, up = 0;

    for (i = 0; i < pool->members->count; i++) {
        up += mirror_pool_member_is_up(pool->members->list[i]);
    }
    return up;
}

static int begin_log(mirror_member_t *member)
{
    return apr_atomic_cas64(&member->words->logged, 1, 0) == 0;
}

static void log_up(mirror_pool_t *pool, mirror_member_t *member)
{
    if (apr_atomic_read64(&member->words->logged) != 0 &&
        apr_atomic_xchg64(&member->words->logged, 0) != 0) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, pool->send->server,
                     "PM0433: mirror %s: server %s is up again", pool->lane->mirror->name,
                     member->address);
    }
}

/* Let members back that are only ejected. Returns whether there was one. */
static int call_back(mirror_pool_t *pool)
{
    int i, found = 0;

    for (i = 0; i < pool->members->count; i++) {
        mirror_server_words_t *words = pool->members->list[i]->words;

        if (apr_atomic_read64(&words->ejections) != 0 &&
            apr_atomic_read64(&words->down_until) != 0) {
            apr_atomic_set64(&words->down_until, 0);
            found = 1;
        }
    }
    return found;
}

/* Return the words of the member to write to: the pool's own ones if its settings are not current, as
 * in a child that ends after a reload. Then it is no evidence about a server of the mirror. */
static mirror_server_words_t *words_to_write(mirror_pool_t *pool, mirror_member_t *member)
{
    if (!mirror_settings_are_current(pool->settings, pool->lane)) {
        mirror_pool_members_detach(pool);
    }
    return member->words;
}

int mirror_pool_member_down(mirror_pool_t *pool, mirror_member_t *member, mirror_outcome_e outcome,
                            const char *what, apr_status_t rv)
{
    apr_interval_time_t pause = mirror_pool_members_pause(pool);
    int is_current = mirror_settings_are_current(pool->settings, pool->lane);
    mirror_server_words_t *words;

    member->health.failed = mirror_loop_now(pool->send->loop);
    member->health.down_as = outcome;
    member->health.proven = 0;
    member->health.refusals = 0;
    apr_atomic_inc64(&member->counts->failed);
    if (member->leaving) {
        return 0;
    }
    words = words_to_write(pool, member);
    apr_atomic_set64(&words->down_until, (apr_uint64_t)(mirror_clock_now() + pause) + 1);
    apr_atomic_set64(&words->ejections, 0);
    apr_atomic_set64(&words->trial, outcome == MIRROR_OUTCOME_TLS_FAILED);
    if (is_current && begin_log(member)) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, rv, pool->send->server,
                     "PM0432: mirror %s: server %s is down: %s failed; its copies go to the "
                     "others, with a retry every %" APR_TIME_T_FMT " ms",
                     pool->lane->mirror->name, member->address, what, apr_time_as_msec(pause));
    }
    return mirror_pool_members_count_up(pool) == 0 && !call_back(pool);
}

void mirror_pool_member_connected(mirror_pool_t *pool, mirror_member_t *member, int is_probe)
{
    mirror_server_words_t *words = member->words;

    member->health.failed = 0;
    if (apr_atomic_read64(&words->down_until) == 0 ||
        (apr_atomic_read64(&words->ejections) != 0 && !is_probe)) {
        return;
    }
    words = words_to_write(pool, member);
    apr_atomic_set64(&words->down_until, 0);
    if (apr_atomic_read64(&words->trial) == 0) {
        log_up(pool, member);
    }
}

void mirror_pool_member_responded(mirror_pool_t *pool, mirror_member_t *member)
{
    mirror_server_words_t *words = member->words;

    apr_atomic_inc64(&member->counts->mirrored);
    if (apr_atomic_read64(&words->down_until) != 0) {
        return; /* a copy that it had got before */
    }
    if (apr_atomic_read64(&words->failures) == 0 && apr_atomic_read64(&words->trial) == 0) {
        return;
    }
    words = words_to_write(pool, member);
    apr_atomic_set64(&words->failures, 0);
    if (apr_atomic_read64(&words->trial) != 0) {
        apr_atomic_set64(&words->trial, 0);
        apr_atomic_set64(&words->ejections, 0);
        log_up(pool, member);
    }
}

/* Return whether one more member may be ejected: at most half of them are out, and one is up. */
static int may_eject(const mirror_pool_t *pool)
{
    int out = pool->members->count - mirror_pool_members_count_up(pool);

    return out + 1 <= pool->members->count / 2;
}

static void eject(mirror_pool_t *pool, mirror_member_t *member)
{
    mirror_server_words_t *words = member->words;
    apr_uint64_t before = apr_atomic_inc64(&words->ejections);
    apr_interval_time_t pause =
        mirror_pool_members_pause(pool)
        << (before < MIRROR_SERVERS_DOUBLINGS ? before : MIRROR_SERVERS_DOUBLINGS);

    apr_atomic_set64(&words->trial, 1);
    apr_atomic_set64(&words->down_until, (apr_uint64_t)(mirror_clock_now() + pause) + 1);
    if (begin_log(member)) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, pool->send->server,
                     "PM0434: mirror %s: server %s gets no copies for %" APR_TIME_T_FMT
                     " ms: %d copies in a row timed out or were broken",
                     pool->lane->mirror->name, member->address, apr_time_as_msec(pause),
                     MIRROR_FAILURES);
    }
}

void mirror_pool_member_failed(mirror_pool_t *pool, mirror_member_t *member)
{
    mirror_server_words_t *words = member->words;
    apr_uint64_t failures;

    apr_atomic_inc64(&member->counts->failed);
    if (!mirror_settings_are_current(pool->settings, pool->lane)) {
        return;
    }
    failures = apr_atomic_inc64(&words->failures) + 1;
    if (member->leaving || apr_atomic_read64(&words->down_until) != 0) {
        return;
    }
    if ((failures >= MIRROR_FAILURES || apr_atomic_read64(&words->trial) != 0) && may_eject(pool)) {
        eject(pool, member);
    }
}
