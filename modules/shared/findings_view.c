/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * shared/findings_view.c - a copy of an area for readers. See shared/findings.h.
 *
 * The tables are copied before the counters, so that a response which is in its group is in the
 * counters as well. All else is made of the copy.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "shared/findings_state.h"

#define GET         MIRROR_WORD_GET
#define ATTEMPTS    3 /* while resets come in between */
#define MORE_GROUP  MIRROR_FINDINGS_MORE_GROUP
#define OTHER_PAIRS (MIRROR_FINDINGS_PAIRS - 1)
#define OTHER_SETS  (MIRROR_FINDINGS_FINDINGS - 1)

typedef struct viewer_t {
    mirror_findings_t *area; /* for values alone */
    mirror_findings_view_t *view;
    mirror_findings_t *copy;
    apr_pool_t *pool;
    const char *groups[MIRROR_FINDINGS_GROUPS]; /* NULL: there is no such group */
    int entries[MIRROR_FINDINGS_ROWS];          /* of the view's rows */
    apr_time_t oldest_values;                   /* older ones are not shown */
} viewer_t;

/* An entry and how often it was counted: what a list is sorted by. */
typedef struct rank_t {
    apr_uint64_t count;
    int index;
} rank_t;

static int compare_ranks(const void *a, const void *b)
{
    const rank_t *one = a, *other = b;

    return one->count != other->count ? (one->count < other->count ? 1 : -1)
                                      : one->index - other->index;
}

static void add_rank(rank_t *ranks, int *n, int index, apr_uint64_t count)
{
    count = mirror_cell_bounded(count);
    if (count > 0) {
        ranks[*n].count = count;
        ranks[(*n)++].index = index;
    }
}

static void sort(rank_t *ranks, int n)
{
    qsort(ranks, (size_t)n, sizeof(*ranks), compare_ranks);
}

/* ---- the copy ---- */

static mirror_findings_t *copy_area(mirror_findings_t *area, apr_pool_t *pool)
{
    mirror_findings_t *copy = apr_palloc(pool, sizeof(*copy));
    int attempt = 0;

    do {
        copy->since = GET(area->since);
        mirror_findings_copy(&copy->tables, &area->tables, sizeof(copy->tables));
        mirror_findings_copy(&copy->counters, &area->counters, sizeof(copy->counters));
        mirror_findings_copy(&copy->at_reset, &area->at_reset, sizeof(copy->at_reset));
        copy->resetting = GET(area->resetting);
    } while (++attempt < ATTEMPTS && (copy->resetting || GET(area->since) != copy->since));
    return copy;
}

/* ---- counters ---- */

/* What was counted since the reset. */
static void count_since(apr_uint64_t *to, const apr_uint64_t *counts, const apr_uint64_t *before,
                        int n)
{
    int i;

    for (i = 0; i < n; i++) {
        apr_uint64_t now = mirror_cell_bounded(counts[i]), then = mirror_cell_bounded(before[i]);

        to[i] = now > then ? now - then : 0;
    }
}

static void view_counters(viewer_t *viewer)
{
    const mirror_findings_counters_t *now = &viewer->copy->counters;
    const mirror_findings_counters_t *then = &viewer->copy->at_reset;
    mirror_findings_view_t *view = viewer->view;
    mirror_found_latency_t *latency = &view->latency;
    int i;

    view->since = (apr_time_t)mirror_cell_bounded(viewer->copy->since);
    count_since(view->verdicts, now->verdicts, then->verdicts, MIRROR_VERDICT_COUNT);
    count_since(view->skips, now->skips, then->skips, MIRROR_SKIP_COUNT);
    count_since(latency->primary, now->primary, then->primary, MIRROR_CELL_BUCKETS);
    count_since(latency->mirror, now->mirror, then->mirror, MIRROR_CELL_BUCKETS);
    count_since(latency->faster, now->faster, then->faster, MIRROR_CELL_BUCKETS);
    count_since(latency->slower, now->slower, then->slower, MIRROR_CELL_BUCKETS);
    count_since(&view->truncated_fields, &now->truncated_fields, &then->truncated_fields, 1);
    count_since(&view->truncated_groups, &now->truncated_groups, &then->truncated_groups, 1);
    for (i = 0; i < MIRROR_VERDICT_COUNT; i++) {
        view->compared += view->verdicts[i];
    }
}

