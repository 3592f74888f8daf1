/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/helpers.h - the helper threads of a child, which run blocking tasks for the sender.
 *
 *     sender                                       helper
 *     may -> push -> idle helper, or a new one, -> run(baton) -> report, by a queue of the task's
 *                    or the queue of tasks
 *     done <- report
 *
 * A push gives its task to the helper that became idle last. If no helper is idle, the push starts
 * one. If the maximum number of helpers runs, or no helper can be started, the task is queued. If
 * no helper can be started and none runs, the push fails and the caller keeps the task. So every
 * queued task has a helper that will run it, and no task is queued while a helper is idle.
 *
 * An idle helper ends after some seconds. Each ending helper joins the helper that ended before it;
 * mirror_helpers_end() joins the last. So at most one ended thread is not yet joined, and the
 * memory of threads is bounded.
 *
 * This file also defines the budget: how many helpers may connect, look up names, and query limits
 * in Redis at the same time. No kind of task starves another, and no mirror starves the others. The
 * budget counts tasks from push to done.
 *
 * One thread, the sender, calls these functions. Helpers inherit the sender's signal mask.
 */
#ifndef MIRROR_BASE_HELPERS_H
#define MIRROR_BASE_HELPERS_H

#include <apr_errno.h>
#include <apr_pools.h>

typedef struct mirror_helpers_t mirror_helpers_t;
typedef struct mirror_helpers_task_t mirror_helpers_task_t;

/* The kind of a task, for the budget. */
typedef enum {
    MIRROR_HELPERS_CONNECT, /* connect to known addresses, TLS handshake */
    MIRROR_HELPERS_LOOKUP,  /* the same, after a DNS lookup, which may be slow */
    MIRROR_HELPERS_QUERY,   /* query a limit in Redis */
    MIRROR_HELPERS_KINDS
} mirror_helpers_kind_e;

/* A member of the pushed structure. The helpers own the task from push until they call `run`, and
 * do not use it afterwards. */
struct mirror_helpers_task_t {
    void (*run)(void *baton); /* runs on a helper; may free `baton` and with it the task */
    void *baton;
    mirror_helpers_task_t *next; /* next task in the queue */
};

/* Create the list of up to `max` (4 or more) helpers. Child start, main thread. No thread is
 * started. *helpers is allocated in `pool`; helpers left behind still use it. Errors: those of
 * pthread_mutex_init and pthread_cond_init. */
apr_status_t mirror_helpers_create(mirror_helpers_t **helpers, int max, apr_pool_t *pool);

/* ---- sender thread ---- */

/* Return whether the budget allows another task of this kind. `own`: pending tasks of the same
 * mirror; 0 for MIRROR_HELPERS_QUERY. */
int mirror_helpers_may(const mirror_helpers_t *helpers, mirror_helpers_kind_e kind, int own);

/* Return the maximum of pending tasks of a mirror that connect: a quarter of the helpers, at least
 * one. */
int mirror_helpers_share(const mirror_helpers_t *helpers);

/* Run `task` on a helper. Queued tasks of the kind MIRROR_HELPERS_QUERY run before those of other
 * kinds. The task counts until mirror_helpers_done(). Errors: ENOMEM, or those of pthread_create if
 * no helper can be started and none runs. On error the caller still owns the task, and the task
 * does not count. */
apr_status_t mirror_helpers_push(mirror_helpers_t *helpers, mirror_helpers_task_t *task,
                                 mirror_helpers_kind_e kind);

/* Stop counting a task of this kind. Call it when the task's report was taken. */
void mirror_helpers_done(mirror_helpers_t *helpers, mirror_helpers_kind_e kind);

/* Return the number of pending tasks of all kinds. */
int mirror_helpers_pending(const mirror_helpers_t *helpers);

/* Start a helper if tasks are queued for which no helper could be started. Call it about once a
 * second. */
void mirror_helpers_retry(mirror_helpers_t *helpers);

/* End all helpers except those with a pending task, and return the number of pending tasks. Waits
 * for helpers that are idle or have delivered their reports. Queued tasks never run. If the result
 * is 0, no helper runs code of the module. Otherwise the function may be called again when more
 * tasks are done. Do not push afterwards. */
int mirror_helpers_end(mirror_helpers_t *helpers);

#endif
