/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/pool_events.c - the events of a pool's connections: copies that end, connections that are
 * confirmed, idle or closed; what sets a mirror down or up. See send/pool.h. Sender thread.
 *
 * A callback of a connection does not send; it marks the pool dirty.
 */
#include <stdlib.h>
#include <string.h>

#include <httpd.h>
#include <http_config.h>
#include <http_log.h>

#include "base/clock.h"
#include "compare/half.h"
#include "copy/log_line.h"
#include "send/pool_state.h"
#include "send/retry.h"
#include "settings/settings.h"
#include "shared/breaker.h"
#include "shared/table.h"

APLOG_USE_MODULE(proxy_mirror);

/* The number of consecutive TLS connections closed without a response that means a rejected
 * certificate, even if the mirror responded before. One or two may stem from a restart of the
 * mirror. */
#define MIRROR_REFUSALS 3

/* Steps that failed, for the log. */
#define MIRROR_CLOSED_OVER_TLS "TLS (connection closed by the mirror without a response)"
#define MIRROR_NO_HTTP2        "HTTP/2 (the mirror does not use it)"

/* ---- down and up ---- */

/* A pool with older settings is no evidence about the mirror; its copies fail individually. */
void mirror_pool_set_down(mirror_pool_t *pool, mirror_member_t *member, mirror_outcome_e outcome,
                          const char *what, apr_status_t rv)
{
    pool->why = outcome == MIRROR_OUTCOME_UNREACHABLE ? MIRROR_WHY_CONNECT
                : rv != APR_SUCCESS                   ? MIRROR_WHY_HANDSHAKE
                                                      : MIRROR_WHY_REFUSED;
    pool->why_rv = rv;
    if (member && !mirror_pool_member_down(pool, member, outcome, what, rv)) {
        return;
    }
    pool->health.down_as = outcome;
    pool->health.failed = mirror_loop_now(pool->send->loop);
    pool->health.proven = 0;
    pool->health.refusals = 0;
    if (!mirror_settings_are_current(pool->settings, pool->lane)) {
        mirror_pool_end_waiting(pool, outcome);
        return;
    }
    mirror_breaker_down(pool->lane, mirror_pool_settings_of(pool)->retry, what, rv,
                        pool->send->server);
}

void mirror_pool_set_up(mirror_pool_t *pool, mirror_member_t *member)
{
    mirror_pool_health_of(pool, member)->failed = 0;
    pool->health.failed = 0;
    if (mirror_settings_are_current(pool->settings, pool->lane)) {
        mirror_breaker_up(pool->lane, pool->send->server);
    }
}

/* Return whether a connection without a response means that the mirror rejects our certificate. A
 * connection from before the mirror was down does not count, except the probe's. A mirror that has
 * responded may reject later, when our certificate has expired. */
static int means_refusal(mirror_pool_t *pool, const mirror_connection_t *c,
                         const mirror_copy_t *copy)
{
    mirror_health_t *health = mirror_pool_health_of(pool, c->member);

    return copy->probe || (c->rested > health->failed &&
                           (++health->refusals >= MIRROR_REFUSALS || !health->proven));
}

/* With TLS 1.3 the handshake ends before the mirror has verified our certificate. The mirror
 * accepts it with its first response, and rejects it by closing without a response. So the result
 * of the probe, not the connection, sets the mirror up. */
static int is_refused(mirror_pool_t *pool, const mirror_connection_t *c, const mirror_copy_t *copy,
                      mirror_connection_end_e how)
{
    mirror_health_t *health = mirror_pool_health_of(pool, c->member);

    if (!c->wire.transport->tls) {
        return 0;
    }
    if (how == MIRROR_REFUSED && means_refusal(pool, c, copy)) {
        mirror_pool_set_down(pool, c->member, MIRROR_OUTCOME_TLS_FAILED, MIRROR_CLOSED_OVER_TLS,
                             APR_SUCCESS);
        return 1;
    }
    if (how == MIRROR_REFUSED && health->failed && health->down_as == MIRROR_OUTCOME_TLS_FAILED) {
        return 1; /* an older connection, which ended for the same reason */
    }
    if (how == MIRROR_RESPONDED) {
        health->proven = 1;
        health->refusals = 0;
    }
    if (copy->probe && how != MIRROR_STALE) {
        mirror_pool_set_up(pool, c->member);
    }
    return 0;
}

