/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * capture/head.h - the head of a copy: its request line and its headers.
 *
 * One pass over the client's headers finds all that a decision needs of them, and what becomes of
 * each line; it is made once for a request. A second one, for each copy, puts the kept lines into
 * the copy's own memory.
 *
 * A copy has the client's method and headers in the client's order and case, less the hop-by-hop
 * ones (RFC 9110 7.6.1), Expect and Content-Length; exactly one Host; X-Forwarded-* as mod_proxy
 * adds them; X-Proxy-Mirror with our id as its last element. Request target and Host are what
 * capture/shape.h makes of them; then the headers are changed as ProxyMirrorHeader says. What the
 * body needs is added by mirror_copy_complete().
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
    apr_off_t content_length; /* as the client announced it; -1 if it did not */
    unsigned chunked : 1;     /* a body of unknown length was announced */
    unsigned encoded : 1;     /* the body has a content coding */
    unsigned websocket : 1;   /* Upgrade asks for one */
    unsigned looped : 1;      /* X-Proxy-Mirror has our id */
    /* the most bytes that mirror_head_write() writes, without those of the shape */
    apr_size_t size;

    /* for mirror_head_write() */
    const char *host; /* a Host that the client's headers lack, or NULL */
    const char *append[MIRROR_HEADER_LISTS];
    int line_count;
    mirror_head_line_t *lines;
} mirror_head_t;

/* ---- request threads ---- */

/* Look at the headers of `r`, which is now where it is handled, and at the request line of `first`,
 * which the client sent: the same, or the one that `r` was internally redirected from. `id` is
 * ours. The result and what it points to live in the request's pool, as long as nobody changes the
 * headers. */
mirror_head_t *mirror_head_read(request_rec *r, const request_rec *first, const char *id);

/* Change the headers as `edits` say (of mirror_header_edit_t *). `lane` is that of a mirror that
 * needs the head. */
void mirror_head_edit(mirror_head_t *head, request_rec *r, const apr_array_header_t *edits,
                      mirror_lane_t *lane);

/* Write request line and headers to copy->head, for which at least head->size + shape->size bytes
 * were reserved, and set the flags of the copy that depend on the method. */
void mirror_head_write(mirror_copy_t *copy, const mirror_head_t *head, const mirror_shape_t *shape);

#endif
