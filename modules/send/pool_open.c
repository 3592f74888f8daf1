/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/pool_open.c - how many connections are opened, and when. See send/pool.h. Sender thread.
 *
 * Bounds: max_connections of the mirror; the budget of mirror_helpers_may(); and descriptors. All
 * connections and spools may use a quarter of the process's descriptors. Because hanging mirrors
 * keep theirs, each mirror without a connection may open one beyond that, up to half of the
 * process's descriptors.
 */
#include <limits.h>

#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>
#include <http_log.h>

#include "base/tls.h"
#include "send/http1.h"
#include "send/http2.h"
#include "send/pool_state.h"
#include "settings/settings.h"

APLOG_USE_MODULE(proxy_mirror);

/* One of this many helpers goes to the pool with the longest wait. */
#define MIRROR_FED_IN_TURN 4
/* The pause after a lack of descriptors, memory or threads. */
#define MIRROR_PAUSE apr_time_from_sec(1)

/* Close the connection with the longest idle time, of any mirror, as descriptors are exhausted. */
static void close_idle_of_any(mirror_send_t *send)
{
    mirror_pool_t *pool, *found = NULL;
    apr_time_t since, first = 0;

    for (pool = send->all; pool; pool = pool->next) {
        since = mirror_pool_idle_since(pool);
        if (since && (!found || since < first)) {
            found = pool;
            first = since;
        }
    }
    if (found) {
        mirror_pool_close_idle(found);
    }
}

/* Return whether the next task needs a lookup by name. Addresses and sockets need none, so they do
 * not wait for lookups. */
static int needs_lookup(const mirror_pool_t *pool, const mirror_member_t *member)
{
    return member ? mirror_pool_member_needs_lookup(member)
                  : !pool->addresses && mirror_pool_settings_of(pool)->target.named;
}

static const mirror_protocol_t *protocol_of(const mirror_target_t *target)
{
#if MIRROR_HAVE_NGHTTP2
    if (target->http2) {
        return &mirror_http2_protocol;
    }
#else
    (void)target;
#endif
    return &mirror_http1_protocol;
}

/* Set the protocol, and the peer and the transport of the wire. */
static void init_wire(mirror_connection_t *c)
{
    const mirror_target_t *target = &c->settings->target;

    c->protocol = protocol_of(target);
    c->wire.transport = target->tls ? &mirror_tls_transport : &mirror_transport_plain;
    c->wire.alpn = c->protocol->alpn;
    c->wire.pool = c->pool;
    c->wire.server = c->mirror->vhost;
    c->wire.url = target->url;
    c->wire.hostname = target->hostname;
    c->wire.given_up = ((mirror_pool_t *)c->owner)->send->given_up;
}

static apr_status_t give_back(void *settings)
{
    mirror_settings_drop(settings);
    return APR_SUCCESS;
}

/* Return what a connection to the member is connected to: its name and port. The rest is the
 * target's. */
static const mirror_target_t *peer_of(const mirror_connection_t *c, const mirror_member_t *member)
{
    mirror_target_t *peer;

    if (!member) {
        return &c->settings->target;
    }
    peer = apr_pmemdup(c->pool, &c->settings->target, sizeof(*peer));
    peer->hostname = apr_pstrdup(c->pool, member->hostname);
    peer->named = member->named;
    peer->port = member->port;
    return peer;
}

static mirror_connection_t *create_one(mirror_pool_t *pool, mirror_member_t *member)
{
    /* sender, helper, sender */
    apr_pool_t *memory = mirror_memory_pool_create("mirror_connection");
    mirror_connection_t *c = apr_pcalloc(memory, sizeof(*c));

    c->pool = memory;
    c->owner = pool;
    c->member = member;
    c->mirror = pool->lane->mirror;
    c->settings = mirror_pool_settings_of(pool);
    mirror_settings_keep(c->settings);
    apr_pool_cleanup_register(memory, c->settings, give_back, apr_pool_cleanup_null);
    c->peer = peer_of(c, member);
    init_wire(c);
    c->reports = pool->send->reports;
    c->addresses = member ? member->addresses : pool->addresses;
    if (c->addresses) {
        mirror_address_keep(c->addresses);
    }
    return c;
}

