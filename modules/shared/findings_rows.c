/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * shared/findings_rows.c - the tables of an area: groups, rows, pairs, findings. See
 * shared/findings_state.h.
 *
 * All here is called by who has the lock, which does not keep others from writing: no loop depends
 * on what is read, and an index is one that was counted here, or bounded.
 */
#include <string.h>

#include "base/hash.h"
#include "shared/findings_state.h"

#define GET        MIRROR_WORD_GET
#define SET        MIRROR_WORD_SET
#define ADD        MIRROR_WORD_ADD
#define OWN_GROUPS MIRROR_FINDINGS_MORE_GROUP
#define OWN_ROWS   (MIRROR_FINDINGS_ROWS - MIRROR_FINDINGS_GROUPS)
/* No new row of what a rule or the built-in list forgives when so many are in use. */
#define FORGIVEN_ROWS (OWN_ROWS / 2)
#define OTHER_PAIRS   (MIRROR_FINDINGS_PAIRS - 1)
#define OTHER_SETS    (MIRROR_FINDINGS_FINDINGS - 1)
#define WORD          sizeof(apr_uint64_t)
#define STATUS(n)     ((n) > 0 && (n) <= 999 ? (apr_uint64_t)(n) : 0)

/* ---- words ---- */

/* FNV-1a, never 0. */
static apr_uint64_t hash_of(apr_uint64_t hash, const apr_uint64_t *words, int n)
{
    hash = mirror_hash_bytes(hash ^ MIRROR_HASH_START, words, (apr_size_t)n * WORD);
    return hash != 0 ? hash : 1;
}

static int are_equal(apr_uint64_t *words, const apr_uint64_t *others, int n)
{
    int i = 0;

    while (i < n && GET(words[i]) == others[i]) {
        i++;
    }
    return i == n;
}

static void put(apr_uint64_t *words, const apr_uint64_t *others, int n)
{
    int i;

    for (i = 0; i < n; i++) {
        SET(words[i], others[i]);
    }
}

/* ---- groups ---- */

static int enter_group(mirror_findings_tables_t *tables, const char *name)
{
    apr_uint64_t text[MIRROR_FINDINGS_TEXT_WORDS], hash;
    int i;

    mirror_findings_text_fill(text, MIRROR_FINDINGS_TEXT, name);
    hash = hash_of(0, text, MIRROR_FINDINGS_TEXT_WORDS);
    for (i = 0; i < OWN_GROUPS && strcmp((char *)text, MIRROR_FINDINGS_MORE) != 0; i++) {
        int number = (int)((hash + (unsigned)i) % OWN_GROUPS);
        mirror_findings_group_t *group = &tables->groups[number];
        apr_uint64_t other = GET(group->hash);

        if (other == 0) {
            mirror_findings_empty(group, sizeof(*group));
            put(group->text, text, MIRROR_FINDINGS_TEXT_WORDS);
            SET(group->hash, hash);
            return number;
        }
        if (other == hash && are_equal(group->text, text, MIRROR_FINDINGS_TEXT_WORDS)) {
            return number;
        }
    }
    return MIRROR_FINDINGS_MORE_GROUP;
}

/* Whether the comparison ended with the status: headers and body were not looked into. */
static int is_of_status(const mirror_noted_t *noted)
{
    int i;

    for (i = 0; i < noted->count; i++) {
        const mirror_noted_row_t *row = &noted->rows[i];

        if (row->part == MIRROR_PART_STATUS && row->side != MIRROR_SIDE_REFERENCE_ALONE &&
            !row->by_rule && !row->built_in) {
            return 1;
        }
    }
    return 0;
}

static void count_group(mirror_findings_group_t *group, const mirror_noted_t *noted,
                        mirror_verdict_e verdict)
{
    ADD(group->compared, 1);
    if (verdict == MIRROR_VERDICT_DIFFERENT) {
        ADD(group->different, 1);
    }
    if (verdict == MIRROR_VERDICT_UNEXAMINED || is_of_status(noted)) {
        ADD(group->unexamined, 1);
    }
}

/* ---- rows ---- */

static void begin_row(mirror_findings_tables_t *tables, mirror_findings_row_t *row,
                      apr_uint64_t what, const apr_uint64_t *text, apr_uint64_t hash)
{
    mirror_findings_empty(row, sizeof(*row));
    SET(row->what, what);
    put(row->text, text, MIRROR_FINDINGS_TEXT_WORDS);
    ADD(tables->rows_used, 1);
    SET(row->hash, hash);
}

