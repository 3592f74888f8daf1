/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * fleet/follow.h - following the store of the fleet: one poll compares its head with the one in
 * force, and applies the documents that differ.
 *
 * Each node judges for itself. A document that this node cannot apply is refused as a whole: the
 * former one stays in force, one line is logged, and the document is not tried again until it, or
 * the configuration, changes.
 */
#ifndef MIRROR_FLEET_FOLLOW_H
#define MIRROR_FLEET_FOLLOW_H

#include <yajl/yajl_gen.h>

#include "fleet/remote.h"
#include "shared/table.h"

typedef struct mirror_follow_t mirror_follow_t;

/* Most mirrors in each list of the node's state. A list with so many may lack some. */
#define MIRROR_FOLLOW_LISTED 20

/* ---- the poller's thread ---- */

/* Create a follower for this load's mirrors in `pool`, whose remote has its own pool below. */
mirror_follow_t *mirror_follow_create(const mirror_registry_t *registry, apr_uint32_t *given_up,
                                      apr_pool_t *pool);

/* Begin to lead: documents are judged again if they were judged with another configuration. */
void mirror_follow_begin(mirror_follow_t *follow);

/* Poll once. `pause(baton)` is called before changed documents are read; it returns 0 to give up.
 * Returns an error, and *fault, if the store did not respond, or not as it should. */
apr_status_t mirror_follow_poll(mirror_follow_t *follow, int (*pause)(void *baton), void *baton,
                                const char **fault);

/* Close the connection. */
void mirror_follow_close(mirror_follow_t *follow);

/* Return the remote, to write the node's state. */
mirror_remote_t *mirror_follow_remote(mirror_follow_t *follow);

/* Append the members "refused" and "unknown" of the node's state; return a number that changes with
 * them. */
void mirror_follow_print(yajl_gen gen, const mirror_follow_t *follow, apr_pool_t *pool);
int mirror_follow_changes(const mirror_follow_t *follow);

#endif
