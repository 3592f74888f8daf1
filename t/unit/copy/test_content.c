/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_content.c - the content that the copies of a request share: its bytes are stored once, each
 * holder is charged, one without room leaves the others alone, and the last one frees it.
 */
#include <apr_atomic.h>
#include <apr_general.h>
#include <apr_thread_proc.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "copy/content.h"
#include "copy/copy.h"
#include "copy/share.h"
#include "copy/spool.h"
#include "shared/table.h"
#include "suite.h"

enum { LANES = 4, PIECE = 10007, MEMORY = 16 << 20, SPOOL = 8 << 20 };

static apr_pool_t *pool;
static mirror_t mirror;
static apr_array_header_t list;
static mirror_registry_t registry;
static mirror_child_t child;
static mirror_cell_t cells[LANES];
static mirror_lane_t lanes[LANES];
static mirror_holder_t holders[LANES];
static mirror_content_t *watched;

/* In place of the system's. Under prefork a child may end in it, and then frees what is in the list. */
int munmap(void *data, size_t size)
{
    const mirror_block_t *block = watched ? watched->first : NULL;

    for (; block; block = block->next) {
        ck_assert_ptr_ne(block->data, data);
    }
    return (int)syscall(SYS_munmap, data, size);
}

static int wake(void *baton)
{
    (void)baton;
    return 1;
}

static void setup(void)
{
    const char *dir;
    int i;

    apr_pool_create(&pool, NULL);
    mirror.name = "m";
    ck_assert_int_eq(apr_temp_dir_get(&dir, pool), APR_SUCCESS);
    list.nelts = LANES;
    registry.mirrors = &list;
    registry.memory = MEMORY;
    registry.spool_dir = dir;
    registry.spool_size = SPOOL;
    memset(&child, 0, sizeof(child));
    child.registry = &registry;
    child.descriptors_max = 20;
    child.queue = mirror_queue_create(pool, wake, NULL);
    mirror_copy_start(&child, pool);
    mirror_spool_start(&child, pool, NULL);
    memset(cells, 0, sizeof(cells));
    memset(lanes, 0, sizeof(lanes));
    memset(holders, 0, sizeof(holders));
    for (i = 0; i < LANES; i++) {
        lanes[i].mirror = &mirror;
        lanes[i].child = &child;
        lanes[i].cell = &cells[i];
    }
}

/* Whatever happened, everything that was charged is given back. */
static void teardown(void)
{
    int i;

    for (i = 0; i < LANES; i++) {
        ck_assert_uint_eq(lanes[i].memory, 0);
        ck_assert_uint_eq(lanes[i].spooled, 0);
        ck_assert_uint_eq(lanes[i].files, 0);
        ck_assert_uint_eq(cells[i].bytes, 0);
    }
    ck_assert_uint_eq(child.memory.used, 0);
    ck_assert_uint_eq(child.descriptors, 0);
    apr_pool_destroy(pool);
}

static char byte_at(apr_size_t n)
{
    return (char)(n * 31 + n / 4099);
}

/* Create a content with `n` holders. */
static mirror_content_t *join(int n)
{
    mirror_content_t *content = mirror_content_create(&child, 0);
    int i;

    for (i = 0; i < n; i++) {
        mirror_content_join(content, &holders[i], &lanes[i]);
    }
    return content;
}

/* Append bytes up to `end`. */
static void fill(mirror_content_t *content, apr_size_t end)
{
    char data[PIECE];

    while ((content->holders || content->twin) && content->len < (apr_off_t)end) {
        apr_size_t at = (apr_size_t)content->len, i;
        apr_size_t piece = end - at < PIECE ? end - at : PIECE;

        for (i = 0; i < piece; i++) {
            data[i] = byte_at(at + i);
        }
        mirror_content_append(content, data, piece);
    }
}

static void leave(int first, int end)
{
    for (; first < end; first++) {
        mirror_content_leave(&holders[first]);
        ck_assert_uint_eq(lanes[first].memory, 0);
        ck_assert_uint_eq(lanes[first].spooled, 0);
    }
}

