/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * copy/content.c - the content of a request, shared by its copies. See copy/content.h.
 */
#include <apr_atomic.h>
#include <stdlib.h>
#include <string.h>

#include "copy/admit.h"
#include "copy/blocks.h"
#include "copy/content.h"
#include "copy/share.h"
#include "copy/spool.h"
#include "shared/table.h"

/* The sizes of blocks: the first one of a content of unknown length, and the largest. */
#define MIRROR_BLOCK_MIN 8192
#define MIRROR_BLOCK_MAX 65536
/* The maximum of blocks per write to a file. */
#define MIRROR_IOVECS 16
/* The maximum of cached blocks, and their maximum part of the memory. */
#define MIRROR_BLOCKS_KEPT 32768
#define MIRROR_KEPT_PART   2
/* The memory of copies up to which bytes probably stay in the CPU's cache until they are sent: a
 * part of a common one of 32 MiB, which others use, too. */
#define MIRROR_CACHED (8 << 20)

void mirror_content_start(mirror_child_t *child, apr_pool_t *pool)
{
    apr_int64_t kept = child->registry->memory / MIRROR_KEPT_PART / MIRROR_BLOCK_MAX;

    child->blocks =
        mirror_blocks_create(pool, MIRROR_BLOCK_MAX,
                             kept < MIRROR_BLOCKS_KEPT ? (apr_uint32_t)kept : MIRROR_BLOCKS_KEPT);
}

int mirror_content_trim(mirror_child_t *child)
{
    return mirror_blocks_trim(child->blocks) > 0;
}

/* ---- holders ---- */

mirror_content_t *mirror_content_create(mirror_child_t *child, apr_off_t announced)
{
    mirror_content_t *content = calloc(1, sizeof(*content));

    if (content) {
        content->child = child;
        content->announced = announced;
    }
    return content;
}

void mirror_content_join(mirror_content_t *content, mirror_holder_t *holder, mirror_lane_t *lane)
{
    holder->content = content;
    holder->lane = lane;
    content->references++;
    if (!mirror_admit_charge(lane, &holder->charged, sizeof(*content) + MIRROR_ADMIT_MALLOC)) {
        holder->refused = 1;
        return;
    }
    holder->next = content->holders;
    content->holders = holder;
}

/* Refuse the holder at *place, a link of the list. */
static void refuse_at(mirror_holder_t **place)
{
    (*place)->refused = 1;
    *place = (*place)->next;
}

/* Refuse all holders. Returns 0. */
static int refuse_all(mirror_content_t *content)
{
    while (content->holders) {
        refuse_at(&content->holders);
    }
    return 0;
}

static void give_memory(mirror_holder_t *holder, apr_size_t bytes)
{
    mirror_lane_t *lane = holder->lane;

    mirror_share_give(&lane->child->memory, &lane->memory, bytes);
    if (!apr_atomic_read32(&lane->child->closed)) {
        apr_atomic_sub64(&lane->cell->bytes, bytes);
    }
    holder->charged -= bytes;
}

static int charge_memory(mirror_holder_t *holder, apr_size_t bytes)
{
    return mirror_admit_charge(holder->lane, &holder->charged, bytes);
}

static int charge_disk(mirror_holder_t *holder, apr_size_t bytes)
{
    return mirror_spool_charge(holder->lane, &holder->spooled, bytes);
}

/* Charge what the content needs to each holder; refuse those without room. Returns 0 if no holder is
 * left. */
static int charge_all(mirror_content_t *content,
                      int (*charge)(mirror_holder_t *holder, apr_size_t bytes), apr_size_t bytes)
{
    mirror_holder_t **place = &content->holders;

    while (*place) {
        if (charge(*place, bytes)) {
            place = &(*place)->next;
        }
        else {
            refuse_at(place);
        }
    }
    return content->holders != NULL;
}

/* Charge memory to all holders if each of them has room for `more` bytes of a long content. Returns
 * whether it was charged. */
static int charge_if_all(mirror_content_t *content, apr_off_t more, apr_size_t bytes)
{
    mirror_holder_t *holder, *charged;

    for (holder = content->holders; holder; holder = holder->next) {
        if (!mirror_admit_may_stay(holder->lane, more) ||
            !mirror_admit_charge_if(holder->lane, &holder->charged, bytes)) {
            break;
        }
    }
    for (charged = content->holders; holder && charged != holder; charged = charged->next) {
        give_memory(charged, bytes);
    }
    return !holder;
}

/* ---- blocks ---- */

/* Return the memory of a block with room for `size` bytes. */
static apr_size_t block_cost(apr_size_t size)
{
    return sizeof(mirror_block_t) + size + MIRROR_ADMIT_MALLOC;
}

/* Return the number of bytes to make room for, including the `len` present ones: the announced
 * rest. If the length is unknown: the capacity of the blocks again, up to one large block. */
static apr_off_t expected(const mirror_content_t *content, apr_size_t len)
{
    apr_off_t more = content->announced > content->len      ? content->announced - content->len
                     : content->capacity > MIRROR_BLOCK_MAX ? MIRROR_BLOCK_MAX
                     : content->capacity > 0                ? (apr_off_t)content->capacity
                                                            : MIRROR_BLOCK_MIN;

    return more > (apr_off_t)len ? more : (apr_off_t)len;
}

/* Return the size of the next block for `more` bytes. Blocks of the first 64 KiB may be smaller.
 * More than half of the largest size is rounded up to it, so the block can be reused. */
