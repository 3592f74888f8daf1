/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/bounds.h - what the bounds of one child process come to for all of them: for JSON, page and
 * mod_status.
 */
#ifndef MIRROR_ADMIN_BOUNDS_H
#define MIRROR_ADMIN_BOUNDS_H

#include "base/mirror.h"

typedef struct mirror_bounds_t {
    int children;             /* child processes that serve requests, at most */
    apr_uint64_t connections; /* of the mirror */
    apr_uint64_t copies;      /* pending copies of the mirror, queued or in flight */
    apr_uint64_t memory;      /* of all mirrors, bytes */
    apr_uint64_t spool;       /* of all mirrors, bytes on disk */
} mirror_bounds_t;

/* ---- request threads ---- */

/* Set the bounds of a mirror with these settings. Children that finish their requests after a reload
 * come on top. */
void mirror_bounds_make(mirror_bounds_t *bounds, const mirror_registry_t *registry,
                        const mirror_settings_t *settings);

#endif