static mirror_connection_t *create_chain(mirror_pool_t *pool, mirror_member_t *member, int n)
{
    mirror_connection_t *chain = NULL;

    while (n-- > 0) {
        mirror_connection_t *c = create_one(pool, member);

        c->last = chain == NULL;
        c->lookup = c->last && needs_lookup(pool, member);
        c->next = chain;
        chain = c;
    }
    return chain;
}

/* Return the kind of the next task of this pool. */
static mirror_helpers_kind_e kind_of_task(const mirror_pool_t *pool, const mirror_member_t *member)
{
    return needs_lookup(pool, member) ? MIRROR_HELPERS_LOOKUP : MIRROR_HELPERS_CONNECT;
}

/* Give a helper the chain. Errors: mirror_helpers_push's; the chain is freed then. */
static apr_status_t push(mirror_pool_t *pool, mirror_connection_t *chain,
                         mirror_helpers_kind_e kind)
{
    mirror_connection_t *next;
    apr_status_t rv;

    chain->task.run = mirror_opener_run;
    chain->task.baton = chain;
    rv = mirror_helpers_push(pool->send->helpers, &chain->task, kind);
    if (rv != APR_SUCCESS) {
        for (; chain; chain = next) {
            next = chain->next;
            mirror_pool_destroy_connection(chain);
        }
        return rv;
    }
    pool->tasks++;
    if (pool->members) {
        pool->members->lookups += kind == MIRROR_HELPERS_LOOKUP;
    }
    return APR_SUCCESS;
}

/* Give a helper `n` connections to open. Errors: mirror_helpers_push's. */
static apr_status_t start_task(mirror_pool_t *pool, mirror_member_t *member, int n, int is_probe)
{
    mirror_connection_t *chain = create_chain(pool, member, n);
    apr_status_t rv;

    chain->is_probe = is_probe != 0;
    rv = push(pool, chain, kind_of_task(pool, member));
    if (rv != APR_SUCCESS) {
        return rv;
    }
    pool->opening += n;
    if (member) {
        member->opening += n;
        member->tasks++;
        pool->testing += is_probe != 0;
    }
    apr_atomic_add32(&pool->send->child->descriptors, (apr_uint32_t)n);
    return APR_SUCCESS;
}

/* No helper takes the task. */
static void give_up_task(mirror_pool_t *pool, apr_status_t rv)
{
    if (mirror_pool_pause(pool)) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, pool->send->server,
                     "PM0410: mirror %s: no helper thread is available; pending copies are dropped",
                     pool->lane->mirror->name);
    }
    mirror_pool_end_waiting(pool, MIRROR_OUTCOME_MEMORY_FULL);
}

int mirror_pool_start_task(mirror_pool_t *pool, mirror_member_t *member, int n, int is_probe)
{
    apr_status_t rv = start_task(pool, member, n, is_probe);

    if (rv != APR_SUCCESS) {
        give_up_task(pool, rv);
    }
    return rv == APR_SUCCESS;
}

void mirror_pool_start_lookup(mirror_pool_t *pool)
{
    mirror_connection_t *c = create_one(pool, NULL);
    apr_status_t rv;

    c->last = c->lookup = c->lookup_only = 1;
    rv = push(pool, c, MIRROR_HELPERS_LOOKUP);
    if (rv == APR_SUCCESS) {
        pool->members->looking_up = 1;
    }
    else if (pool->members->count == 0) {
        give_up_task(pool, rv);
    }
}

/* Return whether the budget allows a helper for this pool. While it has no addresses, one helper at
 * a time looks them up. */
static int may_start_task(const mirror_pool_t *pool)
{
    if (pool->members) {
        return mirror_pool_members_may_start(pool);
    }
    return (pool->addresses || pool->tasks == 0) &&
           mirror_helpers_may(pool->send->helpers, kind_of_task(pool, NULL), pool->tasks);
}

