/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_spool.c - bodies on disk, and how a connection sends them: in turn with others, or not at
 * all.
 */
#include <apr_general.h>
#include <apr_portable.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "copy/share.h"
#include "copy/spool.h"
#include "send/connection.h"
#include "send/http1.h"
#include "shared/table.h"
#include "suite.h"

enum { LENGTH = 5 << 20, BUFFER = 16384, PIECE = 10007, MEMORY = 4 << 20 };

static apr_pool_t *pool;
static mirror_slot_t slot;
static mirror_cell_t cell;
static mirror_settings_t settings;
static mirror_t mirror;
static apr_array_header_t list;
static mirror_registry_t registry;
static mirror_child_t child;
static mirror_lane_t lane;
static mirror_connections_t shared;
static mirror_connection_t *connection;
static int woken;
static int ended;                   /* how often */
static mirror_connection_end_e how; /* the last one */
static char *sent;                  /* what a mirror would have got */
static apr_size_t sent_len;
static int short_writes; /* how many of the next calls of writev() write a part alone */

/* ---- a disk that takes what it has room for ---- */

/* The one that libapr gets: its files are all that is written to here. */
ssize_t writev(int fd, const struct iovec *iov, int n) __attribute__((visibility("default")));

ssize_t writev(int fd, const struct iovec *iov, int n)
{
    ssize_t all = 0, part;
    int i;

    for (i = 0; i < n; i++, all += part) {
        apr_size_t len = iov[i].iov_len;

        if (short_writes > 0 && (i > 0 || n == 1)) { /* not before the second, if there is one */
            short_writes--;
            part = write(fd, iov[i].iov_base, len / 3);
            return part < 0 ? part : all + part;
        }
        part = write(fd, iov[i].iov_base, len);
        if (part < 0) {
            return part;
        }
    }
    return all;
}

/* ---- a mirror that takes all, and says nothing ---- */

static apr_status_t take(mirror_wire_t *wire, const struct iovec *iov, int n, apr_size_t *written)
{
    int i;

    (void)wire;
    *written = 0;
    for (i = 0; i < n; i++) {
        memcpy(sent + sent_len, iov[i].iov_base, iov[i].iov_len);
        sent_len += iov[i].iov_len;
        *written += iov[i].iov_len;
    }
    return APR_SUCCESS;
}

static apr_status_t drop_message(mirror_wire_t *wire, char *buffer, apr_size_t *len)
{
    (void)wire;
    (void)buffer;
    (void)len;
    return APR_EAGAIN;
}

static const mirror_transport_t greedy = { NULL, drop_message, take, NULL, NULL, 1, NULL };

static void on_end(void *baton, mirror_connection_t *c, mirror_copy_t *copy,
                   const mirror_result_t *result)
{
    (void)baton;
    (void)c;
    ended++;
    how = result->how;
    mirror_copy_end(copy, MIRROR_OUTCOME_MIRRORED);
}

static void on_closed(void *baton, mirror_connection_t *c)
{
    (void)baton;
    mirror_connection_close(c);
}

/* End the copy in flight. */
static void give_up(void)
{
    mirror_copy_end(mirror_connection_abandon(connection), MIRROR_OUTCOME_MIRRORED);
    mirror_connection_close(connection);
}

static int wake(void *baton)
{
    (void)baton;
    woken++;
    return 1;
}

/* ---- the stage ---- */

