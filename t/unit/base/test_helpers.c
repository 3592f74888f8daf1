/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_helpers.c - threads for what blocks: order, budget, and threads that cannot be started.
 *
 * The pthread_create() of this program takes the place of the C library's, and fails when the
 * test says so.
 */
#include <apr_atomic.h>
#include <apr_general.h>
#include <apr_time.h>
#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/helpers.h"
#include "suite.h"

enum { MAX = 8, MANY = 200000 };

typedef int create_t(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

static apr_pool_t *pool;
static mirror_helpers_t *helpers;
static int failing;          /* how many of the next calls of pthread_create() fail; -1: all */
static apr_uint32_t started; /* atomic: threads */
static apr_uint32_t over;    /* atomic: those of them that have ended */

/* ---- threads ---- */

typedef struct start_t {
    void *(*run)(void *);
    void *baton;
} start_t;

static void *count_end(void *baton)
{
    start_t start = *(start_t *)baton;
    void *result;

    free(baton);
    result = start.run(start.baton);
    apr_atomic_inc32(&over);
    return result;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *baton)
{
    create_t *next = (create_t *)dlsym(RTLD_NEXT, "pthread_create");
    start_t *start;

    if (failing != 0) {
        failing -= failing > 0;
        return EAGAIN;
    }
    start = malloc(sizeof(*start));
    start->run = run;
    start->baton = baton;
    apr_atomic_inc32(&started);
    return next(thread, attr, count_end, start);
}

static int count_threads(void)
{
    return (int)apr_atomic_read32(&started) - (int)apr_atomic_read32(&over);
}

/* ---- tasks ---- */

/* They wait for their gate. */
static struct {
    pthread_mutex_t mutex; /* of the rest */
    pthread_cond_t changed;
    int running, ran;
    int order[32]; /* the numbers of tasks, as they began */
    int open;      /* how many may pass; -1: all */
} gate = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, { 0 }, 0 };

typedef struct job_t {
    mirror_helpers_task_t task;
    int number;
} job_t;

static void run_job(void *baton)
{
    job_t *job = baton;

    pthread_mutex_lock(&gate.mutex);
    gate.order[(gate.running++ + gate.ran) % 32] = job->number;
    pthread_cond_broadcast(&gate.changed);
    while (!gate.open) {
        pthread_cond_wait(&gate.changed, &gate.mutex);
    }
    gate.open -= gate.open > 0;
    gate.running--;
    gate.ran++;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.mutex);
}

static apr_status_t push(job_t *job, int number, mirror_helpers_kind_e kind)
{
    job->task.run = run_job;
    job->task.baton = job;
    job->number = number;
    return mirror_helpers_push(helpers, &job->task, kind);
}

static void open_gate(int open)
{
    pthread_mutex_lock(&gate.mutex);
    gate.open = open;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.mutex);
}

/* Until so many tasks run, and so many have run. The test's own limit of time ends what does not
 * come. */
static void wait_tasks(int running, int ran)
{
    pthread_mutex_lock(&gate.mutex);
    while (gate.running != running || gate.ran != ran) {
        pthread_cond_wait(&gate.changed, &gate.mutex);
    }
    pthread_mutex_unlock(&gate.mutex);
}

static void wait_threads(int n)
{
    while (count_threads() != n) {
        apr_sleep(apr_time_from_msec(1));
    }
}

static void setup(void)
{
    apr_pool_create(&pool, NULL);
    ck_assert_int_eq(mirror_helpers_create(&helpers, MAX, pool), APR_SUCCESS);
    failing = 0;
}

static void clear(mirror_helpers_kind_e kind, int n)
{
    while (n-- > 0) {
        mirror_helpers_done(helpers, kind);
    }
}

/* All tasks are done, and no thread is left. */
static void finish(int connecting, int querying)
{
    clear(MIRROR_HELPERS_CONNECT, connecting);
    clear(MIRROR_HELPERS_QUERY, querying);
    ck_assert_int_eq(mirror_helpers_end(helpers), 0);
    ck_assert_int_eq(count_threads(), 0);
    apr_pool_destroy(pool);
}

