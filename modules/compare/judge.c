/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/judge.c - compare two responses. See compare/judge.h.
 *
 *     status    differs: that is all
 *     bodies    equal bytes in the same coding; or decoded, if a coding is there
 *     headers   without Content-Encoding, if the bodies were decoded
 *     bodies    by the media type of the primary: JSON by value, text, bytes
 */
#include <stdlib.h>
#include <string.h>

#include <apr_cstr.h>

#include "compare/decode.h"
#include "compare/excerpt.h"
#include "compare/glance.h"
#include "compare/headers.h"
#include "compare/judge.h"
#include "settings/compare_rule.h"

#define HAS(options, part) ((options)->parts & (1U << (part)))
#define FIELD_STATUS       "status"
#define FIELD_BODY         "body"

/* One body, decoded if that was possible. */
typedef struct side_t {
    const char *coding; /* Content-Encoding; NULL: none */
    const char *type;   /* Content-Type; NULL: none */
    const char *data;
    apr_size_t len;
    mirror_decoded_t decoded;
    mirror_decode_e result;
} side_t;

typedef struct work_t {
    mirror_judgement_t *out;
    const mirror_judge_options_t *options;
    side_t a, b;
    int same_bytes; /* the bodies, as they were sent */
    int decoded;    /* both were decoded, or have no coding */
} work_t;

static int is_json(const char *type)
{
    apr_size_t len = type ? strcspn(type, "; \t") : 0;

    return (len == 16 && !apr_cstr_casecmpn(type, "application/json", 16)) ||
           (len > 5 && !apr_cstr_casecmpn(type + len - 5, "+json", 5));
}

static int is_text(const char *type)
{
    static const char *const texts[] = { "text/", "application/xml", "application/javascript",
                                         "application/x-www-form-urlencoded", NULL };
    apr_size_t len = type ? strcspn(type, "; \t") : 0;
    int i;

    for (i = 0; type && texts[i]; i++) {
        if (!apr_cstr_casecmpn(type, texts[i], strlen(texts[i]))) {
            return 1;
        }
    }
    return len > 4 && !apr_cstr_casecmpn(type + len - 4, "+xml", 4);
}

/* Whether both have the same media type, whatever its parameters are. */
static int have_same_type(const char *a, const char *b)
{
    apr_size_t a_len = a ? strcspn(a, "; \t") : 0, b_len = b ? strcspn(b, "; \t") : 0;

    return a_len == b_len && !apr_cstr_casecmpn(a ? a : "", b ? b : "", a_len);
}

/* ---- status ---- */

/* Returns 1 if it differs and no rule forgives that. */
static int compare_status(work_t *work, int a, int b)
{
    mirror_rows_t *rows = &work->out->rows;
    const mirror_compare_rule_t *rule;

    if (a == b || !HAS(work->options, MIRROR_PART_STATUS)) {
        return 0;
    }
    rule = mirror_compare_rule_status(work->options->rules,
                                      MIRROR_RULE_IGNORE | MIRROR_RULE_PRESENCE, NULL);
    if (rule) {
        mirror_rows_forgive(rows, MIRROR_PART_STATUS, MIRROR_KIND_STATUS, FIELD_STATUS, rule);
        return 0;
    }
    mirror_rows_add(rows, MIRROR_PART_STATUS, MIRROR_KIND_STATUS, FIELD_STATUS, 0, 0);
    return 1;
}

/* ---- bodies ---- */

static void prepare(side_t *side, const mirror_half_t *half, apr_pool_t *pool)
{
    memset(side, 0, sizeof(*side));
    side->coding = mirror_headers_find(half->head.data, half->head.len, "Content-Encoding", pool);
    side->type = mirror_headers_find(half->head.data, half->head.len, "Content-Type", pool);
    side->data = half->body.data ? half->body.data : "";
    side->len = half->body.len;
    side->result = MIRROR_DECODE_IDENTITY;
}

static void decode(side_t *side)
{
    side->result = mirror_decode(&side->decoded, side->coding, side->data, side->len);
    if (side->result == MIRROR_DECODE_DONE) {
        side->data = side->decoded.data ? side->decoded.data : "";
        side->len = side->decoded.len;
    }
}

/* Whether two values of Content-Encoding, which may be NULL, are the same. */
static int is_one_coding(const char *a, const char *b)
{
    return !apr_cstr_casecmp(a ? a : "", b ? b : "");
}

