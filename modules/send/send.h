/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/send.h - the context of the sender thread, shared by gates, pools and connections.
 *
 * The sender sets the members up to `given_up` at child start. Only the sender thread uses the
 * other members.
 */
#ifndef MIRROR_SEND_SEND_H
#define MIRROR_SEND_SEND_H

#include "base/helpers.h"
#include "send/connection.h"

typedef struct mirror_pool_t mirror_pool_t; /* send/pool_state.h */

typedef struct mirror_send_t {
    mirror_child_t *child;
    struct server_rec *server; /* server for the log */
    mirror_loop_t *loop;
    mirror_queue_t *reports; /* of mirror_connection_t, open or failed */
    mirror_helpers_t *helpers;
    apr_uint32_t *stopping; /* atomic: not 0 if the child ends; idle connections are not kept */
    apr_uint32_t *given_up; /* atomic: not 0 if no more copies will be sent */

    mirror_connections_t connections;
    mirror_pool_t **pools;     /* pools in force, by mirror index */
    int count;                 /* number of mirrors */
    mirror_pool_t *all;        /* pools in force, and ending ones */
    mirror_pool_t *touched;    /* dirty pools; the next dispatch processes them */
    int wants_helper;          /* number of pools that wait for a helper */
    apr_uint64_t helper_turns; /* the last turn number of a waiting pool */
    /* number of choices between a reached pool and the one with the longest wait */
    apr_uint32_t fed;
    int copies;  /* number of copies, waiting or in flight */
    int waiting; /* of these, copies without a connection */
} mirror_send_t;

#endif
