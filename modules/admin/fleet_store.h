/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/fleet_store.h - what resources of the fleet share: a remote for one request, the document of
 * a mirror, error responses.
 */
#ifndef MIRROR_ADMIN_FLEET_STORE_H
#define MIRROR_ADMIN_FLEET_STORE_H

#include <httpd.h>

#include "fleet/remote.h"

/* ---- request threads ---- */

/* Create a remote that is closed at the end of the request. */
mirror_remote_t *mirror_fleet_store_open(request_rec *r, const mirror_registry_t *registry);

/* Read the document of a mirror: its version in the index, and the document of that version.
 * document->version.revision is 0 if there never was one; its attributes are NULL if it was deleted.
 * Returns OK, or the handler's result after an error response. */
int mirror_fleet_store_read(mirror_document_t *document, request_rec *r, mirror_remote_t *remote,
                            const char *mirror);

/* Send 503 for a store that does not respond. */
int mirror_fleet_store_refuse(request_rec *r, const mirror_remote_t *remote);

/* Return the ETag of a version; NULL for no document, or a deleted one. */
const char *mirror_fleet_store_etag(const mirror_document_version_t *version, apr_pool_t *pool);

#endif
