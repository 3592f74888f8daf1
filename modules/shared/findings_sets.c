/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * shared/findings_sets.c - the findings of a copy for readers. See shared/findings.h.
 *
 * Shared memory counts each set of rows that differed together. Rows that are noise differ in some
 * responses and not in others, and multiply the sets. For readers, sets of a group whose other rows
 * are the same are one finding.
 */
#include <string.h>

#include "shared/findings_viewer.h"

#define GET MIRROR_WORD_GET

/* Sets that are one finding. */
typedef struct merged_t {
    int index;                                /* of the most frequent set */
    apr_uint64_t count;                       /* of all of them */
    apr_uint64_t first, last;                 /* of all of them */
    apr_uint64_t rows[MIRROR_FINDINGS_BITS];  /* of all of them */
    apr_uint64_t apart[MIRROR_FINDINGS_BITS]; /* those that are no noise */
} merged_t;

/* The row of an entry; NULL: there is none. */
static const mirror_found_row_t *row_at(const mirror_findings_viewer_t *viewer, apr_uint64_t entry)
{
    int i;

    for (i = 0; i < viewer->view->row_count; i++) {
        if ((apr_uint64_t)viewer->entries[i] == entry) {
            return &viewer->view->rows[i];
        }
    }
    return NULL;
}

/* Add the values of a finding, if they are of this example, and not too old. */
static void view_values(mirror_findings_viewer_t *viewer, mirror_found_example_t *example,
                        int finding, int number)
{
    mirror_findings_values_t *copy;
    mirror_found_value_t *found;
    int i, side;

    if (GET(viewer->area->values_used) == 0 || example->time < viewer->oldest_values ||
        example->time - viewer->oldest_values > 2 * MIRROR_FINDINGS_VALUES_TIME) {
        return;
    }
    copy = apr_palloc(viewer->pool, sizeof(*copy));
    mirror_findings_copy(copy, &viewer->area->values[finding], sizeof(*copy));
    if (copy->time != (apr_uint64_t)example->time || copy->example != (apr_uint64_t)number) {
        return;
    }
    found = apr_pcalloc(viewer->pool, MIRROR_FINDINGS_SET * sizeof(*found));
    example->values = found;
    for (i = 0; i < MIRROR_FINDINGS_SET; i++) {
        found->row = copy->list[i].row ? row_at(viewer, copy->list[i].row - 1) : NULL;
        for (side = 0; side < 2 && found->row; side++) {
            const char *text = mirror_findings_text_read(copy->list[i].text[side],
                                                         MIRROR_FINDINGS_VALUE, 1, viewer->pool);

            found->sides[side] = *text ? text : NULL;
        }
        if (found->row) {
            found++;
            example->value_count++;
        }
    }
}

static void view_examples(mirror_findings_viewer_t *viewer, mirror_found_t *found,
                          const mirror_findings_example_t *examples, int finding)
{
    mirror_found_example_t *list =
        apr_pcalloc(viewer->pool, MIRROR_FINDINGS_EXAMPLES * sizeof(*list));
    int i;

    found->examples = list;
    for (i = 0; i < MIRROR_FINDINGS_EXAMPLES; i++) {
        const mirror_findings_example_t *example = &examples[i];
        mirror_found_example_t *to = &list[found->example_count];

        to->time = (apr_time_t)mirror_cell_bounded(example->time);
        if (to->time == 0) {
            continue;
        }
        to->status[0] = (int)(example->status >> 16 & 0xffff) % 1000;
        to->status[1] = (int)(example->status & 0xffff) % 1000;
        to->method =
            mirror_findings_text_read(example->method, MIRROR_FINDINGS_METHOD, 1, viewer->pool);
        to->path = mirror_findings_text_read(example->path, MIRROR_FINDINGS_TEXT, 1, viewer->pool);
        to->request_id =
            mirror_findings_text_read(example->request_id, MIRROR_FINDINGS_ID, 1, viewer->pool);
        to->request_id = *to->request_id ? to->request_id : NULL;
        view_values(viewer, to, finding, i);
        found->example_count++;
    }
}

/* Name the rows of a set which are noise, or those which are not, as far as there is room. Returns
 * how many there are. */
static int name_rows(const mirror_findings_viewer_t *viewer, mirror_found_t *found,
                     const apr_uint64_t *set, int noise)
{
    int all = 0, i;

    for (i = 0; i < viewer->view->row_count; i++) {
        const mirror_found_row_t *row = &viewer->view->rows[i];
        int entry = viewer->entries[i];

        if (mirror_findings_has(set, entry) && (row->noise != NULL) == noise) {
            all++;
            if (found->row_count < MIRROR_FINDINGS_SET) {
                found->rows[found->row_count++] = row;
            }
        }
    }
    return all;
}

