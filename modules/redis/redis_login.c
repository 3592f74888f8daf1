/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * redis/redis_login.c - login and transport of Redis connections. See redis/redis_login.h.
 */
#include <apr_strings.h>

#include "base/tls.h"
#include "redis/redis_login.h"

void mirror_redis_login_set(mirror_redis_login_t *login, struct server_rec *server,
                            const mirror_settings_t *settings, apr_uint32_t *given_up,
                            apr_pool_t *pool)
{
    login->transport = settings->redis_ssl ? &mirror_tls_transport : &mirror_transport_plain;
    login->server = server;
    login->given_up = given_up;
    login->username = apr_pstrdup(pool, settings->redis_username);
    login->password = apr_pstrdup(pool, settings->redis_password);
    login->database = settings->redis_database;
}

void mirror_redis_login_set_sentinel(mirror_redis_login_t *login, struct server_rec *server,
                                     const mirror_settings_t *settings, apr_uint32_t *given_up,
                                     apr_pool_t *pool)
{
    mirror_redis_login_set(login, server, settings, given_up, pool);
    login->username = apr_pstrdup(pool, settings->sentinel_username);
    login->password = apr_pstrdup(pool, settings->sentinel_password);
    login->database = 0;
}

const char *mirror_redis_login_missing(struct server_rec *server, const mirror_settings_t *settings,
                                       const char *url, apr_pool_t *pool)
{
    return settings->redis_ssl ? mirror_tls_missing("redis_ssl=true", server, url, pool) : NULL;
}
