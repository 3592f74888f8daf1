/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_window.c - windows: their arithmetic, many threads and processes that take places, and what
 * Redis says of them.
 */
#include <apr_general.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attributes/limit_settings.h"
#include "base/clock.h"
#include "base/window.h"
#include "limit/redis_window.h"
#include "suite.h"

#define SECOND ((apr_time_t)APR_USEC_PER_SEC)
#define TICK   ((apr_time_t)10000)
#define WRAP   (((apr_time_t)1 << 33) * TICK)
#define COUNT  (apr_int64_t) MIRROR_WINDOW_COUNT_MAX

static apr_pool_t *pool;
static const mirror_redis_bounds_t bounds = { 16, 512, 65536 };

static void setup(void)
{
    apr_pool_create(&pool, NULL);
}

static void teardown(void)
{
    apr_pool_destroy(pool);
}

/* How many of `requested` copies are granted at `now`. */
static apr_int64_t take(apr_uint64_t *word, apr_time_t now, apr_int64_t requested,
                        apr_int64_t count, apr_interval_time_t length)
{
    apr_int64_t granted = -1;

    *word = mirror_window_next(*word, now, requested, count, length, &granted);
    return granted;
}

/* ---- one window after the other ---- */

START_TEST(no_more_than_count_are_granted_in_a_window)
{
    apr_uint64_t word = 0;

    ck_assert_int_eq(take(&word, 1000 * SECOND, 1, 3, 60 * SECOND), 1);
    ck_assert_int_eq(take(&word, 1001 * SECOND, 5, 3, 60 * SECOND), 2);
    ck_assert_int_eq(take(&word, 1002 * SECOND, 1, 3, 60 * SECOND), 0);
    ck_assert_int_eq(mirror_window_used(word, 1002 * SECOND, 60 * SECOND), 3);
    ck_assert_int_eq(take(&word, 1060 * SECOND, 1, 3, 60 * SECOND), 0);
    ck_assert_int_eq(take(&word, 1060 * SECOND + TICK, 2, 3, 60 * SECOND), 2);
    ck_assert_int_eq(mirror_window_used(word, 1061 * SECOND, 60 * SECOND), 2);
}
END_TEST

START_TEST(a_window_begins_with_the_first_place_taken)
{
    apr_uint64_t word = 0;

    ck_assert_int_eq(mirror_window_used(word, 0, SECOND), 0);
    ck_assert_int_eq(take(&word, 7 * SECOND, 1, 1, SECOND), 1);
    ck_assert_int_eq(take(&word, 8 * SECOND, 1, 1, SECOND), 0);
    ck_assert_int_eq(take(&word, 100 * SECOND, 1, 1, SECOND), 1);
    ck_assert_int_eq(take(&word, 101 * SECOND, 1, 1, SECOND), 0);
    ck_assert_int_eq(take(&word, 101 * SECOND + TICK, 1, 1, SECOND), 1);
}
END_TEST

/* Whatever part of a tick has gone by when it begins. */
START_TEST(a_window_is_never_shorter_than_it_should_be)
{
    apr_time_t begin;

    for (begin = 5 * SECOND; begin < 5 * SECOND + TICK; begin += 111) {
        apr_uint64_t word = 0;
        apr_time_t now = begin;

        ck_assert_int_eq(take(&word, now, 1, 1, SECOND), 1);
        while (take(&word, now, 1, 1, SECOND) == 0) {
            now += 111;
        }
        ck_assert_int_ge(now - begin, SECOND);
        ck_assert_int_le(now - begin, SECOND + TICK + 111);
    }
}
END_TEST

START_TEST(the_largest_count_fits)
{
    apr_uint64_t word = 0;

    ck_assert_int_eq(take(&word, SECOND, COUNT - 1, COUNT, SECOND), COUNT - 1);
    ck_assert_int_eq(take(&word, SECOND, COUNT, COUNT, SECOND), 1);
    ck_assert_int_eq(take(&word, SECOND, 1, COUNT, SECOND), 0);
    ck_assert_int_eq(mirror_window_used(word, SECOND, SECOND), COUNT);
}
END_TEST

START_TEST(a_window_of_a_year_holds_where_ticks_wrap)
{
    apr_interval_time_t year = 365 * 24 * 3600 * SECOND;
    apr_uint64_t word = 0;
    apr_time_t begin = WRAP - SECOND;

    ck_assert_int_eq(take(&word, begin, 1, 1, year), 1);
    ck_assert_int_eq(take(&word, begin + 2 * SECOND, 1, 1, year), 0);
    ck_assert_int_eq(take(&word, begin + year, 1, 1, year), 0);
    ck_assert_int_eq(take(&word, begin + year + TICK, 1, 1, year), 1);
}
END_TEST

