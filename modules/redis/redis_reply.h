/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * redis/redis_reply.h - the parser of Redis replies, without I/O.
 *
 * hiredis parses the protocol (RESP2). This file adds bounds, because the server is not trusted: on
 * the elements and the bytes of a reply; long texts are truncated. One thread at a time uses a
 * reader.
 */
#ifndef MIRROR_REDIS_REDIS_REPLY_H
#define MIRROR_REDIS_REDIS_REPLY_H

#include <apr.h>
#include <apr_errno.h>
#include <apr_network_io.h>

/* The bounds of one reply. */
typedef struct mirror_redis_bounds_t {
    int elements;     /* of all its arrays together */
    apr_size_t text;  /* bytes of a text with its NUL; the rest is cut off; 96 or more */
    apr_size_t bytes; /* of the whole reply */
} mirror_redis_bounds_t;

typedef enum {
    MIRROR_REDIS_NIL,
    MIRROR_REDIS_STATUS,
    MIRROR_REDIS_ERROR,
    MIRROR_REDIS_INTEGER,
    MIRROR_REDIS_STRING,
    MIRROR_REDIS_ARRAY,
    MIRROR_REDIS_OTHER /* of a later protocol version */
} mirror_redis_type_e;

typedef struct mirror_redis_reply_t mirror_redis_reply_t;
typedef struct mirror_redis_reader_t mirror_redis_reader_t;

struct mirror_redis_reply_t {
    mirror_redis_type_e type;
    apr_int64_t integer;
    const char *text;  /* status, error or string; NUL-terminated, truncated; else "" */
    apr_size_t length; /* length before truncation, bytes */
    int count;         /* number of elements of an array */
    const mirror_redis_reply_t **elements;
};

/* Create a reader with malloc. NULL = out of memory. */
mirror_redis_reader_t *mirror_redis_reply_reader_create(const mirror_redis_bounds_t *bounds);
void mirror_redis_reply_reader_destroy(mirror_redis_reader_t *reader);

/* Parse `len` (1 or more) more bytes. APR_SUCCESS: *reply is complete, and valid until the next
 * call. APR_INCOMPLETE: more bytes are needed. APR_ENOSPC: the bytes are too long. APR_EINVAL: they are
 * malformed, have too many elements, or are followed by more bytes. Then the reader must be destroyed. */
apr_status_t mirror_redis_reply_feed(const mirror_redis_reply_t **reply,
                                     mirror_redis_reader_t *reader, const char *bytes,
                                     apr_size_t len);

/* Return whether a reply was begun and is incomplete. */
int mirror_redis_reply_is_begun(const mirror_redis_reader_t *reader);

/* Read a whole number, from an integer or from decimal text. Returns 0 if the reply is not one. */
int mirror_redis_reply_number(apr_int64_t *number, const mirror_redis_reply_t *reply);

/* Return whether the reply is an error that begins with the word `code`, such as "NOSCRIPT". */
int mirror_redis_reply_is_error(const mirror_redis_reply_t *reply, const char *code);

/* Return whether the reply is a text that was not truncated and has no NUL. */
int mirror_redis_reply_is_text(const mirror_redis_reply_t *reply);

/* Return whether `host` has only characters of a host name or an address. */
int mirror_redis_reply_is_host(const char *host);

/* Read the destination of an error with the word `code` ("MOVED", "ASK"). *host has `size` bytes;
 * "" = the server that sent the error. Returns 0 if the reply is another one, or malformed. */
int mirror_redis_reply_redirect(char *host, apr_size_t size, apr_port_t *port,
                                const mirror_redis_reply_t *reply, const char *code);

#endif
