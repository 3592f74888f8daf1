/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/access_file.h - whether access files (.htaccess) can influence a request.
 *
 * The author of an access file on the way to the manager could let anybody in there: <If> sections
 * of access files are merged last, and directives that the server configuration does not set
 * (AuthBasicProvider, Satisfy, SSLUserName) are the author's, and so are environment and headers.
 */
#ifndef MIRROR_ADMIN_ACCESS_FILE_H
#define MIRROR_ADMIN_ACCESS_FILE_H

#include <httpd.h>

/* ---- startup ---- */

/* Register the hooks that keep httpd from reading access files for a <Location> that gives manager
 * or status, and that note for which other requests httpd found one. */
void mirror_access_file_register_hooks(void);

/* ---- request threads ---- */

/* Return why manager and status must not answer `r`, in the pool of the request: httpd found an
 * access file for it, or for a request that led to it. NULL: it found none. */
const char *mirror_access_file_refuse(const request_rec *r);

#endif
