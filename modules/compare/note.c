/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/note.c - put what was found where people read it. See compare/note.h.
 */
#include <stdlib.h>
#include <string.h>

#include <apr_atomic.h>
#include <apr_strings.h>

#include "compare/note.h"
#include "copy/log_line.h"
#include "settings/compare_rule.h"

/* Bytes of the texts of one line. */
#define FIELDS_MAX 1024
/* Rows of primary and mirror, of primary and reference, and what rules forgive. */
#define NOTED_MAX (3 * MIRROR_ROWS_MAX)

/* Whether the rows have this field as a difference, of any kind. */
static int has_field(const mirror_rows_t *rows, const char *field)
{
    int i;

    for (i = 0; i < rows->count; i++) {
        if (!rows->list[i].built_in && !strcmp(rows->list[i].field, field)) {
            return 1;
        }
    }
    return 0;
}

/* The same difference as `row` in other rows; NULL: there is none. What the built-in list forgives is none:
 * a cookie that always has another value would else hide that the mirror's has lost its HttpOnly. */
static const mirror_row_t *find_difference(const mirror_rows_t *rows, const mirror_row_t *row)
{
    const mirror_row_t *found = mirror_rows_find(rows, (mirror_kind_e)row->kind, row->field);

    return found && !found->built_in ? found : NULL;
}

/* Whether it is known if the mirror stands alone in a value of the row. */
static int is_of_values(const mirror_note_t *note, const mirror_row_t *row)
{
    return note->has_values && row->part == MIRROR_PART_BODY && row->kind != MIRROR_KIND_EXTRA;
}

/* Whether `drift` would list this row of primary and mirror if primary and reference differed in it. If some
 * of its rows have no room, it has to list one that comes later: all rows are in the order of the
 * primary's response. */
static int would_be_listed(const mirror_note_t *note, const mirror_row_t *row)
{
    const mirror_rows_t *rows = &note->judgement->rows, *drift = &note->drift->rows;
    const mirror_row_t *later = row + 1, *end = rows->list + rows->count;

    if (drift->more == 0) {
        return 1;
    }
    while (later < end && !mirror_rows_find(drift, (mirror_kind_e)later->kind, later->field)) {
        later++;
    }
    return later < end;
}

/* Whether `drift` is known not to have this row of primary and mirror, in which the mirror stands alone in
 * no value. */
static int is_unlisted(const mirror_note_t *note, const mirror_row_t *row)
{
    return note->drift->rows.more > 0 && is_of_values(note, row) ? 0 : would_be_listed(note, row);
}

/* Whether the reference's status is not the primary's: then it says of no other row whether the old
 * version differs from itself. */
static int is_unlike(const mirror_note_t *note)
{
    return mirror_rows_find(&note->drift->rows, MIRROR_KIND_STATUS, "status") != NULL;
}

/* Whether a row says that a body, or a value in it, differs as a whole from another one: then nothing else
 * of it was compared. */
static int is_whole(const mirror_row_t *row)
{
    const unsigned kinds = 1U << MIRROR_KIND_MISSING | 1U << MIRROR_KIND_EXTRA |
                           1U << MIRROR_KIND_TYPE | 1U << MIRROR_KIND_NULL |
                           1U << MIRROR_KIND_LENGTH | 1U << MIRROR_KIND_SYNTAX |
                           1U << MIRROR_KIND_ENCODING | 1U << MIRROR_KIND_CONTENT_TYPE;

    return row->part == MIRROR_PART_BODY && kinds & 1U << row->kind;
}

/* Whether `whole` differs as a whole, and the row is of the same or in it. */
static int is_in(const mirror_row_t *row, const mirror_row_t *whole)
{
    apr_size_t len = strlen(whole->field);

    return is_whole(whole) && !strncmp(row->field, whole->field, len) &&
           (row->field[len] == '/' || (row->field[len] == '\0' && !is_whole(row)));
}

static int has_whole_body(const mirror_rows_t *rows)
{
    int i;

    for (i = 0; i < rows->count; i++) {
        if (is_whole(&rows->list[i]) && !strcmp(rows->list[i].field, "body")) {
            return 1;
        }
    }
    return 0;
}

/* Whether the row is of something in a body of which the other comparison with the primary, which has these
 * rows, knows nothing. Neither the mirror nor the reference is alone in it. */
static int is_in_whole(const mirror_row_t *row, const mirror_rows_t *others)
{
    int i;

    for (i = 0; row->part == MIRROR_PART_BODY && !row->alone && i < others->count; i++) {
        if (is_in(row, &others->list[i])) {
            return 1;
        }
    }
    return 0;
}

/* Whether a row is that of texts of which it is known who stands alone. */
static int is_of_texts(const mirror_note_t *note, const mirror_row_t *row)
{
    return note->has_texts && row->part == MIRROR_PART_BODY && row->kind == MIRROR_KIND_TEXT;
}

