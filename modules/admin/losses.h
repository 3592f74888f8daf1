/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/losses.h - the last copies of a mirror that did not arrive, as JSON and on the page.
 */
#ifndef MIRROR_ADMIN_LOSSES_H
#define MIRROR_ADMIN_LOSSES_H

#include <httpd.h>

#include "admin/view.h"

/* ---- request threads ---- */

/* Send the resource /mirrors/NAME/losses: {"losses": [...]}, the latest first. Returns what a handler
 * returns. */
int mirror_losses_send(request_rec *r, const mirror_view_t *view);

/* Print the section of the page, hidden if nothing was lost. */
void mirror_losses_put(request_rec *r, const mirror_view_t *view);

#endif
