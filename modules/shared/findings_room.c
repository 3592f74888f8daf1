/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * shared/findings_room.c - a finding for a new set of rows when all are in use. See
 * shared/findings_state.h.
 *
 * Fields that differ independently multiply the sets: ten of them make a thousand. So each field that
 * differs is to be in a finding, not each set. A set whose rows are the same as another's but for noise
 * is counted there. For a row that no finding has, the rarest finding makes room that is not needed: one
 * of noise alone, or one whose rows are all in others.
 */
#include "shared/findings_state.h"

#define GET  MIRROR_WORD_GET
#define SET  MIRROR_WORD_SET
#define ADD  MIRROR_WORD_ADD
#define BITS MIRROR_FINDINGS_BITS
#define OWN  (MIRROR_FINDINGS_FINDINGS - 1)

/* Rows as bits: noise; in one finding or more; in two or more. The latter without noise. */
typedef struct known_t {
    apr_uint64_t noise[BITS], once[BITS], twice[BITS];
} known_t;

/* The rows of a finding that are no noise. */
static apr_uint64_t apart(mirror_findings_finding_t *finding, const known_t *known, int word)
{
    return GET(finding->rows[word]) & ~known->noise[word];
}

static void find_noise(known_t *known, mirror_findings_tables_t *tables)
{
    int row;

    for (row = 0; row < MIRROR_FINDINGS_ROWS; row++) {
        if (GET(tables->rows[row].hash) != 0 && mirror_findings_rows_is_noise(tables, row)) {
            known->noise[row / 64] |= (apr_uint64_t)1 << row % 64;
        }
    }
}

static void find_known(known_t *known, mirror_findings_tables_t *tables)
{
    int i, word;

    find_noise(known, tables);
    for (i = 0; i < OWN; i++) {
        for (word = 0; word < BITS; word++) {
            apr_uint64_t rows = apart(&tables->findings[i], known, word);

            known->twice[word] |= known->once[word] & rows;
            known->once[word] |= rows;
        }
    }
}

/* Whether the set has a row that no finding has. */
static int is_new(const known_t *known, const mirror_findings_set_t *set)
{
    apr_uint64_t rows = 0;
    int word;

    for (word = 0; word < BITS; word++) {
        rows |= set->rows[word] & ~known->noise[word] & ~known->once[word];
    }
    return rows != 0;
}

static int is_same(mirror_findings_finding_t *finding, const known_t *known,
                   const mirror_findings_set_t *set)
{
    int word = 0;

    while (word < BITS && apart(finding, known, word) == (set->rows[word] & ~known->noise[word])) {
        word++;
    }
    return word == BITS && !set->more && GET(finding->more) == 0;
}

static int is_noise(mirror_findings_finding_t *finding, const known_t *known)
{
    apr_uint64_t rows = 0;
    int word;

    for (word = 0; word < BITS; word++) {
        rows |= apart(finding, known, word);
    }
    return rows == 0 && GET(finding->more) == 0;
}

/* Whether all rows of a finding are in others, too, or noise. */
static int is_needless(mirror_findings_finding_t *finding, const known_t *known)
{
    apr_uint64_t rows = 0;
    int word;

    for (word = 0; word < BITS; word++) {
        rows |= apart(finding, known, word) & ~known->twice[word];
    }
    return rows == 0;
}

/* Free a finding, and count its responses as those of all other sets; noise is no difference. */
static void make_free(mirror_findings_tables_t *tables, mirror_findings_finding_t *finding,
                      int noise)
{
    mirror_findings_finding_t *others = &tables->findings[OWN];
    apr_uint64_t first = GET(finding->first);

    SET(finding->hash, 0);
    if (noise) {
        return;
    }
    if (GET(others->hash) == 0) {
        mirror_findings_rows_begin_others(tables, (apr_time_t)first);
    }
    if (first < GET(others->first)) {
        SET(others->first, first);
    }
    if (GET(finding->last) > GET(others->last)) {
        SET(others->last, GET(finding->last));
    }
    ADD(others->count, mirror_cell_bounded(GET(finding->count)));
    ADD(others->different, mirror_cell_bounded(GET(finding->different)));
}

mirror_findings_finding_t *mirror_findings_room_find(mirror_findings_tables_t *tables,
                                                     const mirror_findings_set_t *set)
{
    mirror_findings_finding_t *rarest[2] = { NULL, NULL }; /* needless ones; and those of noise */
    known_t known = { { 0 }, { 0 }, { 0 } };
    int i, noise;

    find_known(&known, tables);
    for (i = 0; i < OWN; i++) {
        mirror_findings_finding_t *finding = &tables->findings[i];

        if (is_same(finding, &known, set)) {
            return finding;
        }
        noise = is_noise(finding, &known);
        if ((noise || is_needless(finding, &known)) &&
            (!rarest[noise] || GET(finding->count) < GET(rarest[noise]->count))) {
            rarest[noise] = finding;
        }
    }
    noise = rarest[1] != NULL;
    if (!noise && (!rarest[0] || !is_new(&known, set))) {
        return NULL;
    }
    make_free(tables, rarest[noise], noise);
    return rarest[noise];
}
