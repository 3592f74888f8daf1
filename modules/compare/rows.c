/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/rows.c - the differences of one pair of responses. See compare/rows.h.
 */
#include <string.h>

#include "compare/rows.h"

void mirror_rows_clear(mirror_rows_t *rows)
{
    rows->count = 0;
    rows->more = 0;
    rows->more_alone = 0;
    rows->ignored = 0;
    rows->forgiven_count = 0;
    rows->rule_count = 0;
    rows->values = NULL;
}

/* Bytes of `text` that fit, whole UTF-8 characters. */
static apr_size_t fitting(const char *text)
{
    apr_size_t len = strlen(text);

    if (len > MIRROR_FIELD_MAX) {
        for (len = MIRROR_FIELD_MAX; len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80; len--) {
        }
    }
    return len;
}

static mirror_row_t *find_in(mirror_row_t *list, int count, mirror_kind_e kind, const char *field,
                             apr_size_t len)
{
    int i;

    for (i = 0; i < count; i++) {
        mirror_row_t *row = &list[i];

        if (row->kind == kind && !strncmp(row->field, field, len) && !row->field[len]) {
            return row;
        }
    }
    return NULL;
}

static mirror_row_t *find(mirror_rows_t *rows, mirror_kind_e kind, const char *field,
                          apr_size_t len)
{
    return find_in(rows->list, rows->count, kind, field, len);
}

static void fill(mirror_row_t *row, mirror_part_e part, mirror_kind_e kind, const char *field,
                 apr_size_t len)
{
    memset(row, 0, sizeof(*row));
    row->part = (unsigned char)part;
    row->kind = (unsigned char)kind;
    memcpy(row->field, field, len);
}

/* Note one more pair of values in a row; their order in the response is of no matter. */
static void note_marks(mirror_row_t *row, const apr_uint64_t marks[2])
{
    row->volatile_shape &= marks != NULL;
    if (marks) {
        row->marks[0] += marks[0];
        row->marks[1] += marks[1];
    }
}

int mirror_rows_add(mirror_rows_t *rows, mirror_part_e part, mirror_kind_e kind, const char *field,
                    const apr_uint64_t marks[2], int built_in)
{
    apr_size_t len = fitting(field);
    mirror_row_t *row = find(rows, kind, field, len);

    if (row) {
        note_marks(row, marks);
        row->built_in &= built_in != 0;
        return -1;
    }
    if (rows->count == MIRROR_ROWS_MAX) {
        rows->more++;
        return -1;
    }
    row = &rows->list[rows->count++];
    fill(row, part, kind, field, len);
    row->volatile_shape = 1;
    note_marks(row, marks);
    row->built_in = built_in != 0;
    if (!rows->values) {
        return -1;
    }
    mirror_values_clear(rows->values, rows->count - 1);
    return rows->count - 1;
}

/* ---- rules ---- */

/* The entry of a rule; NULL: there is no room. */
static mirror_rows_rule_t *rule_of(mirror_rows_t *rows, const struct mirror_compare_rule_t *rule)
{
    int i;

    for (i = rows->rule_count - 1; i >= 0 && rows->rules[i].rule != rule; i--) {
    }
    if (i < 0) {
        if (rows->rule_count == MIRROR_ROWS_RULES) {
            return NULL;
        }
        i = rows->rule_count++;
        memset(&rows->rules[i], 0, sizeof(rows->rules[i]));
        rows->rules[i].rule = rule;
    }
    return &rows->rules[i];
}

void mirror_rows_hit(mirror_rows_t *rows, const struct mirror_compare_rule_t *rule)
{
    mirror_rows_rule_t *entry = rule_of(rows, rule);

    if (entry) {
        entry->has_hit = 1;
    }
}

void mirror_rows_fail(mirror_rows_t *rows, const struct mirror_compare_rule_t *rule)
{
    mirror_rows_rule_t *entry = rule_of(rows, rule);

    if (entry) {
        entry->has_failed = 1;
    }
}

void mirror_rows_forgive(mirror_rows_t *rows, mirror_part_e part, mirror_kind_e kind,
                         const char *field, const struct mirror_compare_rule_t *rule)
{
    apr_size_t len = fitting(field);

    rows->ignored++;
    mirror_rows_hit(rows, rule);
    if (rows->forgiven_count < MIRROR_ROWS_MAX &&
        !find_in(rows->forgiven, rows->forgiven_count, kind, field, len)) {
        fill(&rows->forgiven[rows->forgiven_count++], part, kind, field, len);
    }
}

void mirror_rows_matter(mirror_rows_t *rows, mirror_kind_e kind, const char *field)
{
    mirror_row_t *row = find(rows, kind, field, fitting(field));

    if (row) {
        row->matters = 1;
    }
}

const mirror_row_t *mirror_rows_find(const mirror_rows_t *rows, mirror_kind_e kind,
                                     const char *field)
{
    return find((mirror_rows_t *)rows, kind, field, fitting(field));
}

int mirror_rows_differences(const mirror_rows_t *rows)
{
    int i, n = rows->more;

    for (i = 0; i < rows->count; i++) {
        n += !rows->list[i].built_in;
    }
    return n;
}
