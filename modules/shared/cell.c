/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * shared/cell.c - the counters of one child and one mirror. See shared/cell.h.
 */
#include "shared/cell.h"

/* clang-format off */
#define BOUNDS(X) /* in microseconds */ \
    X(100) X(150) X(200) X(300) X(500) X(700) X(1000) X(1500) X(2000) X(3000) X(5000) X(7000) X(10000) X(15000) \
    X(20000) X(30000) X(50000) X(70000) X(100000) X(150000) X(200000) X(300000) X(500000) X(700000) X(1000000) \
    X(2000000) X(3000000) X(5000000) X(10000000) X(30000000) X(60000000)
/* clang-format on */

#define BOUND_US(us) us,
#define BOUND_MS(us) us / 1000.0,
static const apr_interval_time_t latency_us[MIRROR_CELL_BUCKETS - 1] = { BOUNDS(BOUND_US) };
const double mirror_cell_latency_ms[MIRROR_CELL_BUCKETS - 1] = { BOUNDS(BOUND_MS) };

int mirror_cell_bucket(apr_interval_time_t took)
{
    int bucket = 0;

    while (bucket < MIRROR_CELL_BUCKETS - 1 && latency_us[bucket] < took) {
        bucket++;
    }
    return bucket;
}

void mirror_cell_count_response(mirror_cell_t *cell, int status, int interim,
                                apr_interval_time_t took)
{
    apr_atomic_inc64(&cell->latency[mirror_cell_bucket(took)]);
    apr_atomic_add64(&cell->latency_us, took > 0 ? (apr_uint64_t)took : 0);
    if (interim > 0) {
        apr_atomic_add64(&cell->responses[0], (apr_uint64_t)interim);
    }
    if (status >= 100 && status <= 599) {
        apr_atomic_inc64(&cell->responses[status / 100 - 1]);
    }
}

apr_uint64_t mirror_cell_bounded(apr_uint64_t n)
{
    return n <= MIRROR_CELL_COUNT_MAX ? n : 0;
}

apr_uint64_t mirror_cell_unfinished(mirror_cell_t *cell)
{
    apr_uint64_t ended = 0;
    apr_uint64_t seen;
    int i;

    for (i = 0; i < MIRROR_OUTCOME_COUNT; i++) {
        ended += mirror_cell_bounded(apr_atomic_read64(&cell->outcomes[i]));
    }
    seen = mirror_cell_bounded(apr_atomic_read64(&cell->seen));
    return seen > ended ? seen - ended : 0;
}

/* `chosen` less what was read of `decided` before. */
static apr_uint64_t undecided(mirror_cell_t *cell, apr_uint64_t decided)
{
    apr_uint64_t chosen = mirror_cell_bounded(apr_atomic_read64(&cell->chosen));

    decided = mirror_cell_bounded(decided);
    return chosen > decided ? chosen - decided : 0;
}

apr_uint64_t mirror_cell_undecided(mirror_cell_t *cell)
{
    return undecided(cell, apr_atomic_read64(&cell->decided));
}

apr_uint64_t mirror_cell_decide_rest(mirror_cell_t *cell)
{
    apr_uint64_t decided = apr_atomic_read64(&cell->decided);
    apr_uint64_t rest = undecided(cell, decided);

    if (rest == 0) {
        return 0;
    }
    return apr_atomic_cas64(&cell->decided, mirror_cell_bounded(decided) + rest, decided) == decided
               ? rest
               : 0;
}

/* Return the size of a bucket in thousandths of a copy, so that ranks are compared as integers. */
static apr_uint64_t bucket_size(const apr_uint64_t *latency, int bucket)
{
    const apr_uint64_t most = MIRROR_CELL_COUNT_MAX / 1024;

    return 1000 * (latency[bucket] < most ? latency[bucket] : most);
}

double mirror_cell_quantile(const apr_uint64_t latency[MIRROR_CELL_BUCKETS], double q)
{
    apr_uint64_t before = 0, all = 0, rank;
    int i;

    for (i = 0; i < MIRROR_CELL_BUCKETS; i++) {
        all += bucket_size(latency, i);
    }
    if (all == 0) {
        return -1;
    }
    rank = all / 1000 * (apr_uint64_t)(q * 1000 + 0.5);
    for (i = 0; i < MIRROR_CELL_BUCKETS - 1; i++) {
        apr_uint64_t here = bucket_size(latency, i);

        if (here > 0 && before + here >= rank) {
            double low = i > 0 ? mirror_cell_latency_ms[i - 1] : 0;

            return low + (mirror_cell_latency_ms[i] - low) * (double)(rank - before) / (double)here;
        }
        before += here;
    }
    return mirror_cell_latency_ms[MIRROR_CELL_BUCKETS - 2]; /* the last bucket has no upper bound */
}
