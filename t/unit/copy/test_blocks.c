/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_blocks.c - blocks that are kept: which one comes back, how many are kept and for how long,
 * threads that race, and bytes that are copied into a block.
 */
#include <apr_atomic.h>
#include <apr_general.h>
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "copy/blocks.h"
#include "suite.h"

enum { SIZE = 4096, MOST = 8, THREADS = 4, HELD = 5, TURNS = 50000 };

static apr_pool_t *pool;
static mirror_blocks_t *blocks;

static void setup(void)
{
    apr_pool_create(&pool, NULL);
    blocks = mirror_blocks_create(pool, SIZE, MOST);
}

static void teardown(void)
{
    while (mirror_blocks_trim(blocks) > 0) {
    }
    apr_pool_destroy(pool);
}

/* All calls up to the one that frees. Those before free nothing. */
static apr_uint32_t trim(void)
{
    apr_uint32_t before = mirror_blocks_trim(blocks);
    int i;

    for (i = 2; i < MIRROR_BLOCKS_CALLS; i++) {
        ck_assert_uint_eq(mirror_blocks_trim(blocks), before);
    }
    return mirror_blocks_trim(blocks);
}

/* Take `n` blocks, and give them back. */
static void use(int n)
{
    void *taken[2 * MOST];
    int i;

    for (i = 0; i < n; i++) {
        taken[i] = mirror_blocks_take(blocks);
        ck_assert_ptr_nonnull(taken[i]);
        memset(taken[i], i, SIZE);
    }
    for (i = 0; i < n; i++) {
        mirror_blocks_give(blocks, taken[i]);
    }
}

START_TEST(the_last_one_is_the_first)
{
    void *first = mirror_blocks_take(blocks), *second = mirror_blocks_take(blocks);

    ck_assert_ptr_ne(first, second);
    mirror_blocks_give(blocks, first);
    mirror_blocks_give(blocks, second);
    ck_assert_ptr_eq(mirror_blocks_take(blocks), second);
    ck_assert_ptr_eq(mirror_blocks_take(blocks), first);
    mirror_blocks_give(blocks, second);
    mirror_blocks_give(blocks, first);
}
END_TEST

START_TEST(no_more_are_kept_than_that)
{
    use(2 * MOST);
    ck_assert_uint_eq(trim(), MOST);
}
END_TEST

START_TEST(what_is_not_needed_is_freed)
{
    use(MOST);
    ck_assert_uint_eq(trim(), MOST); /* they were needed */
    use(3);
    use(2);
    ck_assert_uint_eq(trim(), 3);
    use(3);
    ck_assert_uint_eq(trim(), 3);
    ck_assert_uint_eq(trim(), 0);
    use(1);
    ck_assert_uint_eq(trim(), 1);
}
END_TEST

START_TEST(none_may_be_kept)
{
    blocks = mirror_blocks_create(pool, SIZE, 0);
    use(MOST);
    ck_assert_uint_eq(trim(), 0);
}
END_TEST

/* Around a line of the cache and the minimum that bypasses it; nothing beside the bytes changes. */
START_TEST(bytes_are_filled_in)
{
    static char from[SIZE], to[SIZE + 128], expected[sizeof(to)];
    apr_size_t offset, len;
    int i;

    for (i = 0; i < SIZE; i++) {
        from[i] = (char)(i * 31 + i / 251);
    }
    for (offset = 0; offset < 65; offset++) {
        for (len = 0; len <= SIZE - 65; len += len < 200 || len > 1000 ? 1 + len / 128 : 100) {
            memset(to, '.', sizeof(to));
            memset(expected, '.', sizeof(expected));
            memcpy(expected + offset, from + offset / 3, len);
            mirror_blocks_fill(to + offset, from + offset / 3, len, _i);
            ck_assert_int_eq(memcmp(to, expected, sizeof(to)), 0);
        }
    }
}
END_TEST

/* Each writes its own name into the blocks that it has, and finds it there when it looks again. */
static void *race(void *name)
{
    apr_uint32_t *had[HELD];
    int i, n;

    for (i = 0; i < TURNS; i++) {
        for (n = 0; n < HELD; n++) {
            had[n] = mirror_blocks_take(blocks);
            *had[n] = *(apr_uint32_t *)name + (apr_uint32_t)n;
        }
        for (n = 0; n < HELD; n++) {
            if (*had[n] != *(apr_uint32_t *)name + (apr_uint32_t)n) {
                return name;
            }
        }
        for (n = 0; n < HELD; n++) {
            mirror_blocks_give(blocks, had[n]);
        }
    }
    return NULL;
}

START_TEST(nobody_has_a_block_of_another)
{
    static apr_uint32_t names[THREADS] = { 100, 200, 300, 400 };
    pthread_t threads[THREADS];
    void *failed;
    int i;

    for (i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, race, &names[i]), 0);
    }
    for (i = 0; i < TURNS / 100; i++) {
        ck_assert_uint_le(mirror_blocks_trim(blocks), MOST);
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &failed);
        ck_assert_ptr_null(failed);
    }
    for (i = 0; i < 2 * MIRROR_BLOCKS_CALLS; i++) {
        mirror_blocks_trim(blocks);
    }
    ck_assert_uint_eq(mirror_blocks_trim(blocks), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("blocks");
    TCase *tcase = tcase_create("blocks");

    apr_initialize();
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, the_last_one_is_the_first);
    tcase_add_test(tcase, no_more_are_kept_than_that);
    tcase_add_test(tcase, what_is_not_needed_is_freed);
    tcase_add_test(tcase, none_may_be_kept);
    tcase_add_loop_test(tcase, bytes_are_filled_in, 0, 2);
    tcase_add_test(tcase, nobody_has_a_block_of_another);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
