/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * capture/sample.h - the sampling of requests.
 *
 * A ratio is a whole number of billionths. Each request or key gets a uniformly distributed 64-bit
 * number. It is in the sample if the number is below the ratio's share of the range. So a larger
 * ratio includes every sample of a smaller one.
 *
 * The number of a key is the same on all systems, as the manual documents: 64-bit FNV-1a of the
 * key's bytes, then the final three steps of splitmix64.
 */
#ifndef MIRROR_CAPTURE_SAMPLE_H
#define MIRROR_CAPTURE_SAMPLE_H

#include "attributes/value.h"

/* ---- any thread ---- */

/* Return whether the next request is in the sample. `state`: shared by threads, changed only here,
 * initialized with a random value. Takes no lock. */
int mirror_sample_random(apr_uint64_t *state, apr_int64_t ratio);

/* Return whether `key` is in the sample. */
int mirror_sample_key(const char *key, apr_int64_t ratio);

#endif
