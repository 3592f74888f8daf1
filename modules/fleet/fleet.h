/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * fleet/fleet.h - the fleet of this httpd: ProxyMirrorFleet.
 *
 * The nodes of a fleet share one store, a Redis: one document for each mirror. All keys of a fleet
 * have its name in braces, so a cluster has them in one hash slot.
 *
 *     PREFIX{NAME}:head   hash: epoch (random, of the first write), rev (number of the newest
 *                         change), id (random, of the newest change)
 *     PREFIX{NAME}:index  hash: mirror -> "REV-ID", or "REV-ID!" if its document was deleted
 *     PREFIX{NAME}:docs   hash: mirror -> document (fleet/document.h)
 *     PREFIX{NAME}:log    list: the newest changes, at most 1,000
 *     PREFIX{NAME}:nodes  hash: node -> state
 */
#ifndef MIRROR_FLEET_FLEET_H
#define MIRROR_FLEET_FLEET_H

#include "base/mirror.h"

typedef enum {
    MIRROR_FLEET_HEAD,
    MIRROR_FLEET_INDEX,
    MIRROR_FLEET_DOCS,
    MIRROR_FLEET_LOG,
    MIRROR_FLEET_NODES,
    MIRROR_FLEET_KEYS
} mirror_fleet_key_e;

typedef struct mirror_fleet_t {
    const char *name;
    const char *file; /* place of the directive */
    int line;
    mirror_settings_t given; /* the directive's own attributes */
    mirror_settings_t
        *settings; /* policy and redis_*: where the store is; NULL until check_config */
    apr_interval_time_t interval; /* between two polls */
    struct server_rec *server;    /* the main server: for the log and SSLProxy* */
    const char *node;             /* id of this node: its name and port, and a hash of ServerRoot */
    const char *keys[MIRROR_FLEET_KEYS];
    apr_uint64_t hash; /* of name and keys; never 0 */
} mirror_fleet_t;

/* ---- startup ---- */

/* Set node, keys and hash; the other members are set. */
void mirror_fleet_complete(mirror_fleet_t *fleet, apr_pool_t *pconf);

/* ---- any thread ---- */

/* Return the time of one command, redis_timeout. */
apr_interval_time_t mirror_fleet_patience(const mirror_fleet_t *fleet);

#endif
