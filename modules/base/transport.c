/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/transport.c - the plain transport, and waiting for a socket. See base/transport.h.
 */
#include <apr_atomic.h>
#include <apr_poll.h>
#include <apr_portable.h>
#include <apr_time.h>
#include <errno.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/transport.h"

apr_status_t mirror_transport_wait(const mirror_wire_t *wire, apr_int16_t event,
                                   apr_interval_time_t patience)
{
    apr_time_t deadline = mirror_clock_now() + patience;
    apr_pollfd_t pollfd = { 0 };
    apr_interval_time_t left;
    apr_int32_t n;
    apr_status_t rv;

    pollfd.p = wire->pool;
    pollfd.desc_type = APR_POLL_SOCKET;
    pollfd.desc.s = wire->socket;
    pollfd.reqevents = event;
    do {
        left = deadline - mirror_clock_now();
        if (left <= 0 || apr_atomic_read32(wire->given_up)) {
            return APR_TIMEUP;
        }
        left = left < MIRROR_TRANSPORT_SLICE ? left : MIRROR_TRANSPORT_SLICE;
        rv = apr_poll(&pollfd, 1, &n, left + 999); /* a poll counts milliseconds; round up */
    } while (APR_STATUS_IS_TIMEUP(rv) || APR_STATUS_IS_EINTR(rv));
    return rv;
}

static apr_status_t plain_read(mirror_wire_t *wire, char *buffer, apr_size_t *len)
{
    apr_status_t rv = apr_socket_recv(wire->socket, buffer, len);

    return rv == APR_SUCCESS && *len == 0 ? APR_EOF : rv;
}

static apr_status_t plain_write(mirror_wire_t *wire, const struct iovec *iov, int n,
                                apr_size_t *written)
{
    return apr_socket_sendv(wire->socket, iov, n, written);
}

/* Linux discards bytes of TCP with MSG_TRUNC (tcp(7)). On a Unix socket the flag has no effect. */
static apr_status_t plain_discard(mirror_wire_t *wire, apr_size_t *len)
{
#ifdef __linux__
    apr_os_sock_t fd;
    int domain;
    socklen_t size = sizeof(domain);
    ssize_t n;

    apr_os_sock_get(&fd, wire->socket);
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 ||
        (domain != AF_INET && domain != AF_INET6)) {
        return APR_ENOTIMPL;
    }
    do {
        n = recv(fd, NULL, *len, MSG_TRUNC);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return errno;
    }
    *len = (apr_size_t)n;
    return n > 0 ? APR_SUCCESS : APR_EOF;
#else
    (void)wire;
    (void)len;
    return APR_ENOTIMPL;
#endif
}

const mirror_transport_t mirror_transport_plain = { NULL, plain_read, plain_write,  NULL,
                                                    NULL, 0,          plain_discard };