/* Where a row of primary and mirror, or of primary and reference (`of_drift`), puts the mirror. */
static mirror_side_e side_of(const mirror_note_t *note, const mirror_row_t *row, int of_drift)
{
    const mirror_rows_t *agreement = &note->agreement->rows;

    if (of_drift) {
        return MIRROR_SIDE_REFERENCE_ALONE;
    }
    if (row->built_in || (row->part != MIRROR_PART_STATUS && is_unlike(note)) ||
        is_in_whole(row, &note->drift->rows)) {
        return MIRROR_SIDE_TWO_WAY;
    }
    if (row->alone || (is_of_texts(note, row) && note->texts.mirror_alone)) {
        return MIRROR_SIDE_MIRROR_ALONE;
    }
    if (!find_difference(&note->drift->rows, row)) {
        return is_unlisted(note, row) ? MIRROR_SIDE_MIRROR_ALONE : MIRROR_SIDE_ALL_DIFFER;
    }
    return note->agreement->skip == MIRROR_SKIP_NONE && !has_field(agreement, row->field)
               ? MIRROR_SIDE_PRIMARY_ALONE
               : MIRROR_SIDE_ALL_DIFFER;
}

/* What the reference has of a row of primary and mirror, beside where that one puts the mirror. */
static void note_reference(mirror_noted_row_t *noted, const mirror_note_t *note,
                           const mirror_row_t *row)
{
    const mirror_row_t *other = find_difference(&note->drift->rows, row);

    noted->reference_too =
        (other && other->alone) || (is_of_texts(note, row) && note->texts.reference_alone);
    noted->varies_too = row->alone && (other || !would_be_listed(note, row));
}

static void note_row(mirror_noted_row_t *noted, const mirror_note_t *note, const mirror_row_t *row,
                     int of_drift)
{
    noted->part = (mirror_part_e)row->part;
    noted->kind = (mirror_kind_e)row->kind;
    noted->side = note->drift ? side_of(note, row, of_drift) : MIRROR_SIDE_TWO_WAY;
    noted->volatile_shape = row->volatile_shape;
    noted->marks[0] = row->marks[0];
    noted->marks[1] = row->marks[1];
    if (note->drift && !of_drift) {
        note_reference(noted, note, row);
    }
    noted->only_noise = is_of_texts(note, row) && !note->texts.mirror_alone;
    noted->built_in = row->built_in;
    noted->matters = row->matters;
    noted->field = row->field;
}

/* What rules forgive in primary and mirror, as far as there is room. Returns how many there are. */
static int note_forgiven(mirror_noted_row_t *noted, int n, const mirror_rows_t *rows)
{
    int i;

    for (i = 0; i < rows->forgiven_count && n < NOTED_MAX; i++) {
        const mirror_row_t *row = &rows->forgiven[i];

        if (!mirror_rows_find(rows, (mirror_kind_e)row->kind, row->field)) {
            noted[n].part = (mirror_part_e)row->part;
            noted[n].kind = (mirror_kind_e)row->kind;
            noted[n].side = MIRROR_SIDE_TWO_WAY;
            noted[n].by_rule = 1;
            noted[n++].field = row->field;
        }
    }
    return n;
}

/* The rules that were in force. */
static const mirror_noted_rule_t *note_rules(const mirror_pair_t *pair, const mirror_rows_t *rows,
                                             apr_pool_t *pool)
{
    mirror_noted_rule_t *noted =
        apr_pcalloc(pool, ((apr_size_t)pair->rules.nelts + 1) * sizeof(*noted));
    int i, k;

    for (i = 0; i < pair->rules.nelts; i++) {
        const mirror_compare_rule_t *rule =
            APR_ARRAY_IDX(&pair->rules, i, const mirror_compare_rule_t *);

        noted[i].id = mirror_compare_rule_id(rule);
        for (k = 0; k < rows->rule_count; k++) {
            if (rows->rules[k].rule == rule) {
                noted[i].has_hit = rows->rules[k].has_hit;
                noted[i].has_failed = rows->rules[k].has_failed;
            }
        }
    }
    return noted;
}

/* Whether a row of primary and reference is a difference that is known to be none of primary and mirror, which
 * may have rows without room. */
static int is_of_reference(const mirror_note_t *note, const mirror_row_t *row)
{
    const mirror_rows_t *rows = &note->judgement->rows;

    return !row->built_in && (rows->more == 0 || row->alone) && !find_difference(rows, row) &&
           !is_in_whole(row, rows);
}

/* The rows of primary and mirror; and those of primary and reference that these do not have, unless a
 * status that differs has ended the comparison. Returns how many. */
static int note_rows(mirror_noted_row_t **out, const mirror_note_t *note, apr_pool_t *pool)
{
    const mirror_rows_t *rows = &note->judgement->rows;
    const mirror_rows_t *drift = note->drift ? &note->drift->rows : NULL;
    mirror_noted_row_t *noted = apr_pcalloc(pool, NOTED_MAX * sizeof(*noted));
    int i, n = 0;

    for (i = 0; i < rows->count; i++) {
        note_row(&noted[n], note, &rows->list[i], 0);
        if (rows->values) {
            noted[n].values[0] = rows->values->text[i][0];
            noted[n].values[1] = rows->values->text[i][1];
        }
        n++;
    }
    if (mirror_rows_find(rows, MIRROR_KIND_STATUS, "status")) {
        drift = NULL; /* the mirror may have them all */
    }
    for (i = 0; drift && i < drift->count; i++) {
        if (is_of_reference(note, &drift->list[i])) {
            note_row(&noted[n++], note, &drift->list[i], 1);
        }
    }
    *out = noted;
    return note_forgiven(noted, n, rows);
}

