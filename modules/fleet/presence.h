/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * fleet/presence.h - what this node publishes about itself: the revision in force, the
 * documents that it refuses, the mirrors with own settings, and its versions.
 *
 *     {"at":1795867200,"revision":7,"id":"16 hex digits","epoch":"...","start":"...","module":"0.1.0","httpd":"Apache/2.4.71",
 *      "refused":{"m":{"id":"7-...","why":"..."}},"unknown":0,"own":["m2"],"mirrors":"..."}
 *
 * `own`: mirrors with settings of this node alone, over the fleet's. `mirrors`: equal on nodes whose mirrors
 * have the same names.
 *
 * The text is in shared memory, for this node's own manager, and in the store's hash of nodes.
 */
#ifndef MIRROR_FLEET_PRESENCE_H
#define MIRROR_FLEET_PRESENCE_H

#include "fleet/follow.h"

typedef struct mirror_presence_t mirror_presence_t;

/* ---- the poller's thread ---- */

/* Create it in `pool`. */
mirror_presence_t *mirror_presence_create(const mirror_registry_t *registry,
                                          mirror_follow_t *follow, apr_pool_t *pool);

/* Write the state if it has changed, and each ten seconds. A failure is not reported: the next poll
 * finds it out. */
void mirror_presence_publish(mirror_presence_t *presence);

#endif
