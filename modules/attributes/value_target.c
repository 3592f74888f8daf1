/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * attributes/value_target.c - the type target: the URL of a server, optionally after the path of a
 * Unix socket, as in mod_proxy's ProxyPass.
 *
 * The parser is stricter than a URL parser: it rejects parts that a mirror does not use, and
 * corrects nothing. The canonical form is that of RFC 3986 6.2: scheme and host in lower case, no
 * default port, IPv6 as printed by inet_ntop.
 */
#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <arpa/inet.h>
#include <string.h>
#include <sys/un.h>

#include "attributes/value.h"
#include "base/authority.h"
#include "base/mirror.h"

#define NAME_MAX_LENGTH  253 /* RFC 1035 2.3.4, in text form */
#define LABEL_MAX_LENGTH 63
#define UNIX             "unix:"
#define UNIX_LENGTH      (sizeof(UNIX) - 1)
#define PATH_MAX_LENGTH  (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

static const struct {
    const char *name;
    apr_port_t port;
    int tls, http2, grpc;
} schemes[] = { { "http", 80, 0, 0, 0 }, { "https", 443, 1, 0, 0 }, { "h2c", 80, 0, 1, 0 },
                { "h2", 443, 1, 1, 0 },  { "grpc", 80, 0, 1, 1 },   { "grpcs", 443, 1, 1, 1 } };

#if MIRROR_HAVE_NGHTTP2
#define WITHOUT_HTTP2 0
#else
#define WITHOUT_HTTP2 1
#endif

/* Parse the scheme with "://", and advance *text. */
static const char *read_scheme(mirror_target_t *target, apr_port_t *port, const char **text)
{
    apr_size_t i, len;

    for (i = 0; i < sizeof(schemes) / sizeof(*schemes); i++) {
        len = strlen(schemes[i].name);
        if (!apr_cstr_casecmpn(*text, schemes[i].name, len) && !strncmp(*text + len, "://", 3)) {
            if (schemes[i].http2 && WITHOUT_HTTP2) {
                return "this build has no libnghttp2, which h2c://, h2://, grpc:// and grpcs:// "
                       "require";
            }
            target->scheme = schemes[i].name;
            target->tls = schemes[i].tls;
            target->http2 = schemes[i].http2;
            target->grpc = schemes[i].grpc;
            *port = schemes[i].port;
            *text += len + 3;
            return NULL;
        }
    }
    return "";
}

static int has_socket(const char *text)
{
    return !apr_cstr_casecmpn(text, UNIX, UNIX_LENGTH);
}

/* Parse an optional "unix:/path|", and advance *text. */
static const char *read_socket(mirror_target_t *target, const char **text, apr_pool_t *pool)
{
    const char *path, *p;

    if (!has_socket(*text)) {
        return NULL;
    }
    path = *text + UNIX_LENGTH;
    for (p = path; *p && *p != '|'; p++) {
        if (apr_iscntrl(*p)) {
            return "the path of the socket has a control character";
        }
    }
    if (*path != '/' || p == path + 1) {
        return "the path of the socket is not absolute";
    }
    if (!*p) {
        return "the path of the socket is not followed by |http://";
    }
    if ((apr_size_t)(p - path) > PATH_MAX_LENGTH) {
        return "the path of the socket is too long";
    }
    target->socket = apr_pstrmemdup(pool, path, (apr_size_t)(p - path));
    *text = p + 1;
    return NULL;
}

/* Reject URL parts after the scheme that are neither host nor port. */
static const char *refuse_parts(const char *authority)
{
    const char *p = authority + strcspn(authority, "/\\?#");

    if (memchr(authority, '@', (apr_size_t)(p - authority))) {
        return "it has user info";
    }
    switch (*p) {
    case '\0':
        return NULL;
    case '?':
        return "it has a query";
    case '#':
        return "it has a fragment";
    default:
        return "it has a path";
    }
}

/* Return whether `name` is a dotted name: letters, digits, '_' and inner '-' (RFC 1123 2.1, and the
 * underscore of container networks). */
static int is_name(const char *name)
{
    apr_size_t len;

    if (strlen(name) > NAME_MAX_LENGTH) {
        return 0;
    }
    do {
        for (len = 0; apr_isalnum(name[len]) || name[len] == '-' || name[len] == '_'; len++) {
        }
        if (len == 0 || len > LABEL_MAX_LENGTH || name[0] == '-' || name[len - 1] == '-') {
            return 0;
        }
        name += len;
    } while (*name == '.' && *++name); /* a trailing dot marks an absolute name */
    return *name == '\0';
}

