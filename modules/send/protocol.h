/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/protocol.h - the interface of the protocols that connections use: send/http1.h.
 *
 * A connection (send/connection.h) is a socket with timers. Its protocol writes the copies and reads
 * the responses. The protocol reports through the callbacks of mirror_connections_t. So a pool does
 * not distinguish protocols: it queries the room of a connection, and gets the end of each copy.
 *
 * Only the sender thread calls these functions.
 */
#ifndef MIRROR_SEND_PROTOCOL_H
#define MIRROR_SEND_PROTOCOL_H

#include "copy/copy.h"

typedef struct mirror_connection_t mirror_connection_t; /* send/connection.h */

/* How a copy ended on its connection. */
typedef enum {
    MIRROR_RESPONDED, /* the whole response was read */
    MIRROR_TIMED_OUT, /* the timeout expired */
    MIRROR_BROKEN,    /* closed or reset, or the response is not HTTP */
    /* as broken, on a connection used before, without any byte of a response */
    MIRROR_STALE,
    /* as stale, with TLS, on a connection not used before, without any received byte */
    MIRROR_REFUSED
} mirror_connection_end_e;

/* The end of one copy. */
typedef struct mirror_result_t {
    mirror_connection_end_e how;
    int status;         /* final status, 200 to 599; 0 = unknown */
    int interim;        /* number of interim responses (RFC 9110 15.2) */
    const char *fault;  /* message about an invalid response, static; NULL = none */
    apr_time_t began;   /* time of the first read of the response (mirror_loop_now()) */
    unsigned wrote : 1; /* at least one byte of the copy was written */
} mirror_result_t;

typedef struct mirror_protocol_t {
    /* Create `state` in the connection's pool, after the socket was opened. Errors: APR_ENOMEM. */
    apr_status_t (*open)(mirror_connection_t *connection);
    /* Return whether the connection takes another copy now. */
    int (*has_room)(const mirror_connection_t *connection);
    /* Send `batch`, one or more copies linked by `next`. `taken`: elapsed part of the timeout,
     * microseconds. The copies may end before this function returns. */
    void (*start)(mirror_connection_t *connection, mirror_copy_t *batch, apr_interval_time_t taken);
    /* Handle events of the socket. */
    void (*ready)(mirror_connection_t *connection, apr_int16_t events);
    /* Handle the end of the connection's timer while copies are in flight. */
    void (*expire)(mirror_connection_t *connection);
    /* Forget the copies in flight, and return them, linked by `next`. */
    mirror_copy_t *(*abandon)(mirror_connection_t *connection);
} mirror_protocol_t;

#endif
