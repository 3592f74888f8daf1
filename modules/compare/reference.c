/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/reference.c - judge where a mirror stands between the primary and a reference. See
 * compare/reference.h.
 *
 *     mirror    reference    bodies, beside a primary that is short or too much to be compared
 *     other     as primary   the mirror stands alone
 *     as prim.  other        the reference stands alone
 *     other     other        the primary stands alone, or all differ
 *
 * Of two bodies that are too much nobody knows whether they are equal. That both are so unlike the third is
 * known, and has to be found for mirror and reference alike: old versions whose bodies are long or short at
 * random would else make the mirror look as if it stood alone more often than the reference.
 */
#include "compare/reference.h"

static int is_too_much(mirror_skip_e skip)
{
    return skip == MIRROR_SKIP_TOO_LARGE || skip == MIRROR_SKIP_DECODED_TOO_LARGE ||
           skip == MIRROR_SKIP_TOO_DEEP || skip == MIRROR_SKIP_TOO_MANY_NODES;
}

/* Whether one body is short, or empty, beside one that may be too much to be compared. */
static int have_lengths(const mirror_judgement_t *judgement)
{
    return mirror_rows_find(&judgement->rows, MIRROR_KIND_LENGTH, "body") ||
           mirror_rows_find(&judgement->rows, MIRROR_KIND_MISSING, "body") ||
           mirror_rows_find(&judgement->rows, MIRROR_KIND_EXTRA, "body");
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

/* Whether what `judgement` found of the primary and one of the others holds against the third as well, whose
 * body is as much as the primary's: too much. `agreement` is that of the other two. */
static int holds_against_all(const mirror_judgement_t *judgement,
                             const mirror_judgement_t *agreement)
{
    return judgement->verdict == MIRROR_VERDICT_DIFFERENT &&
           (!has_body_row(judgement) || (have_lengths(judgement) && have_lengths(agreement)));
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

    if ((skip != MIRROR_SKIP_NONE && !is_too_much(skip)) ||
        three->judgement.verdict == MIRROR_VERDICT_UNEXAMINED) {
        return skip;
    }
    options->values = NULL; /* of primary and mirror alone */
    options->side = MIRROR_TREE_SIDE_REFERENCE;
    mirror_judge(&three->drift, options, &pair->primary, &pair->reference);
    if (three->drift.skip != MIRROR_SKIP_NONE &&
        (skip != MIRROR_SKIP_NONE || !is_too_much(three->drift.skip))) {
        return three->drift.skip;
    }
    options->side = MIRROR_TREE_SIDE_NONE;
    if (skip != MIRROR_SKIP_NONE || three->drift.skip != MIRROR_SKIP_NONE ||
        may_share_rows(three)) {
        mirror_judge(&three->agreement, options, &pair->mirror, &pair->reference);
    }
    if (three->drift.skip != MIRROR_SKIP_NONE &&
        !holds_against_all(&three->judgement, &three->agreement)) {
        return three->drift.skip;
    }
    if (skip != MIRROR_SKIP_NONE && !holds_against_all(&three->drift, &three->agreement)) {
        return skip;
    }
    look_closer(note, three, options, pair);
    note->drift = &three->drift;
    note->agreement = &three->agreement;
    return skip;
}
