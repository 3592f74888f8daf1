/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/judge_texts.c - compare three texts, without what rules cut. See compare/judge.h.
 */
#include <stdlib.h>

#include "compare/judge_state.h"
#include "settings/compare_rule.h"

static int has_failed(const mirror_rows_t *rows, const mirror_compare_rule_t *rule)
{
    int i;

    for (i = 0; i < rows->rule_count; i++) {
        if (rows->rules[i].rule == rule && rows->rules[i].has_failed) {
            return 1;
        }
    }
    return 0;
}

/* Find the masks for the body; none if one has failed before, as that would take its time again. */
static void find_masks(mirror_rule_masks_t *masks, const mirror_rows_t *rows,
                       const apr_array_header_t *rules)
{
    const mirror_compare_rule_t *rule = NULL;

    masks->count = 0;
    while ((rule = mirror_compare_rule_body(rules, MIRROR_RULE_MASK, NULL, 0, rule))) {
        if (has_failed(rows, rule)) {
            masks->count = 0;
            return;
        }
        mirror_compare_rule_add_mask(masks, rule);
    }
}

/* Cut what the masks match. Returns 0, and cuts nothing, if there are none, or one fails: such a rule
 * forgives nothing. */
static int cut_all(mirror_judge_side_t *const sides[3], const mirror_rule_masks_t *masks)
{
    char *cut[3] = { NULL, NULL, NULL };
    apr_size_t lens[3];
    int i, n = 0;

    for (i = 0; i < 3 && i == n && masks->count > 0; i++) {
        lens[i] = sides[i]->len;
        cut[i] = mirror_compare_rule_cut(masks, sides[i]->data, &lens[i]);
        n += cut[i] != NULL;
    }
    for (i = 0; i < 3; i++) {
        if (n < 3) {
            free(cut[i]);
            continue;
        }
        free(sides[i]->decoded.data);
        sides[i]->decoded.data = cut[i];
        sides[i]->data = cut[i];
        sides[i]->len = lens[i];
    }
    return n == 3;
}

int mirror_judge_texts(mirror_pieces_t *pieces, mirror_judgement_t *judgement,
                       const mirror_judge_options_t *options, const mirror_half_t *primary,
                       const mirror_half_t *mirror, const mirror_half_t *reference)
{
    const mirror_half_t *const halves[3] = { primary, mirror, reference };
    const mirror_rows_t *rows = &judgement->rows;
    mirror_judge_work_t work = { 0 };
    mirror_judge_side_t third, *const sides[3] = { &work.a, &work.b, &third };
    mirror_rule_masks_t masks;
    const char *texts[3];
    apr_size_t lens[3];
    int i, is_cut, known = 1;

    work.out = judgement;
    work.options = options;
    for (i = 0; i < 3; i++) {
        mirror_judge_prepare(sides[i], halves[i], options->pool);
        mirror_judge_decode(sides[i]);
        known &= sides[i]->result <= MIRROR_DECODE_IDENTITY;
    }
    find_masks(&masks, rows, options->rules);
    is_cut = known && cut_all(sides, &masks);
    for (i = 0; i < 3; i++) {
        texts[i] = sides[i]->data;
        lens[i] = sides[i]->len;
    }
    known = known && mirror_pieces_compare(pieces, texts, lens);
    /* what is cut could say that a value is secret: then the excerpt is that of the first difference */
    if (known && pieces->mirror_alone && rows->values && !is_cut) {
        mirror_judge_keep_texts(&work, (int)(mirror_judge_text_row(judgement) - rows->list),
                                pieces->at);
    }
    for (i = 0; i < 3; i++) {
        free(sides[i]->decoded.data);
    }
    return known;
}
