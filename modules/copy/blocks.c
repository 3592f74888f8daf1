/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * copy/blocks.c - a cache of large memory blocks. See copy/blocks.h.
 *
 * Cached blocks are usually in the first slots: `count` is the start of a search, and a trim starts
 * with the slots beyond. One atomic operation empties or fills a slot, so no two threads get the
 * same block.
 */
#include <apr_atomic.h>
#include <string.h>
#include <sys/mman.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

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

/* Linux provides all pages of the block at once, which costs less than a fault for each. */
#ifdef MAP_POPULATE
#define MIRROR_MAPPED (MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE)
#else
#define MIRROR_MAPPED (MAP_PRIVATE | MAP_ANONYMOUS)
#endif

static void *map(apr_size_t size)
{
    void *block = mmap(NULL, size, PROT_READ | PROT_WRITE, MIRROR_MAPPED, -1, 0);

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

/* ---- filling ---- */

/* A line of the CPU's cache, bytes; and the minimum to bypass it. */
#define MIRROR_LINE   64
#define MIRROR_BYPASS 1024

#ifdef __SSE2__
/* Write whole lines past the cache. Both pointers advance behind them; *to is at a line's start. */
static void write_lines(char **to, const char **from, apr_size_t lines)
{
    __m128i *out = (__m128i *)(void *)*to;
    const __m128i *in = (const __m128i *)(const void *)*from;

    *to += lines * MIRROR_LINE;
    *from += lines * MIRROR_LINE;
    for (; lines > 0; lines--, out += 4, in += 4) {
        __m128i a = _mm_loadu_si128(in), b = _mm_loadu_si128(in + 1);
        __m128i c = _mm_loadu_si128(in + 2), d = _mm_loadu_si128(in + 3);

        _mm_stream_si128(out, a);
        _mm_stream_si128(out + 1, b);
        _mm_stream_si128(out + 2, c);
        _mm_stream_si128(out + 3, d);
    }
    _mm_sfence(); /* before another thread gets the block */
}
#endif

void mirror_blocks_fill(char *to, const char *from, apr_size_t len, int cold)
{
#ifdef __SSE2__
    if (cold && len >= MIRROR_BYPASS) {
        apr_size_t first = (MIRROR_LINE - (apr_uintptr_t)to % MIRROR_LINE) % MIRROR_LINE;

        memcpy(to, from, first);
        to += first;
        from += first;
        len -= first;
        write_lines(&to, &from, len / MIRROR_LINE);
        len %= MIRROR_LINE;
    }
#else
    (void)cold;
#endif
    memcpy(to, from, len);
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
