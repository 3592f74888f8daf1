/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/transport.h - plain and TLS transports of a socket (base/tls.h).
 *
 * A WIRE is a connected socket with its transport. Connections to mirrors and to Redis have one.
 * One thread at a time uses a wire. Its url and hostname name the peer; TLS uses them for SNI and
 * verification.
 */
#ifndef MIRROR_BASE_TRANSPORT_H
#define MIRROR_BASE_TRANSPORT_H

#include <apr_network_io.h>

typedef struct mirror_wire_t mirror_wire_t;
typedef struct mirror_tls_t mirror_tls_t; /* base/tls.c */

typedef struct mirror_transport_t {
    /* Prepare the connected socket until `deadline` (mirror_clock_now()). Helper threads. Returns
     * APR_ENOTIMPL if TLS is switched off for the peer. NULL = no preparation. */
    apr_status_t (*open)(mirror_wire_t *wire, apr_time_t deadline);

    /* Any thread. The following functions do not block. */

    /* Read into `buffer`. APR_SUCCESS: *len bytes, 1 or more, were read. APR_EAGAIN: no bytes are
     * available. APR_EOF: the peer has closed its side. Other errors: the connection is lost. */
    apr_status_t (*read)(mirror_wire_t *wire, char *buffer, apr_size_t *len);
    /* Write. *written: accepted bytes, perhaps fewer than given. APR_EAGAIN: no bytes are accepted
     * now. */
    apr_status_t (*write)(mirror_wire_t *wire, const struct iovec *iov, int n, apr_size_t *written);
    /* Send bytes that `write` has accepted and buffered. APR_EAGAIN: bytes remain. NULL = no
     * buffer. */
    apr_status_t (*push)(mirror_wire_t *wire);
    /* Announce the end to the peer; the caller closes the socket next. Only after `open` succeeded.
     * NULL = no announcement. */
    void (*close)(mirror_wire_t *wire);
    /* 1 for TLS: `read` may have bytes that a poll of the socket does not report, so it must be
     * called until APR_EAGAIN. The peer can also reject the connection after the handshake. */
    int tls;
    /* Discard up to *len bytes that were received, without a copy of them. *len: discarded bytes, 1
     * or more. Returns as `read` does; APR_ENOTIMPL: the socket cannot do that, use `read`. NULL =
     * the transport cannot. */
    apr_status_t (*discard)(mirror_wire_t *wire, apr_size_t *len);
} mirror_transport_t;

struct mirror_wire_t {
    const mirror_transport_t *transport;
    apr_pool_t *pool;          /* pool of the wire, its socket and its transport */
    apr_socket_t *socket;      /* its timeout is 0 */
    struct server_rec *server; /* server whose SSLProxy* directives apply */
    /* URL of the peer as a <Proxy> section names it: scheme, host and port */
    const char *url;
    const char *hostname;   /* host of `url`, without brackets */
    const char *alpn;       /* protocol that the handshake must select (RFC 7301); NULL = any */
    apr_uint32_t *given_up; /* atomic: not 0 if the wire is no longer needed, as the child ends */
    mirror_tls_t *tls;      /* NULL = no TLS, or not open yet */
};

/* The interval at which blocking calls on a helper thread check `given_up`. */
#define MIRROR_TRANSPORT_SLICE apr_time_from_msec(50)

extern const mirror_transport_t mirror_transport_plain;

/* ---- helper threads ---- */

/* Wait up to `patience` (microseconds) until the socket is ready for `event` (APR_POLLIN,
 * APR_POLLOUT). APR_TIMEUP: `patience` is over, or the wire is no longer needed. Other errors:
 * those of apr_poll(). */
apr_status_t mirror_transport_wait(const mirror_wire_t *wire, apr_int16_t event,
                                   apr_interval_time_t patience);

#endif
