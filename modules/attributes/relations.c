/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * attributes/relations.c - relations between attributes. See attributes/relations.h.
 */
#include <string.h>

#include <apr_strings.h>

#include "attributes/limit_settings.h"
#include "attributes/relations.h"

/* ---- relations: each row of the table checks the settings as a whole ---- */

/* Returns NULL or an error message. */
typedef const char *relation_t(const mirror_settings_t *settings, apr_pool_t *pool);

/* If when=request, the copy is sent before there is a status. */
static const char *refuse_status_of_request(const mirror_settings_t *settings, apr_pool_t *pool)
{
    (void)pool;
    return settings->status && settings->when == MIRROR_WHEN_REQUEST
               ? "status: must be used with when=response, got when=request"
               : NULL;
}

static int has_policy(const mirror_settings_t *settings, const char *policy)
{
    return strcmp(mirror_limit_settings_policies[settings->policy], policy) == 0;
}

static const char *need_server(const mirror_settings_t *settings, apr_pool_t *pool)
{
    (void)pool;
    return has_policy(settings, "redis") && !settings->redis_host
               ? "redis_host: must be a host name, an IPv4 address or an IPv6 address with "
                 "policy=redis, got nothing"
               : NULL;
}

static const char *need_cluster(const mirror_settings_t *settings, apr_pool_t *pool)
{
    (void)pool;
    if (!has_policy(settings, "redis-cluster")) {
        return NULL;
    }
    if (!settings->redis_cluster_nodes) {
        return "redis_cluster_nodes: must be two or more host:port with policy=redis-cluster, got "
               "nothing";
    }
    return settings->redis_cluster_name
               ? NULL
               : "redis_cluster_name: must be a name with policy=redis-cluster, got nothing";
}

static const char *need_sentinels(const mirror_settings_t *settings, apr_pool_t *pool)
{
    (void)pool;
    if (!has_policy(settings, "redis-sentinel")) {
        return NULL;
    }
    if (!settings->redis_sentinels) {
        return "redis_sentinels: must be 1 to 16 host:port with policy=redis-sentinel, got nothing";
    }
    return settings->redis_master_name
               ? NULL
               : "redis_master_name: must be a name with policy=redis-sentinel, got nothing";
}

/* A generated name may differ between nodes, and with it the counter. */
static const char *need_name(const mirror_settings_t *settings, apr_pool_t *pool)
{
    return settings->enable_limit_count && !has_policy(settings, "local") &&
                   !mirror_attributes_is_set(settings, mirror_attributes_find("name"))
               ? apr_pstrcat(pool, "name: must be set with policy=",
                             mirror_limit_settings_policies[settings->policy],
                             ", got nothing (nodes share a count by name)", NULL)
               : NULL;
}

static const char *need_password(const mirror_settings_t *settings, apr_pool_t *pool)
{
    (void)pool;
    return settings->redis_username && !settings->redis_password
               ? "redis_password: must be a password if redis_username is set, got nothing"
               : NULL;
}

static const char *need_sentinel_password(const mirror_settings_t *settings, apr_pool_t *pool)
{
    (void)pool;
    return settings->sentinel_username && !settings->sentinel_password
               ? "sentinel_password: must be a password if sentinel_username is set, got nothing"
               : NULL;
}

/* Return the port of a server. */
static apr_port_t port_of(const mirror_settings_t *settings, const mirror_server_t *server)
{
    return server->port ? server->port : settings->target.port;
}

static const char *refuse_servers_of_socket(const mirror_settings_t *settings, apr_pool_t *pool)
{
    (void)pool;
    return settings->servers && settings->target.socket
               ? "servers: must be used with a host that is no Unix socket"
               : NULL;
}

/* Return whether the names are the same but for a final dot. */
static int is_same_name(const char *one, const char *other)
{
    apr_size_t n = strlen(one), m = strlen(other);

    n -= n > 0 && one[n - 1] == '.';
    m -= m > 0 && other[m - 1] == '.';
    return n == m && !strncmp(one, other, n);
}

static const char *refuse_server_twice(const mirror_settings_t *settings, apr_pool_t *pool)
{
    int i, j, count = settings->servers ? settings->servers->nelts : 0;

    for (i = 0; i < count; i++) {
        const mirror_server_t *one = &APR_ARRAY_IDX(settings->servers, i, mirror_server_t);

        for (j = 0; j < i; j++) {
            const mirror_server_t *other = &APR_ARRAY_IDX(settings->servers, j, mirror_server_t);

            if (is_same_name(one->hostname, other->hostname) &&
                port_of(settings, one) == port_of(settings, other)) {
                return apr_psprintf(pool, "servers: must be different servers, got %s twice",
                                    mirror_value_quote(one->text, pool));
            }
        }
    }
    return NULL;
}

static relation_t *const relations[] = { refuse_status_of_request,
                                         need_server,
                                         need_cluster,
                                         need_sentinels,
                                         need_name,
                                         need_password,
                                         need_sentinel_password,
                                         refuse_servers_of_socket,
                                         refuse_server_twice };

/* ---- checks ---- */

