/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * redis/redis_connection.h - a connection to a Redis server: one command and reply at a time.
 *
 * A connection belongs to one route (redis/redis_route.h). One thread at a time uses it, which blocks
 * while it opens the connection or sends a command. Deadlines are times of mirror_clock_now() and cover a
 * whole step, however slowly bytes arrive.
 */
#ifndef MIRROR_REDIS_REDIS_CONNECTION_H
#define MIRROR_REDIS_REDIS_CONNECTION_H

#include <apr_pools.h>
#include <apr_time.h>

#include "redis/redis_login.h"
#include "redis/redis_reply.h"

/* The size of an error message for the log: printable, without passwords; bytes. */
#define MIRROR_REDIS_FAULT 160

typedef struct mirror_redis_connection_t mirror_redis_connection_t;

/* ---- threads that may block ---- */

/* Open a connection: lookup, connect, TLS handshake if configured, login. *redis has a pool of its
 * own below `pool`. `bounds`: those of its replies. On error *redis is NULL and `fault` has the reason. */
apr_status_t mirror_redis_connection_open(mirror_redis_connection_t **redis, const char *host,
                                          apr_port_t port, const mirror_redis_login_t *login,
                                          const mirror_redis_bounds_t *bounds, apr_time_t deadline,
                                          apr_pool_t *pool, char fault[MIRROR_REDIS_FAULT]);

/* The maximum number of words of a command. */
#define MIRROR_REDIS_ARGUMENTS 24

/* Send a command and read its reply, which is valid until the next command. On error `fault` has
 * the reason, and the connection must be closed. An error reply of Redis is a reply. */
apr_status_t mirror_redis_connection_command(const mirror_redis_reply_t **reply,
                                             mirror_redis_connection_t *redis, int argc,
                                             const char *const *argv, apr_time_t deadline,
                                             char fault[MIRROR_REDIS_FAULT]);

/* Return whether the last command failed because the server had closed the connection before any
 * byte of the reply. */
int mirror_redis_connection_was_stale(const mirror_redis_connection_t *redis);

/* Write to `fault` that the reply is unusable, with the text of an error reply. */
void mirror_redis_connection_refuse(char fault[MIRROR_REDIS_FAULT],
                                    const mirror_redis_connection_t *redis,
                                    const mirror_redis_reply_t *reply);

/* ---- any thread ---- */

/* Return the URL of a server as a <Proxy> section names it: rediss://host:port, an IPv6 address in
 * brackets. */
const char *mirror_redis_connection_url(const char *host, apr_port_t port, apr_pool_t *pool);

/* Return whether a command can be sent: the server has neither closed the connection nor sent
 * unexpected bytes, and the connection was used recently. If the result is 0, close the
 * connection. */
int mirror_redis_connection_is_usable(mirror_redis_connection_t *redis);

int mirror_redis_connection_is_to(const mirror_redis_connection_t *redis, const char *host,
                                  apr_port_t port);
void mirror_redis_connection_close(mirror_redis_connection_t *redis);

#endif
