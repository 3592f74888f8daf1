/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * redis/redis_connection.c - a connection to a Redis server. See redis/redis_connection.h.
 */
#include <stdlib.h>
#include <string.h>

#include <apr_atomic.h>
#include <apr_poll.h>
#include <apr_strings.h>
#include <hiredis/hiredis.h>

#include "base/address.h"
#include "base/clock.h"
#include "redis/redis_connection.h"

/* The maximum idle time. An older connection is replaced, because a firewall may have dropped its
 * state. */
#define IDLE_MAX apr_time_from_sec(30)

struct mirror_redis_connection_t {
    apr_pool_t *pool;
    mirror_wire_t wire;
    mirror_redis_reader_t *reader;
    const char *host;
    apr_port_t port;
    const char *password; /* must not be logged; NULL = none */
    apr_time_t used;      /* last */
    int stale;
};

/* ---- faults ---- */

static void put_fault(char fault[MIRROR_REDIS_FAULT], const char *host, apr_port_t port,
                      const char *what, const char *why)
{
    char *p;

    apr_snprintf(fault, MIRROR_REDIS_FAULT, "Redis %.64s:%u: %s%s%s", host, (unsigned)port, what,
                 why && *why ? ": " : "", why ? why : "");
    for (p = fault; *p; p++) {
        *p = *p < ' ' || *p > '~' ? '?' : *p;
    }
}

static apr_status_t put_error(char fault[MIRROR_REDIS_FAULT], const char *host, apr_port_t port,
                              const char *what, apr_status_t rv)
{
    char why[80];

    put_fault(fault, host, port, what, apr_strerror(rv, why, sizeof(why)));
    return rv;
}

/* Redis may repeat arguments in an error, so only the first word is shown. */
void mirror_redis_connection_refuse(char fault[MIRROR_REDIS_FAULT],
                                    const mirror_redis_connection_t *redis,
                                    const mirror_redis_reply_t *reply)
{
    char text[96];

    apr_cpystrn(text, reply->type == MIRROR_REDIS_ERROR ? reply->text : "", sizeof(text));
    if (redis->password && strstr(reply->text, redis->password)) {
        text[strcspn(text, " ")] = '\0';
    }
    put_fault(fault, redis->host, redis->port,
              reply->type == MIRROR_REDIS_ERROR ? "error" : "a reply of a wrong type", text);
}

/* ---- bytes ---- */

static apr_status_t wait_for(mirror_redis_connection_t *redis, apr_int16_t event,
                             apr_time_t deadline)
{
    return mirror_transport_wait(&redis->wire, event, deadline - mirror_clock_now());
}

static apr_status_t write_all(mirror_redis_connection_t *redis, char *bytes, apr_size_t len,
                              apr_time_t deadline)
{
    const mirror_transport_t *transport = redis->wire.transport;
    struct iovec rest = { bytes, len };
    apr_status_t rv;

    do {
        apr_size_t written = 0;

        if (rest.iov_len > 0) {
            rv = transport->write(&redis->wire, &rest, 1, &written);
        }
        else {
            rv = transport->push ? transport->push(&redis->wire) : APR_SUCCESS;
            if (rv == APR_SUCCESS) {
                return APR_SUCCESS;
            }
        }
        rest.iov_base = (char *)rest.iov_base + written;
        rest.iov_len -= written;
        if (APR_STATUS_IS_EAGAIN(rv)) {
            rv = wait_for(redis, APR_POLLOUT, deadline);
        }
    } while (rv == APR_SUCCESS);
    return rv;
}

static apr_status_t read_reply(const mirror_redis_reply_t **reply, mirror_redis_connection_t *redis,
                               apr_time_t deadline)
{
    char buffer[4096];
    apr_status_t rv;
    apr_size_t n;

    do {
        n = sizeof(buffer);
        rv = redis->wire.transport->read(&redis->wire, buffer, &n);
        if (rv == APR_SUCCESS) {
            rv = mirror_redis_reply_feed(reply, redis->reader, buffer, n);
        }
        else if (APR_STATUS_IS_EAGAIN(rv)) {
            rv = wait_for(redis, APR_POLLIN, deadline);
            rv = rv == APR_SUCCESS ? APR_INCOMPLETE : rv;
        }
        if (APR_STATUS_IS_INCOMPLETE(rv) && mirror_clock_now() >= deadline) {
            rv = APR_TIMEUP;
        }
    } while (APR_STATUS_IS_INCOMPLETE(rv));
    return rv;
}

