/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/json.h - JSON responses of the manager: mirrors and errors.
 */
#ifndef MIRROR_ADMIN_JSON_H
#define MIRROR_ADMIN_JSON_H

#include <httpd.h>
#include <yajl/yajl_gen.h>

#include "base/mirror.h"

/* ---- request threads ---- */

/* Create an empty document, with line breaks, in `pool`. */
yajl_gen mirror_json_create(apr_pool_t *pool);

/* Add a key; a text, with '?' for bytes that are not UTF-8; a key with a count; with a time in UTC (0 =
 * null); with milliseconds of at most three decimals (negative = null). */
void mirror_json_put_key(yajl_gen gen, const char *key);
void mirror_json_put_text(yajl_gen gen, const char *text, apr_pool_t *pool);
void mirror_json_put_count(yajl_gen gen, const char *key, apr_uint64_t n);
void mirror_json_put_time(yajl_gen gen, const char *key, apr_time_t t);
void mirror_json_put_ms(yajl_gen gen, const char *key, double ms);

/* Append the object of a mirror with these settings, and its current state and counts. */
void mirror_json_mirror(yajl_gen gen, const mirror_registry_t *registry, const mirror_t *mirror,
                        const mirror_settings_t *settings, apr_pool_t *pool);

/* Return the ETag of a mirror with these settings, with its quotes. The ETag depends only on the
 * settings, passwords included, because changes are conditional on it (RFC 9110 13.1.1). It does
 * not reveal passwords. */
const char *mirror_json_etag(const mirror_registry_t *registry, const mirror_settings_t *settings,
                             apr_pool_t *pool);

/* Send a document, or {"error": text}. Returns the result of the handler. */
int mirror_json_send(request_rec *r, int status, yajl_gen gen);
int mirror_json_error(request_rec *r, int status, const char *text);

/* Reject a method that a resource does not support with 405, or respond to OPTIONS with 200, and send
 * the header Allow (RFC 9110 10.2.1): `allowed` is a list such as "GET, HEAD". Returns the result of
 * the handler. */
int mirror_json_refuse_method(request_rec *r, const char *allowed);

#endif