/* The bytes of the file, then those of the blocks, are the appended ones. */
static void assert_bytes(mirror_content_t *content, apr_size_t len)
{
    apr_size_t file = content->spool ? (apr_size_t)mirror_spool_length(content->spool) : 0;
    apr_size_t at = 0, n, i;
    char data[PIECE];
    const mirror_block_t *block;

    for (; at < file; at += n) {
        n = file - at < PIECE ? file - at : PIECE;
        ck_assert_int_eq(mirror_spool_read(content->spool, (apr_off_t)at, data, &n), APR_SUCCESS);
        for (i = 0; i < n && data[i] == byte_at(at + i); i++) {
        }
        ck_assert_uint_eq(i, n);
    }
    for (block = content->first; block; block = block->next) {
        for (i = 0; i < block->len && block->data[i] == byte_at(at + i); i++) {
        }
        ck_assert_uint_eq(i, block->len);
        at += block->len;
    }
    ck_assert_uint_eq(at, len);
}

/* Only the sender frees what is cached, so a request that ends the last copy caches nothing. */
START_TEST(bytes_are_stored_once_and_charged_to_each)
{
    mirror_content_t *content = join(3);
    const mirror_block_t *block;
    apr_size_t capacity = 0;

    fill(content, 1 << 20);
    mirror_content_complete(content);
    assert_bytes(content, 1 << 20);
    for (block = content->first; block; block = block->next) {
        capacity += block->size;
    }
    ck_assert_uint_lt(capacity, (1 << 20) + 2 * 65536);
    ck_assert_uint_ge(lanes[0].memory, 1 << 20);
    ck_assert_uint_eq(lanes[1].memory, lanes[0].memory);
    ck_assert_uint_eq(lanes[2].memory, lanes[0].memory);
    ck_assert_uint_eq(child.memory.used, 3 * lanes[0].memory);
    ck_assert_uint_eq(cells[1].bytes, lanes[1].memory);
    holders[_i ? 2 : 0].pushed = 1;
    leave(0, 2);
    assert_bytes(content, 1 << 20); /* the last one still has all */
    leave(2, 3);
    ck_assert_int_eq(mirror_content_trim(&child), _i);
}
END_TEST

/* Bytes of MEMORY after which a body has no room beyond its first 64 KiB, which still have: for
 * the only mirror that uses memory, one of two, one of three, and one after the only one. */
enum { ONLY = 6 << 20, OF_TWO = 5 << 20, OF_THREE = 15 << 18, SECOND = 4 << 20 };

static void use_memory(int lane, apr_uint64_t bytes)
{
    ck_assert_int_eq(mirror_share_take(&child.memory, &lanes[lane].memory, bytes), 1);
}

static void release_memory(int lane, apr_uint64_t bytes)
{
    mirror_share_give(&child.memory, &lanes[lane].memory, bytes);
}

/* If no mirror has room in memory, one file serves all. */
START_TEST(one_file_serves_all)
{
    mirror_content_t *content;
    int i;

    for (i = 0; i < 3; i++) {
        use_memory(i, OF_THREE);
    }
    content = join(3);
    fill(content, 1 << 20);
    mirror_content_complete(content);
    ck_assert_ptr_nonnull(content->spool);
    assert_bytes(content, 1 << 20);
    ck_assert_uint_eq(lanes[0].spooled, (apr_uint64_t)mirror_spool_length(content->spool));
    ck_assert_uint_eq(lanes[2].spooled, lanes[0].spooled);
    ck_assert_uint_lt(child.memory.used, 3 * (OF_THREE + 100000));
    mirror_content_leave(&holders[0]);
    mirror_content_leave(&holders[2]);
    assert_bytes(content, 1 << 20);
    mirror_content_leave(&holders[1]);
    for (i = 0; i < 3; i++) {
        release_memory(i, OF_THREE);
    }
}
END_TEST

/* The others stay in memory, and are charged no disk. */
START_TEST(one_without_memory_goes_to_disk_alone)
{
    mirror_content_t *content;

    use_memory(1, ONLY);
    content = join(3);
    fill(content, 1 << 20);
    mirror_content_complete(content);
    ck_assert_ptr_null(content->spool);
    assert_bytes(content, 1 << 20);
    ck_assert_ptr_ne(holders[1].content, content);
    ck_assert_ptr_nonnull(holders[1].content->spool);
    assert_bytes(holders[1].content, 1 << 20);
    ck_assert_uint_lt(lanes[1].memory, ONLY + 100000);
    ck_assert_uint_gt(lanes[1].spooled, 900000);
    ck_assert_uint_eq(lanes[0].spooled, 0);
    ck_assert_uint_gt(lanes[0].memory, 1 << 20);
    ck_assert_uint_eq(lanes[2].memory, lanes[0].memory);
    leave(0, 1);
    leave(2, 3);
    assert_bytes(holders[1].content, 1 << 20);
    mirror_content_leave(&holders[1]);
    release_memory(1, ONLY);
}
END_TEST

