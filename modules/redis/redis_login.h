/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * redis/redis_login.h - user, password, database and transport of Redis connections.
 */
#ifndef MIRROR_REDIS_REDIS_LOGIN_H
#define MIRROR_REDIS_REDIS_LOGIN_H

#include "base/mirror.h"
#include "base/transport.h"

/* The login. All pointers must be valid as long as the connections that are opened with it. */
typedef struct mirror_redis_login_t {
    const mirror_transport_t *transport;
    struct server_rec *server; /* server whose SSLProxy* directives apply */
    apr_uint32_t *given_up; /* atomic: not 0 if replies are no longer needed, as the child ends */
    const char *username;   /* NULL = the default user */
    const char *password;   /* NULL = no AUTH */
    apr_int64_t database;   /* 0 = no SELECT */
} mirror_redis_login_t;

/* ---- any thread ---- */

/* Set the login from these settings, for one server. Required values are copied to `pool`. */
void mirror_redis_login_set(mirror_redis_login_t *login, struct server_rec *server,
                            const mirror_settings_t *settings, apr_uint32_t *given_up,
                            apr_pool_t *pool);

/* Set the login for a Sentinel: sentinel_username and sentinel_password, no database. */
void mirror_redis_login_set_sentinel(mirror_redis_login_t *login, struct server_rec *server,
                                     const mirror_settings_t *settings, apr_uint32_t *given_up,
                                     apr_pool_t *pool);

/* ---- startup ---- */

/* Check whether the server at `url` (mirror_redis_connection_url()) can be reached with these
 * settings. Call it in post_config, after mod_ssl's and mod_proxy's. Returns NULL, or a message in
 * `pool`. */
const char *mirror_redis_login_missing(struct server_rec *server, const mirror_settings_t *settings,
                                       const char *url, apr_pool_t *pool);

#endif
