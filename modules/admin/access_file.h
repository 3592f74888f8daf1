/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/access_file.h - what a request may do without what access files (.htaccess) say.
 *
 * The author of an access file on the way to a <Location> can let anybody in there: <If> sections
 * of access files come after it, and what it does not name (AuthBasicProvider, Satisfy,
 * SSLUserName) is theirs.
 */
#ifndef MIRROR_ADMIN_ACCESS_FILE_H
#define MIRROR_ADMIN_ACCESS_FILE_H

#include <httpd.h>

/* ---- startup ---- */

void mirror_access_file_register_hooks(void);

/* ---- request threads ---- */

/* Whether the server configuration alone lets this request get to the handler that it has,
 * r->handler. *user: the user that it then has, in the pool of `r`; NULL: none. Looked up by a
 * subrequest, if there was an access file at all. Returns NULL, or why not. */
const char *mirror_access_file_refuse(char **user, request_rec *r);

#endif
