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
const mirror_settings_t *mirror_pool_settings(const mirror_send_t *send, int index)
{
    return send->pools[index]->settings;
}

/* ---- sending ---- */

/* The copies go to a server of several. */
static void assign(mirror_member_t *member, mirror_copy_t *batch)
{
    for (; batch; batch = batch->next) {
        mirror_pool_member_count_in_flight(member, 1);
        if (batch->line) {
            mirror_log_line_set_server(batch->line, member->address);
        }
    }
}

static void lease(mirror_pool_t *pool, mirror_connection_t *c, mirror_copy_t *batch)
{
    apr_time_t now = mirror_loop_now(pool->send->loop);
    const mirror_lifespan_t *lifespan;
    mirror_copy_t *copy;

    for (copy = batch; copy; copy = copy->next) {
        if (!copy->in_flight) {
            copy->in_flight = 1;
            copy->started = now;
            apr_atomic_inc64(&pool->lane->cell->in_flight);
        }
    }
    if (c->member) {
        assign(c->member, batch);
    }
    c->was_idle |= c->resting && now - c->rested >= MIRROR_LIFESPAN_REST;
    lifespan = &mirror_pool_health_of(pool, c->member)->lifespan;
    if (mirror_lifespan_is_over(lifespan, c->started)) {
        c->outlives = lifespan->copies;
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
    apr_int64_t room = mirror_pool_settings_of(pool)->max_connections - pool->open + pool->yields;
    apr_int64_t left, again;

    if (pool->again.count == 0) {
        return 0;
    }
    if (pool->members && !mirror_pool_members_may_come(pool, NULL)) {
        return 1; /* all have their share */
    }
    again = mirror_pool_count_again(pool);
    left = (apr_int64_t)child->descriptors_max - apr_atomic_read32(&child->descriptors) +
           pool->opening;
    return again > (room < left ? room : left);
}

/* Return whether a copy that waits for a fresh connection may take one of the rings later. */
static int has_fresh(const mirror_pool_t *pool, const struct mirror_connection_ring_t rings[])
{
    const mirror_connection_t *c;
    int i;

    for (i = 0; i < MIRROR_RINGS; i++) {
        APR_RING_FOREACH(c, &rings[i], mirror_connection_t, link)
        {
            if (!c->yields && mirror_pool_is_fresh(pool, c) &&
                (!c->member ||
                 mirror_pool_members_may_retry(pool, c->member, pool->again.first->avoid))) {
                return 1;
            }
        }
    }
    return 0;
}

/* If copies wait for a fresh connection, and later copies keep the used ones of HTTP/2 busy, let one
 * yield. Not if the next one might be refused. */
static void yield_to_again(mirror_pool_t *pool)
{
    apr_time_t now = mirror_loop_now(pool->send->loop);
    int i;

    if (pool->pause.ring || pool->spare.ring || pool->opening > 0 || !lacks_room(pool) ||
        has_fresh(pool, pool->rings)) {
        return;
    }
    for (i = 0; pool->members && i < pool->members->count; i++) {
        if (pool->members->list[i]->spare_until > now ||
            has_fresh(pool, pool->members->list[i]->rings)) {
            return;
        }
    }
    mirror_pool_let_yield(pool);
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
            mirror_pool_end_waiting(pool, pool->health.down_as);
        }
        return;
    }
    if (!pool->rest.ring && mirror_pool_has_lifespan(pool)) {
        mirror_loop_timer_start(pool->send->loop, &pool->rest, mirror_loop_now(pool->send->loop),
                                MIRROR_LIFESPAN_REST);
    }
    yield_to_again(pool);
    mirror_pool_open_missing(pool);
}

static void dispatch(mirror_pool_t *pool)
{
    if (pool->members) {
        mirror_pool_members_look_up(pool);
    }
    mirror_pool_fit(pool);
    send_waiting(pool);
    if (pool->members) {
        mirror_pool_members_tend(pool);
    }
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
        if (pool->members) {
            pool->members->probed = mirror_loop_now(send->loop);
        }
    }
    mirror_pool_add(pool, copy);
    mirror_pool_touch(pool);
}

/* ---- reports of helpers ---- */

void mirror_pool_note_lack(mirror_pool_t *pool, const mirror_connection_t *c)
{
    if (mirror_pool_pause(pool)) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, c->status, pool->send->server,
                     "PM0412: mirror %s: %s failed: out of descriptors, ports or memory",
                     pool->lane->mirror->name, c->failed_at);
    }
    if (pool->open + pool->opening == 0) {
        mirror_pool_end_waiting(pool, MIRROR_OUTCOME_MEMORY_FULL);
    }
}

static void open_failed(mirror_pool_t *pool, mirror_connection_t *c)
{
    apr_atomic_dec32(&pool->send->child->descriptors);
    if (c->member) {
        mirror_pool_members_look_up_soon(pool, c->member);
    }
    else {
        mirror_pool_drop_addresses(pool);
    }
    if (c->failure == MIRROR_OUTCOME_UNREACHABLE || c->failure == MIRROR_OUTCOME_TLS_FAILED) {
        mirror_pool_set_down(pool, c->member, c->failure, c->failed_at, c->status);
    }
    else if (c->failure == MIRROR_OUTCOME_MEMORY_FULL) {
        mirror_pool_note_lack(pool, c);
    }
    mirror_pool_destroy_connection(c);
}

