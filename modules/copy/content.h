/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * copy/content.h - the content of a request (RFC 9110 6.4), shared by its copies.
 *
 * The copies of one request have the same body. They share its bytes: each copy has a HOLDER, its
 * reference. The request appends bytes; after that, the content does not change, and all owners
 * of copies read it. The last holder that leaves frees it.
 *
 * The bytes are in a chain of blocks. Those of 64 KiB are cached (copy/blocks.h). Smaller ones come
 * from malloc, because an APR allocator per request would map and unmap memory for each.
 *
 * A long content goes to a file (copy/spool.h) if 64 KiB are full, more bytes follow, and the shares
 * of the mirrors have no room in memory. Then the bytes of all blocks are appended to the file, and
 * the first 64 KiB of blocks are filled again. So the bytes in the file precede those in the blocks.
 * Once a content has a file, it continues there.
 *
 * If only some of the mirrors have no room in memory, their holders move to a TWIN: a second content
 * with the same bytes, which has a file. So a mirror that hangs sends no other mirror to the disk,
 * and a disk that is full drops no copy that has room in memory.
 *
 * Each holder is charged for the whole content, as if it were the only one: a mirror that hangs
 * keeps it in memory, or on disk, after all others have left. So the bounds hold for each mirror,
 * and less is used than was charged.
 */
#ifndef MIRROR_COPY_CONTENT_H
#define MIRROR_COPY_CONTENT_H

#include "base/mirror.h"

typedef struct mirror_block_t mirror_block_t;
typedef struct mirror_content_t mirror_content_t;
typedef struct mirror_holder_t mirror_holder_t;

/* A part of a content. */
struct mirror_block_t {
    mirror_block_t *next;
    apr_size_t size; /* allocated size of `data`, bytes */
    apr_size_t len;
    char *data; /* behind this struct, or a cached one */
};

/* The fields are for reading, after mirror_content_complete(). */
struct mirror_content_t {
    mirror_child_t *child;
    mirror_spool_t *spool;        /* first part, on disk; NULL = none */
    mirror_block_t *first, *last; /* next part; last: block in use; NULL = none */
    apr_size_t capacity;          /* capacity of the blocks, bytes */
    apr_off_t announced;          /* announced length, bytes; 0 = unknown */
    apr_off_t len;                /* received bytes */
    int cold;                     /* request thread: 1 if the bytes are sent late */
    mirror_holder_t *holders;     /* request thread: those that get more bytes */
    mirror_content_t *twin;       /* request thread: the one with a file; NULL = none */
    mirror_content_t *of;         /* request thread: whose twin it is; NULL = no twin */
    apr_uint32_t references;      /* atomic: holders that have not left, and a twin */
    int cached;                   /* the last owner: 1 if its blocks are cached */
};

/* The reference of one copy. All 0: none. */
struct mirror_holder_t {
    mirror_content_t *content; /* NULL = none */
    mirror_holder_t *next;     /* request thread: link in content->holders */
    mirror_lane_t *lane;       /* the mirror that is charged */
    apr_size_t charged;        /* bytes of memory */
    apr_uint64_t spooled;      /* bytes on disk; a file counts as a descriptor, too */
    int refused;               /* 1: the mirror's share has no room, the copy must end */
    int pushed;                /* 1: the sender has the copy */
};

/* ---- child start, main thread ---- */

/* Create the block cache of `child`, in `pool`. */
void mirror_content_start(mirror_child_t *child, apr_pool_t *pool);

/* ---- request threads ---- */

/* Create an empty content. `announced`: length of the bytes that will be appended; 0 = unknown. Its
 * holders own it, so at least one must join. NULL = out of memory. */
mirror_content_t *mirror_content_create(mirror_child_t *child, apr_off_t announced);

/* Make `holder`, all 0, a holder of a content that is still empty. `lane`: the mirror to charge. If
 * it has no room, the holder is refused. */
void mirror_content_join(mirror_content_t *content, mirror_holder_t *holder, mirror_lane_t *lane);

/* Append `len` bytes. Holders whose mirror has no room are marked as refused, and get no more; so are
 * those that need memory or a file if there is none. Refused holders have to leave before the next
 * call. */
void mirror_content_append(mirror_content_t *content, const char *data, apr_size_t len);

/* Declare that no more bytes follow. Call it before a copy is pushed. */
void mirror_content_complete(mirror_content_t *content);

/* ---- sender thread ---- */

/* Free cached memory that was not needed since the last call. Returns 1 if some is left. */
int mirror_content_trim(mirror_child_t *child);

/* ---- any thread: the owner of the copy ---- */

/* Leave the content: release what was charged, and free the content after its last holder. A holder
 * without content is ignored. */
void mirror_content_leave(mirror_holder_t *holder);

#endif
