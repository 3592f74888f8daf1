/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/helpers.c - threads for blocking tasks. See base/helpers.h.
 *
 * Threads are created by pthread_create, not apr_thread_create: APR allocates pool memory for each
 * thread, and leaks 8 KiB with each thread that cannot be started. Condition variables wait by
 * CLOCK_MONOTONIC; those of APR do not.
 *
 * A helper is either idle (on the stack `idle`, without a task) or busy. A helper with `task` set
 * was given a task and is already off the stack, so the next push takes another helper or starts
 * one. The stack returns the helper that became idle last, so superfluous helpers reach their idle
 * timeout.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/helpers.h"

/* Seconds of idle time after which a helper ends. */
#define MIRROR_IDLE 3
/* Helpers reserved for lookups and connects from Redis queries, and vice versa. */
#define MIRROR_HELPERS_LEFT 2

typedef struct helper_t helper_t;

struct helper_t {
    mirror_helpers_t *helpers;
    pthread_t thread;
    pthread_cond_t wake;         /* signals a given task, or `ending` */
    mirror_helpers_task_t *task; /* given and not started; NULL = none */
    helper_t *next;              /* of `idle` */
};

typedef struct queue_t {
    mirror_helpers_task_t *first;
    mirror_helpers_task_t **end;
} queue_t;

struct mirror_helpers_t {
    int max;
    int pending[MIRROR_HELPERS_KINDS]; /* sender: number of pending tasks */

    pthread_mutex_t mutex; /* guards the following members and helper_t */
    pthread_cond_t ended;  /* signals a changed number of threads, while `ending` */
    pthread_condattr_t monotonic;
    queue_t urgent, normal;
    helper_t *idle; /* top of the stack: the helper that became idle last */
    helper_t *last; /* ended, to be joined; NULL = none */
    int threads;    /* number of helpers that have not ended */
    int ending;
};

/* ---- tasks ---- */

static void add_task(queue_t *queue, mirror_helpers_task_t *task)
{
    task->next = NULL;
    *queue->end = task;
    queue->end = &task->next;
}

static mirror_helpers_task_t *take_task(queue_t *queue)
{
    mirror_helpers_task_t *task = queue->first;

    if (task) {
        queue->first = task->next;
        if (!queue->first) {
            queue->end = &queue->first;
        }
    }
    return task;
}

static mirror_helpers_task_t *take_any(mirror_helpers_t *helpers)
{
    mirror_helpers_task_t *task = helpers->ending ? NULL : take_task(&helpers->urgent);

    return task || helpers->ending ? task : take_task(&helpers->normal);
}

/* ---- helper threads; they hold the mutex unless stated otherwise ---- */

static void leave_idle(helper_t *self)
{
    helper_t **link = &self->helpers->idle;

    while (*link != self) {
        link = &(*link)->next;
    }
    *link = self->next;
}

/* Wait until a task is given, the idle time is over, or `ending` is set. */
static void stay_idle(helper_t *self)
{
    mirror_helpers_t *helpers = self->helpers;
    struct timespec until;
    int rv = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += MIRROR_IDLE;
    self->next = helpers->idle;
    helpers->idle = self;
    while (!self->task && !helpers->ending && rv != ETIMEDOUT) {
        rv = pthread_cond_timedwait(&self->wake, &helpers->mutex, &until);
    }
    if (!self->task) {
        leave_idle(self);
    }
}

/* Join an ended helper and free it. Call it without the mutex. */
static void join(helper_t *helper)
{
    if (helper) {
        pthread_join(helper->thread, NULL);
        pthread_cond_destroy(&helper->wake);
        free(helper);
    }
}

/* Release the mutex. From then on this helper may be joined, so it only joins its predecessor. */
static void end_self(helper_t *self)
{
    mirror_helpers_t *helpers = self->helpers;
    helper_t *before = helpers->last;

    helpers->last = self;
    helpers->threads--;
    if (helpers->ending) {
        pthread_cond_signal(&helpers->ended);
    }
    pthread_mutex_unlock(&helpers->mutex);
    join(before);
}

/* The main function of a helper. Called without the mutex. */
static void *run_helper(void *baton)
{
    helper_t *self = baton;
    mirror_helpers_t *helpers = self->helpers;

#ifdef __linux__
    pthread_setname_np(pthread_self(), "mirror-helper");
#endif
    pthread_mutex_lock(&helpers->mutex);
    for (;;) {
        mirror_helpers_task_t *task = take_any(helpers), begun;

        if (!task && !helpers->ending) {
            stay_idle(self);
        }
        task = task ? task : self->task;
        if (!task) {
            break;
        }
        begun = *task;
        self->task = NULL;
        pthread_mutex_unlock(&helpers->mutex);
        begun.run(begun.baton);
        pthread_mutex_lock(&helpers->mutex);
    }
    end_self(self);
    return NULL;
}

/* ---- the budget: sender thread ---- */