static apr_size_t next_size(const mirror_content_t *content, apr_off_t more)
{
    apr_size_t most = content->capacity < MIRROR_ADMIT_BLOCKS
                          ? MIRROR_ADMIT_BLOCKS - content->capacity
                          : MIRROR_BLOCK_MAX;

    if (most == MIRROR_BLOCK_MAX && more > MIRROR_BLOCK_MAX / 2) {
        return most;
    }
    return more < (apr_off_t)most ? (apr_size_t)more : most;
}

/* Only the sender trims the cache, so blocks that never reached the sender are freed. */
static void free_block(mirror_content_t *content, mirror_block_t *block)
{
    mirror_blocks_t *blocks = content->child->blocks;

    if (block->size == MIRROR_BLOCK_MAX) {
        if (apr_atomic_read32(&content->pushed)) {
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

/* Allocate one more block, which was already charged. Returns 0 if out of memory. */
static int add_block(mirror_content_t *content, apr_size_t size)
{
    mirror_block_t *block = create_block(content, size);

    if (!block) {
        return refuse_all(content);
    }
    *(content->last ? &content->last->next : &content->first) = block;
    content->last = block;
    content->capacity += size;
    content->cold = apr_atomic_read64(&content->child->memory.used) > MIRROR_CACHED;
    return 1;
}

/* Free the blocks beyond the first 64 KiB. */
static void drop_blocks(mirror_content_t *content)
{
    mirror_block_t *last = content->first, *block, *next;
    mirror_holder_t *holder;
    apr_size_t kept = last->size, given = 0;

    for (; kept < MIRROR_ADMIT_BLOCKS && last->next; last = last->next) {
        kept += last->next->size;
    }
    for (block = last->next; block; block = next) {
        next = block->next;
        given += block_cost(block->size);
        free_block(content, block);
    }
    last->next = NULL;
    content->capacity = kept;
    for (holder = content->holders; holder; holder = holder->next) {
        give_memory(holder, given);
    }
}

/* Append the bytes of the blocks to the file. Returns 0 if that failed. */
static int write_blocks(mirror_content_t *content)
{
    struct iovec iov[MIRROR_IOVECS];
    mirror_block_t *block;
    int n = 0;

    for (block = content->first; block; block = block->next) {
        iov[n].iov_base = block->data;
        iov[n++].iov_len = block->len;
        block->len = 0;
        if (n == MIRROR_IOVECS || !block->next) {
            if (mirror_spool_append(&content->spool, content->child, iov, n) != APR_SUCCESS) {
                return refuse_all(content);
            }
            n = 0;
        }
    }
    return 1;
}

/* Append the bytes of the blocks to the file, and restart with the first block. Returns 0 if no
 * holder is left. */
static int spill(mirror_content_t *content)
{
    apr_size_t bytes = 0;
    const mirror_block_t *block;

    for (block = content->first; block; block = block->next) {
        bytes += block->len;
    }
    if ((!content->spool && !charge_all(content, charge_memory, MIRROR_SPOOL_COST)) ||
        !charge_all(content, charge_disk, bytes) || !write_blocks(content)) {
        return 0;
    }
    drop_blocks(content);
    content->last = content->first;
    return 1;
}

/* Get a block with room for the first of `len` bytes, as the last one is full or missing. Up to 64
 * KiB stay in memory, and more while all expected bytes have room. Returns 0 if no holder is
 * left. */
static int next_block(mirror_content_t *content, apr_size_t len)
{
    apr_off_t more = expected(content, len);
    apr_size_t size = next_size(content, more);

    if (content->last && content->last->next) {
        content->last = content->last->next; /* it was emptied */
        return 1;
    }
    if (content->capacity < MIRROR_ADMIT_BLOCKS) {
        return charge_all(content, charge_memory, block_cost(size)) && add_block(content, size);
    }
    if (!content->spool && charge_if_all(content, more, block_cost(size))) {
        return add_block(content, size);
    }
    return spill(content);
}

void mirror_content_append(mirror_content_t *content, const char *data, apr_size_t len)
{
    while (len > 0 && content->holders) {
        apr_size_t piece = content->last ? content->last->size - content->last->len : 0;

        if (piece == 0) {
            if (!next_block(content, len)) {
                return;
            }
            piece = content->last->size - content->last->len;
        }
        piece = piece < len ? piece : len;
        mirror_blocks_fill(content->last->data + content->last->len, data, piece, content->cold);
        content->last->len += piece;
        content->len += (apr_off_t)piece;
        data += piece;
        len -= piece;
    }
}

/* ---- the end ---- */

void mirror_content_complete(mirror_content_t *content)
{
    content->holders = NULL; /* holders may leave on other threads from here */
}

static void end_content(mirror_content_t *content)
{
    mirror_block_t *block, *next;

    for (block = content->first; block; block = next) {
        next = block->next;
        free_block(content, block);
    }
    free(content);
}

void mirror_content_leave(mirror_holder_t *holder)
{
    mirror_content_t *content = holder->content;
    mirror_holder_t **place;
    int last;

    if (!content) {
        return;
    }
    for (place = &content->holders; *place && *place != holder; place = &(*place)->next) {
        ;
    }
    if (*place) {
        *place = holder->next;
    }
    holder->content = NULL;
    give_memory(holder, holder->charged);
    last = apr_atomic_dec32(&content->references) == 0;
    if (last && content->spool) {
        mirror_spool_end(content->spool, holder->lane, holder->spooled);
    }
    else {
        mirror_spool_release(holder->lane, holder->spooled);
    }
    if (last) {
        end_content(content);
    }
}
