/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/json.h - what the manager answers in JSON: mirrors, and errors.
 */
#ifndef MIRROR_ADMIN_JSON_H
#define MIRROR_ADMIN_JSON_H

#include <httpd.h>
#include <yajl/yajl_gen.h>

#include "base/mirror.h"

/* ---- request threads ---- */

/* An empty document, with line breaks, that ends with `pool`. */
yajl_gen mirror_json_create(apr_pool_t *pool);

/* Add the object of a mirror with these settings, and its state and counts as they are now. */
void mirror_json_mirror(yajl_gen gen, const mirror_registry_t *registry, const mirror_t *mirror,
                        const mirror_settings_t *settings, apr_pool_t *pool);

/* The ETag of a mirror with these settings, with its quotes. It changes with them, passwords
 * included, and with nothing else, as it is what a change is conditional on (RFC 9110 13.1.1). No
 * password can be guessed by it. */
const char *mirror_json_etag(const mirror_registry_t *registry, const mirror_settings_t *settings,
                             apr_pool_t *pool);

/* Answer with a document; with {"error": text}. Return what a handler returns. */
int mirror_json_send(request_rec *r, int status, yajl_gen gen);
int mirror_json_error(request_rec *r, int status, const char *text);

#endif
