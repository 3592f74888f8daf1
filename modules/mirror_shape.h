/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * mirror_shape.h - what of a copy's head depends on the mirror: its request target and its Host.
 *
 * The target (RFC 9112 3.2) is in origin form, or "*" for a whole server. It is the client's, or with uri=backend the one
 * that the primary backend gets: of a request that mod_proxy forwards, the target of the request to the backend (before
 * a balancer puts the path of the member it chooses in front); of any other, the URI after all rewriting. The path goes
 * instead of, or in front of, that; "*" has none and stays.
 */
#ifndef MIRROR_SHAPE_H
#define MIRROR_SHAPE_H

#include <httpd.h>

#include "mirror.h"

typedef struct mirror_head_t mirror_head_t;

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

/* The shape of copies of `r` to a mirror with these settings; `first` is what the client sent. */
void mirror_shape_make(mirror_shape_t *shape, mirror_head_t *head, const mirror_settings_t *settings, request_rec *r,
                       const request_rec *first);

/* The Host of a request without that header: HTTP/1.0, perhaps with an absolute URI. */
const char *mirror_shape_host(const request_rec *r, const request_rec *first);

#endif