START_TEST(a_task_that_hangs_holds_up_no_other)
{
    job_t jobs[MAX];
    int round, i, n, ran = 0;

    for (round = 0; round < 100; round++) {
        n = round % MAX + 1;
        for (i = 0; i < n; i++) { /* at once: an idle helper has no time to take its task */
            ck_assert_int_eq(push(&jobs[i], i, MIRROR_HELPERS_CONNECT), APR_SUCCESS);
        }
        wait_tasks(n, ran);
        open_gate(n);
        wait_tasks(0, ran += n);
        clear(MIRROR_HELPERS_CONNECT, n);
    }
    finish(0, 0);
}
END_TEST

START_TEST(queued_tasks_run_in_their_order_and_queries_first)
{
    static const int order[] = { 12, 14, 8, 9, 10, 11, 13 };
    job_t jobs[15];
    int i;

    for (i = 0; i < 15; i++) {
        int queries = i == 12 || i == 14;

        ck_assert_int_eq(push(&jobs[i], i, queries ? MIRROR_HELPERS_QUERY : MIRROR_HELPERS_CONNECT),
                         0);
        if (i < MAX) {
            wait_tasks(i + 1, 0);
        }
    }
    for (i = 0; i < 7; i++) {
        open_gate(1);
        wait_tasks(MAX, i + 1); /* the helper that is free has taken the next one */
    }
    open_gate(-1);
    wait_tasks(0, 15);
    for (i = 0; i < 7; i++) {
        ck_assert_int_eq(gate.order[MAX + i], order[i]);
    }
    finish(13, 2);
}
END_TEST

START_TEST(idle_helpers_are_used_again_and_end)
{
    job_t job;
    int i;

    open_gate(-1);
    for (i = 1; i <= 1000; i++) {
        ck_assert_int_eq(push(&job, i, MIRROR_HELPERS_CONNECT), APR_SUCCESS);
        wait_tasks(0, i);
        mirror_helpers_done(helpers, MIRROR_HELPERS_CONNECT);
    }
    ck_assert_uint_le(started, 3 * MAX); /* one that has just run a task may not be idle yet */
    wait_threads(0);
    ck_assert_int_eq(push(&job, i, MIRROR_HELPERS_CONNECT), APR_SUCCESS);
    wait_tasks(0, i);
    finish(1, 0);
}
END_TEST

START_TEST(the_first_helper_cannot_be_started)
{
    job_t jobs[2];
    int i;

    open_gate(-1);
    failing = _i;
    for (i = 0; i < _i; i++) {
        ck_assert_int_eq(push(&jobs[0], i, MIRROR_HELPERS_QUERY), EAGAIN);
        ck_assert_int_eq(mirror_helpers_pending(helpers), 0);
    }
    jobs[0].task.run = NULL; /* nothing has it any more */
    ck_assert_int_eq(push(&jobs[1], 7, MIRROR_HELPERS_CONNECT), APR_SUCCESS);
    wait_tasks(0, 1);
    ck_assert_int_eq(gate.order[0], 7);
    finish(1, 0);
}
END_TEST

START_TEST(no_helper_can_ever_be_started)
{
    job_t job;
    int i;

    failing = -1;
    for (i = 0; i < 1000; i++) {
        ck_assert_int_eq(push(&job, i, i % 3), EAGAIN);
    }
    mirror_helpers_retry(helpers);
    ck_assert_int_eq(mirror_helpers_pending(helpers), 0);
    ck_assert_uint_eq(started, 0);
    finish(0, 0);
}
END_TEST

