/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * limit/redis_window.h - a window that is counted in one key of a Redis server.
 *
 * The key holds how many copies were counted, and lives as long as the window lasts. A script
 * takes places, so nothing comes between looking and counting. It is called by its hash, and sent
 * as a whole to a server that does not have it.
 */
#ifndef MIRROR_LIMIT_REDIS_WINDOW_H
#define MIRROR_LIMIT_REDIS_WINDOW_H

#include "limit/limit.h"
#include "limit/redis_connection.h"

typedef struct mirror_redis_window_t {
    const char *key;
    apr_int64_t count;
    apr_interval_time_t length;
    char hash[41]; /* of the script, SHA-1 in hex */
} mirror_redis_window_t;

/* ---- any thread ---- */

/* The window of these settings in `key`. It and what it points to are in `pool`. */
mirror_redis_window_t *mirror_redis_window_create(const char *key,
                                                  const mirror_settings_t *settings,
                                                  apr_pool_t *pool);

/* What the script replies when asked for `wanted`: APR_SUCCESS and *answer, or APR_EGENERAL if it
 * is nothing that the script can reply. `now` is when the reply came. */
apr_status_t mirror_redis_window_read(mirror_limit_answer_t *answer,
                                      const mirror_redis_window_t *window,
                                      const mirror_redis_reply_t *reply, apr_int64_t wanted,
                                      apr_time_t now);

/* ---- helper threads ---- */

/* Take up to `wanted` places. *reply is what Redis says, possibly an error. `once`: the server lets
 * us send one command only (ASKING), so it is the whole script. Errors and `fault`: those of
 * mirror_redis_connection_command(). */
apr_status_t mirror_redis_window_ask(const mirror_redis_reply_t **reply,
                                     const mirror_redis_window_t *window,
                                     mirror_redis_connection_t *redis, apr_int64_t wanted, int once,
                                     apr_time_t deadline, char fault[MIRROR_REDIS_FAULT]);

#endif
