/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_http1.c - where responses end at the edge of what was read, and whether the connection
 * may be used again then.
 */
#include <apr_general.h>
#include <apr_portable.h>
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "send/connection.h"
#include "send/http1.h"
#include "suite.h"

enum { BUFFER = 16384, COPIES = 3 };

static apr_pool_t *pool;
static mirror_settings_t settings;
static mirror_connections_t shared;
static mirror_connection_t *connection;
static mirror_copy_t copies[COPIES];
static char response[BUFFER + 1];
static int mirror; /* the other end */
static int ended;
static int stranded;
static mirror_connection_end_e how;
static int reusable;
static int unusable;
static apr_size_t discarded; /* bytes that the connection has discarded in the socket */

/* The one that the transport gets. */
ssize_t recv(int fd, void *buffer, size_t len, int flags)
{
    ssize_t n = syscall(SYS_recvfrom, fd, buffer, len, flags, NULL, NULL);

    if (flags & MSG_TRUNC) {
        ck_assert_ptr_null(buffer);
        discarded += n > 0 ? (apr_size_t)n : 0;
    }
    return n;
}

static void on_end(void *baton, mirror_connection_t *c, mirror_copy_t *copy,
                   const mirror_result_t *result)
{
    (void)baton;
    (void)c;
    ck_assert_ptr_eq(copy, &copies[ended]);
    ended++;
    how = result->how;
}

static void on_stranded(void *baton, mirror_connection_t *c, mirror_copy_t *batch,
                        mirror_connection_end_e end)
{
    (void)baton;
    (void)c;
    ck_assert_ptr_eq(batch, &copies[ended]);
    ck_assert_int_eq(end, how);
    stranded++;
}

static void on_changed(void *baton, mirror_connection_t *c)
{
    (void)baton;
    ck_assert_int_eq(c->copies, 0);
    reusable = 1;
}

static void on_closed(void *baton, mirror_connection_t *c)
{
    (void)baton;
    ck_assert_int_eq(c->copies, 0);
    unusable = 1;
}

/* Make the connection one of this socket. */
static void connect_it(apr_os_sock_t fd)
{
    apr_pool_t *own = mirror_memory_pool_create("connection");

    connection = apr_pcalloc(own, sizeof(*connection));
    connection->pool = own;
    connection->protocol = &mirror_http1_protocol;
    connection->wire.transport = &mirror_transport_plain;
    apr_os_sock_put(&connection->wire.socket, &fd, own);
    apr_socket_opt_set(connection->wire.socket, APR_SO_NONBLOCK, 1);
    apr_socket_timeout_set(connection->wire.socket, 0);
    ck_assert_int_eq(mirror_connection_adopt(connection, &shared), APR_SUCCESS);
}

static void setup(void)
{
    apr_os_sock_t fds[2];
    int i;

    apr_pool_create(&pool, NULL);
    memset(&settings, 0, sizeof(settings));
    settings.timeout = apr_time_from_sec(100);
    memset(&shared, 0, sizeof(shared));
    ck_assert_int_eq(mirror_loop_create(&shared.loop, pool), APR_SUCCESS);
    shared.buffer = apr_palloc(pool, BUFFER);
    shared.buffer_size = BUFFER;
    shared.ended = on_end;
    shared.stranded = on_stranded;
    shared.changed = on_changed;
    shared.closed = on_closed;
    memset(copies, 0, sizeof(copies));
    for (i = 0; i < COPIES; i++) {
        copies[i].settings = &settings;
        copies[i].head = (char *)"GET / HTTP/1.1\r\n\r\n";
        copies[i].head_len = strlen(copies[i].head);
    }
    ended = stranded = reusable = unusable = 0;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    mirror = fds[1];
    connect_it(fds[0]);
}

static void teardown(void)
{
    mirror_connection_close(connection);
    close(mirror);
    apr_pool_destroy(pool);
}