/* Who read the clock before another began the window does not begin one of its own. */
START_TEST(a_late_reader_of_the_clock_keeps_to_the_window)
{
    apr_uint64_t word = 0;

    ck_assert_int_eq(take(&word, 100 * SECOND, 1, 1, SECOND), 1);
    ck_assert_int_eq(take(&word, 99 * SECOND, 1, 1, SECOND), 0);
    ck_assert_int_eq(mirror_window_used(word, 99 * SECOND, SECOND), 1);
}
END_TEST

START_TEST(another_count_or_length_holds_for_the_window_in_force)
{
    apr_uint64_t word = 0;

    ck_assert_int_eq(take(&word, 100 * SECOND, 5, 5, 60 * SECOND), 5);
    ck_assert_int_eq(take(&word, 110 * SECOND, 5, 7, 60 * SECOND), 2);
    ck_assert_int_eq(take(&word, 111 * SECOND, 5, 3, 60 * SECOND), 0);
    ck_assert_int_eq(take(&word, 112 * SECOND, 5, 3, 10 * SECOND), 3);
    ck_assert_int_eq(take(&word, 150 * SECOND, 5, 3, 60 * SECOND), 0);
}
END_TEST

/* ---- closed, told ---- */

START_TEST(closed_holds_for_its_limit_until_its_end)
{
    apr_time_t now = mirror_clock_now();
    apr_uint64_t word = 0;

    ck_assert(!mirror_window_is_closed(&word, 7, 60 * SECOND));
    mirror_window_close(&word, 7, now + 30 * SECOND);
    ck_assert(mirror_window_is_closed(&word, 7, 60 * SECOND));
    ck_assert(!mirror_window_is_closed(&word, 8, 60 * SECOND));
    ck_assert_int_ge(mirror_window_closed_until(word, now, 7, 60 * SECOND), now + 30 * SECOND);
    ck_assert_int_le(mirror_window_closed_until(word, now, 7, 60 * SECOND),
                     now + 30 * SECOND + 2 * TICK);
    ck_assert_int_eq(mirror_window_closed_until(word, now, 8, 60 * SECOND), 0);
    ck_assert_int_eq(mirror_window_closed_until(word, now + 31 * SECOND, 7, 60 * SECOND), 0);
    mirror_window_close(&word, 7, now - SECOND);
    ck_assert(!mirror_window_is_closed(&word, 7, 60 * SECOND));
    ck_assert_uint_eq(word, 0);
}
END_TEST

/* Nobody can have begun it. */
START_TEST(a_window_that_begins_in_the_future_is_none)
{
    apr_uint64_t word = 0;

    ck_assert_int_eq(take(&word, 2000 * SECOND, 1, 1, 60 * SECOND), 1);
    ck_assert_int_eq(mirror_window_used(word, 1000 * SECOND, 60 * SECOND), 0);
    ck_assert_int_eq(take(&word, 1000 * SECOND, 1, 1, 60 * SECOND), 1);
    ck_assert_int_eq(take(&word, 1001 * SECOND, 1, 1, 60 * SECOND), 0);
}
END_TEST

START_TEST(closed_for_longer_than_a_window_is_over)
{
    apr_uint64_t word = 0;

    mirror_window_close(&word, 7, mirror_clock_now() + 3600 * SECOND);
    ck_assert(!mirror_window_is_closed(&word, 7, 60 * SECOND));
}
END_TEST

START_TEST(the_highest_reported_count_of_a_window_stays)
{
    apr_uint64_t word = 0;

    mirror_window_report(&word, 5, 160 * SECOND);
    mirror_window_report(&word, 4, 160 * SECOND + TICK); /* it was overtaken */
    ck_assert_int_eq(mirror_window_reported(word, 101 * SECOND, 60 * SECOND), 5);
    mirror_window_report(&word, 6, 160 * SECOND - TICK);
    ck_assert_int_eq(mirror_window_reported(word, 101 * SECOND, 60 * SECOND), 6);
    ck_assert_int_eq(mirror_window_reported(word, 161 * SECOND, 60 * SECOND), 0);
    mirror_window_report(&word, 1, 230 * SECOND);
    ck_assert_int_eq(mirror_window_reported(word, 171 * SECOND, 60 * SECOND), 1);
}
END_TEST

/* ---- many at once ---- */

enum { PROCESSES = 4, THREADS = 4, TRIES = 50000, PLACES = 123457 };

typedef struct shared_t {
    apr_uint64_t word;
    apr_uint64_t granted;
} shared_t;

static void *APR_THREAD_FUNC take_places(apr_thread_t *thread, void *baton)
{
    shared_t *shared = baton;
    apr_int64_t used;
    apr_time_t until;
    int i;

    (void)thread;
    for (i = 0; i < TRIES; i++) {
        apr_int64_t granted =
            mirror_window_take(&shared->word, 1 + i % 3, PLACES, 3600 * SECOND, &used, &until);

        ck_assert_int_le(used, PLACES);
        apr_atomic_add64(&shared->granted, (apr_uint64_t)granted);
    }
    return NULL;
}

