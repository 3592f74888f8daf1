/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/pool_state.h - the state of a pool; only for send/pool*.c. Sender thread, except the
 * creation of the first pools.
 */
#ifndef MIRROR_SEND_POOL_STATE_H
#define MIRROR_SEND_POOL_STATE_H

#include "copy/list.h"
#include "send/send.h"
#include "shared/lost.h"

/* The rings of open connections. A connection without copies is idle, also if it has no room now;
 * the idle ones with room come first, most recently used first. */
typedef enum {
    MIRROR_RING_IDLE,
    MIRROR_RING_PARTIAL, /* has copies and room for more */
    MIRROR_RING_FULL,
    MIRROR_RINGS
} mirror_ring_e;

struct mirror_pool_t {
    mirror_send_t *send;
    mirror_lane_t *lane;
    const mirror_settings_t *settings; /* the newest settings of a copy; a reference */
    mirror_pool_t *next;
    mirror_pool_t *next_touched;
    mirror_list_t waiting;
    /* copies whose connection was stale; they need a fresh one */
    mirror_list_t again;
    struct mirror_connection_ring_t rings[MIRROR_RINGS]; /* open connections */
    mirror_addresses_t *addresses;                       /* NULL = lookup required */
    /* runs after a lack of resources; no connection is opened meanwhile */
    mirror_timer_t pause;
    /* runs while the mirror responds but accepts no further connections */
    mirror_timer_t spare;
    apr_time_t stale;         /* time when the last copy was added to `again` */
    apr_time_t failed;        /* time when this pool last set the mirror down; 0 = up since */
    int refusals;             /* consecutive TLS connections without a response */
    mirror_outcome_e down_as; /* outcome of waiting copies while the mirror is down */
    /* reason of the last failed connection, for the list of losses, and the system's error */
    mirror_why_e why;
    apr_status_t why_rv;
    int open;    /* open connections */
    int opening; /* connections owned by helpers */
    /* open connections whose protocol the mirror has not confirmed; they take one copy */
    int unconfirmed;
    int tasks; /* tasks of helpers */
    /* turn number while the pool waits for a helper, lowest first; 0 = does not wait */
    apr_uint64_t wants_helper;
    unsigned touched : 1;
    unsigned first : 1; /* allocated in the sender's pool, not by malloc */
    unsigned ends : 1;  /* another pool is in force for the mirror */
    /* the mirror responded over TLS since it was last down, so it accepts our certificate */
    unsigned proven : 1;
    unsigned probing : 1; /* opens connections although the mirror is down */
};

/* ---- send/pool_state.c ---- */

const mirror_settings_t *mirror_pool_settings_of(const mirror_pool_t *pool);

/* Mark the pool dirty. The next dispatch processes it. */
void mirror_pool_touch(mirror_pool_t *pool);

/* Add `more` open connections; may be negative. */
void mirror_pool_count_open(mirror_pool_t *pool, int more);

/* Insert a connection that is in no ring into the ring of its state. */
void mirror_pool_insert(mirror_pool_t *pool, mirror_connection_t *connection);

/* Move an open connection to the ring of its state, if that has changed. */
void mirror_pool_move(mirror_pool_t *pool, mirror_connection_t *connection);

/* Return whether the connection takes another copy now. */
int mirror_pool_has_room(const mirror_pool_t *pool, const mirror_connection_t *connection);

/* Return whether the connection takes copies that are retried: it had no response yet, or it takes
 * several at a time and is younger than the last of these copies. */
int mirror_pool_is_fresh(const mirror_pool_t *pool, const mirror_connection_t *connection);

/* Return the open connection that takes the next waiting copy: one with copies first, so that
 * others become idle. NULL = none has room. If only copies wait that need a fresh connection, a used
 * one is returned only if no other connection has room. */
mirror_connection_t *mirror_pool_find_room(const mirror_pool_t *pool);

/* Close an open connection of the pool. */
void mirror_pool_close_connection(mirror_pool_t *pool, mirror_connection_t *connection);

/* Free a connection that the loop does not watch. */
void mirror_pool_destroy_connection(mirror_connection_t *connection);

