/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * shared/findings.c - counters and lock of what comparing has found. See shared/findings.h.
 *
 * A response is counted in the counters before it is in its group, and readers read the other way
 * round. A reset first notes that it has begun; if its process is killed, the next process with the
 * lock completes it.
 */
#include <stddef.h>
#include <string.h>

#include "base/clock.h"
#include "shared/findings_state.h"

#define GET          MIRROR_WORD_GET
#define SET          MIRROR_WORD_SET
#define ADD          MIRROR_WORD_ADD
#define WAIT         apr_time_from_msec(500)
#define WAIT_VALUES  apr_time_from_msec(20)
#define WAIT_RESET   apr_time_from_sec(2)
#define LONGEST      apr_time_from_sec(86400) /* a latency */
#define NEVER        APR_INT64_MAX
#define WORD         sizeof(apr_uint64_t)
#define WORDS(where) (sizeof(where) / WORD)

apr_size_t mirror_findings_size(void)
{
    return sizeof(mirror_findings_t);
}

void mirror_findings_copy(void *to, void *from, apr_size_t size)
{
    apr_uint64_t *words = to, *others = from;
    apr_size_t i;

    for (i = 0; i < size / WORD; i++) {
        words[i] = GET(others[i]);
    }
}

void mirror_findings_empty(void *entry, apr_size_t size)
{
    apr_uint64_t *words = entry;
    apr_size_t i;

    for (i = 0; i < size / WORD; i++) {
        SET(words[i], 0);
    }
}

/* ---- counters ---- */

/* The first count begins the time that people read. */
static void note_since(mirror_findings_t *area, apr_time_t now)
{
    if (GET(area->since) == 0) {
        apr_atomic_cas64(&area->since, (apr_uint64_t)(now > 0 ? now : 1), 0);
    }
}

void mirror_findings_skip(mirror_findings_t *area, mirror_skip_e skip, apr_uint64_t n)
{
    n = mirror_cell_bounded(n);
    if (n > 0 && (unsigned)skip < MIRROR_SKIP_COUNT) {
        note_since(area, mirror_clock_to_wall(mirror_clock_now()));
        ADD(area->counters.skips[skip], n);
    }
}

static apr_interval_time_t bounded_time(apr_interval_time_t took)
{
    return took < 0 ? 0 : took < LONGEST ? took : LONGEST;
}

void mirror_findings_time(mirror_findings_t *area, apr_interval_time_t primary,
                          apr_interval_time_t mirror)
{
    mirror_findings_counters_t *counters = &area->counters;
    apr_interval_time_t later;

    primary = bounded_time(primary);
    mirror = bounded_time(mirror);
    later = mirror - primary;
    ADD(counters->primary[mirror_cell_bucket(primary)], 1);
    ADD(counters->primary_us, primary);
    ADD(counters->mirror[mirror_cell_bucket(mirror)], 1);
    if (later < 0) {
        ADD(counters->faster[mirror_cell_bucket(-later)], 1);
    }
    else {
        ADD(counters->slower[mirror_cell_bucket(later)], 1);
    }
}

static void count_kind(mirror_findings_counters_t *counters, const mirror_noted_row_t *row)
{
    if (!row->built_in && !row->by_rule && !row->only_noise &&
        row->side != MIRROR_SIDE_REFERENCE_ALONE && (unsigned)row->part < MIRROR_PART_COUNT &&
        (unsigned)row->kind < MIRROR_KIND_COUNT) {
        ADD(counters->kinds[row->part][row->kind], 1);
    }
}

static void count_bounded(apr_uint64_t *to, apr_uint64_t *from, apr_size_t n)
{
    for (; n > 0; n--, to++, from++) {
        *to = mirror_cell_bounded(GET(*from));
    }
}

void mirror_findings_counts(mirror_findings_counts_t *counts, mirror_findings_t *area)
{
    memset(counts, 0, sizeof(*counts));
    if (area) {
        mirror_findings_counters_t *counters = &area->counters;

        count_bounded(counts->verdicts, counters->verdicts, MIRROR_VERDICT_COUNT);
        count_bounded(counts->skips, counters->skips, MIRROR_SKIP_COUNT);
        count_bounded(counts->kinds[0], counters->kinds[0], WORDS(counts->kinds));
        count_bounded(counts->primary, counters->primary, MIRROR_CELL_BUCKETS);
        count_bounded(&counts->primary_us, &counters->primary_us, 1);
    }
}

/* ---- reset ---- */

/* Who has the lock. */
static void set_back(mirror_findings_t *area, apr_time_t now)
{
    apr_uint64_t *counters = (apr_uint64_t *)&area->counters;
    apr_uint64_t *at_reset = (apr_uint64_t *)&area->at_reset;
    apr_uint64_t *tables = (apr_uint64_t *)&area->tables;
    apr_size_t i;

    SET(area->resetting, now > 0 ? now : 1);
    for (i = 0; i < WORDS(area->counters); i++) {
        SET(at_reset[i], GET(counters[i]));
    }
    for (i = 0; i < WORDS(area->tables); i++) {
        if (GET(tables[i]) != 0) { /* most never were */
            SET(tables[i], 0);
        }
    }
    mirror_findings_values_clear(area, NEVER);
    SET(area->since, now > 0 ? now : 1);
    SET(area->logged, MIRROR_OVERALL_NOTHING);
    SET(area->resetting, 0);
}

