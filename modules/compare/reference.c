/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/reference.c - judge where a mirror stands between the primary and a reference. See
 * compare/reference.h.
 *
 *     mirror    reference    bodies, beside a primary that is short or too much to be compared; or that
 *                            can be decoded or not
 *     other     as primary   the mirror stands alone
 *     as prim.  other        the reference stands alone
 *     other     other        the primary stands alone, or all differ
 *
 * Of two bodies that are too much nobody knows whether they are equal. That both are so unlike the third is
 * known, and has to be found for mirror and reference alike: old versions whose bodies are long or short at
 * random would else make the mirror look as if it stood alone more often than the reference. Another status or
 * header is known whatever the bodies are, for whatever reason they are not compared.
 */
#include "compare/reference.h"

/* Whether one body is short, or empty, or can be decoded, beside one that may not be comparable. */
static int are_unlike(const mirror_judgement_t *judgement)
{
    return mirror_rows_find(&judgement->rows, MIRROR_KIND_LENGTH, "body") ||
           mirror_rows_find(&judgement->rows, MIRROR_KIND_MISSING, "body") ||
           mirror_rows_find(&judgement->rows, MIRROR_KIND_EXTRA, "body") ||
           mirror_rows_find(&judgement->rows, MIRROR_KIND_ENCODING, "body");
}

static int has_body_row(const mirror_judgement_t *judgement)
{
    int i;

    for (i = 0; i < judgement->rows.count; i++) {
        if (judgement->rows.list[i].part == MIRROR_PART_BODY) {
            return 1;
        }
    }
    return 0;
}

/* Whether what `judgement` found of the primary and one of the others holds against the third as well, which
 * cannot be compared with the primary: `why`, of their bodies alone or as one of them is 304. `agreement` is
 * that of the other two. */
static int holds_against_all(const mirror_judgement_t *judgement,
                             const mirror_judgement_t *agreement, mirror_skip_e why)
{
    if (judgement->skip != MIRROR_SKIP_NONE || judgement->verdict != MIRROR_VERDICT_DIFFERENT) {
        return 0;
    }
    if (why == MIRROR_SKIP_CONDITIONAL) {
        return mirror_rows_find(&judgement->rows, MIRROR_KIND_STATUS, "status") != NULL;
    }
    return !has_body_row(judgement) || (are_unlike(judgement) && are_unlike(agreement));
}

/* Whether mirror and reference may both differ from the primary in the same. */
static int may_share_rows(const mirror_reference_t *three)
{
    return three->judgement.rows.count > 0 && three->drift.rows.count > 0;
}

/* Find who stands alone in values of JSON and in pieces of texts. */
static void look_closer(mirror_note_t *note, mirror_reference_t *three,
                        const mirror_judge_options_t *options, const mirror_pair_t *pair)
{
    if (may_share_rows(three)) {
        note->has_values =
            options->json &&
            mirror_tree_stand_alone(options->json, &three->judgement.rows, &three->drift.rows);
    }
    if (mirror_judge_text_row(&three->judgement) && mirror_judge_text_row(&three->drift)) {
        note->has_texts = mirror_judge_texts(&note->texts, &three->judgement, options,
                                             &pair->primary, &pair->mirror, &pair->reference);
    }
}

mirror_skip_e mirror_reference_judge(mirror_note_t *note, mirror_reference_t *three,
                                     mirror_judge_options_t *options, const mirror_pair_t *pair)
{
    mirror_skip_e skip = three->judgement.skip;

    options->values = NULL; /* of primary and mirror alone */
    options->side = MIRROR_TREE_SIDE_REFERENCE;
    mirror_judge(&three->drift, options, &pair->primary, &pair->reference);
    options->side = MIRROR_TREE_SIDE_NONE;
    if (three->judgement.verdict == MIRROR_VERDICT_UNEXAMINED &&
        !mirror_rows_find(&three->drift.rows, MIRROR_KIND_STATUS, "status")) {
        return skip;
    }
    if (skip != MIRROR_SKIP_NONE || three->drift.skip != MIRROR_SKIP_NONE ||
        may_share_rows(three)) {
        mirror_judge(&three->agreement, options, &pair->mirror, &pair->reference);
    }
    if (three->drift.skip != MIRROR_SKIP_NONE &&
        !holds_against_all(&three->judgement, &three->agreement, three->drift.skip)) {
        return three->drift.skip;
    }
    /* with an unexamined mirror, `drift` is a status that differs */
    if (skip != MIRROR_SKIP_NONE && !holds_against_all(&three->drift, &three->agreement, skip)) {
        return skip;
    }
    look_closer(note, three, options, pair);
    note->drift = &three->drift;
    note->agreement = &three->agreement;
    return skip;
}
