/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/http2_session.c - nghttp2's session of a connection: its bounds, and what it calls. See
 * send/http2.h.
 *
 * nghttp2 verifies frames, the order of header blocks, Content-Length and flow control, and answers
 * PING and SETTINGS. What it leaves open is bounded here: a push, frames that advance no copy, and
 * header blocks of many parts end the connection.
 */
#include "send/http2_state.h"

#if MIRROR_HAVE_NGHTTP2

/* Bytes that a mirror may send unread, of a stream and of a connection. They are discarded at once,
 * so these only save WINDOW_UPDATEs. */
#define MIRROR_STREAM_WINDOW     (256 * 1024)
#define MIRROR_CONNECTION_WINDOW (16 * 1024 * 1024)
/* The size of the table of received fields, bytes (RFC 7541 4.2): the default. A mirror whose encoder
 * uses no table, such as nginx, answers the setting with a size of 0, and its fields are not stored. */
#define MIRROR_FIELD_TABLE 4096
/* The maximum of a head that is sent, bytes. httpd's limits bound it before. */
#define MIRROR_SENT_HEAD_MAX (1024 * 1024)
/* The maximum of pending replies to PING and SETTINGS, and of entries of one SETTINGS. */
#define MIRROR_ACKS_MAX     1000
#define MIRROR_SETTINGS_MAX 32
/* The maximum of CONTINUATION frames of one header block: more than 64 KiB need. */
#define MIRROR_CONTINUATIONS_MAX 8
/* The maximum of frames in a row that advance no copy: PING, SETTINGS, frames of closed streams. */
#define MIRROR_IDLE_FRAMES_MAX 10000

/* ---- frames ---- */

static int fail(mirror_http2_t *h2, const char *fault)
{
    h2->fault = h2->fault ? h2->fault : fault;
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* Return the stream of a frame if its copy has not ended. Most frames and fields follow others of
 * the same stream. */
static mirror_http2_stream_t *find(mirror_http2_t *h2, int32_t id)
{
    if (!h2->found || h2->found->id != id) {
        h2->found = nghttp2_session_get_stream_user_data(h2->session, id);
    }
    return h2->found && h2->found->copy ? h2->found : NULL;
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *baton)
{
    mirror_http2_t *h2 = baton;

    (void)session;
    if (hd->type == NGHTTP2_PUSH_PROMISE) {
        return fail(h2, "a push, which is switched off");
    }
    h2->continuations = hd->type == NGHTTP2_CONTINUATION ? h2->continuations + 1 : 0;
    if (h2->continuations > MIRROR_CONTINUATIONS_MAX) {
        return fail(h2, "a header block of too many parts");
    }
    if (++h2->idle_frames > MIRROR_IDLE_FRAMES_MAX) {
        return fail(h2, "too many frames that advance no response");
    }
    return 0;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *baton)
{
    mirror_http2_t *h2 = baton;
    mirror_http2_stream_t *stream = find(h2, frame->hd.stream_id);

    (void)session;
    if (stream) {
        mirror_http2_advance(h2);
        if (!stream->response.begun) {
            stream->began = mirror_loop_now(h2->c->shared->loop);
        }
        mirror_http2_response_block(&stream->response);
    }
    return 0;
}

/* An error resets the stream. */
static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *baton)
{
    mirror_http2_stream_t *stream = find(baton, frame->hd.stream_id);

    (void)session;
    (void)flags;
    return !stream || mirror_http2_response_field(&stream->response, (const char *)name, name_len,
                                                  (const char *)value, value_len) == APR_SUCCESS
               ? 0
               : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t len, void *baton)
{
    mirror_http2_t *h2 = baton;
    mirror_http2_stream_t *stream = find(h2, id);

    (void)session;
    (void)flags;
    if (stream && len > 0) {
        mirror_http2_advance(h2);
        mirror_http2_response_body(&stream->response, (const char *)data, len);
    }
    return 0;
}

static void reset(mirror_http2_t *h2, const mirror_http2_stream_t *stream, uint32_t error_code)
{
    nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, stream->id, error_code);
}

