/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/guard.h - who may change a mirror, beside what httpd's Require says.
 */
#ifndef MIRROR_ADMIN_GUARD_H
#define MIRROR_ADMIN_GUARD_H

#include <httpd.h>

/* ---- startup ---- */

void mirror_guard_register_hooks(void);

/* ---- request threads ---- */

/* Whether the client may change something, as far as its head tells: it is an authenticated user,
 * or connected from loopback, and not for somebody else, as mod_remoteip or a header of a proxy
 * says; and if a browser says for which page it asks, that page is of this server. Returns NULL,
 * or why not. */
const char *mirror_guard_refuse(request_rec *r);

/* The same for the client alone, whatever page it asks for: what the page can tell beforehand. */
const char *mirror_guard_refuse_client(request_rec *r);

/* Whether a form carries our nonce. Takes as long for a wrong one. */
int mirror_guard_is_nonce(const char *given, const char *nonce);

#endif
