/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * shared/cell.h - the counters of one child and one mirror, in shared memory.
 *
 * A copy is counted in this order: seen, in_flight up, in_flight down, outcome. Readers read in the
 * opposite order, so every copy is included in `seen`. Values of shared memory are bounded before
 * use.
 */
#ifndef MIRROR_SHARED_CELL_H
#define MIRROR_SHARED_CELL_H

#include "base/mirror.h"

/* Upper bounds in milliseconds of the latency histogram. The last bucket has no upper bound. The
 * bounds include Prometheus's le values of the documentation (1 5 10 50 100 500 1000 5000 10000
 * ms). */
#define MIRROR_CELL_BUCKETS 32
extern const double mirror_cell_latency_ms[MIRROR_CELL_BUCKETS - 1];

/* The statuses of gRPC, 0 to 16. */
#define MIRROR_CELL_GRPC 17

/* One child's counters of one mirror. All members are atomic: any thread of the child adds, any
 * process reads. */
struct mirror_cell_t {
    apr_uint64_t seen;
    apr_uint64_t outcomes[MIRROR_OUTCOME_COUNT];
    apr_uint64_t responses[5]; /* 1xx to 5xx, of mirrored copies; 1xx: interim responses */
    apr_uint64_t latency[MIRROR_CELL_BUCKETS];
    apr_uint64_t grpc[MIRROR_CELL_GRPC]; /* by grpc-status, of mirrored copies */
    apr_uint64_t latency_us;             /* sum of mirrored copies, microseconds */
    apr_uint64_t in_flight;              /* gauge */
    apr_uint64_t connections;            /* gauge */
    apr_uint64_t bytes;                  /* gauge: memory of its copies, bytes */
    /* pairs of responses: chosen for comparison, counted first; and compared or skipped, counted
     * last */
    apr_uint64_t chosen;
    apr_uint64_t decided;
};

/* The maximum of a count. A larger number in shared memory is not a count and is read as 0. */
#define MIRROR_CELL_COUNT_MAX ((apr_uint64_t)1 << 58)

/* ---- any thread of the child that owns the cell ---- */

/* Count the response of a mirrored copy. `status`: 100 to 599; `interim`: number of interim
 * responses before it (RFC 9110 15.2); `took`: latency in microseconds. mirror_copy_end() counts
 * the outcome. */
void mirror_cell_count_response(mirror_cell_t *cell, int status, int interim,
                                apr_interval_time_t took);

/* ---- any thread; no shared memory ---- */

/* The bucket of a latency in microseconds. */
int mirror_cell_bucket(apr_interval_time_t took);

/* ---- any thread of any process ---- */

/* Return the count `n`, or 0 if `n` is larger than MIRROR_CELL_COUNT_MAX. */
apr_uint64_t mirror_cell_bounded(apr_uint64_t n);

/* Return the number of copies in the cell without an outcome. Reads in the opposite order of
 * counting. */
apr_uint64_t mirror_cell_unfinished(mirror_cell_t *cell);

/* How many pairs of the cell are chosen and not decided. */
apr_uint64_t mirror_cell_undecided(mirror_cell_t *cell);

/* Decide those of a child that has ended. Returns how many they are: the caller counts them as
 * MIRROR_SKIP_SHUT_DOWN. Of several callers, one gets them. */
apr_uint64_t mirror_cell_decide_rest(mirror_cell_t *cell);

/* Return the latency in ms of quantile `q` (0 to 1), interpolated within its bucket; -1 without
 * counts. */
double mirror_cell_quantile(const apr_uint64_t latency[MIRROR_CELL_BUCKETS], double q);

#endif
