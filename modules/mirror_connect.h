/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * mirror_connect.h - names and sockets, for what runs on helper threads: it waits.
 *
 * Sockets are closed when a program is executed, so that no CGI program has them.
 */
#ifndef MIRROR_CONNECT_H
#define MIRROR_CONNECT_H

#include <apr_network_io.h>

/* ---- helper threads ---- */

/* The addresses of `hostname` (a name, or an address without brackets), in `pool`. Nothing limits how long a name server
 * may take. Errors: apr_sockaddr_info_get's. */
apr_status_t mirror_connect_look_up(apr_sockaddr_t **first, const char *hostname, apr_port_t port, apr_pool_t *pool);

/* Connect to `address` (not to those behind it) within `patience`. *socket lives in `pool`, its timeout is 0; NULL with
 * an error. Errors: apr_socket_create's, apr_socket_connect's; APR_TIMEUP. */
apr_status_t mirror_connect_to(apr_socket_t **socket, apr_sockaddr_t *address, apr_interval_time_t patience,
                               apr_pool_t *pool);

#endif