/* Return whether the connection only tests a server: it is closed once its protocol is confirmed. If the
 * mirror is down, or no server is up, it is for the mirror's probe. */
static int is_test(const mirror_pool_t *pool, const mirror_connection_t *c)
{
    return c->member && c->is_probe && !c->confirmed && mirror_pool_members_count_up(pool) > 0 &&
           !mirror_breaker_is_down(pool->lane, mirror_loop_now(pool->send->loop));
}

static void open_succeeded(mirror_pool_t *pool, mirror_connection_t *c)
{
    apr_status_t rv;

    mirror_addresses_t **addresses = c->member ? &c->member->addresses : &pool->addresses;

    if (!*addresses && c->addresses) {
        mirror_address_keep(c->addresses);
        *addresses = c->addresses;
        ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, pool->send->server,
                     "PM0413: mirror %s: address lookup succeeded", pool->lane->mirror->name);
    }
    if (!c->wire.transport->tls && !c->protocol->confirms) {
        mirror_pool_set_up(pool, c->member);
    }
    if (c->member && !c->protocol->confirms) {
        mirror_pool_member_connected(pool, c->member, c->is_probe);
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
    if (c->member) {
        mirror_pool_member_count_open(c->member, 1);
    }
    pool->unconfirmed += !c->confirmed;
    if (is_test(pool, c)) {
        mirror_pool_yield(pool, c);
        mirror_pool_insert(pool, c);
        mirror_connection_rest(c, mirror_pool_settings_of(pool)->connect_timeout);
        return;
    }
    mirror_pool_insert(pool, c);
    mirror_connection_rest(c, mirror_pool_settings_of(pool)->keepalive > 0
                                  ? mirror_pool_settings_of(pool)->keepalive
                                  : MIRROR_NO_KEEPALIVE);
    if (mirror_pool_has_surplus(pool, c)) {
        mirror_pool_close_connection(pool, c);
    }
}

/* A task has returned its last connection, or its lookup. */
static void end_task(mirror_pool_t *pool, const mirror_connection_t *c)
{
    pool->tasks--;
    mirror_helpers_done(pool->send->helpers,
                        c->lookup ? MIRROR_HELPERS_LOOKUP : MIRROR_HELPERS_CONNECT);
    if (!pool->members) {
        pool->probing = 0;
        return;
    }
    pool->members->lookups -= c->lookup;
    if (c->member) {
        c->member->tasks--;
    }
}

void mirror_pool_report(mirror_send_t *send, mirror_connection_t *c)
{
    mirror_pool_t *pool = c->owner;

    (void)send;
    if (c->last) {
        end_task(pool, c);
    }
    if (c->lookup_only) {
        mirror_pool_members_resolved(pool, c);
        mirror_pool_destroy_connection(c);
        mirror_pool_touch(pool);
        return;
    }
    pool->opening--;
    if (c->member) {
        c->member->opening--;
        pool->testing -= c->is_probe;
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

apr_status_t mirror_pool_create_all(mirror_send_t *send, apr_pool_t *memory)
{
    send->connections.loop = send->loop;
    send->connections.buffer = apr_palloc(memory, MIRROR_READ_BUFFER);
    send->connections.buffer_size = MIRROR_READ_BUFFER;
    mirror_pool_init_events(send);
    APR_RING_INIT(&send->connections.unflushed, mirror_connection_t, unflushed_link);
    send->connections.baton = send;
    return mirror_pool_create_first(send, memory);
}

/* End the copies of all connections of the rings as shut_down, and close the connections. */
static void close_rings(mirror_pool_t *pool, struct mirror_connection_ring_t rings[])
{
    int i;

    for (i = 0; i < MIRROR_RINGS; i++) {
        while (!APR_RING_EMPTY(&rings[i], mirror_connection_t, link)) {
            mirror_connection_t *c = APR_RING_FIRST(&rings[i]);
            mirror_copy_t *batch = mirror_connection_abandon(c);

            mirror_pool_close_connection(pool, c);
            mirror_pool_end_batch(pool, batch, MIRROR_OUTCOME_SHUT_DOWN);
        }
    }
}

static void close_member(mirror_pool_t *pool, mirror_member_t *member)
{
    close_rings(pool, member->rings);
}

void mirror_pool_close_all(mirror_send_t *send)
{
    mirror_pool_t *pool;

    for (pool = send->all; pool; pool = pool->next) {
        mirror_pool_end_waiting(pool, MIRROR_OUTCOME_SHUT_DOWN);
        close_rings(pool, pool->rings);
        if (pool->members) {
            mirror_pool_members_each(pool, close_member);
        }
        mirror_pool_drop_addresses(pool);
    }
}
