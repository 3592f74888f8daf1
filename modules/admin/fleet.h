/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/fleet.h - the manager's resources of the fleet:
 *
 *     LOCATION/fleet               its state: GET
 *     LOCATION/fleet/mirrors/NAME  the document of a mirror: GET, PUT, PATCH, DELETE
 *     LOCATION/fleet/log           the last 1,000 changes: GET
 *     LOCATION/fleet/restore       write this node's documents to an emptied store: POST
 *
 * A request thread talks to the store, at most a few times redis_timeout.
 */
#ifndef MIRROR_ADMIN_FLEET_H
#define MIRROR_ADMIN_FLEET_H

#include <httpd.h>

#include "base/mirror.h"

#define MIRROR_FLEET_RESOURCE "/fleet"

/* ---- request threads ---- */

/* Handle a request for LOCATION/fleet and `rest`: "" or the rest of the path. `location`: path of the
 * manager. `may_change`: 0 for the status handler. Returns the result of the handler. */
int mirror_fleet_handle(request_rec *r, const mirror_registry_t *registry, const char *location,
                        const char *rest, int may_change);

#endif
