/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * redis/redis_cluster.c - the way to the owner of a key in a Redis Cluster. See
 * redis/redis_route_state.h.
 *
 * One node owns the slot of the keys. Any other node redirects to the owner (MOVED); the owner is
 * remembered, and its connection is kept. While the slot migrates, the owner redirects single
 * commands to the next owner (ASK). If the owner fails, the seeds are queried in turn. One lookup
 * comprises all of that. It has one deadline and a limit of redirections, because nodes may redirect
 * to a dead node or in a circle.
 */
#include <apr_strings.h>
#include <string.h>

#include "base/clock.h"
#include "redis/redis_route_state.h"

/* Maximum of redirections per lookup, and maximum of attempts. */
#define HOPS_MAX  5
#define TRIES_MAX 32

typedef struct cluster_t {
    int seed;                  /* index of the next seed */
    mirror_redis_node_t owner; /* last known owner */
} cluster_t;

/* A pending lookup. */
typedef struct lookup_t {
    const mirror_redis_query_t *query;
    mirror_redis_node_t node; /* current node */
    int asking;               /* after ASK: the node is not the owner yet */
    int hops;
    int lost; /* number of failed nodes */
} lookup_t;

/* The next step of a lookup. */
typedef enum { NEXT_DONE, NEXT_FAIL, NEXT_GO, NEXT_WAIT } next_e;

static apr_array_header_t *cluster_nodes(const mirror_settings_t *settings, apr_pool_t *pool)
{
    return mirror_redis_route_nodes(settings->redis_cluster_nodes, pool);
}

static void *cluster_create(mirror_redis_route_t *route, const mirror_settings_t *settings)
{
    (void)settings;
    route->login.database = 0; /* a cluster has only database 0 */
    return apr_pcalloc(route->pool, sizeof(cluster_t));
}

/* ---- one node ---- */

/* The node may not respond at all, so it gets half of the remaining time to connect. */
static apr_status_t query_node(const mirror_redis_reply_t **reply, mirror_redis_route_t *route,
                               lookup_t *lookup)
{
    static const char *const asking[] = { "ASKING" };
    const mirror_redis_query_t *query = lookup->query;
    apr_time_t now = mirror_clock_now();
    apr_status_t rv = mirror_redis_route_reach(route, &lookup->node,
                                               now + (query->deadline - now) / 2, query->fault);

    if (rv == APR_SUCCESS && lookup->asking) {
        rv = mirror_redis_connection_command(reply, route->connection, 1, asking, query->deadline,
                                             query->fault);
    }
    if (rv == APR_SUCCESS) {
        rv = query->exchange(reply, route->connection, lookup->asking, query->deadline,
                             query->baton, query->fault);
    }
    if (rv != APR_SUCCESS) {
        mirror_redis_route_close(route);
    }
    return rv;
}

/* ---- the lookup ---- */

/* Give up the node and continue with the next seed, which may have a newer owner. */
static next_e lose_node(mirror_redis_route_t *route, lookup_t *lookup, next_e then)
{
    cluster_t *cluster = route->state;

    cluster->seed = (cluster->seed + 1) % route->node_count;
    cluster->owner.port = 0;
    lookup->asking = 0;
    /* Each seed may fail, and each may redirect once to a failed owner. */
    return ++lookup->lost > 2 * route->node_count ? NEXT_FAIL : then;
}

static next_e follow(mirror_redis_route_t *route, lookup_t *lookup, const mirror_redis_node_t *to,
                     int asking)
{
    cluster_t *cluster = route->state;
    mirror_redis_node_t node = *to;

    if (!*node.host) { /* the same host */
        apr_cpystrn(node.host, lookup->node.host, sizeof(node.host));
    }
    lookup->asking = asking;
    if (asking) {
        lookup->node = node;
    }
    else {
        cluster->owner = node;
    }
    return ++lookup->hops > HOPS_MAX ? NEXT_FAIL : NEXT_GO;
}

static next_e read_reply(mirror_redis_route_t *route, lookup_t *lookup,
                         const mirror_redis_reply_t *reply)
{
    cluster_t *cluster = route->state;
    mirror_redis_node_t to;

    if (reply->type != MIRROR_REDIS_ERROR) {
        if (!lookup->asking) {
            cluster->owner = lookup->node;
        }
        return NEXT_DONE;
    }
    mirror_redis_connection_refuse(lookup->query->fault, route->connection, reply);
    if (mirror_redis_reply_redirect(to.host, sizeof(to.host), &to.port, reply, "MOVED")) {
        return follow(route, lookup, &to, 0);
    }
    if (mirror_redis_reply_redirect(to.host, sizeof(to.host), &to.port, reply, "ASK")) {
        return follow(route, lookup, &to, 1);
    }
    if (mirror_redis_reply_is_error(reply, "TRYAGAIN")) {
        lookup->asking = 0;
        return NEXT_WAIT;
    }
    if (mirror_redis_reply_is_error(reply, "CLUSTERDOWN") ||
        mirror_redis_reply_is_error(reply, "LOADING") ||
        mirror_redis_reply_is_error(reply, "MASTERDOWN") ||
        mirror_redis_reply_is_error(reply, "READONLY")) {
        mirror_redis_route_close(route);
        return lose_node(route, lookup, NEXT_WAIT);
    }
    return NEXT_DONE;
}

static next_e go_on(const mirror_redis_reply_t **reply, mirror_redis_route_t *route,
                    lookup_t *lookup)
{
    cluster_t *cluster = route->state;

    if (!lookup->asking) {
        lookup->node = cluster->owner.port ? cluster->owner : route->nodes[cluster->seed];
    }
    return query_node(reply, route, lookup) == APR_SUCCESS ? read_reply(route, lookup, *reply)
                                                           : lose_node(route, lookup, NEXT_GO);
}

static apr_status_t cluster_query(const mirror_redis_reply_t **reply, mirror_redis_route_t *route,
                                  const mirror_redis_query_t *query)
{
    lookup_t lookup;
    next_e next = NEXT_GO;
    int i;

    memset(&lookup, 0, sizeof(lookup));
    lookup.query = query;
    for (i = 0; i < TRIES_MAX && next != NEXT_FAIL && mirror_clock_now() < query->deadline; i++) {
        next = go_on(reply, route, &lookup);
        if (next == NEXT_DONE) {
            return APR_SUCCESS;
        }
        if (next == NEXT_WAIT) {
            apr_sleep(MIRROR_REDIS_ROUTE_WAIT);
        }
    }
    return APR_EGENERAL;
}

const mirror_redis_route_type_t mirror_redis_cluster = { "redis-cluster", cluster_nodes,
                                                         cluster_create, cluster_query };
