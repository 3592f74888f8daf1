/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/pool_members_use.c - which member of a pool gets the next copy; the share of each. See
 * send/pool_state.h. Sender thread.
 *
 * A copy goes to the member whose turn it is, if one of its connections has room. Otherwise another
 * member with room takes it, and a connection to the first one is opened beside. If no member has
 * room, the copy waits for whichever is free first.
 */
#include "send/pool_state.h"

/* ---- bounds ---- */

/* Return the sum of the weights of the members that are up, or of all if none is. */
static int weights(const mirror_pool_t *pool)
{
    int i, up = 0, all = 0;

    for (i = 0; i < pool->members->count; i++) {
        const mirror_member_t *member = pool->members->list[i];

        all += member->turn.weight;
        up += mirror_pool_member_is_up(member) ? member->turn.weight : 0;
    }
    return up ? up : all;
}

static int is_on_trial(const mirror_member_t *member)
{
    return apr_atomic_read64((apr_uint64_t *)&member->words->trial) != 0;
}

apr_int64_t mirror_pool_members_share(const mirror_pool_t *pool, const mirror_member_t *member)
{
    return is_on_trial(member) ? 1
                               : mirror_turns_share(pool->settings->max_connections,
                                                    member->turn.weight, weights(pool));
}

/* Return the number of copies that the member may have in flight. */
static apr_int64_t copies_of(const mirror_pool_t *pool, const mirror_member_t *member, int sum)
{
    return is_on_trial(member)
               ? 1
               : mirror_turns_share(pool->settings->max_connections + pool->settings->max_queue,
                                    member->turn.weight, sum);
}

int mirror_pool_member_is_openable(const mirror_pool_t *pool, const mirror_member_t *member)
{
    return member->tasks == 0 &&
           (member->open == 0 || mirror_loop_now(pool->send->loop) >= member->spare_until) &&
           member->open + member->opening - member->yields <
               mirror_pool_members_share(pool, member);
}

int mirror_pool_member_has_surplus(const mirror_pool_t *pool, const mirror_member_t *member)
{
    return member->leaving ||
           member->open - member->yields > mirror_pool_members_share(pool, member);
}

int mirror_pool_members_must_yield(const mirror_pool_t *pool, const mirror_connection_t *c)
{
    int i;

    if ((mirror_pool_count_connections(pool) < pool->settings->max_connections &&
         mirror_pool_has_descriptors(pool)) ||
        mirror_loop_now(pool->send->loop) - c->adopted < MIRROR_TENURE) {
        return 0;
    }
    for (i = 0; i < pool->members->count; i++) {
        const mirror_member_t *member = pool->members->list[i];

        if (member->missed && member->open + member->opening == 0 &&
            mirror_pool_member_is_up(member)) {
            return 1;
        }
    }
    return 0;
}

/* Return whether a connection to the member may be opened now, or will probably be there soon. */
static int is_coming(const mirror_pool_t *pool, const mirror_member_t *member)
{
    return mirror_pool_member_is_up(member) && (mirror_pool_member_comes_soon(pool, member) ||
                                                mirror_pool_member_is_openable(pool, member));
}

int mirror_pool_members_may_come(const mirror_pool_t *pool, const mirror_member_t *without)
{
    int i = 0;

    while (i < pool->members->count &&
           (pool->members->list[i] == without || !is_coming(pool, pool->members->list[i]))) {
        i++;
    }
    return i < pool->members->count;
}

int mirror_pool_members_may_retry(const mirror_pool_t *pool, const mirror_member_t *member,
                                  apr_uint64_t avoid)
{
    return member->key != avoid || !mirror_pool_members_may_come(pool, member);
}

/* ---- idle connections ---- */

/* A connection that tests a server is not idle, except for a pool that ends. */
static mirror_connection_t *longest_idle(const mirror_pool_t *pool)
{
    mirror_connection_t *found = NULL;
    int i;

    for (i = 0; i < pool->members->count; i++) {
        mirror_member_t *member = pool->members->list[i];
        struct mirror_connection_ring_t *ring = &member->rings[MIRROR_RING_IDLE];
        mirror_connection_t *c = APR_RING_LAST(ring);

        while (c != APR_RING_SENTINEL(ring, mirror_connection_t, link) && c->yields &&
               !pool->ends) {
            c = APR_RING_PREV(c, link);
        }
        if (c != APR_RING_SENTINEL(ring, mirror_connection_t, link) &&
            (!found || c->rested < found->rested)) {
            found = c;
        }
    }
    return found;
}

