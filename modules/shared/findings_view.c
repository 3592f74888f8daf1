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
#include "shared/findings_viewer.h"

#define GET         MIRROR_WORD_GET
#define ATTEMPTS    3 /* while resets come in between */
#define MORE_GROUP  MIRROR_FINDINGS_MORE_GROUP
#define OTHER_PAIRS (MIRROR_FINDINGS_PAIRS - 1)

static int compare_ranks(const void *a, const void *b)
{
    const mirror_findings_rank_t *one = a, *other = b;

    return one->count != other->count ? (one->count < other->count ? 1 : -1)
                                      : one->index - other->index;
}

static void add_rank(mirror_findings_rank_t *ranks, int *n, int index, apr_uint64_t count)
{
    count = mirror_cell_bounded(count);
    if (count > 0) {
        ranks[*n].count = count;
        ranks[(*n)++].index = index;
    }
}

void mirror_findings_rank_sort(mirror_findings_rank_t *ranks, int n)
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

static void view_counters(mirror_findings_viewer_t *viewer)
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

static void view_pairs(mirror_findings_viewer_t *viewer)
{
    const mirror_findings_pair_t *pairs = viewer->copy->tables.pairs;
    mirror_findings_rank_t ranks[MIRROR_FINDINGS_PAIRS];
    mirror_found_pair_t *found;
    int n = 0, i;

    for (i = 0; i < MIRROR_FINDINGS_PAIRS; i++) {
        if (pairs[i].statuses != 0 || i == OTHER_PAIRS) {
            add_rank(ranks, &n, i, pairs[i].count);
        }
    }
    mirror_findings_rank_sort(ranks, n);
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

static void name_groups(mirror_findings_viewer_t *viewer)
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

static void view_groups(mirror_findings_viewer_t *viewer)
{
    mirror_findings_group_t *groups = viewer->copy->tables.groups;
    mirror_findings_rank_t ranks[MIRROR_FINDINGS_GROUPS];
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
    mirror_findings_rank_sort(ranks, n);
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
static int is_row(const mirror_findings_viewer_t *viewer, const mirror_findings_row_t *row)
{
    apr_uint64_t group = row->what >> 16;

    return row->hash != 0 && group < MIRROR_FINDINGS_GROUPS && viewer->groups[group] != NULL &&
           (row->what >> 8 & 0xff) < MIRROR_PART_COUNT && (row->what & 0xff) < MIRROR_KIND_COUNT;
}

static void view_row(mirror_findings_viewer_t *viewer, mirror_found_row_t *found,
                     const mirror_findings_row_t *row)
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

static void view_rows(mirror_findings_viewer_t *viewer)
{
    const mirror_findings_row_t *rows = viewer->copy->tables.rows;
    mirror_findings_rank_t ranks[MIRROR_FINDINGS_ROWS];
    mirror_found_row_t *found;
    int n = 0, i;

    for (i = 0; i < MIRROR_FINDINGS_ROWS; i++) {
        if (is_row(viewer, &rows[i])) {
            viewer->view->reference_unlike =
                mirror_cell_bounded(viewer->view->reference_unlike + unlike(&rows[i]));
            add_rank(ranks, &n, i, mirror_findings_seen(&rows[i]));
        }
    }
    mirror_findings_rank_sort(ranks, n);
    found = apr_pcalloc(viewer->pool, (apr_size_t)n * sizeof(*found) + 1);
    for (i = 0; i < n; i++) {
        view_row(viewer, &found[i], &rows[ranks[i].index]);
        viewer->entries[i] = ranks[i].index;
        if (found[i].noise) {
            viewer->noise[ranks[i].index / 64] |= (apr_uint64_t)1 << ranks[i].index % 64;
        }
    }
    viewer->view->rows = found;
    viewer->view->row_count = n;
}

/* ---- rules ---- */

static void view_rules(mirror_findings_viewer_t *viewer)
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
    mirror_findings_viewer_t viewer;

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
    mirror_findings_sets_view(&viewer);
    view_rules(&viewer);
    view_groups(&viewer); /* last: it makes the copy add up */
}
