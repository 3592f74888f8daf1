/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/queue.h - the meeting place of threads: many push, one takes all.
 *
 * A linked stack whose head is exchanged atomically; the taker turns it round, so that the first
 * pushed comes out first. No lock, so a push never waits, and none is left held by a thread that
 * ends. It is not bounded itself: what is pushed was admitted before (mirror_copy_create).
 *
 * Waking costs more than pushing, so a busy taker is not woken: it says when it sleeps
 * (mirror_queue_sleep), and only the first push after that calls `wake`. A taker that has not been
 * started counts as asleep.
 */
#ifndef MIRROR_BASE_QUEUE_H
#define MIRROR_BASE_QUEUE_H

#include <apr_errno.h>
#include <apr_pools.h>

typedef struct mirror_queue_t mirror_queue_t;
typedef struct mirror_queue_item_t mirror_queue_item_t;

/* Part of what is pushed; the queue's from push to take. */
struct mirror_queue_item_t {
    mirror_queue_item_t *next;
};

/* startup: `wake(baton)` is called on a pushing thread, at most once for each sleep. If it returns
 * 0, the taker could not be woken, and the next push calls it again. Lives in `pool`. */
mirror_queue_t *mirror_queue_create(apr_pool_t *pool, int (*wake)(void *baton), void *baton);

/* any thread: give `item` to the taker. */
void mirror_queue_push(mirror_queue_t *queue, mirror_queue_item_t *item);

/* any thread: wake the taker if it sleeps, without anything new in the queue. */
void mirror_queue_wake(mirror_queue_t *queue);

/* taker: all items, the first pushed first, linked by `next`; NULL if there are none. */
mirror_queue_item_t *mirror_queue_take(mirror_queue_t *queue);

/* taker: whether there is anything to take. */
int mirror_queue_is_empty(mirror_queue_t *queue);

/* taker: say that it is about to sleep. Returns 0 if something was pushed meanwhile: then it must
 * not. */
int mirror_queue_sleep(mirror_queue_t *queue);

/* taker: it is up again. */
void mirror_queue_awake(mirror_queue_t *queue);

#endif
