/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/decode.h - content codings (RFC 9110 8.4) undone, within bounds; sans I/O.
 */
#ifndef MIRROR_COMPARE_DECODE_H
#define MIRROR_COMPARE_DECODE_H

#include <apr.h>

/* Of a decoded body. */
#define MIRROR_DECODED_MAX (1024 * 1024)
/* Codings of one body, stacked. */
#define MIRROR_CODINGS_MAX 2

typedef struct mirror_decoded_t {
    char *data; /* the caller's, to free(); NULL: nothing was decoded */
    apr_size_t len;
} mirror_decoded_t;

typedef enum {
    MIRROR_DECODE_DONE,
    MIRROR_DECODE_IDENTITY, /* there is no coding but identity: take the body as it is */
    MIRROR_DECODE_FAILED, /* unknown, too many, or broken: cut short, wrong checksum, trailing bytes */
    MIRROR_DECODE_TOO_LARGE, /* longer than MIRROR_DECODED_MAX, or over 1000 times its input */
    MIRROR_DECODE_NO_MEMORY
} mirror_decode_e;

/* ---- any thread ---- */

/* Decode `data` as `codings` says, the value of Content-Encoding (fields joined by commas; NULL:
 * none): gzip and x-gzip (RFC 1952, also several members), deflate (RFC 1950, and raw RFC 1951 as
 * some servers send it), br if built with it (RFC 7932), identity. Any case. */
mirror_decode_e mirror_decode(mirror_decoded_t *decoded, const char *codings, const char *data,
                              apr_size_t len);

/* Return how many bytes may come of a body of `len`: beyond that it is MIRROR_DECODE_TOO_LARGE. */
apr_size_t mirror_decode_limit(apr_size_t len);

#endif
