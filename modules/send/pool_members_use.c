/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/pool_members_use.c - which member of a pool gets the next copy, and the next connection. See
 * send/pool_state.h. Sender thread.
 *
 * A copy goes to the member whose turn it is, if one of its connections has room. Otherwise another
 * member with room takes it, and a connection to the first one is opened beside. If no member has
 * room, the copy waits for whichever is free first.
 */
#include "base/clock.h"
#include "send/pool_state.h"
#include "settings/settings.h"
#include "shared/breaker.h"

/* After this time a connection that is still being opened does not count as one that copies wait
 * for. */
#define MIRROR_STALLED apr_time_from_msec(100)

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

/* Return the number of connections that the member may have. */
static apr_int64_t connections_of(const mirror_pool_t *pool, const mirror_member_t *member, int sum)
{
    return is_on_trial(member)
               ? 1
               : mirror_turns_share(pool->settings->max_connections, member->turn.weight, sum);
}

/* Return the number of copies that the member may have in flight. */
static apr_int64_t copies_of(const mirror_pool_t *pool, const mirror_member_t *member, int sum)
{
    return is_on_trial(member)
               ? 1
               : mirror_turns_share(pool->settings->max_connections + pool->settings->max_queue,
                                    member->turn.weight, sum);
}

/* Return whether a task for the member may be started, apart from the budget. */
static int is_openable(const mirror_pool_t *pool, const mirror_member_t *member)
{
    return member->tasks == 0 &&
           (member->open == 0 || mirror_loop_now(pool->send->loop) >= member->spare_until) &&
           member->open + member->opening < connections_of(pool, member, weights(pool));
}

int mirror_pool_members_have_surplus(const mirror_pool_t *pool, const mirror_connection_t *c)
{
    const mirror_member_t *member = c->member;

    return member->leaving || member->open > connections_of(pool, member, weights(pool));
}

