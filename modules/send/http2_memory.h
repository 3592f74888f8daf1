/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/http2_memory.h - the memory of one connection of HTTP/2.
 *
 * A stream needs a dozen small blocks, of nghttp2 and of this module, and many streams begin and end
 * together. So freed blocks are kept by size, and used again in the order in which the processor has
 * them in its cache. All of them are freed with the connection. Sender thread.
 */
#ifndef MIRROR_SEND_HTTP2_MEMORY_H
#define MIRROR_SEND_HTTP2_MEMORY_H

#include <apr.h>

/* The maximum of a block that is kept, bytes. Blocks are a multiple of the unit. */
#define MIRROR_HTTP2_MEMORY_MAX  512
#define MIRROR_HTTP2_MEMORY_UNIT 16

typedef union mirror_http2_block_t mirror_http2_block_t;
typedef struct mirror_http2_slab_t mirror_http2_slab_t;

/* All zero = empty. */
typedef struct mirror_http2_memory_t {
    /* freed blocks, by units; [0]: unused */
    mirror_http2_block_t *freed[MIRROR_HTTP2_MEMORY_MAX / MIRROR_HTTP2_MEMORY_UNIT + 1];
    mirror_http2_slab_t *slabs;
    char *rest; /* the unused end of the first slab */
    apr_size_t rest_len;
} mirror_http2_memory_t;

/* As malloc(), calloc(), realloc() and free(). The baton is the mirror_http2_memory_t. The
 * signatures are those of nghttp2_mem. */
void *mirror_http2_memory_malloc(size_t size, void *baton);
void *mirror_http2_memory_calloc(size_t count, size_t size, void *baton);
void *mirror_http2_memory_realloc(void *data, size_t size, void *baton);
void mirror_http2_memory_free(void *data, void *baton);

/* Free all blocks of up to MIRROR_HTTP2_MEMORY_MAX bytes, also those in use. */
void mirror_http2_memory_destroy(mirror_http2_memory_t *memory);

#endif
