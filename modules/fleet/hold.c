/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * fleet/hold.c - when a node may begin an empty store. See fleet/hold.h.
 */
#include "base/clock.h"
#include "fleet/hold.h"
#include "fleet/nodes.h"

#define MARGIN  apr_time_from_sec(1)
#define UNKNOWN 2 /* seconds, while the store has not yet responded to the poller */

/* What the slowest other node needs: a connection that was opened just before the store came back and
 * is lost, the pause after it, the next connection, and a poll that was due. */
static apr_interval_time_t length_of(const mirror_fleet_t *fleet)
{
    return MIRROR_HOLD_BACKOFF + 2 * mirror_fleet_patience(fleet) + fleet->interval +
           fleet->interval / 10 + MARGIN;
}

void mirror_hold_note(mirror_fleet_words_t *words, const mirror_fleet_t *fleet, apr_time_t now)
{
    if (apr_atomic_read64(&words->epoch) == 0) {
        apr_atomic_set64(&words->held_until, (apr_uint64_t)(now + length_of(fleet)));
    }
}

/* Return for how many seconds the node may not begin an empty store; 0 = it may. */
static int seconds_left(mirror_fleet_words_t *words, const mirror_fleet_t *fleet, apr_time_t now)
{
    apr_time_t until;

    if (apr_atomic_read64(&words->name) != fleet->hash || !apr_atomic_read64(&words->checked) ||
        apr_atomic_read64(&words->down_since)) {
        return UNKNOWN;
    }
    until = (apr_time_t)apr_atomic_read64(&words->held_until);
    /* any process may write here, so a time of the far future is none */
    return until > now && until - now <= length_of(fleet) ? (int)apr_time_sec(until - now) + 1 : 0;
}

apr_status_t mirror_hold_query(int *know, int *seconds, mirror_fleet_words_t *words,
                               const mirror_fleet_t *fleet, mirror_remote_t *remote,
                               apr_pool_t *pool)
{
    /* before the others are asked, so that they have had all the time */
    *seconds = seconds_left(words, fleet, mirror_clock_now());
    return mirror_nodes_know_more(know, remote, pool);
}
