/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * mirror_connect.h - names and sockets, for what runs on helper threads: it waits.
 *
 * Sockets are closed when a program is executed, so that no CGI program has them. Deadlines are
 * mirror_clock_now()'s time.
 */
#ifndef MIRROR_CONNECT_H
#define MIRROR_CONNECT_H

#include <apr_network_io.h>

#include "mirror_transport.h"

/* ---- helper threads ---- */

/* The addresses of `hostname` (a name, or an address without brackets), in `pool`. Nothing limits how long a name server
 * may take. Errors: apr_sockaddr_info_get's. */
apr_status_t mirror_connect_look_up(apr_sockaddr_t **first, const char *hostname, apr_port_t port, apr_pool_t *pool);

/* Connect wire->socket (in wire->pool; its timeout is then 0) to `first` or an address behind it,
 * before `deadline`. Whichever is tried gets an equal part of the time that is left for it and
 * those that follow, so an address that swallows what is sent there leaves time for the others.
 * `worked` (atomic; NULL: not remembered) is the number of the address that was connected last,
 * from 0: it is tried first. *tried: the address that is connected, or that the error is of.
 * Errors: those of the last address, apr_socket_create's and apr_socket_connect's, APR_TIMEUP; but
 * if one is local (mirror_connect_is_local()), that one. If wire->given_up is set, it ends within
 * MIRROR_TRANSPORT_SLICE with APR_TIMEUP. */
apr_status_t mirror_connect_to_any(mirror_wire_t *wire, apr_sockaddr_t **tried,
                                   apr_sockaddr_t *first, apr_uint32_t *worked, apr_time_t deadline);

/* Whether connecting to `address` failed with `rv` for want of descriptors, memory or local ports
 * in this process or host: that says nothing of the other side. EACCES and EPERM (a firewall,
 * SELinux, the mode of a Unix socket) are not local in this sense: they last, and concern this
 * address. Makes a socket in `pool` for a moment. */
int mirror_connect_is_local(apr_status_t rv, apr_sockaddr_t *address, apr_pool_t *pool);

#endif
