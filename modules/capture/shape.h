/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * capture/shape.h - the parts of a head that depend on the mirror: request target and Host.
 *
 * The target (RFC 9112 3.2) is in origin form, or "*" for a whole server. The default is the
 * client's target. With uri=backend it is the target of the primary backend: for a request that
 * mod_proxy forwards, the target of the request to the backend, before a balancer prepends the path
 * of its member; for other requests, the URI after all rewriting. The mirror's path replaces the
 * target's path or is prepended to it; "*" is unchanged.
 */
#ifndef MIRROR_CAPTURE_SHAPE_H
#define MIRROR_CAPTURE_SHAPE_H

#include <httpd.h>

#include "base/mirror.h"
#include "capture/method.h"

/* A cache of the request targets of one request, indexed by mirror_uri_e; NULL = not made.
 * Initialize with 0. */
typedef struct mirror_shape_targets_t {
    const char *made[2];
} mirror_shape_targets_t;

/* The shape. All members are in the request's pool or in the settings. */
typedef struct mirror_shape_t {
    const char *path; /* prefix of the target; "" = none */
    apr_size_t path_len;
    const char *target; /* with its query */
    apr_size_t target_len;
    const char *host; /* replaces the client's Host; NULL = the client's */
    apr_size_t size;  /* size of path, target and host, bytes */
} mirror_shape_t;

/* ---- request threads ---- */

/* Make the shape of copies of `r` to a mirror with these settings. `first`: the client's request;
 * `method`: its method; `targets`: cache for further mirrors of the request. */
void mirror_shape_make(mirror_shape_t *shape, mirror_shape_targets_t *targets,
                       const mirror_method_t *method, const mirror_settings_t *settings,
                       request_rec *r, const request_rec *first);

#endif
