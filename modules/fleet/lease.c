/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * fleet/lease.c - the lease of the poller. See fleet/lease.h.
 */
#include <unistd.h>

#include "fleet/lease.h"

static apr_uint64_t self(apr_uint32_t load)
{
    return (apr_uint64_t)load << 32 | (apr_uint32_t)getpid();
}

/* A beat may be later than `now`, which was read before. One of the far future is no beat: any
 * process may write here. */
static int is_fresh(mirror_fleet_words_t *words, apr_interval_time_t patience, apr_time_t now)
{
    apr_uint64_t beat = apr_atomic_read64(&words->beat);
    apr_uint64_t age = (apr_uint64_t)now - beat, ahead = beat - (apr_uint64_t)now;

    return age <= (apr_uint64_t)patience || ahead <= (apr_uint64_t)patience;
}

int mirror_lease_is_taken(mirror_fleet_words_t *words, apr_interval_time_t patience, apr_time_t now)
{
    apr_uint64_t leader = apr_atomic_read64(&words->leader);

    return leader != 0 && is_fresh(words, patience, now) &&
           mirror_store_is_alive((apr_uint32_t)leader);
}

int mirror_lease_take(mirror_fleet_words_t *words, apr_uint32_t load, apr_interval_time_t patience,
                      apr_time_t now)
{
    apr_uint64_t own = self(load), leader = apr_atomic_read64(&words->leader);

    if (leader == own) {
        return 1;
    }
    if ((leader >> 32) >= load && mirror_lease_is_taken(words, patience, now)) {
        return 0;
    }
    /* before the exchange, so that no other process sees this leader with an old beat */
    apr_atomic_set64(&words->beat, (apr_uint64_t)now);
    return apr_atomic_cas64(&words->leader, own, leader) == leader;
}

void mirror_lease_beat(mirror_fleet_words_t *words, apr_uint32_t load, apr_time_t now)
{
    if (apr_atomic_read64(&words->leader) == self(load)) {
        apr_atomic_set64(&words->beat, (apr_uint64_t)now);
    }
}

void mirror_lease_give(mirror_fleet_words_t *words, apr_uint32_t load)
{
    apr_atomic_cas64(&words->leader, 0, self(load));
}
