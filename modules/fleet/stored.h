/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * fleet/stored.h - the fleet's document of a mirror as this node has it in shared memory.
 */
#ifndef MIRROR_FLEET_STORED_H
#define MIRROR_FLEET_STORED_H

#include "fleet/document.h"
#include "fleet/remote.h"
#include "fleet/fleet.h"

typedef struct mirror_stored_t {
    const char *text; /* NULL = none */
    apr_uint64_t version;
    mirror_document_t document; /* revision 0 = none */
} mirror_stored_t;

/* ---- any thread ---- */

/* Read what is stored of `mirror`, which has a slot; all is in `pool`. */
void mirror_stored_read(mirror_stored_t *stored, const mirror_registry_t *registry,
                        const mirror_t *mirror, apr_pool_t *pool);

int mirror_stored_is(const mirror_stored_t *stored, const mirror_document_version_t *version);

/* ---- threads that may block ---- */

/* Store a document over what is stored. Returns NULL, or why this node refuses it. *again: another
 * change was stored first. */
const char *mirror_stored_apply(int *again, const mirror_registry_t *registry,
                                const mirror_t *mirror, const mirror_document_t *document,
                                const mirror_stored_t *stored, apr_pool_t *pool);

/* Return why this node keeps a document that was deleted; NULL if it does not. Its own settings may be
 * invalid without the fleet's, and would be dropped, also an `enabled` that stops the mirror here. */
const char *mirror_stored_refuse_leave(const mirror_registry_t *registry, const mirror_t *mirror,
                                       const mirror_stored_t *stored, apr_pool_t *pool);

/* Return, in words, what is in force of what is stored: after a reload it may not be valid any more. */
const char *mirror_stored_rest(const mirror_registry_t *registry, const mirror_t *mirror,
                               const mirror_stored_t *stored, apr_pool_t *pool);

/* Drop what is stored, which is not nothing; *again as above. */
void mirror_stored_leave(int *again, const mirror_registry_t *registry, const mirror_t *mirror,
                         const mirror_stored_t *stored, apr_pool_t *pool);

/* Apply the document that the store has, as this node has just written or read it, so that it is in force
 * here at once. `epoch`: of the store; 0 = unknown. */
void mirror_stored_written(const mirror_registry_t *registry, const mirror_t *mirror,
                           const mirror_document_t *document, apr_uint64_t epoch,
                           mirror_remote_t *remote, apr_pool_t *pool);

#endif
