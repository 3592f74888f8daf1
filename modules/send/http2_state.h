/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/http2_state.h - the state of a connection of HTTP/2; only for send/http2*.c. Sender thread.
 */
#ifndef MIRROR_SEND_HTTP2_STATE_H
#define MIRROR_SEND_HTTP2_STATE_H

#if MIRROR_HAVE_NGHTTP2

#include <nghttp2/nghttp2.h>

#include "send/connection.h"
#include "send/http2_memory.h"
#include "send/http2_response.h"

typedef struct mirror_http2_t mirror_http2_t;
typedef struct mirror_http2_stream_t mirror_http2_stream_t;

/* A stream lives from its request until nghttp2 has closed it, which may be later than the end of
 * its copy. nghttp2 refers to the copy's head and body, so it gets none of them without a copy. */
struct mirror_http2_stream_t {
    APR_RING_ENTRY(mirror_http2_stream_t) link;
    mirror_http2_t *h2;
    mirror_copy_t *copy; /* NULL = it has ended */
    int32_t id;
    mirror_timer_t timer; /* of the copy's timeout */
    mirror_http2_response_t response;
    apr_time_t started;          /* time of the request (mirror_loop_now()) */
    apr_time_t began;            /* time of the first header block (mirror_loop_now()) */
    apr_off_t offset;            /* bytes of the body that were read */
    const mirror_block_t *block; /* block that is being read; NULL = none yet */
    apr_size_t block_offset;
    unsigned sent : 1;       /* its head was passed to the socket's buffer */
    unsigned unreadable : 1; /* the body cannot be read from its file */
    unsigned reset : 1;      /* the mirror has reset it */
};

APR_RING_HEAD(mirror_http2_streams_t, mirror_http2_stream_t);

struct mirror_http2_t {
    mirror_connection_t *c;
    nghttp2_session *session;     /* NULL = it could not be created */
    mirror_http2_memory_t memory; /* of the session and the streams */
    struct mirror_http2_streams_t streams;
    mirror_http2_stream_t *found; /* the stream of the last frame; NULL = none, or it is freed */
    char *unsent; /* bytes that the socket did not accept, from malloc(); NULL = none */
    apr_size_t unsent_len;
    apr_size_t unsent_offset;
    apr_time_t read_at;    /* time of the last read (mirror_loop_now()); 0 = none */
    apr_time_t written_at; /* time of the last write of bytes (mirror_loop_now()); 0 = none */
    const char *fault;     /* why the connection ends, static; NULL = none */
    int idle_frames;       /* received frames since the last frame that advanced a copy */
    apr_size_t idle_bytes; /* received bytes since then */
    int continuations;     /* CONTINUATION frames of the current header block */
    apr_int64_t responses; /* whole responses of this connection */
    unsigned secure : 1;   /* TLS */
    unsigned settled : 1;  /* the mirror's SETTINGS have come */
    unsigned leaving : 1;  /* takes no more copies: GOAWAY, or as good as one */
    unsigned silent : 1;   /* a copy timed out, and nothing was read since it began */
    unsigned lost : 1;     /* nothing can be read or written any more */
};

/* ---- send/http2_session.c: what nghttp2 calls ---- */

/* Create the session of `h2`, and submit our SETTINGS. Errors: APR_ENOMEM. */
apr_status_t mirror_http2_session_create(mirror_http2_t *h2);

/* A copy has advanced: the mirror does not only keep us busy. */
static inline void mirror_http2_advance(mirror_http2_t *h2)
{
    h2->idle_frames = 0;
    h2->idle_bytes = 0;
}

/* ---- send/http2_stream.c ---- */

/* Submit the request of `copy`. Errors: APR_ENOMEM; the copy is then unchanged. */
apr_status_t mirror_http2_stream_start(mirror_http2_t *h2, mirror_copy_t *copy,
                                       apr_interval_time_t taken);

/* End the copy of a stream, with what its response is. */
void mirror_http2_stream_end(mirror_http2_stream_t *stream, mirror_connection_end_e how,
                             const char *fault);

/* nghttp2 has closed the stream with `error_code` (RFC 9113 7). Ends the copy and frees the
 * stream. */
void mirror_http2_stream_closed(mirror_http2_stream_t *stream, uint32_t error_code);

/* Free a stream whose copy has ended, and that nghttp2 does not use any more. */
void mirror_http2_stream_free(mirror_http2_stream_t *stream);

/* ---- send/http2.c ---- */

/* End the connection and all its copies: lost, or closed by us. `how`: MIRROR_TIMED_OUT for all of
 * them; MIRROR_BROKEN if the fault is the mirror's; MIRROR_STALE if the mirror has closed. */
void mirror_http2_lose(mirror_http2_t *h2, mirror_connection_end_e how);

#endif
#endif
