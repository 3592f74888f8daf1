/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * fleet/lease.h - the lease by which one child of the node polls.
 *
 * The lease is two words in shared memory: the leader, and its beat, the time of its last command.
 * A child takes the lease if there is no leader, the leader's process has ended, its beat is too
 * old, or it runs an older configuration. Only a child with the newest configuration takes it. Two
 * leaders at once do no harm: documents have ids, and stores in shared memory compare versions.
 */
#ifndef MIRROR_FLEET_LEASE_H
#define MIRROR_FLEET_LEASE_H

#include "shared/table.h"

/* ---- the poller's thread, and tests ---- */

/* Return whether this process leads, after an attempt to take the lease. `load`: the number of the
 * load of its configuration. `patience`: how old a beat may be. `now`: mirror_clock_now(). */
int mirror_lease_take(mirror_fleet_words_t *words, apr_uint32_t load, apr_interval_time_t patience,
                      apr_time_t now);

/* Set the beat to `now`, if this process has the lease. */
void mirror_lease_beat(mirror_fleet_words_t *words, apr_uint32_t load, apr_time_t now);

/* Give the lease up, if this process has it. */
void mirror_lease_give(mirror_fleet_words_t *words, apr_uint32_t load);

/* ---- any thread ---- */

/* Return whether a process of this node has the lease, alive and with a beat that is not too old. */
int mirror_lease_is_taken(mirror_fleet_words_t *words, apr_interval_time_t patience,
                          apr_time_t now);

#endif
