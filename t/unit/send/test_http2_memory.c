/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_http2_memory.c - blocks of a connection of HTTP/2: their bytes, their use again, their end.
 */
#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "send/http2_memory.h"
#include "suite.h"

enum { SIZES = 2 * MIRROR_HTTP2_MEMORY_MAX };

static mirror_http2_memory_t memory;
static unsigned char *blocks[SIZES];

static void setup(void)
{
    memset(&memory, 0, sizeof(memory));
}

static void teardown(void)
{
    mirror_http2_memory_destroy(&memory);
}

static void check_bytes(const unsigned char *data, unsigned char byte, size_t len)
{
    size_t i = 0;

    while (i < len && data[i] == byte) {
        i++;
    }
    ck_assert_uint_eq(i, len);
}

START_TEST(blocks_of_all_sizes_are_apart)
{
    size_t n, turn;

    for (turn = 0; turn < 3; turn++) {
        for (n = 0; n < SIZES; n++) {
            blocks[n] = mirror_http2_memory_malloc(n, &memory);
            ck_assert_ptr_nonnull(blocks[n]);
            ck_assert_uint_eq((uintptr_t)blocks[n] % 16, 0);
            memset(blocks[n], (int)(n % 251), n);
        }
        for (n = 0; n < SIZES; n++) {
            check_bytes(blocks[n], (unsigned char)(n % 251), n);
            mirror_http2_memory_free(blocks[n], &memory);
        }
    }
    mirror_http2_memory_free(NULL, &memory);
}
END_TEST

START_TEST(freed_blocks_need_no_more_memory)
{
    const mirror_http2_slab_t *slabs;
    char *rest;
    int i;

    for (i = 0; i < 1000; i++) {
        blocks[i] = mirror_http2_memory_malloc(100, &memory);
    }
    slabs = memory.slabs;
    rest = memory.rest;
    while (i-- > 0) {
        mirror_http2_memory_free(blocks[i], &memory);
    }
    for (i = 0; i < 1000; i++) {
        blocks[i] = mirror_http2_memory_malloc(100, &memory);
    }
    ck_assert_ptr_eq(memory.slabs, slabs);
    ck_assert_ptr_eq(memory.rest, rest);
    while (i-- > 0) {
        mirror_http2_memory_free(blocks[i], &memory);
    }
}
END_TEST

START_TEST(calloc_clears)
{
    unsigned char *data = mirror_http2_memory_malloc(64, &memory);

    memset(data, 0xff, 64);
    mirror_http2_memory_free(data, &memory);
    data = mirror_http2_memory_calloc(8, 8, &memory);
    check_bytes(data, 0, 64);
    mirror_http2_memory_free(data, &memory);
    ck_assert_ptr_null(mirror_http2_memory_calloc(SIZE_MAX / 2, 3, &memory));
    ck_assert_ptr_null(mirror_http2_memory_malloc(SIZE_MAX, &memory));
    data = mirror_http2_memory_calloc(0, 8, &memory);
    ck_assert_ptr_nonnull(data);
    mirror_http2_memory_free(data, &memory);
}
END_TEST

START_TEST(realloc_keeps_bytes)
{
    unsigned char *data = mirror_http2_memory_realloc(NULL, 10, &memory);
    size_t n;

    memset(data, 7, 10);
    for (n = 11; n < SIZES; n += 13) {
        data = mirror_http2_memory_realloc(data, n, &memory);
        ck_assert_ptr_nonnull(data);
        check_bytes(data, 7, n < 24 ? 10 : n - 13);
        memset(data, 7, n);
    }
    data = mirror_http2_memory_realloc(data, 1, &memory);
    check_bytes(data, 7, 1);
    mirror_http2_memory_free(data, &memory);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http2_memory");
    TCase *tcase = tcase_create("http2_memory");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, blocks_of_all_sizes_are_apart);
    tcase_add_test(tcase, freed_blocks_need_no_more_memory);
    tcase_add_test(tcase, calloc_clears);
    tcase_add_test(tcase, realloc_keeps_bytes);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
