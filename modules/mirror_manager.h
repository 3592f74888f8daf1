/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * mirror_manager.h - what an administrator asks: the mirrors as JSON, and which room answers else.
 *
 * Everything that is answered is read when it is asked: settings from pconf, counts from shared memory.
 */
#ifndef MIRROR_MANAGER_H
#define MIRROR_MANAGER_H

#include <httpd.h>

/* ---- request threads ---- */

/* handler hook: answers for "proxy-mirror-status". GET, HEAD and OPTIONS; all else is 405. */
int mirror_manager_handler(request_rec *r);

#endif
