/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/pool_copies.c - the copies of a pool: waiting lists, batches, ends. See send/pool.h.
 * Sender thread.
 *
 * A waiting copy is in one of two lists. Copies in `waiting` were not sent yet and may use any
 * connection. Copies in `again` are retried (send/retry.h), on a connection without a previous
 * response. A probe is first in its list: while the mirror is down, connections are opened only for
 * the probe, and its result applies to all copies.
 */
#include "send/pool_state.h"
#include "send/retry.h"
#include "settings/settings.h"
#include "shared/breaker.h"

/* ---- lists ---- */

static void add(mirror_pool_t *pool, mirror_list_t *list, mirror_copy_t *copy)
{
    if (copy->probe) {
        mirror_list_add_first(list, copy);
    }
    else {
        mirror_list_add(list, copy);
    }
    pool->send->waiting++;
}

static mirror_copy_t *take(mirror_pool_t *pool, mirror_list_t *list)
{
    mirror_copy_t *copy = mirror_list_take(list);

    pool->send->waiting -= copy != NULL;
    return copy;
}

void mirror_pool_init_copies(mirror_pool_t *pool)
{
    mirror_list_init(&pool->waiting);
    mirror_list_init(&pool->again);
}

void mirror_pool_add(mirror_pool_t *pool, mirror_copy_t *copy)
{
    add(pool, &pool->waiting, copy);
}

void mirror_pool_add_again(mirror_pool_t *pool, mirror_copy_t *copy)
{
    copy->retried = 1;
    pool->stale = mirror_loop_now(pool->send->loop);
    add(pool, &pool->again, copy);
}

void mirror_pool_add_unprocessed(mirror_pool_t *pool, mirror_copy_t *copy)
{
    copy->retried = 1;
    mirror_list_add_first(&pool->waiting, copy);
    pool->send->waiting++;
}

int mirror_pool_count_waiting(const mirror_pool_t *pool)
{
    return pool->waiting.count + pool->again.count;
}

apr_int64_t mirror_pool_count_again(const mirror_pool_t *pool)
{
    apr_int64_t per = pool->settings->target.http2 ? mirror_pool_most(pool) : 1;

    return (pool->again.count + per - 1) / per;
}

/* ---- batches ---- */

/* Return whether an unsent probe waits. */
static int has_probe(const mirror_pool_t *pool)
{
    return pool->waiting.first && pool->waiting.first->probe;
}

/* Remove the next copy to retry on a connection to `member`; NULL = none. */
static mirror_copy_t *take_retry(mirror_pool_t *pool, const mirror_member_t *member)
{
    mirror_copy_t **place = &pool->again.first;

    while (member && *place && !mirror_pool_members_may_retry(pool, member, (*place)->avoid)) {
        place = &(*place)->next;
    }
    if (!*place) {
        return NULL;
    }
    pool->send->waiting--;
    return mirror_list_take_at(&pool->again, place);
}

/* Return the next copy to retry; NULL = none. Copies without remaining time end. */
static mirror_copy_t *take_again(mirror_pool_t *pool, const mirror_connection_t *c)
{
    apr_time_t now = mirror_loop_now(pool->send->loop);
    mirror_copy_t *copy;

    while ((copy = take_retry(pool, c->member)) && !mirror_retry_has_time(copy, now)) {
        mirror_pool_end_copy(pool, copy, MIRROR_OUTCOME_TIMED_OUT);
    }
    return copy;
}

mirror_copy_t *mirror_pool_take_batch(mirror_pool_t *pool, const mirror_connection_t *c)
{
    mirror_copy_t *batch =
        !mirror_pool_is_fresh(pool, c) || has_probe(pool) ? NULL : take_again(pool, c);
    mirror_copy_t *last;
    apr_int64_t more;

    if (!batch && mirror_pool_lives(pool, c)) {
        batch = take(pool, &pool->waiting);
    }
    if (!batch || !c->used || !c->protocol->batches || !mirror_retry_may_pipeline(batch)) {
        return batch;
    }
    for (last = batch, more = batch->settings->pipeline - 1; more > 0; more--, last = last->next) {
        if (!pool->waiting.first || !mirror_retry_may_pipeline(pool->waiting.first) ||
            pool->waiting.first->settings != batch->settings) {
            break;
        }
        last->next = take(pool, &pool->waiting);
    }
    return batch;
}

/* ---- ends ---- */

void mirror_pool_end_copy(mirror_pool_t *pool, mirror_copy_t *copy, mirror_outcome_e outcome)
{
    pool->send->copies--;
    if (copy->probe) {
        pool->probing = 0; /* with any result */
    }
    mirror_copy_end(copy, outcome);
}

void mirror_pool_end_batch(mirror_pool_t *pool, mirror_copy_t *batch, mirror_outcome_e outcome)
{
    mirror_copy_t *next;

    for (; batch; batch = next) {
        next = batch->next;
        mirror_pool_end_copy(pool, batch, outcome);
    }
}

void mirror_pool_strand(mirror_pool_t *pool, mirror_copy_t *batch, mirror_connection_end_e how)
{
    mirror_copy_t *next;

    if (!mirror_retry_pipelined(how)) {
        mirror_pool_end_batch(pool, batch, MIRROR_OUTCOME_TIMED_OUT);
        return;
    }
    for (; batch; batch = next) {
        next = batch->next;
        mirror_pool_add_again(pool, batch);
    }
}

void mirror_pool_end_waiting(mirror_pool_t *pool, mirror_outcome_e outcome)
{
    mirror_copy_t *copy;

    if (outcome == MIRROR_OUTCOME_UNREACHABLE || outcome == MIRROR_OUTCOME_TLS_FAILED) {
        mirror_breaker_dropped(pool->lane, (apr_uint64_t)mirror_pool_count_waiting(pool));
    }
    else if (outcome == MIRROR_OUTCOME_MEMORY_FULL) {
        apr_atomic_add32(&pool->send->child->refused,
                         (apr_uint32_t)mirror_pool_count_waiting(pool));
    }
    while ((copy = take(pool, &pool->again)) || (copy = take(pool, &pool->waiting))) {
        if (outcome == MIRROR_OUTCOME_MEMORY_FULL) {
            copy->why = MIRROR_WHY_RESOURCES;
        }
        else if (outcome == MIRROR_OUTCOME_UNREACHABLE || outcome == MIRROR_OUTCOME_TLS_FAILED) {
            copy->why = (int)pool->why;
            copy->why_rv = pool->why_rv;
        }
        mirror_pool_end_copy(pool, copy, outcome);
    }
}