static void view_finding(mirror_findings_viewer_t *viewer, mirror_found_t *found,
                         const merged_t *merged)
{
    const mirror_findings_finding_t *finding = &viewer->copy->tables.findings[merged->index];
    int differences, noise;

    found->group = viewer->groups[finding->group % MIRROR_FINDINGS_GROUPS];
    found->group = found->group ? found->group : MIRROR_FINDINGS_MORE;
    found->count = merged->count;
    found->first = (apr_time_t)merged->first;
    found->last = (apr_time_t)merged->last;
    if (merged->index == MIRROR_FINDINGS_OTHER_SETS) {
        found->more = 1;
        found->noise = finding->different == 0;
    }
    else {
        differences = name_rows(viewer, found, merged->rows, 0);
        noise = name_rows(viewer, found, merged->rows, 1);
        found->more = finding->more != 0 || differences + noise > MIRROR_FINDINGS_SET;
        found->noise = differences == 0 && noise > 0 && finding->more == 0;
    }
    view_examples(viewer, found, finding->examples, merged->index);
}

/* ---- sets that are one finding ---- */

static void begin(mirror_findings_viewer_t *viewer, merged_t *merged,
                  const mirror_findings_rank_t *rank)
{
    const mirror_findings_finding_t *finding = &viewer->copy->tables.findings[rank->index];
    int i;

    merged->index = rank->index;
    merged->count = rank->count;
    merged->first = mirror_cell_bounded(finding->first);
    merged->last = mirror_cell_bounded(finding->last);
    for (i = 0; i < MIRROR_FINDINGS_BITS; i++) {
        merged->rows[i] = finding->rows[i];
        merged->apart[i] = finding->rows[i] & ~viewer->noise[i];
    }
}

/* Whether a set is complete, and has a row that is no noise. */
static int may_merge(const mirror_findings_viewer_t *viewer, const merged_t *set)
{
    static const apr_uint64_t none[MIRROR_FINDINGS_BITS];

    return set->index != MIRROR_FINDINGS_OTHER_SETS &&
           viewer->copy->tables.findings[set->index].more == 0 &&
           memcmp(set->apart, none, sizeof(none)) != 0;
}

/* Add `set` to the one of `n` that is the same finding. Returns 0 if there is none. */
static int merge(mirror_findings_viewer_t *viewer, merged_t *merged, int n, const merged_t *set)
{
    const mirror_findings_finding_t *findings = viewer->copy->tables.findings;
    int i;

    if (!may_merge(viewer, set)) {
        return 0;
    }
    for (; n > 0; n--, merged++) {
        if (may_merge(viewer, merged) &&
            findings[merged->index].group == findings[set->index].group &&
            memcmp(merged->apart, set->apart, sizeof(set->apart)) == 0) {
            merged->count = mirror_cell_bounded(merged->count + set->count);
            merged->first = set->first < merged->first ? set->first : merged->first;
            merged->last = set->last > merged->last ? set->last : merged->last;
            for (i = 0; i < MIRROR_FINDINGS_BITS; i++) {
                merged->rows[i] |= set->rows[i];
            }
            return 1;
        }
    }
    return 0;
}

static int rank_sets(const mirror_findings_viewer_t *viewer, mirror_findings_rank_t *ranks)
{
    const mirror_findings_finding_t *findings = viewer->copy->tables.findings;
    int n = 0, i;

    for (i = 0; i < MIRROR_FINDINGS_FINDINGS; i++) {
        if (findings[i].hash != 0 && mirror_cell_bounded(findings[i].count) != 0) {
            ranks[n].index = i;
            ranks[n++].count = mirror_cell_bounded(findings[i].count);
        }
    }
    mirror_findings_rank_sort(ranks, n);
    return n;
}

void mirror_findings_sets_view(mirror_findings_viewer_t *viewer)
{
    mirror_findings_rank_t ranks[MIRROR_FINDINGS_FINDINGS];
    merged_t *merged = apr_palloc(viewer->pool, MIRROR_FINDINGS_FINDINGS * sizeof(*merged));
    mirror_found_t *found;
    int sets = rank_sets(viewer, ranks), n = 0, i;

    for (i = 0; i < sets; i++) {
        begin(viewer, &merged[n], &ranks[i]);
        n += !merge(viewer, merged, n, &merged[n]);
    }
    for (i = 0; i < n; i++) {
        ranks[i].index = i;
        ranks[i].count = merged[i].count;
    }
    mirror_findings_rank_sort(ranks, n);
    found = apr_pcalloc(viewer->pool, (apr_size_t)n * sizeof(*found) + 1);
    for (i = 0; i < n; i++) {
        view_finding(viewer, &found[i], &merged[ranks[i].index]);
    }
    viewer->view->findings = found;
    viewer->view->finding_count = n;
}
