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

#include "shared/store.h"
#include "suite.h"

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
    return mirror_store_write(&shared->version, &shared->store, &shared->lock, expected, config,
                              text);
}

START_TEST(a_text_is_exchanged)
{
    apr_uint64_t one, two, none;

    ck_assert(!stored(pool).text && stored(pool).version == 0);
    ck_assert_int_eq(store(0, 7, "one"), APR_SUCCESS);
    one = stored(pool).version;
    ck_assert_str_eq(stored(pool).text, "one");
    ck_assert(one > 0 && stored(pool).config == 7);
    ck_assert_int_eq(store(0, 8, "two"), APR_EAGAIN);
    ck_assert_int_eq(store(one, 8, ""), APR_SUCCESS);
    two = stored(pool).version;
    ck_assert_str_eq(stored(pool).text, "");
    ck_assert_uint_gt(two, one);
    ck_assert_int_eq(store(one, 8, NULL), APR_EAGAIN);
    ck_assert_int_eq(store(two, 8, NULL), APR_SUCCESS);
    none = stored(pool).version;
    ck_assert(!stored(pool).text && stored(pool).config == 0 && none > two);
    /* nothing again: yet who expects the former one is too late */
    ck_assert_int_eq(store(none, 9, NULL), APR_SUCCESS);
    ck_assert_int_eq(store(none, 9, "three"), APR_EAGAIN);
    ck_assert_int_eq(store(stored(pool).version, 9, "three"), APR_SUCCESS);
    ck_assert_str_eq(stored(pool).text, "three");
}
END_TEST

START_TEST(what_was_stored_over_another_line_is_dropped)
{
    apr_uint64_t version;

    ck_assert_int_eq(mirror_store_drop_others(&shared->version, &shared->store, 7), 0);
    ck_assert_uint_eq(shared->version, 0);
    ck_assert_int_eq(store(0, 7, "one"), APR_SUCCESS);
    version = stored(pool).version;
    ck_assert_int_eq(mirror_store_drop_others(&shared->version, &shared->store, 7), 0);
    ck_assert_uint_eq(shared->version, version);
    ck_assert_int_eq(mirror_store_drop_others(&shared->version, &shared->store, 8), 1);
    ck_assert(!stored(pool).text && stored(pool).version > version);
    ck_assert_int_eq(mirror_store_drop_others(&shared->version, &shared->store, 8), 0);
    ck_assert_int_eq(store(version, 7, "two"), APR_EAGAIN);
}
END_TEST