static int have_same_coding(const side_t *a, const side_t *b)
{
    return is_one_coding(a->coding, b->coding);
}

static int are_equal(const side_t *a, const side_t *b)
{
    return a->len == b->len && !memcmp(a->data, b->data, a->len);
}

/* Decode what has a coding, unless both are the same as they are. */
static void decode_both(work_t *work)
{
    work->same_bytes = are_equal(&work->a, &work->b);
    if (work->same_bytes && have_same_coding(&work->a, &work->b)) {
        return;
    }
    if (!work->a.coding && !work->b.coding) {
        return;
    }
    decode(&work->a);
    decode(&work->b);
    work->decoded =
        work->a.result <= MIRROR_DECODE_IDENTITY && work->b.result <= MIRROR_DECODE_IDENTITY;
}

static int add_body_row(work_t *work, mirror_kind_e kind)
{
    return mirror_rows_add(&work->out->rows, MIRROR_PART_BODY, kind, FIELD_BODY, 0, 0);
}

/* The kind of a difference of bodies that are compared as a whole. */
static mirror_kind_e kind_of(const work_t *work)
{
    return is_text(work->a.type) || is_json(work->a.type) ? MIRROR_KIND_TEXT : MIRROR_KIND_BYTES;
}

static int forgive(work_t *work, const mirror_compare_rule_t *rule)
{
    mirror_rows_forgive(&work->out->rows, MIRROR_PART_BODY, kind_of(work), FIELD_BODY, rule);
    return 1;
}

static void fail(work_t *work, const mirror_compare_rule_t *rule)
{
    mirror_rows_fail(&work->out->rows, rule);
}

/* Whether the bodies are equal without what the masks cut. */
static int are_equal_masked(work_t *work, const mirror_rule_masks_t *masks)
{
    const mirror_compare_rule_t *failed = NULL;
    int i;

    if (!mirror_compare_rule_masked(&failed, masks, work->a.data, work->a.len, work->b.data,
                                    work->b.len)) {
        if (failed) {
            fail(work, failed);
        }
        return 0;
    }
    for (i = 1; i < masks->count; i++) {
        mirror_rows_hit(&work->out->rows, masks->list[i]);
    }
    return forgive(work, masks->list[0]);
}

/* Whether the rules for whole bodies make them equal: one of them, or all masks together. */
static int is_forgiven(work_t *work, unsigned actions)
{
    const mirror_compare_rule_t *rule = NULL;
    mirror_rule_masks_t masks = { { NULL }, 0 };

    while ((rule = mirror_compare_rule_body(work->options->rules, actions, NULL, 0, rule))) {
        int failed = 0;

        if (mirror_compare_rule_add_mask(&masks, rule)) {
            continue;
        }
        if (mirror_compare_rule_equal(&failed, rule, work->a.data, work->a.len, work->b.data,
                                      work->b.len)) {
            return forgive(work, rule);
        }
        if (failed) {
            fail(work, rule);
        }
    }
    return masks.count > 0 && are_equal_masked(work, &masks);
}

/* The rule that hides a text; NULL: there is none. Of what should be JSON and is none, nobody knows
 * which member it shows. */
static const mirror_compare_rule_t *secret_rule(const work_t *work)
{
    const apr_array_header_t *rules = work->options->rules;

    return is_json(work->a.type)
               ? mirror_compare_rule_any_body(rules, MIRROR_RULE_SECRET)
               : mirror_compare_rule_body(rules, MIRROR_RULE_SECRET, NULL, 0, NULL);
}

/* Keep where the texts differ for a row, from these places on; -1: no values are wanted. */
static void keep_texts(work_t *work, int row, const apr_size_t from[2])
{
    const mirror_compare_rule_t *rule = row < 0 ? NULL : secret_rule(work);

    if (rule) {
        mirror_rows_hit(&work->out->rows, rule);
        mirror_values_hide(work->out->rows.values, row, 0);
        mirror_values_hide(work->out->rows.values, row, 1);
    }
    else if (row >= 0) {
        mirror_excerpt_keep_from(work->out->rows.values, row, work->a.data, work->a.len,
                                 work->b.data, work->b.len, from);
    }
}

/* Texts, or bytes, that are not equal. */
static void compare_texts(work_t *work)
{
    if (!is_forgiven(work, MIRROR_RULE_PRESENCE | MIRROR_RULE_MATCH | MIRROR_RULE_MASK)) {
        const apr_size_t from[2] = { 0, 0 };
        int row = add_body_row(work, kind_of(work));

        keep_texts(work, kind_of(work) == MIRROR_KIND_TEXT ? row : -1, from);
    }
}

