/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/response.h - the parser of HTTP/1.1 responses (RFC 9112 6.3), without I/O.
 *
 * A mirror's response is discarded, but its end must be found before the connection can be reused.
 * The caller passes received bytes in pieces of any size; the parser reports when the response is
 * complete or invalid. It allocates no memory and keeps 256 bytes of a line. The sender of the
 * response is not trusted: every length and number has a cap. The result, the message and the
 * position of a fault are independent of the pieces.
 *
 * A connection owns the parser; only the sender thread uses it.
 */
#ifndef MIRROR_SEND_RESPONSE_H
#define MIRROR_SEND_RESPONSE_H

#include <apr.h>
#include <apr_errno.h>

/* Caps of a response, in bytes including line ends; headers and interim responses are counts. */
/* status lines and headers, including interim responses */
#define MIRROR_RESPONSE_HEAD_MAX 65536
#define MIRROR_RESPONSE_LINE_MAX 16384
/* fields, including interim responses and trailers */
#define MIRROR_RESPONSE_HEADERS_MAX    200
#define MIRROR_RESPONSE_INTERIM_MAX    16
#define MIRROR_RESPONSE_CHUNK_LINE_MAX 4096 /* size of a chunk with its extensions */
#define MIRROR_RESPONSE_TRAILER_MAX    16384
#define MIRROR_RESPONSE_LENGTH_MAX     (APR_INT64_C(1) << 62) /* of a body or a chunk */

/* Receiver of the bytes of a final response. An invalid response has delivered some of its bytes. */
typedef struct mirror_response_sink_t {
    /* bytes of header fields with line ends; of the body, without chunk framing */
    void (*head)(void *baton, const char *data, apr_size_t len);
    void (*body)(void *baton, const char *data, apr_size_t len);
    void (*restart)(void *baton); /* the delivered bytes belong to an interim response */
    /* as `head`, of a trailer that is compared (compare/half.h); only of HTTP/2 */
    void (*trailer)(void *baton, const char *data, apr_size_t len);
} mirror_response_sink_t;

typedef struct mirror_response_t {
    const mirror_response_sink_t *sink; /* NULL = discard the bytes */
    void *baton;                        /* of the sink */
    apr_int64_t left;                   /* remaining bytes of the body or chunk */
    apr_int64_t length;                 /* Content-Length; -1 = none */
    apr_int64_t bytes;                  /* consumed bytes */
    const char *fault;                  /* NULL = none */
    apr_uint32_t head;                  /* bytes of heads, then of trailers */
    apr_uint32_t line_size;             /* bytes of the current line */
    apr_uint16_t line_kept;             /* bytes of the field or line in `line` */
    apr_uint16_t status;
    apr_uint16_t headers;
    unsigned char state;
    unsigned char interim;
    unsigned no_body : 1;
    unsigned http10 : 1;
    unsigned coded : 1;    /* has Transfer-Encoding */
    unsigned chunked : 1;  /* the last coding is chunked */
    unsigned chunking : 1; /* at least one coding is chunked */
    unsigned close : 1;
    unsigned keep : 1;
    unsigned blank : 1;   /* a leading empty line was skipped */
    unsigned cr : 1;      /* the last byte was CR */
    unsigned cut : 1;     /* `line` is truncated */
    unsigned pending : 1; /* `line` has a field, which the next line may continue */
    char line[256];
} mirror_response_t;

/* Start a response. `no_body`: the request method was HEAD (RFC 9110 9.3.2). */
void mirror_response_init(mirror_response_t *response, int no_body);

/* Deliver the bytes that are read from here to `sink`, with `baton`. */
static inline void mirror_response_watch(mirror_response_t *response,
                                         const mirror_response_sink_t *sink, void *baton)
{
    response->sink = sink;
    response->baton = baton;
}

/* Parse `len` bytes. APR_INCOMPLETE: all bytes were consumed, more are needed. APR_SUCCESS: the
 * response is complete; *used bytes belong to it. APR_EGENERAL: the response is invalid after *used
 * bytes; see mirror_response_fault(). A complete or invalid response stays so and consumes no more
 * bytes. */
apr_status_t mirror_response_read(apr_size_t *used, mirror_response_t *response, const char *data,
                                  apr_size_t len);

/* Return how many of the next bytes are content, not the last byte of it, that nobody receives. They
 * may be passed to mirror_response_read() as NULL. 0 = none. */
apr_int64_t mirror_response_ignorable(const mirror_response_t *response);

/* Handle the close of the connection (RFC 9112 8). APR_SUCCESS: the response is complete, perhaps
 * by the close (RFC 9112 6.3). APR_EOF: the response has not begun. APR_EGENERAL: the response is
 * incomplete or invalid. */
apr_status_t mirror_response_end(mirror_response_t *response);

/* Return whether any byte of the response was received. A leading empty line does not count: some
 * servers send one after the previous response (RFC 9112 2.2). */
int mirror_response_begun(const mirror_response_t *response);

/* Return the final status, 200 to 599; 0 = unknown yet. */
int mirror_response_status(const mirror_response_t *response);

/* Return the number of complete interim responses, at most MIRROR_RESPONSE_INTERIM_MAX (RFC 9110
 * 15.2). */
static inline int mirror_response_interim(const mirror_response_t *response)
{
    return response->interim;
}

/* Return whether the response is complete and the connection reusable (RFC 9112 9.3). */
int mirror_response_keepalive(const mirror_response_t *response);

/* Return the number of consumed bytes, including interim responses, framing and a leading empty
 * line. */
static inline apr_int64_t mirror_response_bytes(const mirror_response_t *response)
{
    return response->bytes;
}

/* Return a message about the fault; NULL if the response is valid. Static. */
static inline const char *mirror_response_fault(const mirror_response_t *response)
{
    return response->fault;
}

#endif
