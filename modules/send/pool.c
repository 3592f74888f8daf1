/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/pool.c - leasing connections to copies. See send/pool.h.
 *
 * A callback of a connection does not send; it marks the pool dirty. All dirty pools are dispatched
 * once per round of the loop, so there is no recursion.
 */
#include <httpd.h>
#include <http_config.h>
#include <http_log.h>

#include "base/clock.h"
#include "compare/half.h"
#include "copy/log_line.h"
#include "send/pool.h"
#include "send/pool_state.h"
#include "send/retry.h"
#include "settings/settings.h"
#include "shared/breaker.h"
#include "shared/table.h"

APLOG_USE_MODULE(proxy_mirror);

#define MIRROR_READ_BUFFER 16384
/* The time for which a connection without keepalive is kept for waiting copies. */
#define MIRROR_NO_KEEPALIVE apr_time_from_sec(1)
/* The number of consecutive TLS connections closed without a response that means a rejected
 * certificate, even if the mirror responded before. One or two may stem from a restart of the
 * mirror. */
#define MIRROR_REFUSALS 3

const mirror_settings_t *mirror_pool_settings(const mirror_send_t *send, int index)
{
    return send->pools[index]->settings;
}

/* ---- sending ---- */

static void lease(mirror_pool_t *pool, mirror_connection_t *c, mirror_copy_t *batch)
{
    apr_time_t now = mirror_loop_now(pool->send->loop);
    mirror_copy_t *copy;

    for (copy = batch; copy; copy = copy->next) {
        if (!copy->in_flight) {
            copy->in_flight = 1;
            copy->started = now;
            apr_atomic_inc64(&pool->lane->cell->in_flight);
        }
    }
    mirror_connection_start(c, batch, now - batch->started);
    if (!mirror_connection_is_closed(c)) {
        mirror_pool_move(pool, c);
    }
}

/* Return whether more copies wait for a fresh connection than max_connections or descriptors allow.
 * Then a used connection is closed. Otherwise later copies would keep it busy, and these copies
 * would wait forever. */
static int lacks_room(const mirror_pool_t *pool)
{
    mirror_child_t *child = pool->send->child;
    apr_int64_t room = mirror_pool_settings_of(pool)->max_connections - pool->open;
    apr_int64_t left, again;

    if (pool->again.count == 0) {
        return 0;
    }
    again = mirror_pool_count_again(pool);
    left = (apr_int64_t)child->descriptors_max - apr_atomic_read32(&child->descriptors) +
           pool->opening;
    return again > (room < left ? room : left);
}

static void send_waiting(mirror_pool_t *pool)
{
    mirror_connection_t *c;

    while ((c = mirror_pool_find_room(pool))) {
        mirror_copy_t *batch;

        if (!mirror_pool_is_fresh(pool, c) && c->copies == 0 && lacks_room(pool)) {
            mirror_pool_close_connection(pool, c);
            continue;
        }
        batch = mirror_pool_take_batch(pool, c);
        if (!batch) {
            break;
        }
        lease(pool, c, batch);
    }
    if (mirror_pool_count_waiting(pool) == 0) {
        return;
    }
    if (!pool->probing && !pool->ends && pool->opening == 0 &&
        mirror_breaker_is_down(pool->lane, mirror_loop_now(pool->send->loop))) {
        if (pool->open == 0 || pool->again.count > 0) {
            mirror_pool_end_waiting(pool, pool->down_as);
        }
        return;
    }
    mirror_pool_open_missing(pool);
}

static void dispatch(mirror_pool_t *pool)
{
    send_waiting(pool);
    if (pool->ends) {
        mirror_pool_end(pool);
    }
}

void mirror_pool_dispatch_all(mirror_send_t *send)
{
    mirror_pool_t *pool;

    /* An ended task has freed a helper for a waiting pool. */
    while ((pool = mirror_pool_take_waiting(send))) {
        dispatch(pool);
    }
    do {
        while (send->touched) {
            pool = send->touched;
            send->touched = pool->next_touched;
            pool->touched = 0;
            dispatch(pool);
        }
        mirror_connection_flush_all(&send->connections);
    } while (send->touched);
}

void mirror_pool_put(mirror_send_t *send, mirror_copy_t *copy)
{
    mirror_pool_t *pool = mirror_pool_for(send, copy);

    if (!pool) {
        apr_atomic_inc32(&send->child->refused);
        mirror_copy_end(copy, MIRROR_OUTCOME_MEMORY_FULL);
        return;
    }
    send->copies++;
    copy->in_pool = 1;
    if (copy->probe) {
        pool->probing = 1;
    }
    mirror_pool_add(pool, copy);
    mirror_pool_touch(pool);
}

/* ---- events of connections ---- */

/* Set the mirror down, if the pool's settings are current. A pool with older settings is no
 * evidence about the mirror; its copies fail individually. */
