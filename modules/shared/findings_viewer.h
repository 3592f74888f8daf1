/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * shared/findings_viewer.h - what the two files share that copy an area for readers:
 * findings_view.c and findings_sets.c. Private to them.
 */
#ifndef MIRROR_SHARED_FINDINGS_VIEWER_H
#define MIRROR_SHARED_FINDINGS_VIEWER_H

#include "shared/findings_state.h"

#define MIRROR_FINDINGS_OTHER_SETS (MIRROR_FINDINGS_FINDINGS - 1)

/* One copy of an area while it is made; any thread. */
typedef struct mirror_findings_viewer_t {
    mirror_findings_t *area; /* for values alone */
    mirror_findings_view_t *view;
    mirror_findings_t *copy;
    apr_pool_t *pool;
    const char *groups[MIRROR_FINDINGS_GROUPS]; /* NULL: there is no such group */
    int entries[MIRROR_FINDINGS_ROWS];          /* of the view's rows */
    apr_uint64_t noise[MIRROR_FINDINGS_BITS];   /* a bit for each entry that is noise */
    apr_time_t oldest_values;                   /* older ones are not shown */
} mirror_findings_viewer_t;

/* An entry and how often it was counted: what a list is sorted by. */
typedef struct mirror_findings_rank_t {
    apr_uint64_t count;
    int index;
} mirror_findings_rank_t;

/* Sort by count, the greatest first; then by index. */
void mirror_findings_rank_sort(mirror_findings_rank_t *ranks, int n);

/* Make the findings of the view, when its rows are made. */
void mirror_findings_sets_view(mirror_findings_viewer_t *viewer);

#endif
