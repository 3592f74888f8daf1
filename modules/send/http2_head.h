/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/http2_head.h - the head of a copy as fields of HTTP/2 (RFC 9113 8.3.1), without I/O.
 *
 * A copy's head is HTTP/1.1 text, because the copy is created before its protocol is known. Names
 * are changed to lower case in place; names and values stay in the head.
 */
#ifndef MIRROR_SEND_HTTP2_HEAD_H
#define MIRROR_SEND_HTTP2_HEAD_H

#if MIRROR_HAVE_NGHTTP2

#include <apr.h>
#include <nghttp2/nghttp2.h>

typedef struct mirror_http2_head_t {
    const char *scheme;    /* "http" or "https" */
    unsigned grpc : 1;     /* send `te: trailers`, and no Content-Length */
    unsigned trailers : 1; /* send `te: trailers` */
} mirror_http2_head_t;

/* Return an upper bound of the number of fields of `text`, which has `len` bytes. */
apr_size_t mirror_http2_head_count(const char *text, apr_size_t len);

/* Parse `text`: a request line and header lines, each with CRLF, and the empty line. Writes the
 * fields to `fields`, pseudo fields first. Fields of a connection are dropped (RFC 9113 8.2.2).
 * Returns their number; 0 if the request line is malformed. Sender thread. */
apr_size_t mirror_http2_head_read(nghttp2_nv *fields, char *text, apr_size_t len,
                                  const mirror_http2_head_t *options);

#endif
#endif
