/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/queue.c - many producers, one consumer. See base/queue.h.
 *
 * Push and sleep each write one word and then read the other's word: push links its item and then
 * reads `asleep`; the consumer sets `asleep` and then reads `head`. Both writes are full barriers,
 * so at least one of the two sees the other's write.
 */
#include <apr_atomic.h>

#include "base/queue.h"

struct mirror_queue_t {
    void *head; /* atomic: the item pushed last */
    /* atomic: 1 from mirror_queue_sleep() to the wake or mirror_queue_awake() */
    apr_uint32_t asleep;
    int (*wake)(void *baton);
    void *baton;
};

/* The qualifiers of APR's atomic pointers differ between its versions; a void pointer fits all. */
static void *swap_head_if(mirror_queue_t *queue, void *with, const void *expected)
{
    return apr_atomic_casptr((void *)&queue->head, with, expected);
}

mirror_queue_t *mirror_queue_create(apr_pool_t *pool, int (*wake)(void *baton), void *baton)
{
    mirror_queue_t *queue = apr_pcalloc(pool, sizeof(*queue));

    queue->asleep = 1;
    queue->wake = wake;
    queue->baton = baton;
    return queue;
}

void mirror_queue_push(mirror_queue_t *queue, mirror_queue_item_t *item)
{
    void *seen = swap_head_if(queue, NULL, NULL);
    void *was;

    for (;;) {
        item->next = seen;
        was = swap_head_if(queue, item, seen);
        if (was == seen) {
            break;
        }
        seen = was;
    }
    mirror_queue_wake(queue);
}

void mirror_queue_wake(mirror_queue_t *queue)
{
    if (apr_atomic_read32(&queue->asleep) && apr_atomic_cas32(&queue->asleep, 0, 1) == 1) {
        if (!queue->wake(queue->baton)) {
            /* even if items are queued, unlike mirror_queue_sleep() */
            apr_atomic_xchg32(&queue->asleep, 1);
        }
    }
}

mirror_queue_item_t *mirror_queue_take(mirror_queue_t *queue)
{
    mirror_queue_item_t *item, *next, *turned = NULL;

    if (mirror_queue_is_empty(queue)) {
        return NULL;
    }
    for (item = apr_atomic_xchgptr((void *)&queue->head, NULL); item; item = next) {
        next = item->next;
        item->next = turned;
        turned = item;
    }
    return turned;
}

int mirror_queue_is_empty(mirror_queue_t *queue)
{
    return swap_head_if(queue, NULL, NULL) == NULL;
}

int mirror_queue_sleep(mirror_queue_t *queue)
{
    apr_atomic_xchg32(&queue->asleep, 1);
    if (mirror_queue_is_empty(queue)) {
        return 1;
    }
    mirror_queue_awake(queue);
    return 0;
}

void mirror_queue_awake(mirror_queue_t *queue)
{
    apr_atomic_xchg32(&queue->asleep, 0);
}
