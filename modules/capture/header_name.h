/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * capture/header_name.h - header names with special treatment: lists that the module appends to,
 * hop-by-hop headers (RFC 9110 7.6.1), and headers that announce a body.
 */
#ifndef MIRROR_CAPTURE_HEADER_NAME_H
#define MIRROR_CAPTURE_HEADER_NAME_H

#include <httpd.h>

/* The treatment of a header line in a copy. */
typedef enum {
    /* lists to which the module appends an element; also the indices of these lists */
    MIRROR_HEADER_FORWARDED_FOR,
    MIRROR_HEADER_FORWARDED_HOST,
    MIRROR_HEADER_FORWARDED_SERVER,
    MIRROR_HEADER_MIRROR,
    MIRROR_HEADER_KEEP,
    MIRROR_HEADER_ENCODING, /* kept; marks a content coding */
    MIRROR_HEADER_HOST,
    MIRROR_HEADER_DROP, /* this one and the following are not sent */
    MIRROR_HEADER_CONNECTION,
    MIRROR_HEADER_LENGTH,
    MIRROR_HEADER_TRANSFER,
    MIRROR_HEADER_UPGRADE,
    MIRROR_HEADER_TE
} mirror_header_name_e;

/* X-Forwarded-For, -Host, -Server and X-Proxy-Mirror. */
#define MIRROR_HEADER_LISTS 4

/* ---- any thread ---- */

/* Return the treatment of the header `name` of `len` bytes. */
mirror_header_name_e mirror_header_name_kind(const char *name, apr_size_t len);

/* Return the name of list `kind`, below MIRROR_HEADER_LISTS. */
const char *mirror_header_name_list(int kind);

/* Return whether ProxyMirrorHeader must not change the header `name`: Host, X-Proxy-Mirror, and
 * headers that a copy never has. */
int mirror_header_name_is_fixed(const char *name);

#endif
