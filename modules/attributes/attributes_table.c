/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * attributes/attributes_table.c - the rows of the attributes. See attributes/attributes.h.
 *
 * A new attribute is a member of mirror_settings_t and a row here.
 */
#include <apr_lib.h>
#include <stddef.h>
#include <string.h>

#include "attributes/attributes.h"
#include "attributes/limit_settings.h"

#define FIELD(member) offsetof(mirror_settings_t, member)
#define MILLISECOND   ((apr_int64_t)1000)
/* the timeout of a poll is an int of ms */
#define WEEK     (7 * 24 * 3600 * (apr_int64_t)APR_USEC_PER_SEC)
#define YEAR     (365 * 24 * 3600)
#define GIGABYTE ((apr_int64_t)1 << 30)

#define RULE(type, min, max, allowed, choices, refuse)                                             \
    {                                                                                              \
        &mirror_value_##type, min, max, allowed, choices, refuse                                   \
    }

#define BOOL RULE(bool, 0, 0, "must be true or false (in a directive, also on or off)", NULL, NULL)

#define NUMBER(min, max, text) RULE(number, min, max, "must be an integer from " text, NULL, NULL)

#define SIZE(max, text) RULE(size, 0, max, "must be a size such as 64K or 1M, " text, NULL, NULL)

#define TIME(min, text)                                                                            \
    RULE(time, min, WEEK, "must be a time such as 500ms, 2s or 1.5min, from " text " to 168h",     \
         NULL, NULL)
#define CHOICE(words, text)            RULE(choice, 0, 0, "must be " text, words, NULL)
#define STRING(min, max, refuse, text) RULE(string, min, max, text, NULL, refuse)
#define TARGET                         RULE(target, 0, 0, TARGET_ALLOWED, NULL, NULL)
#define PASSWORD                       RULE(secret, 1, 1024, "must be a password or exec:/path/to/program", NULL, NULL)
#define NAME(what)                     STRING(1, 255, NULL, "must be " what " of 1 to 255 characters")
#define LIST(min, max, refuse, text)   RULE(list, min, max, text, NULL, refuse)

#define EXPR(text) RULE(string, 1, 4096, "must be " text " of 1 to 4096 characters", NULL, NULL)

#define TARGET_ALLOWED                                                                             \
    "must be http://, https://, h2c://, h2://, grpc:// or grpcs:// with a host name, IPv4 "        \
    "address "                                                                                     \
    "or [IPv6 address] and an optional port from 1 to 65535, or in a directive "                   \
    "unix:/path|http://name"

static const char *refuse_name(const char *text)
{
    for (; apr_isalnum(*text) || (*text && strchr("._-", *text)); text++) {
    }
    return *text ? "" : NULL;
}

static const char *const path_words[] = { "replace", "prefix", NULL }; /* mirror_path_e */
static const char *const host_words[] = { "preserve", "target", NULL };
static const char *const uri_words[] = { "client", "backend", NULL };          /* mirror_uri_e */
static const char *const part_words[] = { "status", "headers", "body", NULL }; /* mirror_part_e */
static const char *const role_words[] = { "mirror", "reference", NULL };       /* mirror_role_e */
static const char *const array_words[] = { "ordered", "unordered", NULL };
static const char *const value_words[] = { "off", "masked", "full", NULL }; /* mirror_values_e */
static const char *const resolve_words[] = { "first", "all", NULL };        /* mirror_resolve_e */
static const char *const when_words[] = { "response", "request", NULL };    /* mirror_when_e */
/* mirror_fallback_e */
static const char *const fallback_words[] = { "local", "mirror", "drop", NULL };

#define RATIO                                                                                      \
    RULE(ratio, 0, MIRROR_RATIO_ALL,                                                               \
         "must be a number from 0 to 1 (in a directive, also 0% to 100%)", NULL, NULL)
#define HOST_HEADER                                                                                \
    RULE(host, 0, 0, "must be preserve, target, or a host name or address with an optional port",  \
         host_words, NULL)
#define DATE                                                                                       \
    RULE(date, 0, 0, "must be a date and time of RFC 3339 such as 2026-12-24T18:00:00Z", NULL, NULL)
#define SET(words, text) RULE(set, 0, 0, "must be " text, words, NULL)
#define TEXTS(max, text) RULE(texts, 0, max, "must be " text, NULL, NULL)
#define COMPARED         "compare"
#define LIMITED          "enable_limit_count=true"
#define REMOTE           "policy=redis|redis-cluster|redis-sentinel"
#define SENTINEL         "policy=redis-sentinel"

