/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * redis/redis_route.h - the way to the Redis server that has a key: one server, the owner in a
 * Redis Cluster, or the master that Sentinels name.
 *
 * A route has at most one connection, which it keeps. It sends one exchange to the server that may
 * answer it. If the server has moved, or fails, the route finds the new one and repeats the
 * exchange, within one deadline. So an exchange must be repeatable, or detect a repetition. All
 * keys of a route are in one hash slot. One thread at a time uses a route.
 */
#ifndef MIRROR_REDIS_REDIS_ROUTE_H
#define MIRROR_REDIS_REDIS_ROUTE_H

#include "redis/redis_connection.h"

typedef struct mirror_redis_route_t mirror_redis_route_t;

/* One or several commands on a connection, for the caller that gave `baton`. *reply is the last
 * reply, which may be an error reply; a redirection must be returned as it is. `once`: the server
 * accepts one command only (ASKING). Errors and `fault`: those of
 * mirror_redis_connection_command(). */
typedef apr_status_t mirror_redis_exchange_t(const mirror_redis_reply_t **reply,
                                             mirror_redis_connection_t *redis, int once,
                                             apr_time_t deadline, void *baton,
                                             char fault[MIRROR_REDIS_FAULT]);

/* ---- startup, and request threads ---- */

/* Check the requirements of the policy of these settings, a remote one. Returns NULL, or a message
 * in `pool`. */
const char *mirror_redis_route_missing(struct server_rec *server, const mirror_settings_t *settings,
                                       apr_pool_t *pool);

/* ---- any thread ---- */

/* Create a route for these settings, whose policy is a remote one. Required values are copied to
 * `pool`, which must not be used by another thread while the route is. If *given_up (atomic) is not
 * 0, waits end. */
mirror_redis_route_t *mirror_redis_route_create(struct server_rec *server,
                                                const mirror_settings_t *settings,
                                                const mirror_redis_bounds_t *bounds,
                                                apr_uint32_t *given_up, apr_pool_t *pool);

/* Return the key `rest` with the prefixes of these settings, in `pool`. */
const char *mirror_redis_route_key(const mirror_settings_t *settings, const char *rest,
                                   apr_pool_t *pool);

/* Return the number of connections that were opened so far. If it has changed, another server may
 * have answered. */
unsigned mirror_redis_route_opened(const mirror_redis_route_t *route);

/* ---- threads that may block ---- */

/* Run `exchange` at the server that answers it. On success *reply is valid until the next call; it
 * may be an error reply. On error `fault` has the reason. */
apr_status_t mirror_redis_route_query(const mirror_redis_reply_t **reply,
                                      mirror_redis_route_t *route,
                                      mirror_redis_exchange_t *exchange, void *baton,
                                      apr_time_t deadline, char fault[MIRROR_REDIS_FAULT]);

/* Write to `fault` that the reply to the last exchange is unusable, and close the connection. */
void mirror_redis_route_refuse(char fault[MIRROR_REDIS_FAULT], mirror_redis_route_t *route,
                               const mirror_redis_reply_t *reply);

/* Close the connection, if there is one. */
void mirror_redis_route_close(mirror_redis_route_t *route);

#endif