static int is_end(apr_status_t rv)
{
    return APR_STATUS_IS_EOF(rv) || APR_STATUS_IS_ECONNRESET(rv) || APR_STATUS_IS_EPIPE(rv);
}

/* ---- commands ---- */

apr_status_t mirror_redis_connection_command(const mirror_redis_reply_t **reply,
                                             mirror_redis_connection_t *redis, int argc,
                                             const char *const *argv, apr_time_t deadline,
                                             char fault[MIRROR_REDIS_FAULT])
{
    const char *arguments[MIRROR_REDIS_ARGUMENTS];
    size_t lengths[MIRROR_REDIS_ARGUMENTS];
    char *bytes = NULL;
    apr_status_t rv;
    long long len;
    int i;

    for (i = 0; i < argc && i < MIRROR_REDIS_ARGUMENTS; i++) {
        arguments[i] = argv[i];
        lengths[i] = strlen(argv[i]);
    }
    len = redisFormatCommandArgv(&bytes, i, arguments, lengths);
    if (len < 0) {
        return put_error(fault, redis->host, redis->port, argv[0], APR_ENOMEM);
    }
    rv = write_all(redis, bytes, (apr_size_t)len, deadline);
    redisFreeCommand(bytes);
    if (rv == APR_SUCCESS) {
        rv = read_reply(reply, redis, deadline);
    }
    if (rv == APR_SUCCESS) {
        redis->used = mirror_clock_now();
        return APR_SUCCESS;
    }
    redis->stale = is_end(rv) && !mirror_redis_reply_is_begun(redis->reader);
    if (rv == APR_EINVAL || rv == APR_ENOSPC) {
        put_fault(fault, redis->host, redis->port, argv[0], "the reply is malformed or too long");
        return rv;
    }
    return put_error(fault, redis->host, redis->port, argv[0], rv);
}

int mirror_redis_connection_was_stale(const mirror_redis_connection_t *redis)
{
    return redis->stale;
}

