/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * limit/cluster.c - the strategy redis-cluster. See limit/limit.h.
 *
 * A limit is one key, which one node owns. Any other node redirects to the owner (MOVED); the owner
 * is remembered, and its connection is kept. While the key's slot migrates, the owner redirects
 * single commands to the next owner (ASK). If the owner fails, the seeds are queried in turn. One
 * lookup comprises all of that. It has one deadline and a limit of redirections, because nodes may
 * redirect to a dead node or in a circle.
 */
#include <ap_provider.h>
#include <apr_strings.h>
#include <string.h>

#include "base/authority.h"
#include "base/clock.h"
#include "limit/redis_window.h"

/* Maximum of redirections per lookup, and maximum of attempts. */
#define HOPS_MAX  5
#define TRIES_MAX 32
/* The delay before a retry at a node that is temporarily unable to reply. */
#define WAIT apr_time_from_msec(20)

typedef struct node_t {
    char host[256];
    apr_port_t port; /* 0 = no node */
} node_t;

typedef struct cluster_t {
    apr_pool_t *pool;
    mirror_redis_window_t *window;
    mirror_redis_login_t login;
    node_t *seeds;
    int seed_count;
    int seed;                              /* index of the next seed */
    node_t owner;                          /* last known owner */
    mirror_redis_connection_t *connection; /* NULL = not connected */
} cluster_t;

/* A pending lookup. */
typedef struct lookup_t {
    mirror_limit_result_t *result;
    apr_int64_t requested;
    apr_time_t deadline;
    node_t node; /* current node */
    int asking;  /* after ASK: the node is not the owner yet */
    int hops;
    int lost; /* number of failed nodes */
} lookup_t;

/* The next step of a lookup. */
typedef enum { NEXT_DONE, NEXT_FAIL, NEXT_GO, NEXT_WAIT } next_e;

/* ---- state ---- */

static node_t node_of(const char *text)
{
    mirror_authority_t authority;
    node_t node;

    mirror_authority_split(&authority, text); /* valid: the attribute's rule has accepted it */
    apr_snprintf(node.host, sizeof(node.host), "%.*s", (int)authority.length, authority.host);
    node.port = authority.port;
    return node;
}

static const char *cluster_missing(const mirror_t *mirror, const mirror_settings_t *settings,
                                   apr_pool_t *pool)
{
    const apr_array_header_t *nodes = settings->redis_cluster_nodes;
    const char *missing = NULL;
    int i;

    for (i = 0; i < nodes->nelts && !missing; i++) {
        node_t node = node_of(APR_ARRAY_IDX(nodes, i, const char *));

        missing = mirror_redis_login_missing(
            mirror, settings, mirror_redis_connection_url(node.host, node.port, pool), pool);
    }
    return missing;
}

static void *cluster_open(const mirror_t *mirror, const mirror_settings_t *settings,
                          apr_uint32_t *given_up, apr_pool_t *pool)
{
    const apr_array_header_t *nodes = settings->redis_cluster_nodes;
    cluster_t *cluster = apr_pcalloc(pool, sizeof(*cluster));
    int i;

    cluster->pool = pool;
    cluster->window = mirror_redis_window_create(apr_pstrcat(pool, settings->redis_key_prefix,
                                                             settings->redis_cluster_name, ":",
                                                             settings->name, NULL),
                                                 settings, pool);
    mirror_redis_login_set(&cluster->login, mirror, settings, given_up, pool);
    cluster->login.database = 0; /* a cluster has only database 0 */
    cluster->seed_count = nodes->nelts;
    cluster->seeds = apr_pcalloc(pool, nodes->nelts * sizeof(node_t));
    for (i = 0; i < nodes->nelts; i++) {
        cluster->seeds[i] = node_of(APR_ARRAY_IDX(nodes, i, const char *));
    }
    return cluster;
}

static void cluster_close(void *state)
{
    cluster_t *cluster = state;

    if (cluster->connection) {
        mirror_redis_connection_close(cluster->connection);
        cluster->connection = NULL;
    }
}

/* ---- one node ---- */

/* Connect to the current node of the lookup. The node may not respond at all, so it gets half of
 * the remaining time. */
static apr_status_t reach(cluster_t *cluster, lookup_t *lookup)
{
    apr_time_t now = mirror_clock_now();

    if (cluster->connection && (!mirror_redis_connection_is_to(
                                    cluster->connection, lookup->node.host, lookup->node.port) ||
                                !mirror_redis_connection_is_usable(cluster->connection))) {
        cluster_close(cluster);
    }
    return cluster->connection
               ? APR_SUCCESS
               : mirror_redis_connection_open(
                     &cluster->connection, lookup->node.host, lookup->node.port, &cluster->login,
                     now + (lookup->deadline - now) / 2, cluster->pool, lookup->result->fault);
}

