/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_closer.c - what is closed on which thread, while the one before is still being closed, and
 * when there is no thread.
 */
#include <apr_atomic.h>
#include <apr_general.h>
#include <apr_time.h>
#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/closer.h"
#include "suite.h"

enum { ITEMS = 1000, PUSHERS = 4 };

static apr_pool_t *pool;
static mirror_closer_t *closer;
static mirror_queue_item_t items[PUSHERS][ITEMS];
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* closing waits for it */
static pthread_t tester;
static apr_uint32_t closed, closed_here; /* atomic */
static apr_uint32_t no_threads;          /* atomic: none can be started */

/* In place of the system's, which it calls. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *baton)
{
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

    *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    return apr_atomic_read32(&no_threads) ? EAGAIN : real(thread, attributes, run, baton);
}

static void close_item(mirror_queue_item_t *item)
{
    (void)item;
    if (pthread_equal(pthread_self(), tester)) {
        apr_atomic_inc32(&closed_here);
    }
    else {
        pthread_mutex_lock(&gate);
        pthread_mutex_unlock(&gate);
    }
    apr_atomic_inc32(&closed);
}

static void setup(void)
{
    apr_pool_create(&pool, NULL);
    closer = mirror_closer_create(pool, close_item);
    tester = pthread_self();
    closed = closed_here = no_threads = 0;
}

static void wait_for_closed(apr_uint32_t n)
{
    apr_time_t end = apr_time_now() + apr_time_from_sec(20);

    while (apr_atomic_read32(&closed) < n) {
        ck_assert(apr_time_now() < end);
        apr_sleep(1000);
    }
    ck_assert_uint_eq(closed, n);
}

START_TEST(whoever_pushes_does_not_wait)
{
    ck_assert_int_eq(mirror_closer_has_run(closer), 0);
    pthread_mutex_lock(&gate);
    mirror_closer_push(closer, &items[0][0]);
    mirror_closer_push(closer, &items[0][1]);
    ck_assert_uint_eq(apr_atomic_read32(&closed), 0);
    pthread_mutex_unlock(&gate);
    wait_for_closed(2);
    mirror_closer_push(closer, &items[0][2]);
    wait_for_closed(3);
    ck_assert_uint_eq(closed_here, 0);
    ck_assert_int_eq(mirror_closer_has_run(closer), 1);
}
END_TEST

START_TEST(without_a_thread_it_is_closed_at_once)
{
    apr_atomic_set32(&no_threads, 1);
    mirror_closer_push(closer, &items[0][0]);
    ck_assert_uint_eq(closed, 1);
    ck_assert_uint_eq(closed_here, 1);
    mirror_closer_push(closer, &items[0][1]);
    ck_assert_uint_eq(closed_here, 2);
    apr_atomic_set32(&no_threads, 0);
    mirror_closer_push(closer, &items[0][2]);
    wait_for_closed(3);
    ck_assert_uint_eq(closed_here, 2);
}
END_TEST

static void *push_all(void *list)
{
    int i;

    for (i = 0; i < ITEMS; i++) {
        mirror_closer_push(closer, (mirror_queue_item_t *)list + i);
    }
    return NULL;
}

START_TEST(nothing_is_lost_when_the_thread_ends)
{
    pthread_t threads[PUSHERS];
    int i;

    for (i = 0; i < PUSHERS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, push_all, items[i]), 0);
    }
    for (i = 0; i < PUSHERS; i++) {
        pthread_join(threads[i], NULL);
    }
    wait_for_closed(PUSHERS * ITEMS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("closer");
    TCase *tcase = tcase_create("closer");

    apr_initialize();
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, whoever_pushes_does_not_wait);
    tcase_add_test(tcase, without_a_thread_it_is_closed_at_once);
    tcase_add_test(tcase, nothing_is_lost_when_the_thread_ends);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
