/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * limit/limit.h - limits: where the count of copies in a window is kept, and what is known of it.
 *
 * Where the count is kept is a strategy's business. Strategies are providers of httpd's, in the
 * group MIRROR_LIMIT_PROVIDERS, by the words of the attribute `policy`. When a window is used up,
 * that is remembered in the mirror's slot (base/window.h), and requests are refused before they
 * are cloned (mirror_copy_create).
 */
#ifndef MIRROR_LIMIT_LIMIT_H
#define MIRROR_LIMIT_LIMIT_H

#include "base/mirror.h"

/* ---- strategies ---- */

#define MIRROR_LIMIT_PROVIDERS        "proxy_mirror_limit"
#define MIRROR_LIMIT_PROVIDER_VERSION "0"
#define MIRROR_LIMIT_FAULT            160

typedef struct mirror_limit_answer_t {
    apr_int64_t granted; /* of those asked for */
    apr_int64_t used;    /* places of the window, with these */
    apr_time_t until;    /* when the window ends, by mirror_clock_now() */
    /* without an answer: why, for the log; without passwords, printable */
    char fault[MIRROR_LIMIT_FAULT];
} mirror_limit_answer_t;

typedef struct mirror_limit_provider_t {
    /* ask() has to wait for what is elsewhere, so it runs on a helper thread. The last three
     * functions are called for one state on one thread at a time. */
    int remote;

    /* startup, in post_config, or request threads: NULL, or what is missing for the limit of a
     * mirror with these settings, for people, in `pool`. NULL: it needs
     * nothing. */
    const char *(*missing)(const mirror_t *mirror, const mirror_settings_t *settings,
                           apr_pool_t *pool);

    /* sender thread: what it needs for a mirror with these settings; in `pool`, with copies of all
     * it needs of them. An answer is of no use any more once *given_up (atomic) is not 0, as the
     * child ends. */
    void *(*open)(const mirror_t *mirror, const mirror_settings_t *settings, apr_uint32_t *given_up,
                  apr_pool_t *pool);

    /* sender thread, or a helper if `remote`: take up to `wanted` (1 or more) places, until
     * `deadline` (mirror_clock_now()) at the latest. APR_SUCCESS and *answer, or another status
     * and answer->fault. */
    apr_status_t (*ask)(mirror_limit_answer_t *answer, void *state, apr_int64_t wanted,
                        apr_time_t deadline);

    /* sender thread: let go of what is not in `pool`. NULL: there is nothing. */
    void (*close)(void *state);
} mirror_limit_provider_t;

/* startup: register the strategies of limit/local.c, limit/redis.c and limit/cluster.c. */
void mirror_limit_local_register(apr_pool_t *p);
void mirror_limit_redis_register(apr_pool_t *p);
void mirror_limit_redis_cluster_register(apr_pool_t *p);

/* ---- limit/limit.c ---- */

/* startup, in post_config after mod_ssl's and mod_proxy's, or request threads: NULL, or what is
 * missing for the limit of `mirror`, if it has one in these settings, for people, in `pool`. */
const char *mirror_limit_missing(const mirror_t *mirror, const mirror_settings_t *settings,
                                 apr_pool_t *pool);

/* ---- any thread: limit/limit.c ---- */

/* The strategy that these settings want. */
const mirror_limit_provider_t *mirror_limit_provider(const mirror_settings_t *settings);

typedef struct mirror_limit_state_t {
    apr_int64_t used;        /* in the window that is in force */
    apr_time_t closed_until; /* wall clock; 0: it is not used up */
    int fallback;            /* limit_fallback is in force */
} mirror_limit_state_t;

/* What all children together know of the limit of `mirror`, which has a slot, and one in these
 * settings. */
void mirror_limit_state(mirror_limit_state_t *state, const mirror_t *mirror,
                        const mirror_settings_t *settings);

/* ---- sender thread: limit/limit.c; `server` is for the log ---- */

/* Nobody answers for the limit of `mirror`, as `fault` says; or somebody does. One line in the log
 * for all children when it begins, and one when it is over. */
void mirror_limit_silence_began(const mirror_t *mirror, const mirror_settings_t *settings,
                                const char *fault, struct server_rec *server);
void mirror_limit_silence_ended(const mirror_t *mirror, struct server_rec *server);

#endif