/* Return the number of copies that a connection takes. */
static apr_int64_t copies_per_connection(const mirror_pool_t *pool)
{
    const mirror_settings_t *settings = mirror_pool_settings_of(pool);

    return settings->target.http2 ? mirror_pool_most(pool) : settings->pipeline;
}

/* Return the number of connections that would take all waiting copies, beyond those that will have
 * room. Copies that need a fresh connection share it if the protocol allows several at a time. */
static apr_int64_t count_required(const mirror_pool_t *pool, apr_int64_t coming)
{
    apr_int64_t per = copies_per_connection(pool);
    apr_int64_t again = mirror_pool_count_again(pool);

    if (pool->spare.ring && pool->open > 0) {
        /* open connections are not fresh, so they do not count */
        return again - coming;
    }
    return again + (pool->waiting.count + per - 1) / per - coming -
           mirror_pool_count_waiting_idle(pool);
}

int mirror_pool_has_descriptors(const mirror_pool_t *pool)
{
    const mirror_child_t *child = pool->send->child;

    return apr_atomic_read32((apr_uint32_t *)&child->descriptors) < child->descriptors_max;
}

/* Return the number of connections that may be opened by the descriptors; may be negative. If they
 * are exhausted, an idle connection is closed first. */
static apr_int64_t make_room(mirror_pool_t *pool)
{
    mirror_child_t *child = pool->send->child;
    apr_int64_t taken, most = child->descriptors_max;

    if (!mirror_pool_has_descriptors(pool)) {
        close_idle_of_any(pool->send);
    }
    taken = apr_atomic_read32(&child->descriptors);
    return taken >= most && pool->open + pool->opening == 0 && taken < 2 * most ? 1 : most - taken;
}

/* Return the number of missing connections that may be opened. */
int mirror_pool_count_missing(mirror_pool_t *pool, apr_int64_t coming)
{
    apr_int64_t n = count_required(pool, coming);
    apr_int64_t room =
        mirror_pool_settings_of(pool)->max_connections - mirror_pool_count_connections(pool);

    n = n < room ? n : room;
    room = n > 0 ? make_room(pool) : 0;
    n = n < room ? n : room;
    return n > 0 ? (int)n : 0;
}

int mirror_pool_may_test(mirror_pool_t *pool)
{
    return !pool->pause.ring && make_room(pool) > 0;
}

int mirror_pool_pause(mirror_pool_t *pool)
{
    if (pool->pause.ring) {
        return 0;
    }
    mirror_loop_timer_start(pool->send->loop, &pool->pause, mirror_loop_now(pool->send->loop),
                            MIRROR_PAUSE);
    return 1;
}

int mirror_pool_may_open_one(const mirror_pool_t *pool)
{
    return !pool->pause.ring &&
           mirror_pool_count_connections(pool) < mirror_pool_settings_of(pool)->max_connections &&
           mirror_pool_has_descriptors(pool);
}

static int is_confirmed(const mirror_connection_t *c)
{
    return c->confirmed && !c->yields;
}

static int has_yielded(const mirror_connection_t *c)
{
    return c->yields;
}

/* Return whether a connection that yields may have copies again. */
static int may_resume(const mirror_connection_t *c)
{
    return c->yields && mirror_connection_has_room(c, INT_MAX) &&
           (!c->member || mirror_pool_member_is_up(c->member));
}

/* Return the oldest of the busy connections of the rings that are so, or `oldest` if that is older. */
static mirror_connection_t *older(struct mirror_connection_ring_t rings[],
                                  int (*is_so)(const mirror_connection_t *),
                                  mirror_connection_t *oldest)
{
    static const mirror_ring_e busy[] = { MIRROR_RING_PARTIAL, MIRROR_RING_FULL };
    mirror_connection_t *c;
    apr_size_t i;

    for (i = 0; i < sizeof(busy) / sizeof(*busy); i++) {
        APR_RING_FOREACH(c, &rings[busy[i]], mirror_connection_t, link)
        {
            if (is_so(c) && (!oldest || c->adopted < oldest->adopted)) {
                oldest = c;
            }
        }
    }
    return oldest;
}

