/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * capture/sample.h - whether a request is in the sample.
 *
 * A ratio is a whole number of billionths. Each request, or each key, is given a number of 64
 * bits, spread evenly; it is in the sample if that is below the ratio's share of all such numbers.
 * So whatever is in at one ratio is also in at every higher one.
 *
 * The number of a key is the same everywhere and always, and the manual describes it: FNV-1a of 64
 * bits over the key's bytes, then the three steps that end splitmix64.
 */
#ifndef MIRROR_CAPTURE_SAMPLE_H
#define MIRROR_CAPTURE_SAMPLE_H

#include "attributes/value.h"

/* ---- any thread ---- */

/* Whether the next request is in. `state` is shared by threads and only changed in here; what it
 * begins with is to be random. Takes no lock. */
int mirror_sample_random(apr_uint64_t *state, apr_int64_t ratio);

/* Whether `key` is in. */
int mirror_sample_key(const char *key, apr_int64_t ratio);

#endif