/* A response of `size` bytes in all. */
static const char *make_response(apr_size_t size)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: %5d\r\n\r\n";
    int len = snprintf(response, sizeof(response), head, 0);

    len = snprintf(response, sizeof(response), head, (int)size - len);
    memset(response + len, 'x', size - (apr_size_t)len);
    return response;
}

static void respond(const char *data, apr_size_t len)
{
    ck_assert_int_eq(write(mirror, data, len), (ssize_t)len);
}

static void round_of_loop(void)
{
    apr_status_t rv;

    mirror_loop_round(shared.loop, 0, &rv);
    ck_assert_int_eq(rv, APR_SUCCESS);
}

START_TEST(a_response_that_fills_the_buffer)
{
    mirror_connection_start(connection, &copies[0], 0);
    respond(make_response(BUFFER), BUFFER);
    round_of_loop();
    ck_assert_int_eq(ended, 1);
    ck_assert_int_eq(how, MIRROR_RESPONDED);
    ck_assert(reusable && !unusable);
}
END_TEST

/* Else the rest would be taken for the response of the next copy. */
START_TEST(surplus_behind_what_was_read)
{
    static const char surplus[] = "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n";
    int at;

    for (at = BUFFER - 1; at <= BUFFER; at++) {
        ended = 0;
        mirror_connection_start(connection, &copies[0], 0);
        respond(make_response((apr_size_t)at), (apr_size_t)at);
        respond(surplus, strlen(surplus));
        round_of_loop();
        ck_assert_int_eq(ended, 1);
        ck_assert_int_eq(how, MIRROR_RESPONDED);
        ck_assert(!reusable && unusable);
        while (recv(mirror, response, sizeof(response), MSG_DONTWAIT) > 0) {
        }
        teardown();
        setup();
    }
}
END_TEST

START_TEST(an_end_behind_what_was_read)
{
    mirror_connection_start(connection, &copies[0], 0);
    respond(make_response(BUFFER), BUFFER);
    ck_assert_int_eq(shutdown(mirror, SHUT_WR), 0);
    round_of_loop();
    ck_assert_int_eq(ended, 1);
    ck_assert_int_eq(how, MIRROR_RESPONDED);
    ck_assert(!reusable && unusable);
}
END_TEST

START_TEST(responses_of_a_row_over_the_edge)
{
    copies[0].next = &copies[1];
    copies[1].next = &copies[2];
    mirror_connection_start(connection, &copies[0], 0);
    respond(make_response(BUFFER), BUFFER);
    respond(make_response(1000), 1000);
    respond(make_response(BUFFER - 1000), BUFFER - 1000);
    round_of_loop();
    ck_assert_int_eq(ended, 3);
    ck_assert_int_eq(how, MIRROR_RESPONDED);
    ck_assert(reusable && !unusable);
}
END_TEST

