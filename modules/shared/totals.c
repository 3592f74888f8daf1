/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * shared/totals.c - sums over all children. See shared/table.h.
 */
#include <string.h>

#include "shared/table.h"

static void add_up(apr_uint64_t *sum, apr_uint64_t *part, int n)
{
    for (; n-- > 0; sum++, part++) {
        *sum += mirror_cell_bounded(apr_atomic_read64(part));
        *sum = *sum <= MIRROR_CELL_COUNT_MAX ? *sum : MIRROR_CELL_COUNT_MAX;
    }
}

/* Correct impossible sums, caused by foreign writes: more outcomes than requests. */
static void make_whole(mirror_cell_t *sum)
{
    apr_uint64_t ended = 0;
    int i;

    for (i = 0; i < MIRROR_OUTCOME_COUNT; i++) {
        ended += sum->outcomes[i];
    }
    sum->seen = sum->seen > ended ? sum->seen : ended;
}

void mirror_table_clear_server(mirror_table_t *table, const mirror_slot_t *slot, int place)
{
    apr_uint32_t worker_slots = mirror_table_worker_slots(table), i;

    for (i = 0; i < worker_slots; i++) {
        mirror_server_counts_t *counts = &mirror_table_server_counts(table, (int)i, slot)[place];

        apr_atomic_set64(&counts->mirrored, 0);
        apr_atomic_set64(&counts->failed, 0);
    }
}

void mirror_table_sum_server(mirror_server_counts_t *sum, mirror_table_t *table,
                             const mirror_slot_t *slot, int place)
{
    apr_uint32_t worker_slots = mirror_table_worker_slots(table), i;

    memset(sum, 0, sizeof(*sum));
    if (apr_atomic_read64((apr_uint64_t *)&slot->serves) == 0) {
        return;
    }
    for (i = 0; i < worker_slots; i++) {
        mirror_server_counts_t *counts = &mirror_table_server_counts(table, (int)i, slot)[place];

        add_up(&sum->mirrored, &counts->mirrored, 1);
        add_up(&sum->failed, &counts->failed, 1);
        add_up(&sum->in_flight, &counts->in_flight, 1);
        add_up(&sum->connections, &counts->connections, 1);
    }
}

void mirror_totals_sum(mirror_totals_t *totals, mirror_table_t *table, const mirror_slot_t *slot)
{
    mirror_cell_t *sum = &totals->sum;
    apr_uint32_t worker_slots = mirror_table_worker_slots(table), i;
    apr_uint64_t open;

    memset(totals, 0, sizeof(*totals));
    for (i = 0; i < worker_slots; i++) {
        mirror_cell_t *cell = mirror_table_cell(table, (int)i, slot);

        /* Read in the opposite order of counting, so that seen includes every copy of the other
         * counters. */
        add_up(sum->outcomes, cell->outcomes, MIRROR_OUTCOME_COUNT);
        add_up(&sum->in_flight, &cell->in_flight, 1);
        add_up(&sum->seen, &cell->seen, 1);
        add_up(&sum->connections, &cell->connections, 1);
        add_up(&sum->bytes, &cell->bytes, 1);
        add_up(sum->responses, cell->responses, 5);
        add_up(sum->latency, cell->latency, MIRROR_CELL_BUCKETS);
        add_up(sum->grpc, cell->grpc, MIRROR_CELL_GRPC);
        add_up(&sum->latency_us, &cell->latency_us, 1);
        add_up(&sum->decided, &cell->decided, 1);
        add_up(&sum->chosen, &cell->chosen, 1);
    }
    make_whole(sum);
    open = mirror_cell_unfinished(sum);
    sum->in_flight = sum->in_flight < open ? sum->in_flight : open;
    totals->queued = open - sum->in_flight;
}