/* What is known of the rows without room. */
static void note_more(mirror_noted_t *noted, const mirror_note_t *note)
{
    const mirror_rows_t *rows = &note->judgement->rows;
    const mirror_rows_t *drift = note->drift ? &note->drift->rows : NULL;

    noted->more = rows->more;
    if (drift && (is_unlike(note) || has_whole_body(drift) || has_whole_body(rows))) {
        drift = NULL;
    }
    noted->more_side = !drift                                 ? MIRROR_SIDE_TWO_WAY
                       : rows->more_alone || drift->more == 0 ? MIRROR_SIDE_MIRROR_ALONE
                                                              : MIRROR_SIDE_ALL_DIFFER;
    noted->more_reference_too = drift && drift->more_alone;
    noted->more_varies_too = drift && drift->count > 0; /* in which of them, nobody knows */
}

/* "body/a value", "header/x missing": what the log's line says, as much as it has room for. */
static void fill_line(mirror_log_line_t *line, const mirror_rows_t *rows)
{
    apr_size_t n = 0;
    int i;

    line->fields = rows->count > 0 ? malloc(FIELDS_MAX) : NULL;
    if (!line->fields) {
        return;
    }

    for (i = 0; i < rows->count; i++) {
        const mirror_row_t *row = &rows->list[i];
        const char *kind = mirror_kind_name((mirror_kind_e)row->kind);
        apr_size_t size = strlen(row->field) + strlen(kind) + 2;

        if (!row->built_in && n + size <= FIELDS_MAX) {
            n += (apr_size_t)apr_snprintf(line->fields + n, FIELDS_MAX - n, "%s %s", row->field,
                                          kind) +
                 1;
        }
    }
    line->fields_len = n;
}

/* Count the pair, and set *verdict to what it was counted as. Returns 0 if it could not be noted. */
static int add(mirror_verdict_e *verdict, mirror_pair_t *pair, const mirror_note_t *note,
               apr_pool_t *pool)
{
    const mirror_judgement_t *judgement = note->judgement;
    apr_interval_time_t took[2];
    mirror_noted_t noted = { 0 };
    mirror_noted_row_t *rows;

    took[0] = pair->primary.took;
    took[1] = pair->mirror.took;
    noted.group = pair->group;
    noted.verdict = judgement->verdict;
    noted.status[0] = pair->primary.status;
    noted.status[1] = pair->mirror.status;
    noted.count = note_rows(&rows, note, pool);
    noted.rows = rows;
    note_more(&noted, note);
    if (judgement->verdict != MIRROR_VERDICT_UNEXAMINED) {
        noted.rules = note_rules(pair, &judgement->rows, pool);
        noted.rule_count = pair->rules.nelts;
    }
    noted.examples = (int)pair->settings->compare_examples;
    noted.values = judgement->rows.values != NULL;
    noted.time = pair->time;
    noted.method = pair->method;
    noted.path = pair->path;
    noted.request_id = pair->request_id;
    noted.took = took;
    *verdict = mirror_findings_add(mirror_pair_findings(pair->lane), &noted);
    return *verdict != MIRROR_VERDICT_COUNT;
}

void mirror_note_reference(const mirror_pair_t *pair, const mirror_note_t *note, apr_pool_t *pool)
{
    const mirror_rows_t *drift = &note->drift->rows;
    mirror_noted_row_t *rows = apr_pcalloc(pool, MIRROR_ROWS_MAX * sizeof(*rows));
    mirror_noted_t noted = { 0 };
    int i;

    if (apr_atomic_read32(&pair->lane->child->closed)) {
        return;
    }
    for (i = 0; i < drift->count; i++) {
        if (!drift->list[i].built_in) {
            note_row(&rows[noted.count++], note, &drift->list[i], 1);
        }
    }
    noted.group = pair->group;
    noted.rows = rows;
    noted.more_reference_too = drift->more > 0;
    noted.time = pair->time;
    mirror_findings_note(mirror_pair_findings(pair->lane), &noted);
}

int mirror_note(mirror_pair_t *pair, const mirror_note_t *note, apr_pool_t *pool)
{
    const mirror_judgement_t *judgement = note->judgement;
    mirror_lane_t *lane = pair->lane;
    mirror_verdict_e verdict;

    if (apr_atomic_read32(&lane->child->closed)) {
        return 1;
    }
    if (!add(&verdict, pair, note, pool)) {
        return 0;
    }
    apr_atomic_inc64(&lane->cell->decided);
    if (pair->line) {
        pair->line->verdict = verdict;
        if (mirror_rows_differences(&judgement->rows) > 0) {
            fill_line(pair->line, &judgement->rows);
        }
    }
    return 1;
}
