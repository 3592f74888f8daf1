/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * mirror_tls.h - TLS to mirrors, by mod_ssl.
 *
 * A connection has a conn_rec of httpd's in its own pool, with mod_ssl's filters in it and a pair of ours below them,
 * next to the socket. mod_ssl never touches the socket: so nothing waits but the handshake, and that no longer than one
 * deadline.
 *
 *     mirror_connection    read, write, push
 *     c->input_filters,    mod_ssl's: plain text <-> TLS
 *     c->output_filters    ours: TLS <-> socket; keeps what the socket does not take
 *                          httpd's core filters, which nothing ever gets to
 *
 * The SSLProxy* directives are those of the mirror's server, or of the last <Proxy> section for its URL that has any.
 */
#ifndef MIRROR_TLS_H
#define MIRROR_TLS_H

#include "mirror_connection.h"

/* ---- startup ---- */

void mirror_tls_register(apr_pool_t *p);

/* NULL if TLS to `mirror` is possible, else what is missing, for people, in `pool`. To be asked in post_config, after
 * mod_ssl's and mod_proxy's. */
const char *mirror_tls_missing(const mirror_t *mirror, apr_pool_t *pool);

/* ---- helper threads open, the sender does the rest ---- */

extern const mirror_transport_t mirror_tls_transport;

#endif
