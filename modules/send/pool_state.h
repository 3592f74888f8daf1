/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/pool_state.h - the inside of a pool, for mirror_pool*.c alone. Sender thread, but for the
 * first pools.
 */
#ifndef MIRROR_SEND_POOL_STATE_H
#define MIRROR_SEND_POOL_STATE_H

#include "copy/list.h"
#include "send/send.h"

APR_RING_HEAD(mirror_connection_ring_t, mirror_connection_t);

struct mirror_pool_t {
    mirror_send_t *send;
    mirror_lane_t *lane;
    const mirror_settings_t *settings; /* the newest that came with a copy; a reference */
    mirror_pool_t *next;
    mirror_pool_t *next_touched;
    mirror_list_t waiting;
    /* copies whose connection was stale: they wait for a fresh one */
    mirror_list_t again;
    struct mirror_connection_ring_t idle; /* used last, first */
    struct mirror_connection_ring_t busy;
    mirror_addresses_t *addresses; /* NULL: to be looked up */
    /* runs: something was wanting for a connection, and none is opened meanwhile */
    mirror_timer_t pause;
    mirror_timer_t spare;     /* runs: it answers, but takes no further connections */
    apr_time_t failed;        /* when this pool set it down last; 0: it is up since */
    int refusals;             /* connections in a row, over TLS, without an answer */
    mirror_outcome_e down_as; /* the outcome of copies that wait while it counts as down */
    int open;                 /* idle and busy */
    int opening;              /* with helpers */
    int tasks;                /* of helpers */
    /* waits for a helper, behind those with less; 0: it does not */
    apr_uint64_t wants_helper;
    unsigned touched : 1;
    unsigned first : 1;   /* of the sender's memory, and not of malloc's */
    unsigned ends : 1;    /* another one is in force for the mirror */
    unsigned proven : 1;  /* has answered over TLS since it was down, and so does not refuse us */
    unsigned probing : 1; /* opens connections although it counts as down */
};

/* ---- send/pool_state.c ---- */

const mirror_settings_t *mirror_pool_settings_of(const mirror_pool_t *pool);

/* Mark the pool dirty: the next dispatch processes it. */
void mirror_pool_touch(mirror_pool_t *pool);

/* Count `more` open connections; `more` may be negative. */
void mirror_pool_count_open(mirror_pool_t *pool, int more);

/* Close an open connection of the pool. */
void mirror_pool_close_connection(mirror_pool_t *pool, mirror_connection_t *connection);

/* Free a connection that the loop does not watch. */
void mirror_pool_destroy_connection(mirror_connection_t *connection);

/* Close the connection that has been idle for longest. Return 0 if none is idle. */
int mirror_pool_close_idle(mirror_pool_t *pool);

/* Return the time since when that connection has been idle (mirror_clock_now()); 0: none is. */
apr_time_t mirror_pool_idle_since(const mirror_pool_t *pool);

/* Let the next connection look the name up again. */
void mirror_pool_drop_addresses(mirror_pool_t *pool);

/* ---- send/pool_copies.c ---- */

/* It has none yet. */
void mirror_pool_init_copies(mirror_pool_t *pool);

/* Own `copy` while it waits for a connection: behind those that wait already, but for a probe,
 * which is the next. */
void mirror_pool_add(mirror_pool_t *pool, mirror_copy_t *copy);

/* Own `copy`, whose connection ended before its answer: it is sent once more, on a fresh one. */
void mirror_pool_add_again(mirror_pool_t *pool, mirror_copy_t *copy);

/* How many have no connection. */
int mirror_pool_count_waiting(const mirror_pool_t *pool);

/* What is to be sent next on `connection`, the caller's then: a copy, with those behind it, linked
 * by `next`, as far as pipeline lets them. On a connection that has answered nothing yet it is
 * always one, as the mirror may close it with the first answer. A copy that was sent before and has
 * no time left ends as timed_out. NULL: nothing waits for this connection. */
mirror_copy_t *mirror_pool_take_batch(mirror_pool_t *pool, const mirror_connection_t *connection);

/* End `copy` with `outcome`. It has no connection, and waits no more. */
void mirror_pool_end_copy(mirror_pool_t *pool, mirror_copy_t *copy, mirror_outcome_e outcome);

/* End `batch`, a copy with those linked to it by `next`, or NULL, so. */
void mirror_pool_end_batch(mirror_pool_t *pool, mirror_copy_t *batch, mirror_outcome_e outcome);

/* Own `batch`, or NULL: it was sent behind a copy that was the last one on its connection, and
 * ended `how`. They have had as much time as that one, and nobody knows whether the mirror has
 * seen them: they end with it, or are sent once more. */
void mirror_pool_strand(mirror_pool_t *pool, mirror_copy_t *batch, mirror_connection_end_e how);

/* End with `outcome` all that have no connection. */
void mirror_pool_end_waiting(mirror_pool_t *pool, mirror_outcome_e outcome);

/* ---- send/pool_set.c ---- */

/* A pool for each lane, with the file's settings. */
void mirror_pool_create_first(mirror_send_t *send, apr_pool_t *memory);

/* The pool that the copy belongs to; a new one if its settings are newer, and of another host.
 * NULL: there is no memory for one. */
mirror_pool_t *mirror_pool_for(mirror_send_t *send, const mirror_copy_t *copy);

/* A pool that ends: close what is idle, and free it if nothing is left. */
void mirror_pool_end(mirror_pool_t *pool);

/* ---- send/pool_open.c ---- */

/* Have helpers open the connections that are missing, as far as the bounds let them. Copies that
 * nothing can be had for end as memory_full. */
void mirror_pool_open_missing(mirror_pool_t *pool);

/* The pool that may have a helper now, of those that wait for one, and does not wait any more.
 * Those whose mirror was reached last time come first, as they do not keep it, and the one that
 * has waited longest now and then, so that each comes at some time. NULL: none waits that may have
 * one. */
mirror_pool_t *mirror_pool_take_waiting(mirror_send_t *send);

/* The process lacks what a connection needs: try no other one for a while. 0: that was known. */
int mirror_pool_pause(mirror_pool_t *pool);

#endif
