/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/connection.h - one connection to a mirror: its socket, its timers, its life.
 *
 * The sender creates a connection, a helper opens it (and owns it meanwhile), and then the sender
 * owns it until it is closed. The connection and its socket are in a pool of their own. Its protocol
 * (send/protocol.h) writes copies and reads responses.
 */
#ifndef MIRROR_SEND_CONNECTION_H
#define MIRROR_SEND_CONNECTION_H

#include <apr_network_io.h>

#include "base/address.h"
#include "base/helpers.h"
#include "base/loop.h"
#include "base/queue.h"
#include "base/transport.h"
#include "send/protocol.h"
#include "send/response.h"

typedef struct mirror_connections_t mirror_connections_t;
typedef struct mirror_member_t mirror_member_t; /* send/pool_state.h */

/* The data shared by all connections of a sender. */
APR_RING_HEAD(mirror_connection_ring_t, mirror_connection_t);

struct mirror_connections_t {
    mirror_loop_t *loop;
    struct mirror_connection_ring_t unflushed; /* those of mirror_connection_flush_later() */
    char *buffer;                              /* read buffer; bodies of responses are discarded */
    apr_size_t buffer_size;
    /* Called when a copy in flight has ended. The callee owns `copy`, and does not close the
     * connection. */
    void (*ended)(void *baton, mirror_connection_t *connection, mirror_copy_t *copy,
                  const mirror_result_t *result);
    /* Called after `ended` with `how`, for the copies sent after that copy, linked by `next`. The
     * callee owns them. */
    void (*stranded)(void *baton, mirror_connection_t *connection, mirror_copy_t *batch,
                     mirror_connection_end_e how);
    /* Called when the connection may have more room, or less, or no copy. */
    void (*changed)(void *baton, mirror_connection_t *connection);
    /* Called once for each connection, when the mirror has confirmed the protocol. */
    void (*confirmed)(void *baton, mirror_connection_t *connection);
    /* Called when the connection is not usable any more and has no copy. The callee must close
     * it. */
    void (*closed)(void *baton, mirror_connection_t *connection);
    void *baton;
};

struct mirror_connection_t {
    /* queue link from helper to sender; first member, so an item can be cast to its connection */
    mirror_queue_item_t item;
    APR_RING_ENTRY(mirror_connection_t) link; /* sender: link of a ring of its pool */
    APR_RING_ENTRY(mirror_connection_t) unflushed_link;
    mirror_connection_t *next; /* helper: next connection of the task */
    /* task of the first connection of a chain; the helpers own it */
    mirror_helpers_task_t task;
    void *owner; /* the mirror_pool_t of the connection */
    mirror_member_t
        *member; /* its server, if the mirror has several (send/pool_state.h); or NULL */
    apr_pool_t *pool;
    const mirror_protocol_t *protocol;
    mirror_wire_t wire; /* owned by the sender; by the helper while it opens the connection */

    /* passed from the sender to the helper, and back */
    const mirror_t *mirror;
    const mirror_settings_t *settings; /* a reference */
    const mirror_target_t *peer;       /* what is looked up and connected */
    mirror_queue_t *reports;           /* queue to which the helper pushes the connection */
    mirror_addresses_t *addresses;     /* NULL = lookup required */
    apr_status_t status;               /* APR_SUCCESS = connected */
    mirror_outcome_e failure;          /* on error: outcome of copies that need the connection */
    const char *failed_at;             /* on error: the failed step, for the log; in `pool` */
    unsigned last : 1;                 /* last connection of its task */
    unsigned lookup : 1;               /* its task includes a lookup */
    unsigned lookup_only : 1;          /* the task ends with the lookup */
    unsigned is_probe : 1;             /* tests a server that is down */

    /* sender only, once the connection is open */
    mirror_connections_t *shared;
    mirror_io_t io;
    mirror_timer_t timer;   /* keepalive while `resting`, else the protocol's */
    mirror_timer_t more;    /* runs if there may be bytes that a poll does not report */
    void *state;            /* the protocol's */
    int copies;             /* copies in flight */
    apr_int64_t started;    /* copies so far */
    apr_int64_t processed;  /* if `cut`: those that the mirror has processed */
    apr_int64_t outlives;   /* bound that a copy is beyond (send/lifespan.h); 0 = none is */
    apr_time_t adopted;     /* time when the sender got it, open (mirror_loop_now()) */
    apr_time_t rested;      /* time when it became idle (mirror_loop_now()) */
    int ring;               /* ring of its pool (send/pool_state.h) */
    unsigned used : 1;      /* had a response before */
    unsigned expired : 1;   /* closed at the end of its rest */
    unsigned starved : 1;   /* idle, and the mirror has allowed no copy since its rest began */
    unsigned resting : 1;   /* idle, with a running timer */
    unsigned confirmed : 1; /* the mirror has confirmed the protocol */
    unsigned unflushed : 1; /* is in the ring of unflushed connections */
    unsigned cut : 1;       /* the mirror ends it; copies that it did not process may be left */
    unsigned was_idle : 1;  /* has had no response since it was idle */
    unsigned yields : 1;    /* gets no copies, and is closed after the last one unless it resumes */
};

