/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * fuzz_response.c - the parser of a mirror's responses.
 *
 * The first byte says whether the request was HEAD, and how the rest is cut; the rest is what a
 * mirror sent. However it is cut: the same result, words and numbers at the same byte; no byte
 * beyond what was given; nothing more once it is complete or faulty.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "send/response.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

typedef struct seen_t {
    apr_status_t rv;
    apr_size_t used;
    int status;
    int interim;
    int keepalive;
    const char *fault;
} seen_t;

static void look(seen_t *seen, const mirror_response_t *r)
{
    seen->status = mirror_response_status(r);
    seen->interim = mirror_response_interim(r);
    seen->keepalive = mirror_response_keepalive(r);
    seen->fault = mirror_response_fault(r);
    REQUIRE(seen->status == 0 || (seen->status >= 200 && seen->status <= 599));
    REQUIRE(seen->interim >= 0 && seen->interim <= MIRROR_RESPONSE_INTERIM_MAX);
    REQUIRE(!seen->keepalive || seen->rv == APR_SUCCESS);
    REQUIRE((seen->fault != NULL) == (seen->rv == APR_EGENERAL));
    REQUIRE(mirror_response_bytes(r) == (apr_int64_t)seen->used);
    REQUIRE(seen->used > 0 || !mirror_response_begun(r));
    /* an empty line, and the CR of another one */
    REQUIRE(seen->used <= 3 || mirror_response_begun(r));
}

/* Read one part, from a block of its exact size, so that a sanitizer sees one byte read too many.
 * */
static void feed(seen_t *seen, mirror_response_t *r, const char *data, apr_size_t len)
{
    char *block = malloc(len ? len : 1);
    apr_size_t used = len + 1;

    REQUIRE(block != NULL);
    memcpy(block, data, len);
    seen->rv = mirror_response_read(&used, r, block, len);
    free(block);
    REQUIRE(seen->rv == APR_INCOMPLETE || seen->rv == APR_SUCCESS || seen->rv == APR_EGENERAL);
    REQUIRE(used <= len && (seen->rv != APR_INCOMPLETE || used == len));
    seen->used += used;
    look(seen, r);
}

static int is_same(const seen_t *a, const seen_t *b)
{
    return a->rv == b->rv && a->used == b->used && a->status == b->status &&
           a->interim == b->interim && a->keepalive == b->keepalive && a->fault == b->fault;
}

/* Read it in parts whose lengths come from `seed`, each at most `most` bytes; 0: whole. */
static seen_t read_parts(mirror_response_t *r, const char *data, apr_size_t len, int head,
                         apr_uint32_t seed, apr_size_t most)
{
    seen_t seen = { APR_INCOMPLETE, 0, 0, 0, 0, NULL };
    apr_size_t at = 0;

    memset(r, 0x55, sizeof(*r)); /* nothing may depend on what was there */
    mirror_response_init(r, head);
    look(&seen, r);
    do {
        apr_size_t part = len - at;

        seed = seed * 1664525u + 1013904223u;
        if (most > 0 && part > 1 + (seed >> 16) % most) {
            part = 1 + (seed >> 16) % most;
        }
        feed(&seen, r, data + at, part);
        at += part;
    } while (at < len && seen.rv == APR_INCOMPLETE);
    return seen;
}

/* Complete or faulty, it stays so; else the close of the connection ends it. */
static void finish(mirror_response_t *r, seen_t seen)
{
    seen_t again = seen;
    int begun = mirror_response_begun(r);
    apr_status_t end;

    feed(&again, r, "", 0);
    REQUIRE(is_same(&again, &seen));
    if (seen.rv != APR_INCOMPLETE) {
        feed(&again, r, "HTTP/1.1 200 OK\r\n\r\n", 19);
        REQUIRE(is_same(&again, &seen));
    }
    end = mirror_response_end(r);
    if (seen.rv != APR_INCOMPLETE) {
        REQUIRE(end == seen.rv);
    }
    else {
        REQUIRE(begun ? end == APR_SUCCESS || end == APR_EGENERAL : end == APR_EOF);
        REQUIRE((mirror_response_fault(r) != NULL) == (end == APR_EGENERAL));
    }
    REQUIRE(!mirror_response_keepalive(r)); /* a closed connection is not used again */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const apr_size_t most[] = { 1, 2, 7, 64, 1024 };
    mirror_response_t r;
    const char *response = (const char *)data + 1;
    seen_t whole, seen;
    apr_size_t i;
    int head;

    if (size == 0) {
        return 0;
    }
    head = data[0] & 1;
    whole = read_parts(&r, response, size - 1, head, 0, 0);
    finish(&r, whole);
    for (i = 0; i < sizeof(most) / sizeof(*most); i++) {
        seen = read_parts(&r, response, size - 1, head, data[0], most[i]);
        REQUIRE(is_same(&seen, &whole));
        finish(&r, seen);
    }
    return 0;
}
