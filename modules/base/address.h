/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/address.h - address lookup and connect, for mirrors and Redis.
 *
 * Blocking functions run on a helper thread. Sockets are close-on-exec, so CGI programs do not
 * inherit them. Deadlines are times of mirror_clock_now().
 */
#ifndef MIRROR_BASE_ADDRESS_H
#define MIRROR_BASE_ADDRESS_H

#include <apr_network_io.h>

#include "base/mirror.h"
#include "base/transport.h"

/* The result of a lookup; reference counted. */
typedef struct mirror_addresses_t mirror_addresses_t;

/* ---- helper threads ---- */

/* Look up the socket, or hostname and port, of `target`. The caller owns one reference to
 * *addresses. The lookup has no timeout. Errors: those of apr_sockaddr_info_get(). */
apr_status_t mirror_address_look_up(mirror_addresses_t **addresses, const mirror_target_t *target);

/* Connect wire->socket to one of the addresses before `deadline`. The socket is allocated in
 * wire->pool; its timeout is 0 on return. The address that worked last is tried first. Each address
 * gets an equal part of the remaining time, at least a 16th, so an unresponsive address leaves time
 * for the others.
 * *tried: the connected address, or the address that the error belongs to. Errors: of the last
 * address, those of apr_socket_create() and apr_socket_connect(), and APR_TIMEUP. A local error
 * (mirror_address_is_local()) takes precedence. If wire->given_up is set, the function returns
 * APR_TIMEUP within MIRROR_TRANSPORT_SLICE. */
apr_status_t mirror_address_connect(mirror_wire_t *wire, apr_sockaddr_t **tried,
                                    mirror_addresses_t *addresses, apr_time_t deadline);

/* Return whether connecting to `address` failed with `rv` because this process or host lacks
 * descriptors, memory or local ports. Such an error is no evidence about the peer. EACCES and EPERM
 * (a firewall, SELinux, the mode of a Unix socket) are not local in this sense: they persist, and
 * concern this address. A temporary socket is created in `pool`. */
int mirror_address_is_local(apr_status_t rv, apr_sockaddr_t *address, apr_pool_t *pool);

/* Return whether a lookup failed with `rv` for lack of descriptors or memory. */
int mirror_address_lacks_resources(apr_status_t rv);

/* ---- any thread ---- */

/* Add or drop a reference. The last drop frees the addresses. NULL may be dropped. */
void mirror_address_keep(mirror_addresses_t *addresses);
void mirror_address_drop(mirror_addresses_t *addresses);

/* Return the number of addresses, and the first one of the list. */
int mirror_address_count(const mirror_addresses_t *addresses);
apr_sockaddr_t *mirror_address_first(const mirror_addresses_t *addresses);

/* Return a copy of one of the addresses, of which the caller owns a reference; NULL = out of
 * memory. */
mirror_addresses_t *mirror_address_single(const mirror_addresses_t *addresses,
                                          const apr_sockaddr_t *address);

/* Return the time of the lookup, by mirror_clock_now(). */
apr_time_t mirror_address_time(const mirror_addresses_t *addresses);

#endif
