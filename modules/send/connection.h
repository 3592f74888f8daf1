/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/connection.h - one connection to a mirror: write a copy, or several in a batch, read the
 * answers, idle or close.
 *
 * A connection is made empty by the sender, opened by a helper (which owns it meanwhile), and then
 * the sender's until it is closed. It lives in a pool of its own, with its socket.
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
    MIRROR_ANSWERED,  /* the whole answer was read */
    MIRROR_TIMED_OUT, /* the time was over */
    MIRROR_BROKEN,    /* closed or reset, or the answer is not HTTP */
    /* as broken, but on a connection used before, and no byte of an answer had come */
    MIRROR_STALE,
    /* as stale, but with TLS on a connection never used before, and no byte at all had come */
    MIRROR_REFUSED,
    MIRROR_CLOSED /* an idle one: the mirror closed it, or keepalive is over */
} mirror_connection_end_e;

/* What all connections of one sender share. */
struct mirror_connections_t {
    mirror_loop_t *loop;
    char *buffer; /* for reading; what an answer says is thrown away */
    apr_size_t buffer_size;
    /* `copy` was answered, and the next one of its batch is under way now. It is the callee's to
     * take. */
    void (*answered)(void *baton, mirror_connection_t *connection, mirror_copy_t *copy);
    /* The copy under way has ended so (its `copy` member, with all that follow it, is the callee's
     * to take), or the idle connection has. Then, if the connection is not reusable, it must be
     * closed. */
    void (*ended)(void *baton, mirror_connection_t *connection, mirror_connection_end_e end);
    void *baton;
};

struct mirror_connection_t {
    /* on its way from a helper to the sender; first, so that an item is its connection */
    mirror_queue_item_t item;
    APR_RING_ENTRY(mirror_connection_t) link; /* the sender's: among the idle ones */
    mirror_connection_t *next;                /* the helper's: what else to open */
    mirror_helpers_task_t task;               /* of the first of a chain; the helpers' */
    void *owner;                              /* the mirror_pool_t that it is of */
    apr_pool_t *pool;
    mirror_wire_t wire; /* the sender's; the helper's, while it opens it */

    /* from the sender to the helper, and back */
    const mirror_t *mirror;
    const mirror_settings_t *settings; /* a reference */
    mirror_queue_t *reports;           /* where it is pushed when it is done with */
    mirror_addresses_t *addresses;     /* NULL: to be looked up */
    apr_status_t status;               /* APR_SUCCESS: it is connected */
    mirror_outcome_e failure;          /* else the outcome of copies that need it */
    const char *failed_at;             /* else what was tried, for the log; in `pool` */
    unsigned last : 1;                 /* the last one of its task */
    unsigned lookup : 1;               /* that task looks up the name */

    /* the sender's, once it is open */
    mirror_connections_t *shared;
    mirror_io_t io;
    mirror_timer_t timer;
    mirror_timer_t more; /* there may be bytes that a poll does not see */
    /* whose answer is awaited, and by `next` those that follow it; NULL: it is idle */
    mirror_copy_t *copy;
    mirror_response_t response;
    apr_time_t began;            /* when its first bytes were read (mirror_loop_now()) */
    apr_time_t rested;           /* when it became idle (mirror_loop_now()) */
    mirror_copy_t *sending;      /* the copy that is being written, or the last one that was */
    int part;                    /* of that one; send/connection.c */
    const mirror_block_t *block; /* if that is a block */
    apr_off_t offset;            /* in that part, or block */
    unsigned writing : 1;        /* a part of these copies has not left yet */
    unsigned wrote : 1;          /* a byte of them was written */
    unsigned used : 1;           /* a copy was answered here before */
    unsigned unreadable : 1;     /* the rest of this copy cannot be had */
    unsigned no_sendfile : 1;    /* files are to be read first */
    unsigned surplus : 1;        /* bytes came after the answer, which belong to none */
    unsigned reusable : 1;
};

/* ---- sender thread ---- */

/* Take over an open connection: watch it, idle. Errors: apr_pollset_add's; then the caller destroys
 * it. */
apr_status_t mirror_connection_adopt(mirror_connection_t *connection, mirror_connections_t *shared);

/* Send `batch`, a copy or several that are linked by `next`, and read the answers (RFC 9112 9.3.2);
 * `answered` and `ended` tell how that went, possibly before this returns. `taken` of their
 * timeout has gone by already. Copies that follow another one have no body, and neither has that
 * one; all have the same settings. The connection must be idle. */
void mirror_connection_start(mirror_connection_t *connection, mirror_copy_t *batch,
                             apr_interval_time_t taken);

/* It is idle from now, for at most `keepalive`. */
void mirror_connection_rest(mirror_connection_t *connection, apr_interval_time_t keepalive);

/* Close it; it is gone at the end of the loop's round. It has no copy any more. */
void mirror_connection_close(mirror_connection_t *connection);

#endif
