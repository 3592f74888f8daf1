/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/authority.h - the parser of host:port (RFC 3986 3.2, without userinfo).
 *
 * The caller checks the characters of the host.
 */
#ifndef MIRROR_BASE_AUTHORITY_H
#define MIRROR_BASE_AUTHORITY_H

#include <apr_network_io.h>

typedef struct mirror_authority_t {
    const char *host;  /* within the text, without brackets; not terminated */
    apr_size_t length; /* of the host, bytes; 0 = none */
    int is_bracketed;  /* the host is in brackets, so it should be an IPv6 address */
    apr_port_t port;   /* 1 to 65535; 0 = the text has none */
} mirror_authority_t;

/* ---- any thread ---- */

/* Split "host", "host:port", "[address]" or "[address]:port". Returns NULL, or the reason why
 * `text` has none of these forms, such as "its port is malformed". If a reason is returned,
 * *authority is undefined. */
const char *mirror_authority_split(mirror_authority_t *authority, const char *text);

/* Split at the last colon. Redis redirections contain IPv6 addresses without brackets. A text
 * without a colon has no port. Returns and errors as above. */
const char *mirror_authority_split_last(mirror_authority_t *authority, const char *text);

#endif
