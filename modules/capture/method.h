/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * capture/method.h - the method of a client's request (RFC 9110 section 9).
 */
#ifndef MIRROR_CAPTURE_METHOD_H
#define MIRROR_CAPTURE_METHOD_H

#include <httpd.h>

typedef struct mirror_method_t {
    const char *name; /* not NUL-terminated; NULL: not read yet */
    apr_size_t len;   /* bytes */
} mirror_method_t;

/* ---- request threads ---- */

/* Read the client's method from the request line of `first`, the client's request. r->method is
 * used only if the request line has no method, because a handler may change it (mod_cgi does, for a
 * local redirect). *method points into the memory of `first`. */
void mirror_method_read(mirror_method_t *method, const request_rec *first);

/* Return whether `method` is `name`; case-sensitive (RFC 9110 9.1). */
int mirror_method_is(const mirror_method_t *method, const char *name);

/* Return whether a request with this method may be sent twice: RFC 9110 9.2.2, and the idempotent
 * methods of WebDAV in IANA's registry. */
int mirror_method_is_idempotent(const mirror_method_t *method);

#endif
