/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/address.h - the addresses of a name: look-up and connect, for mirrors and for Redis.
 *
 * What waits runs on a helper thread. Sockets are closed when a program is executed, so that no
 * CGI program has them. Deadlines are times of mirror_clock_now().
 */
#ifndef MIRROR_BASE_ADDRESS_H
#define MIRROR_BASE_ADDRESS_H

#include <apr_network_io.h>

#include "base/mirror.h"
#include "base/transport.h"

/* the result of a look-up; counted references */
typedef struct mirror_addresses_t mirror_addresses_t;

/* ---- helper threads ---- */

/* Look up the socket, or hostname and port, of `target`. *addresses is a reference of the caller's.
 * Nothing limits how long a name server may take. Errors: apr_sockaddr_info_get's. */
apr_status_t mirror_address_look_up(mirror_addresses_t **addresses, const mirror_target_t *target);

/* Connect wire->socket (in wire->pool; its timeout is then 0) to one of the addresses before
 * `deadline`. Each address gets an equal part of the time that is left, so an address that
 * swallows packets leaves time for the others. The address that worked last is tried first.
 * *tried: the address that is connected, or that the error is of. Errors: those of the last
 * address, apr_socket_create's and apr_socket_connect's, APR_TIMEUP; but if one is local
 * (mirror_address_is_local()), that one. If wire->given_up is set, it ends within
 * MIRROR_TRANSPORT_SLICE with APR_TIMEUP. */
apr_status_t mirror_address_connect(mirror_wire_t *wire, apr_sockaddr_t **tried,
                                    mirror_addresses_t *addresses, apr_time_t deadline);

/* Whether connecting to `address` failed with `rv` for want of descriptors, memory or local ports
 * in this process or host: that says nothing of the other side. EACCES and EPERM (a firewall,
 * SELinux, the mode of a Unix socket) are not local in this sense: they last, and concern this
 * address. Makes a socket in `pool` for a moment. */
int mirror_address_is_local(apr_status_t rv, apr_sockaddr_t *address, apr_pool_t *pool);

/* Whether a look-up failed with `rv` for want of descriptors or memory. */
int mirror_address_lacks_resources(apr_status_t rv);

/* ---- any thread ---- */

/* Count one more reference, or one less. The last one frees the addresses. NULL may be dropped. */
void mirror_address_keep(mirror_addresses_t *addresses);
void mirror_address_drop(mirror_addresses_t *addresses);

/* Return the time of the look-up, by mirror_clock_now(). */
apr_time_t mirror_address_time(const mirror_addresses_t *addresses);

#endif
