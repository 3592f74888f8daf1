/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * shared/lost.h - the last copies of a mirror that did not arrive, in shared memory: a ring of
 * MIRROR_LOST_MAX entries.
 *
 * An entry has the time, the method and the path of the copy, its outcome and the reason; nothing
 * of its query, headers and body. Any thread of any child writes, without a lock: it takes the next
 * number of the ring, and fills the entry of that number. A killed writer, or two writers of one
 * entry, leave a torn entry. An entry has its number and a checksum of all its words, so a reader
 * recognizes a torn entry and omits it.
 *
 * Code in a child may write anything there, at any time. A reader copies the words, takes only
 * numbers that belong to the entry, and bounds every value. The parent, which is root, does not read
 * entries.
 */
#ifndef MIRROR_SHARED_LOST_H
#define MIRROR_SHARED_LOST_H

#include <apr_pools.h>
#include <apr_time.h>

#include "base/mirror.h"

#define MIRROR_LOST_MAX    32
#define MIRROR_LOST_METHOD 16  /* bytes; a longer method is cut */
#define MIRROR_LOST_PATH   120 /* bytes; a longer path is cut */

/* The reasons, in the words of page and JSON. */
#define MIRROR_WHYS(X)                                                                             \
    X(UNKNOWN, "unknown")                                                                          \
    X(MAX_BODY, "the body is longer than max_body")                                                \
    X(BODY, "the client aborted the request, or its body was not available")                       \
    X(QUEUE, "max_connections and max_queue were used up")                                         \
    X(MEMORY, "the mirror's part of ProxyMirrorMemory or ProxyMirrorSpool was used up")            \
    X(RESOURCES, "no descriptor, port or memory for a connection was left")                        \
    X(DOWN, "the mirror counted as down")                                                          \
    X(CONNECT, "the lookup or the connection failed")                                              \
    X(HANDSHAKE, "the TLS handshake failed")                                                       \
    X(REFUSED, "the mirror closed a TLS connection without a response")                            \
    X(TIMEOUT, "no complete response within the timeout")                                          \
    X(CLOSED, "the connection was closed before the end of the response")                          \
    X(NOT_HTTP, "the response was not valid HTTP")                                                 \
    X(RESET, "the mirror refused the request, or reset its stream")                                \
    X(REDIS, "Redis did not respond, and limit_fallback=drop")                                     \
    X(STOPPED, "the child process was stopped")

typedef enum {
#define MIRROR_WHY_ENUM(id, text) MIRROR_WHY_##id,
    MIRROR_WHYS(MIRROR_WHY_ENUM)
#undef MIRROR_WHY_ENUM
        MIRROR_WHY_COUNT
} mirror_why_e;

typedef struct mirror_lost_t mirror_lost_t; /* a ring */

/* A loss, for who writes it. */
typedef struct mirror_loss_t {
    mirror_outcome_e outcome;
    mirror_why_e why;            /* UNKNOWN = what the outcome means */
    apr_status_t rv;             /* the system's error; APR_SUCCESS = none */
    const char *method, *target; /* of the copy; not NUL-terminated; a query is not kept */
    apr_size_t method_len, target_len;
} mirror_loss_t;

/* A loss, for readers: in private memory, all texts printable UTF-8. */
typedef struct mirror_loss_view_t {
    apr_uint64_t number; /* the highest is the latest */
    apr_time_t time;     /* wall clock */
    mirror_outcome_e outcome;
    const char *why, *method, *path;
} mirror_loss_view_t;

/* ---- any thread; no shared memory ---- */

/* Return the size of a ring in bytes. */
apr_size_t mirror_lost_size(void);

/* Return whether copies with this outcome were selected and did not arrive. */
int mirror_lost_is_loss(mirror_outcome_e outcome);

/* ---- any thread of a child ---- */

/* Write a loss. Does nothing if the outcome is no loss, or if there is no ring (NULL). */
void mirror_lost_add(mirror_lost_t *lost, const mirror_loss_t *loss);

/* ---- request threads ---- */

/* Copy the entries to `views` (of MIRROR_LOST_MAX), the latest first; texts are in `pool`. Returns
 * their number. NULL = no ring. */
int mirror_lost_read(mirror_loss_view_t *views, mirror_lost_t *lost, apr_pool_t *pool);

#endif
