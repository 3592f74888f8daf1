/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * redis/redis_sentinel.c - the way to the master that Sentinels name. See redis/redis_route_state.h.
 *
 * The Sentinels are asked in turn for the address of the master (SENTINEL GET-MASTER-ADDR-BY-NAME).
 * The server there is used only if its ROLE is master: a Sentinel may not know of a failover yet.
 * Both are verified again at intervals: a former master still answers reads, and calls itself master
 * until a Sentinel reaches it. If the server fails or says that it is no master, the Sentinels are
 * asked again.
 */
#include <apr_strings.h>
#include <string.h>

#include "base/clock.h"
#include "redis/redis_route_state.h"

#define TRIES_MAX 64
/* The interval at which the role of a kept connection is verified. */
#define VERIFY apr_time_from_sec(5)

typedef struct sentinel_t {
    mirror_redis_login_t login; /* of the Sentinels */
    const char *name;           /* of the master */
    int next;                   /* index of the next Sentinel */
    mirror_redis_node_t master; /* port 0 = unknown */
    apr_time_t verified;        /* the role of the connection, last */
} sentinel_t;

/* A reply of a Sentinel has two elements. */
static const mirror_redis_bounds_t few = { 8, 512, 4096 };

static apr_array_header_t *sentinel_nodes(const mirror_settings_t *settings, apr_pool_t *pool)
{
    return mirror_redis_route_nodes(settings->redis_sentinels, pool);
}

static void *sentinel_create(mirror_redis_route_t *route, const mirror_settings_t *settings)
{
    sentinel_t *sentinel = apr_pcalloc(route->pool, sizeof(*sentinel));

    mirror_redis_login_set_sentinel(&sentinel->login, route->login.server, settings,
                                    route->login.given_up, route->pool);
    sentinel->name = apr_pstrdup(route->pool, settings->redis_master_name);
    /* ROLE lists the replicas, four elements each */
    route->bounds.elements = route->bounds.elements < 512 ? 512 : route->bounds.elements;
    return sentinel;
}

/* ---- the Sentinels ---- */

/* Read the address of the master. Returns 0 if the reply has none. */
static int read_address(mirror_redis_node_t *master, const mirror_redis_reply_t *reply)
{
    apr_int64_t port;
    const char *host;

    if (reply->type != MIRROR_REDIS_ARRAY || reply->count != 2 ||
        reply->elements[0]->type != MIRROR_REDIS_STRING ||
        !mirror_redis_reply_number(&port, reply->elements[1]) || port < 1 || port > 65535) {
        return 0;
    }
    host = reply->elements[0]->text;
    if (!*host || reply->elements[0]->length != strlen(host) ||
        strlen(host) >= sizeof(master->host) || !mirror_redis_reply_is_host(host)) {
        return 0;
    }
    apr_cpystrn(master->host, host, sizeof(master->host));
    master->port = (apr_port_t)port;
    return 1;
}

/* Ask the next Sentinel for the master. It gets half of the remaining time. */
static apr_status_t query_sentinel(mirror_redis_route_t *route, const mirror_redis_query_t *query)
{
    sentinel_t *sentinel = route->state;
    const char *argv[] = { "SENTINEL", "GET-MASTER-ADDR-BY-NAME", sentinel->name };
    const mirror_redis_node_t *node = &route->nodes[sentinel->next];
    apr_time_t now = mirror_clock_now(), deadline = now + (query->deadline - now) / 2;
    mirror_redis_connection_t *connection;
    const mirror_redis_reply_t *reply;
    apr_status_t rv;

    sentinel->next = (sentinel->next + 1) % route->node_count;
    rv = mirror_redis_connection_open(&connection, node->host, node->port, &sentinel->login, &few,
                                      deadline, route->pool, query->fault);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = mirror_redis_connection_command(&reply, connection, 3, argv, deadline, query->fault);
    if (rv == APR_SUCCESS && !read_address(&sentinel->master, reply)) {
        mirror_redis_connection_refuse(query->fault, connection, reply);
        rv = APR_EGENERAL;
    }
    mirror_redis_connection_close(connection);
    return rv;
}

/* ---- the master ---- */

/* Ask a Sentinel whether the master of a kept connection still is one. A Sentinel that does not
 * respond says nothing about it. */
static int is_named(mirror_redis_route_t *route, const mirror_redis_query_t *query)
{
    sentinel_t *sentinel = route->state;
    mirror_redis_node_t known = sentinel->master, named;
    apr_status_t rv = query_sentinel(route, query);

    named = sentinel->master;
    sentinel->master = known;
    return rv != APR_SUCCESS || (named.port == known.port && !strcmp(named.host, known.host));
}

