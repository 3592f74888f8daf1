/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/queue.h - a queue between threads: many producers, one consumer that takes all items.
 *
 * The queue is a linked stack with an atomic head. The consumer reverses the stack, so items come
 * out in the order of pushing. The queue has no lock: a push never blocks, and an ending thread
 * leaves no lock held. The queue has no bound of its own: items are admitted before they are pushed
 * (mirror_copy_create).
 *
 * A wakeup costs more than a push, so a push does not wake a busy consumer. The consumer announces
 * its sleep (mirror_queue_sleep), and only the first push after that calls `wake`. A consumer that
 * was not started yet counts as asleep.
 */
#ifndef MIRROR_BASE_QUEUE_H
#define MIRROR_BASE_QUEUE_H

#include <apr_errno.h>
#include <apr_pools.h>

typedef struct mirror_queue_t mirror_queue_t;
typedef struct mirror_queue_item_t mirror_queue_item_t;

/* A member of the pushed structure. The queue owns the item from push to take. */
struct mirror_queue_item_t {
    mirror_queue_item_t *next;
};

/* Create a queue in `pool`. Startup. `wake(baton)` runs on a pushing thread, at most once per
 * sleep. If `wake` returns 0, the consumer could not be woken, and the next push calls `wake`
 * again. */
mirror_queue_t *mirror_queue_create(apr_pool_t *pool, int (*wake)(void *baton), void *baton);

/* Push `item`. Any thread. */
void mirror_queue_push(mirror_queue_t *queue, mirror_queue_item_t *item);

/* Wake the consumer if it is asleep, without a push. Any thread. */
void mirror_queue_wake(mirror_queue_t *queue);

/* Return all items in the order of pushing, linked by `next`; NULL if there are none. Consumer
 * only. */
mirror_queue_item_t *mirror_queue_take(mirror_queue_t *queue);

/* Return whether the queue is empty. Consumer only. */
int mirror_queue_is_empty(mirror_queue_t *queue);

/* Announce that the consumer is about to sleep. Returns 0 if an item was pushed in the meantime;
 * the consumer must then not sleep. Consumer only. */
int mirror_queue_sleep(mirror_queue_t *queue);

/* Announce that the consumer is awake. Consumer only. */
void mirror_queue_awake(mirror_queue_t *queue);

#endif