const mirror_attribute_t mirror_attributes[] = {
    { "host", FIELD(target), TARGET, NULL, MIRROR_ATTRIBUTE_NO_WORD | MIRROR_ATTRIBUTE_NO_DEFAULT,
      NULL },
    { "name", FIELD(name),
      STRING(1, 64, refuse_name, "must be 1 to 64 letters, digits, '.', '_' or '-'"), NULL,
      MIRROR_ATTRIBUTE_NO_DEFAULT | MIRROR_ATTRIBUTE_NO_JSON, NULL },
    { "enabled", FIELD(enabled), BOOL, "true", 0, NULL },
    { "until", FIELD(until), DATE, NULL, 0, NULL },
    { "expr", FIELD(expr), EXPR("an expression"), NULL, 0, NULL },
    { "sample_ratio", FIELD(sample_ratio), RATIO, "1", 0, NULL },
    { "sample_key", FIELD(sample_key), EXPR("a string expression"), NULL, 0, "sample_ratio" },
    { "methods", FIELD(methods),
      LIST(1, 64, mirror_value_refuse_method,
           "must be a list of methods in upper case, such as GET,POST"),
      NULL, 0, NULL },
    { "body", FIELD(body), BOOL, "on", 0, NULL },
    { "max_body", FIELD(max_body), SIZE(1024 * GIGABYTE, "at most 1024G"), "1M", 0, "body=true" },
    { "path", FIELD(path),
      STRING(1, 4096, mirror_value_refuse_path, "must be a path that starts with /"), NULL, 0,
      NULL },
    { "path_concat_mode", FIELD(path_concat_mode), CHOICE(path_words, "replace or prefix"),
      "replace", 0, "path" },
    { "host_header", FIELD(host_header), HOST_HEADER, "preserve", 0, NULL },
    { "uri", FIELD(uri), CHOICE(uri_words, "client or backend"), "client", 0, NULL },
    { "when", FIELD(when), CHOICE(when_words, "response or request"), "response", 0, NULL },
    { "status", FIELD(status),
      LIST(1, 404, mirror_value_refuse_status,
           "must be a list of statuses from 200 to 599, such as 2xx,404"),
      NULL, 0, NULL },
    { "copies", FIELD(copies), NUMBER(1, 100, "1 to 100"), "1", 0, NULL },
    { "connect_timeout", FIELD(connect_timeout), TIME(MILLISECOND, "1ms"), "2s", 0, NULL },
    { "timeout", FIELD(timeout), TIME(MILLISECOND, "1ms"), "10s", 0, NULL },
    { "keepalive", FIELD(keepalive), TIME(0, "0"), "60s", 0, NULL },
    { "max_connections", FIELD(max_connections), NUMBER(1, 65535, "1 to 65535"), "64", 0, NULL },
    { "pipeline", FIELD(pipeline), NUMBER(1, 100, "1 to 100"), "1", 0, NULL },
    { "streams", FIELD(streams), NUMBER(1, 1000, "1 to 1000"), "100", 0, NULL },
    { "max_queue", FIELD(max_queue), NUMBER(0, APR_INT32_MAX, "0 to 2147483647"), "1024", 0, NULL },
    { "retry", FIELD(retry), TIME(0, "0"), "10s", 0, NULL },
    { "ttl", FIELD(ttl), TIME(0, "0"), "60s", 0, NULL },
    { "resolve", FIELD(resolve), CHOICE(resolve_words, "first or all"), "first", 0, NULL },
    { "servers", FIELD(servers),
      RULE(servers, 2, MIRROR_SERVERS_MAX,
           "must be 2 to 16 servers host[:port][*weight], with weights from 1 to 100", NULL, NULL),
      NULL, 0, NULL },
    { "enable_limit_count", FIELD(enable_limit_count), BOOL, "false", 0, NULL },
    { "count", FIELD(count), NUMBER(1, APR_INT32_MAX, "1 to 2147483647"), "1", 0, LIMITED },
    { "time_window", FIELD(time_window), NUMBER(1, YEAR, "1 to 31536000 (seconds)"), "60", 0,
      LIMITED },
    { "policy", FIELD(policy),
      CHOICE(mirror_limit_settings_policies, "local, redis, redis-cluster or redis-sentinel"),
      "local", 0, LIMITED },
    { "limit_fallback", FIELD(limit_fallback), CHOICE(fallback_words, "local, mirror or drop"),
      "local", 0, REMOTE },
    { "redis_host", FIELD(redis_host),
      STRING(1, 253, mirror_limit_settings_refuse_host,
             "must be a host name, an IPv4 address or an IPv6 address"),
      NULL, 0, "policy=redis" },
    { "redis_port", FIELD(redis_port), NUMBER(1, 65535, "1 to 65535"), "6379", 0, "policy=redis" },
    { "redis_username", FIELD(redis_username), NAME("a user name"), NULL, 0, REMOTE },
    { "redis_password", FIELD(redis_password), PASSWORD, NULL, 0, REMOTE },
    { "redis_database", FIELD(redis_database), NUMBER(0, APR_INT32_MAX, "0 to 2147483647"), "0", 0,
      "policy=redis|redis-sentinel" },
    { "redis_timeout", FIELD(redis_timeout), NUMBER(1, 3600000, "1 to 3600000 (milliseconds)"),
      "1000", 0, REMOTE },
    { "redis_ssl", FIELD(redis_ssl), BOOL, "false", 0, REMOTE },
    { "redis_key_prefix", FIELD(redis_key_prefix),
      STRING(0, 255, NULL, "must be at most 255 characters"), "proxy-mirror:v1:", 0, REMOTE },
    { "redis_cluster_nodes", FIELD(redis_cluster_nodes),
      LIST(2, 1000, mirror_limit_settings_refuse_node, "must be two or more host:port"), NULL, 0,
      "policy=redis-cluster" },
    { "redis_cluster_name", FIELD(redis_cluster_name), NAME("a name"), NULL, 0,
      "policy=redis-cluster" },
    { "redis_sentinels", FIELD(redis_sentinels),
      LIST(1, 16, mirror_limit_settings_refuse_node, "must be 1 to 16 host:port"), NULL, 0,
      SENTINEL },
    { "redis_master_name", FIELD(redis_master_name), NAME("a name"), NULL, 0, SENTINEL },
    { "sentinel_username", FIELD(sentinel_username), NAME("a user name"), NULL, 0, SENTINEL },
    { "sentinel_password", FIELD(sentinel_password), PASSWORD, NULL, 0, SENTINEL },
    { "compare", FIELD(compare), SET(part_words, "off, all, or a list of status, headers and body"),
      "off", 0, NULL },
    { "compare_ratio", FIELD(compare_ratio), RATIO, "1", 0, COMPARED },
    { "compare_max_body", FIELD(compare_max_body), SIZE(16 * 1024 * 1024, "at most 16M"), "256K", 0,
      COMPARED },
    { "compare_timeout", FIELD(compare_timeout),
      RULE(time, APR_USEC_PER_SEC, 600 * (apr_int64_t)APR_USEC_PER_SEC,
           "must be a time such as 30s, from 1s to 10min", NULL, NULL),
      "30s", 0, COMPARED },
    { "compare_group", FIELD(compare_group), EXPR("a string expression"), NULL, 0, COMPARED },
    { "compare_arrays", FIELD(compare_arrays), CHOICE(array_words, "ordered or unordered"),
      "ordered", 0, COMPARED },
    { "compare_examples", FIELD(compare_examples), NUMBER(0, 10, "0 to 10"), "3", 0, COMPARED },
    { "compare_values", FIELD(compare_values),
      RULE(file_choice, 0, 0, "must be off, masked or full", value_words, NULL), "off", 0,
      COMPARED },
    { "role", FIELD(role), CHOICE(role_words, "mirror or reference"), "mirror", 0, NULL },
    { "compare_reference", FIELD(compare_reference),
      STRING(1, 64, refuse_name, "must be the name of a mirror with role=reference"), NULL, 0,
      COMPARED },
    { "compare_rules", FIELD(compare_rules),
      TEXTS(256, "at most 256 rules such as \"body/now ignore\" in a JSON array"), NULL, 0,
      COMPARED },
    { NULL, 0, { NULL, 0, 0, NULL, NULL, NULL }, NULL, 0, NULL }
};

/* bits of `set` */
#define ROWS_LEFT (64 - (int)(sizeof(mirror_attributes) / sizeof(*mirror_attributes) - 1))
typedef char rows_fit_in_set[ROWS_LEFT >= 0 ? 1 : -1];