static void connect_it(void)
{
    apr_pool_t *own = mirror_memory_pool_create("connection");
    apr_os_sock_t fds[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    connection = apr_pcalloc(own, sizeof(*connection));
    connection->pool = own;
    connection->protocol = &mirror_http1_protocol;
    connection->wire.transport = &greedy;
    apr_os_sock_put(&connection->wire.socket, &fds[0], own);
    ck_assert_int_eq(mirror_connection_adopt(connection, &shared), APR_SUCCESS);
}

static void setup(void)
{
    const char *dir;

    apr_pool_create(&pool, NULL);
    memset(&settings, 0, sizeof(settings));
    settings.max_connections = settings.max_queue = 100;
    settings.max_body = 100 << 20;
    settings.timeout = apr_time_from_sec(100);
    mirror.name = "m";
    mirror.settings = &settings;
    mirror.slot = &slot;
    ck_assert_int_eq(apr_temp_dir_get(&dir, pool), APR_SUCCESS);
    list.nelts = 1;
    registry.mirrors = &list;
    registry.memory = MEMORY;
    registry.spool_dir = dir;
    registry.spool_size = LENGTH;
    memset(&child, 0, sizeof(child));
    child.registry = &registry;
    mirror_copy_start(&child, pool);
    child.descriptors_max = 6;
    child.queue = mirror_queue_create(pool, wake, NULL);
    memset(&cell, 0, sizeof(cell));
    memset(&lane, 0, sizeof(lane));
    lane.mirror = &mirror;
    lane.child = &child;
    lane.cell = &cell;
    mirror_spool_start(&child, pool, NULL);
    memset(&shared, 0, sizeof(shared));
    ck_assert_int_eq(mirror_loop_create(&shared.loop, pool), APR_SUCCESS);
    shared.buffer = apr_palloc(pool, BUFFER);
    shared.buffer_size = BUFFER;
    shared.ended = on_end;
    shared.closed = on_closed;
    sent = malloc(LENGTH + 1000);
    sent_len = 0;
    woken = ended = 0;
    connect_it();
}

static void teardown(void)
{
    ck_assert_uint_eq(child.memory.used, 0);
    ck_assert_uint_eq(lane.spooled, 0);
    ck_assert_uint_eq(lane.files, 0);
    ck_assert_uint_eq(child.descriptors, 0);
    ck_assert_uint_eq(lane.pending, 0);
    free(sent);
    apr_pool_destroy(pool);
}

static char body_at(apr_size_t n)
{
    return (char)(n * 31 + n / 4099);
}

/* Append `len` bytes to the content of copies, up to the first that is refused. */
static void append(mirror_content_t *content, apr_size_t len)
{
    char data[PIECE];
    apr_size_t done = 0, piece, i;

    for (; done < len && content->holders; done += piece) {
        piece = len - done < PIECE ? len - done : PIECE;
        for (i = 0; i < piece; i++) {
            data[i] = body_at(done + i);
        }
        mirror_content_append(content, data, piece);
    }
}

/* Append up to `len` bytes to a copy that shares its content with no other one. */
static mirror_outcome_e fill(mirror_copy_t *copy, apr_size_t len)
{
    mirror_content_t *content = copy->rest.content;

    if (!content) {
        content = mirror_content_create(&child, 0);
        mirror_content_join(content, &copy->rest, copy->lane);
    }
    append(content, len);
    copy->body_len = content->len;
    return copy->rest.refused ? MIRROR_OUTCOME_MEMORY_FULL : MIRROR_OUTCOME_NONE;
}

static mirror_copy_t *begin(void)
{
    mirror_copy_t *copy;

    ck_assert_int_eq(mirror_copy_create(&copy, &lane, &settings, 10, 0), MIRROR_OUTCOME_NONE);
    return copy;
}

/* Short bodies take what long ones may have of the memory; or give it back. */
static void fill_memory(void)
{
    ck_assert_int_eq(mirror_share_take(&child.memory, &lane.memory, MEMORY / 2), 1);
}

static void empty_memory(void)
{
    mirror_share_give(&child.memory, &lane.memory, MEMORY / 2);
}

static void rounds_until_sent(apr_size_t len)
{
    apr_status_t rv;

    while (sent_len < len && !ended) {
        ck_assert_int_gt(mirror_loop_round(shared.loop, -1, &rv), 0);
    }
}

/* ---- tests ---- */

static void assert_is_sent(mirror_copy_t *copy)
{
    apr_size_t head, i;

    mirror_copy_complete(copy, 1);
    head = copy->head_len;
    mirror_connection_start(connection, copy, 0);
    ck_assert_uint_gt(sent_len, head);
    ck_assert_uint_lt(sent_len, LENGTH / 4);
    rounds_until_sent(head + LENGTH);
    ck_assert_uint_eq(sent_len, head + LENGTH);
    for (i = 0; i < LENGTH && sent[head + i] == body_at(i); i++) {
    }
    ck_assert_uint_eq(i, LENGTH);
    ck_assert_int_eq(ended, 0);
    give_up();
}

START_TEST(a_long_body_leaves_others_their_turn)
{
    mirror_copy_t *copy = begin();

    ck_assert_int_eq(fill(copy, LENGTH), MIRROR_OUTCOME_NONE);
    ck_assert_uint_lt(child.memory.used, 80000);
    assert_is_sent(copy);
}
END_TEST

/* With several blocks at a time, and with one. */
START_TEST(a_body_of_which_a_part_is_written_first)
{
    mirror_copy_t *copy = begin();

    short_writes = 5;
    ck_assert_int_eq(fill(copy, LENGTH), MIRROR_OUTCOME_NONE);
    ck_assert_int_eq(short_writes, 0);
    assert_is_sent(copy);
}
END_TEST

/* Those of a body in memory are used again; what no copy needs is given back to the system. */
START_TEST(blocks_are_kept_for_a_while)
{
    mirror_copy_t *copy = begin(), *other = begin();
    mirror_block_t *block;
    char *kept[3];
    int n = 0;

    ck_assert_int_eq(fill(copy, MEMORY / 4), MIRROR_OUTCOME_NONE);
    ck_assert_ptr_null(mirror_copy_spool(copy));
    for (block = copy->rest.content->first; block; block = block->next) {
        kept[n++ % 3] = block->data;
    }
    mirror_copy_push(copy);
    ck_assert_ptr_eq(mirror_queue_take(child.queue), copy);
    mirror_copy_end(copy, MIRROR_OUTCOME_MIRRORED);
    ck_assert_int_eq(mirror_content_trim(&child), 1);
    ck_assert_int_eq(fill(other, MEMORY / 4), MIRROR_OUTCOME_NONE);
    for (n = 0, block = other->rest.content->first; block; block = block->next) {
        n += block->data == kept[0] || block->data == kept[1] || block->data == kept[2];
    }
    ck_assert_int_eq(n, 3);
    /* The sender has not seen this one: nothing of it is kept. */
    mirror_copy_end(other, MIRROR_OUTCOME_TOO_LARGE);
    while (mirror_content_trim(&child)) {
    }
    mirror_connection_close(connection);
}
END_TEST

START_TEST(a_file_that_cannot_be_read_breaks_its_copy_alone)
{
    mirror_copy_t *copy = begin();
    int fd = dup(0);

    close(fd); /* so the file gets this number */
    ck_assert_int_eq(fill(copy, LENGTH), MIRROR_OUTCOME_NONE);
    ck_assert_int_eq(ftruncate(fd, LENGTH / 2), 0);
    mirror_copy_complete(copy, 1);
    connection->used = 1; /* else it would be a stale one, and the copy sent again */
    mirror_connection_start(connection, copy, 0);
    rounds_until_sent(LENGTH);
    ck_assert_int_eq(ended, 1);
    ck_assert_int_eq(how, MIRROR_BROKEN);
}
END_TEST

/* Three files for nine mirrors, of which the first ones hang. */
START_TEST(each_mirror_has_a_file)
{
    mirror_lane_t lanes[9];
    apr_uint64_t charged[9][3];
    char what[200];
    int i, n;

    list.nelts = 9;
    memset(charged, 0, sizeof(charged));
    mirror_spool_start(&child, pool, NULL);
    for (i = 0; i < 9; i++) {
        lanes[i] = lane;
        for (n = 0; n < 3; n++) {
            int taken = mirror_spool_charge(&lanes[i], &charged[i][n], 1);

            ck_assert(n > 0 || taken);
            ck_assert(n < 2 || !taken);
        }
    }
    ck_assert_uint_gt(mirror_spool_take_refused(&child, what, sizeof(what)), 0);
    ck_assert_ptr_nonnull(strstr(what, strerror(EMFILE)));
    for (i = 0; i < 9; i++) {
        for (n = 0; n < 3; n++) {
            mirror_spool_release(&lanes[i], charged[i][n]);
        }
        ck_assert_uint_eq(lanes[i].files, 0);
        ck_assert_uint_eq(lanes[i].spooled, 0);
    }
    mirror_connection_close(connection);
}
END_TEST

START_TEST(the_size_is_for_all_files_and_comes_back)
{
    mirror_copy_t *first = begin(), *second = begin(), *third;
    char what[200];

    ck_assert_int_eq(fill(first, LENGTH / 2), MIRROR_OUTCOME_NONE);
    ck_assert_int_eq(mirror_spool_has_refused(&child), 0);
    ck_assert_int_eq(fill(second, LENGTH), MIRROR_OUTCOME_MEMORY_FULL);
    ck_assert_int_eq(woken, 1);
    ck_assert_uint_eq(mirror_spool_take_refused(&child, what, sizeof(what)), 1);
    ck_assert_ptr_nonnull(strstr(what, "5242880 bytes of ProxyMirrorSpool"));
    ck_assert_int_eq(mirror_spool_has_refused(&child), 0);
    mirror_copy_end(second, MIRROR_OUTCOME_MEMORY_FULL);
    ck_assert_int_eq(mirror_copy_create(&second, &lane, &settings, 10, LENGTH),
                     MIRROR_OUTCOME_MEMORY_FULL);
    mirror_copy_end(first, MIRROR_OUTCOME_SHUT_DOWN);
    ck_assert_int_eq(mirror_copy_create(&third, &lane, &settings, 10, LENGTH), MIRROR_OUTCOME_NONE);
    ck_assert_int_eq(fill(third, LENGTH), MIRROR_OUTCOME_NONE);
    mirror_copy_end(third, MIRROR_OUTCOME_SHUT_DOWN);
    mirror_connection_close(connection);
}
END_TEST

/* A long file is given back by another thread; so are its bytes, when it is closed. */
START_TEST(a_long_file_is_closed_later)
{
    mirror_copy_t *copy;
    apr_time_t end = apr_time_now() + apr_time_from_sec(20);

    registry.spool_size = 100 << 20;
    mirror_spool_start(&child, pool, NULL);
    copy = begin();
    ck_assert_int_eq(fill(copy, 8 << 20), MIRROR_OUTCOME_NONE);
    mirror_copy_end(copy, MIRROR_OUTCOME_TOO_LARGE);
    ck_assert_uint_eq(lane.files, 0);
    ck_assert_int_eq(mirror_spool_may_be_closing(&child), 0);
    copy = begin();
    ck_assert_int_eq(fill(copy, 9 << 20), MIRROR_OUTCOME_NONE);
    mirror_copy_end(copy, MIRROR_OUTCOME_TOO_LARGE);
    ck_assert_int_eq(mirror_spool_may_be_closing(&child), 1);
    while (apr_atomic_read32(&child.descriptors) > 0) {
        ck_assert(apr_time_now() < end);
        apr_sleep(1000);
    }
    mirror_connection_close(connection);
}
END_TEST

START_TEST(files_take_half_of_the_descriptors)
{
    mirror_copy_t *copies[4];
    char what[200];
    int i;

    fill_memory();
    for (i = 0; i < 4; i++) {
        copies[i] = begin();
        ck_assert_int_eq(fill(copies[i], 100000),
                         i < 3 ? MIRROR_OUTCOME_NONE : MIRROR_OUTCOME_MEMORY_FULL);
    }
    ck_assert_uint_eq(child.descriptors, 3);
    ck_assert_uint_eq(mirror_spool_take_refused(&child, what, sizeof(what)), 1);
    for (i = 0; i < 4; i++) {
        mirror_copy_end(copies[i], MIRROR_OUTCOME_SHUT_DOWN);
    }
    child.descriptors = 6; /* of connections */
    copies[0] = begin();
    copies[1] = begin();
    ck_assert_int_eq(fill(copies[0], 100000), MIRROR_OUTCOME_NONE);
    ck_assert_int_eq(fill(copies[1], 100000), MIRROR_OUTCOME_MEMORY_FULL);
    mirror_copy_end(copies[0], MIRROR_OUTCOME_SHUT_DOWN);
    mirror_copy_end(copies[1], MIRROR_OUTCOME_SHUT_DOWN);
    ck_assert_uint_eq(child.descriptors, 6);
    child.descriptors = 0;
    empty_memory();
    mirror_connection_close(connection);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("spool");
    TCase *tcase = tcase_create("spool");

    apr_initialize();
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, a_long_body_leaves_others_their_turn);
    tcase_add_test(tcase, a_body_of_which_a_part_is_written_first);
    tcase_add_test(tcase, blocks_are_kept_for_a_while);
    tcase_add_test(tcase, a_file_that_cannot_be_read_breaks_its_copy_alone);
    tcase_add_test(tcase, each_mirror_has_a_file);
    tcase_add_test(tcase, the_size_is_for_all_files_and_comes_back);
    tcase_add_test(tcase, a_long_file_is_closed_later);
    tcase_add_test(tcase, files_take_half_of_the_descriptors);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
