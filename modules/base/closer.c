/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/closer.c - closing large files. See base/closer.h.
 *
 * The queue is asleep while no thread runs, so the push that wakes it starts a thread. If an item
 * is pushed while the first thread is about to end, two threads may run for a moment. Each thread
 * closes the items that it takes.
 */
#include <apr_atomic.h>
#include <pthread.h>
#include <signal.h>

#include "base/closer.h"

struct mirror_closer_t {
    mirror_queue_t *queue;
    void (*close)(mirror_queue_item_t *item);
    apr_uint32_t has_run; /* atomic */
};

static void close_all(mirror_closer_t *closer)
{
    mirror_queue_item_t *item, *next;

    do {
        for (item = mirror_queue_take(closer->queue); item; item = next) {
            next = item->next;
            closer->close(item);
        }
    } while (!mirror_queue_sleep(closer->queue));
}

static void *closer_main(void *closer)
{
#ifdef __linux__
    pthread_setname_np(pthread_self(), "mirror-closer");
#endif
    close_all(closer);
    return NULL;
}

/* The queue's `wake`. apr_thread_create() would leak pool memory with each thread. The thread
 * blocks all signals. If no thread can be started, the files are closed here. */
static int start(void *baton)
{
    mirror_closer_t *closer = baton;
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    int error;

    apr_atomic_set32(&closer->has_run, 1);
    error = pthread_attr_init(&attributes);
    if (!error) {
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        error = pthread_create(&thread, &attributes, closer_main, closer);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        pthread_attr_destroy(&attributes);
    }
    if (error) {
        close_all(closer);
    }
    return 1;
}

mirror_closer_t *mirror_closer_create(apr_pool_t *pool, void (*close)(mirror_queue_item_t *item))
{
    mirror_closer_t *closer = apr_pcalloc(pool, sizeof(*closer));

    closer->queue = mirror_queue_create(pool, start, closer);
    closer->close = close;
    return closer;
}

void mirror_closer_push(mirror_closer_t *closer, mirror_queue_item_t *item)
{
    mirror_queue_push(closer->queue, item);
}

int mirror_closer_has_run(mirror_closer_t *closer)
{
    return apr_atomic_read32(&closer->has_run) != 0;
}
