/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * limit/redis_window.h - a window that is counted in one key of a Redis server.
 *
 * The value of the key is the number of counted copies. The key expires at the end of the window. A
 * script checks and counts atomically. The script is called by its hash; if the server does not
 * have it, the whole script is sent.
 */
#ifndef MIRROR_LIMIT_REDIS_WINDOW_H
#define MIRROR_LIMIT_REDIS_WINDOW_H

#include "limit/limit.h"
#include "redis/redis_connection.h"

typedef struct mirror_redis_window_t {
    const char *key;
    apr_int64_t count;
    apr_interval_time_t length;
    char hash[41]; /* SHA-1 of the script in hex, NUL-terminated */
} mirror_redis_window_t;

/* ---- any thread ---- */

/* Create the window of these settings, counted in `key`. The window and its members are in
 * `pool`. */
mirror_redis_window_t *mirror_redis_window_create(const char *key,
                                                  const mirror_settings_t *settings,
                                                  apr_pool_t *pool);

/* Parse the script's reply to a request for `requested` copies. `now`: arrival of the reply. Returns
 * APR_SUCCESS and *result, or APR_EGENERAL if the reply is not one of the script's. */
apr_status_t mirror_redis_window_read(mirror_limit_result_t *result,
                                      const mirror_redis_window_t *window,
                                      const mirror_redis_reply_t *reply, apr_int64_t requested,
                                      apr_time_t now);

/* ---- helper threads ---- */

/* Take up to `requested` copies of the window. *reply may be an error reply. `once`: the server
 * accepts one command only (ASKING), so the whole script is sent. Errors and `fault`: those of
 * mirror_redis_connection_command(). */
apr_status_t mirror_redis_window_query(const mirror_redis_reply_t **reply,
                                       const mirror_redis_window_t *window,
                                       mirror_redis_connection_t *redis, apr_int64_t requested,
                                       int once, apr_time_t deadline,
                                       char fault[MIRROR_REDIS_FAULT]);

#endif
