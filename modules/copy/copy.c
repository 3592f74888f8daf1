/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * copy/copy.c - the life of a copy. See copy/copy.h.
 *
 * The block of a copy:
 *
 *     | mirror_copy_t | head | room for the last lines of the head | start of the body |
 */
#include <apr_strings.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "copy/admit.h"
#include "copy/blocks.h"
#include "copy/copy.h"
#include "copy/log.h"
#include "copy/share.h"
#include "copy/spool.h"
#include "settings/settings.h"
#include "shared/breaker.h"
#include "shared/table.h"

/* The maximum of bytes that mirror_copy_complete() appends: a Content-Length of 19 digits, and the
 * empty line. */
#define MIRROR_HEAD_TAIL 48
/* The maximum size of an announced body in the copy's own block, bytes. */
#define MIRROR_START_MAX 8192
/* The sizes of further blocks: the first one of a body of unknown length, and the largest. */
#define MIRROR_BLOCK_MIN 8192
#define MIRROR_BLOCK_MAX 65536
/* The overhead of malloc per block, bytes. */
#define MIRROR_BLOCK_COST 16
/* The maximum of blocks per write to a file. */
#define MIRROR_IOVECS 16
/* The maximum of cached blocks, and their maximum part of the memory. */
#define MIRROR_BLOCKS_KEPT 256
#define MIRROR_KEPT_PART   4

void mirror_copy_start(mirror_child_t *child, apr_pool_t *pool)
{
    apr_int64_t kept = child->registry->memory / MIRROR_KEPT_PART / MIRROR_BLOCK_MAX;

    mirror_share_init(&child->memory, (apr_uint64_t)child->registry->memory,
                      child->registry->mirrors->nelts);
    child->blocks =
        mirror_blocks_create(pool, sizeof(mirror_block_t) + MIRROR_BLOCK_MAX,
                             kept < MIRROR_BLOCKS_KEPT ? (apr_uint32_t)kept : MIRROR_BLOCKS_KEPT);
}

int mirror_copy_trim(mirror_child_t *child)
{
    return mirror_blocks_trim(child->blocks) > 0;
}

mirror_outcome_e mirror_copy_create(mirror_copy_t **out, mirror_lane_t *lane,
                                    const mirror_settings_t *settings, apr_size_t head_size,
                                    apr_off_t announced)
{
    apr_size_t start_size =
        announced > 0 && announced <= MIRROR_START_MAX ? (apr_size_t)announced : 0;
    apr_size_t size = sizeof(mirror_copy_t) + head_size + MIRROR_HEAD_TAIL + start_size;
    mirror_admit_t admitted;
    mirror_outcome_e outcome =
        mirror_admit(&admitted, lane, settings, size + MIRROR_BLOCK_COST, announced);
    mirror_copy_t *copy;

    *out = NULL;
    if (outcome != MIRROR_OUTCOME_NONE) {
        return outcome;
    }
    copy = malloc(size);
    if (!copy) {
        return mirror_admit_cancel(&admitted, lane, MIRROR_OUTCOME_MEMORY_FULL);
    }
    memset(copy, 0, sizeof(*copy));
    copy->lane = lane;
    mirror_settings_keep(settings);
    copy->settings = settings;
    copy->head = (char *)(copy + 1);
    copy->head_size = head_size;
    copy->start = copy->head + head_size + MIRROR_HEAD_TAIL;
    copy->start_size = start_size;
    copy->announced = announced;
    copy->charged = admitted.charged;
    copy->probe = admitted.probe;
    *out = copy;
    return MIRROR_OUTCOME_NONE;
}

void mirror_copy_log(mirror_copy_t *copy, mirror_log_line_t *line, const mirror_log_t *log)
{
    if (line &&
        !mirror_admit_charge_if(copy->lane, &copy->charged, line->size + MIRROR_BLOCK_COST)) {
        mirror_log_line_free(line);
        line = NULL;
    }
    if (!line) {
        mirror_log_lost(copy->lane->child, log);
    }
    copy->line = line;
}

/* ---- the body ---- */

/* Return the memory of a block with room for `size` bytes. */
static apr_size_t block_cost(apr_size_t size)
{
    return sizeof(mirror_block_t) + size + MIRROR_BLOCK_COST;
}

/* Return the number of bytes to make room for, including the `len` present ones: the announced
 * rest. If the length is unknown: the capacity of the blocks again, up to one large block. */
