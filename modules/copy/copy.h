/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * copy/copy.h - the life of a copy: its memory, its head, its body, its outcome.
 *
 * A copy has one owner at a time: the request that captures it, then the queue, then the sender,
 * then a connection. It ends only in mirror_copy_end(). It contains bytes, and no references to a
 * request_rec, a conn_rec or their pools.
 *
 * A copy is one block of memory: this struct, the head, and room for a small body of announced
 * length. The rest of a body is a content that all copies of a request share (copy/content.h).
 *
 * Memory is charged to the lane's share of child->memory before it is allocated, and released when
 * the copy ends.
 */
#ifndef MIRROR_COPY_COPY_H
#define MIRROR_COPY_COPY_H

#include "base/mirror.h"
#include "base/queue.h"
#include "copy/content.h"

typedef struct mirror_copy_t mirror_copy_t;

struct mirror_copy_t {
    /* link of the queue; first member, so an item can be cast to its copy */
    mirror_queue_item_t item;
    mirror_lane_t *lane;
    const mirror_settings_t *settings; /* settings in force at creation; a reference */
    mirror_copy_t *next;               /* link of the owner */

    /* request line and header lines, each with CRLF; after completion also the empty line */
    char *head;
    apr_size_t head_size; /* bytes reserved for the caller */
    apr_size_t head_len;
    char *start;           /* first bytes of the body, in the copy's own block */
    apr_size_t start_size; /* reserved bytes */
    apr_size_t start_len;
    mirror_holder_t rest;    /* the rest of the body */
    apr_off_t body_len;      /* received bytes of the body */
    apr_size_t charged;      /* bytes charged to child->memory, without the rest of the body */
    mirror_log_line_t *line; /* log line; NULL = none */
    /* comparison of its response (compare/pair.h), and the function that gets its end and its line;
     * NULL = none */
    struct mirror_pair_t *pair;
    struct mirror_half_t *half; /* where its response is kept */
    void (*pair_end)(struct mirror_pair_t *pair, mirror_outcome_e outcome, mirror_log_line_t *line);

    int why;             /* mirror_why_e: why it is lost; 0 = what its outcome means */
    apr_status_t why_rv; /* the system's error that is the reason; APR_SUCCESS = none */
    apr_time_t started;  /* sender: time of the first assignment to a connection; 0 = none */
    apr_uint64_t avoid;  /* sender: key of the server that a retry avoids; 0 = none */
    unsigned probe : 1;  /* tests a mirror that is down */
    unsigned no_response_body : 1; /* HEAD: the response has no body (RFC 9110 9.3.2) */
    unsigned te_trailers : 1;      /* the client sent `TE: trailers` */
    unsigned idempotent : 1;       /* method is idempotent (RFC 9110 9.2.2) */
    unsigned retried : 1;          /* sender: this is the second and last attempt */
    unsigned in_flight : 1;        /* sender: counted in the cell's in_flight */
    unsigned in_pool : 1;          /* sender: was given to the mirror's pool */
};

/* ---- child start, main thread ---- */

/* Initialize the memory pot and the block cache of `child`, in `pool`. The size is that of the
 * registry. */
void mirror_copy_start(mirror_child_t *child, apr_pool_t *pool);

/* ---- request threads ---- */

/* Admit a copy to `lane` and create it, with room for `head_size` bytes of head. `head_size` is an
 * upper bound, without the bytes that mirror_copy_complete() appends. `announced`: body length as
 * announced by the client; 0 = none or unknown. The caller owns *copy. Returns MIRROR_OUTCOME_NONE,
 * or the outcome of a rejection, which was counted: queue_full, memory_full, limited or
 * unreachable, in this order. Then *copy is NULL. */
mirror_outcome_e mirror_copy_create(mirror_copy_t **copy, mirror_lane_t *lane,
                                    const mirror_settings_t *settings, apr_size_t head_size,
                                    apr_off_t announced);

/* Attach a log line, which the copy owns from here. `line`: NULL if no line could be created. */
void mirror_copy_log(mirror_copy_t *copy, mirror_log_line_t *line, const mirror_log_t *log);

/* Accept the next `len` bytes of the body. *stored: the first ones, which fit into the copy; the
 * caller appends the others to the content. Returns MIRROR_OUTCOME_NONE, or the outcome with which
 * the caller must end the copy: too_large (over max_body). */
mirror_outcome_e mirror_copy_accept(apr_size_t *stored, mirror_copy_t *copy, const char *data,
                                    apr_size_t len);

/* Finish the head after the body is complete. Appends a Content-Length if `with_length` (RFC 9110
 * 8.6), and the empty line. */
void mirror_copy_complete(mirror_copy_t *copy, int with_length);

/* Push the copy to the sender, which owns it from here. Never waits. */
void mirror_copy_push(mirror_copy_t *copy);

/* ---- any thread: the owner ---- */

/* The parts of a complete body that follow copy->start: the file, then the blocks. NULL = none. */
mirror_spool_t *mirror_copy_spool(const mirror_copy_t *copy);
const mirror_block_t *mirror_copy_first_block(const mirror_copy_t *copy);

/* End the copy: count `outcome`, release its resources, free it. */
void mirror_copy_end(mirror_copy_t *copy, mirror_outcome_e outcome);

#endif