/* Handle a complete frame of a response. */
static void take_frame(mirror_http2_t *h2, mirror_http2_stream_t *stream,
                       const nghttp2_frame *frame)
{
    if (frame->hd.type == NGHTTP2_HEADERS &&
        mirror_http2_response_block_end(&stream->response) != APR_SUCCESS) {
        reset(h2, stream, NGHTTP2_PROTOCOL_ERROR);
        return;
    }
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
        mirror_http2_response_end(&stream->response);
        /* RFC 9113 8.1: the mirror has responded before the whole request came */
        if (!nghttp2_session_get_stream_local_close(h2->session, stream->id)) {
            reset(h2, stream, NGHTTP2_CANCEL);
        }
    }
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *baton)
{
    mirror_http2_t *h2 = baton;
    mirror_http2_stream_t *stream;

    (void)session;
    switch (frame->hd.type) {
    case NGHTTP2_SETTINGS:
        if (!(frame->hd.flags & NGHTTP2_FLAG_ACK)) {
            h2->settled = 1;
            mirror_connection_confirm(h2->c);
        }
        break;
    case NGHTTP2_GOAWAY:
        h2->leaving = 1;
        h2->c->cut = 1; /* the numbers of our streams are odd */
        h2->c->processed = ((apr_int64_t)frame->goaway.last_stream_id + 1) / 2;
        break;
    case NGHTTP2_RST_STREAM:
        stream = find(h2, frame->hd.stream_id);
        if (stream) {
            stream->reset = 1;
        }
        break;
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA:
        stream = find(h2, frame->hd.stream_id);
        if (stream) {
            take_frame(h2, stream, frame);
        }
        break;
    default:
        break;
    }
    return 0;
}

static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *baton)
{
    mirror_http2_stream_t *stream;

    (void)baton;
    if (frame->hd.type == NGHTTP2_HEADERS) {
        stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
        if (stream) {
            stream->sent = 1;
        }
    }
    return 0;
}

static int on_closed(nghttp2_session *session, int32_t id, uint32_t error_code, void *baton)
{
    mirror_http2_stream_t *stream = nghttp2_session_get_stream_user_data(session, id);

    (void)baton;
    if (stream) {
        nghttp2_session_set_stream_user_data(session, id, NULL);
        mirror_http2_stream_closed(stream, error_code);
    }
    return 0;
}

/* ---- the session ---- */

static apr_status_t destroy(void *baton)
{
    mirror_http2_t *h2 = baton;

    nghttp2_session_del(h2->session);
    mirror_http2_memory_destroy(&h2->memory);
    return APR_SUCCESS;
}

static int create(mirror_http2_t *h2, nghttp2_session_callbacks *calls, nghttp2_option *option)
{
    nghttp2_mem memory = { &h2->memory, mirror_http2_memory_malloc, mirror_http2_memory_free,
                           mirror_http2_memory_calloc, mirror_http2_memory_realloc };

    nghttp2_session_callbacks_set_on_begin_frame_callback(calls, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(calls, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(calls, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(calls, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(calls, on_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(calls, on_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(calls, on_closed);
    nghttp2_option_set_peer_max_concurrent_streams(option, NGHTTP2_INITIAL_MAX_CONCURRENT_STREAMS);
    nghttp2_option_set_max_reserved_remote_streams(option, 0);
    nghttp2_option_set_max_send_header_block_length(option, MIRROR_SENT_HEAD_MAX);
    nghttp2_option_set_max_outbound_ack(option, MIRROR_ACKS_MAX);
    nghttp2_option_set_max_settings(option, MIRROR_SETTINGS_MAX);
    nghttp2_option_set_no_closed_streams(option, 1);
    return nghttp2_session_client_new3(&h2->session, calls, h2, option, &memory);
}

static int submit_settings(mirror_http2_t *h2)
{
    static const nghttp2_settings_entry entries[] = {
        { NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, MIRROR_FIELD_TABLE },
        { NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
        { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, MIRROR_STREAM_WINDOW },
        { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, MIRROR_RESPONSE_HEAD_MAX }
    };
    int rv = nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, entries,
                                     sizeof(entries) / sizeof(*entries));

    return rv ? rv
              : nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0,
                                                      MIRROR_CONNECTION_WINDOW);
}

apr_status_t mirror_http2_session_create(mirror_http2_t *h2)
{
    nghttp2_session_callbacks *calls = NULL;
    nghttp2_option *option = NULL;
    int rv = nghttp2_session_callbacks_new(&calls);

    if (!rv) {
        rv = nghttp2_option_new(&option);
    }
    if (!rv) {
        rv = create(h2, calls, option);
    }
    nghttp2_session_callbacks_del(calls);
    nghttp2_option_del(option);
    apr_pool_cleanup_register(h2->c->pool, h2, destroy, apr_pool_cleanup_null);
    if (rv) {
        return APR_ENOMEM;
    }
    return submit_settings(h2) ? APR_ENOMEM : APR_SUCCESS;
}

#endif
