/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/address.c - address lookup and connect. See base/address.h.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>

#include <apr_network_io.h>

#include "base/address.h"
#include "base/clock.h"

#define MIRROR_BACKLOG_NAP apr_time_from_msec(5)
/* apr_poll() counts whole milliseconds, so up to this much may remain after a timeout. */
#define MIRROR_LEAST apr_time_from_msec(1)
/* The remaining time is divided among at most this many addresses, or one of thousands would get less
 * than MIRROR_LEAST. */
#define MIRROR_PARTS 16
/* The APR status of an error of getaddrinfo(3). Some of these errors are negative. */
#define MIRROR_EAI(error) (APR_OS_START_EAIERR + ((error) < 0 ? -(error) : (error)))

struct mirror_addresses_t {
    apr_pool_t *pool;
    apr_sockaddr_t *first;
    apr_uint32_t count;      /* number of addresses from `first` on that are used */
    apr_time_t time;         /* lookup time (mirror_clock_now()) */
    apr_uint32_t worked;     /* atomic: index of the address that was connected last */
    apr_uint32_t references; /* atomic */
};

void mirror_address_keep(mirror_addresses_t *addresses)
{
    apr_atomic_inc32(&addresses->references);
}

void mirror_address_drop(mirror_addresses_t *addresses)
{
    if (addresses && apr_atomic_dec32(&addresses->references) == 0) {
        apr_pool_destroy(addresses->pool);
    }
}

static apr_sockaddr_t *address_at(apr_sockaddr_t *first, apr_uint32_t n)
{
    while (n-- > 0) {
        first = first->next;
    }
    return first;
}

int mirror_address_count(const mirror_addresses_t *addresses)
{
    return (int)addresses->count;
}

apr_sockaddr_t *mirror_address_first(const mirror_addresses_t *addresses)
{
    return addresses->first;
}

mirror_addresses_t *mirror_address_single(const mirror_addresses_t *addresses,
                                          const apr_sockaddr_t *address)
{
    apr_pool_t *pool = mirror_memory_pool_create("mirror_addresses");
    mirror_addresses_t *single = apr_pcalloc(pool, sizeof(*single));
    apr_sockaddr_t alone = *address;

    alone.next = NULL; /* or all that follow are copied */
    if (apr_sockaddr_info_copy(&single->first, &alone, pool) != APR_SUCCESS) {
        apr_pool_destroy(pool);
        return NULL;
    }
    single->pool = pool;
    single->count = 1;
    single->time = addresses->time;
    single->references = 1;
    return single;
}

apr_time_t mirror_address_time(const mirror_addresses_t *addresses)
{
    return addresses->time;
}

/* ---- a name, a socket ---- */

apr_status_t mirror_address_look_up(mirror_addresses_t **out, const mirror_target_t *target)
{
    /* used by the thread that drops the last reference */
    apr_pool_t *pool = mirror_memory_pool_create("mirror_addresses");
    mirror_addresses_t *addresses = apr_pcalloc(pool, sizeof(*addresses));
    apr_status_t rv = target->socket ? apr_sockaddr_info_get(&addresses->first, target->socket,
                                                             APR_UNIX, 0, 0, pool)
                                     : apr_sockaddr_info_get(&addresses->first, target->hostname,
                                                             APR_UNSPEC, target->port, 0, pool);
    apr_sockaddr_t *address;

    if (rv != APR_SUCCESS) {
        apr_pool_destroy(pool);
        return rv;
    }
    addresses->pool = pool;
    addresses->time = mirror_clock_now();
    addresses->references = 1;
    for (address = addresses->first; address; address = address->next) {
        addresses->count++;
    }
    *out = addresses;
    return APR_SUCCESS;
}

/* Return whether `rv` is a shortage of this process, independent of the peer. */
static int is_out_of_resources(apr_status_t rv)
{
    return APR_STATUS_IS_EMFILE(rv) || rv == ENFILE || rv == ENOBUFS || APR_STATUS_IS_ENOMEM(rv);
}

/* Return whether the host has a source address for `address`. Connecting a datagram socket sends no
 * packet and uses no TCP port. */
