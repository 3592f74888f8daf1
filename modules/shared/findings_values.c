/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * shared/findings_values.c - the values of examples. See shared/findings_state.h.
 *
 * A finding has values of one example, the last that was put. All here but the view is called by who
 * has the lock.
 */
#include "shared/findings_state.h"

#define GET   MIRROR_WORD_GET
#define SET   MIRROR_WORD_SET
#define WORDS MIRROR_FINDINGS_WORDS(MIRROR_FINDINGS_VALUE)

static void clear(mirror_findings_values_t *values)
{
    apr_uint64_t *words = (apr_uint64_t *)values;
    apr_size_t i;

    for (i = 0; i < sizeof(*values) / sizeof(*words); i++) {
        SET(words[i], 0);
    }
}

static int has_value(const mirror_noted_row_t *row)
{
    return !row->built_in && !row->by_rule &&
           ((row->values[0] && *row->values[0]) || (row->values[1] && *row->values[1]));
}

static void put(mirror_findings_value_t *value, const mirror_noted_row_t *row, int entry)
{
    apr_uint64_t words[WORDS];
    int side, i;

    for (side = 0; side < 2; side++) {
        mirror_findings_text_fill(words, MIRROR_FINDINGS_VALUE, row->values[side]);
        for (i = 0; i < (int)WORDS; i++) {
            SET(value->text[side][i], words[i]);
        }
    }
    SET(value->row, entry + 1);
}

void mirror_findings_values_put(mirror_findings_t *area, const mirror_findings_set_t *set,
                                const mirror_noted_t *noted, const int index[MIRROR_FINDINGS_NOTED])
{
    mirror_findings_values_t *values;
    int i, n = 0;

    if (!noted->values || set->finding < 0 || set->finding >= MIRROR_FINDINGS_FINDINGS ||
        set->example < 0) {
        return;
    }
    values = &area->values[set->finding];
    clear(values);
    SET(area->values_used, 1);
    for (i = 0; i < noted->count && i < MIRROR_FINDINGS_NOTED && n < MIRROR_FINDINGS_SET; i++) {
        if (index[i] >= 0 && has_value(&noted->rows[i])) {
            put(&values->list[n++], &noted->rows[i], index[i]);
        }
    }
    SET(values->example, set->example);
    SET(values->time, noted->time > 0 ? noted->time : 1);
}

void mirror_findings_values_clear(mirror_findings_t *area, apr_time_t time)
{
    int i, kept = 0;

    if (GET(area->values_used) == 0) {
        return;
    }
    for (i = 0; i < MIRROR_FINDINGS_FINDINGS; i++) {
        apr_time_t of = (apr_time_t)mirror_cell_bounded(GET(area->values[i].time));

        if (of < time || of - time > 2 * MIRROR_FINDINGS_VALUES_TIME) { /* the clock was set back */
            if (of != 0) {
                clear(&area->values[i]);
            }
        }
        else {
            kept = 1;
        }
    }
    SET(area->values_used, kept);
}
