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
 * Returns OK, or the status of an error, and *why in `pool`: 503 if the store does not respond, 502 if
 * the document is unusable; document->version is valid then, revision 0 = unusable, too. */
int mirror_fleet_store_read(mirror_document_t *document, const char **why, mirror_remote_t *remote,
                            const char *mirror, apr_pool_t *pool);

/* Return the error message for a store that does not respond. */
const char *mirror_fleet_store_fault(const mirror_remote_t *remote, apr_pool_t *pool);

/* Set Retry-After of an error with status 503, if it is not set. */
void mirror_fleet_store_note_retry(request_rec *r, int status);

/* Send an error; 503 with Retry-After. Returns the result of the handler. */
int mirror_fleet_store_send_error(request_rec *r, int status, const char *why);

/* Return the error message for an empty store that this node may not begin for `seconds`, and set
 * Retry-After. */
const char *mirror_fleet_store_hold(request_rec *r, int seconds);

/* The same for a store that does not respond. */
int mirror_fleet_store_refuse(request_rec *r, const mirror_remote_t *remote);

/* Return the ETag of a version; NULL for no document, or a deleted one. */
const char *mirror_fleet_store_etag(const mirror_document_version_t *version, apr_pool_t *pool);

#endif