static int has_source(apr_sockaddr_t *address, apr_pool_t *pool)
{
    apr_socket_t *socket;
    apr_status_t rv = apr_socket_create(&socket, address->family, SOCK_DGRAM, APR_PROTO_UDP, pool);

    if (rv == APR_SUCCESS) {
        rv = apr_socket_connect(socket, address);
        apr_socket_close(socket);
    }
    return rv != EADDRNOTAVAIL;
}

int mirror_address_lacks_resources(apr_status_t rv)
{
    return is_out_of_resources(rv) || rv == MIRROR_EAI(EAI_MEMORY);
}

int mirror_address_is_local(apr_status_t rv, apr_sockaddr_t *address, apr_pool_t *pool)
{
    if (is_out_of_resources(rv)) {
        return 1;
    }
    /* EADDRNOTAVAIL: all ports to this address are in use; or, with IPv6, the host has no source
     * address. */
    return address->family != APR_UNIX &&
           (APR_STATUS_IS_EAGAIN(rv) || (rv == EADDRNOTAVAIL && has_source(address, pool)));
}

/* Return whether a connect that failed with `rv` continues with another call. A Unix socket whose
 * backlog is full rejects at once. */
static int is_under_way(apr_status_t rv, const apr_sockaddr_t *address)
{
    return APR_STATUS_IS_TIMEUP(rv) || APR_STATUS_IS_EINTR(rv) ||
           (address->family == APR_UNIX && APR_STATUS_IS_EAGAIN(rv));
}

/* Connect to `address` alone. */
static apr_status_t connect_to(mirror_wire_t *wire, apr_sockaddr_t *address, apr_time_t deadline)
{
    int protocol = address->family == APR_UNIX ? 0 : APR_PROTO_TCP;
    apr_interval_time_t left = deadline - mirror_clock_now();
    apr_socket_t *socket;
    apr_status_t rv;

    wire->socket = NULL;
    if (left < MIRROR_LEAST) {
        return APR_TIMEUP;
    }
    rv = apr_socket_create(&socket, address->family, SOCK_STREAM, protocol, wire->pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    do {
        apr_socket_timeout_set(socket,
                               left < MIRROR_TRANSPORT_SLICE ? left : MIRROR_TRANSPORT_SLICE);
        rv = apr_socket_connect(socket, address);
        if (APR_STATUS_IS_EAGAIN(rv) && address->family == APR_UNIX) {
            apr_sleep(MIRROR_BACKLOG_NAP);
        }
        left = deadline - mirror_clock_now();
    } while (is_under_way(rv, address) && left >= MIRROR_LEAST &&
             !apr_atomic_read32(wire->given_up));
    if (rv != APR_SUCCESS) {
        apr_socket_close(socket);
        return rv;
    }
    apr_socket_opt_set(socket, APR_TCP_NODELAY, 1);
    wire->socket = socket;
    return apr_socket_timeout_set(socket, 0);
}

/* Return the part of the time until `deadline` for the next of `left` addresses. */
static apr_time_t end_of_part(apr_time_t deadline, apr_uint32_t left)
{
    apr_time_t now = mirror_clock_now();

    return now + (deadline - now) / (apr_time_t)(left < MIRROR_PARTS ? left : MIRROR_PARTS);
}

apr_status_t mirror_address_connect(mirror_wire_t *wire, apr_sockaddr_t **tried,
                                    mirror_addresses_t *addresses, apr_time_t deadline)
{
    apr_status_t rv, failure = APR_TIMEUP;
    apr_uint32_t count = addresses->count, best = apr_atomic_read32(&addresses->worked), i, n = 0;
    apr_sockaddr_t *first = addresses->first, *address = first;
    int local = 0;

    best = best < count ? best : 0;
    *tried = first;
    for (i = 0; i < count && !apr_atomic_read32(wire->given_up); i++) {
        /* the best address, then all others in their order; there may be thousands */
        apr_uint32_t before = n;

        n = i == 0 ? best : i <= best ? i - 1 : i;
        address = i > 0 && n == before + 1 ? address->next : address_at(first, n);
        rv = connect_to(wire, address, end_of_part(deadline, count - i));
        if (rv == APR_SUCCESS) {
            if (n != best) {
                apr_atomic_set32(&addresses->worked, n);
            }
            *tried = address;
            return APR_SUCCESS;
        }
        if (!local) {
            *tried = address;
            failure = rv;
            local = mirror_address_is_local(rv, address, wire->pool);
        }
    }
    return failure;
}
