/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/comparison.h - the results of comparing, as JSON: the resource /mirrors/NAME/comparison.
 */
#ifndef MIRROR_ADMIN_COMPARISON_H
#define MIRROR_ADMIN_COMPARISON_H

#include <httpd.h>

#include "base/mirror.h"

/* ---- request threads ---- */

/* Respond to a request of the resource; `rest` is the path behind "/comparison": "" or "/verdict".
 * With `may_change` DELETE starts anew. Returns what a handler returns. */
int mirror_comparison_handle(request_rec *r, const mirror_registry_t *registry,
                             const mirror_t *mirror, const char *rest, int may_change);

/* Start anew, and log it; the caller has checked that the client may. Returns NULL, or why nothing
 * was done. */
const char *mirror_comparison_restart(request_rec *r, const mirror_registry_t *registry,
                                      const mirror_t *mirror);

#endif