/* Return whether a connection to the member may be opened now, or is being opened. */
static int is_coming(const mirror_pool_t *pool, const mirror_member_t *member)
{
    return mirror_pool_member_is_up(member) && (member->opening > 0 || is_openable(pool, member));
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

static mirror_connection_t *longest_idle(const mirror_pool_t *pool)
{
    mirror_connection_t *found = NULL;
    int i;

    for (i = 0; i < pool->members->count; i++) {
        mirror_member_t *member = pool->members->list[i];
        struct mirror_connection_ring_t *ring = &member->rings[MIRROR_RING_IDLE];

        if (!APR_RING_EMPTY(ring, mirror_connection_t, link) &&
            (!found || APR_RING_LAST(ring)->rested < found->rested)) {
            found = APR_RING_LAST(ring);
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
        if (view->room[i] || (is_openable(pool, member) && member->in_flight < most)) {
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
    int i, due;

    if (mirror_pool_count_waiting(pool) == 0) {
        return NULL;
    }
    look(&view, pool);
    avoid(&view, pool);
    i = mirror_turns_take(view.turns, members->count, view.eligible, view.able, &due);
    if (i < 0) {
        /* It is closed if the copies that wait for a fresh one find no room for it. */
        return pool->waiting.count == 0 ? longest_idle(pool) : NULL;
    }
    if (due != i) {
        members->list[due]->missed = 1;
    }
    return view.room[i];
}

/* ---- the next connection ---- */

static mirror_helpers_kind_e kind_of(const mirror_member_t *member)
{
    return mirror_pool_member_needs_lookup(member) ? MIRROR_HELPERS_LOOKUP : MIRROR_HELPERS_CONNECT;
}

/* Return whether the budget allows a task. */
static int may_start(const mirror_pool_t *pool, mirror_helpers_kind_e kind)
{
    int lookups = pool->members->lookups;

    return mirror_helpers_may(pool->send->helpers, kind,
                              kind == MIRROR_HELPERS_LOOKUP ? lookups : pool->tasks - lookups);
}

int mirror_pool_members_may_start(const mirror_pool_t *pool)
{
    return may_start(pool, pool->members->hungers_for);
}

static void hunger(mirror_pool_t *pool, mirror_helpers_kind_e kind)
{
    pool->members->hungers_for = kind;
    mirror_pool_begin_hunger(pool);
}

int mirror_pool_member_needs_lookup(const mirror_member_t *member)
{
    return !member->addresses && member->named;
}

/* Open `n` connections. Returns 0 if the pool has to wait for a helper. */
static int open_to(mirror_pool_t *pool, mirror_member_t *member, int n, int is_probe)
{
    if (member->addresses && member->named &&
        mirror_loop_now(pool->send->loop) - mirror_address_time(member->addresses) >=
            pool->settings->ttl) {
        mirror_address_drop(member->addresses);
        member->addresses = NULL;
    }
    if (!may_start(pool, kind_of(member))) {
        hunger(pool, kind_of(member));
        return 0;
    }
    member->opening_since = mirror_loop_now(pool->send->loop);
    return mirror_pool_start_task(pool, member, n, is_probe);
}

/* The mirror is down: its probe tries all members that have not failed since it came. */
static void open_all(mirror_pool_t *pool)
{
    mirror_members_t *members = pool->members;
    int i;

    for (i = 0; i < members->count; i++) {
        mirror_member_t *member = members->list[i];

        if (member->tasks == 0 && member->open == 0 && member->health.failed < members->probed &&
            !open_to(pool, member, 1, 1)) {
            return;
        }
    }
    if (pool->opening == 0 && pool->open == 0 && members->looking_up == 0 && members->count > 0) {
        pool->probing = 0;
        mirror_pool_end_waiting(pool, pool->health.down_as);
    }
}

/* Return how many connections are opened that will probably be there soon. */
static int count_coming(mirror_pool_t *pool)
{
    apr_time_t now = mirror_loop_now(pool->send->loop), first = 0;
    int i, coming = pool->unconfirmed;

    for (i = 0; i < pool->members->count; i++) {
        const mirror_member_t *member = pool->members->list[i];

        if (member->opening > 0 && now - member->opening_since < MIRROR_STALLED) {
            coming += member->opening;
            first = !first || member->opening_since < first ? member->opening_since : first;
        }
    }
    if (first && !pool->members->stalled.ring) {
        mirror_loop_timer_start(pool->send->loop, &pool->members->stalled, first, MIRROR_STALLED);
    }
    return coming;
}

/* Divide `n` connections among the members. */
static void divide(mirror_pool_t *pool, int numbers[], int n)
{
    mirror_members_t *members = pool->members;
    mirror_turn_t *turns[MIRROR_SERVERS_MAX];
    const mirror_copy_t *copy = pool->again.first ? pool->again.first : pool->waiting.first;
    int i, due, up = mirror_pool_members_count_up(pool), sum = weights(pool);

    for (i = 0; i < members->count; i++) {
        turns[i] = &members->list[i]->opens;
        numbers[i] = 0;
    }
    for (; n > 0; n--) {
        unsigned able = 0;

        for (i = 0; i < members->count; i++) {
            mirror_member_t *member = members->list[i];

            if ((!up || mirror_pool_member_is_up(member)) && is_openable(pool, member) &&
                numbers[i] < MIRROR_CHAIN_MAX &&
                member->open + numbers[i] < connections_of(pool, member, sum) &&
                (!copy || mirror_pool_members_may_retry(pool, member, copy->avoid))) {
                able |= 1u << i;
            }
        }
        i = mirror_turns_take(turns, members->count, able, able, &due);
        if (i < 0) {
            return;
        }
        numbers[i]++;
        copy = NULL; /* only the first connection is for that copy */
    }
}

void mirror_pool_members_open_missing(mirror_pool_t *pool)
{
    mirror_members_t *members = pool->members;
    int is_down = mirror_breaker_is_down(pool->lane, mirror_loop_now(pool->send->loop));
    int numbers[MIRROR_SERVERS_MAX], i, n;

    if (members->count == 0) {
        return; /* the name is looked up */
    }
    if (is_down && !pool->ends) {
        if (pool->probing) {
            open_all(pool);
        }
        return;
    }
    n = pool->pause.ring ? 0 : mirror_pool_count_missing(pool, count_coming(pool));
    if (n == 0 && pool->open + pool->opening == 0) {
        mirror_pool_end_waiting(pool, MIRROR_OUTCOME_MEMORY_FULL);
        return;
    }
    divide(pool, numbers, n);
    for (i = 0; i < members->count; i++) {
        if (numbers[i] > 0 && !open_to(pool, members->list[i], numbers[i], 0)) {
            return;
        }
    }
}

/* ---- beside the copies ---- */

static void look_up(mirror_pool_t *pool)
{
    mirror_members_t *members = pool->members;

    if (pool->settings->servers || members->looking_up ||
        (members->count > 0 && mirror_clock_now() < members->look_up_at) ||
        (mirror_pool_count_waiting(pool) == 0 && pool->open == 0)) {
        return;
    }
    if (!may_start(pool, MIRROR_HELPERS_LOOKUP)) {
        hunger(pool, MIRROR_HELPERS_LOOKUP);
        return;
    }
    mirror_pool_start_lookup(pool);
}

/* Open a connection to each member whose time is over, to test it. One at a time: its server may
 * not respond. */
static void probe(mirror_pool_t *pool)
{
    mirror_members_t *members = pool->members;
    apr_time_t now = mirror_clock_now();
    int i;

    for (i = 0; i < members->count; i++) {
        mirror_member_t *member = members->list[i];

        if (!mirror_pool_member_is_up(member) && member->tasks == 0 &&
            may_start(pool, kind_of(member)) &&
            mirror_servers_take_probe(member->words, now, pool->settings->retry)) {
            open_to(pool, member, 1, 1);
            return;
        }
    }
}

/* Open a connection to each member that had no room when its turn came. */
static void make_up(mirror_pool_t *pool)
{
    mirror_members_t *members = pool->members;
    int i;

    for (i = 0; i < members->count; i++) {
        mirror_member_t *member = members->list[i];

        if (!member->missed) {
            continue;
        }
        member->missed = 0;
        if (!mirror_pool_member_is_up(member) || !is_openable(pool, member) ||
            !may_start(pool, kind_of(member))) {
            continue;
        }
        if (pool->open + pool->opening >= pool->settings->max_connections &&
            (member->open > 0 || !mirror_pool_members_close_idle(pool))) {
            continue;
        }
        if (mirror_pool_may_open_one(pool)) {
            open_to(pool, member, 1, 0);
        }
    }
}

/* Members that are out keep no idle connections. Places that another process has taken are claimed
 * again. */
static void check(mirror_pool_t *pool)
{
    int i;

    for (i = 0; i < pool->members->count; i++) {
        mirror_member_t *member = pool->members->list[i];

        mirror_pool_member_check_place(pool, member);
        while (!mirror_pool_member_is_up(member) && first_of(member, MIRROR_RING_IDLE)) {
            mirror_pool_close_connection(pool, first_of(member, MIRROR_RING_IDLE));
        }
    }
}

void mirror_pool_members_tend(mirror_pool_t *pool)
{
    if (!pool->ends && !apr_atomic_read32(pool->send->stopping)) {
        look_up(pool);
        if (!mirror_breaker_is_down(pool->lane, mirror_loop_now(pool->send->loop))) {
            check(pool);
            make_up(pool);
            probe(pool);
        }
    }
    else if (pool->members->count == 0) {
        look_up(pool);
    }
    mirror_pool_members_reap(pool);
}
