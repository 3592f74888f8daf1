/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/tls.h - TLS to mirrors and to Redis, by mod_ssl.
 *
 * A wire has an httpd conn_rec in its own pool, with mod_ssl's filters and, below them, a pair of
 * this module's filters next to the socket. mod_ssl does not access the socket. So only the
 * handshake blocks, until its deadline.
 *
 *     owner of the wire    read, write, push
 *     c->input_filters,    mod_ssl's: plain text <-> TLS
 *     c->output_filters    ours: TLS <-> socket; buffers bytes that the socket does not accept
 *                          httpd's core filters, which are never reached
 *
 * The SSLProxy* directives in force are those of the wire's server, or of the last <Proxy> section
 * for its URL that has any.
 */
#ifndef MIRROR_BASE_TLS_H
#define MIRROR_BASE_TLS_H

#include "base/transport.h"

/* ---- startup ---- */

void mirror_tls_register(apr_pool_t *p);

/* Check whether TLS to `url` (of a wire) is possible for `server`. Returns NULL, or a message about
 * the missing part, in `pool`; `what` in the message is the feature that requires TLS. Request
 * threads, and post_config after those of mod_ssl and mod_proxy. In check_config a missing
 * SSLProxyEngine is not detected. */
const char *mirror_tls_missing(const char *what, struct server_rec *server, const char *url,
                               apr_pool_t *pool);

/* ---- `open`: helper threads; the other functions: any thread ---- */

extern const mirror_transport_t mirror_tls_transport;

#endif
