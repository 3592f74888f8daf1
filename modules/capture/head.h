/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * capture/head.h - the head of a copy: its request line and its headers.
 *
 * The first pass over the client's headers extracts the data for the decision and classifies each
 * line; it runs once per request. The second pass, once per copy, writes the kept lines into the
 * copy's memory.
 *
 * A copy has the client's method, and the client's headers in their order and case, with these
 * changes:
 *
 * - Hop-by-hop headers (RFC 9110 7.6.1), Expect and Content-Length are dropped.
 * - There is exactly one Host.
 * - X-Forwarded-* are appended as in mod_proxy; our id is appended to X-Proxy-Mirror.
 * - Request target and Host are those of capture/shape.h.
 * - The edits of ProxyMirrorHeader are applied.
 *
 * mirror_copy_complete() adds the headers of the body.
 */
#ifndef MIRROR_CAPTURE_HEAD_H
#define MIRROR_CAPTURE_HEAD_H

#include <httpd.h>

#include "capture/header_name.h"
#include "capture/method.h"
#include "capture/shape.h"
#include "copy/copy.h"

typedef struct mirror_head_line_t mirror_head_line_t;

typedef struct mirror_head_t {
    mirror_method_t method;
    apr_off_t content_length; /* as announced by the client, bytes; -1 = not announced */
    unsigned chunked : 1;     /* 1 if a body of unknown length was announced */
    unsigned encoded : 1;     /* 1 if the body has a content coding */
    unsigned websocket : 1;   /* 1 if Upgrade lists websocket */
    unsigned te_trailers : 1; /* 1 if TE lists trailers */
    unsigned looped : 1;      /* 1 if X-Proxy-Mirror contains our id */
    /* maximum of bytes that mirror_head_write() writes, without those of the shape */
    apr_size_t size;

    /* for mirror_head_write() */
    const char *host; /* Host to add; NULL = the client's headers have one */
    const char *append[MIRROR_HEADER_LISTS];
    int line_count;
    mirror_head_line_t *lines;
} mirror_head_t;

/* ---- request threads ---- */

/* Parse the headers of `r` and the request line of `first`. `r`: the request that the handler gets;
 * `first`: the client's request, which may be `r` or was internally redirected to `r`. `id`: id of
 * this server. The result is in the request's pool and valid while the headers are unchanged. */
mirror_head_t *mirror_head_read(request_rec *r, const request_rec *first, const char *id);

/* Apply `edits` (of mirror_header_edit_t *) to the headers. `lane`: lane of a mirror that uses the
 * head. */
void mirror_head_edit(mirror_head_t *head, request_rec *r, const apr_array_header_t *edits,
                      mirror_lane_t *lane);

/* Write request line and headers to copy->head, and set the flags of the copy that depend on the
 * method. copy->head must have room for head->size + shape->size bytes. */
void mirror_head_write(mirror_copy_t *copy, const mirror_head_t *head, const mirror_shape_t *shape);

#endif
