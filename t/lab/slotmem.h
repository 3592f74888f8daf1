/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * slotmem.h - what the tests of mirror_slotmem share: a load of the configuration, children, sums.
 *
 * The children are real: they are forked, count in the shared memory, and end or are killed. What
 * this room wants of httpd is supplied here: data that outlives a reload of the module, and how
 * many children there can be.
 */
#ifndef SLOTMEM_H
#define SLOTMEM_H

#include <apr_general.h>
#include <apr_strings.h>
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ap_mpm.h>
#include <http_config.h>
#include <httpd.h>

#include "shared/table_state.h"

#define SPARE 16 /* worker slots over the MPM's limit */

static apr_pool_t *pool;
static server_rec server;
static process_rec process;
static void *retained;
static int daemons = 4;

AP_DECLARE(apr_status_t) ap_mpm_query(int query, int *result)
{
    *result = query == AP_MPMQ_HARD_LIMIT_DAEMONS ? daemons : 0;
    return APR_SUCCESS;
}

AP_DECLARE(void *) ap_retained_data_get(const char *key)
{
    (void)key;
    return retained;
}

AP_DECLARE(void *) ap_retained_data_create(const char *key, apr_size_t size)
{
    (void)key;
    return retained = apr_pcalloc(pool, size);
}

static inline void setup(void)
{
    apr_pool_create(&pool, NULL);
    process.pool = pool;
    server.process = &process;
    retained = NULL;
}

static inline void teardown(void)
{
    apr_pool_destroy(pool);
}

/* A load of the configuration, as at the start and at each graceful restart. */
static inline mirror_table_t *load(int slots)
{
    mirror_table_t *table = NULL;

    ck_assert_int_eq(mirror_table_open(&table, pool, &server, slots), APR_SUCCESS);
    return table;
}

static inline mirror_slot_t *slot_of(mirror_table_t *table, const char *name)
{
    mirror_slot_t *slot = NULL;

    ck_assert_int_eq(mirror_table_slot(&slot, table, name), APR_SUCCESS);
    return slot;
}

static inline mirror_totals_t sum_of(mirror_table_t *table, const mirror_slot_t *slot)
{
    mirror_totals_t totals;
    apr_uint64_t ended = 0;
    int i;

    mirror_totals_sum(&totals, table, slot);
    for (i = 0; i < MIRROR_OUTCOME_COUNT; i++) {
        ended += totals.sum.outcomes[i];
    }
    ck_assert_uint_eq(totals.sum.seen, totals.queued + totals.sum.in_flight + ended);
    return totals;
}

/* ---- children ---- */

typedef struct child_t {
    pid_t pid;
    int worker_slot;
    int let_go; /* a byte lets it end */
} child_t;

/* Count 7 seen, of which 2 were mirrored, 1 is limited, 3 are in flight and 1 waits. */
static inline void count(mirror_table_t *table, const mirror_slot_t *slot, int worker_slot)
{
    mirror_cell_t *cell = mirror_table_cell(table, worker_slot, slot);

    apr_atomic_add64(&cell->seen, 7);
    apr_atomic_add64(&cell->in_flight, 3);
    apr_atomic_add64(&cell->connections, 4);
    apr_atomic_add64(&cell->bytes, 1000);
    apr_atomic_add64(&cell->outcomes[MIRROR_OUTCOME_MIRRORED], 2);
    apr_atomic_add64(&cell->outcomes[MIRROR_OUTCOME_LIMITED], 1);
}

/* Returns when the child has counted; it lives until it is let go (finish), and then gives its
 * worker slot back. */
static inline child_t start(mirror_table_t *table, const mirror_slot_t *slot)
{
    child_t child;
    int ready[2], go[2];
    char c;

    ck_assert_int_eq(pipe(ready), 0);
    ck_assert_int_eq(pipe(go), 0);
    child.pid = fork();
    ck_assert_int_ne(child.pid, -1);
    if (child.pid == 0) {
        int worker_slot = -1;

        close(go[1]);
        mirror_table_claim(&worker_slot, table);
        count(table, slot, worker_slot);
        if (write(ready[1], &worker_slot, sizeof(worker_slot)) != sizeof(worker_slot) ||
            read(go[0], &c, 1) != 1) {
            _exit(1);
        }
        mirror_table_release(table, worker_slot);
        _exit(0);
    }
    mirror_table_child_started(table, child.pid);
    close(go[0]);
    close(ready[1]);
    ck_assert_int_eq(read(ready[0], &child.worker_slot, sizeof(child.worker_slot)),
                     sizeof(child.worker_slot));
    close(ready[0]);
    child.let_go = go[1];
    return child;
}

static inline void reap(pid_t pid, int signal)
{
    int status = 0;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status), signal);
}

static inline void finish(child_t child)
{
    ck_assert_int_eq(write(child.let_go, "", 1), 1);
    close(child.let_go);
    reap(child.pid, 0);
}

/* Killed, and waited for until it is a zombie; reap() comes after it. */
static inline void put_to_death(child_t child)
{
    siginfo_t info;

    ck_assert_int_eq(kill(child.pid, SIGKILL), 0);
    ck_assert_int_eq(waitid(P_PID, (id_t)child.pid, &info, WEXITED | WNOWAIT), 0);
    close(child.let_go);
}

static inline void assert_reaped(mirror_table_t *table, const mirror_slot_t *slot,
                                 unsigned children)
{
    mirror_totals_t totals = sum_of(table, slot);

    ck_assert_uint_eq(totals.sum.seen, 7 * children);
    ck_assert_uint_eq(totals.sum.outcomes[MIRROR_OUTCOME_MIRRORED], 2 * children);
    ck_assert_uint_eq(totals.sum.outcomes[MIRROR_OUTCOME_LIMITED], children);
    ck_assert_uint_eq(totals.sum.outcomes[MIRROR_OUTCOME_SHUT_DOWN], 4 * children);
    ck_assert_uint_eq(
        totals.queued + totals.sum.in_flight + totals.sum.connections + totals.sum.bytes, 0);
}

#endif
