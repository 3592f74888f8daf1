/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * mirror_slotmem_sum.c - counting answers, and summing up what children have counted. See mirror_slotmem.h.
 */
#include <string.h>

#include "mirror_slotmem.h"

/* clang-format off */
const double mirror_slotmem_latency_ms[MIRROR_LATENCY_BUCKETS - 1] = {
    0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700,
    1000, 2000, 3000, 5000, 10000, 30000, 60000,
};
/* clang-format on */

void mirror_slotmem_count_answer(mirror_cell_t *cell, int status, int interim, apr_interval_time_t took)
{
    double ms = (double)took / 1000;
    int bucket = 0;

    while (bucket < MIRROR_LATENCY_BUCKETS - 1 && mirror_slotmem_latency_ms[bucket] < ms) {
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

apr_uint64_t mirror_slotmem_unfinished(mirror_cell_t *cell)
{
    apr_uint64_t ended = 0;
    apr_uint64_t seen;
    int i;

    for (i = 0; i < MIRROR_OUTCOME_COUNT; i++) {
        ended += apr_atomic_read64(&cell->outcomes[i]);
    }
    seen = apr_atomic_read64(&cell->seen);
    return seen > ended ? seen - ended : 0;
}

static void add_up(apr_uint64_t *sum, apr_uint64_t *part, int n)
{
    while (n-- > 0) {
        *sum++ += apr_atomic_read64(part++);
    }
}

void mirror_slotmem_sum(mirror_totals_t *totals, mirror_table_t *table, const mirror_slot_t *slot)
{
    mirror_cell_t *sum = &totals->sum;
    apr_uint64_t open;
    apr_uint32_t i;

    memset(totals, 0, sizeof(*totals));
    for (i = 0; i < mirror_slotmem_places(table); i++) {
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
    open = mirror_slotmem_unfinished(sum);
    sum->in_flight = sum->in_flight < open ? sum->in_flight : open;
    totals->queued = open - sum->in_flight;
}

double mirror_slotmem_quantile(const mirror_cell_t *sum, double q)
{
    double before = 0;
    double rank = 0;
    int i;

    for (i = 0; i < MIRROR_LATENCY_BUCKETS; i++) {
        rank += (double)sum->latency[i];
    }
    if (rank <= 0) {
        return -1;
    }
    rank *= q;
    for (i = 0; i < MIRROR_LATENCY_BUCKETS - 1; i++) {
        double here = (double)sum->latency[i];

        if (here > 0 && before + here >= rank) {
            double low = i > 0 ? mirror_slotmem_latency_ms[i - 1] : 0;

            return low + (mirror_slotmem_latency_ms[i] - low) * (rank - before) / here;
        }
        before += here;
    }
    return mirror_slotmem_latency_ms[MIRROR_LATENCY_BUCKETS - 2]; /* or longer, nobody knows how much */
}
