/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/hash.h - 64-bit FNV-1a (draft-eastlake-fnv), of bytes and other numbers.
 */
#ifndef MIRROR_BASE_HASH_H
#define MIRROR_BASE_HASH_H

#include <apr.h>

/* The hash of nothing. */
#define MIRROR_HASH_START APR_UINT64_C(0xcbf29ce484222325)

/* Return the hash of what `hash` is of, followed by `next`: a byte, or a number that is no byte, as a
 * mark of an end. */
static inline apr_uint64_t mirror_hash_add(apr_uint64_t hash, apr_uint64_t next)
{
    return (hash ^ next) * APR_UINT64_C(0x100000001b3);
}

/* Return the hash of what `hash` is of, followed by `len` bytes. */
static inline apr_uint64_t mirror_hash_bytes(apr_uint64_t hash, const void *bytes, apr_size_t len)
{
    const unsigned char *at = (const unsigned char *)bytes;

    while (len-- > 0) {
        hash = mirror_hash_add(hash, *at++);
    }
    return hash;
}

#endif