/* Handle a failed connect while other connections have responses: the mirror is not down. A
 * response that had begun earlier does not count. No further connection is opened for `retry`. */
static void still_responds(mirror_pool_t *pool, mirror_member_t *member,
                           const mirror_result_t *result)
{
    mirror_loop_t *loop = pool->send->loop;
    apr_time_t failed = mirror_pool_health_of(pool, member)->failed;

    if (!failed || result->began <= failed) {
        return;
    }
    mirror_pool_set_up(pool, member);
    if (member) {
        mirror_pool_member_connected(pool, member, 0);
        member->spare_until = mirror_loop_now(loop) + mirror_pool_settings_of(pool)->retry;
    }
    else {
        mirror_loop_timer_start(loop, &pool->spare, mirror_loop_now(loop),
                                mirror_pool_settings_of(pool)->retry);
    }
}

static void count_response(mirror_pool_t *pool, const mirror_result_t *result, mirror_copy_t *copy,
                           apr_interval_time_t took)
{
    mirror_cell_count_response(pool->lane->cell, result->status, result->interim, took);
    if (result->grpc_status >= 0) {
        apr_atomic_inc64(&pool->lane->cell->grpc[result->grpc_status]);
    }
    if (copy->line) {
        copy->line->status = result->status;
        copy->line->grpc_status = result->grpc_status;
        copy->line->took = took;
    }
    if (copy->half) {
        copy->half->status = result->status;
        copy->half->took = took;
    }
}

/* A copy was on a connection to the member, and has ended. */
static void note_end(mirror_pool_t *pool, mirror_member_t *member, mirror_outcome_e outcome)
{
    if (!member) {
        return;
    }
    if (outcome == MIRROR_OUTCOME_MIRRORED) {
        mirror_pool_member_responded(pool, member);
    }
    else {
        mirror_pool_member_failed(pool, member);
    }
}

/* A copy that is not sent again was not responded to. */
static void copy_failed(mirror_pool_t *pool, mirror_member_t *member, mirror_copy_t *copy,
                        const mirror_result_t *result)
{
    ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, pool->send->server,
                 "PM0411: mirror %s: a copy failed: %s", pool->lane->mirror->name,
                 result->fault ? result->fault
                               : "the connection was closed before the end of the response");
    note_end(pool, member, MIRROR_OUTCOME_BROKEN);
    copy->why = result->reset || result->how == MIRROR_UNPROCESSED ? MIRROR_WHY_RESET
                : result->fault                                    ? MIRROR_WHY_NOT_HTTP
                                                                   : MIRROR_WHY_CLOSED;
    mirror_pool_end_copy(pool, copy, MIRROR_OUTCOME_BROKEN);
}

/* A copy has ended: note how many of them the server processes on a connection. */
static void note_lifespan(mirror_pool_t *pool, mirror_connection_t *c, mirror_connection_end_e how)
{
    mirror_lifespan_t *lifespan = &mirror_pool_health_of(pool, c->member)->lifespan;
    apr_int64_t before = lifespan->copies;

    if (how == MIRROR_RESPONDED && c->outlives) {
        mirror_lifespan_outlived(lifespan, c->outlives);
    }
    else if (c->cut && !c->was_idle && (how == MIRROR_STALE || how == MIRROR_UNPROCESSED)) {
        mirror_lifespan_ended(lifespan, c->processed);
    }
    c->outlives = 0;
    c->was_idle &= how != MIRROR_RESPONDED;
    if (lifespan->copies != before) {
        ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, pool->send->server,
                     "PM0414: mirror %s: the server ends connections after %" APR_INT64_T_FMT
                     " copies (0 = it does not)",
                     pool->lane->mirror->name, lifespan->copies);
    }
}

