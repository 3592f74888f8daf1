/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/send.h - the context of the sender thread: what its gate, pools and connections share.
 *
 * The sender sets the first group at child start. All else is the sender thread's.
 */
#ifndef MIRROR_SEND_SEND_H
#define MIRROR_SEND_SEND_H

#include "base/helpers.h"
#include "send/connection.h"

typedef struct mirror_pool_t mirror_pool_t; /* send/pool_state.h */

typedef struct mirror_send_t {
    mirror_child_t *child;
    struct server_rec *server; /* for the log */
    mirror_loop_t *loop;
    mirror_queue_t *reports; /* of mirror_connection_t: opened, or failed */
    mirror_helpers_t *helpers;
    apr_uint32_t *stopping; /* atomic: the child ends; nothing is kept for later */
    apr_uint32_t *given_up; /* atomic: and no copy will be sent any more */

    mirror_connections_t connections;
    mirror_pool_t **pools;     /* by mirror index: the one in force */
    int count;                 /* mirrors */
    mirror_pool_t *all;        /* the pools in force, and those that end */
    mirror_pool_t *touched;    /* dirty pools; the next dispatch processes them */
    int wants_helper;          /* pools that wait for a helper */
    apr_uint64_t helper_turns; /* how often a pool began to wait for a helper */
    apr_uint32_t fed;          /* how often a waiting pool got its helper */
    int held;                  /* copies, waiting or in flight */
    int waiting;               /* of these, copies without a connection */
} mirror_send_t;

#endif
