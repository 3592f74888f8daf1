/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * mirror_copy.c - the life of a copy. See mirror_copy.h.
 *
 * The block of a copy:    | mirror_copy_t | head | room for the last lines of the head | start of the body |
 */
#include <apr_strings.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "mirror_breaker.h"
#include "mirror_copy.h"
#include "mirror_limit_window.h"
#include "mirror_log.h"
#include "mirror_settings.h"
#include "mirror_slotmem.h"
#include "mirror_spool.h"

/* What mirror_copy_complete() appends at most: a Content-Length of 19 digits, and the empty line. */
#define MIRROR_HEAD_TAIL 48
/* An announced body up to this size lies in the block. */
#define MIRROR_START_MAX 8192
/* Further blocks: the first one of a body of unknown length, and what all have room for. */
#define MIRROR_BLOCK_MIN  8192
#define MIRROR_BLOCKS_MAX 65536
/* What malloc adds to a block. */
#define MIRROR_BLOCK_COST 16
/* Blocks that are written to a file at a time. */
#define MIRROR_IOVECS 16

/* ---- the gates ---- */

/* Charge `bytes` to the copy's child, if there is room. */
static int charge_if(mirror_lane_t *lane, apr_size_t *charged, apr_size_t bytes)
{
    mirror_child_t *child = lane->child;
    apr_uint64_t before = apr_atomic_add64(&child->memory, bytes);

    if (before + bytes > (apr_uint64_t)child->registry->memory) {
        apr_atomic_sub64(&child->memory, bytes);
        return 0;
    }
    apr_atomic_add64(&lane->cell->bytes, bytes);
    *charged += bytes;
    return 1;
}

/* The same for what the copy cannot be without. 0: there is no room. */
static int charge(mirror_lane_t *lane, apr_size_t *charged, apr_size_t bytes)
{
    if (!charge_if(lane, charged, bytes)) {
        apr_atomic_inc32(&lane->child->refused);
        return 0;
    }
    return 1;
}

static void count(mirror_lane_t *lane, mirror_outcome_e outcome)
{
    apr_atomic_inc64(&lane->cell->outcomes[outcome]);
}

static int is_used_up(const mirror_lane_t *lane, const mirror_settings_t *settings)
{
    return settings->enable_limit_count &&
           mirror_limit_window_is_closed(&lane->mirror->slot->limit_closed, settings->limit_id,
                                         apr_time_from_sec(settings->time_window));
}

static mirror_outcome_e refuse(mirror_lane_t *lane, mirror_outcome_e outcome)
{
    apr_atomic_dec32(&lane->pending);
    count(lane, outcome);
    return outcome;
}

/* Also give back what was charged for the copy. */
static mirror_outcome_e refuse_charged(mirror_lane_t *lane, apr_size_t charged, mirror_outcome_e outcome)
{
    apr_atomic_sub64(&lane->child->memory, charged);
    apr_atomic_sub64(&lane->cell->bytes, charged);
    return refuse(lane, outcome);
}

/* Whether what would go to disk of a body of that length can. It may still not when it comes. */
static int has_spool(mirror_child_t *child, apr_off_t announced)
{
    apr_off_t spooled = announced > 0 ? (announced - 1) / MIRROR_BLOCKS_MAX * MIRROR_BLOCKS_MAX : 0;

    return spooled == 0 || mirror_spool_has_room(child, spooled);
}

