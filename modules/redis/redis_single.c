/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * redis/redis_single.c - the way to one Redis server. See redis/redis_route_state.h.
 */
#include <apr_strings.h>

#include "redis/redis_route_state.h"

static apr_array_header_t *single_nodes(const mirror_settings_t *settings, apr_pool_t *pool)
{
    apr_array_header_t *nodes = apr_array_make(pool, 1, sizeof(mirror_redis_node_t));
    mirror_redis_node_t *node = apr_array_push(nodes);

    apr_cpystrn(node->host, settings->redis_host, sizeof(node->host));
    node->port = (apr_port_t)settings->redis_port;
    return nodes;
}

/* Make one attempt. *stale: 1 if a retry on a fresh connection may succeed. */
static apr_status_t attempt(const mirror_redis_reply_t **reply, mirror_redis_route_t *route,
                            const mirror_redis_query_t *query, int *stale)
{
    unsigned opened = route->opened;
    apr_status_t rv = mirror_redis_route_reach(route, route->nodes, query->deadline, query->fault);

    *stale = 0;
    if (rv == APR_SUCCESS) {
        rv = query->exchange(reply, route->connection, 0, query->deadline, query->baton,
                             query->fault);
        *stale = rv != APR_SUCCESS && route->opened == opened &&
                 mirror_redis_connection_was_stale(route->connection);
    }
    if (rv != APR_SUCCESS) {
        mirror_redis_route_close(route);
    }
    return rv;
}

static apr_status_t single_query(const mirror_redis_reply_t **reply, mirror_redis_route_t *route,
                                 const mirror_redis_query_t *query)
{
    int stale;
    apr_status_t rv = attempt(reply, route, query, &stale);

    return stale ? attempt(reply, route, query, &stale) : rv;
}

const mirror_redis_route_type_t mirror_redis_single = { "redis", single_nodes, NULL, single_query };