/* Send a command whose only expected reply is OK. */
static apr_status_t require_ok(mirror_redis_connection_t *redis, int argc, const char *const *argv,
                               apr_time_t deadline, char fault[MIRROR_REDIS_FAULT])
{
    const mirror_redis_reply_t *reply;
    apr_status_t rv = mirror_redis_connection_command(&reply, redis, argc, argv, deadline, fault);
    char code[32];

    if (rv == APR_SUCCESS &&
        (reply->type != MIRROR_REDIS_STATUS || strcmp(reply->text, "OK") != 0)) {
        /* only the first word: Redis may repeat arguments */
        apr_cpystrn(code, reply->type == MIRROR_REDIS_ERROR ? reply->text : "an unexpected reply",
                    sizeof(code));
        code[strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_")] = '\0';
        put_fault(fault, redis->host, redis->port, argv[0], *code ? code : "rejected");
        rv = APR_EGENERAL;
    }
    return rv;
}

static apr_status_t log_in(mirror_redis_connection_t *redis, const mirror_redis_login_t *login,
                           apr_time_t deadline, char fault[MIRROR_REDIS_FAULT])
{
    const char *argv[3];
    char number[24];
    apr_status_t rv = APR_SUCCESS;
    int argc = 0;

    if (login->password) {
        argv[argc++] = "AUTH";
        if (login->username) {
            argv[argc++] = login->username;
        }
        argv[argc++] = login->password;
        rv = require_ok(redis, argc, argv, deadline, fault);
    }
    if (rv == APR_SUCCESS && login->database != 0) {
        apr_snprintf(number, sizeof(number), "%" APR_INT64_T_FMT, login->database);
        argv[0] = "SELECT";
        argv[1] = number;
        rv = require_ok(redis, 2, argv, deadline, fault);
    }
    return rv;
}

/* ---- life ---- */

const char *mirror_redis_connection_url(const char *host, apr_port_t port, apr_pool_t *pool)
{
    int bracket = strchr(host, ':') != NULL;

    return apr_psprintf(pool, "rediss://%s%s%s:%u", bracket ? "[" : "", host, bracket ? "]" : "",
                        (unsigned)port);
}

/* Look up the server and connect the socket of the wire. */
static apr_status_t connect_socket(mirror_redis_connection_t *redis, apr_time_t deadline,
                                   char fault[MIRROR_REDIS_FAULT])
{
    mirror_target_t target = { 0 };
    mirror_addresses_t *addresses;
    apr_sockaddr_t *tried;
    apr_status_t rv;

    target.hostname = redis->host;
    target.port = redis->port;
    rv = mirror_address_look_up(&addresses, &target);
    if (rv != APR_SUCCESS) {
        return put_error(fault, redis->host, redis->port, "lookup", rv);
    }
    rv = mirror_address_connect(&redis->wire, &tried, addresses, deadline);
    mirror_address_drop(addresses);
    return rv == APR_SUCCESS ? rv : put_error(fault, redis->host, redis->port, "connect", rv);
}

/* Run the transport's `open`, such as the TLS handshake; not if the child ends, because mod_ssl may
 * be unloaded. */
static apr_status_t shake_hands(mirror_redis_connection_t *redis, apr_time_t deadline,
                                char fault[MIRROR_REDIS_FAULT])
{
    mirror_wire_t *wire = &redis->wire;
    apr_status_t rv;

    if (!wire->transport->open) {
        return APR_SUCCESS;
    }
    rv = apr_atomic_read32(wire->given_up) ? APR_TIMEUP : wire->transport->open(wire, deadline);
    if (rv == APR_ENOTIMPL) {
        put_fault(fault, redis->host, redis->port, "TLS handshake",
                  "mod_ssl or SSLProxyEngine on is missing");
    }
    else if (rv != APR_SUCCESS) {
        put_error(fault, redis->host, redis->port, "TLS handshake", rv);
    }
    return rv;
}

apr_status_t mirror_redis_connection_open(mirror_redis_connection_t **out, const char *host,
                                          apr_port_t port, const mirror_redis_login_t *login,
                                          const mirror_redis_bounds_t *bounds, apr_time_t deadline,
                                          apr_pool_t *parent, char fault[MIRROR_REDIS_FAULT])
{
    mirror_redis_connection_t *redis;
    apr_status_t rv;
    apr_pool_t *pool;

    *out = NULL;
    apr_pool_create(&pool, parent);
    apr_pool_tag(pool, "mirror_redis"); /* used by the thread that uses the connection */
    redis = apr_pcalloc(pool, sizeof(*redis));
    redis->pool = pool;
    redis->host = apr_pstrdup(pool, host);
    redis->port = port;
    redis->password = login->password;
    redis->wire.transport = login->transport;
    redis->wire.pool = pool;
    redis->wire.server = login->server;
    redis->wire.url = mirror_redis_connection_url(host, port, pool);
    redis->wire.hostname = redis->host;
    redis->wire.given_up = login->given_up;
    rv = connect_socket(redis, deadline, fault);
    if (rv == APR_SUCCESS) {
        rv = shake_hands(redis, deadline, fault);
    }
    if (rv != APR_SUCCESS) {
        apr_pool_destroy(pool);
        return rv;
    }
    redis->reader = mirror_redis_reply_reader_create(bounds);
    rv = redis->reader ? log_in(redis, login, deadline, fault)
                       : put_error(fault, host, port, "reader", APR_ENOMEM);
    if (rv != APR_SUCCESS) {
        mirror_redis_connection_close(redis);
        return rv;
    }
    redis->used = mirror_clock_now();
    *out = redis;
    return APR_SUCCESS;
}

void mirror_redis_connection_close(mirror_redis_connection_t *redis)
{
    if (redis->reader) {
        mirror_redis_reply_reader_destroy(redis->reader);
    }
    if (redis->wire.transport->close) {
        redis->wire.transport->close(&redis->wire);
    }
    apr_pool_destroy(redis->pool); /* closes the socket */
}

int mirror_redis_connection_is_usable(mirror_redis_connection_t *redis)
{
    apr_size_t n = 1;
    char byte;

    return !redis->stale && mirror_clock_now() - redis->used <= IDLE_MAX &&
           APR_STATUS_IS_EAGAIN(redis->wire.transport->read(&redis->wire, &byte, &n));
}

int mirror_redis_connection_is_to(const mirror_redis_connection_t *redis, const char *host,
                                  apr_port_t port)
{
    return redis->port == port && strcmp(redis->host, host) == 0;
}