/* Return the number of idle connections that the mirror lets take no copy now. */
int mirror_pool_count_waiting_idle(const mirror_pool_t *pool);

/* Close the connection with the longest idle time. Returns 0 if none is idle. */
int mirror_pool_close_idle(mirror_pool_t *pool);

/* Return the time since when that connection has been idle (mirror_clock_now()); 0 if none is
 * idle. */
apr_time_t mirror_pool_idle_since(const mirror_pool_t *pool);

/* Drop the addresses, so the next connection repeats the lookup. */
void mirror_pool_drop_addresses(mirror_pool_t *pool);

/* ---- send/pool_copies.c ---- */

/* Initialize the lists of copies. */
void mirror_pool_init_copies(mirror_pool_t *pool);

/* Append `copy` to the waiting copies, or prepend it if it is a probe. The pool owns it from
 * here. */
void mirror_pool_add(mirror_pool_t *pool, mirror_copy_t *copy);

/* Retry `copy`, whose connection ended before its response, on a fresh connection. The pool owns it
 * from here. */
void mirror_pool_add_again(mirror_pool_t *pool, mirror_copy_t *copy);

/* Retry `copy`, which the mirror has not processed, on any connection, before others. The pool owns
 * it from here. */
void mirror_pool_add_unprocessed(mirror_pool_t *pool, mirror_copy_t *copy);

/* Return the number of copies without a connection. */
int mirror_pool_count_waiting(const mirror_pool_t *pool);

/* Return the number of fresh connections that the copies to retry need. */
apr_int64_t mirror_pool_count_again(const mirror_pool_t *pool);

/* Remove the next batch for `connection`, which the caller then owns: one or more copies linked by
 * `next`, as many as `pipeline` and the protocol allow. On a connection without a previous response the batch is
 * one copy, because the mirror may close after the first response. A retried copy without remaining
 * time ends as timed_out. NULL = no copy waits for this connection. */
mirror_copy_t *mirror_pool_take_batch(mirror_pool_t *pool, const mirror_connection_t *connection);

/* End `copy`, which has no connection and was removed from the lists. */
void mirror_pool_end_copy(mirror_pool_t *pool, mirror_copy_t *copy, mirror_outcome_e outcome);

/* End all copies of `batch` with `outcome`. `batch`: copies linked by `next`, or NULL. */
void mirror_pool_end_batch(mirror_pool_t *pool, mirror_copy_t *batch, mirror_outcome_e outcome);

/* Handle `batch`, or NULL: copies sent after the last copy of a connection, which ended as `how`.
 * They have used the same time as that copy, and the mirror may have processed them. They end with
 * it or are retried. The pool owns them from here. */
void mirror_pool_strand(mirror_pool_t *pool, mirror_copy_t *batch, mirror_connection_end_e how);

/* End all copies without a connection. */
void mirror_pool_end_waiting(mirror_pool_t *pool, mirror_outcome_e outcome);

/* ---- send/pool_set.c ---- */

/* Create a pool for each lane, with the file's settings. */
void mirror_pool_create_first(mirror_send_t *send, apr_pool_t *memory);

/* Return the pool of the copy. If the copy's settings are newer and have another host, a new pool
 * is created. NULL = out of memory. */
mirror_pool_t *mirror_pool_for(mirror_send_t *send, const mirror_copy_t *copy);

/* End a replaced pool: close idle connections, and free the pool if it is empty. */
void mirror_pool_end(mirror_pool_t *pool);

/* ---- send/pool_open.c ---- */

/* Start tasks for missing connections, within the bounds. If no connection is possible, the copies
 * end as memory_full. */
void mirror_pool_open_missing(mirror_pool_t *pool);

/* Return the next pool that waits for a helper and may have one; it no longer waits. Pools whose
 * mirror was reached last time come first, because they release the helper soon. The pool with the
 * longest wait comes first at times, so that none starves. NULL = none. */
mirror_pool_t *mirror_pool_take_waiting(mirror_send_t *send);

/* Pause opening connections after a lack of resources. Returns 0 if the pool was already paused. */
int mirror_pool_pause(mirror_pool_t *pool);

#endif
