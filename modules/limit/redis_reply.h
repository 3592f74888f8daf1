/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * limit/redis_reply.h - what a Redis server says, sans I/O: bytes in, one reply at a time out.
 *
 * The protocol (RESP2) is read by hiredis. Around it are bounds, as a server may be any: a reply
 * has at most MIRROR_REDIS_ELEMENTS elements, takes at most MIRROR_REDIS_REPLY_MAX bytes, and of
 * each text only the first bytes are kept. Everything here is used by one thread at a time, a
 * helper or the sender.
 */
#ifndef MIRROR_LIMIT_REDIS_REPLY_H
#define MIRROR_LIMIT_REDIS_REPLY_H

#include <apr.h>
#include <apr_errno.h>
#include <apr_network_io.h>

#define MIRROR_REDIS_ELEMENTS  16
#define MIRROR_REDIS_REPLY_MAX 65536

typedef enum {
    MIRROR_REDIS_NIL,
    MIRROR_REDIS_STATUS,
    MIRROR_REDIS_ERROR,
    MIRROR_REDIS_INTEGER,
    MIRROR_REDIS_STRING,
    MIRROR_REDIS_ARRAY,
    MIRROR_REDIS_OTHER /* of a later protocol */
} mirror_redis_type_e;

typedef struct mirror_redis_reply_t mirror_redis_reply_t;
typedef struct mirror_redis_reader_t mirror_redis_reader_t;

struct mirror_redis_reply_t {
    mirror_redis_type_e type;
    apr_int64_t integer;
    char text[512];    /* of status, error and string, NUL-ended and cut */
    apr_size_t length; /* before it was cut */
    int count;         /* of an array */
    const mirror_redis_reply_t *elements[MIRROR_REDIS_ELEMENTS];
};

/* A reader of replies, by malloc. NULL: there is no memory. */
mirror_redis_reader_t *mirror_redis_reply_reader_create(void);
void mirror_redis_reply_reader_destroy(mirror_redis_reader_t *reader);

/* Read `len` bytes (1 or more) more. APR_SUCCESS: *reply is complete, and valid until the next
 * call. APR_INCOMPLETE: more bytes are needed. Else it is no reply, or too long a one, or
 * something follows it: APR_EINVAL, and the reader is good for nothing any more. */
apr_status_t mirror_redis_reply_feed(const mirror_redis_reply_t **reply,
                                     mirror_redis_reader_t *reader, const char *bytes,
                                     apr_size_t len);

/* Whether bytes of a reply have come that is not complete. */
int mirror_redis_reply_is_begun(const mirror_redis_reader_t *reader);

/* A whole number, as such or as text in decimal. Returns 0 if it is none. */
int mirror_redis_reply_number(apr_int64_t *number, const mirror_redis_reply_t *reply);

/* Whether it is an error that begins with the word `code` ("NOSCRIPT"). */
int mirror_redis_reply_is_error(const mirror_redis_reply_t *reply, const char *code);

/* Where an error with the word `code` ("MOVED", "ASK") points to. *host has `size` bytes; it is ""
 * if that is where the question was asked. Returns 0 if it is no such error, or malformed. */
int mirror_redis_reply_redirect(char *host, apr_size_t size, apr_port_t *port,
                                const mirror_redis_reply_t *reply, const char *code);

#endif