/* A copy was not responded to. */
static void retry_or_fail(mirror_pool_t *pool, mirror_member_t *member, mirror_copy_t *copy,
                          const mirror_result_t *result)
{
    if (!mirror_retry_pending(copy, result)) {
        copy_failed(pool, member, copy, result);
    }
    else if (result->how == MIRROR_UNPROCESSED) {
        mirror_pool_add_unprocessed(pool, copy);
    }
    else {
        mirror_pool_add_again(pool, copy);
    }
}

/* A copy has timed out: return whether the mirror is silent, so that the waiting copies would need a
 * timeout each, as an unconfirmed connection takes one. One such connection may be of a server that was
 * restarted meanwhile; so the next one must not have been confirmed either. */
static int is_silent(mirror_pool_t *pool, const mirror_connection_t *c)
{
    apr_time_t now = mirror_loop_now(pool->send->loop), since = pool->silent;

    if (c->confirmed || c->member || pool->unconfirmed != pool->open - pool->yields ||
        now - c->adopted < mirror_pool_settings_of(pool)->timeout) {
        return 0;
    }
    pool->silent = since ? since : now;
    return since && c->adopted >= since;
}

/* The `ended` callback of mirror_connections_t. */
static void copy_ended(void *baton, mirror_connection_t *c, mirror_copy_t *copy,
                       const mirror_result_t *result)
{
    mirror_pool_t *pool = c->owner;

    (void)baton;
    if (c->member) {
        mirror_pool_member_count_in_flight(c->member, -1);
        copy->avoid = c->member->key;
    }
    note_lifespan(pool, c, result->how);
    if (result->how == MIRROR_FOREIGN) {
        mirror_pool_set_down(pool, c->member, MIRROR_OUTCOME_UNREACHABLE, MIRROR_NO_HTTP2,
                             APR_SUCCESS);
    }
    else if (is_refused(pool, c, copy, result->how)) {
        copy->why = MIRROR_WHY_REFUSED;
        mirror_pool_end_copy(pool, copy, MIRROR_OUTCOME_TLS_FAILED);
        return;
    }
    switch (result->how) {
    case MIRROR_RESPONDED:
        count_response(pool, result, copy, mirror_clock_now() - copy->started);
        still_responds(pool, c->member, result);
        if (copy->probe) {
            mirror_pool_set_up(pool, c->member);
        }
        note_end(pool, c->member, MIRROR_OUTCOME_MIRRORED);
        mirror_pool_end_copy(pool, copy, MIRROR_OUTCOME_MIRRORED);
        return;
    case MIRROR_TIMED_OUT:
        note_end(pool, c->member, MIRROR_OUTCOME_TIMED_OUT);
        mirror_pool_end_copy(pool, copy, MIRROR_OUTCOME_TIMED_OUT);
        if (is_silent(pool, c)) {
            mirror_pool_end_waiting(pool, MIRROR_OUTCOME_TIMED_OUT);
        }
        return;
    default:
        break;
    }
    retry_or_fail(pool, c->member, copy, result);
}

/* The `stranded` callback of mirror_connections_t. */
static void copies_stranded(void *baton, mirror_connection_t *c, mirror_copy_t *batch,
                            mirror_connection_end_e how)
{
    mirror_copy_t *copy;

    (void)baton;
    for (copy = batch; c->member && copy; copy = copy->next) {
        mirror_pool_member_count_in_flight(c->member, -1);
        copy->avoid = c->member->key;
        if (!mirror_retry_pipelined(how)) {
            mirror_pool_member_failed(c->owner, c->member);
        }
    }
    mirror_pool_strand(c->owner, batch, how);
}

