/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/fleet_change.h - changes of the fleet: PUT, PATCH and DELETE of a document, and forms.
 *
 * A document that is not valid on this node is rejected. A change is in force on this node with the
 * response, and on the others with their next poll. `Prefer: wait=SECONDS` (RFC 7240) delays the
 * response until all live nodes have it or refuse it, at most ten seconds.
 */
#ifndef MIRROR_ADMIN_FLEET_CHANGE_H
#define MIRROR_ADMIN_FLEET_CHANGE_H

#include <httpd.h>

#include "base/mirror.h"

/* ---- request threads; return the result of the handler ---- */

int mirror_fleet_change_handle(request_rec *r, const mirror_registry_t *registry,
                               const mirror_t *mirror);

/* Apply the fields of a form, or delete the document if `is_reset`. Returns DONE if the change was
 * made, and the caller is to respond. */
int mirror_fleet_change_form(request_rec *r, const mirror_registry_t *registry,
                             const mirror_t *mirror, const apr_table_t *fields, int is_reset);

#endif
