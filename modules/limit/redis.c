/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * limit/redis.c - the strategies redis, redis-cluster and redis-sentinel. See limit/limit.h.
 *
 * They differ in the way to the server, which redis/redis_route.h knows. A limit is one key.
 */
#include <ap_provider.h>
#include <apr_strings.h>

#include "base/clock.h"
#include "limit/redis_window.h"
#include "redis/redis_route.h"

typedef struct redis_t {
    mirror_redis_window_t *window;
    mirror_redis_route_t *route;
} redis_t;

/* A query: the arguments of mirror_redis_window_query(). */
typedef struct query_t {
    const mirror_redis_window_t *window;
    apr_int64_t requested;
} query_t;

/* A reply of the script has three elements. */
static const mirror_redis_bounds_t bounds = { 16, 512, 65536 };

static const char *redis_missing(const mirror_t *mirror, const mirror_settings_t *settings,
                                 apr_pool_t *pool)
{
    return mirror_redis_route_missing(mirror->vhost, settings, pool);
}

static void *redis_open(const mirror_t *mirror, const mirror_settings_t *settings,
                        apr_uint32_t *given_up, apr_pool_t *pool)
{
    redis_t *redis = apr_pcalloc(pool, sizeof(*redis));

    redis->window = mirror_redis_window_create(
        mirror_redis_route_key(settings, settings->name, pool), settings, pool);
    redis->route = mirror_redis_route_create(mirror->vhost, settings, &bounds, given_up, pool);
    return redis;
}

static void redis_close(void *state)
{
    redis_t *redis = state;

    mirror_redis_route_close(redis->route);
}

static apr_status_t exchange(const mirror_redis_reply_t **reply,
                             mirror_redis_connection_t *connection, int once, apr_time_t deadline,
                             void *baton, char fault[MIRROR_REDIS_FAULT])
{
    const query_t *query = baton;

    return mirror_redis_window_query(reply, query->window, connection, query->requested, once,
                                     deadline, fault);
}

static apr_status_t redis_query(mirror_limit_result_t *result, void *state, apr_int64_t requested,
                                apr_time_t deadline)
{
    redis_t *redis = state;
    query_t query = { redis->window, requested };
    const mirror_redis_reply_t *reply;
    apr_status_t rv =
        mirror_redis_route_query(&reply, redis->route, exchange, &query, deadline, result->fault);

    if (rv == APR_SUCCESS) {
        rv = mirror_redis_window_read(result, redis->window, reply, requested, mirror_clock_now());
        if (rv != APR_SUCCESS) {
            mirror_redis_route_refuse(result->fault, redis->route, reply);
        }
    }
    return rv;
}

static const mirror_limit_provider_t redis_provider = { 1, redis_missing, redis_open, redis_query,
                                                        redis_close };

void mirror_limit_redis_register(apr_pool_t *p)
{
    static const char *const policies[] = { "redis", "redis-cluster", "redis-sentinel" };
    apr_size_t i;

    for (i = 0; i < sizeof(policies) / sizeof(*policies); i++) {
        ap_register_provider(p, MIRROR_LIMIT_PROVIDERS, policies[i], MIRROR_LIMIT_PROVIDER_VERSION,
                             &redis_provider);
    }
}
