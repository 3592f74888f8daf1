/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/guard.h - authorization of changes, in addition to httpd's Require.
 */
#ifndef MIRROR_ADMIN_GUARD_H
#define MIRROR_ADMIN_GUARD_H

#include <httpd.h>

/* ---- startup ---- */

void mirror_guard_register_hooks(void);

/* ---- request threads ---- */

/* Check the head of a request for a change. The client must be an authenticated user or connect
 * from loopback. A loopback client must not act for another client, as reported by mod_remoteip or
 * a header of a proxy. If the browser sends the origin of the request, it must be this server.
 * Returns NULL, or the reason of a rejection. */
const char *mirror_guard_refuse(request_rec *r);

/* Check only the client, as the page does to decide about forms. */
const char *mirror_guard_refuse_client(request_rec *r);

/* Return whether a form has our nonce. The comparison takes constant time. */
int mirror_guard_is_nonce(const char *given, const char *nonce);

#endif
