/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * redis/redis_route.c - the way to a Redis server. See redis/redis_route.h.
 */
#include <apr_strings.h>
#include <string.h>

#include "attributes/limit_settings.h"
#include "base/authority.h"
#include "base/clock.h"
#include "redis/redis_route_state.h"

/* ---- types ---- */

static const mirror_redis_route_type_t *type_of(const mirror_settings_t *settings)
{
    static const mirror_redis_route_type_t *const types[] = { &mirror_redis_single,
                                                              &mirror_redis_cluster,
                                                              &mirror_redis_sentinel };
    const char *policy = mirror_limit_settings_policies[settings->policy];
    apr_size_t i = 0;

    while (i < sizeof(types) / sizeof(*types) - 1 && strcmp(types[i]->policy, policy)) {
        i++;
    }
    return types[i];
}

mirror_redis_node_t mirror_redis_route_node(const char *text)
{
    mirror_authority_t authority;
    mirror_redis_node_t node;

    mirror_authority_split(&authority, text); /* valid: the attribute's rule has accepted it */
    apr_snprintf(node.host, sizeof(node.host), "%.*s", (int)authority.length, authority.host);
    node.port = authority.port;
    return node;
}

apr_array_header_t *mirror_redis_route_nodes(const apr_array_header_t *texts, apr_pool_t *pool)
{
    apr_array_header_t *nodes = apr_array_make(pool, 4, sizeof(mirror_redis_node_t));
    int i;

    for (i = 0; texts && i < texts->nelts; i++) {
        APR_ARRAY_PUSH(nodes, mirror_redis_node_t) =
            mirror_redis_route_node(APR_ARRAY_IDX(texts, i, const char *));
    }
    return nodes;
}

/* ---- startup ---- */

const char *mirror_redis_route_missing(struct server_rec *server, const mirror_settings_t *settings,
                                       apr_pool_t *pool)
{
    const apr_array_header_t *nodes = type_of(settings)->nodes(settings, pool);
    const char *missing = NULL;
    int i;

    for (i = 0; i < nodes->nelts && !missing; i++) {
        const mirror_redis_node_t *node = &APR_ARRAY_IDX(nodes, i, mirror_redis_node_t);

        missing = mirror_redis_login_missing(
            server, settings, mirror_redis_connection_url(node->host, node->port, pool), pool);
    }
    return missing;
}

/* ---- life ---- */

mirror_redis_route_t *mirror_redis_route_create(struct server_rec *server,
                                                const mirror_settings_t *settings,
                                                const mirror_redis_bounds_t *bounds,
                                                apr_uint32_t *given_up, apr_pool_t *pool)
{
    mirror_redis_route_t *route = apr_pcalloc(pool, sizeof(*route));
    apr_array_header_t *nodes;

    route->type = type_of(settings);
    route->pool = pool;
    route->bounds = *bounds;
    mirror_redis_login_set(&route->login, server, settings, given_up, pool);
    nodes = route->type->nodes(settings, pool);
    route->nodes = (const mirror_redis_node_t *)nodes->elts;
    route->node_count = nodes->nelts;
    route->state = route->type->create ? route->type->create(route, settings) : NULL;
    return route;
}

const char *mirror_redis_route_key(const mirror_settings_t *settings, const char *rest,
                                   apr_pool_t *pool)
{
    return type_of(settings) == &mirror_redis_cluster
               ? apr_pstrcat(pool, settings->redis_key_prefix, settings->redis_cluster_name, ":",
                             rest, NULL)
               : apr_pstrcat(pool, settings->redis_key_prefix, rest, NULL);
}

unsigned mirror_redis_route_opened(const mirror_redis_route_t *route)
{
    return route->opened;
}

void mirror_redis_route_close(mirror_redis_route_t *route)
{
    if (route->connection) {
        mirror_redis_connection_close(route->connection);
        route->connection = NULL;
    }
}

/* ---- an exchange ---- */

apr_status_t mirror_redis_route_reach(mirror_redis_route_t *route, const mirror_redis_node_t *node,
                                      apr_time_t deadline, char *fault)
{
    if (route->connection &&
        (!mirror_redis_connection_is_to(route->connection, node->host, node->port) ||
         !mirror_redis_connection_is_usable(route->connection))) {
        mirror_redis_route_close(route);
    }
    if (route->connection) {
        return APR_SUCCESS;
    }
    route->opened++;
    return mirror_redis_connection_open(&route->connection, node->host, node->port, &route->login,
                                        &route->bounds, deadline, route->pool, fault);
}

void mirror_redis_route_refuse(char fault[MIRROR_REDIS_FAULT], mirror_redis_route_t *route,
                               const mirror_redis_reply_t *reply)
{
    if (route->connection) {
        mirror_redis_connection_refuse(fault, route->connection, reply);
        mirror_redis_route_close(route);
    }
}

apr_status_t mirror_redis_route_query(const mirror_redis_reply_t **reply,
                                      mirror_redis_route_t *route,
                                      mirror_redis_exchange_t *exchange, void *baton,
                                      apr_time_t deadline, char fault[MIRROR_REDIS_FAULT])
{
    mirror_redis_query_t query = { exchange, baton, deadline, fault };
    apr_status_t rv;

    *fault = '\0';
    rv = route->type->query(reply, route, &query);
    if (rv != APR_SUCCESS) {
        mirror_redis_route_close(route);
        if (!*fault) {
            apr_cpystrn(fault, "redis_timeout expired before a request was sent to a node",
                        MIRROR_REDIS_FAULT);
        }
    }
    return rv;
}
