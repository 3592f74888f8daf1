/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * copy/content.c - the content of a request, shared by its copies. See copy/content.h.
 */
#include <apr_atomic.h>
#include <stdlib.h>
#include <string.h>

#include "copy/admit.h"
#include "copy/blocks.h"
#include "copy/content_state.h"
#include "copy/share.h"
#include "copy/spool.h"
#include "shared/table.h"

/* The size of the first block of a content of unknown length, bytes. */
#define MIRROR_BLOCK_MIN 8192
/* The maximum of cached blocks, and their maximum part of the memory. */
#define MIRROR_BLOCKS_KEPT 32768
#define MIRROR_KEPT_PART   2

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

/* Charge memory to each holder that has room for `more` bytes of a long content. Returns the others;
 * they are not in the list any more. */
static mirror_holder_t *charge_if(mirror_content_t *content, apr_off_t more, apr_size_t bytes)
{
    mirror_holder_t **place = &content->holders, *without = NULL;

    while (*place) {
        mirror_holder_t *holder = *place;

        if (mirror_admit_may_stay(holder->lane, more) &&
            mirror_admit_charge_if(holder->lane, &holder->charged, bytes)) {
            place = &holder->next;
        }
        else {
            *place = holder->next;
            holder->next = without;
            without = holder;
        }
    }
    return without;
}

/* ---- blocks ---- */

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

/* Allocate one more block, which was already charged. Returns 0 if out of memory. */
static int add_block(mirror_content_t *content, apr_size_t size)
{
    return mirror_content_blocks_add(content, size) || refuse_all(content);
}

/* Append the bytes of the blocks to the file, and restart with the first block. Returns 0 if no
 * holder is left. */
static int spill(mirror_content_t *content)
{
    mirror_holder_t *holder;
    apr_size_t freed;

    if ((!content->spool && !charge_all(content, charge_memory, MIRROR_SPOOL_COST)) ||
        !charge_all(content, charge_disk, mirror_content_blocks_bytes(content))) {
        return 0;
    }
    if (mirror_content_blocks_write(content, &content->spool) != APR_SUCCESS) {
        return refuse_all(content);
    }
    freed = mirror_content_blocks_drop(content);
    for (holder = content->holders; holder; holder = holder->next) {
        give_memory(holder, freed);
    }
    return 1;
}

/* ---- the twin ---- */

/* Return a content with the same bytes in a file, which has no holder yet. `lane`: that of a holder
 * that will join. NULL = failed. */
static mirror_content_t *create_twin(mirror_content_t *content, mirror_lane_t *lane)
{
    mirror_content_t *twin = mirror_content_create(content->child, content->announced);

    if (!twin) {
        return NULL;
    }
    if (mirror_content_blocks_write(content, &twin->spool) != APR_SUCCESS ||
        !mirror_content_blocks_add(twin, MIRROR_BLOCK_MAX)) {
        if (twin->spool) {
            mirror_spool_end(twin->spool, lane, 0);
        }
        mirror_content_blocks_free(twin);
        free(twin);
        return NULL;
    }
    twin->len = content->len;
    twin->of = content;
    content->twin = twin;
    content->references++;
    return twin;
}

/* Move a holder to the twin, which needs one block. Under prefork a signal handler may end the child
 * in between: the content that the holder names is referenced at any time. */
static void move(mirror_content_t *twin, mirror_holder_t *holder)
{
    mirror_content_t *from = holder->content;
    apr_size_t needed = sizeof(*twin) + MIRROR_ADMIT_MALLOC + MIRROR_SPOOL_COST +
                        mirror_content_blocks_cost(MIRROR_BLOCK_MAX);

    twin->references++;
    holder->content = twin;
    from->references--;
    holder->next = twin->holders;
    twin->holders = holder;
    if (holder->charged > needed) {
        give_memory(holder, holder->charged - needed);
    }
}

/* Move holders to the twin; refuse those without room on disk, or all if the file cannot be
 * written. */
static void move_all(mirror_content_t *content, mirror_holder_t *holders)
{
    mirror_content_t *twin = content->twin;
    apr_size_t bytes =
        twin ? (apr_size_t)mirror_spool_length(twin->spool) : mirror_content_blocks_bytes(content);
    mirror_holder_t *next, *moved = NULL;

    for (; holders; holders = next) {
        next = holders->next;
        if ((!twin || twin->holders) && charge_memory(holders, MIRROR_SPOOL_COST) &&
            charge_disk(holders, bytes)) {
            holders->next = moved;
            moved = holders;
        }
        else {
            holders->refused = 1;
        }
    }
    if (moved && !twin) {
        twin = create_twin(content, moved->lane);
    }
    for (; moved; moved = next) {
        next = moved->next;
        if (twin) {
            move(twin, moved);
        }
        else {
            moved->refused = 1;
        }
    }
}

/* Get a block beyond the first 64 KiB for the holders with room for `more` bytes in memory, and send
 * the others to disk. If none has room, the content itself goes there. Returns 0 if no holder is
 * left in this content. */
static int stay(mirror_content_t *content, apr_off_t more, apr_size_t size)
{
    mirror_holder_t *without = charge_if(content, more, mirror_content_blocks_cost(size));

    if (!content->holders && !content->twin) {
        content->holders = without;
        return spill(content);
    }
    if (without) {
        move_all(content, without);
    }
    return content->holders && add_block(content, size);
}

/* ---- appending ---- */

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
        return charge_all(content, charge_memory, mirror_content_blocks_cost(size)) &&
               add_block(content, size);
    }
    return content->spool ? spill(content) : stay(content, more, size);
}

static void append(mirror_content_t *content, const char *data, apr_size_t len)
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

/* The twin may be created on the way, or get holders: it then has the bytes so far. */
void mirror_content_append(mirror_content_t *content, const char *data, apr_size_t len)
{
    apr_off_t begin = content->len;
    mirror_content_t *twin;
    apr_size_t done;

    append(content, data, len);
    content->len = begin + (apr_off_t)len; /* also if no holder is left here */
    twin = content->twin;
    if (twin && twin->holders) {
        done = (apr_size_t)(twin->len - begin);
        append(twin, data + done, len - done);
    }
    if (twin && !content->holders) {
        mirror_content_blocks_free(content);
    }
}

/* ---- the end ---- */

/* Drop a reference. Returns whether it was the last one. */
static int drop(mirror_content_t *content)
{
    return apr_atomic_dec32(&content->references) == 0;
}

static void end_content(mirror_content_t *content)
{
    mirror_content_t *of = content->of;

    mirror_content_blocks_free(content);
    free(content);
    if (of) {
        of->twin = NULL;
        if (drop(of)) {
            end_content(of); /* it is no twin */
        }
    }
}

void mirror_content_complete(mirror_content_t *content)
{
    mirror_content_t *twin = content->twin;

    content->holders = NULL; /* holders may leave on other threads from here */
    if (twin) {
        twin->holders = NULL;
        twin->of = NULL;
        content->twin = NULL;
        if (drop(content)) {
            end_content(content);
        }
    }
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
    /* If only the twin gets more bytes, nobody is charged for these. Of a complete content, which
     * other threads have, both are NULL. */
    if (content->twin && !content->holders) {
        mirror_content_blocks_free(content);
    }
    give_memory(holder, holder->charged);
    last = drop(content);
    if (last && content->spool) {
        mirror_spool_end(content->spool, holder->lane, holder->spooled);
    }
    else {
        mirror_spool_release(holder->lane, holder->spooled);
    }
    if (last) {
        content->cached = holder->pushed;
        end_content(content);
    }
}
