/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/access.h - which requests manager and status answer at all, beside what httpd's Require
 * says.
 *
 * Who may change a mirror is admin/guard.h's.
 */
#ifndef MIRROR_ADMIN_ACCESS_H
#define MIRROR_ADMIN_ACCESS_H

#include <httpd.h>

/* ---- request threads ---- */

/* Whether SetHandler in the server configuration gives manager or status to a request, whose handler
 * is not known yet. */
int mirror_access_is_ours(request_rec *r);

/* Whether SetHandler in the server configuration gives this request the handler that it has,
 * r->handler. */
int mirror_access_is_configured(request_rec *r);

/* The same. Returns NULL, or why not; then one line is logged. */
const char *mirror_access_refuse_handler(request_rec *r);

/* Whether the request has a user, or calls the server by a name of its own or by an address.
 * Returns NULL, or why it is refused. */
const char *mirror_access_refuse_host(request_rec *r);

/* Log that a request was refused with 403, and why. `mirror`: the name of the mirror that it is
 * about; NULL: it is about none. */
void mirror_access_log(request_rec *r, const char *mirror, const char *why);

#endif