static mirror_skip_e compare_json(work_t *work)
{
    mirror_tree_options_t options;

    options.rules = work->options->rules;
    options.unordered = work->options->unordered;
    options.now = work->options->now;
    switch (mirror_tree_compare(&work->out->rows, NULL, work->options->json, &options, work->a.data,
                                work->a.len, work->b.data, work->b.len)) {
    case MIRROR_TREE_DONE:
        return MIRROR_SKIP_NONE;
    case MIRROR_TREE_NONE:
        compare_texts(work);
        return MIRROR_SKIP_NONE;
    case MIRROR_TREE_TOO_DEEP:
        return MIRROR_SKIP_TOO_DEEP;
    case MIRROR_TREE_TOO_MANY:
        return MIRROR_SKIP_TOO_MANY_NODES;
    default:
        return MIRROR_SKIP_MEMORY;
    }
}

/* Compare the bodies, which are decoded as far as that is possible. Returns why that cannot be
 * done. */
static mirror_skip_e compare_bodies(work_t *work)
{
    int a = work->a.result > MIRROR_DECODE_IDENTITY, b = work->b.result > MIRROR_DECODE_IDENTITY;

    if ((work->same_bytes && have_same_coding(&work->a, &work->b)) ||
        is_forgiven(work, MIRROR_RULE_IGNORE)) {
        return MIRROR_SKIP_NONE;
    }
    if (work->a.result == MIRROR_DECODE_NO_MEMORY || work->b.result == MIRROR_DECODE_NO_MEMORY) {
        return MIRROR_SKIP_MEMORY;
    }
    if (work->a.result == MIRROR_DECODE_TOO_LARGE || work->b.result == MIRROR_DECODE_TOO_LARGE) {
        return MIRROR_SKIP_DECODED_TOO_LARGE;
    }
    if (a && b) {
        return MIRROR_SKIP_UNDECODABLE;
    }
    if (a || b) {
        add_body_row(work, MIRROR_KIND_ENCODING);
        return MIRROR_SKIP_NONE;
    }
    if (are_equal(&work->a, &work->b)) {
        return MIRROR_SKIP_NONE;
    }
    if (!have_same_type(work->a.type, work->b.type)) {
        add_body_row(work, MIRROR_KIND_CONTENT_TYPE);
        return MIRROR_SKIP_NONE;
    }
    if (is_json(work->a.type)) {
        return compare_json(work);
    }
    compare_texts(work);
    return MIRROR_SKIP_NONE;
}

/* ---- all ---- */

static void compare_heads(work_t *work, const mirror_half_t *a, const mirror_half_t *b)
{
    mirror_headers_options_t options;

    options.rules = work->options->rules;
    options.decoded = work->decoded;
    options.now = work->options->now;
    mirror_headers_compare(&work->out->rows, &options, a->head.data, a->head.len, b->head.data,
                           b->head.len, work->options->pool);
}

/* What the rows say, if nothing was skipped. */
static mirror_verdict_e verdict_of(const work_t *work)
{
    const mirror_rows_t *rows = &work->out->rows;

    if (mirror_rows_differences(rows) > 0) {
        return MIRROR_VERDICT_DIFFERENT;
    }
    if (rows->ignored > 0) {
        return MIRROR_VERDICT_IGNORED;
    }
    return HAS(work->options, MIRROR_PART_BODY) && !work->same_bytes ? MIRROR_VERDICT_SAME_DECODED
                                                                     : MIRROR_VERDICT_SAME;
}

/* Why the bodies cannot be compared, whatever they are. */
static mirror_skip_e body_skip_of(const work_t *work, const mirror_half_t *a,
                                  const mirror_half_t *b)
{
    if (!HAS(work->options, MIRROR_PART_BODY)) {
        return MIRROR_SKIP_NONE;
    }
    return a->body_skip != MIRROR_SKIP_NONE ? a->body_skip : b->body_skip;
}

static int are_same_bytes(const mirror_bytes_t *a, const mirror_bytes_t *b)
{
    return a->len == b->len && (a->len == 0 || !memcmp(a->data, b->data, a->len));
}

static const char *coding_of(const work_t *work, const mirror_half_t *half)
{
    return mirror_headers_find(half->head.data, half->head.len, "Content-Encoding",
                               work->options->pool);
}