int mirror_pool_members_close_idle(mirror_pool_t *pool)
{
    mirror_connection_t *c = longest_idle(pool);

    if (c) {
        mirror_pool_close_connection(pool, c);
    }
    return c != NULL;
}

apr_time_t mirror_pool_members_idle_since(const mirror_pool_t *pool)
{
    const mirror_connection_t *c = longest_idle(pool);

    return c ? c->rested : 0;
}

/* ---- the next copy ---- */

/* Return whether a copy waits that a fresh connection of the member may take. */
static int has_again(const mirror_pool_t *pool, const mirror_member_t *member)
{
    const mirror_copy_t *copy = pool->again.first;

    while (copy && !mirror_pool_members_may_retry(pool, member, copy->avoid)) {
        copy = copy->next;
    }
    return copy != NULL;
}

static mirror_connection_t *first_of(mirror_member_t *member, mirror_ring_e ring)
{
    return APR_RING_EMPTY(&member->rings[ring], mirror_connection_t, link)
               ? NULL
               : APR_RING_FIRST(&member->rings[ring]);
}

/* Return the first connection of the ring that lives; with `only_fresh` the first fresh one. */
static mirror_connection_t *find_in(const mirror_pool_t *pool, mirror_member_t *member,
                                    mirror_ring_e ring, int only_fresh)
{
    mirror_connection_t *c = first_of(member, ring);

    while (c && !(only_fresh ? mirror_pool_is_fresh(pool, c) : mirror_pool_lives(pool, c))) {
        c = APR_RING_NEXT(c, link);
        c = c == APR_RING_SENTINEL(&member->rings[ring], mirror_connection_t, link) ? NULL : c;
    }
    return c;
}

/* Return a connection of the member that takes the next copy: one with copies first. */
static mirror_connection_t *room_of(const mirror_pool_t *pool, mirror_member_t *member)
{
    int only_again = pool->waiting.count == 0;
    mirror_connection_t *c;

    if (only_again && !has_again(pool, member)) {
        return NULL;
    }
    c = find_in(pool, member, MIRROR_RING_PARTIAL, only_again);
    c = c ? c : find_in(pool, member, MIRROR_RING_IDLE, only_again);
    return c && mirror_pool_has_room(pool, c) ? c : NULL;
}

/* The members as sets of bits, and the connections that have room. */
typedef struct view_t {
    mirror_turn_t *turns[MIRROR_SERVERS_MAX];
    mirror_connection_t *room[MIRROR_SERVERS_MAX];
    unsigned eligible, able;
} view_t;

/* A member takes part if it is up and has room, or may have more connections. */
static void look(view_t *view, mirror_pool_t *pool)
{
    int i, up = mirror_pool_members_count_up(pool), sum = weights(pool);

    view->eligible = view->able = 0;
    for (i = 0; i < pool->members->count; i++) {
        mirror_member_t *member = pool->members->list[i];
        apr_int64_t most = copies_of(pool, member, sum);

        view->turns[i] = &member->turn;
        view->room[i] = NULL;
        if (up && !mirror_pool_member_is_up(member)) {
            continue;
        }
        view->room[i] = member->in_flight < most ? room_of(pool, member) : NULL;
        if (view->room[i]) {
            view->able |= 1u << i;
        }
        if (view->room[i] ||
            (mirror_pool_member_is_openable(pool, member) && member->in_flight < most)) {
            view->eligible |= 1u << i;
        }
    }
}

/* A copy that a server did not process goes to another one if that has room. */
static void avoid(view_t *view, const mirror_pool_t *pool)
{
    const mirror_copy_t *copy = pool->waiting.first;
    int i;

    for (i = 0; copy && copy->avoid && i < pool->members->count; i++) {
        if (pool->members->list[i]->key == copy->avoid && (view->able & ~(1u << i))) {
            view->able &= ~(1u << i);
            view->eligible &= ~(1u << i);
        }
    }
}

mirror_connection_t *mirror_pool_members_find_room(mirror_pool_t *pool)
{
    mirror_members_t *members = pool->members;
    view_t view;
    unsigned ahead;
    int i, n;

    if (mirror_pool_count_waiting(pool) == 0 || mirror_pool_members_await_lookup(pool)) {
        return NULL;
    }
    look(&view, pool);
    avoid(&view, pool);
    i = mirror_turns_take(view.turns, members->count, view.eligible, view.able, &ahead);
    if (i < 0) {
        /* It is closed if the copies that wait for a fresh one find no room for it. */
        return pool->waiting.count == 0 ? longest_idle(pool) : NULL;
    }
    for (n = 0; n < members->count; n++) {
        if (ahead >> n & 1) {
            members->list[n]->missed = 1;
        }
    }
    return view.room[i];
}
