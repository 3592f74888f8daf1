/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/connection.h - one connection to a mirror: write a batch of copies, read the responses, idle
 * or close.
 *
 * The sender creates a connection, a helper opens it (and owns it meanwhile), and then the sender
 * owns it until it is closed. The connection and its socket are in a pool of their own.
 */
#ifndef MIRROR_SEND_CONNECTION_H
#define MIRROR_SEND_CONNECTION_H

#include <apr_network_io.h>

#include "base/address.h"
#include "base/helpers.h"
#include "base/loop.h"
#include "base/queue.h"
#include "base/transport.h"
#include "copy/copy.h"
#include "send/response.h"

typedef struct mirror_connection_t mirror_connection_t;
typedef struct mirror_connections_t mirror_connections_t;

typedef enum {
    MIRROR_RESPONDED, /* the whole response was read */
    MIRROR_TIMED_OUT, /* the timeout expired */
    MIRROR_BROKEN,    /* closed or reset, or the response is not HTTP */
    /* as broken, on a connection used before, without any byte of a response */
    MIRROR_STALE,
    /* as stale, with TLS, on a connection not used before, without any received byte */
    MIRROR_REFUSED,
    MIRROR_CLOSED /* idle: closed by the mirror, or keepalive expired */
} mirror_connection_end_e;

/* The data shared by all connections of a sender. */
struct mirror_connections_t {
    mirror_loop_t *loop;
    char *buffer; /* read buffer; bodies of responses are discarded */
    apr_size_t buffer_size;
    /* Called when `copy` has its response and the next copy of its batch is in flight. The callee
     * owns `copy`. */
    void (*responded)(void *baton, mirror_connection_t *connection, mirror_copy_t *copy);
    /* Called when the copy in flight has ended with `end`, or the idle connection. The callee takes
     * the member `copy` with all copies that follow it. If the connection is not reusable, the
     * callee must close it. */
    void (*ended)(void *baton, mirror_connection_t *connection, mirror_connection_end_e end);
    void *baton;
};

struct mirror_connection_t {
    /* queue link from helper to sender; first member, so an item can be cast to its connection */
    mirror_queue_item_t item;
    APR_RING_ENTRY(mirror_connection_t) link; /* sender: link of the idle or busy ring */
    mirror_connection_t *next;                /* helper: next connection of the task */
    /* task of the first connection of a chain; the helpers own it */
    mirror_helpers_task_t task;
    void *owner; /* the mirror_pool_t of the connection */
    apr_pool_t *pool;
    mirror_wire_t wire; /* owned by the sender; by the helper while it opens the connection */

    /* passed from the sender to the helper, and back */
    const mirror_t *mirror;
    const mirror_settings_t *settings; /* a reference */
    mirror_queue_t *reports;           /* queue to which the helper pushes the connection */
    mirror_addresses_t *addresses;     /* NULL = lookup required */
    apr_status_t status;               /* APR_SUCCESS = connected */
    mirror_outcome_e failure;          /* on error: outcome of copies that need the connection */
    const char *failed_at;             /* on error: the failed step, for the log; in `pool` */
    unsigned last : 1;                 /* last connection of its task */
    unsigned lookup : 1;               /* its task includes a lookup */

    /* sender only, once the connection is open */
    mirror_connections_t *shared;
    mirror_io_t io;
    mirror_timer_t timer;
    mirror_timer_t more; /* runs if there may be bytes that a poll does not report */
    /* copy whose response is pending; the rest of the batch follows by `next`; NULL = idle */
    mirror_copy_t *copy;
    mirror_response_t response;
    apr_time_t began;            /* time of the first read of the response (mirror_loop_now()) */
    apr_time_t rested;           /* time when it became idle (mirror_loop_now()) */
    mirror_copy_t *sending;      /* copy that is being written, or the last written one */
    int part;                    /* current part of that copy; see send/connection.c */
    const mirror_block_t *block; /* current block, if the part is a block */
    apr_off_t offset;            /* offset in the part or block, bytes */
    unsigned writing : 1;        /* not everything was written yet */
    unsigned wrote : 1;          /* at least one byte was written */
    unsigned used : 1;           /* had a response before */
    unsigned unreadable : 1;     /* the rest of this copy cannot be read from its file */
    unsigned no_sendfile : 1;    /* read files instead of sendfile */
    unsigned surplus : 1;        /* bytes followed the response; they belong to no response */
    unsigned reusable : 1;
};

/* ---- sender thread ---- */

/* Watch an open connection, idle. Errors: those of apr_pollset_add(); the caller then destroys the
 * connection. */
apr_status_t mirror_connection_adopt(mirror_connection_t *connection, mirror_connections_t *shared);

/* Send `batch`, one or more copies linked by `next`, and read the responses (RFC 9112 9.3.2). The
 * connection must be idle. `responded` and `ended` report the result, possibly before this function
 * returns. `taken`: elapsed part of the timeout, microseconds. If the batch has several copies,
 * none has a body. All copies have the same settings. */
void mirror_connection_start(mirror_connection_t *connection, mirror_copy_t *batch,
                             apr_interval_time_t taken);

/* Make the connection idle, for at most `keepalive` (microseconds). */
void mirror_connection_rest(mirror_connection_t *connection, apr_interval_time_t keepalive);

/* Close a connection without copies. It is destroyed at the end of the loop's round. */
void mirror_connection_close(mirror_connection_t *connection);

#endif
