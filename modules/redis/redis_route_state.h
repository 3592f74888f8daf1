/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * redis/redis_route_state.h - the interface of the ways to a server, one file for each policy; only
 * for files of modules/redis.
 */
#ifndef MIRROR_REDIS_REDIS_ROUTE_STATE_H
#define MIRROR_REDIS_REDIS_ROUTE_STATE_H

#include "redis/redis_route.h"

/* The delay before a retry at a server that is temporarily unable to reply. */
#define MIRROR_REDIS_ROUTE_WAIT apr_time_from_msec(20)

typedef struct mirror_redis_node_t {
    char host[256];
    apr_port_t port; /* 0 = no node */
} mirror_redis_node_t;

/* One call of mirror_redis_route_query(). */
typedef struct mirror_redis_query_t {
    mirror_redis_exchange_t *exchange;
    void *baton;
    apr_time_t deadline;
    char *fault; /* MIRROR_REDIS_FAULT bytes */
} mirror_redis_query_t;

typedef struct mirror_redis_route_type_t {
    const char *policy; /* value of the attribute */

    /* Return the servers that these settings name, of `mirror_redis_node_t`, in `pool`. */
    apr_array_header_t *(*nodes)(const mirror_settings_t *settings, apr_pool_t *pool);

    /* Create the state in the route's pool. NULL = none. */
    void *(*create)(mirror_redis_route_t *route, const mirror_settings_t *settings);

    /* See mirror_redis_route_query(). */
    apr_status_t (*query)(const mirror_redis_reply_t **reply, mirror_redis_route_t *route,
                          const mirror_redis_query_t *query);
} mirror_redis_route_type_t;

struct mirror_redis_route_t {
    const mirror_redis_route_type_t *type;
    apr_pool_t *pool;
    mirror_redis_login_t login;
    mirror_redis_bounds_t bounds;
    mirror_redis_connection_t *connection; /* NULL = not connected */
    unsigned opened;                       /* number of connections opened so far */
    const mirror_redis_node_t *nodes;      /* that the settings name */
    int node_count;
    void *state; /* of the type */
};

extern const mirror_redis_route_type_t mirror_redis_single, mirror_redis_cluster,
    mirror_redis_sentinel;

/* Parse a host:port that the rule of its attribute has accepted. */
mirror_redis_node_t mirror_redis_route_node(const char *text);

/* The same for a list of them; NULL = none. Returns an array in `pool`. */
apr_array_header_t *mirror_redis_route_nodes(const apr_array_header_t *texts, apr_pool_t *pool);

/* Connect to `node` until `deadline`, or keep the connection if it is to that node and usable. */
apr_status_t mirror_redis_route_reach(mirror_redis_route_t *route, const mirror_redis_node_t *node,
                                      apr_time_t deadline, char *fault);

#endif