/* A disk that cannot be written drops only the copy that needs it. */
START_TEST(bad_disk_drops_only_what_needs_it)
{
    mirror_content_t *content;

    registry.spool_dir = "/nonexistent";
    child.spools = NULL;
    mirror_spool_start(&child, pool, NULL);
    use_memory(1, ONLY);
    content = join(3);
    fill(content, 1 << 17);
    ck_assert_int_eq(holders[1].refused, 1);
    mirror_content_leave(&holders[1]);
    fill(content, 1 << 20);
    mirror_content_complete(content);
    ck_assert_int_eq(holders[0].refused + holders[2].refused, 0);
    assert_bytes(content, 1 << 20);
    leave(0, 1);
    leave(2, 3);
    release_memory(1, ONLY);
}
END_TEST

/* A second one joins the first one on disk, within a call or between two; the third one leaves. */
START_TEST(others_follow_to_disk)
{
    apr_size_t at;

    for (at = 300000; at < 300000 + 3 * 65536; at += 30001) {
        mirror_content_t *content, *twin;

        memset(holders, 0, sizeof(holders));
        use_memory(1, ONLY);
        content = join(3);
        fill(content, at);
        twin = holders[1].content;
        ck_assert_ptr_eq(content->twin, twin);
        watched = content;
        use_memory(0, SECOND);
        fill(content, at + 200000);
        ck_assert_ptr_eq(holders[0].content, twin);
        ck_assert_uint_eq(lanes[0].spooled, lanes[1].spooled);
        ck_assert_uint_lt(lanes[0].memory, SECOND + 100000);
        mirror_content_leave(&holders[2]); /* the content has no holder, but its twin has */
        ck_assert_uint_eq(lanes[2].memory, 0);
        ck_assert_uint_eq(content->capacity, 0); /* nobody is charged for it */
        watched = NULL;
        fill(content, 1 << 20);
        mirror_content_complete(content);
        mirror_content_leave(&holders[0]);
        assert_bytes(twin, 1 << 20);
        mirror_content_leave(&holders[1]);
        release_memory(0, SECOND);
        release_memory(1, ONLY);
    }
}
END_TEST

/* A copy on disk ends before the body is complete, and another one needs the disk afterwards. */
START_TEST(one_on_disk_leaves_before_the_end)
{
    mirror_content_t *content;

    use_memory(1, ONLY);
    content = join(2);
    fill(content, 300000);
    ck_assert_ptr_nonnull(content->twin);
    mirror_content_leave(&holders[1]);
    ck_assert_ptr_null(content->twin);
    fill(content, 600000);
    ck_assert_uint_eq(lanes[0].spooled, 0);
    watched = content;
    use_memory(0, SECOND);
    fill(content, 1 << 20);
    watched = NULL;
    mirror_content_complete(content);
    ck_assert_ptr_nonnull(content->spool); /* no other holder is left */
    assert_bytes(content, 1 << 20);
    mirror_content_leave(&holders[0]);
    release_memory(0, SECOND);
    release_memory(1, ONLY);
}
END_TEST

/* A mirror without room for the first blocks. */
START_TEST(one_without_memory_leaves_the_others_alone)
{
    apr_uint64_t all = MEMORY / 2 - 20000;
    mirror_content_t *content;

    ck_assert_int_eq(mirror_share_take(&child.memory, &lanes[1].memory, all), 1);
    content = join(3);
    fill(content, 40000);
    ck_assert_int_eq(holders[0].refused, 0);
    ck_assert_int_eq(holders[1].refused, 1);
    ck_assert_int_eq(holders[2].refused, 0);
    mirror_content_leave(&holders[1]);
    ck_assert_uint_eq(lanes[1].memory, all);
    fill(content, 300000);
    mirror_content_complete(content);
    assert_bytes(content, 300000);
    leave(0, 1);
    leave(2, 3);
    mirror_share_give(&child.memory, &lanes[1].memory, all);
}
END_TEST

