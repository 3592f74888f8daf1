/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * response.h - a response is read in every way.
 *
 * Whole, byte by byte, and in two parts, cut at every place; each part lies in a block of its
 * exact size. The result, the words, and the byte at which they come must be the same.
 */
#ifndef RESPONSE_H
#define RESPONSE_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "send/response.h"

/* a longer input is not cut at every place between its edges, but at about so many */
#define RESPONSE_PARTS 200
#define RESPONSE_EDGE  100 /* bytes */

/* All that can be seen of a reader. */
typedef struct seen_t {
    apr_status_t rv;
    apr_size_t used;
    int begun;
    int status;
    int interim;
    int keepalive;
    apr_int64_t bytes;
    const char *fault;
} seen_t;

/* Read `len` bytes from a block of that size, and add what was seen. */
static void feed(seen_t *seen, mirror_response_t *r, const char *data, apr_size_t len)
{
    char *block = malloc(len ? len : 1);
    apr_size_t used = len + 1;

    ck_assert_ptr_nonnull(block);
    memcpy(block, data, len);
    seen->rv = mirror_response_read(&used, r, block, len);
    free(block);
    ck_assert_uint_le(used, len);
    if (seen->rv == APR_INCOMPLETE) {
        ck_assert_uint_eq(used, len);
    }
    seen->used += used;
    seen->begun = mirror_response_begun(r);
    seen->status = mirror_response_status(r);
    seen->interim = mirror_response_interim(r);
    seen->keepalive = mirror_response_keepalive(r);
    seen->bytes = mirror_response_bytes(r);
    seen->fault = mirror_response_fault(r);
    ck_assert_int_eq(seen->bytes, (apr_int64_t)seen->used);
    ck_assert_int_eq(seen->fault != NULL, seen->rv == APR_EGENERAL);
}

static void ck_assert_same(const seen_t *seen, const seen_t *expected)
{
    ck_assert_int_eq(seen->rv, expected->rv);
    ck_assert_uint_eq(seen->used, expected->used);
    ck_assert_int_eq(seen->begun, expected->begun);
    ck_assert_int_eq(seen->status, expected->status);
    ck_assert_int_eq(seen->interim, expected->interim);
    ck_assert_int_eq(seen->keepalive, expected->keepalive);
    ck_assert_pstr_eq(seen->fault, expected->fault);
}

/* Read it in parts of `part` bytes, the first of `first`; `r` is left as it is then. */
static seen_t read_parts(mirror_response_t *r, const char *data, apr_size_t len, int head,
                         apr_size_t first, apr_size_t part)
{
    seen_t seen = { APR_INCOMPLETE, 0, 0, 0, 0, 0, 0, NULL };
    apr_size_t at = 0, n = first;

    memset(r, 0x55, sizeof(*r)); /* nothing may depend on what was there */
    mirror_response_init(r, head);
    feed(&seen, r, data, 0);
    while (at < len && seen.rv == APR_INCOMPLETE) {
        feed(&seen, r, data + at, n < len - at ? n : len - at);
        at += n;
        n = part;
    }
    return seen;
}

/* Once it is complete or faulty, it stays so. */
static void ck_assert_stable(mirror_response_t *r, seen_t seen)
{
    seen_t again = seen;

    feed(&again, r, "HTTP/1.1 200 OK\r\n\r\n", 19);
    ck_assert_same(&again, &seen);
    feed(&again, r, "", 0);
    ck_assert_same(&again, &seen);
    ck_assert_int_eq(mirror_response_end(r), seen.rv);
    ck_assert_int_eq(mirror_response_keepalive(r), 0);
    ck_assert_pstr_eq(mirror_response_fault(r), seen.fault);
}

/* Read it in every way. Returns what is always seen, and the reader if nothing ended it. */
static seen_t read_all_ways(mirror_response_t *r, const char *data, apr_size_t len, int head)
{
    seen_t whole = read_parts(r, data, len, head, len, len), seen;
    apr_size_t cut, step = len / RESPONSE_PARTS + 1;

    for (cut = 1; cut<len; cut += cut> RESPONSE_EDGE && cut + RESPONSE_EDGE < len ? step : 1) {
        seen = read_parts(r, data, len, head, cut, len);
        ck_assert_same(&seen, &whole);
    }
    seen = read_parts(r, data, len, head, 1, 1);
    ck_assert_same(&seen, &whole);
    if (whole.rv != APR_INCOMPLETE) {
        ck_assert_stable(r, whole);
    }
    return whole;
}

#endif
