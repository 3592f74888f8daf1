/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/headers.h - two blocks of header fields: what differs, as rows.
 *
 * A block is the fields as they came, "Name: value" and LF or CRLF after each, folded lines (RFC 9112
 * 5.2) included. The mirror's bytes are hostile, the primary's may be.
 *
 * The built-in list, names in any case:
 *   not compared   Connection, Keep-Alive, Proxy-*, TE, Trailer, Transfer-Encoding, Upgrade, Via,
 *                  Alt-Svc, Content-Length, Content-MD5, Digest, Content-Digest, Repr-Digest
 *   presence only  Date, Age, Server, X-Powered-By, ETag (and whether it is weak), X-Request-Id, ...
 *   special        Set-Cookie: names and attributes, no values; Expires: relative to Date, 2 s; CSP
 *                  nonces and WWW-Authenticate's nonce are masked; Location and Content-Location
 *                  without scheme and authority
 * Vary, Allow, Cache-Control and Accept-Ranges are sets of tokens; dates are compared as dates.
 */
#ifndef MIRROR_COMPARE_HEADERS_H
#define MIRROR_COMPARE_HEADERS_H

#include <apr_pools.h>
#include <apr_tables.h>
#include <apr_time.h>

#include "compare/rows.h"

/* Fields of a block; further ones are not looked at. */
#define MIRROR_HEADERS_FIELDS_MAX 300

typedef struct mirror_headers_options_t {
    const apr_array_header_t *rules; /* of mirror_compare_rule_t *; NULL: none */
    int decoded; /* the bodies were decoded to compare them: Content-Encoding is not compared, nor
                    Accept-Encoding in Vary */
    apr_time_t now; /* apr_time_now()'s, for shapes of times */
} mirror_headers_options_t;

/* ---- any thread; what is needed meanwhile is in `pool` ---- */

/* Compare the header fields of primary `a` and mirror `b`. Rows have the part MIRROR_PART_HEADER and
 * the field "header/name", with `missing`, `extra` or `value`. A difference that only the built-in
 * list forgives (another Date, another value of a cookie) is a row with built_in; one of a name
 * that is not compared at all is none. A rule `compare` takes a name off the built-in list.
 * rows->ignored counts differences that rules forgive. */
void mirror_headers_compare(mirror_rows_t *rows, const mirror_headers_options_t *options,
                            const char *a, apr_size_t a_len, const char *b, apr_size_t b_len,
                            apr_pool_t *pool);

/* The value of the first field of this name, with further ones joined by ", "; NULL: there is none.
 * In `pool`. */
const char *mirror_headers_find(const char *block, apr_size_t len, const char *name,
                                apr_pool_t *pool);

#endif
