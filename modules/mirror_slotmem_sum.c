/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * mirror_slotmem_sum.c - counting answers, and summing up what children have counted. See mirror_slotmem.h.
 */
#include <string.h>

#include "mirror_slotmem.h"

/* clang-format off */
#define BOUNDS(X) /* in microseconds */ \
    X(100) X(150) X(200) X(300) X(500) X(700) X(1000) X(1500) X(2000) X(3000) X(5000) X(7000) X(10000) X(15000) \
    X(20000) X(30000) X(50000) X(70000) X(100000) X(150000) X(200000) X(300000) X(500000) X(700000) X(1000000) \
    X(2000000) X(3000000) X(5000000) X(10000000) X(30000000) X(60000000)
/* clang-format on */

#define BOUND_US(us) us,
#define BOUND_MS(us) us / 1000.0,
static const apr_interval_time_t latency_us[MIRROR_LATENCY_BUCKETS - 1] = { BOUNDS(BOUND_US) };
const double mirror_slotmem_latency_ms[MIRROR_LATENCY_BUCKETS - 1] = { BOUNDS(BOUND_MS) };

void mirror_slotmem_count_answer(mirror_cell_t *cell, int status, int interim, apr_interval_time_t took)
{
    int bucket = 0;

    while (bucket < MIRROR_LATENCY_BUCKETS - 1 && latency_us[bucket] < took) {
        bucket++;
    }
    apr_atomic_inc64(&cell->latency[bucket]);
    apr_atomic_add64(&cell->latency_us, took > 0 ? (apr_uint64_t)took : 0);
    if (interim > 0) {
        apr_atomic_add64(&cell->responses[0], (apr_uint64_t)interim);
    }
    if (status >= 100 && status <= 599) {
        apr_atomic_inc64(&cell->responses[status / 100 - 1]);
    }
}

/* A count, wherever it comes from. */
static apr_uint64_t bounded(apr_uint64_t n)
{
    return n <= MIRROR_COUNT_MAX ? n : 0;
}

apr_uint64_t mirror_slotmem_unfinished(mirror_cell_t *cell)
{
    apr_uint64_t ended = 0;
    apr_uint64_t seen;
    int i;

    for (i = 0; i < MIRROR_OUTCOME_COUNT; i++) {
        ended += bounded(apr_atomic_read64(&cell->outcomes[i]));
    }
    seen = bounded(apr_atomic_read64(&cell->seen));
    return seen > ended ? seen - ended : 0;
}

static void add_up(apr_uint64_t *sum, apr_uint64_t *part, int n)
{
    for (; n-- > 0; sum++, part++) {
        *sum += bounded(apr_atomic_read64(part));
        *sum = *sum <= MIRROR_COUNT_MAX ? *sum : MIRROR_COUNT_MAX;
    }
}

/* What could not be, had children alone counted: more outcomes than requests. */
static void make_whole(mirror_cell_t *sum)
{
    apr_uint64_t ended = 0;
    int i;

    for (i = 0; i < MIRROR_OUTCOME_COUNT; i++) {
        ended += sum->outcomes[i];
    }
    sum->seen = sum->seen > ended ? sum->seen : ended;
}

void mirror_slotmem_sum(mirror_totals_t *totals, mirror_table_t *table, const mirror_slot_t *slot)
{
    mirror_cell_t *sum = &totals->sum;
    apr_uint32_t places = mirror_slotmem_places(table), i;
    apr_uint64_t open;

    memset(totals, 0, sizeof(*totals));
    for (i = 0; i < places; i++) {
        mirror_cell_t *cell = mirror_slotmem_cell(table, (int)i, slot);

        /* What a copy is counted in last is read first: so seen has every copy that is in one of the others. */
        add_up(sum->outcomes, cell->outcomes, MIRROR_OUTCOME_COUNT);
        add_up(&sum->in_flight, &cell->in_flight, 1);
        add_up(&sum->seen, &cell->seen, 1);
        add_up(&sum->connections, &cell->connections, 1);
        add_up(&sum->bytes, &cell->bytes, 1);
        add_up(sum->responses, cell->responses, 5);
        add_up(sum->latency, cell->latency, MIRROR_LATENCY_BUCKETS);
        add_up(&sum->latency_us, &cell->latency_us, 1);
    }
    make_whole(sum);
    open = mirror_slotmem_unfinished(sum);
    sum->in_flight = sum->in_flight < open ? sum->in_flight : open;
    totals->queued = open - sum->in_flight;
}

/* In thousandths of a copy, so that ranks are compared as integers. */
static apr_uint64_t bucket_size(const mirror_cell_t *sum, int bucket)
{
    const apr_uint64_t most = MIRROR_COUNT_MAX / 1024;

    return 1000 * (sum->latency[bucket] < most ? sum->latency[bucket] : most);
}

double mirror_slotmem_quantile(const mirror_cell_t *sum, double q)
{
    apr_uint64_t before = 0, all = 0, rank;
    int i;

    for (i = 0; i < MIRROR_LATENCY_BUCKETS; i++) {
        all += bucket_size(sum, i);
    }
    if (all == 0) {
        return -1;
    }
    rank = all / 1000 * (apr_uint64_t)(q * 1000 + 0.5);
    for (i = 0; i < MIRROR_LATENCY_BUCKETS - 1; i++) {
        apr_uint64_t here = bucket_size(sum, i);

        if (here > 0 && before + here >= rank) {
            double low = i > 0 ? mirror_slotmem_latency_ms[i - 1] : 0;

            return low + (mirror_slotmem_latency_ms[i] - low) * (double)(rank - before) / (double)here;
        }
        before += here;
    }
    return mirror_slotmem_latency_ms[MIRROR_LATENCY_BUCKETS - 2]; /* or longer, nobody knows how much */
}
