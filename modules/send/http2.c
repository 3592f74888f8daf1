/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/http2.c - a connection of HTTP/2: reading, writing, its room and its end. See send/http2.h.
 *
 * Received bytes are passed to nghttp2. Its frames are written once per round, for all streams
 * together. Bytes that the socket does not accept are kept, and nothing more is taken from nghttp2
 * until they were written.
 */
#include <stddef.h> /* before APR, whose rings then use offsetof() */

#include "send/http2.h"
#include "send/http2_state.h"

#if MIRROR_HAVE_NGHTTP2

#include <stdlib.h>
#include <string.h>

/* The maximum of reads and writes per event, so that one mirror does not starve others. */
#define MIRROR_READS  4
#define MIRROR_WRITES 8
/* The size of a write, and the maximum of what nghttp2 returns at a time: a frame. */
#define MIRROR_OUT       49152
#define MIRROR_FRAME_MAX (16384 + 64)
/* The maximum of bytes in a row that advance no copy, such as frames of unknown types. Responses of
 * streams that timed out may have as many as the connection's window. */
#define MIRROR_IDLE_BYTES_MAX (24 * 1024 * 1024)

/* ---- the end ---- */

/* Return how the copy of a stream ends with the connection. */
static mirror_connection_end_e end_of(const mirror_http2_stream_t *stream,
                                      mirror_connection_end_e how)
{
    const mirror_http2_t *h2 = stream->h2;

    if (stream->response.complete) {
        return MIRROR_RESPONDED;
    }
    if (how == MIRROR_TIMED_OUT) {
        return how;
    }
    if (!h2->settled) {
        return h2->secure && h2->read_at == 0 ? MIRROR_REFUSED : MIRROR_FOREIGN;
    }
    return stream->response.begun ? MIRROR_BROKEN : how;
}

static void drop_unsent(mirror_http2_t *h2)
{
    free(h2->unsent);
    h2->unsent = NULL;
    h2->unsent_len = h2->unsent_offset = 0;
}

void mirror_http2_lose(mirror_http2_t *h2, mirror_connection_end_e how)
{
    mirror_connection_t *c = h2->c;

    h2->lost = 1;
    if (how == MIRROR_STALE && h2->settled) {
        c->cut = 1;
        c->processed = h2->responses;
    }
    drop_unsent(h2);
    while (!APR_RING_EMPTY(&h2->streams, mirror_http2_stream_t, link)) {
        mirror_http2_stream_t *stream = APR_RING_FIRST(&h2->streams);

        if (stream->copy) {
            mirror_http2_stream_end(stream, end_of(stream, how), h2->fault);
        }
        mirror_http2_stream_free(stream);
    }
    c->shared->closed(c->shared->baton, c);
}

/* Report what has changed, or end the connection if it is of no more use. */
static void settle(mirror_http2_t *h2)
{
    mirror_connection_t *c = h2->c;

    if (!nghttp2_session_want_read(h2->session) && !nghttp2_session_want_write(h2->session)) {
        h2->fault = h2->fault ? h2->fault : "an error of the protocol HTTP/2";
        mirror_http2_lose(h2, MIRROR_BROKEN);
    }
    else if (c->copies == 0 &&
             (h2->leaving || !nghttp2_session_check_request_allowed(h2->session))) {
        c->shared->closed(c->shared->baton, c);
    }
    else {
        c->shared->changed(c->shared->baton, c);
    }
}

/* ---- writing ---- */

/* Keep bytes that the socket did not accept. */
static apr_status_t keep_unsent(mirror_http2_t *h2, const char *data, apr_size_t len)
{
    h2->unsent = malloc(len);
    if (!h2->unsent) {
        return APR_ENOMEM;
    }
    memcpy(h2->unsent, data, len);
    h2->unsent_len = len;
    h2->unsent_offset = 0;
    return APR_SUCCESS;
}

/* Write until all is written or the socket is full. *written: accepted bytes. */
static apr_status_t write_bytes(mirror_http2_t *h2, const char *data, apr_size_t len,
                                apr_size_t *written)
{
    apr_status_t rv = APR_SUCCESS;

    *written = 0;
    while (rv == APR_SUCCESS && *written < len) {
        struct iovec iov;
        apr_size_t n = 0;

        iov.iov_base = (void *)(data + *written);
        iov.iov_len = len - *written;
        rv = mirror_connection_write(h2->c, &iov, 1, &n);
        *written += n;
        if (n > 0) {
            h2->written_at = mirror_loop_now(h2->c->shared->loop);
        }
    }
    return rv;
}

