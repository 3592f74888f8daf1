/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * capture/sample.c - the sampling of requests. See capture/sample.h.
 *
 * The random numbers are those of splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom
 * number generators, 2014): a counter that is incremented by an odd constant, and a stateless
 * mixer. So threads share only one atomic addition.
 */
#include <string.h>

#include <apr_atomic.h>

#include "base/hash.h"
#include "capture/sample.h"

#define GAMMA APR_UINT64_C(0x9e3779b97f4a7c15)

/* 2^64 / 10^9, rounded down: a billionth of the range. */
#define BILLIONTH APR_UINT64_C(18446744073)

static apr_uint64_t mix(apr_uint64_t n)
{
    n = (n ^ (n >> 30)) * APR_UINT64_C(0xbf58476d1ce4e5b9);
    n = (n ^ (n >> 27)) * APR_UINT64_C(0x94d049bb133111eb);
    return n ^ (n >> 31);
}

static int is_in(apr_uint64_t number, apr_int64_t ratio)
{
    return ratio >= MIRROR_RATIO_ALL || number < (apr_uint64_t)ratio * BILLIONTH;
}

int mirror_sample_random(apr_uint64_t *state, apr_int64_t ratio)
{
    return is_in(mix(apr_atomic_add64(state, GAMMA) + GAMMA), ratio);
}

int mirror_sample_key(const char *key, apr_int64_t ratio)
{
    return is_in(mix(mirror_hash_bytes(MIRROR_HASH_START, key, strlen(key))), ratio);
}