static void take_in_threads(shared_t *shared)
{
    apr_thread_t *threads[THREADS];
    apr_status_t rv;
    int i;

    for (i = 0; i < THREADS; i++) {
        ck_assert_int_eq(apr_thread_create(&threads[i], NULL, take_places, shared, pool),
                         APR_SUCCESS);
    }
    for (i = 0; i < THREADS; i++) {
        apr_thread_join(&rv, threads[i]);
    }
}

START_TEST(threads_and_processes_together_get_exactly_count)
{
    shared_t *shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pids[PROCESSES];
    int status, i;

    ck_assert_ptr_ne(shared, MAP_FAILED);
    for (i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            take_in_threads(shared);
            _exit(0);
        }
    }
    take_in_threads(shared);
    for (i = 0; i < PROCESSES; i++) {
        waitpid(pids[i], &status, 0);
        ck_assert_int_eq(status, 0);
    }
    ck_assert_uint_eq(shared->granted, PLACES);
    munmap(shared, sizeof(*shared));
}
END_TEST

/* ---- identity and rules ---- */

START_TEST(limits_that_differ_have_other_ids)
{
    mirror_settings_t one, two;

    memset(&one, 0, sizeof(one));
    one.count = 1;
    one.name = "m";
    two = one;
    mirror_limit_settings_identify(&one);
    mirror_limit_settings_identify(&two);
    ck_assert_uint_ne(one.limit_id, 0);
    ck_assert_uint_eq(one.limit_id, two.limit_id);
    two.count = 2;
    mirror_limit_settings_identify(&two);
    ck_assert_uint_ne(one.limit_id, two.limit_id);
    two = one;
    two.redis_password = "";
    mirror_limit_settings_identify(&two);
    ck_assert_uint_ne(one.limit_id, two.limit_id);
    two = one;
    two.redis_host = "m";
    two.name = NULL;
    mirror_limit_settings_identify(&two);
    ck_assert_uint_ne(one.limit_id, two.limit_id);
}
END_TEST

START_TEST(nodes_have_a_host_and_a_port)
{
    static const char *const good[] = { "a:1", "a.b-c_d:65535", "127.0.0.1:6379", "[::1]:6379",
                                        NULL };
    static const char *const bad[] = { "",      "a",     ":1",       "a:",    "a:0",   "a:65536",
                                       "a:1x",  "a:-1",  "a:000001", "::1:1", "[]:1",  "[::1:1",
                                       "a b:1", "a/b:1", "[a]b:1",   "a]:1",  "u@h:1", NULL };
    int i;

    for (i = 0; good[i]; i++) {
        ck_assert_msg(!mirror_limit_settings_refuse_node(good[i]), "%s", good[i]);
    }
    for (i = 0; bad[i]; i++) {
        ck_assert_msg(mirror_limit_settings_refuse_node(bad[i]) != NULL, "%s", bad[i]);
    }
}
END_TEST

/* ---- what Redis says ---- */

typedef struct script_reply_t {
    const char *reply;
    apr_int64_t granted; /* -1: not a result */
} script_reply_t;

START_TEST(only_what_the_script_can_reply_is_a_result)
{
    /* 5 of 10 were requested */
    static const script_reply_t replies[] = { { "*3\r\n:5\r\n:5\r\n:60000\r\n", 5 },
                                              { "*3\r\n$1\r\n3\r\n$2\r\n10\r\n$1\r\n0\r\n", 3 },
                                              { "*3\r\n:0\r\n:12\r\n:1\r\n", 0 },
                                              { "*3\r\n:6\r\n:6\r\n:1\r\n", -1 },
                                              { "*3\r\n:5\r\n:4\r\n:1\r\n", -1 },
                                              { "*3\r\n:4\r\n:9\r\n:1\r\n", -1 },
                                              { "*3\r\n:-1\r\n:10\r\n:1\r\n", -1 },
                                              { "*3\r\n:5\r\n:5\r\n:60001\r\n", -1 },
                                              { "*3\r\n:5\r\n:5\r\n:-1\r\n", -1 },
                                              { "*3\r\n:5\r\n:2147483648\r\n:1\r\n", -1 },
                                              { "*3\r\n$2\r\n5x\r\n:5\r\n:1\r\n", -1 },
                                              { "*3\r\n+5\r\n:5\r\n:1\r\n", -1 },
                                              { "*3\r\n*0\r\n:5\r\n:1\r\n", -1 },
                                              { "*2\r\n:5\r\n:5\r\n", -1 },
                                              { "*4\r\n:5\r\n:5\r\n:1\r\n:1\r\n", -1 },
                                              { ":5\r\n", -1 },
                                              { "$-1\r\n", -1 },
                                              { "-ERR no\r\n", -1 } };
    mirror_settings_t settings;
    mirror_redis_window_t *window;
    apr_size_t i;

    memset(&settings, 0, sizeof(settings));
    settings.count = 10;
    settings.time_window = 60;
    window = mirror_redis_window_create("k", &settings, pool);
    ck_assert_uint_eq(strlen(window->hash), 40);
    for (i = 0; i < sizeof(replies) / sizeof(*replies); i++) {
        mirror_redis_reader_t *reader = mirror_redis_reply_reader_create(&bounds);
        const mirror_redis_reply_t *reply = NULL;
        mirror_limit_result_t result;

        ck_assert_int_eq(
            mirror_redis_reply_feed(&reply, reader, replies[i].reply, strlen(replies[i].reply)),
            APR_SUCCESS);
        ck_assert_msg((mirror_redis_window_read(&result, window, reply, 5, 0) == APR_SUCCESS) ==
                          (replies[i].granted >= 0),
                      "%s", replies[i].reply);
        ck_assert(replies[i].granted < 0 || result.granted == replies[i].granted);
        mirror_redis_reply_reader_destroy(reader);
    }
}
END_TEST

