/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_store.c - a text in shared memory: read while it is written, by writers that are killed.
 */
#include <apr_atomic.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mirror_store.h"

#define WRITERS 4
#define WRITES  200

typedef struct shared_t {
    apr_uint64_t version;
    apr_uint64_t over; /* atomic */
    mirror_store_lock_t lock;
    mirror_store_t store;
} shared_t;

static apr_pool_t *pool;
static shared_t *shared;

static void setup(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(shared, MAP_FAILED);
    ck_assert_int_eq(mirror_store_lock_init(&shared->lock), APR_SUCCESS);
}

static void teardown(void)
{
    munmap(shared, sizeof(*shared));
    apr_pool_destroy(pool);
}

static mirror_store_text_t stored(apr_pool_t *p)
{
    mirror_store_text_t text;

    mirror_store_read(&text, &shared->version, &shared->store, p);
    return text;
}

static apr_status_t store(apr_uint64_t expected, apr_uint64_t config, const char *text)
{
    return mirror_store_write(&shared->version, &shared->store, &shared->lock, expected, config, text);
}

START_TEST(a_text_is_exchanged)
{
    ck_assert(!stored(pool).text && stored(pool).version == 0);
    ck_assert_int_eq(store(0, 7, "one"), APR_SUCCESS);
    ck_assert_str_eq(stored(pool).text, "one");
    ck_assert(stored(pool).version == 1 && stored(pool).config == 7);
    ck_assert_int_eq(store(0, 8, "two"), APR_EAGAIN);
    ck_assert_int_eq(store(1, 8, ""), APR_SUCCESS);
    ck_assert_str_eq(stored(pool).text, "");
    ck_assert_int_eq(store(2, 8, NULL), APR_SUCCESS);
    ck_assert(!stored(pool).text && stored(pool).version == 3);
}
END_TEST

START_TEST(long_texts)
{
    char *text = apr_palloc(pool, MIRROR_STORE_SIZE + 1);

    memset(text, 'x', MIRROR_STORE_SIZE);
    text[MIRROR_STORE_SIZE] = '\0';
    ck_assert_int_eq(store(0, 1, text), APR_ENOSPC);
    ck_assert_uint_eq(shared->version, 0);
    text[MIRROR_STORE_SIZE - 1] = '\0';
    ck_assert_int_eq(store(0, 1, text), APR_SUCCESS);
    ck_assert_str_eq(stored(pool).text, text);
}
END_TEST

/* A text of one letter, whose number of letters is config's, so that half of one would show. */
static void check_whole(const mirror_store_text_t *text)
{
    apr_size_t i;

    ck_assert_uint_eq(strlen(text->text), text->config);
    for (i = 1; i < text->config; i++) {
        ck_assert_int_eq(text->text[i], text->text[0]);
    }
}

/* Write until `writes` were taken, and end well. */
static void write_some(int letter, int writes)
{
    apr_pool_t *p;

    apr_pool_create(&p, NULL);
    while (writes > 0) {
        apr_uint64_t version = apr_atomic_read64(&shared->version), len = 1 + (version * 7919 + (unsigned)letter) % 9000;
        char *text = apr_pcalloc(p, len + 1);

        memset(text, letter, len);
        writes -= store(version, len, text) == APR_SUCCESS;
        apr_pool_clear(p);
    }
    _exit(0);
}

static pid_t start_writer(int letter, int writes)
{
    pid_t pid = fork();

    if (pid == 0) {
        write_some(letter, writes);
    }
    ck_assert_int_gt(pid, 0);
    return pid;
}

START_TEST(no_half_of_a_text_and_none_is_lost)
{
    pid_t pids[WRITERS];
    mirror_store_text_t text;
    int i, status;

    ck_assert_int_eq(store(0, 1, "a"), APR_SUCCESS);
    for (i = 0; i < WRITERS; i++) {
        pids[i] = start_writer('b' + i, WRITES);
    }
    do {
        apr_pool_t *once;

        apr_pool_create(&once, pool);
        text = stored(once);
        check_whole(&text);
        apr_pool_destroy(once);
    } while (text.version < 1 + WRITERS * WRITES);
    for (i = 0; i < WRITERS; i++) {
        ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
        ck_assert_int_eq(status, 0);
    }
    ck_assert_uint_eq(shared->version, 1 + WRITERS * WRITES);
}
END_TEST

START_TEST(a_writer_that_is_killed_holds_nobody_up)
{
    int i, status;

    ck_assert_int_eq(store(0, 1, "a"), APR_SUCCESS);
    for (i = 0; i < 100; i++) {
        pid_t pid = start_writer('b' + i % 20, 1 << 30);
        apr_uint64_t begun = apr_atomic_read64(&shared->version);
        mirror_store_text_t text;

        while (apr_atomic_read64(&shared->version) < begun + 3) {
        }
        ck_assert_int_eq(kill(pid, SIGKILL), 0);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        text = stored(pool);
        check_whole(&text);
        ck_assert_int_eq(store(text.version, 1, "a"), APR_SUCCESS);
        ck_assert_str_eq(stored(pool).text, "a");
    }
}
END_TEST

/* The same for sure: the lock is held when its owner ends. */
START_TEST(the_lock_of_the_dead_falls_to_the_next)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        pthread_mutex_lock(&shared->lock);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(store(0, 1, "a"), APR_SUCCESS);
    ck_assert_int_eq(store(1, 1, "b"), APR_SUCCESS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store");
    TCase *tcase = tcase_create("store");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, a_text_is_exchanged);
    tcase_add_test(tcase, long_texts);
    tcase_add_test(tcase, no_half_of_a_text_and_none_is_lost);
    tcase_add_test(tcase, a_writer_that_is_killed_holds_nobody_up);
    tcase_add_test(tcase, the_lock_of_the_dead_falls_to_the_next);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
