/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * limit/redis_login.h - what a mirror's settings say of connections to its Redis servers: as whom,
 * and with TLS or not.
 */
#ifndef MIRROR_LIMIT_REDIS_LOGIN_H
#define MIRROR_LIMIT_REDIS_LOGIN_H

#include "base/mirror.h"
#include "base/transport.h"

/* Who asks. All it points to lives as long as the connections that are opened with it. */
typedef struct mirror_redis_login_t {
    const mirror_transport_t *transport;
    struct server_rec *server; /* whose SSLProxy* directives hold */
    apr_uint32_t *given_up; /* atomic: not 0: nobody needs an answer any more, as the child ends */
    const char *username;   /* NULL: the default user */
    const char *password;   /* NULL: no AUTH */
    apr_int64_t database;   /* 0: no SELECT */
} mirror_redis_login_t;

/* ---- sender thread ---- */

/* With these settings, as they are for one server; copies of all it needs of them are in `pool`. */
void mirror_redis_login_set(mirror_redis_login_t *login, const mirror_t *mirror,
                            const mirror_settings_t *settings, apr_uint32_t *given_up,
                            apr_pool_t *pool);

/* ---- startup ---- */

/* NULL if the server at `url` (mirror_redis_connection_url()) can be talked to as the settings say,
 * else what is missing, for people, in `pool`. To be asked in post_config, after mod_ssl's and
 * mod_proxy's. */
const char *mirror_redis_login_missing(const mirror_t *mirror, const mirror_settings_t *settings,
                                       const char *url, apr_pool_t *pool);

#endif