static void set_down(mirror_pool_t *pool, mirror_outcome_e outcome, const char *what,
                     apr_status_t rv)
{
    pool->down_as = outcome;
    pool->why = outcome == MIRROR_OUTCOME_UNREACHABLE ? MIRROR_WHY_CONNECT
                : rv != APR_SUCCESS                   ? MIRROR_WHY_HANDSHAKE
                                                      : MIRROR_WHY_REFUSED;
    pool->why_rv = rv;
    pool->failed = mirror_loop_now(pool->send->loop);
    pool->proven = 0;
    pool->refusals = 0;
    if (!mirror_settings_are_current(pool->settings, pool->lane)) {
        mirror_pool_end_waiting(pool, outcome);
        return;
    }
    mirror_breaker_down(pool->lane, mirror_pool_settings_of(pool)->retry, what, rv,
                        pool->send->server);
}

static void set_up(mirror_pool_t *pool)
{
    pool->failed = 0;
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
    return copy->probe ||
           (c->rested > pool->failed && (++pool->refusals >= MIRROR_REFUSALS || !pool->proven));
}

/* With TLS 1.3 the handshake ends before the mirror has verified our certificate. The mirror
 * accepts it with its first response, and rejects it by closing without a response. So the result
 * of the probe, not the connection, sets the mirror up. */
static int is_refused(mirror_pool_t *pool, const mirror_connection_t *c, const mirror_copy_t *copy,
                      mirror_connection_end_e how)
{
    if (!c->wire.transport->tls) {
        return 0;
    }
    if (how == MIRROR_REFUSED && means_refusal(pool, c, copy)) {
        set_down(pool, MIRROR_OUTCOME_TLS_FAILED,
                 "TLS (connection closed by the mirror without a response)", APR_SUCCESS);
        return 1;
    }
    if (how == MIRROR_REFUSED && pool->failed && pool->down_as == MIRROR_OUTCOME_TLS_FAILED) {
        return 1; /* an older connection, which ended for the same reason */
    }
    if (how == MIRROR_RESPONDED) {
        pool->proven = 1;
        pool->refusals = 0;
    }
    if (copy->probe && how != MIRROR_STALE) {
        set_up(pool);
    }
    return 0;
}

/* Handle a failed connect while other connections have responses: the mirror is not down. A
 * response that had begun earlier does not count. No further connection is opened for `retry`. */