/* ---- sender thread ---- */

/* Watch an open connection, idle. Errors: those of apr_pollset_add(); the caller then destroys the
 * connection. */
apr_status_t mirror_connection_adopt(mirror_connection_t *connection, mirror_connections_t *shared);

/* Write what connections have left for the end of the round. */
void mirror_connection_flush_all(mirror_connections_t *shared);

/* Return whether the connection takes another copy now. `most`: maximum of copies in flight, if its
 * protocol allows several. */
int mirror_connection_has_room(const mirror_connection_t *connection, int most);

/* Send `batch`, one or more copies linked by `next`. The connection must have room. The callbacks
 * report the results, possibly before this function returns. `taken`: elapsed part of the timeout,
 * microseconds. All copies have the same settings. */
void mirror_connection_start(mirror_connection_t *connection, mirror_copy_t *batch,
                             apr_interval_time_t taken);

/* Make the connection idle, for at most `keepalive` (microseconds). */
void mirror_connection_rest(mirror_connection_t *connection, apr_interval_time_t keepalive);

/* Take the copies in flight from the connection. Returns them, linked by `next`. */
mirror_copy_t *mirror_connection_abandon(mirror_connection_t *connection);

/* Close a connection without copies. It is destroyed at the end of the loop's round. */
void mirror_connection_close(mirror_connection_t *connection);

/* ---- sender thread: called by protocols ---- */

/* Return whether the connection was closed. */
int mirror_connection_is_closed(const mirror_connection_t *connection);

/* Read into the shared buffer. Returns as the transport's `read` does. */
static inline apr_status_t mirror_connection_read(mirror_connection_t *connection, apr_size_t *len)
{
    *len = connection->shared->buffer_size;
    return connection->wire.transport->read(&connection->wire, connection->shared->buffer, len);
}

/* Write, and send what the transport has buffered. Return as its `write` and `push` do. */
static inline apr_status_t mirror_connection_write(mirror_connection_t *connection,
                                                   const struct iovec *iov, int n,
                                                   apr_size_t *written)
{
    return connection->wire.transport->write(&connection->wire, iov, n, written);
}

static inline apr_status_t mirror_connection_push(mirror_connection_t *connection)
{
    return connection->wire.transport->push ? connection->wire.transport->push(&connection->wire)
                                            : APR_SUCCESS;
}

/* End a copy in flight; see `ended` of mirror_connections_t. */
void mirror_connection_end_copy(mirror_connection_t *connection, mirror_copy_t *copy,
                                const mirror_result_t *result);

/* Give back the copies in flight after one that ended with `how`; see `stranded` of
 * mirror_connections_t. `batch`: linked by `next`. */
void mirror_connection_strand(mirror_connection_t *connection, mirror_copy_t *batch,
                              mirror_connection_end_e how);

/* Watch the socket for reading, and for writing if `writing`. Errors: those of
 * mirror_loop_change(). */
apr_status_t mirror_connection_watch(mirror_connection_t *connection, int writing);

/* Call the protocol's `flush` at the end of the round, when more copies may have been started. */
void mirror_connection_flush_later(mirror_connection_t *connection);

/* Record that the mirror has confirmed the protocol. */
void mirror_connection_confirm(mirror_connection_t *connection);

/* Call the protocol's `ready` in the next round: TLS may have bytes that a poll does not report. */
void mirror_connection_read_more(mirror_connection_t *connection);

/* Start to keep the response to a copy that is compared, and drop what an earlier attempt kept.
 * `with_trailers`: the receiver gets trailers, too. Returns the receiver of the response's bytes, with
 * copy->half as its baton; NULL if the copy is not compared. */
const mirror_response_sink_t *mirror_connection_keep_response(const mirror_copy_t *copy,
                                                              int with_trailers);

#endif
