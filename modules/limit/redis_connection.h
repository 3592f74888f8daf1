/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * limit/redis_connection.h - a connection to a Redis server: commands and replies, one at a time,
 * each with one deadline.
 *
 * A connection belongs to one mirror. It is used by one thread at a time, and waits: a helper's,
 * while it opens it or asks. Deadlines are mirror_clock_now()'s time and hold for a whole step,
 * however slowly its bytes come.
 */
#ifndef MIRROR_LIMIT_REDIS_CONNECTION_H
#define MIRROR_LIMIT_REDIS_CONNECTION_H

#include <apr_pools.h>
#include <apr_time.h>

#include "limit/redis_login.h"
#include "limit/redis_reply.h"

/* Why something failed, for the log: printable, without passwords. */
#define MIRROR_REDIS_FAULT 160

typedef struct mirror_redis_connection_t mirror_redis_connection_t;

/* ---- helper threads ---- */

/* Look up, connect, shake hands if it is to be TLS, log in. *redis owns a pool of its own below
 * `pool`; NULL with an error, and `fault` says why. */
apr_status_t mirror_redis_connection_open(mirror_redis_connection_t **redis, const char *host,
                                          apr_port_t port, const mirror_redis_login_t *login,
                                          apr_time_t deadline, apr_pool_t *pool,
                                          char fault[MIRROR_REDIS_FAULT]);

/* Send a command and read its reply, valid until the next command. With an error, `fault` says why,
 * and the connection is good for nothing but to be closed. An error that Redis replies is a reply.
 * */
apr_status_t mirror_redis_connection_command(const mirror_redis_reply_t **reply,
                                             mirror_redis_connection_t *redis, int argc,
                                             const char *const *argv, apr_time_t deadline,
                                             char fault[MIRROR_REDIS_FAULT]);

/* The last command failed because the server had closed the connection without a word of a reply.
 * */
int mirror_redis_connection_was_stale(const mirror_redis_connection_t *redis);

/* The reply is none that could be used: say so in `fault`, with what an error says. */
void mirror_redis_connection_refuse(char fault[MIRROR_REDIS_FAULT],
                                    const mirror_redis_connection_t *redis,
                                    const mirror_redis_reply_t *reply);

/* ---- any thread ---- */

/* A server as a <Proxy> section would name it: rediss://host:port, an IPv6 address in brackets. */
const char *mirror_redis_connection_url(const char *host, apr_port_t port, apr_pool_t *pool);

/* Whether a command can be sent: the server has neither closed the connection nor said anything
 * unasked, and it was used lately. If not, it is good for nothing but to be closed. */
int mirror_redis_connection_is_usable(mirror_redis_connection_t *redis);

int mirror_redis_connection_is_to(const mirror_redis_connection_t *redis, const char *host,
                                  apr_port_t port);
void mirror_redis_connection_close(mirror_redis_connection_t *redis);

#endif