static apr_off_t expected(const mirror_copy_t *copy, apr_size_t len)
{
    apr_off_t before = copy->body_len - (apr_off_t)len;
    apr_off_t more = copy->announced > before            ? copy->announced - before
                     : copy->capacity > MIRROR_BLOCK_MAX ? MIRROR_BLOCK_MAX
                     : copy->capacity > 0                ? (apr_off_t)copy->capacity
                                                         : MIRROR_BLOCK_MIN;

    return more > (apr_off_t)len ? more : (apr_off_t)len;
}

/* Return the size of the next block for `more` bytes. Blocks of the first 64 KiB may be smaller.
 * More than half of the largest size is rounded up to it, so the block can be reused. */
static apr_size_t next_size(const mirror_copy_t *copy, apr_off_t more)
{
    apr_size_t most = copy->capacity < MIRROR_ADMIT_BLOCKS ? MIRROR_ADMIT_BLOCKS - copy->capacity
                                                           : MIRROR_BLOCK_MAX;

    if (most == MIRROR_BLOCK_MAX && more > MIRROR_BLOCK_MAX / 2) {
        return most;
    }
    return more < (apr_off_t)most ? (apr_size_t)more : most;
}

static mirror_block_t *create_block(mirror_child_t *child, apr_size_t size)
{
    return size == MIRROR_BLOCK_MAX ? mirror_blocks_take(child->blocks)
                                    : malloc(sizeof(mirror_block_t) + size);
}

/* Only the sender trims the cache, so blocks of a copy that never reached the sender are freed. */
static void free_block(const mirror_copy_t *copy, mirror_block_t *block)
{
    if (block->size == MIRROR_BLOCK_MAX && copy->pushed) {
        mirror_blocks_give(copy->lane->child->blocks, block);
    }
    else {
        free(block);
    }
}

/* Allocate one more block, which was already charged. Returns 0 if out of memory. */
static int add_block(mirror_copy_t *copy, apr_size_t size)
{
    mirror_block_t *block = create_block(copy->lane->child, size);

    if (!block) {
        return 0;
    }
    block->next = NULL;
    block->size = size;
    block->len = 0;
    *(copy->last ? &copy->last->next : &copy->rest) = block;
    copy->last = block;
    copy->capacity += size;
    return 1;
}

/* Free the blocks beyond the first 64 KiB. */
static void drop_blocks(mirror_copy_t *copy)
{
    mirror_block_t *last = copy->rest, *block, *next;
    apr_size_t kept = last->size, given = 0;

    for (; kept < MIRROR_ADMIT_BLOCKS && last->next; last = last->next) {
        kept += last->next->size;
    }
    for (block = last->next; block; block = next) {
        next = block->next;
        given += block_cost(block->size);
        free_block(copy, block);
    }
    last->next = NULL;
    copy->capacity = kept;
    copy->charged -= given;
    mirror_share_give(&copy->lane->child->memory, &copy->lane->memory, given);
    apr_atomic_sub64(&copy->lane->cell->bytes, given);
}

/* Append the content of the blocks to the file, and restart with the first block. Returns 0 if
 * there is no room. */
static int spill(mirror_copy_t *copy)
{
    struct iovec iov[MIRROR_IOVECS];
    mirror_block_t *block;
    int n = 0;

    if (!copy->spool && !mirror_admit_charge(copy->lane, &copy->charged, MIRROR_SPOOL_COST)) {
        return 0;
    }
    for (block = copy->rest; block; block = block->next) {
        iov[n].iov_base = block->data;
        iov[n++].iov_len = block->len;
        block->len = 0;
        if (n == MIRROR_IOVECS || !block->next) {
            if (mirror_spool_append(&copy->spool, copy->lane, iov, n) != APR_SUCCESS) {
                return 0;
            }
            n = 0;
        }
    }
    drop_blocks(copy);
    copy->last = copy->rest;
    return 1;
}

/* Get a block with room for the first of `len` bytes, as the last one is full or missing. Up to 64
 * KiB of a body stay in memory, and more while all expected bytes have room. Returns 0 if there is
 * no room. */
