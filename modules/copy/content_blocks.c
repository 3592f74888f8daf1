/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * copy/content_blocks.c - the blocks of a content. See copy/content_state.h.
 */
#include <apr_atomic.h>
#include <stdlib.h>

#include "copy/admit.h"
#include "copy/blocks.h"
#include "copy/content_state.h"
#include "copy/spool.h"

/* The maximum of blocks per write to a file. */
#define MIRROR_IOVECS 16
/* The memory of copies up to which bytes probably stay in the CPU's cache until they are sent: a
 * part of a common one of 32 MiB, which others use, too. */
#define MIRROR_CACHED (8 << 20)

apr_size_t mirror_content_blocks_cost(apr_size_t size)
{
    return sizeof(mirror_block_t) + size + MIRROR_ADMIT_MALLOC;
}

/* Free a block that is not in the list any more: under prefork a signal handler may end the child on
 * top of this, and then the copies, which free the list. */
static void free_block(mirror_content_t *content, mirror_block_t *block)
{
    mirror_blocks_t *blocks = content->child->blocks;

    if (block->size == MIRROR_BLOCK_MAX) {
        if (content->cached) {
            mirror_blocks_give(blocks, block->data);
        }
        else {
            mirror_blocks_free(blocks, block->data);
        }
    }
    free(block);
}

/* Create an empty block. NULL = out of memory. */
static mirror_block_t *create_block(mirror_content_t *content, apr_size_t size)
{
    int cached = size == MIRROR_BLOCK_MAX;
    mirror_block_t *block = malloc(sizeof(*block) + (cached ? 0 : size));

    if (!block) {
        return NULL;
    }
    block->next = NULL;
    block->size = size;
    block->len = 0;
    block->data = cached ? mirror_blocks_take(content->child->blocks) : (char *)(block + 1);
    if (!block->data) {
        free(block);
        return NULL;
    }
    return block;
}

int mirror_content_blocks_add(mirror_content_t *content, apr_size_t size)
{
    mirror_block_t *block = create_block(content, size);

    if (!block) {
        return 0;
    }
    *(content->last ? &content->last->next : &content->first) = block;
    content->last = block;
    content->capacity += size;
    content->cold = apr_atomic_read64(&content->child->memory.used) > MIRROR_CACHED;
    return 1;
}

apr_size_t mirror_content_blocks_drop(mirror_content_t *content)
{
    mirror_block_t *last = content->first, *block;
    apr_size_t kept = last->size, given = 0;

    for (; kept < MIRROR_ADMIT_BLOCKS && last->next; last = last->next) {
        kept += last->next->size;
    }
    while ((block = last->next) != NULL) {
        last->next = block->next;
        given += mirror_content_blocks_cost(block->size);
        free_block(content, block);
    }
    for (block = content->first; block; block = block->next) {
        block->len = 0;
    }
    content->capacity = kept;
    content->last = content->first;
    return given;
}

apr_status_t mirror_content_blocks_write(const mirror_content_t *content, mirror_spool_t **spool)
{
    struct iovec iov[MIRROR_IOVECS];
    const mirror_block_t *block;
    apr_status_t rv = APR_SUCCESS;
    int n = 0;

    for (block = content->first; block && rv == APR_SUCCESS; block = block->next) {
        iov[n].iov_base = block->data;
        iov[n++].iov_len = block->len;
        if (n == MIRROR_IOVECS || !block->next) {
            rv = mirror_spool_append(spool, content->child, iov, n);
            n = 0;
        }
    }
    return rv;
}

apr_size_t mirror_content_blocks_bytes(const mirror_content_t *content)
{
    const mirror_block_t *block;
    apr_size_t bytes = 0;

    for (block = content->first; block; block = block->next) {
        bytes += block->len;
    }
    return bytes;
}

void mirror_content_blocks_free(mirror_content_t *content)
{
    mirror_block_t *block;

    while ((block = content->first) != NULL) {
        content->first = block->next;
        free_block(content, block);
    }
    content->last = NULL;
    content->capacity = 0;
}
