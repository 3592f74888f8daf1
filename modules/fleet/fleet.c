/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * fleet/fleet.c - the fleet of this httpd. See fleet/fleet.h.
 */
#include <httpd.h>
#include <http_main.h>
#include <ap_listen.h>
#include <apr_lib.h>
#include <apr_network_io.h>
#include <apr_sha1.h>
#include <apr_strings.h>
#include <string.h>

#include "base/hash.h"
#include "fleet/fleet.h"
#include "redis/redis_route.h"

#define HOST_MAX 80

/* FNV-1a, with the end of the text */
static apr_uint64_t add(apr_uint64_t hash, const char *text)
{
    return mirror_hash_bytes(hash, text, strlen(text) + 1);
}

/* Return characters of a name only. */
static const char *clean(const char *name, apr_pool_t *pool)
{
    char *text = apr_pstrndup(pool, name, HOST_MAX), *c;

    for (c = text; *c; c++) {
        *c = apr_isalnum(*c) || strchr(".-_", *c) ? *c : '_';
    }
    return text;
}

/* The same over restarts: two httpds of one host differ in port or ServerRoot. */
static const char *name_node(const mirror_fleet_t *fleet, apr_pool_t *pool)
{
    char host[APRMAXHOSTLEN + 1] = "localhost", hex[9];
    unsigned char digest[APR_SHA1_DIGESTSIZE];
    apr_sha1_ctx_t sha1;
    apr_port_t port = fleet->server->port;

    apr_gethostname(host, sizeof(host), pool);
    apr_sha1_init(&sha1);
    apr_sha1_update(&sha1, ap_server_root, (unsigned)strlen(ap_server_root));
    apr_sha1_final(digest, &sha1);
    ap_bin2hex(digest, 4, hex);
    if (port == 0 && fleet->server->addrs) {
        port = fleet->server->addrs->host_port;
    }
    if (port == 0 && ap_listeners) {
        port = ap_listeners->bind_addr->port;
    }
    return apr_psprintf(pool, "%s:%u-%s", clean(host, pool), (unsigned)port, hex);
}

void mirror_fleet_complete(mirror_fleet_t *fleet, apr_pool_t *pconf)
{
    static const char *const rest[] = { "head", "index", "docs", "log", "nodes" };
    int i;

    fleet->node = name_node(fleet, pconf);
    fleet->hash = add(MIRROR_HASH_START, fleet->name);
    for (i = 0; i < MIRROR_FLEET_KEYS; i++) {
        fleet->keys[i] = mirror_redis_route_key(
            fleet->settings, apr_pstrcat(pconf, "{", fleet->name, "}:", rest[i], NULL), pconf);
        fleet->hash = add(fleet->hash, fleet->keys[i]);
    }
    fleet->hash += fleet->hash == 0;
}

apr_interval_time_t mirror_fleet_patience(const mirror_fleet_t *fleet)
{
    return apr_time_from_msec(fleet->settings->redis_timeout);
}
