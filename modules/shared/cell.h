/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * shared/cell.h - the counters of one child and one mirror, in shared memory.
 *
 * A copy is counted in this order: seen, in_flight up, in_flight down, outcome. Readers read the
 * other way round, so that no copy is missing from `seen`. Whatever is read from shared memory is
 * bounded before it is used.
 */
#ifndef MIRROR_SHARED_CELL_H
#define MIRROR_SHARED_CELL_H

#include "base/mirror.h"

/* Upper bounds in milliseconds of the latency histogram; one more bucket has what is longer.
 * Prometheus's le of the contract (1 5 10 50 100 500 1000 5000 10000 ms) are among them. */
#define MIRROR_CELL_BUCKETS 32
extern const double mirror_cell_latency_ms[MIRROR_CELL_BUCKETS - 1];

/* One child's counters of one mirror. Atomic, every member: any thread of the child adds, any
 * process reads. */
struct mirror_cell_t {
    apr_uint64_t seen;
    apr_uint64_t outcomes[MIRROR_OUTCOME_COUNT];
    apr_uint64_t responses[5]; /* 1xx to 5xx, of mirrored copies; 1xx: interim answers */
    apr_uint64_t latency[MIRROR_CELL_BUCKETS];
    apr_uint64_t latency_us;  /* sum, of mirrored copies */
    apr_uint64_t in_flight;   /* gauge */
    apr_uint64_t connections; /* gauge */
    apr_uint64_t bytes;       /* gauge: memory of its copies */
};

/* No count is larger; a larger number in shared memory was not counted, and is taken for 0. */
#define MIRROR_CELL_COUNT_MAX ((apr_uint64_t)1 << 58)

/* ---- any thread of the child whose cell it is ---- */

/* Count the answer of a copy that was mirrored: its status (100..599), the number of interim
 * answers before it (RFC 9110 15.2) and how long it took. The outcome is counted by
 * mirror_copy_end(). */
void mirror_cell_count_answer(mirror_cell_t *cell, int status, int interim,
                              apr_interval_time_t took);

/* ---- any thread of any process ---- */

/* Return the count `n`, or 0 if nobody can have counted that far. */
apr_uint64_t mirror_cell_bounded(apr_uint64_t n);

/* How many copies of the cell have no outcome. What a writer counts first is read last. */
apr_uint64_t mirror_cell_unfinished(mirror_cell_t *cell);

/* The latency in ms below which the share `q` (0..1) of the counted copies lies, interpolated in
 * its bucket; -1 if none was counted. */
double mirror_cell_quantile(const mirror_cell_t *sum, double q);

#endif