START_TEST(a_text_moves_to_another_store)
{
    static mirror_store_t other;
    apr_uint64_t version = 0, before;
    mirror_store_text_t text;
    int i;

    for (i = 0; i < 3; i++) {
        ck_assert_int_eq(store(stored(pool).version, 7 + i, apr_psprintf(pool, "text %d", i)),
                         APR_SUCCESS);
    }
    before = stored(pool).version;
    mirror_store_move(&version, &other, &shared->version, &shared->store);
    mirror_store_read(&text, &version, &other, pool);
    ck_assert_str_eq(text.text, "text 2");
    ck_assert_uint_eq(text.config, 9);
    ck_assert_int_eq(store(before, 1, "too late"), APR_EAGAIN);
    text = stored(pool); /* for children of before */
    ck_assert_str_eq(text.text, "text 2");
    ck_assert_uint_eq(text.config, 9);
    ck_assert_int_eq(mirror_store_drop(&shared->version, text.version), 1);
    version = 0;
    mirror_store_move(&version, &other, &shared->version, &shared->store); /* there is none */
    ck_assert_uint_eq(version, 0);
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

/* ---- what a process may write that has nothing good in mind ---- */

START_TEST(a_size_and_a_text_without_end_are_bounded)
{
    static mirror_store_t other;
    apr_uint64_t version = 0;
    mirror_store_text_t text;

    memset(&shared->store, 0xff, sizeof(shared->store));
    for (shared->version = 2; shared->version <= 4; shared->version += 2) {
        ck_assert_uint_eq(strlen(stored(pool).text), MIRROR_STORE_SIZE - 1);
        ck_assert_int_eq(
            mirror_store_drop_others(&shared->version, &shared->store, ~(apr_uint64_t)0), 0);
    }
    shared->version = 2;
    mirror_store_move(&version, &other, &shared->version, &shared->store);
    mirror_store_read(&text, &version, &other, pool);
    ck_assert_uint_eq(strlen(text.text), MIRROR_STORE_SIZE - 1);
}
END_TEST

START_TEST(versions_at_their_end)
{
    shared->version = ~(apr_uint64_t)1;
    ck_assert_int_eq(store(shared->version, 1, "a"), APR_EAGAIN);
    ck_assert_int_eq(store(shared->version, 1, NULL), APR_SUCCESS);
    ck_assert_uint_eq(shared->version, ~(apr_uint64_t)0);
    ck_assert(!stored(pool).text);
    ck_assert_int_eq(store(shared->version, 1, "a"), APR_EAGAIN);
    ck_assert_int_eq(store(shared->version, 1, NULL), APR_SUCCESS);
    ck_assert_uint_ne(shared->version, 0);
}
END_TEST

START_TEST(a_version_that_moves_on_for_ever_holds_nobody_up)
{
    static mirror_store_t other;
    apr_uint64_t version = 0;
    pid_t pid = fork();
    int i, status;

    if (pid == 0) {
        for (;;) {
            apr_atomic_add64(&shared->version, 2);
        }
    }
    while (apr_atomic_read64(&shared->version) < 1000) {
    }
    for (i = 0; i < 200; i++) {
        stored(pool);
        mirror_store_drop_others(&shared->version, &shared->store, 1);
        mirror_store_move(&version, &other, &shared->version, &shared->store);
    }
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
}
END_TEST

START_TEST(a_lock_that_nobody_can_have_is_taken)
{
    static const apr_uint64_t locks[] = { ~(apr_uint64_t)0, 0xdeadbeef80000000, 0x7fffffff };
    apr_size_t i;

    for (i = 0; i < sizeof(locks) / sizeof(*locks); i++) {
        shared->lock = locks[i];
        ck_assert_int_eq(store(stored(pool).version, 1, "a"), APR_SUCCESS);
        ck_assert_uint_eq((apr_uint32_t)shared->lock, 0);
    }
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
        apr_uint64_t version = apr_atomic_read64(&shared->version),
                     len = 1 + (version * 7919 + (unsigned)letter) % 9000;
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
    apr_uint64_t last;
    int i, status;

    ck_assert_int_eq(store(0, 1, "a"), APR_SUCCESS);
    last = shared->version + 2 * WRITERS * WRITES; /* each writer's text moves it on by two */
    for (i = 0; i < WRITERS; i++) {
        pids[i] = start_writer('b' + i, WRITES);
    }
    do {
        apr_pool_t *once;

        apr_pool_create(&once, pool);
        text = stored(once);
        check_whole(&text);
        apr_pool_destroy(once);
    } while (text.version < last);
    for (i = 0; i < WRITERS; i++) {
        ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
        ck_assert_int_eq(status, 0);
    }
    ck_assert_uint_eq(shared->version, last);
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

        while (apr_atomic_read64(&shared->version) < begun + 6) {
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
    apr_uint32_t mine = (apr_uint32_t)getpid();
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        apr_atomic_set64(&shared->lock, (apr_uint64_t)7 << 32 | (apr_uint32_t)getpid());
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_uint_eq((apr_uint32_t)shared->lock, pid);
    ck_assert_int_eq(store(0, 1, "a"), APR_SUCCESS);
    ck_assert_int_eq(store(stored(pool).version, 1, "b"), APR_SUCCESS);
    shared->lock = mine; /* a process that came to have the same number would hold it for long */
    mirror_store_lock_release(&shared->lock, mine + 1);
    ck_assert_uint_eq(shared->lock, mine);
    mirror_store_lock_release(&shared->lock, mine);
    ck_assert_uint_eq((apr_uint32_t)shared->lock, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store");
    TCase *tcase = tcase_create("store");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, a_text_is_exchanged);
    tcase_add_test(tcase, what_was_stored_over_another_line_is_dropped);
    tcase_add_test(tcase, a_text_moves_to_another_store);
    tcase_add_test(tcase, long_texts);
    tcase_add_test(tcase, a_size_and_a_text_without_end_are_bounded);
    tcase_add_test(tcase, versions_at_their_end);
    tcase_add_test(tcase, a_version_that_moves_on_for_ever_holds_nobody_up);
    tcase_add_test(tcase, a_lock_that_nobody_can_have_is_taken);
    tcase_add_test(tcase, no_half_of_a_text_and_none_is_lost);
    tcase_add_test(tcase, a_writer_that_is_killed_holds_nobody_up);
    tcase_add_test(tcase, the_lock_of_the_dead_falls_to_the_next);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
