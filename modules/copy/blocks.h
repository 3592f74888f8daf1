/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * copy/blocks.h - large blocks of memory that are used over and over.
 *
 * The pages of a block that malloc has just got from the system have to be made at its first use,
 * which costs more than all that a body in memory costs otherwise. So a child keeps some blocks
 * that were used, the last one first, as it is likely in the processor's cache; and gives back to
 * malloc those that were not needed for a while. Blocks that are kept are not counted as memory of
 * copies. There is no lock: a thread that ends within a call takes no more than one block along.
 */
#ifndef MIRROR_COPY_BLOCKS_H
#define MIRROR_COPY_BLOCKS_H

#include <apr_pools.h>

typedef struct mirror_blocks_t mirror_blocks_t;

/* child start, main thread: for blocks of `size` bytes, of which up to `most` are kept. */
mirror_blocks_t *mirror_blocks_create(apr_pool_t *pool, apr_size_t size, apr_uint32_t most);

/* ---- any thread ---- */

/* A block, the caller's; what is in it is of the one who had it before. NULL: there is no
 * memory. */
void *mirror_blocks_take(mirror_blocks_t *blocks);

/* Own a block of mirror_blocks_take()'s: keep it for the next one who needs it, or free it. */
void mirror_blocks_give(mirror_blocks_t *blocks, void *block);

/* ---- sender thread ---- */

/* Free the blocks that nobody has needed since the last call. Returns how many are still kept. */
apr_uint32_t mirror_blocks_trim(mirror_blocks_t *blocks);

#endif
