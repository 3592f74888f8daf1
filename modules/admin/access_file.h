/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/access_file.h - detection of requests that access files (.htaccess) can influence.
 *
 * The author of an access file on the path of the manager could grant access to anyone. <If>
 * sections of access files are merged last. Directives that the server configuration does not set
 * (AuthBasicProvider, Satisfy, SSLUserName) can be set there, and so can environment variables and
 * headers.
 */
#ifndef MIRROR_ADMIN_ACCESS_FILE_H
#define MIRROR_ADMIN_ACCESS_FILE_H

#include <httpd.h>

/* ---- startup ---- */

/* Register the hooks. They prevent httpd from reading access files if a <Location> assigns manager
 * or status. For other requests they record whether httpd found an access file. */
void mirror_access_file_register_hooks(void);

/* ---- request threads ---- */

/* Check that httpd found no access file for `r`, nor for a request that led to it. Returns NULL, or
 * the reason of a rejection, in the request's pool. */
const char *mirror_access_file_refuse(const request_rec *r);

#endif
