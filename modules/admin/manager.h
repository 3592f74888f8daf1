/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/manager.h - the handlers of manager and status: mapping of requests to resources.
 *
 * Responses contain the settings in force and the current counts of shared memory. See
 * admin/change.h for changes.
 */
#ifndef MIRROR_ADMIN_MANAGER_H
#define MIRROR_ADMIN_MANAGER_H

#include <httpd.h>

/* ---- request threads ---- */

/* Handle "proxy-mirror-manager", and "proxy-mirror-status", which allows no change. The handler
 * hook. */
int mirror_manager_handler(request_rec *r);

#endif
