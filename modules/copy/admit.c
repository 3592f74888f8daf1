/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * copy/admit.c - admission of copies. See copy/admit.h.
 */
#include "base/queue.h"
#include "base/window.h"
#include "copy/admit.h"
#include "copy/share.h"
#include "copy/spool.h"
#include "shared/breaker.h"
#include "shared/table.h"

int mirror_admit_charge_if(mirror_lane_t *lane, apr_size_t *charged, apr_size_t bytes)
{
    if (!mirror_share_take(&lane->child->memory, &lane->memory, bytes)) {
        return 0;
    }
    apr_atomic_add64(&lane->cell->bytes, bytes);
    *charged += bytes;
    return 1;
}

int mirror_admit_charge(mirror_lane_t *lane, apr_size_t *charged, apr_size_t bytes)
{
    if (!mirror_admit_charge_if(lane, charged, bytes)) {
        apr_atomic_inc32(&lane->child->refused);
        return 0;
    }
    return 1;
}

static int is_used_up(const mirror_lane_t *lane, const mirror_settings_t *settings)
{
    return settings->enable_limit_count &&
           mirror_window_is_closed(&lane->mirror->slot->limit_closed, settings->limit_id,
                                   apr_time_from_sec(settings->time_window));
}

static mirror_outcome_e refuse(mirror_lane_t *lane, mirror_outcome_e outcome)
{
    apr_atomic_dec32(&lane->pending);
    apr_atomic_inc64(&lane->cell->outcomes[outcome]);
    return outcome;
}

int mirror_admit_may_stay(mirror_lane_t *lane, apr_off_t bytes)
{
    return mirror_share_fits_half(&lane->child->memory, &lane->memory, (apr_uint64_t)bytes);
}

/* Return whether a body of that length has room, in memory or on disk. Nothing is reserved. */
static int has_room(mirror_lane_t *lane, apr_off_t announced)
{
    apr_off_t spooled =
        announced > 0 ? (announced - 1) / MIRROR_ADMIT_BLOCKS * MIRROR_ADMIT_BLOCKS : 0;

    return spooled == 0 || mirror_admit_may_stay(lane, announced) ||
           mirror_spool_has_room(lane, spooled);
}

mirror_outcome_e mirror_admit_cancel(const mirror_admit_t *admitted, mirror_lane_t *lane,
                                     mirror_outcome_e outcome)
{
    mirror_share_give(&lane->child->memory, &lane->memory, admitted->charged);
    apr_atomic_sub64(&lane->cell->bytes, admitted->charged);
    return refuse(lane, outcome);
}

mirror_outcome_e mirror_admit(mirror_admit_t *admitted, mirror_lane_t *lane,
                              const mirror_settings_t *settings, apr_size_t size,
                              apr_off_t announced)
{
    mirror_breaker_e pass;

    admitted->charged = 0;
    admitted->probe = 0;
    if (apr_atomic_read32(&lane->child->unstarted)) {
        /* If pending copies use all the room, no push starts the sender. */
        mirror_queue_wake(lane->child->queue);
    }
    if (apr_atomic_inc32(&lane->pending) >=
        (apr_uint64_t)settings->max_connections + settings->max_queue) {
        apr_atomic_inc32(&lane->refused);
        return refuse(lane, MIRROR_OUTCOME_QUEUE_FULL);
    }
    if (!has_room(lane, announced) || !mirror_admit_charge(lane, &admitted->charged, size)) {
        return refuse(lane, MIRROR_OUTCOME_MEMORY_FULL);
    }
    if (is_used_up(lane, settings)) {
        return mirror_admit_cancel(admitted, lane, MIRROR_OUTCOME_LIMITED);
    }
    pass = mirror_breaker_pass(lane, settings);
    if (pass == MIRROR_BREAKER_REFUSE) {
        return mirror_admit_cancel(admitted, lane, MIRROR_OUTCOME_UNREACHABLE);
    }
    admitted->probe = pass == MIRROR_BREAKER_PROBE;
    return MIRROR_OUTCOME_NONE;
}