/* Verify that the server of the connection is a master; if it is kept, also that it is the one. */
static apr_status_t verify(mirror_redis_route_t *route, const mirror_redis_query_t *query,
                           int is_kept)
{
    static const char *const role[] = { "ROLE" };
    sentinel_t *sentinel = route->state;
    const mirror_redis_reply_t *reply;
    apr_time_t now = mirror_clock_now();
    apr_status_t rv;

    if (now - sentinel->verified < VERIFY) {
        return APR_SUCCESS;
    }
    if (is_kept && !is_named(route, query)) {
        apr_snprintf(query->fault, MIRROR_REDIS_FAULT,
                     "Redis %.64s:%u: must be the master, the Sentinels name another",
                     sentinel->master.host, (unsigned)sentinel->master.port);
        return APR_EGENERAL;
    }
    rv = mirror_redis_connection_command(&reply, route->connection, 1, role, query->deadline,
                                         query->fault);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (reply->type == MIRROR_REDIS_ERROR) {
        mirror_redis_connection_refuse(query->fault, route->connection, reply);
        return APR_EGENERAL;
    }
    if (reply->type != MIRROR_REDIS_ARRAY || reply->count < 1 ||
        strcmp(reply->elements[0]->text, "master")) {
        apr_snprintf(query->fault, MIRROR_REDIS_FAULT,
                     "Redis %.64s:%u: must be a master, its ROLE is another", sentinel->master.host,
                     (unsigned)sentinel->master.port);
        return APR_EGENERAL;
    }
    sentinel->verified = now;
    return APR_SUCCESS;
}

/* Return whether the server is unable to answer because it is no master, or not yet. */
static int is_no_master(const mirror_redis_reply_t *reply)
{
    return mirror_redis_reply_is_error(reply, "READONLY") ||
           mirror_redis_reply_is_error(reply, "LOADING") ||
           mirror_redis_reply_is_error(reply, "MASTERDOWN");
}

/* Make one attempt. A master that does not respond must leave time for the next one. */
static apr_status_t attempt(const mirror_redis_reply_t **reply, mirror_redis_route_t *route,
                            const mirror_redis_query_t *query)
{
    sentinel_t *sentinel = route->state;
    unsigned opened = route->opened;
    apr_time_t now = mirror_clock_now();
    apr_status_t rv = APR_SUCCESS;

    if (!sentinel->master.port) {
        rv = query_sentinel(route, query);
    }
    if (rv == APR_SUCCESS) {
        rv = mirror_redis_route_reach(route, &sentinel->master, now + (query->deadline - now) / 2,
                                      query->fault);
        if (route->opened != opened) {
            sentinel->verified = -VERIFY;
        }
    }
    if (rv == APR_SUCCESS) {
        rv = verify(route, query, route->opened == opened);
    }
    if (rv == APR_SUCCESS) {
        rv = query->exchange(reply, route->connection, 0, query->deadline, query->baton,
                             query->fault);
    }
    if (rv == APR_SUCCESS && is_no_master(*reply)) {
        mirror_redis_connection_refuse(query->fault, route->connection, *reply);
        rv = APR_EGENERAL;
    }
    if (rv != APR_SUCCESS) {
        mirror_redis_route_close(route);
        sentinel->master.port = 0;
    }
    return rv;
}

static apr_status_t sentinel_query(const mirror_redis_reply_t **reply, mirror_redis_route_t *route,
                                   const mirror_redis_query_t *query)
{
    char fault[MIRROR_REDIS_FAULT] = "";
    apr_status_t rv = APR_EGENERAL;
    int i;

    for (i = 0; i < TRIES_MAX && mirror_clock_now() < query->deadline; i++) {
        rv = attempt(reply, route, query);
        if (rv == APR_SUCCESS) {
            break;
        }
        /* a reason is better than the end of the time, which the last attempt may meet */
        if (!APR_STATUS_IS_TIMEUP(rv)) {
            apr_cpystrn(fault, query->fault, sizeof(fault));
        }
        /* each Sentinel at once, and then with pauses */
        if (i > route->node_count) {
            apr_sleep(MIRROR_REDIS_ROUTE_WAIT);
        }
    }
    if (rv != APR_SUCCESS && *fault) {
        apr_cpystrn(query->fault, fault, MIRROR_REDIS_FAULT);
    }
    return rv;
}

const mirror_redis_route_type_t mirror_redis_sentinel = { "redis-sentinel", sentinel_nodes,
                                                          sentinel_create, sentinel_query };
