/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * fleet/hold.h - when a node that has not seen the settings of its fleet may begin an empty store.
 *
 * A store that did not respond may come back empty, and the nodes that have its settings may be
 * slower to connect again. So a node without settings writes nothing to an empty store until the
 * others had the time to say that it was emptied (fleet/nodes.h).
 */
#ifndef MIRROR_FLEET_HOLD_H
#define MIRROR_FLEET_HOLD_H

#include "fleet/fleet.h"
#include "fleet/remote.h"
#include "shared/table.h"

/* The maximum interval between two polls of a node while the store does not respond. */
#define MIRROR_HOLD_BACKOFF apr_time_from_sec(5)

/* ---- the poller's thread, and tests ---- */

/* Note that the store responds again, before `down_since` is cleared. */
void mirror_hold_note(mirror_fleet_words_t *words, const mirror_fleet_t *fleet, apr_time_t now);

/* ---- any thread ---- */

/* Find out whether a node that has not seen a head of the store may begin it if it is empty.
 * *know: 1 if another node has seen one. *seconds: for how long this node may not begin the store;
 * 0 = it may. Errors: those of mirror_nodes_know_more(), which may wait. */
apr_status_t mirror_hold_query(int *know, int *seconds, mirror_fleet_words_t *words,
                               const mirror_fleet_t *fleet, mirror_remote_t *remote,
                               apr_pool_t *pool);

#endif
