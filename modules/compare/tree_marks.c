/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/tree_marks.c - in which values of the primary's text mirror and reference differ from it. See
 * compare/tree_state.h.
 *
 * A row is of many values if its field has a '*', and there are rows without an entry. So it is not
 * enough that both have a row: a time in one element of a list would hide what differs in another
 * one. The primary's text is the same in both comparisons, so its nodes have the same numbers.
 *
 * A mark is the number of a row, and whether nothing is known of the value: it is in one that differs
 * as a whole, such as an array of another length.
 */
#include <string.h>

#include "compare/tree_state.h"

#define ROW     0x7f /* 1 + the row's index; 0: the value has none */
#define MORE    (MIRROR_ROWS_MAX + 1)
#define COVERED 0x80

static mirror_tree_marks_t *marks_of(mirror_tree_context_t *context, mirror_tree_side_e side)
{
    return side == MIRROR_TREE_SIDE_NONE ? NULL : &context->marks[side - 1];
}

void mirror_tree_marks_begin(mirror_tree_run_t *run)
{
    mirror_tree_marks_t *marks = marks_of(run->context, run->options->side);
    unsigned count = run->context->texts[0].count;

    if (!marks) {
        return;
    }
    marks->count = 0;
    if (count > 0 && mirror_tree_grow((void **)&marks->list, &marks->room, count, 1)) {
        memset(marks->list, 0, count);
        marks->count = count;
    }
}

void mirror_tree_marks_add(mirror_tree_run_t *run, mirror_kind_e kind, const mirror_row_t *row)
{
    mirror_tree_marks_t *marks = marks_of(run->context, run->options->side);
    const mirror_node_t *nodes = run->context->texts[0].nodes;
    apr_size_t at = run->at[0] ? (apr_size_t)(run->at[0] - nodes) : 0;

    if (!marks || at >= marks->count || (!run->at[0] && run->depth > 0)) {
        return;
    }
    marks->list[at] =
        (unsigned char)((marks->list[at] & COVERED) | (row ? 1 + (row - run->rows->list) : MORE));
    if (kind != MIRROR_KIND_DUPLICATE) {
        apr_size_t end = nodes[at].end < marks->count ? nodes[at].end : marks->count;

        for (; at < end; at++) {
            marks->list[at] |= COVERED;
        }
    }
}

static void stand_alone(mirror_rows_t *rows, unsigned char mark, unsigned char other)
{
    int row = mark & ROW;

    if (row == 0 || other != 0) {
        return;
    }
    if (row == MORE) {
        rows->more_alone = 1;
    }
    else if (row <= rows->count) {
        rows->list[row - 1].alone = 1;
    }
}

void mirror_tree_forget(mirror_tree_context_t *context)
{
    context->marks[0].count = context->marks[1].count = 0;
}

int mirror_tree_stand_alone(mirror_tree_context_t *context, mirror_rows_t *mirror,
                            mirror_rows_t *reference)
{
    const mirror_tree_marks_t *of_mirror = &context->marks[0], *of_reference = &context->marks[1];
    unsigned i;

    if (of_mirror->count == 0 || of_mirror->count != of_reference->count) {
        return 0;
    }
    for (i = 0; i < of_mirror->count; i++) {
        stand_alone(mirror, of_mirror->list[i], of_reference->list[i]);
        stand_alone(reference, of_reference->list[i], of_mirror->list[i]);
    }
    return 1;
}
