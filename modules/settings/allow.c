/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * settings/allow.c - the hosts that the manager may set. See settings/allow.h.
 */
#include <arpa/inet.h>
#include <string.h>

#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "attributes/value.h"
#include "base/authority.h"
#include "settings/allow.h"

typedef struct pattern_t {
    const char *name; /* without brackets and without the leading '*' */
    int open;         /* it has one */
    apr_port_t port;  /* 0: any */
} pattern_t;

/* ---- startup ---- */

static int is_name(const char *name)
{
    for (; apr_isalnum(*name) || (*name && strchr("._-", *name)); name++) {
    }
    return *name == '\0';
}

/* Write the canonical form of an IPv6 address to `buffer` (INET6_ADDRSTRLEN bytes). Returns NULL if
 * `address` is not one. */
static const char *canonical(char *buffer, const char *address)
{
    struct in6_addr v6;

    return inet_pton(AF_INET6, address, &v6) == 1
               ? inet_ntop(AF_INET6, &v6, buffer, INET6_ADDRSTRLEN)
               : NULL;
}

static int read_pattern(pattern_t *pattern, const char *text, apr_pool_t *pool)
{
    char address[INET6_ADDRSTRLEN];
    mirror_authority_t authority;

    pattern->open = *text == '*';
    if (mirror_authority_split(&authority, text + pattern->open)) {
        return 0;
    }
    pattern->name = apr_pstrmemdup(pool, authority.host, authority.length);
    pattern->port = authority.port;
    if (authority.is_bracketed) {
        if (pattern->open || !canonical(address, pattern->name)) {
            return 0;
        }
        pattern->name = apr_pstrdup(pool, address);
        return 1;
    }
    return is_name(pattern->name) && (*pattern->name || pattern->open);
}

const char *mirror_allow_add(apr_array_header_t **allow, const char *text, const char *name,
                             apr_pool_t *pool)
{
    pattern_t pattern;

    if (!read_pattern(&pattern, text, pool)) {
        return apr_psprintf(pool,
                            "%s: must be a host name or address, optionally with a leading * and a "
                            "port, such as mirror.example.com:8080 or *.example.com, got %s",
                            name, mirror_value_quote(text, pool));
    }
    if (!*allow) {
        *allow = apr_array_make(pool, 4, sizeof(pattern_t));
    }
    APR_ARRAY_PUSH(*allow, pattern_t) = pattern;
    return NULL;
}

/* ---- any thread ---- */

static int matches(const pattern_t *pattern, const char *host, apr_port_t port)
{
    char address[INET6_ADDRSTRLEN];
    apr_size_t len = strlen(host), end = strlen(pattern->name);

    if (pattern->port && pattern->port != port) {
        return 0;
    }
    if (pattern->open) {
        return len >= end && !apr_cstr_casecmp(host + len - end, pattern->name);
    }
    return !apr_cstr_casecmp(canonical(address, host) ? address : host, pattern->name);
}

static int has_node(const apr_array_header_t *nodes, const char *host)
{
    int i;

    for (i = 0; nodes && i < nodes->nelts; i++) {
        mirror_authority_t node;

        if (!mirror_authority_split(&node, APR_ARRAY_IDX(nodes, i, const char *)) &&
            strlen(host) == node.length && !apr_cstr_casecmpn(host, node.host, node.length)) {
            return 1;
        }
    }
    return 0;
}

static int has_server(const apr_array_header_t *servers, const char *host)
{
    int i;

    for (i = 0; servers && i < servers->nelts; i++) {
        if (!apr_cstr_casecmp(host, APR_ARRAY_IDX(servers, i, mirror_server_t).hostname)) {
            return 1;
        }
    }
    return 0;
}

/* Return whether the file's settings have the host. The host name of a mirror with a Unix socket
 * does not count, because it is not an address. */
static int is_configured(const mirror_settings_t *settings, const char *host)
{
    return (!settings->target.socket && !apr_cstr_casecmp(host, settings->target.hostname)) ||
           (settings->redis_host && !apr_cstr_casecmp(host, settings->redis_host)) ||
           has_server(settings->servers, host) || has_node(settings->redis_cluster_nodes, host) ||
           has_node(settings->redis_sentinels, host);
}

