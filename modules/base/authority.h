/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/authority.h - the one parser of host:port (RFC 3986 3.2, without userinfo).
 *
 * Which characters a host may have is the caller's matter.
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

/* Split "host", "host:port", "[address]" or "[address]:port". Returns NULL, or why `text` is none
 * of them, as "its port is malformed"; *authority is then undefined. */
const char *mirror_authority_split(mirror_authority_t *authority, const char *text);

/* Split at the last colon, for Redis, whose redirections have IPv6 addresses without brackets.
 * Returns and errors as above; a text without a colon has no port. */
const char *mirror_authority_split_last(mirror_authority_t *authority, const char *text);

#endif