/* ---- pairs ---- */

static void view_pairs(viewer_t *viewer)
{
    const mirror_findings_pair_t *pairs = viewer->copy->tables.pairs;
    rank_t ranks[MIRROR_FINDINGS_PAIRS];
    mirror_found_pair_t *found;
    int n = 0, i;

    for (i = 0; i < MIRROR_FINDINGS_PAIRS; i++) {
        if (pairs[i].statuses != 0 || i == OTHER_PAIRS) {
            add_rank(ranks, &n, i, pairs[i].count);
        }
    }
    sort(ranks, n);
    found = apr_pcalloc(viewer->pool, (apr_size_t)n * sizeof(*found) + 1);
    for (i = 0; i < n; i++) {
        if (ranks[i].index != OTHER_PAIRS) {
            found[i].primary = (int)(pairs[ranks[i].index].statuses >> 16 & 0xffff) % 1000;
            found[i].mirror = (int)(pairs[ranks[i].index].statuses & 0xffff) % 1000;
        }
        found[i].count = ranks[i].count;
    }
    viewer->view->pairs = found;
    viewer->view->pair_count = n;
}

/* ---- groups ---- */

static void name_groups(viewer_t *viewer)
{
    const mirror_findings_group_t *groups = viewer->copy->tables.groups;
    int i;

    for (i = 0; i < MORE_GROUP; i++) {
        if (groups[i].hash != 0) {
            viewer->groups[i] =
                mirror_findings_text_read(groups[i].text, MIRROR_FINDINGS_TEXT, 0, viewer->pool);
        }
    }
    viewer->groups[MORE_GROUP] = MIRROR_FINDINGS_MORE;
}

/* Make the groups add up: a group has no more than is left of all, and "(more)" has the rest. */
static void make_whole(const mirror_findings_view_t *view, mirror_findings_group_t *groups)
{
    apr_uint64_t compared = view->compared, different = view->verdicts[MIRROR_VERDICT_DIFFERENT];
    int i;

    for (i = 0; i < MORE_GROUP; i++) {
        mirror_findings_group_t *group = &groups[i];

        group->compared = group->hash ? mirror_cell_bounded(group->compared) : 0;
        group->different = mirror_cell_bounded(group->different);
        group->compared = group->compared < compared ? group->compared : compared;
        group->different = group->different < group->compared ? group->different : group->compared;
        group->different = group->different < different ? group->different : different;
        compared -= group->compared;
        different -= group->different;
    }
    groups[MORE_GROUP].compared = compared;
    groups[MORE_GROUP].different = different < compared ? different : compared;
}

static void view_groups(viewer_t *viewer)
{
    mirror_findings_group_t *groups = viewer->copy->tables.groups;
    rank_t ranks[MIRROR_FINDINGS_GROUPS];
    mirror_found_group_t *found;
    int n = 0, i;

    make_whole(viewer->view, groups);
    for (i = 0; i < MIRROR_FINDINGS_GROUPS; i++) {
        if (groups[i].compared >
            MIRROR_CELL_COUNT_MAX) { /* the rest of a sum beyond all counting */
            groups[i].compared = MIRROR_CELL_COUNT_MAX;
        }
        add_rank(ranks, &n, i, groups[i].compared);
    }
    sort(ranks, n);
    found = apr_pcalloc(viewer->pool, (apr_size_t)n * sizeof(*found) + 1);
    for (i = 0; i < n; i++) {
        found[i].group = viewer->groups[ranks[i].index];
        found[i].compared = ranks[i].count;
        found[i].different = groups[ranks[i].index].different;
    }
    viewer->view->groups = found;
    viewer->view->group_count = n;
}

