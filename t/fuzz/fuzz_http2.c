/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * fuzz_http2.c - a connection of HTTP/2 over a wire whose other end sends the input.
 *
 * The first byte says how the wire cuts reads and writes, whether it is TLS, and whether it closes;
 * the rest is what a mirror sends. Whatever it is: each copy ends once, with a valid result, and the
 * connection stays usable or is closed.
 */
#include <stddef.h> /* before APR, whose rings use offsetof() then */

#include <apr_general.h>
#include <apr_portable.h>
#include <apr_strings.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "send/connection.h"
#include "send/http2.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

#if MIRROR_HAVE_NGHTTP2

#define HEAD "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"

enum { BUFFER = 16384, COPIES = 6, ROUNDS = 4096 };

static mirror_settings_t settings;
static mirror_connections_t *shared; /* not static itself: gcc warns of the sentinel of its ring */
static mirror_copy_t copies[COPIES];
static char heads[COPIES][128];
static char body[70000];
static int ended[COPIES];
static int closed;

/* ---- the wire ---- */

static const uint8_t *input;
static size_t input_len;
static apr_size_t piece; /* bytes of a read */
static int ends;         /* the wire closes after the input */
static unsigned writes;

static apr_status_t fuzz_read(mirror_wire_t *wire, char *buffer, apr_size_t *len)
{
    apr_size_t n = piece < *len ? piece : *len;

    (void)wire;
    if (input_len == 0) {
        return ends ? APR_EOF : APR_EAGAIN;
    }
    n = n < input_len ? n : input_len;
    memcpy(buffer, input, n);
    input += n;
    input_len -= n;
    *len = n;
    return APR_SUCCESS;
}

static apr_status_t fuzz_write(mirror_wire_t *wire, const struct iovec *iov, int n,
                               apr_size_t *written)
{
    (void)wire;
    REQUIRE(n == 1 && iov->iov_len > 0);
    if (piece < 1000 && ++writes % 3 == 0) {
        *written = 0;
        return APR_EAGAIN;
    }
    *written = iov->iov_len < piece * 100 ? iov->iov_len : piece * 100;
    return APR_SUCCESS;
}

static const mirror_transport_t plain = { NULL, fuzz_read, fuzz_write, NULL, NULL, 0, NULL };
static const mirror_transport_t tls = { NULL, fuzz_read, fuzz_write, NULL, NULL, 1, NULL };

/* ---- the pool ---- */

static void on_end(void *baton, mirror_connection_t *c, mirror_copy_t *copy,
                   const mirror_result_t *result)
{
    (void)baton;
    REQUIRE(copy >= copies && copy < copies + COPIES);
    REQUIRE(ended[copy - copies]++ == 0);
    REQUIRE(c->copies >= 0);
    REQUIRE(result->status == 0 || (result->status >= 200 && result->status <= 599));
    REQUIRE(result->how != MIRROR_RESPONDED || result->status > 0);
    REQUIRE(result->grpc_status >= -1 && result->grpc_status <= 16);
    REQUIRE(result->interim >= 0 && result->interim <= 16);
}

static void on_stranded(void *baton, mirror_connection_t *c, mirror_copy_t *batch,
                        mirror_connection_end_e how)
{
    (void)baton;
    (void)c;
    (void)batch;
    (void)how;
    abort(); /* there are no batches */
}

static void on_change(void *baton, mirror_connection_t *c)
{
    (void)baton;
    REQUIRE(!mirror_connection_is_closed(c));
}

static void on_close(void *baton, mirror_connection_t *c)
{
    (void)baton;
    REQUIRE(c->copies == 0 && !closed);
    closed = 1;
    mirror_connection_close(c);
}

static mirror_connection_t *connect_it(int is_tls, int *peer)
{
    apr_pool_t *own = mirror_memory_pool_create("connection");
    mirror_connection_t *c = apr_pcalloc(own, sizeof(*c));
    apr_os_sock_t fds[2];

    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    *peer = fds[1];
    c->pool = own;
    c->settings = &settings;
    c->protocol = &mirror_http2_protocol;
    c->wire.transport = is_tls ? &tls : &plain;
    apr_os_sock_put(&c->wire.socket, &fds[0], own);
    REQUIRE(mirror_connection_adopt(c, shared) == APR_SUCCESS);
    return c;
}

static void init(void)
{
    static apr_pool_t *pool;

    if (pool) {
        return;
    }
    apr_initialize();
    apr_pool_create(&pool, NULL);
    shared = apr_pcalloc(pool, sizeof(*shared));
    REQUIRE(mirror_loop_create(&shared->loop, pool) == APR_SUCCESS);
    shared->buffer = apr_palloc(pool, BUFFER);
    shared->buffer_size = BUFFER;
    shared->ended = on_end;
    shared->stranded = on_stranded;
    shared->changed = on_change;
    shared->confirmed = on_change;
    shared->closed = on_close;
    APR_RING_INIT(&shared->unflushed, mirror_connection_t, unflushed_link);
    settings.timeout = apr_time_from_sec(1000);
    settings.target.http2 = settings.target.grpc = 1;
}

static void make_copies(void)
{
    int i;

    memset(copies, 0, sizeof(copies));
    memset(ended, 0, sizeof(ended));
    for (i = 0; i < COPIES; i++) {
        copies[i].settings = &settings;
        copies[i].head = heads[i];
        apr_cpystrn(heads[i], HEAD, sizeof(heads[i]));
        copies[i].head_len = strlen(heads[i]);
        if (i % 2) {
            copies[i].start = body;
            copies[i].start_len = sizeof(body);
            copies[i].body_len = sizeof(body);
        }
    }
}

/* Read the input; send another copy whenever there is room. Returns the number of sent copies. */
static int talk(mirror_connection_t *c)
{
    int started = 0, i;

    for (i = 0; i < ROUNDS && !closed; i++) {
        if (started < COPIES && mirror_connection_has_room(c, 3)) {
            mirror_connection_start(c, &copies[started++], 0);
        }
        mirror_connection_flush_all(shared);
        if (closed || (input_len == 0 && !ends)) {
            break;
        }
        c->protocol->ready(c, APR_POLLIN | APR_POLLOUT);
        mirror_connection_flush_all(shared);
    }
    return started;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const apr_size_t pieces[] = { 1, 9, 100, BUFFER };
    mirror_connection_t *c;
    mirror_copy_t *rest;
    int started, over = 0, i, peer;
    apr_status_t rv;

    if (size == 0) {
        return 0;
    }
    init();
    make_copies();
    closed = 0;
    piece = pieces[data[0] & 3];
    ends = (data[0] >> 2) & 1;
    input = data + 1;
    input_len = size - 1;
    c = connect_it((data[0] >> 3) & 1, &peer);
    started = talk(c);
    for (i = 0; i < COPIES; i++) {
        REQUIRE(i < started || !ended[i]);
        over += ended[i];
    }
    if (!closed) {
        REQUIRE(c->copies == started - over);
        for (rest = mirror_connection_abandon(c); rest; rest = rest->next) {
            over++;
        }
        mirror_connection_close(c);
    }
    REQUIRE(over == started);
    mirror_loop_round(shared->loop, 0, &rv);
    close(peer);
    return 0;
}

#else

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    REQUIRE(data != NULL || size == 0);
    return 0; /* this build has no HTTP/2 */
}

#endif