static int next_block(mirror_copy_t *copy, apr_size_t len)
{
    apr_off_t more = expected(copy, len);
    apr_size_t size = next_size(copy, more);

    if (copy->last && copy->last->next) {
        copy->last = copy->last->next; /* it was emptied */
        return 1;
    }
    if (copy->capacity < MIRROR_ADMIT_BLOCKS) {
        return mirror_admit_charge(copy->lane, &copy->charged, block_cost(size)) &&
               add_block(copy, size);
    }
    if (!copy->spool && mirror_admit_may_stay(copy->lane, more) &&
        mirror_admit_charge_if(copy->lane, &copy->charged, block_cost(size))) {
        return add_block(copy, size);
    }
    return spill(copy);
}

/* Append to the blocks. 0: there is no room. */
static int append_rest(mirror_copy_t *copy, const char *data, apr_size_t len)
{
    while (len > 0) {
        apr_size_t piece = copy->last ? copy->last->size - copy->last->len : 0;

        if (piece == 0) {
            if (!next_block(copy, len)) {
                return 0;
            }
            piece = copy->last->size - copy->last->len;
        }
        piece = piece < len ? piece : len;
        memcpy(copy->last->data + copy->last->len, data, piece);
        copy->last->len += piece;
        data += piece;
        len -= piece;
    }
    return 1;
}

mirror_outcome_e mirror_copy_append(mirror_copy_t *copy, const char *data, apr_size_t len)
{
    apr_size_t in_block = copy->rest ? 0 : copy->start_size - copy->start_len;

    if ((apr_int64_t)len > copy->settings->max_body - copy->body_len) {
        return MIRROR_OUTCOME_TOO_LARGE;
    }
    copy->body_len += len;
    if (in_block > len) {
        in_block = len;
    }
    memcpy(copy->start + copy->start_len, data, in_block);
    copy->start_len += in_block;
    if (len > in_block && !append_rest(copy, data + in_block, len - in_block)) {
        return MIRROR_OUTCOME_MEMORY_FULL;
    }
    return MIRROR_OUTCOME_NONE;
}

void mirror_copy_complete(mirror_copy_t *copy, int with_length)
{
    copy->head_len += apr_snprintf(
        copy->head + copy->head_len, MIRROR_HEAD_TAIL,
        with_length ? "Content-Length: %" APR_OFF_T_FMT "\r\n\r\n" : "\r\n", copy->body_len);
}

void mirror_copy_push(mirror_copy_t *copy)
{
    copy->pushed = 1;
    mirror_queue_push(copy->lane->child->queue, &copy->item);
}

/* ---- the end ---- */

/* Note a copy that did not arrive: its method and path are in its request line (RFC 9112 3). */
static void note_loss(const mirror_copy_t *copy, mirror_outcome_e outcome)
{
    const char *end = copy->head + copy->head_len;
    const char *space = memchr(copy->head, ' ', copy->head_len);
    const char *target = space ? space + 1 : end;
    const char *last = memchr(target, ' ', (apr_size_t)(end - target));
    mirror_loss_t loss = {
        outcome, (mirror_why_e)copy->why, copy->why_rv, copy->head, target, 0, 0
    };

    loss.method_len = space ? (apr_size_t)(space - copy->head) : 0;
    loss.target_len = last ? (apr_size_t)(last - target) : 0;
    mirror_lost_add(copy->lane->lost, &loss);
}

void mirror_copy_end(mirror_copy_t *copy, mirror_outcome_e outcome)
{
    mirror_lane_t *lane = copy->lane;
    mirror_block_t *block, *next;

    mirror_spool_end(copy->spool);
    if (!apr_atomic_read32(&lane->child->closed)) {
        if (copy->in_flight) {
            apr_atomic_dec64(&lane->cell->in_flight);
        }
        apr_atomic_sub64(&lane->cell->bytes, copy->charged);
        apr_atomic_inc64(&lane->cell->outcomes[outcome]);
        note_loss(copy, outcome);
        if (copy->probe && !copy->in_pool) {
            mirror_breaker_forgo(lane);
        }
    }
    mirror_share_give(&lane->child->memory, &lane->memory, copy->charged);
    apr_atomic_dec32(&lane->pending);
    if (copy->line) {
        copy->line->bytes = (apr_off_t)copy->head_len + copy->body_len;
    }
    if (copy->pair) {
        copy->pair_end(copy->pair, outcome, copy->line);
    }
    else if (copy->line) {
        mirror_log_end(lane->child, copy->line, outcome);
    }
    mirror_settings_drop(copy->settings);
    for (block = copy->rest; block; block = next) {
        next = block->next;
        free_block(copy, block);
    }
    free(copy);
}
