/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_http2.c - how copies end whose bytes were written, or could not be written, over a wire that
 * the test steers.
 */
#include <stddef.h> /* before APR, whose rings use offsetof() then */

#include <apr_general.h>
#include <apr_portable.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "send/connection.h"
#include "send/http2.h"
#include "suite.h"

#if MIRROR_HAVE_NGHTTP2

#define SETTINGS "\0\0\0\4\0\0\0\0\0"
#define UNKNOWN  "\0\0\1\x55\0\0\0\0\0x"

/* A head of 7,000 bytes: what is written in a row are fewer than all copies. */
enum { BUFFER = 16384, COPIES = 90, HEAD = 7000, PREFACE = 24, FRAME = 9, HEADERS = 1 };

static apr_pool_t *pool;
static mirror_settings_t settings;
static mirror_connections_t *shared; /* not static itself: gcc warns of the sentinel of its ring */
static mirror_connection_t *connection;
static mirror_copy_t copies[COPIES];
static mirror_result_t results[COPIES];
static int ended;
static int closed;
static int peer;

/* ---- the wire ---- */

static char input[COPIES * 13 + 64];
static apr_size_t input_len;
static int ends; /* the wire closes after the input */
static int full; /* it accepts no bytes */
static char written[COPIES * (HEAD + 100)];
static apr_size_t written_len;

static apr_status_t wire_read(mirror_wire_t *wire, char *buffer, apr_size_t *len)
{
    (void)wire;
    if (input_len == 0) {
        return ends ? APR_EOF : APR_EAGAIN;
    }
    ck_assert_uint_le(input_len, *len);
    memcpy(buffer, input, input_len);
    *len = input_len;
    input_len = 0;
    return APR_SUCCESS;
}

static apr_status_t wire_write(mirror_wire_t *wire, const struct iovec *iov, int n, apr_size_t *len)
{
    (void)wire;
    (void)n;
    *len = 0;
    if (full) {
        return APR_EAGAIN;
    }
    ck_assert_uint_le(written_len + iov->iov_len, sizeof(written));
    memcpy(written + written_len, iov->iov_base, iov->iov_len);
    written_len += iov->iov_len;
    *len = iov->iov_len;
    return APR_SUCCESS;
}

static const mirror_transport_t transport = { NULL, wire_read, wire_write, NULL, NULL, 0, NULL };

static void receive(const char *bytes, apr_size_t len)
{
    ck_assert_uint_le(input_len + len, sizeof(input));
    memcpy(input + input_len, bytes, len);
    input_len += len;
}

/* The number of HEADERS frames that were written. */
static int count_written(void)
{
    apr_size_t at = PREFACE;
    int n = 0;

    while (at + FRAME <= written_len) {
        const unsigned char *frame = (const unsigned char *)written + at;

        at += FRAME + ((apr_size_t)frame[0] << 16 | (apr_size_t)frame[1] << 8 | frame[2]);
        n += frame[3] == HEADERS && at <= written_len;
    }
    ck_assert_uint_eq(at, written_len);
    return n;
}

/* ---- the pool ---- */

static void on_end(void *baton, mirror_connection_t *c, mirror_copy_t *copy,
                   const mirror_result_t *result)
{
    (void)baton;
    (void)c;
    results[copy - copies] = *result;
    ended++;
}

static void on_change(void *baton, mirror_connection_t *c)
{
    (void)baton;
    (void)c;
}

static void on_close(void *baton, mirror_connection_t *c)
{
    (void)baton;
    ck_assert_int_eq(c->copies, 0);
    closed = 1;
    mirror_connection_close(c);
}

static void setup(void)
{
    apr_pool_t *own = mirror_memory_pool_create("connection");
    apr_os_sock_t fds[2];
    int i;

    apr_pool_create(&pool, NULL);
    memset(&settings, 0, sizeof(settings));
    settings.timeout = apr_time_from_sec(100);
    shared = apr_pcalloc(pool, sizeof(*shared));
    ck_assert_int_eq(mirror_loop_create(&shared->loop, pool), APR_SUCCESS);
    shared->buffer = apr_palloc(pool, BUFFER);
    shared->buffer_size = BUFFER;
    shared->ended = on_end;
    shared->changed = shared->confirmed = on_change;
    shared->closed = on_close;
    APR_RING_INIT(&shared->unflushed, mirror_connection_t, unflushed_link);
    memset(copies, 0, sizeof(copies));
    for (i = 0; i < COPIES; i++) {
        copies[i].settings = &settings;
        copies[i].head = apr_palloc(pool, HEAD + 1);
        memset(copies[i].head, '~', HEAD); /* no shorter with Huffman's code */
        memcpy(copies[i].head, "POST / HTTP/1.1\r\nA: ", 20);
        memcpy(copies[i].head + HEAD - 4, "\r\n\r\n", 5);
        copies[i].head_len = HEAD;
    }
    ended = closed = ends = full = 0;
    input_len = written_len = 0;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    peer = fds[1];
    connection = apr_pcalloc(own, sizeof(*connection));
    connection->pool = own;
    connection->settings = &settings;
    connection->protocol = &mirror_http2_protocol;
    connection->wire.transport = &transport;
    apr_os_sock_put(&connection->wire.socket, &fds[0], own);
    ck_assert_int_eq(mirror_connection_adopt(connection, shared), APR_SUCCESS);
    receive(SETTINGS, sizeof(SETTINGS) - 1);
    connection->protocol->ready(connection, APR_POLLIN);
    mirror_connection_flush_all(shared);
}

