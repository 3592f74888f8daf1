/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/http2_stream.c - the copies of a connection of HTTP/2: request, body, timeout, end. See
 * send/http2.h.
 */
#include <stddef.h> /* before APR, whose rings then use offsetof() */

#include "send/http2_state.h"

#if MIRROR_HAVE_NGHTTP2

#include <stdlib.h>
#include <string.h>

#include "copy/spool.h"
#include "send/http2_head.h"

static void watch_response(mirror_http2_stream_t *stream)
{
    mirror_http2_response_init(&stream->response);
    stream->response.sink = mirror_connection_keep_response(stream->copy, 1);
    stream->response.baton = stream->copy->half;
}

/* ---- the end ---- */

void mirror_http2_stream_free(mirror_http2_stream_t *stream)
{
    mirror_loop_timer_stop(&stream->timer);
    APR_RING_REMOVE(stream, link);
    if (stream->h2->found == stream) {
        stream->h2->found = NULL;
    }
    mirror_http2_memory_free(stream, &stream->h2->memory);
}

void mirror_http2_stream_end(mirror_http2_stream_t *stream, mirror_connection_end_e how,
                             const char *fault)
{
    mirror_copy_t *copy = stream->copy;
    mirror_connection_t *c = stream->h2->c;
    mirror_result_t result;

    mirror_loop_timer_stop(&stream->timer);
    stream->copy = NULL;
    stream->response.sink = NULL;
    result.how = how;
    result.status = stream->response.final ? stream->response.status : 0;
    result.interim = stream->response.interim;
    result.fault = stream->response.fault ? stream->response.fault : fault;
    result.began = stream->began;
    result.grpc_status = stream->h2->c->settings->target.grpc ? stream->response.grpc_status
                                                              : MIRROR_HTTP2_GRPC_NONE;
    result.wrote = stream->sent;
    result.reset = stream->reset && !stream->response.fault;
    c->used |= how == MIRROR_RESPONDED;
    stream->h2->responses += how == MIRROR_RESPONDED;
    mirror_connection_end_copy(c, copy, &result);
}

/* Return how the copy of a closed stream ended. */
static mirror_connection_end_e end_of(const mirror_http2_stream_t *stream, uint32_t error_code)
{
    if (stream->response.complete) {
        return MIRROR_RESPONDED; /* whatever followed */
    }
    if (stream->response.fault || stream->unreadable) {
        return MIRROR_BROKEN;
    }
    if (!stream->sent || (error_code == NGHTTP2_REFUSED_STREAM && !stream->response.begun)) {
        return MIRROR_UNPROCESSED;
    }
    return error_code == NGHTTP2_HTTP_1_1_REQUIRED ? MIRROR_FOREIGN : MIRROR_BROKEN;
}

void mirror_http2_stream_closed(mirror_http2_stream_t *stream, uint32_t error_code)
{
    if (error_code == NGHTTP2_ENHANCE_YOUR_CALM) {
        stream->h2->leaving = 1;
    }
    if (stream->copy) {
        mirror_http2_stream_end(stream, end_of(stream, error_code),
                                stream->unreadable ? "the body cannot be read from its file"
                                                   : nghttp2_http2_strerror(error_code));
    }
    mirror_http2_stream_free(stream);
}

/* A stream had the whole timeout. Return whether bytes are left of which the mirror took none. If it
 * sent nothing either, it may be that the others are slow, too. */
static int is_stuck(mirror_http2_stream_t *stream)
{
    mirror_http2_t *h2 = stream->h2;

    if (mirror_loop_now(h2->c->shared->loop) - stream->started < stream->copy->settings->timeout) {
        return 0; /* a second attempt has less time, which says nothing of the connection */
    }
    h2->silent |= h2->read_at <= stream->started;
    return h2->unsent && h2->written_at <= stream->started;
}

/* The timeout of a copy is over. */
static void on_timeout(void *baton)
{
    mirror_http2_stream_t *stream = baton;
    mirror_http2_t *h2 = stream->h2;
    mirror_connection_t *c = h2->c;

    if (is_stuck(stream) || (h2->silent && c->copies == 1)) {
        mirror_http2_lose(h2, MIRROR_TIMED_OUT);
        return;
    }
    nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_CANCEL);
    mirror_http2_stream_end(stream, MIRROR_TIMED_OUT, NULL);
    mirror_connection_flush_later(c);
    c->shared->changed(c->shared->baton, c);
}

/* ---- the body ---- */

