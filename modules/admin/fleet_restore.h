/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/fleet_restore.h - restoring the documents of a fleet after its store was emptied.
 *
 * A program sends POST without a body. The page sends a form with the fields "nonce", and "confirm",
 * without which the response is the page with a question.
 */
#ifndef MIRROR_ADMIN_FLEET_RESTORE_H
#define MIRROR_ADMIN_FLEET_RESTORE_H

#include <httpd.h>

#include "base/mirror.h"

/* ---- request threads ---- */

/* Write the documents of this node to the store, if that is empty. `location`: path of the manager.
 * Returns the result of the handler. */
int mirror_fleet_restore_handle(request_rec *r, const mirror_registry_t *registry,
                                const char *location);

#endif
