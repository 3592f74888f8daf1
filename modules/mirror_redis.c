/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * mirror_redis.c - a connection to a Redis server. See mirror_redis.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <apr_portable.h>
#include <apr_strings.h>
#include <hiredis/hiredis.h>

#include "mirror_connect.h"
#include "mirror_limit_window.h"
#include "mirror_redis.h"

#define ARGUMENTS_MAX 8
/* A connection that was not used for longer is made anew, before something on the way has forgotten it. */
#define IDLE_MAX apr_time_from_sec(30)

struct mirror_redis_t {
    apr_pool_t *pool;
    apr_socket_t *socket;
    mirror_redis_reader_t *reader;
    const char *host;
    apr_port_t port;
    const char *password; /* not to be shown; NULL: there is none */
    apr_time_t used;      /* last */
    int stale;
};

/* ---- faults ---- */

static void put_fault(char fault[MIRROR_REDIS_FAULT], const char *host, apr_port_t port, const char *what,
                      const char *why)
{
    char *p;

    apr_snprintf(fault, MIRROR_REDIS_FAULT, "Redis %.64s:%u: %s%s%s", host, (unsigned)port, what,
                 why && *why ? ": " : "", why ? why : "");
    for (p = fault; *p; p++) {
        *p = *p < ' ' || *p > '~' ? '?' : *p;
    }
}

static apr_status_t put_error(char fault[MIRROR_REDIS_FAULT], const char *host, apr_port_t port, const char *what,
                              apr_status_t rv)
{
    char why[80];

    put_fault(fault, host, port, what, apr_strerror(rv, why, sizeof(why)));
    return rv;
}

/* Redis may repeat what it was sent: then only the first word of an error is shown. */
void mirror_redis_refuse(char fault[MIRROR_REDIS_FAULT], const mirror_redis_t *redis, const mirror_redis_reply_t *reply)
{
    char text[96];

    apr_cpystrn(text, reply->type == MIRROR_REDIS_ERROR ? reply->text : "", sizeof(text));
    if (redis->password && strstr(reply->text, redis->password)) {
        text[strcspn(text, " ")] = '\0';
    }
    put_fault(fault, redis->host, redis->port,
              reply->type == MIRROR_REDIS_ERROR ? "it says" : "a reply of a wrong type", text);
}

/* ---- bytes ---- */

/* Let the next read or write of the socket wait until the deadline. Returns 0 if that has come. */
static int allow_wait(mirror_redis_t *redis, apr_time_t deadline)
{
    apr_interval_time_t left = deadline - mirror_limit_window_now();

    return left > 0 && apr_socket_timeout_set(redis->socket, left) == APR_SUCCESS;
}

static apr_status_t write_all(mirror_redis_t *redis, const char *bytes, apr_size_t len, apr_time_t deadline)
{
    apr_status_t rv = APR_SUCCESS;
    apr_size_t n;

    for (; len > 0 && rv == APR_SUCCESS; bytes += n, len -= n) {
        n = len;
        rv = allow_wait(redis, deadline) ? apr_socket_send(redis->socket, bytes, &n) : APR_TIMEUP;
    }
    return rv;
}

static apr_status_t read_reply(const mirror_redis_reply_t **reply, mirror_redis_t *redis, apr_time_t deadline)
{
    char buffer[4096];
    apr_status_t rv;
    apr_size_t n;

    do {
        n = sizeof(buffer);
        rv = allow_wait(redis, deadline) ? apr_socket_recv(redis->socket, buffer, &n) : APR_TIMEUP;
        if (rv == APR_SUCCESS) {
            rv = mirror_redis_reply_feed(reply, redis->reader, buffer, n);
        }
    } while (APR_STATUS_IS_INCOMPLETE(rv));
    return rv;
}

static int is_end(apr_status_t rv)
{
    return APR_STATUS_IS_EOF(rv) || APR_STATUS_IS_ECONNRESET(rv) || APR_STATUS_IS_EPIPE(rv);
}

/* ---- commands ---- */