static void still_responds(mirror_pool_t *pool, const mirror_result_t *result)
{
    mirror_loop_t *loop = pool->send->loop;

    if (pool->failed && result->began > pool->failed) {
        set_up(pool);
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

/* The `ended` callback of mirror_connections_t. */
static void copy_ended(void *baton, mirror_connection_t *c, mirror_copy_t *copy,
                       const mirror_result_t *result)
{
    mirror_pool_t *pool = c->owner;

    (void)baton;
    if (result->how == MIRROR_FOREIGN) {
        set_down(pool, MIRROR_OUTCOME_UNREACHABLE, "HTTP/2 (the mirror does not use it)",
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
        still_responds(pool, result);
        if (copy->probe) {
            set_up(pool);
        }
        mirror_pool_end_copy(pool, copy, MIRROR_OUTCOME_MIRRORED);
        return;
    case MIRROR_TIMED_OUT:
        mirror_pool_end_copy(pool, copy, MIRROR_OUTCOME_TIMED_OUT);
        return;
    default:
        break;
    }
    if (mirror_retry_pending(copy, result)) {
        if (result->how == MIRROR_UNPROCESSED) {
            mirror_pool_add_unprocessed(pool, copy);
        }
        else {
            mirror_pool_add_again(pool, copy);
        }
        return;
    }
    ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, pool->send->server,
                 "PM0411: mirror %s: a copy failed: %s", pool->lane->mirror->name,
                 result->fault ? result->fault
                               : "the connection was closed before the end of the response");
    copy->why = result->fault ? MIRROR_WHY_NOT_HTTP : MIRROR_WHY_CLOSED;
    mirror_pool_end_copy(pool, copy, MIRROR_OUTCOME_BROKEN);
}

/* The `stranded` callback of mirror_connections_t. */
static void copies_stranded(void *baton, mirror_connection_t *c, mirror_copy_t *batch,
                            mirror_connection_end_e how)
{
    (void)baton;
    mirror_pool_strand(c->owner, batch, how);
}

/* Return the time for which an idle connection is kept; 0 = it is closed. */
static apr_interval_time_t keep_for(const mirror_pool_t *pool)
{
    apr_interval_time_t keepalive = mirror_pool_settings_of(pool)->keepalive;
    int ends = pool->ends || apr_atomic_read32(pool->send->stopping);

    if (keepalive == 0 || ends) {
        return pool->waiting.count > 0 && ends ? MIRROR_NO_KEEPALIVE : 0;
    }
    return keepalive;
}

/* The `changed` callback of mirror_connections_t. */
static void connection_changed(void *baton, mirror_connection_t *c)
{
    mirror_pool_t *pool = c->owner;
    apr_interval_time_t keepalive = keep_for(pool);

    (void)baton;
    if (c->copies > 0) {
        mirror_pool_move(pool, c);
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
    else if (keepalive > 0) {
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
    pool->unconfirmed--;
    pool->proven = 1;
    pool->refusals = 0;
    set_up(pool);
}

/* The `closed` callback of mirror_connections_t. */
static void connection_closed(void *baton, mirror_connection_t *c)
{
    mirror_pool_t *pool = c->owner;

    (void)baton;
    if (c->expired && c->starved) {
        mirror_pool_end_waiting(pool, MIRROR_OUTCOME_TIMED_OUT);
    }
    mirror_pool_close_connection(pool, c);
    mirror_pool_touch(pool);
}

/* ---- reports of helpers ---- */

static void open_failed(mirror_pool_t *pool, mirror_connection_t *c)
{
    apr_atomic_dec32(&pool->send->child->descriptors);
    mirror_pool_drop_addresses(pool);
    if (c->failure == MIRROR_OUTCOME_UNREACHABLE || c->failure == MIRROR_OUTCOME_TLS_FAILED) {
        set_down(pool, c->failure, c->failed_at, c->status);
    }
    else if (c->failure == MIRROR_OUTCOME_MEMORY_FULL) {
        if (mirror_pool_pause(pool)) {
            ap_log_error(APLOG_MARK, APLOG_WARNING, c->status, pool->send->server,
                         "PM0412: mirror %s: %s failed: out of descriptors, ports or memory",
                         pool->lane->mirror->name, c->failed_at);
        }
        if (pool->open + pool->opening == 0) {
            mirror_pool_end_waiting(pool, MIRROR_OUTCOME_MEMORY_FULL);
        }
    }
    mirror_pool_destroy_connection(c);
}

static void open_succeeded(mirror_pool_t *pool, mirror_connection_t *c)
{
    apr_status_t rv;

    if (!pool->addresses && c->addresses) {
        mirror_address_keep(c->addresses);
        pool->addresses = c->addresses;
        ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, pool->send->server,
                     "PM0413: mirror %s: address lookup succeeded", pool->lane->mirror->name);
    }
    if (!c->wire.transport->tls && !c->protocol->confirms) {
        set_up(pool);
    }
    rv = mirror_connection_adopt(c, &pool->send->connections);
    if (rv != APR_SUCCESS) {
        c->status = rv;
        c->failure = MIRROR_OUTCOME_MEMORY_FULL;
        c->failed_at = "adding a connection to the pollset";
        open_failed(pool, c);
        return;
    }
    mirror_pool_count_open(pool, 1);
    pool->unconfirmed += !c->confirmed;
    mirror_pool_insert(pool, c);
    mirror_connection_rest(c, mirror_pool_settings_of(pool)->keepalive > 0
                                  ? mirror_pool_settings_of(pool)->keepalive
                                  : MIRROR_NO_KEEPALIVE);
}

void mirror_pool_report(mirror_send_t *send, mirror_connection_t *c)
{
    mirror_pool_t *pool = c->owner;

    pool->opening--;
    if (c->last) {
        pool->tasks--;
        mirror_helpers_done(send->helpers,
                            c->lookup ? MIRROR_HELPERS_LOOKUP : MIRROR_HELPERS_CONNECT);
        pool->probing = 0;
    }
    if (c->status == APR_SUCCESS) {
        open_succeeded(pool, c);
    }
    else {
        open_failed(pool, c);
    }
    mirror_pool_touch(pool);
}

/* ---- start and end ---- */

void mirror_pool_create_all(mirror_send_t *send, apr_pool_t *memory)
{
    send->connections.loop = send->loop;
    send->connections.buffer = apr_palloc(memory, MIRROR_READ_BUFFER);
    send->connections.buffer_size = MIRROR_READ_BUFFER;
    send->connections.ended = copy_ended;
    send->connections.stranded = copies_stranded;
    send->connections.changed = connection_changed;
    send->connections.confirmed = connection_confirmed;
    send->connections.closed = connection_closed;
    APR_RING_INIT(&send->connections.unflushed, mirror_connection_t, unflushed_link);
    send->connections.baton = send;
    mirror_pool_create_first(send, memory);
}

/* End the copies of all connections of a ring as shut_down, and close the connections. */
static void close_ring(mirror_pool_t *pool, mirror_ring_e ring)
{
    while (!APR_RING_EMPTY(&pool->rings[ring], mirror_connection_t, link)) {
        mirror_connection_t *c = APR_RING_FIRST(&pool->rings[ring]);
        mirror_copy_t *batch = mirror_connection_abandon(c);

        mirror_pool_close_connection(pool, c);
        mirror_pool_end_batch(pool, batch, MIRROR_OUTCOME_SHUT_DOWN);
    }
}

void mirror_pool_close_all(mirror_send_t *send)
{
    mirror_pool_t *pool;
    int ring;

    for (pool = send->all; pool; pool = pool->next) {
        mirror_pool_end_waiting(pool, MIRROR_OUTCOME_SHUT_DOWN);
        for (ring = 0; ring < MIRROR_RINGS; ring++) {
            close_ring(pool, (mirror_ring_e)ring);
        }
        mirror_pool_drop_addresses(pool);
    }
}