int mirror_helpers_pending(const mirror_helpers_t *helpers)
{
    return helpers->pending[MIRROR_HELPERS_CONNECT] + helpers->pending[MIRROR_HELPERS_LOOKUP] +
           helpers->pending[MIRROR_HELPERS_QUERY];
}

int mirror_helpers_share(const mirror_helpers_t *helpers)
{
    return helpers->max / 4 > 1 ? helpers->max / 4 : 1;
}

int mirror_helpers_may(const mirror_helpers_t *helpers, mirror_helpers_kind_e kind, int own)
{
    int usable = helpers->max - MIRROR_HELPERS_LEFT; /* limit for Redis queries, and for connects */
    int share = mirror_helpers_share(helpers);
    int lookups = helpers->pending[MIRROR_HELPERS_LOOKUP];
    int connecting = helpers->pending[MIRROR_HELPERS_CONNECT] + lookups;

    if (mirror_helpers_pending(helpers) >= helpers->max) {
        return 0;
    }
    switch (kind) {
    case MIRROR_HELPERS_QUERY:
        return helpers->pending[MIRROR_HELPERS_QUERY] < usable;
    case MIRROR_HELPERS_LOOKUP:
        return own < share && lookups < (usable + 1) / 2 && connecting < usable;
    default:
        return own < share && connecting < usable;
    }
}

/* ---- tasks: sender thread ---- */

/* Start a helper. The caller holds the mutex; the new helper waits for it and takes the first
 * task. */
static apr_status_t start_helper(mirror_helpers_t *helpers)
{
    helper_t *helper = calloc(1, sizeof(*helper));
    int rv;

    if (!helper) {
        return APR_ENOMEM;
    }
    helper->helpers = helpers;
    rv = pthread_cond_init(&helper->wake, &helpers->monotonic);
    if (rv == 0) {
        rv = pthread_create(&helper->thread, NULL, run_helper, helper);
        if (rv == 0) {
            helpers->threads++;
            return APR_SUCCESS;
        }
        pthread_cond_destroy(&helper->wake);
    }
    free(helper);
    return rv;
}

apr_status_t mirror_helpers_push(mirror_helpers_t *helpers, mirror_helpers_task_t *task,
                                 mirror_helpers_kind_e kind)
{
    apr_status_t rv = APR_SUCCESS;

    pthread_mutex_lock(&helpers->mutex);
    if (helpers->idle) {
        helper_t *helper = helpers->idle;

        helpers->idle = helper->next;
        helper->task = task;
        pthread_cond_signal(&helper->wake);
    }
    else {
        if (helpers->threads < helpers->max) {
            rv = start_helper(helpers);
        }
        /* if no helper was started, a running one takes the task later */
        if (helpers->threads > 0) {
            rv = APR_SUCCESS;
            add_task(kind == MIRROR_HELPERS_QUERY ? &helpers->urgent : &helpers->normal, task);
        }
    }
    pthread_mutex_unlock(&helpers->mutex);
    helpers->pending[kind] += rv == APR_SUCCESS;
    return rv;
}

void mirror_helpers_done(mirror_helpers_t *helpers, mirror_helpers_kind_e kind)
{
    helpers->pending[kind]--;
}

void mirror_helpers_retry(mirror_helpers_t *helpers)
{
    pthread_mutex_lock(&helpers->mutex);
    if ((helpers->urgent.first || helpers->normal.first) && helpers->threads < helpers->max) {
        start_helper(helpers);
    }
    pthread_mutex_unlock(&helpers->mutex);
}

/* ---- start and end ---- */

apr_status_t mirror_helpers_create(mirror_helpers_t **out, int max, apr_pool_t *pool)
{
    mirror_helpers_t *helpers = apr_pcalloc(pool, sizeof(*helpers));
    int rv = pthread_condattr_init(&helpers->monotonic);

    *out = helpers;
    helpers->max = max;
    helpers->urgent.end = &helpers->urgent.first;
    helpers->normal.end = &helpers->normal.first;
    rv = rv == 0 ? pthread_condattr_setclock(&helpers->monotonic, CLOCK_MONOTONIC) : rv;
    rv = rv == 0 ? pthread_cond_init(&helpers->ended, &helpers->monotonic) : rv;
    return rv == 0 ? pthread_mutex_init(&helpers->mutex, NULL) : rv;
}

int mirror_helpers_end(mirror_helpers_t *helpers)
{
    int pending = mirror_helpers_pending(helpers);
    helper_t *helper;

    pthread_mutex_lock(&helpers->mutex);
    helpers->ending = 1;
    for (helper = helpers->idle; helper; helper = helper->next) {
        pthread_cond_signal(&helper->wake);
    }
    while (helpers->threads > pending) { /* each pending task has at most one helper */
        pthread_cond_wait(&helpers->ended, &helpers->mutex);
    }
    helper = helpers->last;
    helpers->last = NULL;
    pthread_mutex_unlock(&helpers->mutex);
    join(helper);
    if (pending == 0) {
        pthread_cond_destroy(&helpers->ended);
        pthread_mutex_destroy(&helpers->mutex);
        pthread_condattr_destroy(&helpers->monotonic);
    }
    return pending;
}