/* ---- rows ---- */

/* Whether an entry is one that can have been written; its group is one that exists. */
static int is_row(const viewer_t *viewer, const mirror_findings_row_t *row)
{
    apr_uint64_t group = row->what >> 16;

    return row->hash != 0 && group < MIRROR_FINDINGS_GROUPS && viewer->groups[group] != NULL &&
           (row->what >> 8 & 0xff) < MIRROR_PART_COUNT && (row->what & 0xff) < MIRROR_KIND_COUNT;
}

static void view_row(viewer_t *viewer, mirror_found_row_t *found, const mirror_findings_row_t *row)
{
    const mirror_findings_group_t *group = &viewer->copy->tables.groups[row->what >> 16];
    apr_uint64_t compared = mirror_cell_bounded(group->compared);
    apr_uint64_t unexamined = mirror_cell_bounded(group->unexamined);
    int i;

    found->part = (mirror_part_e)(row->what >> 8 & 0xff);
    found->kind = (mirror_kind_e)(row->what & 0xff);
    found->group = viewer->groups[row->what >> 16];
    found->field = mirror_findings_text_read(row->text, MIRROR_FINDINGS_TEXT, 0, viewer->pool);
    found->count = mirror_cell_bounded(mirror_findings_seen(row));
    for (i = 0; i < MIRROR_SIDE_COUNT; i++) {
        found->sides[i] = mirror_cell_bounded(row->sides[i]);
    }
    found->noise = mirror_findings_noise(row, compared > unexamined ? compared - unexamined : 0);
    found->first = (apr_time_t)mirror_cell_bounded(row->first);
    found->last = (apr_time_t)mirror_cell_bounded(row->last);
}

/* How often the row has it that the reference has another status. */
static apr_uint64_t unlike(const mirror_findings_row_t *row)
{
    return (row->what >> 8 & 0xff) != MIRROR_PART_STATUS
               ? 0
               : mirror_cell_bounded(row->sides[MIRROR_SIDE_REFERENCE_ALONE]) +
                     mirror_cell_bounded(row->sides[MIRROR_SIDE_PRIMARY_ALONE]) +
                     mirror_cell_bounded(row->sides[MIRROR_SIDE_ALL_DIFFER]);
}

static void view_rows(viewer_t *viewer)
{
    const mirror_findings_row_t *rows = viewer->copy->tables.rows;
    rank_t ranks[MIRROR_FINDINGS_ROWS];
    mirror_found_row_t *found;
    int n = 0, i;

    for (i = 0; i < MIRROR_FINDINGS_ROWS; i++) {
        if (is_row(viewer, &rows[i])) {
            viewer->view->reference_unlike =
                mirror_cell_bounded(viewer->view->reference_unlike + unlike(&rows[i]));
            add_rank(ranks, &n, i, mirror_findings_seen(&rows[i]));
        }
    }
    sort(ranks, n);
    found = apr_pcalloc(viewer->pool, (apr_size_t)n * sizeof(*found) + 1);
    for (i = 0; i < n; i++) {
        view_row(viewer, &found[i], &rows[ranks[i].index]);
        viewer->entries[i] = ranks[i].index;
    }
    viewer->view->rows = found;
    viewer->view->row_count = n;
}

/* ---- findings ---- */