/* The entry of a row; a new one if `most` are not yet in use. -1: there is none. */
static int find_row(mirror_findings_tables_t *tables, apr_uint64_t what, const char *field,
                    apr_uint64_t most)
{
    apr_uint64_t text[MIRROR_FINDINGS_TEXT_WORDS], hash;
    int i;

    mirror_findings_text_fill(text, MIRROR_FINDINGS_TEXT, field);
    hash = hash_of(what, text, MIRROR_FINDINGS_TEXT_WORDS);
    for (i = 0; i < MIRROR_FINDINGS_ROWS; i++) {
        int number = (int)((hash + (unsigned)i) % MIRROR_FINDINGS_ROWS);
        mirror_findings_row_t *row = &tables->rows[number];
        apr_uint64_t other = GET(row->hash);

        if (other == 0) {
            if (GET(tables->rows_used) >= most) {
                return -1;
            }
            begin_row(tables, row, what, text, hash);
            return number;
        }
        if (other == hash && GET(row->what) == what &&
            are_equal(row->text, text, MIRROR_FINDINGS_TEXT_WORDS)) {
            return number;
        }
    }
    return -1;
}

static apr_uint64_t what_of(int group, unsigned part, unsigned kind)
{
    return (apr_uint64_t)group << 16 | part << 8 | kind;
}

/* The entry of all further rows of a group. */
static int enter_more(mirror_findings_tables_t *tables, int group)
{
    return find_row(tables, what_of(group, MIRROR_PART_BODY, MIRROR_KIND_VALUE),
                    MIRROR_FINDINGS_MORE, MIRROR_FINDINGS_ROWS);
}

/* The entry of a row, or that of all further rows of its group (*own is 0). -1: there is none. */
static int enter_row(int *own, mirror_findings_tables_t *tables, int group,
                     const mirror_noted_row_t *noted)
{
    int row = -1;

    *own = 0;
    if ((unsigned)noted->part < MIRROR_PART_COUNT && (unsigned)noted->kind < MIRROR_KIND_COUNT) {
        row = find_row(tables, what_of(group, noted->part, noted->kind), noted->field, OWN_ROWS);
        *own = row >= 0;
    }
    return row >= 0 ? row : enter_more(tables, group);
}

/* The entry of a row that a rule or the built-in list forgives. Such rows never take the room of those that differ.
 * -1: there is none. */
static int enter_forgiven(int *own, mirror_findings_tables_t *tables, int group,
                          const mirror_noted_row_t *noted)
{
    int row = -1;

    if ((unsigned)noted->part < MIRROR_PART_COUNT && (unsigned)noted->kind < MIRROR_KIND_COUNT) {
        row =
            find_row(tables, what_of(group, noted->part, noted->kind), noted->field, FORGIVEN_ROWS);
    }
    *own = row >= 0;
    return row;
}

/* Whether a row is a difference of the mirror. */
static int is_difference(const mirror_noted_row_t *row)
{
    return !row->built_in && !row->by_rule && !row->only_noise &&
           row->side != MIRROR_SIDE_REFERENCE_ALONE;
}

/* Set the bit of an entry. Returns 0 if it is set already. */
static int note_bit(apr_uint64_t bits[MIRROR_FINDINGS_BITS], int entry)
{
    apr_uint64_t bit = (apr_uint64_t)1 << entry % 64;
    int is_new = !(bits[entry / 64] & bit);

    bits[entry / 64] |= bit;
    return is_new;
}

static void count_side(mirror_findings_set_t *set, mirror_findings_row_t *row, int entry,
                       mirror_side_e side)
{
    if (note_bit(set->sides[side], entry)) {
        ADD(row->sides[side], 1);
    }
}

/* Count where the mirror stands. Of several rows of the response with one entry each is counted: else the
 * first, in which all three differ, would hide one in which the mirror stands alone. */
static void count_sides(mirror_findings_set_t *set, mirror_findings_row_t *row, int entry,
                        const mirror_noted_row_t *noted)
{
    count_side(set, row, entry,
               (unsigned)noted->side < MIRROR_SIDE_COUNT ? noted->side : MIRROR_SIDE_TWO_WAY);
    if (noted->reference_too) {
        count_side(set, row, entry, MIRROR_SIDE_REFERENCE_ALONE);
    }
    if (noted->varies_too) {
        count_side(set, row, entry, MIRROR_SIDE_ALL_DIFFER);
    }
}

static void count_row(mirror_findings_row_t *row, const mirror_noted_row_t *noted, int own,
                      apr_time_t now)
{
    SET(row->last, now);
    if (noted->built_in || noted->by_rule) { /* the same field can differ by more than that */
        apr_uint64_t *count = noted->built_in ? &row->built_in : &row->by_rule;

        ADD(*count, 1);
        return;
    }
    ADD(row->count, 1);
    if (noted->volatile_shape && own) { /* further rows are never guessed to be noise */
        ADD(row->volatile_shapes, 1);
        mirror_findings_note_changes(row, noted->marks);
    }
    if (noted->matters) {
        SET(row->matters, 1);
    }
}

