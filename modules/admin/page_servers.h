/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/page_servers.h - the servers of a mirror on the page: a line for each.
 */
#ifndef MIRROR_ADMIN_PAGE_SERVERS_H
#define MIRROR_ADMIN_PAGE_SERVERS_H

#include <httpd.h>

#include "admin/servers.h"

/* ---- request threads ---- */

/* Print the section, hidden if `servers` is NULL: the mirror has one. */
void mirror_page_put_servers(request_rec *r, const apr_array_header_t *servers);

#endif
