/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/pool_state.c - functions on the state of a pool, shared by send/pool*.c. See
 * send/pool_state.h.
 */
#include "send/pool_state.h"
#include "shared/cell.h"

const mirror_settings_t *mirror_pool_settings_of(const mirror_pool_t *pool)
{
    return pool->settings;
}

void mirror_pool_touch(mirror_pool_t *pool)
{
    if (!pool->touched) {
        pool->touched = 1;
        pool->next_touched = pool->send->touched;
        pool->send->touched = pool;
    }
}

void mirror_pool_count_open(mirror_pool_t *pool, int more)
{
    pool->open += more;
    apr_atomic_add64(&pool->lane->cell->connections, (apr_uint64_t)(apr_int64_t)more);
}

mirror_health_t *mirror_pool_health_of(mirror_pool_t *pool, mirror_member_t *member)
{
    return member ? &member->health : &pool->health;
}

static const mirror_lifespan_t *lifespan_of(const mirror_pool_t *pool, const mirror_connection_t *c)
{
    return c->member ? &c->member->health.lifespan : &pool->health.lifespan;
}

apr_int64_t mirror_pool_most(const mirror_pool_t *pool)
{
    apr_int64_t streams = mirror_pool_settings_of(pool)->streams, most = streams;
    int i;

    if (!pool->members) {
        return mirror_lifespan_most(&pool->health.lifespan, streams);
    }
    for (i = 0; i < pool->members->count; i++) {
        most = mirror_lifespan_most(&pool->members->list[i]->health.lifespan, most);
    }
    return most;
}

int mirror_pool_has_lifespan(const mirror_pool_t *pool)
{
    int i, n = pool->health.lifespan.copies != 0;

    for (i = 0; pool->members && i < pool->members->count; i++) {
        n |= pool->members->list[i]->health.lifespan.copies != 0;
    }
    return n;
}

int mirror_pool_lives(const mirror_pool_t *pool, const mirror_connection_t *c)
{
    return !mirror_lifespan_is_over(lifespan_of(pool, c), c->started) ||
           (c->resting && mirror_loop_now(pool->send->loop) - c->rested >= MIRROR_LIFESPAN_REST);
}

int mirror_pool_has_room(const mirror_pool_t *pool, const mirror_connection_t *c)
{
    apr_int64_t streams = mirror_pool_settings_of(pool)->streams;

    return !c->yields &&
           mirror_connection_has_room(c, (int)mirror_lifespan_most(lifespan_of(pool, c), streams));
}

/* Return the rings of the connection: those of its server. */
static struct mirror_connection_ring_t *rings_of(mirror_pool_t *pool, const mirror_connection_t *c)
{
    return c->member ? c->member->rings : pool->rings;
}

/* Return the ring of the connection's state. */
static mirror_ring_e ring_of(const mirror_pool_t *pool, const mirror_connection_t *c)
{
    return c->copies == 0                  ? MIRROR_RING_IDLE
           : mirror_pool_has_room(pool, c) ? MIRROR_RING_PARTIAL
                                           : MIRROR_RING_FULL;
}

static mirror_connection_t *first_of(const mirror_pool_t *pool, mirror_ring_e ring)
{
    return APR_RING_EMPTY(&pool->rings[ring], mirror_connection_t, link)
               ? NULL
               : APR_RING_FIRST(&pool->rings[ring]);
}

void mirror_pool_insert(mirror_pool_t *pool, mirror_connection_t *c)
{
    struct mirror_connection_ring_t *rings = rings_of(pool, c);

    c->ring = ring_of(pool, c);
    if (mirror_pool_has_room(pool, c)) {
        APR_RING_INSERT_HEAD(&rings[c->ring], c, mirror_connection_t, link);
    }
    else {
        APR_RING_INSERT_TAIL(&rings[c->ring], c, mirror_connection_t, link);
    }
}

void mirror_pool_move(mirror_pool_t *pool, mirror_connection_t *c)
{
    /* An idle connection may have gained room, or lost it. */
    if (c->ring != (int)ring_of(pool, c) || c->ring == MIRROR_RING_IDLE) {
        APR_RING_REMOVE(c, link);
        mirror_pool_insert(pool, c);
    }
}

static mirror_connection_t *next_of(const mirror_pool_t *pool, const mirror_connection_t *c)
{
    mirror_connection_t *next = APR_RING_NEXT(c, link);

    return next == APR_RING_SENTINEL(&pool->rings[c->ring], mirror_connection_t, link) ? NULL
                                                                                       : next;
}

