/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/judge_texts.c - whether the mirror stands alone in a text in which all three differ. See
 * compare/judge.h.
 */
#include <stdlib.h>

#include "compare/judge_state.h"
#include "settings/compare_rule.h"

const mirror_row_t *mirror_judge_text_row(const mirror_judgement_t *judgement)
{
    return mirror_rows_find(&judgement->rows, MIRROR_KIND_TEXT, MIRROR_FIELD_BODY);
}

static void find_masks(mirror_rule_masks_t *masks, const apr_array_header_t *rules)
{
    const mirror_compare_rule_t *rule = NULL;

    masks->count = 0;
    while ((rule = mirror_compare_rule_body(rules, MIRROR_RULE_MASK, NULL, 0, rule))) {
        mirror_compare_rule_add_mask(masks, rule);
    }
}

/* Decode a text, and cut what the masks match. Returns 0 if one of it fails. */
static int decode_masked(mirror_side_t *side, const mirror_rule_masks_t *masks)
{
    char *text;

    mirror_judge_decode(side);
    if (side->result > MIRROR_DECODE_IDENTITY || masks->count == 0) {
        return side->result <= MIRROR_DECODE_IDENTITY;
    }
    text = mirror_compare_rule_cut(masks, side->data, &side->len);
    free(side->decoded.data);
    side->decoded.data = text;
    side->data = text;
    return text != NULL;
}

int mirror_judge_texts(mirror_pieces_t *pieces, mirror_judgement_t *judgement,
                       const mirror_judge_options_t *options, const mirror_half_t *primary,
                       const mirror_half_t *mirror, const mirror_half_t *reference)
{
    const mirror_half_t *const halves[3] = { primary, mirror, reference };
    const mirror_rows_t *rows = &judgement->rows;
    mirror_work_t work = { 0 };
    mirror_side_t third, *const sides[3] = { &work.a, &work.b, &third };
    mirror_rule_masks_t masks;
    const char *texts[3];
    apr_size_t lens[3];
    int i, known = 1;

    work.out = judgement;
    work.options = options;
    find_masks(&masks, options->rules);
    for (i = 0; i < 3; i++) {
        mirror_judge_prepare(sides[i], halves[i], options->pool);
        known = known && decode_masked(sides[i], &masks);
        texts[i] = sides[i]->data;
        lens[i] = sides[i]->len;
    }
    known = known && mirror_pieces_compare(pieces, texts, lens);
    /* what is cut could say that a value is secret: then the excerpt is that of the first difference */
    if (known && pieces->mirror_alone && rows->values && masks.count == 0) {
        mirror_judge_keep_texts(&work, (int)(mirror_judge_text_row(judgement) - rows->list),
                                pieces->at);
    }
    for (i = 0; i < 3; i++) {
        free(sides[i]->decoded.data);
    }
    return known;
}
