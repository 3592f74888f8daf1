/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/protocol.h - the interface of the protocols that connections use: send/http1.h, send/http2.h.
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
    MIRROR_REFUSED,
    /* not processed by the mirror, which said so; any method can be sent again (RFC 9113 8.7) */
    MIRROR_UNPROCESSED,
    MIRROR_FOREIGN /* the mirror does not use this protocol */
} mirror_connection_end_e;

/* The end of one copy. */
typedef struct mirror_result_t {
    mirror_connection_end_e how;
    int status;         /* final status, 200 to 599; 0 = unknown */
    int interim;        /* number of interim responses (RFC 9110 15.2) */
    const char *fault;  /* message about an invalid response, static; NULL = none */
    apr_time_t began;   /* time of the first read of the response (mirror_loop_now()) */
    int grpc_status;    /* status of a gRPC call, 0 to 16; -1 = none */
    unsigned wrote : 1; /* at least one byte of the copy was written */
    unsigned reset : 1; /* the mirror has reset its stream */
} mirror_result_t;

typedef struct mirror_protocol_t {
    const char *alpn;     /* protocol that a TLS handshake must select; NULL = any */
    unsigned batches : 1; /* takes several copies at a time, without bodies, while it is idle */
    /* the mirror is up when it has confirmed the protocol, not when it was connected to */
    unsigned confirms : 1;

    /* Create `state` in the connection's pool, after the socket was opened. Errors: APR_ENOMEM. */
    apr_status_t (*open)(mirror_connection_t *connection);
    /* Return whether the connection takes another copy now. `most`: maximum of copies in flight, if
     * the protocol allows several. */
    int (*has_room)(const mirror_connection_t *connection, int most);
    /* Send `batch`, one or more copies linked by `next`. `taken`: elapsed part of the timeout,
     * microseconds. The copies may end before this function returns. */
    void (*start)(mirror_connection_t *connection, mirror_copy_t *batch, apr_interval_time_t taken);
    /* Handle events of the socket. */
    void (*ready)(mirror_connection_t *connection, apr_int16_t events);
    /* Handle the end of the connection's timer while copies are in flight. */
    void (*expire)(mirror_connection_t *connection);
    /* Forget the copies in flight, and return them, linked by `next`. */
    mirror_copy_t *(*abandon)(mirror_connection_t *connection);
    /* Write what is pending, at the end of a round; see mirror_connection_flush_later(). NULL = not
     * used. */
    void (*flush)(mirror_connection_t *connection);
    /* Announce the end to the mirror, before the socket is closed. NULL = not used. */
    void (*leave)(mirror_connection_t *connection);
} mirror_protocol_t;

#endif