/* The mirror responds to the second copy of a batch before it has read all of it. */
START_TEST(a_response_before_the_copy_was_written)
{
    static char long_head[8 << 20];
    int size = 8 << 10;

    ck_assert_int_eq(setsockopt(mirror, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
    memset(long_head, 'x', sizeof(long_head));
    copies[0].next = &copies[1];
    copies[1].head = long_head;
    copies[1].head_len = sizeof(long_head);
    copies[1].next = &copies[2];
    mirror_connection_start(connection, &copies[0], 0);
    ck_assert_int_eq(connection->copies, 3);
    respond(make_response(BUFFER), BUFFER);
    round_of_loop();
    ck_assert_int_eq(ended, 1); /* it was begun */
    ck_assert(!reusable && !unusable);
    respond(make_response(BUFFER), BUFFER);
    round_of_loop();
    ck_assert_int_eq(ended, 2); /* it was not written to its end */
    ck_assert_int_eq(stranded, 1);
    ck_assert(!reusable && unusable);
}
END_TEST

/* ---- content that is discarded in the socket ---- */

enum { LARGE = 3 << 20 };

/* Make the connection one of TCP. */
static void over_tcp(void)
{
    struct sockaddr_in address = { 0 };
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    mirror_connection_close(connection);
    close(mirror);
    mirror = accept(listener, NULL, NULL);
    close(listener);
    connect_it(fd);
}

/* Respond as far as the socket takes it, and let the connection read, until all is sent. */
static void respond_all(const char *data, apr_size_t len)
{
    apr_size_t sent = 0;

    while (sent < len) {
        ssize_t n = send(mirror, data + sent, len - sent, MSG_DONTWAIT);

        ck_assert(n > 0 || errno == EAGAIN);
        sent += n > 0 ? (apr_size_t)n : 0;
        round_of_loop();
    }
}

static void round_until_ended(int n)
{
    apr_status_t rv;

    while (ended < n) {
        ck_assert_int_gt(mirror_loop_round(shared.loop, apr_time_from_sec(10), &rv), 0);
    }
}

/* Respond to two copies with the head and LARGE bytes, then `tail`. */
static void respond_twice(const char *head, const char *tail)
{
    char *large = malloc(LARGE);
    int i;

    memset(large, 'x', LARGE);
    copies[0].next = &copies[1];
    mirror_connection_start(connection, &copies[0], 0);
    for (i = 0; i < 2; i++) {
        respond(head, strlen(head));
        round_of_loop();
        respond_all(large, LARGE);
        if (*tail) {
            respond(tail, strlen(tail));
        }
    }
    free(large);
}

START_TEST(large_content_is_discarded_in_the_socket)
{
    static const char *const heads[] = { "HTTP/1.1 200 OK\r\nContent-Length: 3145728\r\n\r\n",
                                         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                         "300000\r\n" };

    over_tcp();
    discarded = 0;
    respond_twice(heads[_i], _i ? "\r\n0\r\n\r\n" : "");
    round_until_ended(2);
    ck_assert_int_eq(how, MIRROR_RESPONDED);
    ck_assert(reusable && !unusable);
    ck_assert_uint_gt(discarded, LARGE);
    ck_assert_uint_lt(discarded, 2 * LARGE);
}
END_TEST

START_TEST(content_until_the_close_is_discarded)
{
    static const char head[] = "HTTP/1.1 200 OK\r\n\r\n";
    char *large = calloc(1, LARGE);

    over_tcp();
    discarded = 0;
    mirror_connection_start(connection, &copies[0], 0);
    respond(head, strlen(head));
    round_of_loop();
    respond_all(large, LARGE);
    ck_assert_int_eq(ended, 0);
    shutdown(mirror, SHUT_WR);
    round_until_ended(1);
    ck_assert_int_eq(how, MIRROR_RESPONDED);
    ck_assert(!reusable && unusable);
    ck_assert_uint_gt(discarded, LARGE / 2);
    free(large);
}
END_TEST

START_TEST(content_that_ends_early_is_broken)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 3145728\r\n\r\n";
    char *large = calloc(1, LARGE);

    over_tcp();
    mirror_connection_start(connection, &copies[0], 0);
    respond(head, strlen(head));
    round_of_loop();
    respond_all(large, LARGE - 1);
    shutdown(mirror, SHUT_WR);
    round_until_ended(1);
    ck_assert_int_eq(how, MIRROR_BROKEN);
    ck_assert(!reusable && unusable);
    free(large);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http1");
    TCase *tcase = tcase_create("http1");

    apr_initialize();
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_response_that_fills_the_buffer);
    tcase_add_test(tcase, surplus_behind_what_was_read);
    tcase_add_test(tcase, an_end_behind_what_was_read);
    tcase_add_test(tcase, responses_of_a_row_over_the_edge);
    tcase_add_test(tcase, a_response_before_the_copy_was_written);
    tcase_add_loop_test(tcase, large_content_is_discarded_in_the_socket, 0, 2);
    tcase_add_test(tcase, content_until_the_close_is_discarded);
    tcase_add_test(tcase, content_that_ends_early_is_broken);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
