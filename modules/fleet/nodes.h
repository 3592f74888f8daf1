/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * fleet/nodes.h - the states of all nodes, as they publish them (fleet/presence.h).
 */
#ifndef MIRROR_FLEET_NODES_H
#define MIRROR_FLEET_NODES_H

#include <apr_hash.h>

#include "fleet/remote.h"

typedef enum {
    MIRROR_NODE_IN_FORCE,
    MIRROR_NODE_BEHIND,  /* the newest change is not in force there yet */
    MIRROR_NODE_REFUSED, /* it refuses a document */
    MIRROR_NODE_SILENT,  /* it has published nothing for 30 s */
    MIRROR_NODE_STATES
} mirror_node_state_e;

typedef struct mirror_node_t {
    const char *name;
    mirror_node_state_e state;
    apr_int64_t revision;
    apr_uint64_t id;    /* of the change with this revision */
    apr_uint64_t epoch; /* of the store that it has followed last; 0 = it has seen no head of one */
    const char *module; /* its version */
    const char *mirrors; /* equal for equal names of its mirrors; "" = unknown */
    yajl_val refused;    /* object of mirrors; NULL = none */
    yajl_val own;        /* array of the mirrors with settings of this node alone; NULL = none */
} mirror_node_t;

typedef struct mirror_nodes_t {
    apr_uint64_t count[MIRROR_NODE_STATES];
    apr_array_header_t *others; /* of mirror_node_t that are not in force, at most 100 */
    apr_array_header_t *fine;   /* of mirror_node_t that are in force, at most 20 */
    int waiting;                /* live nodes that neither have nor refuse the sought document */
    apr_uint64_t knowing;       /* live nodes that have seen a head of the store */
    apr_hash_t *doubtful;       /* name -> text of silent ones that have, at most 100 */
    apr_uint64_t older;         /* live nodes with an older module than this node's */
    const char *oldest;         /* the version of one of them, the oldest; NULL = none */
    const char *older_name;     /* that node */
    /* live nodes with own settings of the sought mirror, or if none is sought of any; one of them */
    apr_uint64_t apart;
    const char *apart_name;
    /* live nodes that refuse the sought mirror's last document that they have read, or if none is
     * sought one of any mirror; one of them */
    apr_uint64_t refusing;
    const char *refusing_name;
    /* if no mirror is sought: two live nodes with different mirrors; those of the first one. NULL = none */
    const char *first_name, *other_name, *first_mirrors;
} mirror_nodes_t;

/* ---- request threads ---- */

/* Read the states of all nodes, judged by `head`. `mirror` and `version`: a document that is sought, or
 * with `mirror` NULL any of this revision; `version` NULL = none. States older than an hour are removed from the store. All is in `pool`. */
apr_status_t mirror_nodes_read(mirror_nodes_t *nodes, mirror_remote_t *remote,
                               const mirror_remote_head_t *head, const char *mirror,
                               const mirror_document_version_t *version, apr_pool_t *pool);

/* Find out whether the store has lost its head, or its index, that live nodes have seen. A node that
 * has started since then cannot know of itself. If its clock, or theirs, is wrong, they seem silent:
 * then the function waits until they had the time to write their states again, some seconds. */
apr_status_t mirror_nodes_know_more(int *know, mirror_remote_t *remote, apr_pool_t *pool);

#endif
