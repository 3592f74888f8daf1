/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * capture/shape.h - what of a copy's head depends on the mirror: its request target and its Host.
 *
 * The target (RFC 9112 3.2) is in origin form, or "*" for a whole server. It is the client's, or
 * with uri=backend the one that the primary backend gets: of a request that mod_proxy forwards,
 * the target of the request to the backend (before a balancer puts the path of the member it
 * chooses in front); of any other, the URI after all rewriting. The path goes instead of, or in
 * front of, that; "*" has none and stays.
 */
#ifndef MIRROR_CAPTURE_SHAPE_H
#define MIRROR_CAPTURE_SHAPE_H

#include <httpd.h>

#include "base/mirror.h"
#include "capture/method.h"

/* Request targets of one request that were made already, by mirror_uri_e; NULL: not made. All 0 to
 * begin with. */
typedef struct mirror_shape_targets_t {
    const char *made[2];
} mirror_shape_targets_t;

/* All of it lives in the request's pool or in the settings. */
typedef struct mirror_shape_t {
    const char *path; /* what goes before the target; "" for nothing */
    apr_size_t path_len;
    const char *target; /* with the query */
    apr_size_t target_len;
    const char *host; /* instead of the client's; NULL: the client's */
    apr_size_t size;  /* of the three together */
} mirror_shape_t;

/* ---- request threads ---- */

/* Make the shape of copies of `r` to a mirror with these settings. `first` is what the client sent,
 * `method` its method; `targets` keeps the request targets for the next mirror of the same
 * request. */
void mirror_shape_make(mirror_shape_t *shape, mirror_shape_targets_t *targets,
                       const mirror_method_t *method, const mirror_settings_t *settings,
                       request_rec *r, const request_rec *first);

#endif