static apr_status_t query_node(const mirror_redis_reply_t **reply, cluster_t *cluster,
                               lookup_t *lookup)
{
    static const char *const asking[] = { "ASKING" };
    apr_status_t rv = reach(cluster, lookup);

    if (rv == APR_SUCCESS && lookup->asking) {
        rv = mirror_redis_connection_command(reply, cluster->connection, 1, asking,
                                             lookup->deadline, lookup->result->fault);
    }
    if (rv == APR_SUCCESS) {
        rv = mirror_redis_window_query(reply, cluster->window, cluster->connection,
                                       lookup->requested, lookup->asking, lookup->deadline,
                                       lookup->result->fault);
    }
    if (rv != APR_SUCCESS) {
        cluster_close(cluster);
    }
    return rv;
}

/* ---- the lookup ---- */

/* Give up the node and continue with the next seed, which may have a newer owner. */
static next_e lose_node(cluster_t *cluster, lookup_t *lookup, next_e then)
{
    cluster->seed = (cluster->seed + 1) % cluster->seed_count;
    cluster->owner.port = 0;
    lookup->asking = 0;
    /* Each seed may fail, and each may redirect once to a failed owner. */
    return ++lookup->lost > 2 * cluster->seed_count ? NEXT_FAIL : then;
}

static next_e follow(cluster_t *cluster, lookup_t *lookup, const node_t *to, int asking)
{
    node_t node = *to;

    if (!*node.host) { /* the same host */
        apr_cpystrn(node.host, lookup->node.host, sizeof(node.host));
    }
    lookup->asking = asking;
    if (asking) {
        lookup->node = node;
    }
    else {
        cluster->owner = node;
    }
    return ++lookup->hops > HOPS_MAX ? NEXT_FAIL : NEXT_GO;
}

static next_e read_reply(cluster_t *cluster, lookup_t *lookup, const mirror_redis_reply_t *reply)
{
    node_t to;

    if (mirror_redis_window_read(lookup->result, cluster->window, reply, lookup->requested,
                                 mirror_clock_now()) == APR_SUCCESS) {
        if (!lookup->asking) {
            cluster->owner = lookup->node;
        }
        return NEXT_DONE;
    }
    mirror_redis_connection_refuse(lookup->result->fault, cluster->connection, reply);
    if (mirror_redis_reply_redirect(to.host, sizeof(to.host), &to.port, reply, "MOVED")) {
        return follow(cluster, lookup, &to, 0);
    }
    if (mirror_redis_reply_redirect(to.host, sizeof(to.host), &to.port, reply, "ASK")) {
        return follow(cluster, lookup, &to, 1);
    }
    if (mirror_redis_reply_is_error(reply, "TRYAGAIN")) {
        lookup->asking = 0;
        return NEXT_WAIT;
    }
    if (mirror_redis_reply_is_error(reply, "CLUSTERDOWN") ||
        mirror_redis_reply_is_error(reply, "LOADING") ||
        mirror_redis_reply_is_error(reply, "MASTERDOWN") ||
        mirror_redis_reply_is_error(reply, "READONLY")) {
        cluster_close(cluster);
        return lose_node(cluster, lookup, NEXT_WAIT);
    }
    cluster_close(cluster);
    return NEXT_FAIL;
}

static next_e go_on(cluster_t *cluster, lookup_t *lookup)
{
    const mirror_redis_reply_t *reply;

    if (!lookup->asking) {
        lookup->node = cluster->owner.port ? cluster->owner : cluster->seeds[cluster->seed];
    }
    return query_node(&reply, cluster, lookup) == APR_SUCCESS ? read_reply(cluster, lookup, reply)
                                                              : lose_node(cluster, lookup, NEXT_GO);
}

static apr_status_t cluster_query(mirror_limit_result_t *result, void *state, apr_int64_t requested,
                                  apr_time_t deadline)
{
    cluster_t *cluster = state;
    lookup_t lookup;
    next_e next;
    int i;

    memset(&lookup, 0, sizeof(lookup));
    lookup.result = result;
    lookup.requested = requested;
    lookup.deadline = deadline;
    for (i = 0; i < TRIES_MAX && mirror_clock_now() < deadline; i++) {
        next = go_on(cluster, &lookup);
        if (next == NEXT_DONE) {
            return APR_SUCCESS;
        }
        if (next == NEXT_FAIL) {
            break;
        }
        if (next == NEXT_WAIT) {
            apr_sleep(WAIT);
        }
    }
    if (!*result->fault) {
        apr_cpystrn(result->fault, "redis_timeout expired before a request was sent to a node",
                    sizeof(result->fault));
    }
    return APR_EGENERAL;
}

static const mirror_limit_provider_t cluster_provider = { 1, cluster_missing, cluster_open,
                                                          cluster_query, cluster_close };

void mirror_limit_redis_cluster_register(apr_pool_t *p)
{
    ap_register_provider(p, MIRROR_LIMIT_PROVIDERS, "redis-cluster", MIRROR_LIMIT_PROVIDER_VERSION,
                         &cluster_provider);
}
