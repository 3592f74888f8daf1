/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/helpers.h - the helper threads of a child: they run the tasks that block, so that the
 * sender does not.
 *
 *     sender                                       helper
 *     may -> push -> idle helper, or a new one, -> run(baton) -> report, by a queue of the task's
 *                    or the queue of tasks
 *     done <- report
 *
 * A push hands its task to the helper that became idle last. If no helper is idle, it starts
 * one. If as many run as are allowed, or if none can be started, the task is queued. If none can
 * be started and none runs, the push is refused and keeps nothing. So a queued task always has a
 * helper that will run it, and no task waits while a helper is idle.
 *
 * A helper that has been idle for some seconds ends. Each helper that ends joins the one that
 * ended before it; mirror_helpers_end() joins the last. So at most one thread that has ended is
 * not joined yet, and the memory that threads take is bounded, however many were started.
 *
 * The budget is decided here, too: how many helpers may connect, look up names, and query limits
 * in Redis at the same time, so that none of these starves another, and no mirror starves the
 * others. It counts tasks from push to done.
 *
 * The functions are called by one thread, the sender. Helpers are started with its signal mask.
 */
#ifndef MIRROR_BASE_HELPERS_H
#define MIRROR_BASE_HELPERS_H

#include <apr_errno.h>
#include <apr_pools.h>

typedef struct mirror_helpers_t mirror_helpers_t;
typedef struct mirror_helpers_task_t mirror_helpers_task_t;

/* The kind of a task, in the budget. */
typedef enum {
    MIRROR_HELPERS_CONNECT, /* connect to addresses that are known, shake hands */
    MIRROR_HELPERS_LOOKUP,  /* the same, after a query of a name server, which may take long */
    MIRROR_HELPERS_ASK,     /* query a limit in Redis */
    MIRROR_HELPERS_KINDS
} mirror_helpers_kind_e;

/* Part of what is pushed; the helpers' from push until `run` is called, and not used after that. */
struct mirror_helpers_task_t {
    void (*run)(void *baton); /* on a helper; may free `baton`, and the task with it */
    void *baton;
    mirror_helpers_task_t *next; /* the queue's */
};

/* child start, main thread: up to `max` (4 or more) helpers. No thread is started. *helpers
 * lives in `pool`, which helpers that are left behind still use. Errors: those of
 * pthread_mutex_init, pthread_cond_init. */
apr_status_t mirror_helpers_create(mirror_helpers_t **helpers, int max, apr_pool_t *pool);

/* ---- sender thread ---- */

/* Return whether the budget allows another task of this kind. `own`: the tasks of the same
 * mirror that are not done yet; 0 for MIRROR_HELPERS_ASK. */
int mirror_helpers_may(const mirror_helpers_t *helpers, mirror_helpers_kind_e kind, int own);

/* Run `task` on a helper; tasks of the kind MIRROR_HELPERS_ASK before queued ones of other
 * kinds. Count it until mirror_helpers_done(). Errors: ENOMEM, or pthread_create's if no helper
 * can be started and none runs; the task is then the caller's as before, and not counted. */
apr_status_t mirror_helpers_push(mirror_helpers_t *helpers, mirror_helpers_task_t *task,
                                 mirror_helpers_kind_e kind);

/* The report of a task of this kind was taken: count the task no more. */
void mirror_helpers_done(mirror_helpers_t *helpers, mirror_helpers_kind_e kind);

/* Return how many tasks are not done, of all kinds. */
int mirror_helpers_pending(const mirror_helpers_t *helpers);

/* If tasks are queued that no helper could be started for, try to start one. Call it every
 * second or so. */
void mirror_helpers_retry(mirror_helpers_t *helpers);

/* End all helpers but those whose tasks are not done, and return how many tasks that are. Waits
 * for helpers that are idle or have delivered their reports. Tasks that are still queued are
 * never run. If it returns 0, no helper runs any code of the module any more; if not, it may be
 * called again when more tasks are done. Nothing may be pushed after it. */
int mirror_helpers_end(mirror_helpers_t *helpers);

#endif