/* Of two that need the disk, one has no room there. */
START_TEST(one_without_disk_leaves_the_others_alone)
{
    apr_uint64_t charged = 0;
    mirror_content_t *content;

    use_memory(0, OF_TWO);
    use_memory(2, OF_TWO);
    ck_assert_int_eq(mirror_spool_charge(&lanes[2], &charged, SPOOL / 2 - 100000), 1);
    content = join(3);
    fill(content, 900000);
    ck_assert_int_eq(holders[0].refused, 0);
    ck_assert_int_eq(holders[1].refused, 0);
    ck_assert_int_eq(holders[2].refused, 1);
    ck_assert_uint_gt(holders[2].spooled, 0);
    mirror_content_leave(&holders[2]);
    ck_assert_uint_eq(lanes[2].spooled, charged);
    mirror_content_complete(content);
    assert_bytes(content, 900000);
    assert_bytes(holders[0].content, 900000);
    mirror_content_leave(&holders[0]);
    leave(1, 2);
    mirror_spool_release(&lanes[2], charged);
    release_memory(0, OF_TWO);
    release_memory(2, OF_TWO);
}
END_TEST

/* A copy can end before the body is complete, first, in between and last. */
START_TEST(one_leaves_before_the_end)
{
    int gone;

    for (gone = 0; gone < 3; gone++) {
        mirror_content_t *content = join(3);

        fill(content, 100000);
        mirror_content_leave(&holders[gone]);
        fill(content, 200000);
        ck_assert_uint_eq(lanes[gone].memory, 0);
        mirror_content_complete(content);
        assert_bytes(content, 200000);
        leave(0, 3); /* a holder that has left is no holder */
    }
}
END_TEST

START_TEST(all_without_room)
{
    apr_uint64_t charged[2] = { 0, 0 };
    mirror_content_t *content;
    int i;

    for (i = 0; i < 2; i++) {
        mirror_spool_charge(&lanes[i], &charged[i], SPOOL / 8);
        ck_assert_int_eq(mirror_share_take(&child.memory, &lanes[i].memory, MEMORY / 4), 1);
    }
    registry.spool_size = 1;
    content = join(2);
    fill(content, SPOOL);
    ck_assert_ptr_null(content->holders);
    ck_assert_int_eq(holders[0].refused, 1);
    ck_assert_int_eq(holders[1].refused, 1);
    for (i = 0; i < 2; i++) {
        mirror_content_leave(&holders[i]);
        mirror_spool_release(&lanes[i], charged[i]);
        mirror_share_give(&child.memory, &lanes[i].memory, MEMORY / 4);
    }
}
END_TEST

/* The copies of a pushed content end on two threads: the last one frees it, and nothing is freed
 * twice or charged for good. */
static mirror_content_t *contents[1000];
static mirror_holder_t pairs[1000][2];

static void *APR_THREAD_FUNC leave_all(apr_thread_t *thread, void *which)
{
    int i;

    (void)thread;
    for (i = 0; i < 1000; i++) {
        mirror_content_leave(&pairs[i][which != NULL]);
    }
    return NULL;
}

START_TEST(two_threads_leave)
{
    apr_thread_t *threads[2];
    apr_status_t rv;
    int i;

    memset(pairs, 0, sizeof(pairs));
    for (i = 0; i < 1000; i++) {
        contents[i] = mirror_content_create(&child, 0);
        mirror_content_join(contents[i], &pairs[i][0], &lanes[0]);
        mirror_content_join(contents[i], &pairs[i][1], &lanes[1]);
        mirror_content_append(contents[i], "some bytes", 10);
        mirror_content_complete(contents[i]);
    }
    ck_assert_int_eq(holders[0].refused, 0);
    for (i = 0; i < 2; i++) {
        rv = apr_thread_create(&threads[i], NULL, leave_all, i ? &child : NULL, pool);
        ck_assert_int_eq(rv, APR_SUCCESS);
    }
    for (i = 0; i < 2; i++) {
        apr_thread_join(&rv, threads[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("content");
    TCase *tcase = tcase_create("content");

    apr_initialize();
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 30);
    tcase_add_loop_test(tcase, bytes_are_stored_once_and_charged_to_each, 0, 2);
    tcase_add_test(tcase, one_file_serves_all);
    tcase_add_test(tcase, one_without_memory_goes_to_disk_alone);
    tcase_add_test(tcase, bad_disk_drops_only_what_needs_it);
    tcase_add_test(tcase, others_follow_to_disk);
    tcase_add_test(tcase, one_on_disk_leaves_before_the_end);
    tcase_add_test(tcase, one_without_memory_leaves_the_others_alone);
    tcase_add_test(tcase, one_without_disk_leaves_the_others_alone);
    tcase_add_test(tcase, one_leaves_before_the_end);
    tcase_add_test(tcase, all_without_room);
    tcase_add_test(tcase, two_threads_leave);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
