/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * fuzz_redis.c - replies of a Redis server, and how they are parsed.
 *
 * The first byte says how the rest is cut, the second how many copies were requested; the rest is
 * what the server sent. Whatever it is: no byte beyond what was given, texts that end, elements
 * that are there, and a result only if it is one that the script can give.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "limit/redis_window.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

static const mirror_redis_window_t window = { "key", 10, apr_time_from_sec(60), "" };

static const mirror_redis_bounds_t bounds = { 16, 512, 65536 };

static void check_reply(const mirror_redis_reply_t *reply, int depth)
{
    char host[256];
    apr_int64_t number;
    apr_port_t port = 0;
    int i;

    REQUIRE(depth <= bounds.elements);
    REQUIRE(strlen(reply->text) < bounds.text);
    REQUIRE(reply->count >= 0 && reply->count <= bounds.elements);
    for (i = 0; i < reply->count; i++) {
        check_reply(reply->elements[i], depth + 1);
    }
    if (mirror_redis_reply_number(&number, reply)) {
        REQUIRE(reply->type == MIRROR_REDIS_INTEGER || reply->type == MIRROR_REDIS_STRING);
    }
    if (mirror_redis_reply_redirect(host, sizeof(host), &port, reply, "MOVED") ||
        mirror_redis_reply_redirect(host, sizeof(host), &port, reply, "ASK")) {
        REQUIRE(reply->type == MIRROR_REDIS_ERROR && port > 0 && strlen(host) < sizeof(host));
        REQUIRE(mirror_redis_reply_is_error(reply, "MOVED") !=
                mirror_redis_reply_is_error(reply, "ASK"));
    }
}

static void check_result(const mirror_redis_reply_t *reply, apr_int64_t requested)
{
    mirror_limit_result_t result;

    if (mirror_redis_window_read(&result, &window, reply, requested, 1000) == APR_SUCCESS) {
        REQUIRE(reply->type == MIRROR_REDIS_ARRAY);
        REQUIRE(result.granted >= 0 && result.granted <= requested &&
                result.used >= result.granted);
        REQUIRE(result.granted == requested || result.used >= window.count);
        REQUIRE(result.until >= 1000 && result.until <= 1000 + window.length);
    }
}

/* Read it in parts of at most `most` bytes, each in a block of its exact size. Returns what came of
 * the last one. */
static apr_status_t read_parts(const char *data, apr_size_t len, apr_size_t most,
                               apr_int64_t requested)
{
    mirror_redis_reader_t *reader = mirror_redis_reply_reader_create(&bounds);
    const mirror_redis_reply_t *reply = NULL;
    apr_status_t rv = APR_INCOMPLETE;

    REQUIRE(reader != NULL);
    while (len > 0 && rv != APR_EINVAL && rv != APR_ENOSPC) {
        apr_size_t part = len < most ? len : most;
        char *block = malloc(part);

        REQUIRE(block != NULL);
        memcpy(block, data, part);
        rv = mirror_redis_reply_feed(&reply, reader, block, part);
        free(block);
        REQUIRE(rv == APR_SUCCESS || rv == APR_INCOMPLETE || rv == APR_EINVAL || rv == APR_ENOSPC);
        if (rv == APR_SUCCESS) {
            REQUIRE(!mirror_redis_reply_is_begun(reader));
            check_reply(reply, 0);
            check_result(reply, requested);
        }
        data += part;
        len -= part;
    }
    mirror_redis_reply_reader_destroy(reader);
    return rv;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const apr_size_t most[] = { 1, 2, 7, 64, 4096 };
    static int started;
    apr_int64_t requested;
    apr_status_t whole;

    if (!started) {
        apr_initialize();
        started = 1;
    }
    if (size < 3) {
        return 0;
    }
    requested = 1 + data[1];
    whole = read_parts((const char *)data + 2, size - 2, size, requested);
    if (whole == APR_SUCCESS) { /* one reply, and nothing behind it */
        REQUIRE(read_parts((const char *)data + 2, size - 2, most[data[0] % 5], requested) ==
                APR_SUCCESS);
    }
    else {
        read_parts((const char *)data + 2, size - 2, most[data[0] % 5], requested);
    }
    return 0;
}
