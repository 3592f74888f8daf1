/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/header_form.h - forms of the values of header fields: what of a value is compared.
 *
 * If the forms of two values have the same bytes, the values are equal in the sense of that form. A
 * form is at most a few bytes longer than twice its value. Values come from mirrors: any bytes.
 */
#ifndef MIRROR_COMPARE_HEADER_FORM_H
#define MIRROR_COMPARE_HEADER_FORM_H

#include <apr_pools.h>
#include <apr_tables.h>
#include <apr_time.h>

/* A value, or a form of one. data[len] can be read; it is NUL at the end of a value. */
typedef struct mirror_header_form_t {
    const char *data;
    apr_size_t len;
} mirror_header_form_t;

/* Make a form of a value. It is in `pool`, or within the value. */
typedef mirror_header_form_t mirror_header_form_fn(const mirror_header_form_t *value,
                                                   apr_pool_t *pool);

/* ---- any thread ---- */

/* Values that mean the same have equal forms:
 * tokens in any case and order; methods in any order (RFC 9110 10.2.1); an HTTP date in any format;
 * a media type with parameters in any order (8.3.1); a cookie with attributes in any order
 * (RFC 6265 4.1). */
mirror_header_form_fn mirror_header_form_token_set;
mirror_header_form_fn mirror_header_form_method_set;
mirror_header_form_fn mirror_header_form_date;
mirror_header_form_fn mirror_header_form_media_type;
mirror_header_form_fn mirror_header_form_cookie;

/* Values that differ only by nature have equal forms:
 * any value; a cookie without its value, Expires and Max-Age; whether an ETag is weak; a URI without
 * scheme and authority; a Content-Security-Policy without nonces; challenges without nonce=. */
mirror_header_form_fn mirror_header_form_nothing;
mirror_header_form_fn mirror_header_form_cookie_names;
mirror_header_form_fn mirror_header_form_etag;
mirror_header_form_fn mirror_header_form_path;
mirror_header_form_fn mirror_header_form_csp;
mirror_header_form_fn mirror_header_form_challenge;

/* Read an HTTP date in any of its three formats (RFC 9110 5.6.7). 0: it is none. */
apr_time_t mirror_header_form_time(const mirror_header_form_t *value);

/* The set of tokens without one, which is in lower case. In `pool`. */
mirror_header_form_t mirror_header_form_without(const mirror_header_form_t *value,
                                                const char *token, apr_pool_t *pool);

/* Join an array of mirror_header_form_t with a separator and a blank: repeated fields are one list
 * (RFC 9110 5.3). In `pool`. */
mirror_header_form_t mirror_header_form_join(const apr_array_header_t *parts, char separator,
                                             apr_pool_t *pool);

/* Order two mirror_header_form_t by their bytes, for qsort(). */
int mirror_header_form_order(const void *a, const void *b);

#endif