START_TEST(a_further_helper_cannot_be_started)
{
    job_t jobs[4];
    int i;

    ck_assert_int_eq(push(&jobs[0], 0, MIRROR_HELPERS_CONNECT), APR_SUCCESS);
    wait_tasks(1, 0);
    failing = -1;
    for (i = 1; i < 4; i++) {
        ck_assert_int_eq(push(&jobs[i], i, MIRROR_HELPERS_CONNECT), APR_SUCCESS);
    }
    mirror_helpers_retry(helpers);
    ck_assert_int_eq(mirror_helpers_pending(helpers), 4);
    ck_assert_int_eq(count_threads(), 1);
    open_gate(1);
    wait_tasks(1, 1); /* the one that there is goes on */
    failing = 0;
    mirror_helpers_retry(helpers); /* the first one hangs no longer than until now */
    wait_tasks(2, 1);
    open_gate(-1);
    wait_tasks(0, 4);
    for (i = 0; i < 4; i++) {
        ck_assert_int_eq(gate.order[i], i);
    }
    finish(4, 0);
}
END_TEST

START_TEST(the_end_leaves_behind_what_hangs_alone)
{
    job_t jobs[3], idle;
    int i;

    open_gate(1);
    push(&idle, 0, MIRROR_HELPERS_CONNECT);
    wait_tasks(0, 1);
    mirror_helpers_done(helpers, MIRROR_HELPERS_CONNECT);
    for (i = 0; i < 3; i++) {
        push(&jobs[i], i, MIRROR_HELPERS_LOOKUP);
    }
    wait_tasks(3, 1);
    open_gate(1);
    wait_tasks(2, 2);
    mirror_helpers_done(helpers, MIRROR_HELPERS_LOOKUP);
    ck_assert_int_eq(mirror_helpers_end(helpers), 2);
    ck_assert_int_eq(count_threads(), 2);
    open_gate(-1);
    wait_tasks(0, 4);
    clear(MIRROR_HELPERS_LOOKUP, 2);
    finish(0, 0);
}
END_TEST

START_TEST(the_end_runs_nothing_that_was_queued)
{
    job_t jobs[3];
    int i;

    push(&jobs[0], 0, MIRROR_HELPERS_LOOKUP);
    wait_tasks(1, 0);
    failing = -1;
    for (i = 1; i < 3; i++) {
        push(&jobs[i], i, MIRROR_HELPERS_CONNECT);
    }
    ck_assert_int_eq(mirror_helpers_end(helpers), 3);
    open_gate(-1);
    wait_threads(0);
    clear(MIRROR_HELPERS_LOOKUP, 1);
    clear(MIRROR_HELPERS_CONNECT, 2);
    finish(0, 0);
    ck_assert_int_eq(gate.ran, 1);
}
END_TEST

/* ---- the budget ---- */

/* How many tasks may be pushed, if each is of another mirror, or all are of one. */
static int fill(mirror_helpers_kind_e kind, int one)
{
    static job_t jobs[4 * 256];
    static int used;
    int n = 0;

    while (mirror_helpers_may(helpers, kind, one ? n : 0)) {
        ck_assert_int_eq(push(&jobs[used++], n++, kind), APR_SUCCESS);
    }
    return n;
}

static const struct {
    int max, own, lookups, usable;
} budgets[] = { { 4, 1, 1, 2 }, { 5, 1, 2, 3 },   { 7, 1, 3, 5 },
                { 8, 2, 3, 6 }, { 12, 3, 5, 10 }, { 256, 64, 127, 254 } };

