/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/servers.h - the servers of a mirror that has several, for JSON, page, mod_status and
 * metrics.
 */
#ifndef MIRROR_ADMIN_SERVERS_H
#define MIRROR_ADMIN_SERVERS_H

#include "shared/table.h"

typedef struct mirror_servers_view_t {
    const char *address;   /* with the port, as in a URL */
    apr_time_t down_until; /* wall clock; 0 = up */
    mirror_server_counts_t sum;
} mirror_servers_view_t;

/* ---- request threads ---- */

/* Return the servers of the mirror with these settings, an array of mirror_servers_view_t in `pool`;
 * NULL = it has one. With resolve=all they are those that a child has found last. */
apr_array_header_t *mirror_servers_view(const mirror_registry_t *registry, const mirror_t *mirror,
                                        const mirror_settings_t *settings, apr_pool_t *pool);

/* Return how many of them are up. */
int mirror_servers_view_up(const apr_array_header_t *servers);

#endif
