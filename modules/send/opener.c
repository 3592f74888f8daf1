/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/opener.c - helper threads: lookup, connect and TLS handshake of connections to a mirror.
 *
 * A task is a chain of connections to one mirror. Each connection is passed to the sender as soon
 * as it is open. If one fails, the rest of the chain fails with the same error, because the mirror
 * is down for all of them. All data used here outlives the child's pools, because a lookup cannot
 * be interrupted.
 */
#include <apr_strings.h>

#include "base/address.h"
#include "base/clock.h"
#include "send/connection.h"

/* ---- one connection to a mirror ---- */

/* Look up the mirror's addresses for this connection. */
static apr_status_t look_up(mirror_connection_t *c)
{
    apr_status_t rv = mirror_address_look_up(&c->addresses, c->peer);

    if (rv != APR_SUCCESS) {
        c->failed_at = apr_pstrcat(c->pool, "lookup of ", c->peer->hostname, NULL);
    }
    return rv;
}

/* Run the transport's `open`, such as the TLS handshake; not if the child ends, because mod_ssl may
 * be unloaded. */
static void shake_hands(mirror_connection_t *c, apr_sockaddr_t *address, apr_time_t deadline)
{
    if (!c->wire.transport->open) {
        return;
    }
    c->status = apr_atomic_read32(c->wire.given_up) ? APR_EGENERAL
                                                    : c->wire.transport->open(&c->wire, deadline);
    if (c->status != APR_SUCCESS) {
        c->failed_at = apr_psprintf(c->pool, "TLS handshake with %pI (%s%s%s)", address,
                                    c->peer->hostname, c->protocol->alpn ? ", ALPN " : "",
                                    c->protocol->alpn ? c->protocol->alpn : "");
        c->failure = apr_atomic_read32(c->wire.given_up) ? MIRROR_OUTCOME_SHUT_DOWN
                                                         : MIRROR_OUTCOME_TLS_FAILED;
    }
}

static void open_connection(mirror_connection_t *c)
{
    const mirror_target_t *target = c->peer;
    apr_sockaddr_t *address;
    apr_time_t deadline;

    c->status = c->addresses ? APR_SUCCESS : look_up(c);
    if (c->status != APR_SUCCESS) {
        c->failure = mirror_address_lacks_resources(c->status) ? MIRROR_OUTCOME_MEMORY_FULL
                                                               : MIRROR_OUTCOME_UNREACHABLE;
        return;
    }
    if (c->lookup_only) {
        return;
    }
    deadline = mirror_clock_now() + c->settings->connect_timeout;
    c->status = mirror_address_connect(&c->wire, &address, c->addresses, deadline);
    if (c->status == APR_SUCCESS) {
        shake_hands(c, address, deadline);
        return;
    }
    c->failed_at = target->socket
                       ? apr_psprintf(c->pool, "connect to %s", target->socket)
                       : apr_psprintf(c->pool, "connect to %pI (%s)", address, target->hostname);
    if (apr_atomic_read32(c->wire.given_up)) {
        c->failure = MIRROR_OUTCOME_SHUT_DOWN;
        return;
    }
    c->failure = mirror_address_is_local(c->status, address, c->pool) ? MIRROR_OUTCOME_MEMORY_FULL
                                                                      : MIRROR_OUTCOME_UNREACHABLE;
}

/* ---- the task ---- */

/* Fail the rest of the chain like `c`; also if the child stops. */
static void fail_as(mirror_connection_t *next, const mirror_connection_t *c)
{
    next->status = c->status;
    next->failure = c->failure;
    next->failed_at = apr_pstrdup(next->pool, c->failed_at);
}

void mirror_opener_run(void *chain)
{
    mirror_connection_t *c = chain, *next;

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
            mirror_address_keep(c->addresses);
            next->addresses = c->addresses;
        }
        /* The sender owns it from here. */
        mirror_queue_push(c->reports, &c->item);
    }
}
