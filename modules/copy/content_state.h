/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * copy/content_state.h - the blocks of a content, for the files of copy/content.h. The caller
 * charges the holders.
 */
#ifndef MIRROR_COPY_CONTENT_STATE_H
#define MIRROR_COPY_CONTENT_STATE_H

#include "copy/content.h"

/* The size of the largest blocks, which are cached, bytes. */
#define MIRROR_BLOCK_MAX 65536

/* ---- request threads ---- */

/* Return the memory of a block with room for `size` bytes. */
apr_size_t mirror_content_blocks_cost(apr_size_t size);

/* Return the number of bytes in all blocks. */
apr_size_t mirror_content_blocks_bytes(const mirror_content_t *content);

/* Add an empty block at the end, and use it. Returns 0 if out of memory. */
int mirror_content_blocks_add(mirror_content_t *content, apr_size_t size);

/* Append the bytes of the blocks to a file, to a new one if *spool is NULL. Errors: those of
 * mirror_spool_append(). */
apr_status_t mirror_content_blocks_write(const mirror_content_t *content, mirror_spool_t **spool);

/* Free the blocks beyond the first 64 KiB, empty the others, and use the first one. Returns the
 * memory of the freed ones, bytes. */
apr_size_t mirror_content_blocks_drop(mirror_content_t *content);

/* ---- any thread ---- */

/* Free all blocks. */
void mirror_content_blocks_free(mirror_content_t *content);

#endif