/* The row of an entry; NULL: there is none. */
static const mirror_found_row_t *row_at(const viewer_t *viewer, apr_uint64_t entry)
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
static void view_values(viewer_t *viewer, mirror_found_example_t *example, int finding, int number)
{
    mirror_findings_values_t *copy;
    mirror_found_value_t *found;
    int i, side;

    if (GET(viewer->area->values_used) == 0 || example->time < viewer->oldest_values) {
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

static void view_examples(viewer_t *viewer, mirror_found_t *found,
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
static int name_rows(const viewer_t *viewer, mirror_found_t *found, const apr_uint64_t *set,
                     int noise)
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

static void view_finding(viewer_t *viewer, mirror_found_t *found, int index)
{
    const mirror_findings_finding_t *finding = &viewer->copy->tables.findings[index];
    int differences, noise;

    found->group = viewer->groups[finding->group % MIRROR_FINDINGS_GROUPS];
    found->group = found->group ? found->group : MIRROR_FINDINGS_MORE;
    found->first = (apr_time_t)mirror_cell_bounded(finding->first);
    found->last = (apr_time_t)mirror_cell_bounded(finding->last);
    if (index == OTHER_SETS) {
        found->more = 1;
        found->noise = finding->different == 0;
    }
    else {
        differences = name_rows(viewer, found, finding->rows, 0);
        noise = name_rows(viewer, found, finding->rows, 1);
        found->more = finding->more != 0 || differences + noise > MIRROR_FINDINGS_SET;
        found->noise = differences == 0 && noise > 0 && finding->more == 0;
    }
    view_examples(viewer, found, finding->examples, index);
}

static void view_findings(viewer_t *viewer)
{
    const mirror_findings_finding_t *findings = viewer->copy->tables.findings;
    rank_t ranks[MIRROR_FINDINGS_FINDINGS];
    mirror_found_t *found;
    int n = 0, i;

    for (i = 0; i < MIRROR_FINDINGS_FINDINGS; i++) {
        if (findings[i].hash != 0) {
            add_rank(ranks, &n, i, findings[i].count);
        }
    }
    sort(ranks, n);
    found = apr_pcalloc(viewer->pool, (apr_size_t)n * sizeof(*found) + 1);
    for (i = 0; i < n; i++) {
        found[i].count = ranks[i].count;
        view_finding(viewer, &found[i], ranks[i].index);
    }
    viewer->view->findings = found;
    viewer->view->finding_count = n;
}

/* ---- rules ---- */

static void view_rules(viewer_t *viewer)
{
    const mirror_findings_rule_t *rules = viewer->copy->tables.rules;
    mirror_found_rule_t *found = apr_palloc(viewer->pool, sizeof(viewer->copy->tables.rules));
    int n = 0, i;

    for (i = 0; i < MIRROR_FINDINGS_RULES && viewer->copy->tables.responses != 0; i++) {
        if (rules[i].id != 0) {
            found[n].id = rules[i].id;
            found[n].compared = mirror_cell_bounded(rules[i].compared);
            found[n].hits = mirror_cell_bounded(rules[i].hits);
            found[n++].failures = mirror_cell_bounded(rules[i].failures);
        }
    }
    viewer->view->rules = found;
    viewer->view->rule_count = n;
}

const mirror_found_rule_t *mirror_findings_rule(const mirror_findings_view_t *view, apr_uint64_t id)
{
    int i;

    for (i = 0; i < view->rule_count; i++) {
        if (view->rules[i].id == id) {
            return &view->rules[i];
        }
    }
    return NULL;
}

void mirror_findings_view(mirror_findings_view_t *view, mirror_findings_t *area, apr_pool_t *pool)
{
    viewer_t viewer;

    memset(view, 0, sizeof(*view));
    if (area == NULL || GET(area->since) == 0) {
        return;
    }
    memset(&viewer, 0, sizeof(viewer));
    viewer.view = view;
    viewer.pool = pool;
    viewer.area = area;
    viewer.oldest_values = mirror_clock_to_wall(mirror_clock_now()) - MIRROR_FINDINGS_VALUES_TIME;
    viewer.copy = copy_area(area, pool);
    view_counters(&viewer);
    view_pairs(&viewer);
    name_groups(&viewer);
    view_rows(&viewer);
    view_findings(&viewer);
    view_rules(&viewer);
    view_groups(&viewer); /* last: it makes the copy add up */
}
