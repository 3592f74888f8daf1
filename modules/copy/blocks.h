/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * copy/blocks.h - a cache of large memory blocks.
 *
 * The first use of memory that was just obtained from the system causes page faults. These cost more
 * than all other work on a body in memory. So a child caches some used blocks. The last one is
 * reused first, because it is probably in the CPU cache. Load comes in waves: only blocks that were
 * not needed for some calls of mirror_blocks_trim() are freed. Blocks are mapped one by one, so a
 * free one goes back to the system at once; malloc would keep it if anything above it is in use.
 * Cached blocks do not count as memory of copies. The cache has no lock: a thread that ends within a
 * call leaks at most one block.
 */
#ifndef MIRROR_COPY_BLOCKS_H
#define MIRROR_COPY_BLOCKS_H

#include <apr_pools.h>

typedef struct mirror_blocks_t mirror_blocks_t;

/* The calls of mirror_blocks_trim() after which blocks are freed. */
#define MIRROR_BLOCKS_CALLS 10

/* Create a cache of blocks of `size` bytes, a multiple of a page's, with at most `most` blocks, in `pool`. Child start,
 * main thread. */
mirror_blocks_t *mirror_blocks_create(apr_pool_t *pool, apr_size_t size, apr_uint32_t most);

/* ---- any thread ---- */

/* Return a block that the caller owns. Its content is undefined. NULL = out of memory. */
void *mirror_blocks_take(mirror_blocks_t *blocks);

/* Copy `len` bytes into a block. `cold`: 1 if so many blocks are in use that the CPU's cache has
 * lost the bytes when they are read. They then bypass the cache, which keeps what is in use, and
 * the memory is not read before it is overwritten. */
void mirror_blocks_fill(char *to, const char *from, apr_size_t len, int cold);

/* Free a block. */
void mirror_blocks_free(const mirror_blocks_t *blocks, void *block);

/* Return a block to the cache, or free it. The cache owns it from here. */
void mirror_blocks_give(mirror_blocks_t *blocks, void *block);

/* ---- sender thread ---- */

/* With each MIRROR_BLOCKS_CALLS-th call, free the blocks that were not needed since the last such
 * call. Returns the number of cached blocks. */
apr_uint32_t mirror_blocks_trim(mirror_blocks_t *blocks);

#endif