void mirror_relations_check(apr_array_header_t *faults, const mirror_settings_t *settings)
{
    apr_size_t i;

    for (i = 0; i < sizeof(relations) / sizeof(*relations); i++) {
        const char *wrong = relations[i](settings, faults->pool);

        if (wrong) {
            APR_ARRAY_PUSH(faults, const char *) = wrong;
        }
    }
}

/* Return whether `text` is one of `words`, which are separated by '|'. */
static int is_one_of(const char *words, const char *text)
{
    apr_size_t len = strlen(text);

    while (strncmp(words, text, len) || (words[len] && words[len] != '|')) {
        words = strchr(words, '|');
        if (!words++) {
            return 0;
        }
    }
    return 1;
}

/* Return NULL if the row has an effect, else the required value, "body=true". */
static const char *missing(const mirror_attribute_t *row, const mirror_settings_t *settings,
                           apr_pool_t *pool)
{
    const mirror_attribute_t *other;
    const char *words, *text;

    if (!row->effective) {
        return NULL;
    }
    words = row->effective + strcspn(row->effective, "=");
    other = mirror_attributes_find(
        apr_pstrmemdup(pool, row->effective, (apr_size_t)(words - row->effective)));
    text = mirror_value_to_text((const char *)settings + other->offset, &other->rule, pool);
    return text && (*words ? is_one_of(words + 1, text)
                           : !other->initial || strcmp(text, other->initial))
               ? missing(other, settings, pool)
               : row->effective;
}

/* pipeline is of HTTP/1.1, streams of HTTP/2. */
static void check_protocol(apr_array_header_t *warnings, const mirror_settings_t *line,
                           const mirror_settings_t *settings)
{
    const char *name = settings->target.http2 ? "pipeline" : "streams";

    if (settings->target.url && mirror_attributes_is_set(line, mirror_attributes_find(name))) {
        APR_ARRAY_PUSH(warnings, const char *) =
            settings->target.http2
                ? "pipeline: has no effect with h2c://, h2://, grpc:// and grpcs://"
                : "streams: has no effect without h2c://, h2://, grpc:// or grpcs://";
    }
}

/* resolve is of the name of the URL. */
static void check_resolve(apr_array_header_t *warnings, const mirror_settings_t *line,
                          const mirror_settings_t *settings)
{
    if (!mirror_attributes_is_set(line, mirror_attributes_find("resolve")) ||
        settings->resolve != MIRROR_RESOLVE_ALL || !settings->target.url) {
        return;
    }
    if (settings->servers) {
        APR_ARRAY_PUSH(warnings, const char *) = "resolve: has no effect with servers";
    }
    else if (!settings->target.named) {
        APR_ARRAY_PUSH(warnings, const char *) =
            "resolve: has no effect with an address or a Unix socket";
    }
}

void mirror_relations_check_effect(apr_array_header_t *warnings, const mirror_settings_t *line,
                                   const mirror_settings_t *settings)
{
    const mirror_attribute_t *row;

    check_protocol(warnings, line, settings);
    check_resolve(warnings, line, settings);

    for (row = mirror_attributes; row->name; row++) {
        const char *needed =
            line->set & mirror_attributes_bit(row) ? missing(row, settings, warnings->pool) : NULL;

        if (needed) {
            APR_ARRAY_PUSH(warnings, const char *) =
                apr_pstrcat(warnings->pool, row->name, ": has no effect without ", needed, NULL);
        }
    }
}

static void warn_of_long_time(apr_array_header_t *warnings, const mirror_settings_t *settings,
                              const char *name, apr_interval_time_t value)
{
    if (value > apr_time_from_sec(3600)) {
        APR_ARRAY_PUSH(warnings, const char *) = apr_pstrcat(
            warnings->pool, name, ": is ",
            mirror_attributes_describe(settings, mirror_attributes_find(name), warnings->pool),
            ", more than an hour (a number without a unit is in seconds)", NULL);
    }
}

static void warn_of_end(apr_array_header_t *warnings, const mirror_settings_t *settings,
                        apr_time_t wall)
{
    if (settings->until != 0 && settings->until <= wall) {
        APR_ARRAY_PUSH(warnings, const char *) = apr_pstrcat(
            warnings->pool, "until: is ",
            mirror_attributes_describe(settings, mirror_attributes_find("until"), warnings->pool),
            ", which is over, so nothing is copied", NULL);
    }
}

void mirror_relations_check_sense(apr_array_header_t *warnings, const mirror_settings_t *settings,
                                  apr_time_t wall)
{
    if (settings->enable_limit_count &&
        !mirror_attributes_is_set(settings, mirror_attributes_find("count"))) {
        APR_ARRAY_PUSH(warnings, const char *) =
            apr_psprintf(warnings->pool,
                         "enable_limit_count: sends only %" APR_INT64_T_FMT
                         " copy in %" APR_INT64_T_FMT " seconds without count",
                         settings->count, settings->time_window);
    }
    warn_of_long_time(warnings, settings, "connect_timeout", settings->connect_timeout);
    warn_of_long_time(warnings, settings, "timeout", settings->timeout);
    warn_of_end(warnings, settings, wall);
}