/* Return the oldest busy connection that is so; NULL = none. */
static mirror_connection_t *oldest_busy(mirror_pool_t *pool,
                                        int (*is_so)(const mirror_connection_t *))
{
    mirror_connection_t *c = older(pool->rings, is_so, NULL);
    int i;

    for (i = 0; pool->members && i < pool->members->count; i++) {
        c = older(pool->members->list[i]->rings, is_so, c);
    }
    return c;
}

int mirror_pool_let_yield(mirror_pool_t *pool)
{
    mirror_connection_t *c;

    if (!mirror_pool_settings_of(pool)->target.http2 || !mirror_pool_has_descriptors(pool) ||
        (pool->yields > 0 && oldest_busy(pool, has_yielded))) {
        return 0;
    }
    c = oldest_busy(pool, is_confirmed);
    if (!c || mirror_loop_now(pool->send->loop) - c->adopted < MIRROR_TENURE) {
        return 0;
    }
    mirror_pool_yield(pool, c);
    mirror_pool_move(pool, c);
    return 1;
}

void mirror_pool_fit(mirror_pool_t *pool)
{
    apr_int64_t most = mirror_pool_settings_of(pool)->max_connections;
    mirror_connection_t *c;

    while (mirror_pool_count_connections(pool) > most && mirror_pool_close_idle(pool)) {
    }
    if (!mirror_pool_settings_of(pool)->target.http2) {
        return;
    }
    while (mirror_pool_count_connections(pool) > most && (c = oldest_busy(pool, is_confirmed))) {
        mirror_pool_yield(pool, c);
        mirror_pool_move(pool, c);
    }
    while (pool->yields > 0 && mirror_pool_count_connections(pool) < most &&
           (c = oldest_busy(pool, may_resume))) {
        mirror_pool_resume(pool, c);
        mirror_pool_move(pool, c);
    }
}

void mirror_pool_begin_hunger(mirror_pool_t *pool)
{
    if (!pool->wants_helper) {
        pool->wants_helper = ++pool->send->helper_turns;
        pool->send->wants_helper++;
    }
}

static mirror_pool_t *hungrier(mirror_pool_t *one, mirror_pool_t *other)
{
    return !one || other->wants_helper < one->wants_helper ? other : one;
}

mirror_pool_t *mirror_pool_take_waiting(mirror_send_t *send)
{
    mirror_pool_t *pool = send->wants_helper > 0 ? send->all : NULL, *first = NULL, *reached = NULL;

    for (; pool; pool = pool->next) {
        if (pool->wants_helper && may_start_task(pool)) {
            first = hungrier(first, pool);
            reached = pool->health.failed ? reached : hungrier(reached, pool);
        }
    }
    if (!first) {
        return NULL;
    }
    pool = reached && ++send->fed % MIRROR_FED_IN_TURN != 0 ? reached : first;
    pool->wants_helper = 0;
    send->wants_helper--;
    return pool;
}

void mirror_pool_open_missing(mirror_pool_t *pool)
{
    mirror_send_t *send = pool->send;
    int n;

    if (pool->members) {
        mirror_pool_members_open_missing(pool);
        return;
    }
    n = pool->pause.ring ? 0 : mirror_pool_count_missing(pool, pool->opening + pool->unconfirmed);

    if (n == 0 && pool->open + pool->opening == 0) {
        /* out of descriptors or memory, and no connection to wait for */
        mirror_pool_end_waiting(pool, MIRROR_OUTCOME_MEMORY_FULL);
        return;
    }
    if (n > 0 && pool->addresses &&
        mirror_loop_now(send->loop) - mirror_address_time(pool->addresses) >=
            mirror_pool_settings_of(pool)->ttl) {
        mirror_pool_drop_addresses(pool);
    }
    while (n > 0) {
        int part = n < MIRROR_CHAIN_MAX ? n : MIRROR_CHAIN_MAX;
        apr_status_t rv;

        if (!may_start_task(pool)) {
            mirror_pool_begin_hunger(pool);
            return;
        }
        rv = start_task(pool, NULL, part, 0);
        if (rv != APR_SUCCESS) {
            give_up_task(pool, rv);
            return;
        }
        n -= part;
    }
}
