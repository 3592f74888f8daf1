/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * limit/limit.h - limits: the strategies that store a count of copies, and the state of a limit.
 *
 * A strategy stores the count. Strategies are httpd providers in the group MIRROR_LIMIT_PROVIDERS,
 * named by the values of the attribute `policy`. A used-up window is recorded in the mirror's slot
 * (base/window.h). Copies are then rejected before their body is cloned (mirror_copy_create).
 */
#ifndef MIRROR_LIMIT_LIMIT_H
#define MIRROR_LIMIT_LIMIT_H

#include "base/mirror.h"

/* ---- strategies ---- */

#define MIRROR_LIMIT_PROVIDERS        "proxy_mirror_limit"
#define MIRROR_LIMIT_PROVIDER_VERSION "0"
#define MIRROR_LIMIT_FAULT            160

typedef struct mirror_limit_result_t {
    apr_int64_t granted; /* granted copies, 0 to `requested` */
    apr_int64_t used;    /* copies counted in the window, including the granted ones */
    apr_time_t until;    /* end of the window (mirror_clock_now()) */
    /* on error: the reason, for the log; printable, without passwords */
    char fault[MIRROR_LIMIT_FAULT];
} mirror_limit_result_t;

typedef struct mirror_limit_provider_t {
    /* 1 if query() blocks and so runs on a helper thread. One thread at a time calls open, query and
     * close of one state. */
    int remote;

    /* Check the requirements of a limit with these settings. Startup, in post_config, or request
     * threads. Returns NULL or a message, in `pool`. NULL = no requirements. */
    const char *(*missing)(const mirror_t *mirror, const mirror_settings_t *settings,
                           apr_pool_t *pool);

    /* Create the state for a mirror with these settings. Sender thread. The state is allocated in
     * `pool` and copies the settings that it needs. Once *given_up (atomic) is not 0, the child
     * ends and its results are no longer needed. */
    void *(*open)(const mirror_t *mirror, const mirror_settings_t *settings, apr_uint32_t *given_up,
                  apr_pool_t *pool);

    /* Take up to `requested` (1 or more) copies of the window, until `deadline` (mirror_clock_now()).
     * Sender thread, or a helper if `remote`. Returns APR_SUCCESS and *result, or an error and
     * result->fault. */
    apr_status_t (*query)(mirror_limit_result_t *result, void *state, apr_int64_t requested,
                          apr_time_t deadline);

    /* Release resources that are not in `pool`. Sender thread. NULL = none. */
    void (*close)(void *state);
} mirror_limit_provider_t;

/* Register the strategies of limit/local.c and limit/redis.c. Startup. */
void mirror_limit_local_register(apr_pool_t *p);
void mirror_limit_redis_register(apr_pool_t *p);

/* ---- limit/limit.c ---- */

/* Check the requirements of the limit of `mirror`. Startup, in post_config after mod_ssl's and
 * mod_proxy's, or request threads. Returns NULL, also without a limit, or a message in `pool`. */
const char *mirror_limit_missing(const mirror_t *mirror, const mirror_settings_t *settings,
                                 apr_pool_t *pool);

/* ---- any thread: limit/limit.c ---- */

/* Return the strategy of these settings. */
const mirror_limit_provider_t *mirror_limit_provider(const mirror_settings_t *settings);

typedef struct mirror_limit_state_t {
    apr_int64_t used;        /* copies counted in the current window */
    apr_time_t closed_until; /* wall clock; 0 = not used up */
    int fallback;            /* 1 if limit_fallback is in force */
} mirror_limit_state_t;

/* Read the state of the limit of `mirror`, as recorded by all children. The mirror must have a
 * slot, and a limit in these settings. */
void mirror_limit_state(mirror_limit_state_t *state, const mirror_t *mirror,
                        const mirror_settings_t *settings);

/* ---- sender thread: limit/limit.c; `server`: for the log ---- */

/* Record that the server of the limit of `mirror` does not respond, for the reason `fault`; or that
 * it responds again. Logs one line for all children at the start and one at the end. */
void mirror_limit_silence_began(const mirror_t *mirror, const mirror_settings_t *settings,
                                const char *fault, struct server_rec *server);
void mirror_limit_silence_ended(const mirror_t *mirror, struct server_rec *server);

#endif
