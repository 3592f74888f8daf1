/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * shared/findings_noise.c - which rows are noise. See shared/findings.h.
 *
 * With a reference it is a sign test: if the mirror behaves as the old version does, mirror and
 * reference can be exchanged, so each of them stands alone as often as the other. A row in which the
 * old version never differed from itself is no noise, however rare it is: a server that fails for
 * eight requests of each group would be alike otherwise.
 */
#include "shared/findings_state.h"

#define GUESS_MIN     50 /* responses */
#define GUESS_CHANGES 10 /* of each side's value */

static apr_uint64_t at_most(apr_uint64_t n, apr_uint64_t most)
{
    return n < most ? n : most;
}

int mirror_findings_is_evident(apr_uint64_t a, apr_uint64_t b)
{
    apr_uint64_t alone, all;

    a = at_most(a, MIRROR_CELL_COUNT_MAX);
    b = at_most(b, MIRROR_CELL_COUNT_MAX);
    if (a <= b) {
        return 0;
    }
    alone = a - b;
    all = a + b;
    if (5 * alone <= all) {
        return 0;
    }
    return alone >= 45 || alone * alone >= 9 * all; /* 45 alone > 9 all: so it is beyond 45, too */
}

/* Whether `n` is at least 99 % of `all`. */
static int is_nearly(apr_uint64_t n, apr_uint64_t all)
{
    return n >= all - all / 100;
}

/* Whether the values of both sides change. An id or a time that stays the same is none: one that is wrong
 * in the same way each time is a difference. */
static int are_changing(const mirror_findings_row_t *row)
{
    return mirror_cell_bounded(row->changes[0]) >= GUESS_CHANGES &&
           mirror_cell_bounded(row->changes[1]) >= GUESS_CHANGES;
}

void mirror_findings_note_changes(mirror_findings_row_t *row, const apr_uint64_t marks[2])
{
    int side;

    for (side = 0; side < 2; side++) {
        apr_uint64_t mark = marks[side] | 1, last = MIRROR_WORD_GET(row->marks[side]);

        if (last != 0 && last != mark) {
            MIRROR_WORD_ADD(row->changes[side], 1);
        }
        MIRROR_WORD_SET(row->marks[side], mark);
    }
}

static int is_guessed(const mirror_findings_row_t *row, apr_uint64_t examined)
{
    apr_uint64_t count = mirror_cell_bounded(row->count);

    return (row->what & 0xff) == MIRROR_KIND_VALUE && row->matters == 0 && count >= GUESS_MIN &&
           is_nearly(row->volatile_shapes, count) && is_nearly(count, examined) &&
           are_changing(row);
}

/* Whether primary and reference, both the old version, were seen to differ. Texts are compared piece by
 * piece: where all three differ, nothing is known of the other pieces. */
static int varies(const mirror_findings_row_t *row)
{
    int is_text = (row->what & 0xff) == MIRROR_KIND_TEXT, side, seen = 0;

    for (side = MIRROR_SIDE_MIRROR_ALONE + 1; side < MIRROR_SIDE_COUNT; side++) {
        if (!is_text || side == MIRROR_SIDE_REFERENCE_ALONE) {
            seen |= mirror_cell_bounded(row->sides[side]) != 0;
        }
    }
    return seen || (is_text && mirror_cell_bounded(row->sides[MIRROR_SIDE_MIRROR_ALONE]) == 0);
}

const char *mirror_findings_noise(const mirror_findings_row_t *row, apr_uint64_t examined)
{
    apr_uint64_t beside = 0;
    int side;

    if (row->count == 0) {
        return row->by_rule != 0 ? "rule" : "built_in";
    }
    for (side = MIRROR_SIDE_MIRROR_ALONE; side < MIRROR_SIDE_COUNT; side++) {
        beside |= mirror_cell_bounded(row->sides[side]);
    }
    if (beside != 0) {
        return !varies(row) || mirror_findings_is_evident(
                                   mirror_cell_bounded(row->sides[MIRROR_SIDE_MIRROR_ALONE]),
                                   mirror_cell_bounded(row->sides[MIRROR_SIDE_REFERENCE_ALONE]))
                   ? NULL
                   : "reference";
    }
    return is_guessed(row, examined) ? "guessed" : NULL;
}
