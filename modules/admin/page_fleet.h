/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/page_fleet.h - the fleet on the page: what this node knows of it, and all nodes.
 *
 * page.js requests the section each few seconds (LOCATION/?fleet), and makes that of the page like
 * it. All that comes from the store is printed by mirror_page_text().
 */
#ifndef MIRROR_ADMIN_PAGE_FLEET_H
#define MIRROR_ADMIN_PAGE_FLEET_H

#include <httpd.h>

#include "base/mirror.h"

/* ---- request threads ---- */

/* Print the fleet, if there is one. With a nonce, a store that was emptied has the form that restores
 * it. Queries the store for the nodes, at most redis_timeout for each
 * command, unless it is known not to respond. `location`: as in admin/page_mirror.h. */
void mirror_page_put_fleet(request_rec *r, const mirror_registry_t *registry, const char *nonce,
                           const char *location);

/* Print the question whether to restore the store of the fleet. */
void mirror_page_put_question(request_rec *r, const mirror_registry_t *registry, const char *nonce,
                              const char *location);

#endif