apr_status_t mirror_redis_command(const mirror_redis_reply_t **reply, mirror_redis_t *redis, int argc,
                                  const char *const *argv, apr_time_t deadline, char fault[MIRROR_REDIS_FAULT])
{
    const char *arguments[ARGUMENTS_MAX];
    size_t lengths[ARGUMENTS_MAX];
    char *bytes = NULL;
    apr_status_t rv;
    long long len;
    int i;

    for (i = 0; i < argc && i < ARGUMENTS_MAX; i++) {
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
        redis->used = mirror_limit_window_now();
        return APR_SUCCESS;
    }
    redis->stale = is_end(rv) && !mirror_redis_reply_is_begun(redis->reader);
    if (rv == APR_EINVAL) {
        put_fault(fault, redis->host, redis->port, argv[0], "the reply is malformed or too long");
        return rv;
    }
    return put_error(fault, redis->host, redis->port, argv[0], rv);
}

int mirror_redis_was_stale(const mirror_redis_t *redis)
{
    return redis->stale;
}

/* A command of which nothing but OK is expected. */
static apr_status_t require_ok(mirror_redis_t *redis, int argc, const char *const *argv, apr_time_t deadline,
                               char fault[MIRROR_REDIS_FAULT])
{
    const mirror_redis_reply_t *reply;
    apr_status_t rv = mirror_redis_command(&reply, redis, argc, argv, deadline, fault);
    char code[32];

    if (rv == APR_SUCCESS && (reply->type != MIRROR_REDIS_STATUS || strcmp(reply->text, "OK") != 0)) {
        /* Only the first word: Redis may repeat what it was sent. */
        apr_cpystrn(code, reply->type == MIRROR_REDIS_ERROR ? reply->text : "a wrong reply", sizeof(code));
        code[strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_")] = '\0';
        put_fault(fault, redis->host, redis->port, argv[0], *code ? code : "is refused");
        rv = APR_EGENERAL;
    }
    return rv;
}

static apr_status_t log_in(mirror_redis_t *redis, const mirror_redis_login_t *login, apr_time_t deadline,
                           char fault[MIRROR_REDIS_FAULT])
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

apr_status_t mirror_redis_open(mirror_redis_t **out, const char *host, apr_port_t port,
                               const mirror_redis_login_t *login, apr_time_t deadline, apr_pool_t *parent,
                               char fault[MIRROR_REDIS_FAULT])
{
    mirror_redis_t *redis;
    apr_sockaddr_t *address;
    apr_status_t rv;
    apr_pool_t *pool;

    *out = NULL;
    apr_pool_create(&pool, parent);
    apr_pool_tag(pool, "mirror_redis"); /* of whoever uses the connection */
    redis = apr_pcalloc(pool, sizeof(*redis));
    redis->pool = pool;
    redis->host = apr_pstrdup(pool, host);
    redis->port = port;
    redis->password = login->password;
    rv = mirror_connect_look_up(&address, host, port, pool);
    if (rv != APR_SUCCESS) {
        put_error(fault, host, port, "look-up", rv);
        apr_pool_destroy(pool);
        return rv;
    }
    for (; address; address = address->next) {
        rv = mirror_connect_to(&redis->socket, address, deadline - mirror_limit_window_now(), pool);
        if (rv == APR_SUCCESS) {
            break;
        }
    }
    if (rv != APR_SUCCESS) {
        put_error(fault, host, port, "connect", rv);
        apr_pool_destroy(pool);
        return rv;
    }
    redis->reader = mirror_redis_reply_reader_create();
    rv = redis->reader ? log_in(redis, login, deadline, fault) : put_error(fault, host, port, "reader", APR_ENOMEM);
    if (rv != APR_SUCCESS) {
        mirror_redis_close(redis);
        return rv;
    }
    redis->used = mirror_limit_window_now();
    *out = redis;
    return APR_SUCCESS;
}

void mirror_redis_close(mirror_redis_t *redis)
{
    if (redis->reader) {
        mirror_redis_reply_reader_destroy(redis->reader);
    }
    apr_pool_destroy(redis->pool); /* closes the socket */
}

int mirror_redis_is_usable(const mirror_redis_t *redis)
{
    apr_os_sock_t fd;
    char byte;

    if (redis->stale || mirror_limit_window_now() - redis->used > IDLE_MAX ||
        apr_os_sock_get(&fd, redis->socket) != APR_SUCCESS) {
        return 0;
    }
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

int mirror_redis_is_to(const mirror_redis_t *redis, const char *host, apr_port_t port)
{
    return redis->port == port && strcmp(redis->host, host) == 0;
}
