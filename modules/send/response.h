/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/response.h - where an HTTP/1.1 answer ends (RFC 9112 6.3); sans I/O.
 *
 * A mirror's answer is thrown away, but its end must be known, so that the connection can be used
 * again. The reader is fed what was read, in pieces of any size, and says when the answer is
 * complete or is none. It allocates nothing and keeps 256 bytes of a line; most lines are only
 * looked at for what must not be in them. Whoever sends the answer is not trusted: every length
 * and number that it chooses has a cap. How the answer is cut into pieces changes nothing: not the
 * result, not the words, not the byte at which they come.
 *
 * Owned by one connection, used by the sender thread.
 */
#ifndef MIRROR_SEND_RESPONSE_H
#define MIRROR_SEND_RESPONSE_H

#include <apr.h>
#include <apr_errno.h>

/* Caps: the most that an answer may have. Bytes, with line ends, but for headers and interim
 * answers. */
/* status lines and headers, with those of interim answers */
#define MIRROR_RESPONSE_HEAD_MAX 65536
#define MIRROR_RESPONSE_LINE_MAX 16384
/* fields, those of interim answers and trailers with them */
#define MIRROR_RESPONSE_HEADERS_MAX    200
#define MIRROR_RESPONSE_INTERIM_MAX    16
#define MIRROR_RESPONSE_CHUNK_LINE_MAX 4096 /* a chunk's size with its extensions */
#define MIRROR_RESPONSE_TRAILER_MAX    16384
#define MIRROR_RESPONSE_LENGTH_MAX     (APR_INT64_C(1) << 62) /* of a body, of a chunk */

typedef struct mirror_response_t {
    apr_int64_t left;       /* of the body, or of the chunk */
    apr_int64_t length;     /* Content-Length; -1: none */
    apr_int64_t bytes;      /* of all */
    const char *fault;      /* NULL: none */
    apr_uint32_t head;      /* bytes of heads; then of trailers */
    apr_uint32_t line_size; /* bytes of the line so far */
    apr_uint16_t line_kept; /* bytes of the field, or of another line, in `line` */
    apr_uint16_t status;
    apr_uint16_t headers;
    unsigned char state;
    unsigned char interim;
    unsigned no_body : 1;
    unsigned http10 : 1;
    unsigned coded : 1;    /* Transfer-Encoding was seen */
    unsigned chunked : 1;  /* and chunked is the last coding */
    unsigned chunking : 1; /* or at least one of them */
    unsigned close : 1;
    unsigned keep : 1;
    unsigned blank : 1;   /* an empty line was let pass */
    unsigned cr : 1;      /* the last byte was a CR */
    unsigned cut : 1;     /* there is more of it than what is in `line` */
    unsigned pending : 1; /* `line` has a field, which the next line may continue */
    char line[256];
} mirror_response_t;

/* Begin an answer. `no_body`: the request was HEAD (RFC 9110 9.3.2). */
void mirror_response_init(mirror_response_t *response, int no_body);

/* Take `len` bytes. APR_INCOMPLETE: all were used, and more is needed. APR_SUCCESS: the answer is
 * complete, the first *used bytes were of it. APR_EGENERAL: it is no valid answer;
 * mirror_response_fault() says why, *used is how far it was looked at. Once it is complete or
 * faulty it stays so, and uses no more bytes. */
apr_status_t mirror_response_read(apr_size_t *used, mirror_response_t *response, const char *data,
                                  apr_size_t len);

/* The connection was closed. APR_SUCCESS: the answer is complete, by that or before (RFC 9112 6.3,
 * 8). APR_EOF: it has not begun. APR_EGENERAL: it was broken off, or faulty (RFC 9112 8). */
apr_status_t mirror_response_end(mirror_response_t *response);

/* Whether any byte of it came. The empty line that is let pass in front of it is none of it: some
 * servers send one behind the answer before (RFC 9112 2.2). */
int mirror_response_begun(const mirror_response_t *response);

/* The final status, 200 to 599; 0 before it is known. */
int mirror_response_status(const mirror_response_t *response);

/* How many whole interim answers came, at most MIRROR_RESPONSE_INTERIM_MAX (RFC 9110 15.2). */
int mirror_response_interim(const mirror_response_t *response);

/* Whether the answer is complete and the connection may be used again (RFC 9112 9.3). */
int mirror_response_keepalive(const mirror_response_t *response);

/* How many bytes were used in all, interim answers, framing and an empty line in front with them.
 * */
apr_int64_t mirror_response_bytes(const mirror_response_t *response);

/* What is wrong, in words; NULL if nothing is. Static. */
const char *mirror_response_fault(const mirror_response_t *response);

#endif