/* Return the time for which an idle connection is kept; 0 = it is closed. */
static apr_interval_time_t keep_for(const mirror_pool_t *pool, const mirror_connection_t *c)
{
    apr_interval_time_t keepalive = mirror_pool_settings_of(pool)->keepalive;
    int ends = pool->ends || apr_atomic_read32(pool->send->stopping);

    if (!ends && !mirror_pool_lives(pool, c)) {
        /* whether the mirror ends it shows only while it is idle */
        return keepalive > MIRROR_NO_KEEPALIVE ? keepalive : MIRROR_NO_KEEPALIVE;
    }
    if (keepalive == 0 || ends) {
        return pool->waiting.count > 0 && ends ? MIRROR_NO_KEEPALIVE : 0;
    }
    return keepalive;
}

/* The `changed` callback of mirror_connections_t. */
static void connection_changed(void *baton, mirror_connection_t *c)
{
    mirror_pool_t *pool = c->owner;
    apr_interval_time_t keepalive = keep_for(pool, c);

    (void)baton;
    if (c->copies > 0) {
        mirror_pool_move(pool, c);
    }
    else if (c->yields) {
        if (c->confirmed || !c->resting) { /* otherwise it tests a server, and rests until then */
            mirror_pool_close_connection(pool, c);
        }
    }
    else if (!mirror_pool_has_room(pool, c)) {
        /* The mirror allows no stream now. Copies wait for it as for a response. */
        mirror_pool_move(pool, c);
        if (!c->starved) {
            c->starved = 1;
            mirror_connection_rest(c, mirror_pool_settings_of(pool)->timeout);
        }
    }
    else if (c->resting && !c->starved) {
        mirror_pool_move(pool, c);
    }
    else if (keepalive > 0 && !mirror_pool_has_surplus(pool, c) &&
             !(c->member && mirror_pool_members_must_yield(pool, c))) {
        c->starved = 0;
        mirror_pool_move(pool, c);
        mirror_connection_rest(c, keepalive);
    }
    else {
        mirror_pool_close_connection(pool, c);
    }
    mirror_pool_touch(pool);
}

/* The `confirmed` callback of mirror_connections_t. With TLS it means also that the mirror accepts
 * our certificate. */
static void connection_confirmed(void *baton, mirror_connection_t *c)
{
    mirror_pool_t *pool = c->owner;

    (void)baton;
    pool->unconfirmed -= !c->yields;
    pool->silent = 0;
    mirror_pool_health_of(pool, c->member)->proven = 1;
    mirror_pool_health_of(pool, c->member)->refusals = 0;
    mirror_pool_set_up(pool, c->member);
    if (c->member) {
        mirror_pool_member_connected(pool, c->member, c->is_probe);
    }
}

/* A connection to one of several servers was closed before its protocol was confirmed. It may have
 * had no copy, because it was opened beside others. */
static void closed_early(mirror_pool_t *pool, const mirror_connection_t *c)
{
    if (c->wire.transport->tls) {
        mirror_pool_set_down(pool, c->member, MIRROR_OUTCOME_TLS_FAILED, MIRROR_CLOSED_OVER_TLS,
                             APR_SUCCESS);
    }
    else {
        mirror_pool_set_down(pool, c->member, MIRROR_OUTCOME_UNREACHABLE, MIRROR_NO_HTTP2,
                             APR_SUCCESS);
    }
}

/* The `closed` callback of mirror_connections_t. */
static void connection_closed(void *baton, mirror_connection_t *c)
{
    mirror_pool_t *pool = c->owner;

    (void)baton;
    if (c->member && !c->confirmed && !c->expired && c->member->health.failed < c->adopted) {
        closed_early(pool, c);
    }
    if (c->expired && c->starved && c->member) {
        mirror_pool_member_failed(pool, c->member);
    }
    else if (c->expired && c->starved) {
        mirror_pool_end_waiting(pool, MIRROR_OUTCOME_TIMED_OUT);
    }
    mirror_pool_close_connection(pool, c);
    mirror_pool_touch(pool);
}

void mirror_pool_init_events(mirror_send_t *send)
{
    send->connections.ended = copy_ended;
    send->connections.stranded = copies_stranded;
    send->connections.changed = connection_changed;
    send->connections.confirmed = connection_confirmed;
    send->connections.closed = connection_closed;
}
