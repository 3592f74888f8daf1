/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/body.h - the body of a request that changes a mirror: its type, its bytes, the fields of a
 * form.
 */
#ifndef MIRROR_ADMIN_BODY_H
#define MIRROR_ADMIN_BODY_H

#include <httpd.h>

/* The most bytes of a body. */
#define MIRROR_CHANGE_BODY_MAX 65536

/* ---- request threads ---- */

/* Whether the Content-Type is `type`, whatever its parameters are. */
int mirror_body_is(const request_rec *r, const char *type);

/* Read the whole body. Returns OK, or the status to answer with: 413 if it is too long. */
int mirror_body_read(const char **text, apr_size_t *size, request_rec *r);

/* The fields of a form (application/x-www-form-urlencoded); in r->pool. NULL: it is malformed, or a
 * field is there twice. */
apr_table_t *mirror_body_fields(request_rec *r, const char *text, apr_size_t size);

#endif
