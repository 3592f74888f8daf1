/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * limit/redis.c - the strategy redis: one Redis server counts for all nodes that use the same
 * mirror name. See limit/limit.h.
 *
 * The connection is kept between requests. If the server has closed it, the same request
 * reconnects. Copies that the failed request had counted are then lost; the limit is never
 * exceeded.
 */
#include <ap_provider.h>
#include <apr_strings.h>

#include "base/clock.h"
#include "limit/redis_window.h"

typedef struct redis_t {
    apr_pool_t *pool;
    mirror_redis_window_t *window;
    mirror_redis_login_t login;
    const char *host;
    apr_port_t port;
    mirror_redis_connection_t *connection; /* NULL = not connected */
} redis_t;

static const char *redis_missing(const mirror_t *mirror, const mirror_settings_t *settings,
                                 apr_pool_t *pool)
{
    return mirror_redis_login_missing(
        mirror, settings,
        mirror_redis_connection_url(settings->redis_host, (apr_port_t)settings->redis_port, pool),
        pool);
}

static void *redis_open(const mirror_t *mirror, const mirror_settings_t *settings,
                        apr_uint32_t *given_up, apr_pool_t *pool)
{
    redis_t *redis = apr_pcalloc(pool, sizeof(*redis));

    redis->pool = pool;
    redis->window = mirror_redis_window_create(
        apr_pstrcat(pool, settings->redis_key_prefix, settings->name, NULL), settings, pool);
    mirror_redis_login_set(&redis->login, mirror, settings, given_up, pool);
    redis->host = apr_pstrdup(pool, settings->redis_host);
    redis->port = (apr_port_t)settings->redis_port;
    return redis;
}

static void redis_close(void *state)
{
    redis_t *redis = state;

    if (redis->connection) {
        mirror_redis_connection_close(redis->connection);
        redis->connection = NULL;
    }
}

/* Make one attempt. *stale: 1 if a retry on a fresh connection may succeed. */
static apr_status_t attempt(mirror_limit_result_t *result, redis_t *redis, apr_int64_t requested,
                            apr_time_t deadline, int *stale)
{
    const mirror_redis_reply_t *reply;
    apr_status_t rv = APR_SUCCESS;
    int fresh = 0;

    *stale = 0;
    if (redis->connection && !mirror_redis_connection_is_usable(redis->connection)) {
        redis_close(redis);
    }
    if (!redis->connection) {
        fresh = 1;
        rv = mirror_redis_connection_open(&redis->connection, redis->host, redis->port,
                                          &redis->login, deadline, redis->pool, result->fault);
    }
    if (rv == APR_SUCCESS) {
        rv = mirror_redis_window_query(&reply, redis->window, redis->connection, requested, 0,
                                       deadline, result->fault);
        if (rv != APR_SUCCESS) {
            *stale = !fresh && mirror_redis_connection_was_stale(redis->connection);
        }
        else {
            rv = mirror_redis_window_read(result, redis->window, reply, requested,
                                          mirror_clock_now());
            if (rv != APR_SUCCESS) {
                mirror_redis_connection_refuse(result->fault, redis->connection, reply);
            }
        }
    }
    if (rv != APR_SUCCESS) {
        redis_close(redis);
    }
    return rv;
}

static apr_status_t redis_query(mirror_limit_result_t *result, void *state, apr_int64_t requested,
                                apr_time_t deadline)
{
    int stale;
    apr_status_t rv = attempt(result, state, requested, deadline, &stale);

    return stale ? attempt(result, state, requested, deadline, &stale) : rv;
}

static const mirror_limit_provider_t redis_provider = { 1, redis_missing, redis_open, redis_query,
                                                        redis_close };

void mirror_limit_redis_register(apr_pool_t *p)
{
    ap_register_provider(p, MIRROR_LIMIT_PROVIDERS, "redis", MIRROR_LIMIT_PROVIDER_VERSION,
                         &redis_provider);
}
