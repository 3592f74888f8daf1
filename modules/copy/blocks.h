/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * copy/blocks.h - a cache of large memory blocks.
 *
 * The first use of a block that malloc has just obtained from the system causes page faults. These
 * cost more than all other work on a body in memory. So a child caches some used blocks. The last
 * one is reused first, because it is probably in the CPU cache. Blocks that were not needed for a
 * while are freed, half of them each second. Cached blocks do not count as memory of copies. The cache has no lock: a thread
 * that ends within a call leaks at most one block.
 */
#ifndef MIRROR_COPY_BLOCKS_H
#define MIRROR_COPY_BLOCKS_H

#include <apr_pools.h>

typedef struct mirror_blocks_t mirror_blocks_t;

/* Create a cache of blocks of `size` bytes, with at most `most` blocks, in `pool`. Child start,
 * main thread. */
mirror_blocks_t *mirror_blocks_create(apr_pool_t *pool, apr_size_t size, apr_uint32_t most);

/* ---- any thread ---- */

/* Return a block that the caller owns. Its content is undefined. NULL = out of memory. */
void *mirror_blocks_take(mirror_blocks_t *blocks);

/* Return a block to the cache, or free it. The cache owns it from here. */
void mirror_blocks_give(mirror_blocks_t *blocks, void *block);

/* ---- sender thread ---- */

/* Free half of the blocks that were not needed since the last call: load comes in waves, and those
 * of the last one are needed again soon. Returns the number of cached blocks. */
apr_uint32_t mirror_blocks_trim(mirror_blocks_t *blocks);

#endif