static apr_status_t write_unsent(mirror_http2_t *h2)
{
    apr_size_t written;
    apr_status_t rv = write_bytes(h2, h2->unsent + h2->unsent_offset,
                                  h2->unsent_len - h2->unsent_offset, &written);

    h2->unsent_offset += written;
    if (rv == APR_SUCCESS) {
        drop_unsent(h2);
    }
    return rv;
}

/* Collect frames of nghttp2 in `out`, of MIRROR_OUT bytes. Errors: APR_EGENERAL. */
static apr_status_t collect(mirror_http2_t *h2, char *out, apr_size_t *len)
{
    const uint8_t *frame;
    ssize_t n = 1;

    *len = 0;
    while (n > 0 && *len + MIRROR_FRAME_MAX <= MIRROR_OUT) {
        n = nghttp2_session_mem_send(h2->session, &frame);
        if (n < 0 || (apr_size_t)n > MIRROR_OUT - *len) {
            return APR_EGENERAL;
        }
        if (n > 0) {
            memcpy(out + *len, frame, (apr_size_t)n);
            *len += (apr_size_t)n;
        }
    }
    return APR_SUCCESS;
}

/* Write one piece. Returns APR_EOF if nothing is left to write, APR_EAGAIN if the socket is full. */
static apr_status_t write_piece(mirror_http2_t *h2)
{
    char out[MIRROR_OUT];
    apr_size_t len, written;
    apr_status_t rv = h2->unsent ? write_unsent(h2) : APR_SUCCESS;

    if (rv == APR_SUCCESS) {
        rv = collect(h2, out, &len);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (len == 0) {
        rv = mirror_connection_push(h2->c);
        return rv == APR_SUCCESS ? APR_EOF : rv;
    }
    rv = write_bytes(h2, out, len, &written);
    if (APR_STATUS_IS_EAGAIN(rv) && keep_unsent(h2, out + written, len - written) != APR_SUCCESS) {
        return APR_ENOMEM;
    }
    return rv;
}

/* Write until nothing is left, the socket is full or the maximum is reached. */
static apr_status_t write_some(mirror_http2_t *h2)
{
    apr_status_t rv = APR_SUCCESS;
    int writes;

    for (writes = 0; rv == APR_SUCCESS && writes < MIRROR_WRITES; writes++) {
        rv = write_piece(h2);
    }
    if (rv == APR_SUCCESS || APR_STATUS_IS_EAGAIN(rv)) {
        return mirror_connection_watch(h2->c, 1);
    }
    return APR_STATUS_IS_EOF(rv) ? mirror_connection_watch(h2->c, 0) : rv;
}

/* ---- reading ---- */

/* Pass received bytes to nghttp2. Errors: APR_EGENERAL. */
static apr_status_t take_bytes(mirror_http2_t *h2, apr_size_t len)
{
    ssize_t n;

    h2->read_at = mirror_loop_now(h2->c->shared->loop);
    h2->silent = 0;
    h2->idle_bytes += len;
    n = nghttp2_session_mem_recv(h2->session, (const uint8_t *)h2->c->shared->buffer, len);
    if (n >= 0 && h2->idle_bytes <= MIRROR_IDLE_BYTES_MAX) {
        return APR_SUCCESS;
    }
    if (!h2->fault) {
        h2->fault = n >= 0 ? "too many bytes that advance no response" : nghttp2_strerror((int)n);
    }
    return APR_EGENERAL;
}

/* Read what there is. APR_SUCCESS, APR_EAGAIN: the connection is open. APR_EGENERAL: it is
 * malformed. Other errors: it is lost. */
static apr_status_t read_some(mirror_http2_t *h2)
{
    mirror_connection_t *c = h2->c;
    apr_status_t rv = APR_SUCCESS;
    int reads;

    for (reads = 0; reads < MIRROR_READS; reads++) {
        apr_size_t len;

        rv = mirror_connection_read(c, &len);
        if (rv == APR_SUCCESS) {
            rv = take_bytes(h2, len);
        }
        if (rv != APR_SUCCESS) {
            return rv;
        }
        if (len < c->shared->buffer_size && !c->wire.transport->tls) {
            return APR_SUCCESS;
        }
    }
    if (c->wire.transport->tls) {
        mirror_connection_read_more(c);
    }
    return APR_SUCCESS;
}

/* ---- the connection's calls ---- */

static void http2_flush(mirror_connection_t *c)
{
    mirror_http2_t *h2 = c->state;
    apr_status_t rv = write_some(h2);

    if (rv != APR_SUCCESS) {
        /* The mirror may have sent responses before it has closed. */
        rv = read_some(h2);
        mirror_http2_lose(h2, rv == APR_EGENERAL ? MIRROR_BROKEN : MIRROR_STALE);
        return;
    }
    settle(h2);
}

static void http2_ready(mirror_connection_t *c, apr_int16_t events)
{
    mirror_http2_t *h2 = c->state;
    apr_status_t rv = events & ~APR_POLLOUT ? read_some(h2) : APR_SUCCESS;

    if (rv != APR_SUCCESS && !APR_STATUS_IS_EAGAIN(rv)) {
        mirror_http2_lose(h2, rv == APR_EGENERAL ? MIRROR_BROKEN : MIRROR_STALE);
        return;
    }
    mirror_connection_flush_later(c);
    settle(h2);
}

static apr_status_t http2_open(mirror_connection_t *c)
{
    mirror_http2_t *h2 = apr_pcalloc(c->pool, sizeof(*h2));
    apr_status_t rv;

    h2->c = c;
    h2->secure = c->wire.transport->tls != 0;
    APR_RING_INIT(&h2->streams, mirror_http2_stream_t, link);
    c->state = h2;
    rv = mirror_http2_session_create(h2);
    if (rv == APR_SUCCESS) {
        mirror_connection_flush_later(c);
    }
    return rv;
}

static int http2_has_room(const mirror_connection_t *c, int most)
{
    mirror_http2_t *h2 = c->state;
    apr_uint32_t limit;

    if (h2->lost || h2->leaving || h2->silent ||
        !nghttp2_session_check_request_allowed(h2->session)) {
        return 0;
    }
    if (!h2->settled) {
        return c->copies == 0;
    }
    limit =
        nghttp2_session_get_remote_settings(h2->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    return c->copies < most && (apr_uint32_t)c->copies < limit;
}

static void http2_start(mirror_connection_t *c, mirror_copy_t *copy, apr_interval_time_t taken)
{
    mirror_http2_t *h2 = c->state;

    mirror_connection_flush_later(c);
    if (mirror_http2_stream_start(h2, copy, taken) != APR_SUCCESS) {
        mirror_result_t result = { 0 };

        result.how = MIRROR_BROKEN;
        result.fault = "out of memory, or a head that HTTP/2 cannot have";
        result.grpc_status = MIRROR_HTTP2_GRPC_NONE;
        mirror_connection_end_copy(c, copy, &result);
    }
}

/* Each copy has its own timer. */
static void http2_expire(mirror_connection_t *c)
{
    (void)c;
}

static mirror_copy_t *http2_abandon(mirror_connection_t *c)
{
    mirror_http2_t *h2 = c->state;
    mirror_copy_t *batch = NULL;

    h2->lost |= !APR_RING_EMPTY(&h2->streams, mirror_http2_stream_t, link);
    while (!APR_RING_EMPTY(&h2->streams, mirror_http2_stream_t, link)) {
        mirror_http2_stream_t *stream = APR_RING_FIRST(&h2->streams);

        if (stream->copy) {
            stream->copy->next = batch;
            batch = stream->copy;
        }
        mirror_http2_stream_free(stream);
    }
    return batch;
}

/* Send GOAWAY if the socket accepts it at once. */
static void http2_leave(mirror_connection_t *c)
{
    mirror_http2_t *h2 = c->state;

    if (!h2->lost && !h2->unsent && APR_RING_EMPTY(&h2->streams, mirror_http2_stream_t, link)) {
        nghttp2_session_terminate_session(h2->session, NGHTTP2_NO_ERROR);
        write_piece(h2);
    }
    h2->lost = 1;
    drop_unsent(h2);
}

const mirror_protocol_t mirror_http2_protocol = {
    "h2",           0,           1,           http2_open,
    http2_has_room, http2_start, http2_ready, http2_expire,
    http2_abandon,  http2_flush, http2_leave
};

#endif
