/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * mirror_pool_state.h - the inside of a pool, for mirror_pool.c and mirror_pool_open.c alone.
 */
#ifndef MIRROR_POOL_STATE_H
#define MIRROR_POOL_STATE_H

#include "mirror_pool.h"

APR_RING_HEAD(mirror_connection_ring_t, mirror_connection_t);

/* Copies in a row, linked by `next`. */
typedef struct mirror_copies_t {
    mirror_copy_t *first;
    mirror_copy_t **end;
    int count;
} mirror_copies_t;

struct mirror_pool_t {
    mirror_pools_t *shared;
    mirror_lane_t *lane;
    const mirror_settings_t *settings; /* the newest that came with a copy; a reference */
    mirror_pool_t *next;
    mirror_pool_t *next_touched;
    mirror_copies_t waiting;
    mirror_copies_t again;                /* copies whose connection was stale: they wait for a fresh one */
    struct mirror_connection_ring_t idle; /* used last, first */
    struct mirror_connection_ring_t busy;
    mirror_addresses_t *addresses; /* NULL: to be looked up */
    mirror_outcome_e down_as;      /* the outcome of copies that wait while it counts as down */
    int open;                      /* idle and busy */
    int opening;                   /* with helpers */
    int tasks;                     /* of helpers */
    unsigned touched : 1;
    unsigned first : 1;   /* of the sender's memory, and not of malloc's */
    unsigned ends : 1;    /* another one is in force for the mirror */
    unsigned hungry : 1;  /* waits for a helper */
    unsigned proven : 1;  /* has answered over TLS, and so does not refuse us */
    unsigned probing : 1; /* opens connections although it counts as down */
};

/* ---- mirror_pool.c ---- */

const mirror_settings_t *mirror_pool_settings_of(const mirror_pool_t *pool);

/* Copies that have no connection. */
int mirror_pool_count_waiting(const mirror_pool_t *pool);

/* End these with `outcome`. */
void mirror_pool_end_waiting(mirror_pool_t *pool, mirror_outcome_e outcome);

/* Close the connection that has been idle for longest. 0: none is idle. */
int mirror_pool_close_idle(mirror_pool_t *pool);

/* Let the next connection look the name up anew. */
void mirror_pool_drop_addresses(mirror_pool_t *pool);

/* Something has happened to it: it is looked at in the next dispatch. */
void mirror_pool_touch(mirror_pool_t *pool);

/* ---- mirror_pool_set.c ---- */

/* A pool for each lane, with the file's settings. */
void mirror_pool_create_first(mirror_pools_t *pools, apr_pool_t *memory);

/* The pool that the copy belongs to; a new one if its settings are newer, and of another host. NULL: there is no memory
 * for one. */
mirror_pool_t *mirror_pool_for(mirror_pools_t *pools, const mirror_copy_t *copy);

/* A pool that ends: close what is idle, and free it if nothing is left. */
void mirror_pool_end(mirror_pool_t *pool);

/* ---- mirror_pool_open.c ---- */

/* Have helpers open the connections that are missing, as far as the bounds let them. Copies that nothing can be had for
 * end as memory_full. */
void mirror_pool_open_missing(mirror_pool_t *pool);

/* Free a connection that the loop does not watch. */
void mirror_pool_destroy_connection(mirror_connection_t *connection);

#endif
