/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * copy/admit.h - whether a copy may be made: room in queue, memory and spool, the window, the
 * breaker, in this order. Nothing is allocated before that.
 */
#ifndef MIRROR_COPY_ADMIT_H
#define MIRROR_COPY_ADMIT_H

#include "base/mirror.h"

/* Bytes of a body that may always be in memory. */
#define MIRROR_ADMIT_BLOCKS 65536

/* What an admitted copy has taken. */
typedef struct mirror_admit_t {
    apr_size_t charged; /* bytes of memory */
    int probe;          /* the copy finds out whether a mirror that is down still is */
} mirror_admit_t;

/* ---- request threads ---- */

/* Admit one more copy of `size` bytes to `lane`; `announced` is the length of its body, 0 if there
 * is none or if it is not known. Returns MIRROR_OUTCOME_NONE, or why not (queue_full, memory_full,
 * limited, unreachable), which is then counted. */
mirror_outcome_e mirror_admit(mirror_admit_t *admitted, mirror_lane_t *lane,
                              const mirror_settings_t *settings, apr_size_t size,
                              apr_off_t announced);

/* Take an admission back: the copy ends before it was made. Counts `outcome`, and returns it. */
mirror_outcome_e mirror_admit_cancel(const mirror_admit_t *admitted, mirror_lane_t *lane,
                                     mirror_outcome_e outcome);

/* Charge `bytes` more to the lane and to *charged, if the lane's share of the memory has room.
 * Returns 0 if it has none. mirror_admit_charge() is for what a copy cannot be without: it reports
 * a refusal to the log. */
int mirror_admit_charge_if(mirror_lane_t *lane, apr_size_t *charged, apr_size_t bytes);
int mirror_admit_charge(mirror_lane_t *lane, apr_size_t *charged, apr_size_t bytes);

/* Whether `bytes` more of a body beyond its first blocks may be in memory. Only half of the share
 * is for these, as heads and short bodies cannot be anywhere else. */
int mirror_admit_may_stay(mirror_lane_t *lane, apr_off_t bytes);

#endif
