/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/pool_members_open.c - which member of a pool gets the next connection; lookups, probes. See
 * send/pool_state.h. Sender thread.
 */
#include "base/clock.h"
#include "send/pool_state.h"
#include "settings/settings.h"
#include "shared/breaker.h"

/* After this time a connection that is still being opened does not count as one that copies wait
 * for. */
#define MIRROR_STALLED apr_time_from_msec(100)
/* While there are copies, a lookup begins in time. After a pause, one that is overdue for this long is
 * waited for, as a connection that is being opened. */
#define MIRROR_OVERDUE apr_time_from_msec(100)

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

/* Return whether the member occupies a helper of those for connects, and may do so for long. */
static int may_hang(const mirror_member_t *member, apr_time_t now)
{
    return member->tasks > 0 && !member->looks_up &&
           (!mirror_pool_member_is_up(member) || now - member->opening_since >= MIRROR_STALLED);
}

/* Return whether a member that is down may be tested. Connecting to it may hang, so one helper of
 * those of the mirror is left to the others, unless there is only one. A lookup takes none of the
 * helpers that are for connects. */
static int may_probe(const mirror_pool_t *pool, const mirror_member_t *member)
{
    const mirror_members_t *members = pool->members;
    const mirror_member_t *other;
    apr_time_t now = mirror_loop_now(pool->send->loop);
    mirror_helpers_kind_e kind = kind_of(member);
    int i, hanging = 0, most = mirror_helpers_share(pool->send->helpers);

    for (i = 0; i < members->count; i++) {
        hanging += may_hang(members->list[i], now);
    }
    for (other = members->leaving; other; other = other->next) {
        hanging += may_hang(other, now);
    }
    return may_start(pool, kind) &&
           (kind == MIRROR_HELPERS_LOOKUP || hanging < (most > 1 ? most - 1 : 1));
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

/* Return whether the member's addresses are to be looked up again. */
static int has_expired(const mirror_pool_t *pool, const mirror_member_t *member)
{
    return member->addresses && member->named &&
           mirror_loop_now(pool->send->loop) - mirror_address_time(member->addresses) >=
               pool->settings->ttl;
}

/* Look at the pool again when the connection that is being opened since then takes long. */
static void watch(mirror_pool_t *pool, apr_time_t since)
{
    mirror_timer_t *timer = &pool->members->stalled;

    if (!timer->ring) {
        mirror_loop_timer_start(pool->send->loop, timer, since, MIRROR_STALLED);
    }
}

/* ---- lookups of the mirror's name ---- */

static void look_up(mirror_pool_t *pool)
{
    mirror_members_t *members = pool->members;
    apr_time_t now = mirror_clock_now();

    if (pool->settings->servers || members->looking_up || pool->pause.ring ||
        (members->count > 0 && now < members->look_up_at) ||
        (mirror_pool_count_waiting(pool) == 0 && pool->open == 0)) {
        return;
    }
    if (!may_start(pool, MIRROR_HELPERS_LOOKUP)) {
        hunger(pool, MIRROR_HELPERS_LOOKUP);
        return;
    }
    members->awaited =
        now - members->look_up_at >= MIRROR_OVERDUE ? mirror_loop_now(pool->send->loop) : 0;
    mirror_pool_start_lookup(pool);
}

void mirror_pool_members_look_up(mirror_pool_t *pool)
{
    int goes_on = !pool->ends && !apr_atomic_read32(pool->send->stopping);

    if (goes_on || pool->members->count == 0) {
        look_up(pool);
    }
}

int mirror_pool_members_await_lookup(mirror_pool_t *pool)
{
    mirror_members_t *members = pool->members;

    if (!members->looking_up || !members->awaited ||
        mirror_loop_now(pool->send->loop) - members->awaited >= MIRROR_STALLED) {
        return 0;
    }
    watch(pool, members->awaited);
    return 1;
}

/* ---- tasks ---- */

/* Open `n` connections. Returns 0 if the pool has to wait for a helper. Expired addresses are used
 * if the lookups of other members take all helpers. */
static int open_to(mirror_pool_t *pool, mirror_member_t *member, int n, int is_probe)
{
    if (has_expired(pool, member) && may_start(pool, MIRROR_HELPERS_LOOKUP)) {
        mirror_address_drop(member->addresses);
        member->addresses = NULL;
    }
    if (!may_start(pool, kind_of(member))) {
        hunger(pool, kind_of(member));
        return 0;
    }
    member->looks_up = mirror_pool_member_needs_lookup(member) != 0;
    if (!mirror_pool_start_task(pool, member, n, is_probe)) {
        return 0;
    }
    member->opening_since = mirror_loop_now(pool->send->loop);
    if (mirror_pool_count_waiting(pool) > 0) { /* those that come later: count_coming() */
        watch(pool, member->opening_since);
    }
    return 1;
}

/* Return whether the mirror's probe, which waits, has the member to try: it has not failed since the
 * probe came, and its connections, which are busy, leave room for one. */
static int is_untried(const mirror_pool_t *pool, const mirror_member_t *member)
{
    return member->tasks == 0 && member->health.failed < pool->members->probed &&
           (member->open == 0 ||
            (mirror_pool_count_connections(pool) < pool->settings->max_connections &&
             member->open < mirror_pool_members_share(pool, member)));
}

/* The mirror is down: its probe tries all members that have not failed since it came. */
static void open_all(mirror_pool_t *pool)
{
    mirror_members_t *members = pool->members;
    int i, waits = 0, lacks = 0;

    for (i = 0; i < members->count && !lacks; i++) {
        mirror_member_t *member = members->list[i];

        if (!is_untried(pool, member)) {
            continue;
        }
        lacks = !mirror_pool_may_test(pool);
        if (!lacks && !open_to(pool, member, 1, 1)) {
            if (pool->pause.ring) {
                return;
            }
            waits = 1; /* others may need another kind of helper */
        }
    }
    if (!waits && pool->opening == 0 && pool->open == 0 && members->looking_up == 0 &&
        members->count > 0) {
        pool->probing = 0;
        mirror_pool_end_waiting(pool, lacks ? MIRROR_OUTCOME_MEMORY_FULL : pool->health.down_as);
    }
}

int mirror_pool_member_comes_soon(const mirror_pool_t *pool, const mirror_member_t *member)
{
    return member->opening > 0 &&
           mirror_loop_now(pool->send->loop) - member->opening_since < MIRROR_STALLED;
}

/* Return how many connections are opened that will probably be there soon. */
static int count_coming(mirror_pool_t *pool)
{
    apr_time_t first = 0;
    int i, coming = pool->unconfirmed;

    for (i = 0; i < pool->members->count; i++) {
        const mirror_member_t *member = pool->members->list[i];

        if (mirror_pool_member_comes_soon(pool, member)) {
            coming += member->opening;
            first = !first || member->opening_since < first ? member->opening_since : first;
        }
    }
    if (first) {
        watch(pool, first);
    }
    return coming;
}

/* Return whether another connection to the member is possible, apart from the budget. `n`: those
 * that it will get. */
static int is_able(const mirror_pool_t *pool, const mirror_member_t *member, int n,
                   const mirror_copy_t *copy)
{
    return mirror_pool_member_is_openable(pool, member) && n < MIRROR_CHAIN_MAX &&
           member->open - member->yields + n < mirror_pool_members_share(pool, member) &&
           (!copy || mirror_pool_members_may_retry(pool, member, copy->avoid));
}

/* Return the members that may get another connection, as a set of bits. If the budget allows none,
 * the pool waits for a helper. */
static unsigned find_able(mirror_pool_t *pool, const int numbers[], const mirror_copy_t *copy)
{
    mirror_members_t *members = pool->members;
    const mirror_member_t *lacking = NULL;
    int i, up = mirror_pool_members_count_up(pool);
    unsigned able = 0;

    for (i = 0; i < members->count; i++) {
        const mirror_member_t *member = members->list[i];

        if ((up && !mirror_pool_member_is_up(member)) || !is_able(pool, member, numbers[i], copy)) {
            continue;
        }
        if (may_start(pool, kind_of(member))) {
            able |= 1u << i;
        }
        else {
            lacking = member;
        }
    }
    if (!able && lacking) {
        hunger(pool, kind_of(lacking));
    }
    return able;
}

/* Divide `n` connections among the members. */
static void divide(mirror_pool_t *pool, int numbers[], int n)
{
    mirror_members_t *members = pool->members;
    mirror_turn_t *turns[MIRROR_SERVERS_MAX];
    const mirror_copy_t *copy = pool->again.first ? pool->again.first : pool->waiting.first;
    unsigned ahead;
    int i;

    for (i = 0; i < members->count; i++) {
        turns[i] = &members->list[i]->opens;
        numbers[i] = 0;
    }
    for (; n > 0; n--) {
        unsigned able = find_able(pool, numbers, copy);

        i = mirror_turns_take(turns, members->count, able, able, &ahead);
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
        if (pool->pause.ring && !members->looking_up) {
            mirror_pool_end_waiting(pool, MIRROR_OUTCOME_MEMORY_FULL);
        }
        return; /* the name is looked up */
    }
    if (mirror_pool_members_await_lookup(pool)) {
        return;
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
        if (numbers[i] > 0 && !open_to(pool, members->list[i], numbers[i], 0) && pool->pause.ring) {
            return;
        }
    }
}

/* ---- beside the copies ---- */

/* Return the member whose test is due for the longest, of those that may be tested; NULL = none. */
static mirror_member_t *next_due(const mirror_pool_t *pool, apr_time_t now)
{
    mirror_member_t *found = NULL;
    apr_time_t first = now + 1;
    int i;

    for (i = 0; i < pool->members->count; i++) {
        mirror_member_t *member = pool->members->list[i];
        apr_time_t since =
            mirror_servers_due_since(member->words, now, mirror_pool_members_pause(pool));

        if (since && since < first && member->tasks == 0 && !mirror_pool_member_is_tested(member) &&
            may_probe(pool, member)) {
            found = member;
            first = since;
        }
    }
    return found;
}

/* Open a connection to a member whose time is over, to test it. They take turns: connecting to some
 * of them may hang. */
static void probe(mirror_pool_t *pool)
{
    apr_time_t now = mirror_clock_now();
    mirror_member_t *member = next_due(pool, now);

    if (member && mirror_pool_may_test(pool) &&
        mirror_servers_take_probe(member->words, now, mirror_pool_members_pause(pool))) {
        open_to(pool, member, 1, 1);
    }
}

/* Return the member that missed its turn and has the most credit, of those that are not in `seen`;
 * -1 = none. */
static int next_missed(const mirror_members_t *members, unsigned seen)
{
    int i, found = -1;

    for (i = 0; i < members->count; i++) {
        if (members->list[i]->missed && !(seen >> i & 1) &&
            (found < 0 || members->list[i]->turn.credit > members->list[found]->turn.credit)) {
            found = i;
        }
    }
    return found;
}

/* Open a connection to a member that missed its turn. Returns 1 if it has to wait until another
 * connection yields (mirror_pool_members_must_yield()). */
static int make_up_one(mirror_pool_t *pool, mirror_member_t *member)
{
    if (!mirror_pool_member_is_up(member) || !mirror_pool_member_is_openable(pool, member) ||
        !may_start(pool, kind_of(member))) {
        return 0;
    }
    if (mirror_pool_count_connections(pool) >= pool->settings->max_connections ||
        !mirror_pool_has_descriptors(pool)) {
        if (member->open > 0) {
            return 0;
        }
        if (!mirror_pool_members_close_idle(pool) && !mirror_pool_let_yield(pool)) {
            return 1;
        }
    }
    if (mirror_pool_may_open_one(pool)) {
        open_to(pool, member, 1, 0);
    }
    return 0;
}

/* Open a connection to each member without one that had no room when its turn came, and to the first
 * one of those that have some. */
static void make_up(mirror_pool_t *pool)
{
    mirror_members_t *members = pool->members;
    unsigned seen = 0;
    int i, more = 0;

    while ((i = next_missed(members, seen)) >= 0) {
        mirror_member_t *member = members->list[i];

        seen |= 1u << i;
        member->missed = (member->open == 0 || more++ == 0) && make_up_one(pool, member);
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
        if (!mirror_pool_member_is_up(member)) {
            mirror_pool_member_close_idle(pool, member);
        }
    }
}

void mirror_pool_members_tend(mirror_pool_t *pool)
{
    if (!pool->ends && !apr_atomic_read32(pool->send->stopping) &&
        !mirror_breaker_is_down(pool->lane, mirror_loop_now(pool->send->loop))) {
        check(pool);
        make_up(pool);
        probe(pool);
    }
    mirror_pool_members_reap(pool);
}