/* Whether all is equal by its bytes alone, but for headers that differ by nature, which are rows
 * then. If only the bodies are not there, *skip is the reason. */
static int looks_same(mirror_skip_e *skip, work_t *work, const mirror_half_t *a,
                      const mirror_half_t *b)
{
    int with_headers = HAS(work->options, MIRROR_PART_HEADER);

    *skip = MIRROR_SKIP_NONE;
    if (a->status != b->status ||
        (with_headers && !mirror_glance_heads(&work->out->rows, work->options->rules, a->head.data,
                                              a->head.len, b->head.data, b->head.len))) {
        return 0;
    }
    if (!HAS(work->options, MIRROR_PART_BODY)) {
        return 1;
    }
    *skip = body_skip_of(work, a, b);
    return *skip == MIRROR_SKIP_NONE && are_same_bytes(&a->body, &b->body) &&
           (with_headers || is_one_coding(coding_of(work, a), coding_of(work, b)));
}

static void examine(work_t *work, const mirror_half_t *a, const mirror_half_t *b)
{
    mirror_skip_e skip = body_skip_of(work, a, b);
    int with_body = HAS(work->options, MIRROR_PART_BODY) && skip == MIRROR_SKIP_NONE;

    if (with_body) {
        prepare(&work->a, a, work->options->pool);
        prepare(&work->b, b, work->options->pool);
        decode_both(work);
    }
    if (HAS(work->options, MIRROR_PART_HEADER)) {
        compare_heads(work, a, b);
    }
    if (with_body) {
        skip = compare_bodies(work);
    }
    work->out->verdict = verdict_of(work);
    if (skip != MIRROR_SKIP_NONE && work->out->verdict != MIRROR_VERDICT_DIFFERENT) {
        work->out->skip = skip;
    }
    free(work->a.decoded.data);
    free(work->b.decoded.data);
}

void mirror_judge(mirror_judgement_t *judgement, const mirror_judge_options_t *options,
                  const mirror_half_t *primary, const mirror_half_t *mirror)
{
    work_t work = { 0 };
    mirror_skip_e skip;

    work.out = judgement;
    work.options = options;
    judgement->skip = MIRROR_SKIP_NONE;
    mirror_rows_clear(&judgement->rows);
    judgement->rows.values = options->values;
    if ((primary->status == 304) != (mirror->status == 304)) {
        judgement->skip = MIRROR_SKIP_CONDITIONAL;
        return;
    }
    if (compare_status(&work, primary->status, mirror->status)) {
        judgement->verdict = MIRROR_VERDICT_DIFFERENT;
        return;
    }
    if (looks_same(&skip, &work, primary, mirror)) {
        judgement->verdict = MIRROR_VERDICT_SAME;
        return;
    }
    judgement->rows.count = 0; /* of the glance */
    if (!options->may_examine) {
        judgement->verdict = MIRROR_VERDICT_UNEXAMINED;
        judgement->skip = skip;
        return;
    }
    examine(&work, primary, mirror);
}

/* ---- three texts ---- */

const mirror_row_t *mirror_judge_text_row(const mirror_judgement_t *judgement)
{
    return mirror_rows_find(&judgement->rows, MIRROR_KIND_TEXT, FIELD_BODY);
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
static int decode_masked(side_t *side, const mirror_rule_masks_t *masks)
{
    char *text;

    decode(side);
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
    work_t work = { 0 };
    side_t third, *const sides[3] = { &work.a, &work.b, &third };
    mirror_rule_masks_t masks;
    const char *texts[3];
    apr_size_t lens[3];
    int i, known = 1;

    work.out = judgement;
    work.options = options;
    find_masks(&masks, options->rules);
    for (i = 0; i < 3; i++) {
        prepare(sides[i], halves[i], options->pool);
        known = known && decode_masked(sides[i], &masks);
        texts[i] = sides[i]->data;
        lens[i] = sides[i]->len;
    }
    known = known && mirror_pieces_compare(pieces, texts, lens);
    /* what is cut could say that a value is secret: then the excerpt is that of the first difference */
    if (known && pieces->mirror_alone && rows->values && masks.count == 0) {
        keep_texts(&work, (int)(mirror_judge_text_row(judgement) - rows->list), pieces->at);
    }
    for (i = 0; i < 3; i++) {
        free(sides[i]->decoded.data);
    }
    return known;
}
