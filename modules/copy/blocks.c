/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * copy/blocks.c - a cache of large memory blocks. See copy/blocks.h.
 *
 * Cached blocks are usually in the first slots: `count` is the start of a search, and a trim starts
 * with the slots beyond. One atomic operation empties or fills a slot, so no two threads get the
 * same block.
 */
#include <apr_atomic.h>
#include <sys/mman.h>

#include "copy/blocks.h"

struct mirror_blocks_t {
    apr_size_t size;
    apr_uint32_t most;
    apr_uint32_t count; /* atomic: number of cached blocks */
    /* atomic: minimum of cached blocks since the last trim; these were not needed */
    apr_uint32_t spare;
    int calls;    /* sender: calls of mirror_blocks_trim() since the last trim */
    void **slots; /* each atomic; NULL = empty */
};

/* Return the number of cached blocks. A thread that fills a slot counts it afterwards, so another one
 * may have emptied it and counted that before: the count is then negative for a moment. */
static apr_uint32_t count_of(mirror_blocks_t *blocks)
{
    apr_uint32_t count = apr_atomic_read32(&blocks->count);

    return count <= blocks->most ? count : 0;
}

/* Remove the block from a slot. NULL = the slot is empty. */
static void *empty_slot(mirror_blocks_t *blocks, apr_uint32_t n)
{
    void *slot = (void *)&blocks->slots[n]; /* void suits all of APR's versions */
    void *block = apr_atomic_casptr(slot, NULL, NULL) ? apr_atomic_xchgptr(slot, NULL) : NULL;

    if (block) {
        apr_uint32_t left;

        apr_atomic_add32(&blocks->count, (apr_uint32_t)-1);
        left = count_of(blocks);
        if (left < apr_atomic_read32(&blocks->spare)) {
            apr_atomic_set32(&blocks->spare, left);
        }
    }
    return block;
}

static void *map(apr_size_t size)
{
    void *block = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return block != MAP_FAILED ? block : NULL;
}

mirror_blocks_t *mirror_blocks_create(apr_pool_t *pool, apr_size_t size, apr_uint32_t most)
{
    mirror_blocks_t *blocks = apr_pcalloc(pool, sizeof(*blocks));

    blocks->size = size;
    blocks->most = most;
    blocks->slots = apr_pcalloc(pool, most * sizeof(*blocks->slots));
    return blocks;
}

void mirror_blocks_free(const mirror_blocks_t *blocks, void *block)
{
    munmap(block, blocks->size);
}

void *mirror_blocks_take(mirror_blocks_t *blocks)
{
    apr_uint32_t n = count_of(blocks);
    void *block = NULL;

    for (; n > 0 && !block; n--) {
        block = empty_slot(blocks, n - 1);
    }
    return block ? block : map(blocks->size);
}

void mirror_blocks_give(mirror_blocks_t *blocks, void *block)
{
    apr_uint32_t n, i, first = count_of(blocks);

    for (i = 0; i < blocks->most && count_of(blocks) < blocks->most; i++) {
        n = (first + i) % blocks->most;
        if (!apr_atomic_casptr((void *)&blocks->slots[n], block, NULL)) {
            apr_atomic_inc32(&blocks->count);
            return;
        }
    }
    mirror_blocks_free(blocks, block);
}

apr_uint32_t mirror_blocks_trim(mirror_blocks_t *blocks)
{
    apr_uint32_t n, spare;

    if (++blocks->calls < MIRROR_BLOCKS_CALLS) {
        return count_of(blocks);
    }
    blocks->calls = 0;
    spare = apr_atomic_read32(&blocks->spare);
    for (n = blocks->most; n > 0 && spare > 0; n--) {
        void *block = empty_slot(blocks, n - 1);

        if (block) {
            mirror_blocks_free(blocks, block);
            spare--;
        }
    }
    apr_atomic_set32(&blocks->spare, count_of(blocks));
    return count_of(blocks);
}
