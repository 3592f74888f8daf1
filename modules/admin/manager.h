/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/manager.h - what an administrator asks: which resource of the manager a request means.
 *
 * Everything that is answered is read when it is asked: the settings in force, and counts from
 * shared memory. Changes are admin/change.h's.
 */
#ifndef MIRROR_ADMIN_MANAGER_H
#define MIRROR_ADMIN_MANAGER_H

#include <httpd.h>

/* ---- request threads ---- */

/* handler hook: answers for "proxy-mirror-manager", and for "proxy-mirror-status", which can change
 * nothing by any method. */
int mirror_manager_handler(request_rec *r);

#endif
