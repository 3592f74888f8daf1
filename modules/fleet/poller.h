/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * fleet/poller.h - the thread that polls the store of the fleet: one in each child, of which one
 * leads (fleet/lease.h) and has the node's only connection to the store.
 */
#ifndef MIRROR_FLEET_POLLER_H
#define MIRROR_FLEET_POLLER_H

#include "base/mirror.h"

/* ---- child start and end, main thread ---- */

/* Start the thread of `child`, if there is a fleet, in `pool`, which the thread may outlive. At the
 * start of httpd the function waits for the first poll of the node, at most redis_timeout. Errors
 * are logged; the child then follows the other children's polls. */
void mirror_poller_start(mirror_child_t *child, apr_pool_t *pool, struct server_rec *server);

/* Stop the thread; takes no lock. Returns 1 if it has ended, 0 if it is still blocked, such as by a
 * name server that does not respond. */
int mirror_poller_stop(mirror_child_t *child, apr_interval_time_t patience);

/* ---- request threads ---- */

/* Return the flag that ends the waits of this child's remotes when the child ends. */
apr_uint32_t *mirror_poller_given_up(const mirror_child_t *child);

/* Return whether a child of this node polls. The registry has a fleet and shared memory. */
int mirror_poller_leads(const mirror_registry_t *registry);

#endif