START_TEST(the_budget)
{
    int max = budgets[_i].max, usable = budgets[_i].usable, lookups = budgets[_i].lookups;
    int left = max - usable < lookups ? max - usable : lookups;

    ck_assert_int_eq(mirror_helpers_create(&helpers, max, pool), APR_SUCCESS);
    open_gate(-1);
    ck_assert_int_eq(fill(MIRROR_HELPERS_CONNECT, 1), budgets[_i].own);
    clear(MIRROR_HELPERS_CONNECT, budgets[_i].own);
    ck_assert_int_eq(fill(MIRROR_HELPERS_LOOKUP, 1), budgets[_i].own);
    clear(MIRROR_HELPERS_LOOKUP, budgets[_i].own);

    /* Name servers do not respond: addresses and limits go on. */
    ck_assert_int_eq(fill(MIRROR_HELPERS_LOOKUP, 0), lookups);
    ck_assert_int_eq(fill(MIRROR_HELPERS_CONNECT, 0), usable - lookups);
    ck_assert_int_eq(fill(MIRROR_HELPERS_QUERY, 0), max - usable);
    ck_assert_int_eq(mirror_helpers_pending(helpers), max);
    clear(MIRROR_HELPERS_CONNECT, usable - lookups);
    ck_assert_int_eq(fill(MIRROR_HELPERS_LOOKUP, 0), 0);
    ck_assert_int_eq(fill(MIRROR_HELPERS_CONNECT, 0), usable - lookups);
    clear(MIRROR_HELPERS_CONNECT, usable - lookups);
    clear(MIRROR_HELPERS_LOOKUP, lookups);
    clear(MIRROR_HELPERS_QUERY, max - usable);

    ck_assert_int_eq(fill(MIRROR_HELPERS_QUERY, 0), usable); /* the other way round */
    ck_assert_int_eq(fill(MIRROR_HELPERS_CONNECT, 0), max - usable);
    ck_assert_int_eq(fill(MIRROR_HELPERS_LOOKUP, 0), 0);
    clear(MIRROR_HELPERS_CONNECT, max - usable);
    ck_assert_int_eq(fill(MIRROR_HELPERS_LOOKUP, 0), left);
    clear(MIRROR_HELPERS_LOOKUP, left);
    finish(0, usable);
}
END_TEST

/* ---- many ---- */

static size_t bytes_in_use(void)
{
    return mallinfo2().uordblks;
}

/* Tasks, threads that end and threads that cannot be started: what they take is given back. */
START_TEST(memory_is_flat)
{
    size_t before = 0;
    job_t jobs[MAX];
    int i, n, pushed = 0, ran = 0;

    open_gate(-1);
    for (i = 0; i < MANY / MAX; i++) {
        failing = i % 5 == 0 ? 3 : 0;
        for (n = 0; n < MAX; n++) {
            pushed += push(&jobs[n], n, MIRROR_HELPERS_CONNECT) == APR_SUCCESS;
        }
        wait_tasks(0, pushed);
        clear(MIRROR_HELPERS_CONNECT, pushed - ran);
        ran = pushed;
        if (i % 100 == 0) { /* so that new ones are started, too */
            ck_assert_int_eq(mirror_helpers_end(helpers), 0);
            apr_pool_clear(pool);
            ck_assert_int_eq(mirror_helpers_create(&helpers, MAX, pool), APR_SUCCESS);
        }
        if (i == 500) {
            before = bytes_in_use();
        }
    }
    ck_assert_int_gt(pushed, MANY / 2);
    ck_assert_uint_le(bytes_in_use(), before + 16384);
    finish(0, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("helpers");
    TCase *tcase = tcase_create("helpers");

    apr_initialize();
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, a_task_that_hangs_holds_up_no_other);
    tcase_add_test(tcase, queued_tasks_run_in_their_order_and_queries_first);
    tcase_add_test(tcase, idle_helpers_are_used_again_and_end);
    tcase_add_loop_test(tcase, the_first_helper_cannot_be_started, 1, 4);
    tcase_add_test(tcase, no_helper_can_ever_be_started);
    tcase_add_test(tcase, a_further_helper_cannot_be_started);
    tcase_add_test(tcase, the_end_leaves_behind_what_hangs_alone);
    tcase_add_test(tcase, the_end_runs_nothing_that_was_queued);
    tcase_add_loop_test(tcase, the_budget, 0, sizeof(budgets) / sizeof(budgets[0]));
    tcase_add_test(tcase, memory_is_flat);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
