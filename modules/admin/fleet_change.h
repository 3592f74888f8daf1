/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/fleet_change.h - changes of the fleet: PUT, PATCH and DELETE of a document.
 *
 * A document that is not valid on this node is rejected. What the response reports of the nodes is in
 * admin/fleet_report.h.
 */
#ifndef MIRROR_ADMIN_FLEET_CHANGE_H
#define MIRROR_ADMIN_FLEET_CHANGE_H

#include <httpd.h>

#include "base/mirror.h"

/* ---- request threads; returns the result of the handler ---- */

int mirror_fleet_change_handle(request_rec *r, const mirror_registry_t *registry,
                               const mirror_t *mirror);

#endif
