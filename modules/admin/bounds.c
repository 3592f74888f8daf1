/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/bounds.c - what the bounds of all child processes come to. See admin/bounds.h.
 */
#include <httpd.h>
#include <ap_mpm.h>

#include "admin/bounds.h"

/* Return how many children the MPM starts at most: MaxRequestWorkers by ThreadsPerChild. */
static int children_max(void)
{
    int children = 0;

    return ap_mpm_query(AP_MPMQ_MAX_DAEMONS, &children) == APR_SUCCESS && children > 0 ? children
                                                                                       : 1;
}

void mirror_bounds_make(mirror_bounds_t *bounds, const mirror_registry_t *registry,
                        const mirror_settings_t *settings)
{
    apr_uint64_t children = (apr_uint64_t)children_max();
    apr_uint64_t connections = (apr_uint64_t)settings->max_connections;

    bounds->children = (int)children;
    bounds->connections = children * connections;
    bounds->copies = children * (connections + (apr_uint64_t)settings->max_queue);
    bounds->memory = children * (apr_uint64_t)registry->memory;
    bounds->spool = children * (apr_uint64_t)registry->spool_size;
}