int mirror_pool_is_fresh(const mirror_pool_t *pool, const mirror_connection_t *c)
{
    return (!c->used || (!c->protocol->batches && c->adopted >= pool->stale)) &&
           mirror_pool_lives(pool, c);
}

mirror_connection_t *mirror_pool_find_room(mirror_pool_t *pool)
{
    int only_again = pool->waiting.count == 0;
    mirror_connection_t *c, *idle, *last = NULL;

    if (pool->members) {
        return mirror_pool_members_find_room(pool);
    }
    c = first_of(pool, MIRROR_RING_PARTIAL);
    while (c && !(only_again ? mirror_pool_is_fresh(pool, c) : mirror_pool_lives(pool, c))) {
        c = next_of(pool, c);
    }
    idle = first_of(pool, MIRROR_RING_IDLE);
    while (!c && idle && mirror_pool_has_room(pool, idle) && !mirror_pool_lives(pool, idle)) {
        last = only_again ? idle : NULL;
        idle = next_of(pool, idle);
    }
    idle = idle ? idle : last; /* it may be closed for another one */
    return c ? c : idle && mirror_pool_has_room(pool, idle) ? idle : NULL;
}

int mirror_pool_count_connections(const mirror_pool_t *pool)
{
    return pool->open - pool->yields + pool->opening - pool->testing;
}

void mirror_pool_yield(mirror_pool_t *pool, mirror_connection_t *c)
{
    c->yields = 1;
    pool->yields++;
    pool->unconfirmed -= !c->confirmed;
    if (c->member) {
        c->member->yields++;
    }
}

void mirror_pool_resume(mirror_pool_t *pool, mirror_connection_t *c)
{
    c->yields = 0;
    pool->yields--;
    if (c->member) {
        c->member->yields--;
    }
}

void mirror_pool_close_connection(mirror_pool_t *pool, mirror_connection_t *c)
{
    pool->yields -= c->yields;
    APR_RING_REMOVE(c, link);
    mirror_address_drop(c->addresses);
    mirror_connection_close(c);
    mirror_pool_count_open(pool, -1);
    if (c->member) {
        c->member->yields -= c->yields;
        mirror_pool_member_count_open(c->member, -1);
    }
    pool->unconfirmed -= !c->confirmed && !c->yields;
    apr_atomic_dec32(&pool->send->child->descriptors);
}

int mirror_pool_count_waiting_idle(const mirror_pool_t *pool)
{
    const struct mirror_connection_ring_t *ring = &pool->rings[MIRROR_RING_IDLE];
    const mirror_connection_t *c = APR_RING_LAST(ring);
    int n = 0;

    if (pool->members) {
        return 0; /* the copies may go to another server */
    }
    while (c != APR_RING_SENTINEL(ring, mirror_connection_t, link) &&
           !mirror_pool_has_room(pool, c)) {
        c = APR_RING_PREV(c, link);
        n++;
    }
    return n;
}

int mirror_pool_close_idle(mirror_pool_t *pool)
{
    if (pool->members) {
        return mirror_pool_members_close_idle(pool);
    }
    if (APR_RING_EMPTY(&pool->rings[MIRROR_RING_IDLE], mirror_connection_t, link)) {
        return 0;
    }
    mirror_pool_close_connection(pool, APR_RING_LAST(&pool->rings[MIRROR_RING_IDLE]));
    return 1;
}

int mirror_pool_has_surplus(const mirror_pool_t *pool, const mirror_connection_t *c)
{
    return pool->open - pool->yields > mirror_pool_settings_of(pool)->max_connections ||
           (c->member && mirror_pool_member_has_surplus(pool, c->member));
}

apr_time_t mirror_pool_idle_since(const mirror_pool_t *pool)
{
    if (pool->members) {
        return mirror_pool_members_idle_since(pool);
    }
    return APR_RING_EMPTY(&pool->rings[MIRROR_RING_IDLE], mirror_connection_t, link)
               ? 0
               : APR_RING_LAST(&pool->rings[MIRROR_RING_IDLE])->rested;
}

void mirror_pool_drop_addresses(mirror_pool_t *pool)
{
    mirror_address_drop(pool->addresses);
    pool->addresses = NULL;
}

void mirror_pool_destroy_connection(mirror_connection_t *c)
{
    mirror_address_drop(c->addresses);
    apr_pool_destroy(c->pool);
}
