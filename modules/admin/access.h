/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/access.h - which requests get a response from manager and status, in addition to httpd's
 * Require.
 *
 * See admin/guard.h for the authorization of changes.
 */
#ifndef MIRROR_ADMIN_ACCESS_H
#define MIRROR_ADMIN_ACCESS_H

#include <httpd.h>

/* ---- request threads ---- */

/* Return whether this is the name of the handler of manager or status, in any case. */
int mirror_access_is_handler(const char *name);

/* Return whether SetHandler in the server configuration assigns manager or status to a request. The
 * request has no handler yet. */
int mirror_access_is_ours(request_rec *r);

/* Return whether SetHandler in the server configuration assigned r->handler to this request. */
int mirror_access_is_configured(request_rec *r);

/* Check the same. Returns NULL, or the reason of a rejection, which was logged. */
const char *mirror_access_refuse_handler(request_rec *r);

/* Check the Host of a request without a user: it must be a name of this server, localhost, an
 * address, or missing. Returns NULL, or the reason of a rejection. */
const char *mirror_access_refuse_host(request_rec *r);

/* Check that the request is not for a document of ErrorDocument. Returns NULL, or the reason of a
 * rejection and the status of the request that failed. */
const char *mirror_access_refuse_error(const request_rec *r, int *status);

/* Log that a request was rejected with 403, and the reason. `mirror`: name of the requested mirror;
 * NULL = none. */
void mirror_access_log(request_rec *r, const char *mirror, const char *why);

#endif