START_TEST(a_reply_has_bounds)
{
    mirror_redis_reader_t *reader = mirror_redis_reply_reader_create(&bounds);
    const mirror_redis_reply_t *reply = NULL;
    char block[4096];
    apr_status_t rv;
    int n = 0;

    memset(block, 'x', sizeof(block));
    ck_assert_int_eq(mirror_redis_reply_feed(&reply, reader, "$100000\r\n", 9), APR_INCOMPLETE);
    while ((rv = mirror_redis_reply_feed(&reply, reader, block, sizeof(block))) == APR_INCOMPLETE) {
        n++;
    }
    ck_assert_int_eq(rv, APR_ENOSPC);
    ck_assert_int_le(n * (int)sizeof(block), (int)bounds.bytes);
    mirror_redis_reply_reader_destroy(reader);
}
END_TEST

/* Arrays in arrays share one bound, so they cannot multiply. */
START_TEST(elements_of_all_arrays_are_bounded)
{
    static const struct {
        const char *bytes;
        apr_status_t rv;
    } replies[] = { { "*16\r\n", APR_INCOMPLETE },
                    { "*17\r\n", APR_EINVAL },
                    { "*8\r\n*8\r\n", APR_INCOMPLETE },
                    { "*8\r\n*9\r\n", APR_EINVAL },
                    { "*8\r\n*4\r\n:1\r\n:1\r\n:1\r\n:1\r\n*5\r\n", APR_EINVAL },
                    { "*2147483647\r\n", APR_EINVAL } };
    apr_size_t i;

    for (i = 0; i < sizeof(replies) / sizeof(*replies); i++) {
        mirror_redis_reader_t *reader = mirror_redis_reply_reader_create(&bounds);
        const mirror_redis_reply_t *reply = NULL;

        ck_assert_int_eq(
            mirror_redis_reply_feed(&reply, reader, replies[i].bytes, strlen(replies[i].bytes)),
            replies[i].rv);
        mirror_redis_reply_reader_destroy(reader);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("limit");
    TCase *tcase = tcase_create("limit");

    apr_initialize();
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, elements_of_all_arrays_are_bounded);
    tcase_add_test(tcase, no_more_than_count_are_granted_in_a_window);
    tcase_add_test(tcase, a_window_begins_with_the_first_place_taken);
    tcase_add_test(tcase, a_window_is_never_shorter_than_it_should_be);
    tcase_add_test(tcase, the_largest_count_fits);
    tcase_add_test(tcase, a_window_of_a_year_holds_where_ticks_wrap);
    tcase_add_test(tcase, a_late_reader_of_the_clock_keeps_to_the_window);
    tcase_add_test(tcase, another_count_or_length_holds_for_the_window_in_force);
    tcase_add_test(tcase, closed_holds_for_its_limit_until_its_end);
    tcase_add_test(tcase, a_window_that_begins_in_the_future_is_none);
    tcase_add_test(tcase, closed_for_longer_than_a_window_is_over);
    tcase_add_test(tcase, the_highest_reported_count_of_a_window_stays);
    tcase_add_test(tcase, threads_and_processes_together_get_exactly_count);
    tcase_add_test(tcase, limits_that_differ_have_other_ids);
    tcase_add_test(tcase, nodes_have_a_host_and_a_port);
    tcase_add_test(tcase, only_what_the_script_can_reply_is_a_result);
    tcase_add_test(tcase, a_reply_has_bounds);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
