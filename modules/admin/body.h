/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/body.h - the body of a request that changes a mirror: content type, bytes, form fields.
 */
#ifndef MIRROR_ADMIN_BODY_H
#define MIRROR_ADMIN_BODY_H

#include <httpd.h>

/* The maximum length of a body, bytes. */
#define MIRROR_CHANGE_BODY_MAX 65536

/* ---- request threads ---- */

/* Return whether the Content-Type is `type`, with any parameters. */
int mirror_body_is(const request_rec *r, const char *type);

/* Read the whole body. Returns OK, or the status of the response: 413 if the body is too long. */
int mirror_body_read(const char **text, apr_size_t *size, request_rec *r);

/* Return the fields of a form (application/x-www-form-urlencoded), in r->pool. NULL = malformed, or
 * a duplicate field. */
apr_table_t *mirror_body_fields(request_rec *r, const char *text, apr_size_t size);

#endif
