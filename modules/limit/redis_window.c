/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * limit/redis_window.c - a window in one key of a Redis server. See limit/redis_window.h.
 */
#include <apr_sha1.h>
#include <apr_strings.h>
#include <string.h>

#include "base/window.h"
#include "limit/redis_window.h"

/* ARGV: requested copies, copies per window, length of the window in ms. The script counts only
 * granted copies and sets the expiry with the first one. It adds a missing expiry, and shortens one
 * that is longer than a window. Returns: granted, used, milliseconds left. */
static const char script[] =
    "local requested, count, window = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])\n"
    "local used = tonumber(redis.call('GET', KEYS[1]) or '0')\n"
    "local granted = math.max(0, math.min(requested, count - used))\n"
    "if granted > 0 then used = redis.call('INCRBY', KEYS[1], granted) end\n"
    "local left = redis.call('PTTL', KEYS[1])\n"
    "if left < 0 or left > window then\n"
    "  redis.call('PEXPIRE', KEYS[1], window)\n"
    "  left = window\n"
    "end\n"
    "return {granted, used, left}\n";

mirror_redis_window_t *mirror_redis_window_create(const char *key,
                                                  const mirror_settings_t *settings,
                                                  apr_pool_t *pool)
{
    static const char hex[] = "0123456789abcdef";
    mirror_redis_window_t *window = apr_pcalloc(pool, sizeof(*window));
    unsigned char digest[APR_SHA1_DIGESTSIZE];
    apr_sha1_ctx_t sha1;
    int i;

    apr_sha1_init(&sha1);
    apr_sha1_update(&sha1, script, sizeof(script) - 1);
    apr_sha1_final(digest, &sha1);
    for (i = 0; i < APR_SHA1_DIGESTSIZE; i++) {
        window->hash[2 * i] = hex[digest[i] >> 4];
        window->hash[2 * i + 1] = hex[digest[i] & 15];
    }
    window->key = apr_pstrdup(pool, key);
    window->count = settings->count;
    window->length = apr_time_from_sec(settings->time_window);
    return window;
}

apr_status_t mirror_redis_window_query(const mirror_redis_reply_t **reply,
                                       const mirror_redis_window_t *window,
                                       mirror_redis_connection_t *redis, apr_int64_t requested,
                                       int once, apr_time_t deadline,
                                       char fault[MIRROR_REDIS_FAULT])
{
    char numbers[3][24];
    const char *argv[7];
    apr_status_t rv;

    apr_snprintf(numbers[0], sizeof(numbers[0]), "%" APR_INT64_T_FMT, requested);
    apr_snprintf(numbers[1], sizeof(numbers[1]), "%" APR_INT64_T_FMT, window->count);
    apr_snprintf(numbers[2], sizeof(numbers[2]), "%" APR_INT64_T_FMT,
                 (apr_int64_t)apr_time_as_msec(window->length));
    argv[0] = once ? "EVAL" : "EVALSHA";
    argv[1] = once ? script : window->hash;
    argv[2] = "1";
    argv[3] = window->key;
    argv[4] = numbers[0];
    argv[5] = numbers[1];
    argv[6] = numbers[2];
    rv = mirror_redis_connection_command(reply, redis, 7, argv, deadline, fault);
    if (rv == APR_SUCCESS && mirror_redis_reply_is_error(*reply, "NOSCRIPT")) {
        argv[0] = "EVAL";
        argv[1] = script;
        rv = mirror_redis_connection_command(reply, redis, 7, argv, deadline, fault);
    }
    return rv;
}

apr_status_t mirror_redis_window_read(mirror_limit_result_t *result,
                                      const mirror_redis_window_t *window,
                                      const mirror_redis_reply_t *reply, apr_int64_t requested,
                                      apr_time_t now)
{
    apr_int64_t left;

    if (reply->type != MIRROR_REDIS_ARRAY || reply->count != 3 ||
        !mirror_redis_reply_number(&result->granted, reply->elements[0]) ||
        !mirror_redis_reply_number(&result->used, reply->elements[1]) ||
        !mirror_redis_reply_number(&left, reply->elements[2]) || result->granted < 0 ||
        result->granted > requested || result->used < result->granted ||
        result->used > MIRROR_WINDOW_COUNT_MAX ||
        (result->granted < requested && result->used < window->count) || left < 0 ||
        left > apr_time_as_msec(window->length)) {
        return APR_EGENERAL;
    }
    result->until = now + apr_time_from_msec(left);
    return APR_SUCCESS;
}
