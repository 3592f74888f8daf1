/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/transport.h - how bytes get to a socket and from it: as they are, or through TLS
 * (base/tls.h).
 *
 * A WIRE is a connected socket with its transport. Connections to mirrors have one, and so have
 * those to Redis. It is used by one thread at a time. What it is made of says whom it leads to:
 * TLS asks for that, and checks it.
 */
#ifndef MIRROR_BASE_TRANSPORT_H
#define MIRROR_BASE_TRANSPORT_H

#include <apr_network_io.h>

typedef struct mirror_wire_t mirror_wire_t;
typedef struct mirror_tls_t mirror_tls_t; /* base/tls.c */

typedef struct mirror_transport_t {
    /* helper threads: what is to be done once the socket is connected, at most until `deadline`
     * (mirror_clock_now()); NULL: nothing. APR_ENOTIMPL: TLS is switched off for whom it leads to.
     * */
    apr_status_t (*open)(mirror_wire_t *wire, apr_time_t deadline);

    /* any thread; none of these waits */

    /* APR_SUCCESS: *len bytes, 1 or more, are in `buffer`. APR_EAGAIN: there is nothing. APR_EOF:
     * the other side has ended what it says. Anything else: the connection is lost. */
    apr_status_t (*read)(mirror_wire_t *wire, char *buffer, apr_size_t *len);
    /* *written bytes, perhaps fewer than there are, were taken. APR_EAGAIN: none can be now. */
    apr_status_t (*write)(mirror_wire_t *wire, const struct iovec *iov, int n, apr_size_t *written);
    /* Send on what `write` has taken and still holds; APR_EAGAIN: there is more. NULL: it holds
     * nothing. */
    apr_status_t (*push)(mirror_wire_t *wire);
    /* Tell the other side that this is the end; the socket is closed next. Only after `open` went
     * well. NULL: nothing is told. */
    void (*close)(mirror_wire_t *wire);
    /* `read` may have bytes that a poll of the socket does not see, so it has to be called until
     * APR_EAGAIN; and the other side can refuse us although the connection came about. */
    int tls;
} mirror_transport_t;

struct mirror_wire_t {
    const mirror_transport_t *transport;
    apr_pool_t *pool;     /* that it lives in, with its socket and all that the transport needs */
    apr_socket_t *socket; /* its timeout is 0 */
    struct server_rec *server; /* whose SSLProxy* directives hold */
    /* whom it leads to, as a <Proxy> section would name it: scheme, host and port */
    const char *url;
    const char *hostname;   /* the host of that, without brackets */
    apr_uint32_t *given_up; /* atomic: not 0: nobody needs it any more, as the child ends */
    mirror_tls_t *tls;      /* NULL without TLS, or before it is open */
};

/* How often what waits on a helper thread looks at `given_up`. */
#define MIRROR_TRANSPORT_SLICE apr_time_from_msec(50)

extern const mirror_transport_t mirror_transport_plain;

/* ---- helper threads ---- */

/* Wait until the socket is ready for `event` (APR_POLLIN, APR_POLLOUT), for no longer than
 * `patience`. APR_TIMEUP: that is over, or nobody needs the wire any more. Other errors:
 * apr_poll's. */
apr_status_t mirror_transport_wait(const mirror_wire_t *wire, apr_int16_t event,
                                   apr_interval_time_t patience);

#endif
