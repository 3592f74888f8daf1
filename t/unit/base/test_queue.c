/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_queue.c - the meeting place of threads: order, loss, wakes.
 */
#include <apr_atomic.h>
#include <apr_general.h>
#include <apr_thread_proc.h>
#include <check.h>
#include <stdlib.h>

#include "base/queue.h"
#include "suite.h"

#define PUSHERS 4
#define PUSHES  20000

typedef struct item_t {
    mirror_queue_item_t link;
    int pusher;
    int number;
} item_t;

typedef struct pusher_t {
    mirror_queue_t *queue;
    item_t *items;
    int id;
} pusher_t;

static apr_pool_t *pool;

static int count_wake(void *baton)
{
    apr_atomic_inc32(baton);
    return 1;
}

static void setup(void)
{
    apr_pool_create(&pool, NULL);
}

static void teardown(void)
{
    apr_pool_destroy(pool);
}

START_TEST(first_in_first_out)
{
    apr_uint32_t wakes = 0;
    mirror_queue_t *queue = mirror_queue_create(pool, count_wake, &wakes);
    item_t items[3];
    mirror_queue_item_t *item;
    int i;

    ck_assert(mirror_queue_is_empty(queue));
    ck_assert_ptr_null(mirror_queue_take(queue));
    for (i = 0; i < 3; i++) {
        items[i].number = i;
        mirror_queue_push(queue, &items[i].link);
    }
    ck_assert(!mirror_queue_is_empty(queue));
    for (item = mirror_queue_take(queue), i = 0; item; item = item->next, i++) {
        ck_assert_int_eq(((item_t *)item)->number, i);
    }
    ck_assert_int_eq(i, 3);
    ck_assert(mirror_queue_is_empty(queue));
}
END_TEST

START_TEST(wakes_once_for_each_sleep)
{
    apr_uint32_t wakes = 0;
    mirror_queue_t *queue = mirror_queue_create(pool, count_wake, &wakes);
    item_t items[6];
    int i;

    for (i = 0; i < 3; i++) { /* a taker that was not started counts as asleep */
        mirror_queue_push(queue, &items[i].link);
        ck_assert_uint_eq(wakes, 1);
    }
    ck_assert_int_eq(mirror_queue_sleep(queue), 0); /* not with something in the queue */
    mirror_queue_take(queue);
    ck_assert_int_eq(mirror_queue_sleep(queue), 1);
    for (; i < 6; i++) {
        mirror_queue_push(queue, &items[i].link);
        ck_assert_uint_eq(wakes, 2);
    }
    mirror_queue_take(queue);
    ck_assert_int_eq(mirror_queue_sleep(queue), 1);
    mirror_queue_awake(queue);
    mirror_queue_wake(queue);
    ck_assert_uint_eq(wakes, 2);
    ck_assert_int_eq(mirror_queue_sleep(queue), 1);
    mirror_queue_wake(queue);
    mirror_queue_wake(queue);
    ck_assert_uint_eq(wakes, 3);
}
END_TEST

static int wake_in_vain(void *baton)
{
    apr_atomic_inc32(baton);
    return apr_atomic_read32(baton) == 3;
}

START_TEST(each_push_wakes_until_that_works)
{
    apr_uint32_t wakes = 0;
    mirror_queue_t *queue = mirror_queue_create(pool, wake_in_vain, &wakes);
    item_t items[5];
    mirror_queue_item_t *item;
    int i;

    for (i = 0; i < 5; i++) {
        mirror_queue_push(queue, &items[i].link);
        ck_assert_uint_eq(wakes, i < 3 ? i + 1 : 3);
    }
    for (item = mirror_queue_take(queue), i = 0; item; item = item->next, i++) {
    }
    ck_assert_int_eq(i, 5);
}
END_TEST

static void *APR_THREAD_FUNC push_all(apr_thread_t *thread, void *baton)
{
    pusher_t *pusher = baton;
    int i;

    (void)thread;
    for (i = 0; i < PUSHES; i++) {
        pusher->items[i].pusher = pusher->id;
        pusher->items[i].number = i;
        mirror_queue_push(pusher->queue, &pusher->items[i].link);
    }
    return NULL;
}

START_TEST(many_push_nothing_is_lost)
{
    apr_uint32_t wakes = 0, sleeps = 0;
    mirror_queue_t *queue = mirror_queue_create(pool, count_wake, &wakes);
    pusher_t pushers[PUSHERS];
    apr_thread_t *threads[PUSHERS];
    int next[PUSHERS] = { 0 };
    int taken = 0, i;
    apr_status_t rv;

    mirror_queue_awake(queue);
    for (i = 0; i < PUSHERS; i++) {
        pushers[i].queue = queue;
        pushers[i].items = calloc(PUSHES, sizeof(item_t));
        pushers[i].id = i;
        ck_assert_int_eq(apr_thread_create(&threads[i], NULL, push_all, &pushers[i], pool),
                         APR_SUCCESS);
    }
    while (taken < PUSHERS * PUSHES) {
        mirror_queue_item_t *item;

        for (item = mirror_queue_take(queue); item; item = item->next, taken++) {
            item_t *it = (item_t *)item;

            ck_assert_int_eq(it->number, next[it->pusher]++); /* each one's in its order */
        }
        if (mirror_queue_sleep(queue)) { /* asleep: only a push gets us on */
            sleeps++;
            while (taken < PUSHERS * PUSHES && apr_atomic_read32(&wakes) < sleeps) {
                apr_thread_yield();
            }
        }
    }
    for (i = 0; i < PUSHERS; i++) {
        apr_thread_join(&rv, threads[i]);
        ck_assert_int_eq(next[i], PUSHES);
        free(pushers[i].items);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("queue");
    TCase *tcase = tcase_create("queue");

    apr_initialize();
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, first_in_first_out);
    tcase_add_test(tcase, wakes_once_for_each_sleep);
    tcase_add_test(tcase, each_push_wakes_until_that_works);
    tcase_add_test(tcase, many_push_nothing_is_lost);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