/* Take the lock, and complete a reset whose process was killed. */
static apr_status_t take(apr_uint64_t *mine, mirror_findings_t *area, apr_interval_time_t wait)
{
    apr_status_t rv = mirror_store_lock_take(mine, &area->lock, wait);

    if (rv == APR_SUCCESS && GET(area->resetting) != 0) {
        set_back(area, (apr_time_t)mirror_cell_bounded(GET(area->resetting)));
    }
    return rv;
}

apr_status_t mirror_findings_reset(mirror_findings_t *area, apr_time_t now)
{
    apr_uint64_t mine;
    apr_status_t rv = take(&mine, area, WAIT_RESET);

    if (rv == APR_SUCCESS) {
        set_back(area, now);
        mirror_store_lock_give(&area->lock, mine);
    }
    return rv;
}

void mirror_findings_forget_values(mirror_findings_t *area)
{
    apr_uint64_t mine;

    if (GET(area->values_used) != 0 && take(&mine, area, WAIT_VALUES) == APR_SUCCESS) {
        mirror_findings_values_clear(area, NEVER);
        mirror_store_lock_give(&area->lock, mine);
    }
}

/* ---- a comparison ---- */

/* NOISE if there are rows, and all are noise, in this response or in any. */
static mirror_verdict_e decide(mirror_findings_t *area, const mirror_findings_set_t *set)
{
    int row, rows = 0;

    for (row = 0; row < MIRROR_FINDINGS_ROWS; row++) {
        if (mirror_findings_has(set->rows, row)) {
            rows++;
            if (!mirror_findings_rows_is_noise(&area->tables, row)) {
                return MIRROR_VERDICT_DIFFERENT;
            }
        }
    }
    return (rows > 0 || set->noise) && !set->more ? MIRROR_VERDICT_NOISE : MIRROR_VERDICT_DIFFERENT;
}

static void count_kinds(mirror_findings_t *area, const mirror_noted_t *noted,
                        const int index[MIRROR_FINDINGS_NOTED], int rows)
{
    int i;

    for (i = 0; i < rows; i++) {
        if (index[i] < 0 || !mirror_findings_rows_is_noise(&area->tables, index[i])) {
            count_kind(&area->counters, &noted->rows[i]);
        }
    }
}

/* Who has the lock. */
static mirror_verdict_e add_with_tables(mirror_findings_t *area, const mirror_noted_t *noted,
                                        mirror_verdict_e verdict, int rows)
{
    mirror_findings_set_t set;
    int index[MIRROR_FINDINGS_NOTED];

    mirror_findings_rows_enter(&set, index, &area->tables, noted);
    if (verdict == MIRROR_VERDICT_DIFFERENT) {
        verdict = decide(area, &set);
    }
    if (verdict == MIRROR_VERDICT_DIFFERENT) {
        count_kinds(area, noted, index, rows);
    }
    if (set.truncated) {
        ADD(area->counters.truncated_fields, 1);
    }
    if (set.group == MIRROR_FINDINGS_MORE_GROUP) {
        ADD(area->counters.truncated_groups, 1);
    }
    mirror_findings_rows_count(&area->tables, &set, noted, verdict);
    mirror_findings_rules_count(&area->tables, noted);
    mirror_findings_values_clear(area,
                                 noted->values ? noted->time - MIRROR_FINDINGS_VALUES_TIME : NEVER);
    mirror_findings_values_put(area, &set, noted, index);
    if (noted->took) {
        mirror_findings_time(area, noted->took[0], noted->took[1]);
    }
    ADD(area->counters.verdicts[verdict], 1); /* last: who sees the verdict sees its rows */
    return verdict;
}

mirror_verdict_e mirror_findings_add(mirror_findings_t *area, const mirror_noted_t *noted)
{
    mirror_verdict_e verdict = noted->verdict;
    int rows = noted->count < MIRROR_FINDINGS_NOTED ? noted->count : MIRROR_FINDINGS_NOTED;
    apr_uint64_t mine;

    if ((unsigned)verdict >= MIRROR_VERDICT_COUNT || take(&mine, area, WAIT) != APR_SUCCESS) {
        return MIRROR_VERDICT_COUNT;
    }
    note_since(area, noted->time);
    verdict = add_with_tables(area, noted, verdict, rows);
    mirror_store_lock_give(&area->lock, mine);
    return verdict;
}

void mirror_findings_note(mirror_findings_t *area, const mirror_noted_t *noted)
{
    mirror_findings_set_t set;
    int index[MIRROR_FINDINGS_NOTED];
    apr_uint64_t mine;

    if (take(&mine, area, WAIT) == APR_SUCCESS) {
        note_since(area, noted->time);
        mirror_findings_rows_enter(&set, index, &area->tables, noted);
        mirror_store_lock_give(&area->lock, mine);
    }
}

/* ---- parent ---- */

void mirror_findings_release(mirror_findings_t *area, apr_uint32_t pid)
{
    mirror_store_lock_release(&area->lock, pid);
}

apr_uint32_t mirror_findings_holder(mirror_findings_t *area)
{
    return (apr_uint32_t)GET(area->lock);
}

void mirror_findings_move(mirror_findings_t *area, mirror_findings_t *former)
{
    apr_size_t used =
        GET(former->values_used) != 0 ? sizeof(*area) : offsetof(mirror_findings_t, values);

    mirror_findings_copy(area, former, used);
    SET(area->lock, 0);
}
