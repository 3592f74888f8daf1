/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/http2_response.h - the response of one stream of HTTP/2 (RFC 9113 8.1), without I/O.
 *
 * The caller passes the fields of header blocks and the bytes of the body. The sender of the
 * response is not trusted: the caps are those of HTTP/1.1 (send/response.h). Only the sender thread
 * uses it.
 */
#ifndef MIRROR_SEND_HTTP2_RESPONSE_H
#define MIRROR_SEND_HTTP2_RESPONSE_H

#include "send/response.h"

/* The status of a gRPC call: 0 to MIRROR_HTTP2_GRPC_MAX. Others count as UNKNOWN. */
#define MIRROR_HTTP2_GRPC_MAX     16
#define MIRROR_HTTP2_GRPC_UNKNOWN 2
#define MIRROR_HTTP2_GRPC_NONE    (-1)

typedef struct mirror_http2_response_t {
    const mirror_response_sink_t *sink; /* NULL = discard the bytes */
    void *baton;                        /* of the sink */
    const char *fault;                  /* NULL = none */
    apr_uint32_t head;                  /* bytes of all header blocks, as in HTTP/1.1 */
    apr_uint16_t fields;                /* of all header blocks */
    apr_uint16_t status;                /* of the current or last header block; 0 = none */
    short grpc_status;                  /* MIRROR_HTTP2_GRPC_NONE = none */
    unsigned char interim;
    unsigned begun : 1;    /* a header block has begun */
    unsigned final : 1;    /* the final header block is complete; more fields are trailers */
    unsigned complete : 1; /* the response is complete */
} mirror_http2_response_t;

void mirror_http2_response_init(mirror_http2_response_t *response);

/* Begin a header block: of an interim or the final response, or trailers. */
void mirror_http2_response_block(mirror_http2_response_t *response);

/* Add a field of the block. Errors: APR_EGENERAL, and a fault. */
apr_status_t mirror_http2_response_field(mirror_http2_response_t *response, const char *name,
                                         apr_size_t name_len, const char *value,
                                         apr_size_t value_len);

/* End the block. Errors: APR_EGENERAL, and a fault. */
apr_status_t mirror_http2_response_block_end(mirror_http2_response_t *response);

/* Add bytes of the body. */
void mirror_http2_response_body(mirror_http2_response_t *response, const char *data,
                                apr_size_t len);

/* End the response (END_STREAM). */
void mirror_http2_response_end(mirror_http2_response_t *response);

#endif