/* Return whether resolvers treat `name` as an IPv4 address: the last label is a number (RFC 3986
 * 7.4). */
static int ends_in_number(const char *name)
{
    apr_size_t len = strlen(name), start;

    len -= len && name[len - 1] == '.';
    for (start = len; start && name[start - 1] != '.'; start--) {
    }
    if (name[start] == '0' && (name[start + 1] | 0x20) == 'x') {
        start += 2;
        return start + strspn(name + start, "0123456789abcdefABCDEF") >= len;
    }
    return len > start && start + strspn(name + start, "0123456789") >= len;
}

const char *mirror_value_target_host(mirror_target_t *target, const char *host, int is_bracketed,
                                     apr_pool_t *pool)
{
    char address[INET6_ADDRSTRLEN];
    struct in6_addr v6;
    struct in_addr v4;
    char *lower;

    if (is_bracketed) {
        if (inet_pton(AF_INET6, host, &v6) != 1 ||
            !inet_ntop(AF_INET6, &v6, address, sizeof(address))) {
            return "the text in brackets is not an IPv6 address";
        }
        target->hostname = apr_pstrdup(pool, address);
        return NULL;
    }
    if (!*host) {
        return "it has no host";
    }
    if (!is_name(host)) {
        return "the host name is malformed";
    }
    if (ends_in_number(host) && inet_pton(AF_INET, host, &v4) != 1) {
        return "the IPv4 address is malformed";
    }
    target->named = !ends_in_number(host) && !target->socket;
    lower = apr_pstrdup(pool, host);
    target->hostname = lower;
    for (; *lower; lower++) {
        *lower = (char)apr_tolower(*lower);
    }
    return NULL;
}

static const char *target_read(void *variable, const mirror_value_rule_t *rule, const char *text,
                               apr_pool_t *pool)
{
    mirror_target_t target = { 0 };
    mirror_authority_t authority;
    apr_port_t default_port = 0;
    const char *why;

    (void)rule;
    if ((why = read_socket(&target, &text, pool)) ||
        (why = read_scheme(&target, &default_port, &text)) || (why = refuse_parts(text))) {
        return why;
    }
    if (target.socket && target.tls) {
        return "a socket requires http://, h2c:// or grpc://";
    }
    if ((why = mirror_authority_split(&authority, text)) ||
        (why = mirror_value_target_host(&target,
                                        apr_pstrmemdup(pool, authority.host, authority.length),
                                        authority.is_bracketed, pool))) {
        return why;
    }
    target.port = authority.port ? authority.port : default_port;
    target.authority = apr_pstrcat(pool, authority.is_bracketed ? "[" : "", target.hostname,
                                   authority.is_bracketed ? "]" : "", NULL);
    if (target.port != default_port) {
        target.authority = apr_psprintf(pool, "%s:%u", target.authority, (unsigned)target.port);
    }
    target.url =
        apr_pstrcat(pool, target.socket ? UNIX : "", target.socket ? target.socket : "",
                    target.socket ? "|" : "", target.scheme, "://", target.authority, NULL);
    *(mirror_target_t *)variable = target;
    return NULL;
}

/* JSON may not set a socket: sockets reach services that the network does not. */
static const char *target_read_json(void *variable, const mirror_value_rule_t *rule, yajl_val json,
                                    apr_pool_t *pool)
{
    if (!YAJL_IS_STRING(json)) {
        return "";
    }
    if (has_socket(YAJL_GET_STRING(json))) {
        return "a socket can be set only in the configuration file";
    }
    return target_read(variable, rule, YAJL_GET_STRING(json), pool);
}

static const char *target_print(const void *variable, const mirror_value_rule_t *rule,
                                apr_pool_t *pool)
{
    (void)rule;
    (void)pool;
    return ((const mirror_target_t *)variable)->url;
}

/* User info may contain a password. */
static const char *target_mask(const char *text, apr_pool_t *pool)
{
    const char *at = strrchr(text, '@');
    const char *start = strstr(text, "//");

    if (!at) {
        return text;
    }
    start = start && start < at ? start + 2 : text;
    return apr_psprintf(pool, "%.*s***%s", (int)(start - text), text, at);
}

const mirror_value_type_t mirror_value_target = {
    sizeof(mirror_target_t), 0, target_read, target_read_json, target_print, NULL, target_mask
};
