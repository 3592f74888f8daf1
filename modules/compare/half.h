/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/half.h - one response as it is kept to be compared: status, header fields, body.
 *
 * The bytes come from a server that is not trusted. They are bounded by compare_max_body and
 * MIRROR_HALF_HEAD_MAX, and charged to ProxyMirrorCompareMemory before they are taken.
 */
#ifndef MIRROR_COMPARE_HALF_H
#define MIRROR_COMPARE_HALF_H

#include "base/comparison.h"
#include "base/mirror.h"

#define MIRROR_HALF_HEAD_MAX 65536

typedef struct mirror_bytes_t {
    char *data;
    apr_size_t len;
    apr_size_t room; /* of what is charged */
} mirror_bytes_t;

typedef struct mirror_half_t {
    mirror_lane_t *lane;
    int status;          /* 0: there is none */
    mirror_bytes_t head; /* header fields, each with its line end */
    apr_size_t trailers; /* bytes at the end of `head` that came behind the body */
    int knows_trailers;  /* of mirror and reference: trailers would be there */
    mirror_bytes_t body;
    apr_size_t body_max;
    mirror_skip_e skip;       /* why it cannot be compared; MIRROR_SKIP_NONE: it can */
    mirror_skip_e body_skip;  /* the same for the body alone */
    apr_interval_time_t took; /* from the request to the end of the response */
    apr_time_t ended;         /* mirror_clock_now()'s */
} mirror_half_t;

/* ---- any thread: the owner ---- */

void mirror_half_init(mirror_half_t *half, mirror_lane_t *lane, apr_size_t body_max);

/* Append bytes of header fields, of the body. Bytes without room are not kept; `skip` or `body_skip` is then the
 * reason. */
void mirror_half_head(mirror_half_t *half, const char *data, apr_size_t len);
void mirror_half_body(mirror_half_t *half, const char *data, apr_size_t len);

/* Whether a trailer is the result of the response, and so compared as a header: those of gRPC. */
int mirror_half_wants_trailer(const char *name, apr_size_t len);

/* Append bytes of such trailers, as of header fields. */
void mirror_half_trailer(mirror_half_t *half, const char *data, apr_size_t len);

/* Drop these bytes. */
void mirror_half_drop_trailers(mirror_half_t *half);

/* Keep no body: `why`. What there is of it is freed. */
void mirror_half_skip_body(mirror_half_t *half, mirror_skip_e why);

/* Drop all bytes, to begin anew. */
void mirror_half_clear(mirror_half_t *half);

/* Free everything, and give back what was charged. The half stays empty. */
void mirror_half_free(mirror_half_t *half);

#endif
