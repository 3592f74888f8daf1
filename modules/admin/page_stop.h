/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/page_stop.h - the form "Stop all" at the top of the page, and its question.
 */
#ifndef MIRROR_ADMIN_PAGE_STOP_H
#define MIRROR_ADMIN_PAGE_STOP_H

#include <httpd.h>

#include "admin/page_view.h"

/* ---- request threads ---- */

/* Print the forms for all mirrors; with `confirms` the question whether to stop them. Prints nothing if
 * there is no mirror. `location`: path of the manager in a URL, escaped for HTML. */
void mirror_page_put_stop(request_rec *r, const mirror_view_t *views, int count, const char *nonce,
                          int confirms, const char *location);

#endif
