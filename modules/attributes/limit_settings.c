/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * attributes/limit_settings.c - rules of the attributes of limits. See attributes/limit_settings.h.
 */
#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "attributes/limit_settings.h"
#include "base/authority.h"
#include "base/hash.h"
#include "base/window.h"

const char *const mirror_limit_settings_policies[] = { "local", "redis", "redis-cluster",
                                                       "redis-sentinel", NULL };

/* ---- rules ---- */

/* The syntax only; a lookup finds out whether the server exists. */
const char *mirror_limit_settings_refuse_host(const char *text)
{
    for (; apr_isalnum(*text) || (*text && strchr("._-:", *text)); text++) {
    }
    return *text ? "" : NULL;
}

/* An IPv6 address is in brackets. */
const char *mirror_limit_settings_refuse_node(const char *text)
{
    mirror_authority_t node;
    apr_size_t i;

    if (mirror_authority_split(&node, text) || !node.port) {
        return "a node has no valid port";
    }
    for (i = 0; i < node.length; i++) {
        if (!apr_isalnum(node.host[i]) && !strchr(node.is_bracketed ? ":." : "._-", node.host[i])) {
            return "a node has a malformed host";
        }
    }
    return !node.length || node.length > 255 ? "a node has a malformed host" : NULL;
}

/* ---- identity ---- */

/* FNV-1a, including the end of each piece. */
static apr_uint64_t add(apr_uint64_t hash, const void *data, apr_size_t len)
{
    return mirror_hash_add(mirror_hash_bytes(hash, data, len), 0x1ff);
}

static apr_uint64_t add_text(apr_uint64_t hash, const char *text)
{
    return text ? add(hash, text, strlen(text)) : add(hash, "", 1);
}

static apr_uint64_t add_list(apr_uint64_t hash, const apr_array_header_t *texts)
{
    int i;

    for (i = 0; texts && i < texts->nelts; i++) {
        hash = add_text(hash, APR_ARRAY_IDX(texts, i, const char *));
    }
    return hash;
}

void mirror_limit_settings_identify(mirror_settings_t *settings)
{
    apr_int64_t numbers[8];
    apr_uint64_t hash = MIRROR_HASH_START;

    numbers[0] = settings->policy;
    numbers[1] = settings->count;
    numbers[2] = settings->time_window;
    numbers[3] = settings->redis_port;
    numbers[4] = settings->redis_database;
    numbers[5] = settings->redis_timeout;
    numbers[6] = settings->limit_fallback;
    numbers[7] = settings->redis_ssl;
    hash = add(hash, numbers, sizeof(numbers));
    hash = add_text(hash, settings->name);
    hash = add_text(hash, settings->redis_host);
    hash = add_text(hash, settings->redis_username);
    hash = add_text(hash, settings->redis_password);
    hash = add_text(hash, settings->redis_key_prefix);
    hash = add_text(hash, settings->redis_cluster_name);
    hash = add_list(hash, settings->redis_cluster_nodes);
    if (!strcmp(mirror_limit_settings_policies[settings->policy], "redis-sentinel")) {
        hash = add_list(hash, settings->redis_sentinels);
        hash = add_text(hash, settings->redis_master_name);
        hash = add_text(hash, settings->sentinel_username);
        hash = add_text(hash, settings->sentinel_password);
    }
    settings->limit_id = (apr_uint32_t)((hash ^ hash >> 32) & MIRROR_WINDOW_ID_MAX);
    settings->limit_id += settings->limit_id == 0;
}
