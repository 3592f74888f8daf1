/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * fleet/document.h - the document of a mirror in the store, and its version in the index. No I/O.
 *
 *     {"format":1,"rev":7,"id":"16 hex digits","by":"ann","from":"10.0.0.9","node":"n1:80-...",
 *      "at":"2026-11-27T12:00:00Z","attributes":{"enabled":false,"count":null}}
 *
 * `attributes` is an override over the file's settings of each node (settings/override.h): values,
 * and null for the default. An attribute that is absent is the file's. `attributes` is null if the
 * document was deleted. The store is not trusted: every length and every type is checked.
 */
#ifndef MIRROR_FLEET_DOCUMENT_H
#define MIRROR_FLEET_DOCUMENT_H

#include <yajl/yajl_gen.h>
#include <yajl/yajl_tree.h>

#include "settings/override.h"

/* The maximum size of a document, bytes. */
#define MIRROR_DOCUMENT_MAX 65000
/* The size of the text of a version: 15 digits, '-', 16 hex digits, NUL. */
#define MIRROR_DOCUMENT_VERSION 33

/* A version of a document, and an entry of the index. */
typedef struct mirror_document_version_t {
    apr_int64_t revision; /* 1 or more; 0 = no document */
    apr_uint64_t id;
    int is_deleted;
} mirror_document_version_t;

typedef struct mirror_document_t {
    mirror_document_version_t version;
    const char *by, *from, *node, *at; /* "" = unknown */
    const char *attributes;            /* text of an override; NULL = deleted */
} mirror_document_t;

/* ---- any thread ---- */

/* Parse an entry of the index. Returns 0 if it is malformed. */
int mirror_document_read_version(mirror_document_version_t *version, const char *text);

/* Print a string of JSON, a name or a value. */
void mirror_document_put(yajl_gen gen, const char *text);

/* Print "REV-ID", the ETag without its quotes; "" for no document. */
const char *mirror_document_print_version(const mirror_document_version_t *version,
                                          apr_pool_t *pool);

int mirror_document_is_same(const mirror_document_version_t *a, const mirror_document_version_t *b);

/* Check that attributes have nothing that is not for a fleet: redis_*, sentinel_* and unix:. Returns
 * NULL or an error message in `pool`. */
const char *mirror_document_refuse(yajl_val attributes, apr_pool_t *pool);

const char *mirror_document_refuse_name(const char *name, apr_pool_t *pool);

/* Parse a document. Returns NULL, or an error message in `pool`; *document is then undefined. */
const char *mirror_document_parse(mirror_document_t *document, const char *text, apr_pool_t *pool);

/* Print a document in two parts, between which the store inserts the revision. */
void mirror_document_print(const char **before, const char **after,
                           const mirror_document_t *document, apr_pool_t *pool);

/* Print the text of the fleet's store in shared memory (settings/layers.h): a line with all but the
 * attributes, and the attributes. NULL for a deleted document. */
const char *mirror_document_to_store(const mirror_document_t *document, apr_pool_t *pool);

/* Parse such a text; NULL = no document. Returns 0 if there is none, or if it is malformed. */
int mirror_document_of_store(mirror_document_t *document, const char *text, apr_pool_t *pool);

#endif