/* Count the entry of a row, once for each response, and note it if it is a difference. */
static void enter(mirror_findings_set_t *set, mirror_findings_tables_t *tables, int entry, int own,
                  const mirror_noted_row_t *noted, apr_time_t now)
{
    mirror_findings_row_t *row = &tables->rows[entry < 0 ? 0 : entry];

    set->noise |= noted->only_noise;
    if (entry < 0) {
        set->more |= is_difference(noted);
        return;
    }
    if (GET(row->count) == 0 && (is_difference(noted) || GET(row->last) == 0)) {
        SET(row->first, now);
        SET(row->last, now);
    }
    count_sides(set, row, entry, noted);
    /* if the reference stands alone, the mirror has no difference */
    if (noted->side != MIRROR_SIDE_REFERENCE_ALONE && note_bit(set->counted, entry)) {
        count_row(row, noted, own, now);
    }
    if (is_difference(noted)) {
        note_bit(set->rows, entry);
    }
}

/* Rows beyond those of the response are one, of all further rows of the group. */
static void enter_rest(mirror_findings_set_t *set, mirror_findings_tables_t *tables,
                       const mirror_noted_t *noted)
{
    mirror_noted_row_t rest = { 0 };

    if (noted->more > 0 || noted->more_reference_too || noted->count > MIRROR_FINDINGS_NOTED) {
        rest.part = MIRROR_PART_BODY;
        rest.kind = MIRROR_KIND_VALUE;
        rest.side = noted->more > 0 ? noted->more_side : MIRROR_SIDE_REFERENCE_ALONE;
        rest.reference_too = noted->more_reference_too;
        rest.varies_too = noted->more_varies_too;
        set->truncated = 1;
        enter(set, tables, enter_more(tables, set->group), 0, &rest, noted->time);
    }
}

void mirror_findings_rows_enter(mirror_findings_set_t *set, int index[MIRROR_FINDINGS_NOTED],
                                mirror_findings_tables_t *tables, const mirror_noted_t *noted)
{
    int i, own;

    memset(set, 0, sizeof(*set));
    set->group = enter_group(tables, noted->group);
    for (i = 0; i < noted->count && i < MIRROR_FINDINGS_NOTED; i++) {
        const mirror_noted_row_t *row = &noted->rows[i];
        int is_forgiven = row->by_rule || row->built_in;

        index[i] = is_forgiven ? enter_forgiven(&own, tables, set->group, row)
                               : enter_row(&own, tables, set->group, row);
        set->truncated |= !own && !is_forgiven;
        enter(set, tables, index[i], own, row, noted->time);
    }
    enter_rest(set, tables, noted);
}

/* ---- noise ---- */

int mirror_findings_rows_is_noise(mirror_findings_tables_t *tables, int row)
{
    mirror_findings_group_t *group;
    mirror_findings_row_t copy;
    apr_uint64_t compared, unexamined;

    mirror_findings_copy(&copy, &tables->rows[row], sizeof(copy));
    group = &tables->groups[(copy.what >> 16) % MIRROR_FINDINGS_GROUPS];
    compared = mirror_cell_bounded(GET(group->compared)) + 1;
    unexamined = mirror_cell_bounded(GET(group->unexamined));
    return mirror_findings_noise(&copy, compared > unexamined ? compared - unexamined : 0) != NULL;
}

/* ---- pairs of statuses ---- */

static void count_pair(mirror_findings_tables_t *tables, const int status[2])
{
    apr_uint64_t statuses = STATUS(status[0]) << 16 | STATUS(status[1]);
    int i;

    for (i = statuses == 0 ? OTHER_PAIRS : 0; i < OTHER_PAIRS; i++) {
        apr_uint64_t other = GET(tables->pairs[i].statuses);

        if (other == 0) {
            SET(tables->pairs[i].count, 0);
            SET(tables->pairs[i].statuses, statuses);
            other = statuses;
        }
        if (other == statuses) {
            break;
        }
    }
    ADD(tables->pairs[i].count, 1);
}

/* ---- findings ---- */

/* The finding of this set, or else the first that is free; NULL: there is none. */
static mirror_findings_finding_t *find_finding(mirror_findings_tables_t *tables,
                                               const mirror_findings_set_t *set, apr_uint64_t hash)
{
    mirror_findings_finding_t *finding = tables->findings, *free = NULL;
    int i;

    for (i = 0; i < OTHER_SETS; i++, finding++) {
        apr_uint64_t other = GET(finding->hash);

        if (other == 0) {
            free = free ? free : finding;
        }
        else if (other == hash && GET(finding->group) == (apr_uint64_t)set->group &&
                 GET(finding->more) == (apr_uint64_t)set->more &&
                 are_equal(finding->rows, set->rows, MIRROR_FINDINGS_BITS)) {
            return finding;
        }
    }
    return free;
}