mirror_outcome_e mirror_copy_create(mirror_copy_t **out, mirror_lane_t *lane, const mirror_settings_t *settings,
                                    apr_size_t head_size, apr_off_t announced)
{
    apr_size_t start_size = announced > 0 && announced <= MIRROR_START_MAX ? (apr_size_t)announced : 0;
    apr_size_t size = sizeof(mirror_copy_t) + head_size + MIRROR_HEAD_TAIL + start_size;
    apr_size_t charged = 0;
    mirror_breaker_e pass;
    mirror_copy_t *copy;

    *out = NULL;
    if (apr_atomic_inc32(&lane->pending) >= (apr_uint64_t)settings->max_connections + settings->max_queue) {
        apr_atomic_inc32(&lane->refused);
        return refuse(lane, MIRROR_OUTCOME_QUEUE_FULL);
    }
    if (!has_spool(lane->child, announced) || !charge(lane, &charged, size + MIRROR_BLOCK_COST)) {
        return refuse(lane, MIRROR_OUTCOME_MEMORY_FULL);
    }
    if (is_used_up(lane, settings)) {
        return refuse_charged(lane, charged, MIRROR_OUTCOME_LIMITED);
    }
    pass = mirror_breaker_pass(lane, settings);
    copy = pass == MIRROR_BREAKER_CLOSED ? NULL : malloc(size);
    if (!copy) {
        return refuse_charged(lane, charged,
                              pass == MIRROR_BREAKER_CLOSED ? MIRROR_OUTCOME_UNREACHABLE : MIRROR_OUTCOME_MEMORY_FULL);
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
    copy->charged = charged;
    copy->probe = pass == MIRROR_BREAKER_PROBE;
    *out = copy;
    return MIRROR_OUTCOME_NONE;
}

void mirror_copy_log(mirror_copy_t *copy, mirror_log_line_t *line, const mirror_log_t *log)
{
    if (line && !charge_if(copy->lane, &copy->charged, line->size + MIRROR_BLOCK_COST)) {
        free(line);
        line = NULL;
    }
    if (!line) {
        mirror_log_lost(copy->lane->child, log);
    }
    copy->line = line;
}

/* ---- the body ---- */

/* How large the next block is to be, if there are `len` bytes for it now: what is announced, or else as much again as
 * there is, as far as the blocks may grow. */
static apr_size_t next_size(const mirror_copy_t *copy, apr_size_t len)
{
    apr_off_t before = copy->body_len - (apr_off_t)len;
    apr_off_t size = copy->announced > before ? copy->announced - before
                     : copy->last             ? (apr_off_t)copy->last->size * 2
                                              : MIRROR_BLOCK_MIN;

    size = size > (apr_off_t)len ? size : (apr_off_t)len;
    return size < (apr_off_t)(MIRROR_BLOCKS_MAX - copy->held) ? (apr_size_t)size : MIRROR_BLOCKS_MAX - copy->held;
}

/* One more block, charged before it is there. 0: there is no room. */
static int add_block(mirror_copy_t *copy, apr_size_t size)
{
    mirror_block_t *block;

    if (!charge(copy->lane, &copy->charged, sizeof(*block) + size + MIRROR_BLOCK_COST)) {
        return 0;
    }
    block = malloc(sizeof(*block) + size);
    if (!block) {
        return 0;
    }
    block->next = NULL;
    block->size = size;
    block->len = 0;
    *(copy->last ? &copy->last->next : &copy->rest) = block;
    copy->last = block;
    copy->held += size;
    return 1;
}

/* Put what the blocks have on disk, and begin with the first one again. 0: there is no room. */
static int spill(mirror_copy_t *copy)
{
    struct iovec iov[MIRROR_IOVECS];
    mirror_block_t *block;
    int n = 0;

    if (!copy->spool && !charge(copy->lane, &copy->charged, MIRROR_SPOOL_COST)) {
        return 0;
    }
    for (block = copy->rest; block; block = block->next) {
        iov[n].iov_base = block->data;
        iov[n++].iov_len = block->len;
        block->len = 0;
        if (n == MIRROR_IOVECS || !block->next) {
            if (mirror_spool_append(&copy->spool, copy->lane->child, iov, n) != APR_SUCCESS) {
                return 0;
            }
            n = 0;
        }
    }
    copy->last = copy->rest;
    return 1;
}

/* The last block is full, or there is none: have one with room for the first of `len` bytes. 0: there is no room. */
static int next_block(mirror_copy_t *copy, apr_size_t len)
{
    if (copy->last && copy->last->next) {
        copy->last = copy->last->next; /* it was emptied */
        return 1;
    }
    return copy->held < MIRROR_BLOCKS_MAX ? add_block(copy, next_size(copy, len)) : spill(copy);
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
    copy->head_len += apr_snprintf(copy->head + copy->head_len, MIRROR_HEAD_TAIL,
                                   with_length ? "Content-Length: %" APR_OFF_T_FMT "\r\n\r\n" : "\r\n", copy->body_len);
}

void mirror_copy_push(mirror_copy_t *copy)
{
    mirror_queue_push(copy->lane->child->queue, &copy->item);
}

/* ---- the end ---- */

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
        count(lane, outcome);
        if (copy->probe && !copy->in_pool) {
            mirror_breaker_forgo(lane);
        }
    }
    apr_atomic_sub64(&lane->child->memory, copy->charged);
    apr_atomic_dec32(&lane->pending);
    if (copy->line) {
        copy->line->bytes = (apr_off_t)copy->head_len + copy->body_len;
        mirror_log_end(lane->child, copy->line, outcome);
    }
    mirror_settings_drop(copy->settings);
    for (block = copy->rest; block; block = next) {
        next = block->next;
        free(block);
    }
    free(copy);
}