/* Return whether the manager may set this host (without brackets) with this port. */
static int allows_host(const mirror_registry_t *registry, const char *host, apr_port_t port)
{
    int i;

    for (i = 0; registry->allow && i < registry->allow->nelts; i++) {
        if (matches(&APR_ARRAY_IDX(registry->allow, i, pattern_t), host, port)) {
            return 1;
        }
    }
    for (i = 0; !registry->allow && i < registry->mirrors->nelts; i++) {
        if (is_configured(APR_ARRAY_IDX(registry->mirrors, i, const mirror_t *)->settings, host)) {
            return 1;
        }
    }
    return 0;
}

static int is_listed(const apr_array_header_t *nodes, const char *node)
{
    int i;

    for (i = 0; nodes && i < nodes->nelts; i++) {
        if (!strcmp(node, APR_ARRAY_IDX(nodes, i, const char *))) {
            return 1;
        }
    }
    return 0;
}

static const char *refuse(const char *name, const char *host, apr_port_t port, apr_pool_t *pool)
{
    return apr_psprintf(
        pool, "%s: must be a host that ProxyMirrorAllowHost allows, got %s", name,
        mirror_value_quote(
            apr_psprintf(pool, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, (unsigned)port),
            pool));
}

static apr_port_t port_of(const mirror_settings_t *settings, const mirror_server_t *server)
{
    return server->port ? server->port : settings->target.port;
}

/* Return whether the settings have the server: the host, with this port. */
static int is_server(const mirror_settings_t *settings, const char *hostname, apr_port_t port)
{
    int i;

    for (i = 0; settings->servers && i < settings->servers->nelts; i++) {
        const mirror_server_t *server = &APR_ARRAY_IDX(settings->servers, i, mirror_server_t);

        if (!strcmp(server->hostname, hostname) && port_of(settings, server) == port) {
            return 1;
        }
    }
    return 0;
}

/* Check the attribute servers. `file`: the file's settings. */
static const char *refuse_servers(const mirror_registry_t *registry,
                                  const mirror_settings_t *settings, const mirror_settings_t *file,
                                  apr_pool_t *pool)
{
    int i;

    for (i = 0; settings->servers && i < settings->servers->nelts; i++) {
        const mirror_server_t *server = &APR_ARRAY_IDX(settings->servers, i, mirror_server_t);
        apr_port_t port = port_of(settings, server);

        if (!is_server(file, server->hostname, port) &&
            !allows_host(registry, server->hostname, port)) {
            return refuse("servers", server->hostname, port, pool);
        }
    }
    return NULL;
}

/* Check a list of host:port. `file`: the list of the file's settings. */
static const char *refuse_nodes(const mirror_registry_t *registry, const char *name,
                                const apr_array_header_t *nodes, const apr_array_header_t *file,
                                apr_pool_t *pool)
{
    mirror_authority_t authority;
    int i;

    for (i = 0; nodes && i < nodes->nelts; i++) {
        const char *node = APR_ARRAY_IDX(nodes, i, const char *);

        if (!is_listed(file, node) &&
            (mirror_authority_split(&authority, node) ||
             !allows_host(registry, apr_pstrmemdup(pool, authority.host, authority.length),
                          authority.port))) {
            return apr_psprintf(pool, "%s: must be hosts that ProxyMirrorAllowHost allows, got %s",
                                name, mirror_value_quote(node, pool));
        }
    }
    return NULL;
}

const char *mirror_allow_settings(const mirror_registry_t *registry, const mirror_t *mirror,
                                  const mirror_settings_t *settings, apr_pool_t *pool)
{
    const mirror_settings_t *file = mirror->settings;
    const char *wrong;

    if (strcmp(settings->target.url, file->target.url) &&
        !allows_host(registry, settings->target.hostname, settings->target.port)) {
        return refuse("host", settings->target.hostname, settings->target.port, pool);
    }
    wrong = refuse_servers(registry, settings, file, pool);
    if (wrong) {
        return wrong;
    }
    if (settings->redis_host &&
        (!file->redis_host || strcmp(settings->redis_host, file->redis_host) ||
         settings->redis_port != file->redis_port) &&
        !allows_host(registry, settings->redis_host, (apr_port_t)settings->redis_port)) {
        return refuse("redis_host", settings->redis_host, (apr_port_t)settings->redis_port, pool);
    }
    wrong = refuse_nodes(registry, "redis_cluster_nodes", settings->redis_cluster_nodes,
                         file->redis_cluster_nodes, pool);
    return wrong ? wrong
                 : refuse_nodes(registry, "redis_sentinels", settings->redis_sentinels,
                                file->redis_sentinels, pool);
}