void mirror_findings_rows_begin_others(mirror_findings_tables_t *tables, apr_time_t now)
{
    mirror_findings_finding_t *finding = &tables->findings[OTHER_SETS];

    mirror_findings_empty(finding, sizeof(*finding));
    SET(finding->group, MIRROR_FINDINGS_MORE_GROUP);
    SET(finding->more, 1);
    SET(finding->first, now);
    SET(finding->hash, 1);
}

/* The finding of this set; a new one if there is room; or that of all other sets. NULL: noise that is in
 * none. */
static mirror_findings_finding_t *enter_finding(mirror_findings_tables_t *tables,
                                                const mirror_findings_set_t *set, apr_time_t now,
                                                mirror_verdict_e verdict)
{
    apr_uint64_t hash = hash_of((apr_uint64_t)set->group << 1 | (unsigned)set->more, set->rows,
                                MIRROR_FINDINGS_BITS);
    mirror_findings_finding_t *finding = find_finding(tables, set, hash);

    if (!finding && verdict == MIRROR_VERDICT_NOISE) {
        return NULL;
    }
    finding = finding ? finding : mirror_findings_room_find(tables, set);
    if (!finding) {
        finding = &tables->findings[OTHER_SETS];
        if (GET(finding->hash) == 0) {
            mirror_findings_rows_begin_others(tables, now);
        }
    }
    else if (GET(finding->hash) == 0) {
        mirror_findings_empty(finding, sizeof(*finding));
        SET(finding->group, set->group);
        SET(finding->more, set->more);
        SET(finding->first, now);
        put(finding->rows, set->rows, MIRROR_FINDINGS_BITS);
        SET(finding->hash, hash);
    }
    return finding;
}

static void put_text(apr_uint64_t *words, apr_size_t max, const char *text)
{
    apr_uint64_t filled[MIRROR_FINDINGS_TEXT_WORDS];

    mirror_findings_text_fill(filled, max, text);
    put(words, filled, (int)MIRROR_FINDINGS_WORDS(max));
}

/* The first example stays; the others are the newest ones. `before`: responses counted before. Returns
 * the number of the example; -1: it is none. */
static int put_example(mirror_findings_finding_t *finding, const mirror_noted_t *noted,
                       apr_uint64_t before)
{
    int most =
        noted->examples < MIRROR_FINDINGS_EXAMPLES ? noted->examples : MIRROR_FINDINGS_EXAMPLES;
    mirror_findings_example_t *example = finding->examples;

    if (most < 1 || (most == 1 && GET(example->time) != 0)) {
        return -1;
    }
    if (GET(example->time) != 0) {
        example += 1 + (before - 1) % (apr_uint64_t)(most - 1);
    }
    SET(example->time, 0);
    SET(example->status, STATUS(noted->status[0]) << 16 | STATUS(noted->status[1]));
    put_text(example->method, MIRROR_FINDINGS_METHOD, noted->method);
    put_text(example->path, MIRROR_FINDINGS_TEXT, noted->path);
    put_text(example->request_id, MIRROR_FINDINGS_ID, noted->request_id);
    SET(example->time, noted->time > 0 ? noted->time : 1);
    return (int)(example - finding->examples);
}

static void count_finding(mirror_findings_tables_t *tables, mirror_findings_set_t *set,
                          const mirror_noted_t *noted, mirror_verdict_e verdict)
{
    mirror_findings_finding_t *finding = enter_finding(tables, set, noted->time, verdict);

    if (!finding) {
        return;
    }
    set->finding = (int)(finding - tables->findings);
    set->example = put_example(finding, noted, GET(finding->count));
    SET(finding->last, noted->time);
    ADD(finding->count, 1);
    if (verdict == MIRROR_VERDICT_DIFFERENT) {
        ADD(finding->different, 1);
    }
}

void mirror_findings_rows_count(mirror_findings_tables_t *tables, mirror_findings_set_t *set,
                                const mirror_noted_t *noted, mirror_verdict_e verdict)
{
    apr_uint64_t rows = 0;
    int i;

    set->finding = set->example = -1;
    count_group(&tables->groups[set->group], noted, verdict);
    if (noted->status[0] != noted->status[1]) {
        count_pair(tables, noted->status);
    }
    for (i = 0; i < MIRROR_FINDINGS_BITS; i++) {
        rows |= set->rows[i];
    }
    if ((rows != 0 || set->more) &&
        (verdict == MIRROR_VERDICT_DIFFERENT || verdict == MIRROR_VERDICT_NOISE)) {
        count_finding(tables, set, noted, verdict);
    }
}
