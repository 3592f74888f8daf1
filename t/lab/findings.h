/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * findings.h - what the tests of shared/findings share: an area in memory that forked processes
 * have as well, and comparisons to add.
 */
#ifndef LAB_FINDINGS_H
#define LAB_FINDINGS_H

#include <string.h>
#include <sys/mman.h>

#include <apr_general.h>
#include <apr_strings.h>
#include <check.h>

#include "shared/findings.h"

static apr_pool_t *pool;
static mirror_findings_t *area;
static mirror_findings_view_t view;

static inline void make_area(void)
{
    apr_pool_create(&pool, NULL);
    area = mmap(NULL, mirror_findings_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                -1, 0);
    ck_assert_ptr_ne(area, MAP_FAILED);
}

static inline void drop_area(void)
{
    munmap(area, mirror_findings_size());
    apr_pool_destroy(pool);
}

static inline void view_area(void)
{
    mirror_findings_view(&view, area, pool);
}

static inline mirror_noted_row_t noted_row(const char *field, mirror_kind_e kind,
                                           mirror_side_e side)
{
    mirror_noted_row_t row;

    memset(&row, 0, sizeof(row));
    row.part = MIRROR_PART_BODY;
    row.kind = kind;
    row.side = side;
    row.field = field;
    return row;
}

static inline mirror_noted_t noted_of(const char *group, const mirror_noted_row_t *rows, int count,
                                      mirror_verdict_e verdict)
{
    mirror_noted_t noted;

    memset(&noted, 0, sizeof(noted));
    noted.group = group;
    noted.verdict = verdict;
    noted.status[0] = noted.status[1] = 200;
    noted.rows = rows;
    noted.count = count;
    noted.examples = 3;
    noted.time = 1000;
    noted.method = "GET";
    noted.path = "/items/7";
    return noted;
}

static inline mirror_verdict_e add_rows(const char *group, const mirror_noted_row_t *rows,
                                        int count)
{
    mirror_noted_t noted = noted_of(group, rows, count, MIRROR_VERDICT_DIFFERENT);

    return mirror_findings_add(area, &noted);
}

static inline mirror_verdict_e add_row(const char *group, const char *field, mirror_kind_e kind,
                                       mirror_side_e side)
{
    mirror_noted_row_t row = noted_row(field, kind, side);
    /* the mirror has no difference where the reference stands alone */
    mirror_noted_t noted = noted_of(group, &row, 1,
                                    side == MIRROR_SIDE_REFERENCE_ALONE ? MIRROR_VERDICT_SAME
                                                                        : MIRROR_VERDICT_DIFFERENT);

    return mirror_findings_add(area, &noted);
}

static inline mirror_verdict_e add_verdict(const char *group, mirror_verdict_e verdict)
{
    mirror_noted_t noted = noted_of(group, NULL, 0, verdict);

    return mirror_findings_add(area, &noted);
}

/* The row of this field in the view; one of zeros if there is none. */
static inline mirror_found_row_t row_of(const mirror_findings_view_t *found, const char *field)
{
    mirror_found_row_t none = { 0 };
    int i;

    for (i = 0; i < found->row_count; i++) {
        if (strcmp(found->rows[i].field, field) == 0) {
            return found->rows[i];
        }
    }
    return none;
}

#endif