/* Read up to `len` bytes of the blocks in memory that follow the file. */
static apr_size_t read_blocks(mirror_http2_stream_t *stream, char *data, apr_size_t len)
{
    apr_size_t n = 0;

    if (!stream->block) {
        stream->block = mirror_copy_first_block(stream->copy);
    }
    while (stream->block && n < len) {
        apr_size_t piece = stream->block->len - stream->block_offset;

        piece = piece < len - n ? piece : len - n;
        memcpy(data + n, stream->block->data + stream->block_offset, piece);
        n += piece;
        stream->block_offset += piece;
        if (stream->block_offset == stream->block->len) {
            if (!stream->block->next) {
                break;
            }
            stream->block = stream->block->next;
            stream->block_offset = 0;
        }
    }
    return n;
}

/* Read up to `len` bytes of the current part of the body. Errors: those of mirror_spool_read(). */
static apr_status_t read_part(mirror_http2_stream_t *stream, char *data, apr_size_t *len)
{
    const mirror_copy_t *copy = stream->copy;
    apr_off_t start = (apr_off_t)copy->start_len;
    mirror_spool_t *spool = mirror_copy_spool(copy);
    apr_off_t file = spool ? mirror_spool_length(spool) : 0;
    apr_off_t left;

    if (stream->offset < start) {
        left = start - stream->offset;
        *len = (apr_off_t)*len < left ? *len : (apr_size_t)left;
        memcpy(data, copy->start + stream->offset, *len);
        return APR_SUCCESS;
    }
    if (stream->offset < start + file) {
        left = start + file - stream->offset;
        *len = (apr_off_t)*len < left ? *len : (apr_size_t)left;
        return mirror_spool_read(spool, stream->offset - start, data, len);
    }
    *len = read_blocks(stream, data, *len);
    return APR_SUCCESS;
}

/* nghttp2's call for bytes of a body. An error resets the stream. */
static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *data, size_t len,
                         uint32_t *flags, nghttp2_data_source *source, void *baton)
{
    mirror_http2_stream_t *stream = source->ptr;
    apr_size_t n = len;

    (void)session;
    (void)id;
    (void)baton;
    if (!stream->copy) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    if (read_part(stream, (char *)data, &n) != APR_SUCCESS || n == 0) {
        stream->unreadable = 1;
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    stream->offset += (apr_off_t)n;
    mirror_http2_advance(stream->h2);
    if (stream->offset >= stream->copy->body_len) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)n;
}

/* ---- the request ---- */

/* The number of fields that need no memory of their own, and the length of a head that has no more:
 * a field has at least three bytes. */
#define MIRROR_FIELDS     256
#define MIRROR_HEAD_SHORT 750

/* Submit the request. Errors: those of nghttp2_submit_request(); NGHTTP2_ERR_INVALID_ARGUMENT if the
 * head is malformed. */
static int submit(mirror_http2_stream_t *stream)
{
    mirror_copy_t *copy = stream->copy;
    mirror_http2_head_t options = { 0 };
    nghttp2_data_provider body;
    nghttp2_nv few[MIRROR_FIELDS], *fields = few;
    apr_size_t n;
    int id;

    if (copy->head_len > MIRROR_HEAD_SHORT) {
        n = mirror_http2_head_count(copy->head, copy->head_len);
        fields = malloc(n * sizeof(*fields));
    }
    if (!fields) {
        return NGHTTP2_ERR_NOMEM;
    }
    options.scheme = stream->h2->secure ? "https" : "http";
    options.grpc = copy->settings->target.grpc != 0;
    options.trailers = copy->te_trailers;
    n = mirror_http2_head_read(fields, copy->head, copy->head_len, &options);
    body.source.ptr = stream;
    body.read_callback = read_body;
    id = n > 0 ? nghttp2_submit_request(stream->h2->session, NULL, fields, n,
                                        copy->body_len > 0 ? &body : NULL, stream)
               : NGHTTP2_ERR_INVALID_ARGUMENT;
    if (fields != few) {
        free(fields);
    }
    return id;
}

apr_status_t mirror_http2_stream_start(mirror_http2_t *h2, mirror_copy_t *copy,
                                       apr_interval_time_t taken)
{
    mirror_loop_t *loop = h2->c->shared->loop;
    mirror_http2_stream_t *stream = mirror_http2_memory_calloc(1, sizeof(*stream), &h2->memory);

    if (!stream) {
        return APR_ENOMEM;
    }
    stream->h2 = h2;
    stream->copy = copy;
    stream->started = mirror_loop_now(loop);
    stream->id = submit(stream);
    if (stream->id < 0) {
        mirror_http2_memory_free(stream, &h2->memory);
        return APR_ENOMEM;
    }
    watch_response(stream);
    APR_RING_INSERT_TAIL(&h2->streams, stream, mirror_http2_stream_t, link);
    stream->timer.fire = on_timeout;
    stream->timer.baton = stream;
    mirror_loop_timer_start(loop, &stream->timer, stream->started - taken, copy->settings->timeout);
    return APR_SUCCESS;
}

#endif
