/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_lost.c - the ring of losses: the last ones, by several processes, torn and foreign entries.
 */
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

#include "shared/lost.h"
#include "suite.h"

static apr_pool_t *pool;
static mirror_lost_t *lost;
static mirror_loss_view_t views[MIRROR_LOST_MAX];

static void setup(void)
{
    apr_pool_create(&pool, NULL);
    lost =
        mmap(NULL, mirror_lost_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(lost, MAP_FAILED);
}

static void teardown(void)
{
    munmap(lost, mirror_lost_size());
    apr_pool_destroy(pool);
}

static void add(mirror_outcome_e outcome, mirror_why_e why, apr_status_t rv, const char *target)
{
    mirror_loss_t loss = { outcome, why, rv, "GET", target, 3, strlen(target) };

    mirror_lost_add(lost, &loss);
}

static int count(void)
{
    return mirror_lost_read(views, lost, pool);
}

START_TEST(test_none)
{
    ck_assert_int_eq(count(), 0);
    lost = NULL;
    ck_assert_int_eq(count(), 0);
    add(MIRROR_OUTCOME_BROKEN, 0, 0, "/");
    lost =
        mmap(NULL, mirror_lost_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}
END_TEST

START_TEST(test_what_is_kept)
{
    add(MIRROR_OUTCOME_UNREACHABLE, MIRROR_WHY_CONNECT, ECONNREFUSED, "/a/b?secret=1");
    add(MIRROR_OUTCOME_UNREACHABLE, MIRROR_WHY_UNKNOWN, 0, "*");
    add(MIRROR_OUTCOME_TIMED_OUT, MIRROR_WHY_UNKNOWN, 0, "");
    ck_assert_int_eq(count(), 3);
    ck_assert_str_eq(views[2].method, "GET");
    ck_assert_str_eq(views[2].path, "/a/b");
    ck_assert_str_eq(views[2].why, "the lookup or the connection failed: Connection refused");
    ck_assert_int_eq(views[2].outcome, MIRROR_OUTCOME_UNREACHABLE);
    ck_assert(apr_time_now() - views[2].time < apr_time_from_sec(60));
    ck_assert_str_eq(views[1].path, "*");
    ck_assert_str_eq(views[1].why, "the mirror counted as down");
    ck_assert_str_eq(views[0].path, "");
    ck_assert_str_eq(views[0].why, "no complete response within the timeout");
}
END_TEST

/* Each outcome that is a loss has a reason; the others are not kept. */
START_TEST(test_outcomes)
{
    int i, losses = 0;

    for (i = 0; i < MIRROR_OUTCOME_COUNT; i++) {
        add((mirror_outcome_e)i, MIRROR_WHY_UNKNOWN, 0, "/");
        losses += mirror_lost_is_loss((mirror_outcome_e)i);
        ck_assert_int_eq(count(), losses);
        if (mirror_lost_is_loss((mirror_outcome_e)i)) {
            ck_assert_int_eq(views[0].outcome, i);
            ck_assert_str_ne(views[0].why, "unknown");
        }
    }
    ck_assert_int_eq(losses, 10);
    ck_assert(!mirror_lost_is_loss(MIRROR_OUTCOME_MIRRORED));
    ck_assert(!mirror_lost_is_loss(MIRROR_OUTCOME_LIMITED));
    ck_assert(!mirror_lost_is_loss(MIRROR_OUTCOME_NONE));
}
END_TEST

START_TEST(test_the_last_ones)
{
    int i;

    for (i = 1; i <= 100; i++) {
        add(MIRROR_OUTCOME_BROKEN, 0, 0, apr_psprintf(pool, "/%d", i));
        ck_assert_int_eq(count(), i < MIRROR_LOST_MAX ? i : MIRROR_LOST_MAX);
    }
    for (i = 0; i < MIRROR_LOST_MAX; i++) {
        ck_assert_str_eq(views[i].path, apr_psprintf(pool, "/%d", 100 - i));
    }
}
END_TEST

/* Any bytes and any length: printable UTF-8 of at most that many bytes. */
START_TEST(test_texts)
{
    char path[400];
    mirror_loss_t loss = { MIRROR_OUTCOME_BROKEN, 0, 0, path, path, 0, 0 };
    apr_size_t len;
    int i;

    for (len = 0; len < sizeof(path); len++) {
        for (i = 0; i < (int)len; i++) {
            path[i] = (char)(i % 3 ? 'a' : i * 7);
        }
        loss.method_len = loss.target_len = len;
        mirror_lost_add(lost, &loss);
        ck_assert_int_ge(count(), 1);
        ck_assert_uint_le(strlen(views[0].path), MIRROR_LOST_PATH);
        ck_assert_uint_le(strlen(views[0].method), MIRROR_LOST_METHOD);
        for (i = 0; views[0].path[i]; i++) {
            ck_assert((unsigned char)views[0].path[i] >= 0x20);
        }
    }
    memset(path, 'x', sizeof(path));
    mirror_lost_add(lost, &loss);
    ck_assert_int_eq(count(), MIRROR_LOST_MAX);
    ck_assert_str_eq(views[0].path + MIRROR_LOST_PATH - 5, "xx...");
}
END_TEST

/* Whichever word of an entry is another's, the entry is torn; the others remain. */
START_TEST(test_torn)
{
    apr_uint64_t *words = (apr_uint64_t *)lost;
    apr_size_t i, n = mirror_lost_size() / sizeof(*words);
    int torn = 0, found;

    for (i = 0; i < MIRROR_LOST_MAX; i++) {
        add(MIRROR_OUTCOME_BROKEN, 0, 0, "/a/path/of/some/length");
    }
    ck_assert_int_eq(count(), MIRROR_LOST_MAX);
    for (i = 1; i < n; i++) {
        apr_uint64_t before = words[i];

        words[i] ^= APR_UINT64_C(0x0100000000000001);
        found = count();
        /* not of a word behind the end of the path, which is not read */
        ck_assert(found == MIRROR_LOST_MAX - 1 || (found == MIRROR_LOST_MAX && before == 0));
        torn += found != MIRROR_LOST_MAX;
        words[i] = before;
    }
    ck_assert_int_ge(torn, MIRROR_LOST_MAX * 8);
    ck_assert_int_eq(count(), MIRROR_LOST_MAX);
}
END_TEST

/* Foreign bytes: what is returned has bounds. */
START_TEST(test_foreign)
{
    unsigned char *bytes = (unsigned char *)lost;
    apr_size_t i, size = mirror_lost_size();
    unsigned random = 1;
    int round, found;

    for (round = 0; round < 2000; round++) {
        for (i = 0; i < size; i++) {
            random = random * 1664525u + 1013904223u;
            bytes[i] = round % 4 == 0 ? 0xff : (unsigned char)(random >> 24);
        }
        found = count();
        ck_assert_int_le(found, MIRROR_LOST_MAX);
        add(MIRROR_OUTCOME_BROKEN, 0, 0, "/x");
        apr_pool_clear(pool);
    }
}
END_TEST

#define WRITERS 4

/* Several processes write, and are killed while they do; each entry that is read is whole. */
START_TEST(test_processes)
{
    char paths[WRITERS][100];
    pid_t children[WRITERS], parent = getpid();
    int i, j, seen = 0;

    for (i = 0; i < WRITERS; i++) {
        apr_snprintf(paths[i], sizeof(paths[i]), "/%d%0*d", i, 10 + 20 * i, i);
        children[i] = fork();
        while (children[i] == 0 && getppid() == parent) {
            add(MIRROR_OUTCOME_BROKEN, (mirror_why_e)(i + 1), 0, paths[i]);
        }
        if (children[i] == 0) {
            _exit(0);
        }
    }
    for (j = 0; j < 2000 || seen < 100; j++) {
        int found = count(), k;

        for (k = 0; k < found; k++) {
            ck_assert_str_eq(views[k].path, paths[(views[k].path[1] - '0') % WRITERS]);
            ck_assert(k == 0 || views[k].number < views[k - 1].number);
        }
        seen += found;
        apr_pool_clear(pool);
    }
    for (i = 0; i < WRITERS; i++) {
        kill(children[i], SIGKILL);
        ck_assert_int_eq(waitpid(children[i], NULL, 0), children[i]);
    }
    for (i = 0; i < MIRROR_LOST_MAX; i++) { /* what they have torn is replaced */
        add(MIRROR_OUTCOME_BROKEN, 0, 0, "/after");
    }
    ck_assert_int_eq(count(), MIRROR_LOST_MAX);
    ck_assert_str_eq(views[MIRROR_LOST_MAX - 1].path, "/after");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lost");
    TCase *test = tcase_create("all");

    apr_initialize();
    tcase_add_checked_fixture(test, setup, teardown);
    tcase_add_test(test, test_none);
    tcase_add_test(test, test_what_is_kept);
    tcase_add_test(test, test_outcomes);
    tcase_add_test(test, test_the_last_ones);
    tcase_add_test(test, test_texts);
    tcase_add_test(test, test_torn);
    tcase_add_test(test, test_foreign);
    tcase_add_test(test, test_processes);
    suite_add_tcase(suite, test);
    return suite_run(suite);
}
