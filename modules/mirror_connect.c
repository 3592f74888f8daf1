/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * mirror_connect.c - helper threads: look up a name, connect, shake hands. See mirror_connect.h.
 *
 * A task is a chain of connections to one mirror. Each is handed to the sender as soon as it is open. What makes one
 * fail makes the rest of the chain fail: the mirror is then down for all of them. Everything used here outlives the
 * child's pools, as a look-up cannot be ended from outside.
 */
#include <apr_network_io.h>
#include <apr_portable.h>
#include <apr_strings.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>

#include "mirror_clock.h"
#include "mirror_connect.h"
#include "mirror_connection.h"

#define MIRROR_BACKLOG_NAP apr_time_from_msec(5)

struct mirror_addresses_t {
    apr_pool_t *pool;
    apr_sockaddr_t *first;
    apr_time_t time;
    apr_uint32_t references; /* atomic */
};

void mirror_addresses_keep(mirror_addresses_t *addresses)
{
    apr_atomic_inc32(&addresses->references);
}

void mirror_addresses_drop(mirror_addresses_t *addresses)
{
    if (addresses && apr_atomic_dec32(&addresses->references) == 0) {
        apr_pool_destroy(addresses->pool);
    }
}

apr_time_t mirror_addresses_time(const mirror_addresses_t *addresses)
{
    return addresses->time;
}

/* ---- a name, a socket ---- */

apr_status_t mirror_connect_look_up(apr_sockaddr_t **first, const char *hostname, apr_port_t port, apr_pool_t *pool)
{
    return apr_sockaddr_info_get(first, hostname, APR_UNSPEC, port, 0, pool);
}

apr_status_t mirror_connect_to(apr_socket_t **out, apr_sockaddr_t *address, apr_interval_time_t patience,
                               apr_pool_t *pool)
{
    apr_time_t deadline = mirror_clock_now() + patience;
    apr_socket_t *socket;
    apr_status_t rv;

    *out = NULL;
    if (patience < apr_time_from_msec(1)) { /* a poll counts whole ones, so this is what one that timed out has left */
        return APR_TIMEUP;
    }
    rv = apr_socket_create(&socket, address->family, SOCK_STREAM, address->family == APR_UNIX ? 0 : APR_PROTO_TCP, pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    apr_socket_timeout_set(socket, patience);
    rv = apr_socket_connect(socket, address);
    while (APR_STATUS_IS_EAGAIN(rv) && mirror_clock_now() < deadline) { /* a Unix socket whose backlog is full */
        apr_sleep(MIRROR_BACKLOG_NAP);
        rv = apr_socket_connect(socket, address);
    }
    if (rv != APR_SUCCESS) {
        apr_socket_close(socket);
        return rv;
    }
    apr_socket_opt_set(socket, APR_TCP_NODELAY, 1);
    *out = socket;
    return apr_socket_timeout_set(socket, 0);
}

/* ---- one connection to a mirror ---- */

static apr_status_t look_up(mirror_connection_t *c)
{
    const mirror_target_t *target = &c->settings->target;
    apr_pool_t *pool = mirror_memory_pool_create("mirror_addresses"); /* of whoever drops the last reference */
    mirror_addresses_t *addresses = apr_pcalloc(pool, sizeof(*addresses));
    apr_status_t rv;

    addresses->pool = pool;
    rv = target->socket ? apr_sockaddr_info_get(&addresses->first, target->socket, APR_UNIX, 0, 0, pool)
                        : mirror_connect_look_up(&addresses->first, target->hostname, target->port, pool);
    if (rv != APR_SUCCESS) {
        apr_pool_destroy(pool);
        c->failed_at = apr_pstrcat(c->pool, "look-up of ", target->hostname, NULL);
        return rv;
    }
    addresses->time = mirror_clock_now();
    addresses->references = 1;
    c->addresses = addresses;
    return APR_SUCCESS;
}

static int is_out_of_descriptors(apr_status_t rv)
{
    return APR_STATUS_IS_EMFILE(rv) || rv == ENFILE || rv == ENOBUFS || APR_STATUS_IS_ENOMEM(rv);
}

/* What the transport has to do on the socket; not once the child ends, when what it needs may be unloaded. */
static void shake_hands(mirror_connection_t *c, apr_sockaddr_t *address, apr_time_t deadline)
{
    if (!c->wire.transport->open) {
        return;
    }
    c->status = apr_atomic_read32(c->wire.given_up) ? APR_EGENERAL : c->wire.transport->open(&c->wire, deadline);
    if (c->status != APR_SUCCESS) {
        c->failed_at = apr_psprintf(c->pool, "TLS handshake with %pI (%s)", address, c->settings->target.hostname);
        c->failure = apr_atomic_read32(c->wire.given_up) ? MIRROR_OUTCOME_SHUT_DOWN : MIRROR_OUTCOME_TLS_FAILED;
    }
}

static void open_connection(mirror_connection_t *c)
{
    apr_time_t deadline;
    apr_sockaddr_t *address;

    c->status = c->addresses ? APR_SUCCESS : look_up(c);
    if (c->status != APR_SUCCESS) {
        c->failure = MIRROR_OUTCOME_UNREACHABLE;
        return;
    }
    deadline = mirror_clock_now() + c->settings->connect_timeout;
    for (address = c->addresses->first; address; address = address->next) {
        c->status = mirror_connect_to(&c->wire.socket, address, deadline - mirror_clock_now(), c->pool);
        if (c->status == APR_SUCCESS) {
            shake_hands(c, address, deadline);
            return;
        }
        c->failed_at = c->settings->target.socket
                           ? apr_psprintf(c->pool, "connect to %s", c->settings->target.socket)
                           : apr_psprintf(c->pool, "connect to %pI (%s)", address, c->settings->target.hostname);
        if (is_out_of_descriptors(c->status)) {
            break;
        }
    }
    c->failure = is_out_of_descriptors(c->status) ? MIRROR_OUTCOME_MEMORY_FULL : MIRROR_OUTCOME_UNREACHABLE;
}

/* ---- the task ---- */

/* The rest of the chain fails as `c` did, or is not tried as the child stops. */
static void fail_as(mirror_connection_t *next, const mirror_connection_t *c)
{
    next->status = c->status;
    next->failure = c->failure;
    next->failed_at = apr_pstrdup(next->pool, c->failed_at);
}

void *mirror_connect_run(apr_thread_t *thread, void *chain)
{
    mirror_connection_t *c = chain, *next;

    (void)thread;
#ifdef __linux__
    pthread_setname_np(pthread_self(), "mirror-helper");
#endif
    for (; c; c = next) {
        next = c->next;
        if (c->status == APR_SUCCESS) {
            if (apr_atomic_read32(c->wire.given_up)) {
                c->status = APR_EGENERAL;
                c->failure = MIRROR_OUTCOME_SHUT_DOWN;
                c->failed_at = "nothing";
            }
            else {
                open_connection(c);
            }
        }
        if (next && c->status != APR_SUCCESS) {
            fail_as(next, c);
        }
        else if (next && !next->addresses) {
            mirror_addresses_keep(c->addresses);
            next->addresses = c->addresses;
        }
        /* From here on it is the sender's. */
        mirror_queue_push(c->reports, &c->item);
    }
    return NULL;
}
