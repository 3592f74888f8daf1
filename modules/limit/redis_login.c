/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * limit/redis_login.c - login and transport of Redis connections. See limit/redis_login.h.
 */
#include <apr_strings.h>

#include "base/tls.h"
#include "limit/redis_login.h"

void mirror_redis_login_set(mirror_redis_login_t *login, const mirror_t *mirror,
                            const mirror_settings_t *settings, apr_uint32_t *given_up,
                            apr_pool_t *pool)
{
    login->transport = settings->redis_ssl ? &mirror_tls_transport : &mirror_transport_plain;
    login->server = mirror->vhost;
    login->given_up = given_up;
    login->username = apr_pstrdup(pool, settings->redis_username);
    login->password = apr_pstrdup(pool, settings->redis_password);
    login->database = settings->redis_database;
}

const char *mirror_redis_login_missing(const mirror_t *mirror, const mirror_settings_t *settings,
                                       const char *url, apr_pool_t *pool)
{
    return settings->redis_ssl ? mirror_tls_missing("redis_ssl=true", mirror->vhost, url, pool)
                               : NULL;
}
