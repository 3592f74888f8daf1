/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * copy/copy.h - the life of a copy: its memory, its head, its body, its outcome.
 *
 * A copy has one owner at a time: the request that captures it, then the queue, then the sender,
 * then a connection. It ends in mirror_copy_end() and nowhere else. It holds bytes, and nothing of
 * a request_rec, a conn_rec or their pools.
 *
 * It is one block of memory: this struct, then the head, then room for a body whose length was
 * announced and is small. What more there is of a body lies in a chain of blocks. They come from
 * malloc and not from an APR allocator of their own, which maps and unmaps memory for each block;
 * those of 64 KiB are used over and over (copy/blocks.h). When 64 KiB are full, there is still
 * more, and the mirror's share of the memory has no room for it, all that the blocks have goes into
 * a file (copy/spool.h), and the first 64 KiB of them begin anew; so the file is in front of
 * them, and a body that has a file goes on in it.
 *
 * What it takes is charged to the lane's share of child->memory before it is taken, and given back
 * when it ends.
 */
#ifndef MIRROR_COPY_COPY_H
#define MIRROR_COPY_COPY_H

#include "base/mirror.h"
#include "base/queue.h"

typedef struct mirror_copy_t mirror_copy_t;
typedef struct mirror_block_t mirror_block_t;

/* A part of a body. */
struct mirror_block_t {
    mirror_block_t *next;
    apr_size_t size; /* of what was reserved */
    apr_size_t len;
    char data[1];
};

struct mirror_copy_t {
    mirror_queue_item_t item; /* the queue's link; first, so that an item is its copy */
    mirror_lane_t *lane;
    const mirror_settings_t *settings; /* those in force when it was decided; a reference */
    mirror_copy_t *next;               /* the owner's link */

    /* request line and header lines, each with CRLF, and after completion the empty line */
    char *head;
    apr_size_t head_size; /* of what was reserved for the caller */
    apr_size_t head_len;
    char *start;           /* the first bytes of the body, in the block */
    apr_size_t start_size; /* of what was reserved */
    apr_size_t start_len;
    mirror_spool_t *spool; /* what follows on disk; NULL if nothing does */
    /* what follows that, to the last block that is in use; NULL if nothing does */
    mirror_block_t *rest, *last;
    apr_size_t held;         /* bytes that the blocks have room for */
    apr_off_t announced;     /* the length of the body as the client gave it; 0 if it did not */
    apr_off_t body_len;      /* of what there is of it */
    apr_size_t charged;      /* bytes of child->memory */
    mirror_log_line_t *line; /* what the log will say; NULL: nothing */

    apr_time_t started; /* sender: when it was first given to a connection; 0: not yet */
    unsigned probe : 1; /* it is the one that finds out whether a mirror that is down is back */
    unsigned no_answer_body : 1; /* HEAD: the answer has none (RFC 9110 9.3.2) */
    unsigned idempotent : 1;     /* RFC 9110 9.2.2 */
    unsigned retried : 1;        /* sender: this is the one second attempt */
    unsigned pushed : 1;         /* was handed over to the sender */
    unsigned in_flight : 1;      /* sender: is counted in the cell's in_flight */
    unsigned in_pool : 1;        /* sender: has got as far as the mirror's pool */
};

/* ---- child start, main thread ---- */

/* Make what all copies of `child` share, in `pool`: its memory, as the registry says, and blocks
 * that are used over and over. */
void mirror_copy_start(mirror_child_t *child, apr_pool_t *pool);

/* ---- request threads ---- */

/* Admit one more copy to `lane` and make it, with room for `head_size` bytes of head (an upper
 * bound, without what mirror_copy_complete() appends). `announced` is the length of the body as
 * the client gave it; 0 if there is none, or if it is not known. *copy is owned by the caller.
 * Returns MIRROR_OUTCOME_NONE and the copy, or why not (queue_full, memory_full, limited,
 * unreachable: in this order), which is then counted; *copy is NULL. */
mirror_outcome_e mirror_copy_create(mirror_copy_t **copy, mirror_lane_t *lane,
                                    const mirror_settings_t *settings, apr_size_t head_size,
                                    apr_off_t announced);

/* Have the log tell the end of this copy in `line`, which is the copy's from here. NULL: none could
 * be made. */
void mirror_copy_log(mirror_copy_t *copy, mirror_log_line_t *line, const mirror_log_t *log);

/* Append `len` bytes to the body. Returns MIRROR_OUTCOME_NONE, or why the copy must end (too_large
 * over max_body, memory_full): the caller then ends it. */
mirror_outcome_e mirror_copy_append(mirror_copy_t *copy, const char *data, apr_size_t len);

/* The body is complete: finish the head, with a Content-Length if `with_length` (RFC 9110 8.6), and
 * the empty line. */
void mirror_copy_complete(mirror_copy_t *copy, int with_length);

/* Hand the copy over to the sender, which owns it from here. Never waits. */
void mirror_copy_push(mirror_copy_t *copy);

/* ---- sender thread ---- */

/* Free memory that is kept for copies and was not needed since the last call. Returns 1 if there is
 * still some. */
int mirror_copy_trim(mirror_child_t *child);

/* ---- any thread: the owner ---- */

/* Count `outcome`, give the memory and the place in the lane back, free the copy. */
void mirror_copy_end(mirror_copy_t *copy, mirror_outcome_e outcome);

#endif