static void teardown(void)
{
    apr_status_t rv;

    if (!closed) {
        mirror_connection_abandon(connection);
        mirror_connection_close(connection);
    }
    mirror_loop_round(shared->loop, 0, &rv);
    close(peer);
    apr_pool_destroy(pool);
}

/* Start all copies, and write as many as it does in a row. Returns their number. */
static int write_in_a_row(void)
{
    int i, n;

    for (i = 0; i < COPIES; i++) {
        ck_assert(mirror_connection_has_room(connection, COPIES));
        mirror_connection_start(connection, &copies[i], 0);
    }
    mirror_connection_flush_all(shared);
    n = count_written();
    ck_assert_int_gt(n, 10);
    ck_assert_int_lt(n, COPIES);
    return n;
}

/* ---- what was written may have been processed ---- */

START_TEST(each_stream_is_reset_at_once)
{
    int i, n = write_in_a_row();

    for (i = 0; i < n; i++) {
        char reset[] = "\0\0\4\3\0\0\0\0i\0\0\0\2"; /* INTERNAL_ERROR */

        reset[8] = (char)(2 * i + 1);
        receive(reset, sizeof(reset) - 1);
    }
    connection->protocol->ready(connection, APR_POLLIN);
    ck_assert_int_eq(ended, n);
    for (i = 0; i < n; i++) {
        ck_assert_int_eq(results[i].how, MIRROR_BROKEN);
    }
}
END_TEST

START_TEST(the_mirror_closes_at_once)
{
    int i, n = write_in_a_row();

    ends = 1;
    connection->protocol->ready(connection, APR_POLLIN);
    ck_assert_int_eq(ended, COPIES);
    for (i = 0; i < COPIES; i++) {
        ck_assert_int_eq(results[i].how, MIRROR_STALE);
        ck_assert_int_eq(results[i].wrote, i < n);
    }
}
END_TEST

/* ---- what cannot be written ---- */

/* Let a copy time out, while frames come that say nothing. Returns how many came when it had started: on a
 * busy machine its time may be over before the first one. */
static int time_out(apr_interval_time_t timeout)
{
    apr_time_t started;
    apr_status_t rv;
    int frames = 0;

    settings.timeout = timeout;
    mirror_loop_round(shared->loop, 0, &rv);
    started = mirror_loop_now(shared->loop);
    mirror_connection_start(connection, &copies[0], 0);
    mirror_connection_flush_all(shared);
    while (ended == 0) {
        frames += mirror_loop_now(shared->loop) > started;
        receive(UNKNOWN, sizeof(UNKNOWN) - 1);
        connection->protocol->ready(connection, APR_POLLIN);
        mirror_connection_flush_all(shared);
        mirror_loop_round(shared->loop, 1000, &rv);
    }
    ck_assert_int_eq(results[0].how, MIRROR_TIMED_OUT);
    return frames;
}

START_TEST(a_mirror_that_takes_nothing)
{
    full = 1;
    time_out(apr_time_from_msec(20));
    ck_assert_int_eq(closed, 1);
}
END_TEST

START_TEST(a_mirror_that_takes_all_and_does_not_respond)
{
    apr_interval_time_t timeout = apr_time_from_msec(20);

    while (time_out(timeout) == 0) {
        teardown();
        setup();
        timeout *= 2;
    }
    ck_assert_int_eq(closed, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http2");
    TCase *tcase = tcase_create("http2");

    apr_initialize();
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, each_stream_is_reset_at_once);
    tcase_add_test(tcase, the_mirror_closes_at_once);
    tcase_add_test(tcase, a_mirror_that_takes_nothing);
    tcase_add_test(tcase, a_mirror_that_takes_all_and_does_not_respond);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}

#else

/* This build has no HTTP/2: the test is skipped (automake's status 77). */
int main(void)
{
    return 77;
}

#endif
