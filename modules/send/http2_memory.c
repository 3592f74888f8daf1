/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/http2_memory.c - the memory of one connection of HTTP/2. See send/http2_memory.h.
 *
 * Small blocks are parts of slabs. Each block has its size in front of it. With AddressSanitizer
 * all blocks are from malloc(), so that it sees their use after free.
 */
#include <stdlib.h>
#include <string.h>

#include "send/http2_memory.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) /* clang */
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define KEPT_MAX 0
#else
#define KEPT_MAX MIRROR_HTTP2_MEMORY_MAX
#endif
#define UNIT      MIRROR_HTTP2_MEMORY_UNIT
#define SLAB_SIZE 8192

/* In front of a block's bytes. Its size is that of malloc's alignment, also where a long double has 12
 * bytes (i386): so the bytes are aligned as those of malloc. */
union mirror_http2_block_t {
    struct {
        mirror_http2_block_t *next; /* while it is free */
        apr_size_t size;            /* usable bytes */
    } head;
    long double align;
    char unit[16];
};

struct mirror_http2_slab_t {
    mirror_http2_slab_t *next;
};

/* Cut a block off the first slab, or off a new one. */
static mirror_http2_block_t *cut(mirror_http2_memory_t *memory, apr_size_t len)
{
    mirror_http2_block_t *block;

    if (memory->rest_len < len) {
        mirror_http2_slab_t *slab = malloc(sizeof(mirror_http2_block_t) + SLAB_SIZE);

        if (!slab) {
            return NULL;
        }
        slab->next = memory->slabs;
        memory->slabs = slab;
        memory->rest = (char *)slab + sizeof(mirror_http2_block_t);
        memory->rest_len = SLAB_SIZE;
    }
    block = (mirror_http2_block_t *)memory->rest;
    memory->rest += len;
    memory->rest_len -= len;
    return block;
}

void *mirror_http2_memory_malloc(size_t size, void *baton)
{
    mirror_http2_memory_t *memory = baton;
    mirror_http2_block_t *block;

    size = size > 0 ? size : 1;
    if (size > KEPT_MAX) {
        block = size < (size_t)-1 - sizeof(*block) ? malloc(sizeof(*block) + size) : NULL;
    }
    else {
        size = (size + UNIT - 1) / UNIT * UNIT;
        block = memory->freed[size / UNIT];
        if (block) {
            memory->freed[size / UNIT] = block->head.next;
        }
        else {
            block = cut(memory, sizeof(*block) + size);
        }
    }
    if (!block) {
        return NULL;
    }
    block->head.size = size;
    return block + 1;
}

void *mirror_http2_memory_calloc(size_t count, size_t size, void *baton)
{
    void *data = count == 0 || size <= (size_t)-1 / count
                     ? mirror_http2_memory_malloc(count * size, baton)
                     : NULL;

    return data ? memset(data, 0, count * size) : NULL;
}

void *mirror_http2_memory_realloc(void *data, size_t size, void *baton)
{
    const mirror_http2_block_t *block;
    void *more;

    if (!data) {
        return mirror_http2_memory_malloc(size, baton);
    }
    block = (mirror_http2_block_t *)data - 1;
    if (size <= block->head.size) {
        return data;
    }
    more = mirror_http2_memory_malloc(size, baton);
    if (more) {
        memcpy(more, data, block->head.size);
        mirror_http2_memory_free(data, baton);
    }
    return more;
}

void mirror_http2_memory_free(void *data, void *baton)
{
    mirror_http2_memory_t *memory = baton;
    mirror_http2_block_t *block;

    if (!data) {
        return;
    }
    block = (mirror_http2_block_t *)data - 1;
    if (block->head.size > KEPT_MAX) {
        free(block);
        return;
    }
    block->head.next = memory->freed[block->head.size / UNIT];
    memory->freed[block->head.size / UNIT] = block;
}

void mirror_http2_memory_destroy(mirror_http2_memory_t *memory)
{
    while (memory->slabs) {
        mirror_http2_slab_t *slab = memory->slabs;

        memory->slabs = slab->next;
        free(slab);
    }
    memset(memory, 0, sizeof(*memory));
}
