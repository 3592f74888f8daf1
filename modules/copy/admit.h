/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * copy/admit.h - admission of copies: room in queue, memory and spool, then the limit's window,
 * then the breaker.
 *
 * Admission precedes every allocation of a copy.
 */
#ifndef MIRROR_COPY_ADMIT_H
#define MIRROR_COPY_ADMIT_H

#include "base/mirror.h"

/* Bytes of a body that are always allowed in memory. */
#define MIRROR_ADMIT_BLOCKS 65536
/* The overhead of malloc per block of memory, bytes. */
#define MIRROR_ADMIT_MALLOC 16

/* The resources of an admitted copy. */
typedef struct mirror_admit_t {
    apr_size_t charged; /* bytes of memory */
    int probe;          /* 1 if the copy tests a mirror that is down */
} mirror_admit_t;

/* ---- request threads ---- */

/* Admit one copy of `size` bytes to `lane`. `announced`: length of its body in bytes; 0 = none or
 * unknown. Returns MIRROR_OUTCOME_NONE or the outcome of a rejection, which was counted:
 * queue_full, memory_full, limited or unreachable. */
mirror_outcome_e mirror_admit(mirror_admit_t *admitted, mirror_lane_t *lane,
                              const mirror_settings_t *settings, apr_size_t size,
                              apr_off_t announced);

/* Revoke an admission whose copy was not created. Counts `outcome` and returns it. */
mirror_outcome_e mirror_admit_cancel(const mirror_admit_t *admitted, mirror_lane_t *lane,
                                     mirror_outcome_e outcome);

/* Charge `bytes` to the lane and to *charged. Returns 0 if the lane's share of the memory has no
 * room. mirror_admit_charge() is for memory that a copy cannot do without: it reports a rejection
 * to the log. */
int mirror_admit_charge_if(mirror_lane_t *lane, apr_size_t *charged, apr_size_t bytes);
int mirror_admit_charge(mirror_lane_t *lane, apr_size_t *charged, apr_size_t bytes);

/* Return whether `bytes` more of a body, beyond its first blocks, may stay in memory. Only half of
 * the lane's share is available to them, because heads and short bodies cannot go to disk. */
int mirror_admit_may_stay(mirror_lane_t *lane, apr_off_t bytes);

#endif
