/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/tls.h - TLS to mirrors and to Redis, by mod_ssl.
 *
 * A wire has a conn_rec of httpd's in its own pool, with mod_ssl's filters in it and a pair of
 * ours below them, next to the socket. mod_ssl never touches the socket: so nothing waits but the
 * handshake, and that no longer than one deadline.
 *
 *     whose wire it is     read, write, push
 *     c->input_filters,    mod_ssl's: plain text <-> TLS
 *     c->output_filters    ours: TLS <-> socket; keeps what the socket does not take
 *                          httpd's core filters, which nothing ever gets to
 *
 * The SSLProxy* directives are those of the wire's server, or of the last <Proxy> section for its
 * URL that has any.
 */
#ifndef MIRROR_BASE_TLS_H
#define MIRROR_BASE_TLS_H

#include "base/transport.h"

/* ---- startup ---- */

void mirror_tls_register(apr_pool_t *p);

/* NULL if TLS to `url` (of a wire) is possible for `server`, else what is missing,
 * for people, in `pool`; `what` needs it. Also on request threads; at startup in post_config,
 * after mod_ssl's and mod_proxy's. In check_config it does not find that SSLProxyEngine is
 * missing. */
const char *mirror_tls_missing(const char *what, struct server_rec *server, const char *url,
                               apr_pool_t *pool);

/* ---- helper threads open, any thread does the rest ---- */

extern const mirror_transport_t mirror_tls_transport;

#endif
