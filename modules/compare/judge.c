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

#include "compare/excerpt.h"
#include "compare/glance.h"
#include "compare/headers.h"
#include "compare/judge_state.h"
#include "settings/compare_rule.h"

#define HAS(options, part) ((options)->parts & (1U << (part)))
#define FIELD_STATUS       "status"
#define FIELD_BODY         "body"

int mirror_judge_is_json(const char *type)
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

/* Whether one response is 304, and the other one is that without a condition. An error or a redirect
 * is not: it is another status. */
static int is_conditional(int a, int b)
{
    return (a == 304 && b / 100 == 2) || (b == 304 && a / 100 == 2);
}

/* Returns 1 if it differs and no rule forgives that. */
static int compare_status(mirror_judge_work_t *work, int a, int b)
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
    mirror_rows_add(rows, MIRROR_PART_STATUS, MIRROR_KIND_STATUS, FIELD_STATUS, NULL, 0);
    return 1;
}

/* ---- bodies ---- */

void mirror_judge_prepare(mirror_judge_side_t *side, const mirror_half_t *half, apr_pool_t *pool)
{
    memset(side, 0, sizeof(*side));
    side->coding = mirror_headers_find(half->head.data, half->head.len, "Content-Encoding", pool);
    side->type = mirror_headers_find(half->head.data, half->head.len, "Content-Type", pool);
    side->data = half->body.data ? half->body.data : "";
    side->len = half->body.len;
    side->result = MIRROR_DECODE_IDENTITY;
}

void mirror_judge_decode(mirror_judge_side_t *side)
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

static int have_same_coding(const mirror_judge_side_t *a, const mirror_judge_side_t *b)
{
    return is_one_coding(a->coding, b->coding);
}

static int are_equal(const mirror_judge_side_t *a, const mirror_judge_side_t *b)
{
    return a->len == b->len && !memcmp(a->data, b->data, a->len);
}

/* Decode what has a coding, unless both are the same as they are. */
static void decode_both(mirror_judge_work_t *work)
{
    work->same_bytes = are_equal(&work->a, &work->b);
    if (work->same_bytes && have_same_coding(&work->a, &work->b)) {
        return;
    }
    if (!work->a.coding && !work->b.coding) {
        return;
    }
    mirror_judge_decode(&work->a);
    mirror_judge_decode(&work->b);
    work->decoded =
        work->a.result <= MIRROR_DECODE_IDENTITY && work->b.result <= MIRROR_DECODE_IDENTITY;
}

static int add_body_row(mirror_judge_work_t *work, mirror_kind_e kind)
{
    return mirror_rows_add(&work->out->rows, MIRROR_PART_BODY, kind, FIELD_BODY, NULL, 0);
}

/* The kind of a difference of bodies that are compared as a whole. No body is a kind of its own: beside a
 * reference with yet another body it would be as good as any. */
static mirror_kind_e kind_of(const mirror_judge_work_t *work)
{
    if (work->a.len == 0 || work->b.len == 0) {
        return work->a.len == 0 ? MIRROR_KIND_EXTRA : MIRROR_KIND_MISSING;
    }
    return is_text(work->a.type) || mirror_judge_is_json(work->a.type) ? MIRROR_KIND_TEXT
                                                                       : MIRROR_KIND_BYTES;
}

static int forgive(mirror_judge_work_t *work, const mirror_compare_rule_t *rule)
{
    mirror_rows_forgive(&work->out->rows, MIRROR_PART_BODY, kind_of(work), FIELD_BODY, rule);
    return 1;
}

static void fail(mirror_judge_work_t *work, const mirror_compare_rule_t *rule)
{
    mirror_rows_fail(&work->out->rows, rule);
}

/* Whether the bodies are equal without what the masks cut. */
static int are_equal_masked(mirror_judge_work_t *work, const mirror_rule_masks_t *masks)
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
static int is_forgiven(mirror_judge_work_t *work, unsigned actions)
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
static const mirror_compare_rule_t *secret_rule(const mirror_judge_work_t *work)
{
    const apr_array_header_t *rules = work->options->rules;

    return mirror_judge_is_json(work->a.type)
               ? mirror_compare_rule_any_body(rules, MIRROR_RULE_SECRET)
               : mirror_compare_rule_body(rules, MIRROR_RULE_SECRET, NULL, 0, NULL);
}

void mirror_judge_keep_texts(mirror_judge_work_t *work, int row, const apr_size_t from[2])
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
static void compare_texts(mirror_judge_work_t *work)
{
    unsigned presence = work->a.len > 0 && work->b.len > 0 ? MIRROR_RULE_PRESENCE : 0;

    if (!is_forgiven(work, presence | MIRROR_RULE_MATCH | MIRROR_RULE_MASK)) {
        const apr_size_t from[2] = { 0, 0 };
        int row = add_body_row(work, kind_of(work));

        mirror_judge_keep_texts(work, kind_of(work) == MIRROR_KIND_TEXT ? row : -1, from);
    }
}

static mirror_skip_e compare_json(mirror_judge_work_t *work)
{
    mirror_tree_options_t options;

    options.rules = work->options->rules;
    options.unordered = work->options->unordered;
    options.now = work->options->now;
    options.side = work->options->side;
    switch (mirror_tree_compare(&work->out->rows, NULL, work->options->json, &options, work->a.data,
                                work->a.len, work->b.data, work->b.len)) {
    case MIRROR_TREE_DONE:
        return MIRROR_SKIP_NONE;
    case MIRROR_TREE_NONE:
        compare_texts(work);
        return MIRROR_SKIP_NONE;
    case MIRROR_TREE_TOO_DEEP:
        return mirror_judge_lengths(work) ? MIRROR_SKIP_NONE : MIRROR_SKIP_TOO_DEEP;
    case MIRROR_TREE_TOO_MANY:
        return mirror_judge_lengths(work) ? MIRROR_SKIP_NONE : MIRROR_SKIP_TOO_MANY_NODES;
    default:
        return MIRROR_SKIP_MEMORY;
    }
}

/* Compare the bodies, which are decoded as far as that is possible. Returns why that cannot be
 * done. */
static mirror_skip_e compare_bodies(mirror_judge_work_t *work)
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
        return mirror_judge_decoded(work) ? MIRROR_SKIP_NONE : MIRROR_SKIP_DECODED_TOO_LARGE;
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
    if (mirror_judge_is_json(work->a.type)) {
        return compare_json(work);
    }
    compare_texts(work);
    return MIRROR_SKIP_NONE;
}

/* ---- all ---- */

static void compare_heads(mirror_judge_work_t *work, const mirror_half_t *a, const mirror_half_t *b)
{
    mirror_headers_options_t options;

    options.rules = work->options->rules;
    options.decoded = work->decoded;
    options.now = work->options->now;
    mirror_headers_compare(&work->out->rows, &options, a->head.data, a->head.len, b->head.data,
                           b->head.len, work->options->pool);
}

/* What the rows say, if nothing was skipped. */
static mirror_verdict_e verdict_of(const mirror_judge_work_t *work)
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
static mirror_skip_e body_skip_of(const mirror_judge_work_t *work, const mirror_half_t *a,
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

static const char *coding_of(const mirror_judge_work_t *work, const mirror_half_t *half)
{
    return mirror_headers_find(half->head.data, half->head.len, "Content-Encoding",
                               work->options->pool);
}

/* Whether all is equal by its bytes alone, but for headers that differ by nature, which are rows
 * then. If only the bodies are not there, *skip is the reason. */
static int looks_same(mirror_skip_e *skip, mirror_judge_work_t *work, const mirror_half_t *a,
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

static void examine(mirror_judge_work_t *work, const mirror_half_t *a, const mirror_half_t *b)
{
    mirror_skip_e skip = body_skip_of(work, a, b);
    int with_body = HAS(work->options, MIRROR_PART_BODY) && skip == MIRROR_SKIP_NONE;

    if (with_body) {
        mirror_judge_prepare(&work->a, a, work->options->pool);
        mirror_judge_prepare(&work->b, b, work->options->pool);
        decode_both(work);
    }
    if (HAS(work->options, MIRROR_PART_HEADER)) {
        compare_heads(work, a, b);
    }
    if (with_body) {
        skip = compare_bodies(work);
    }
    else if (skip == MIRROR_SKIP_TOO_LARGE && mirror_judge_transferred(work, a, b)) {
        skip = MIRROR_SKIP_NONE;
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
    mirror_judge_work_t work = { 0 };
    mirror_skip_e skip;

    work.out = judgement;
    work.options = options;
    judgement->skip = MIRROR_SKIP_NONE;
    judgement->verdict = MIRROR_VERDICT_SAME;
    mirror_rows_clear(&judgement->rows);
    judgement->rows.values = options->values;
    if (is_conditional(primary->status, mirror->status)) {
        judgement->skip = MIRROR_SKIP_CONDITIONAL;
        return;
    }
    if (compare_status(&work, primary->status, mirror->status)) {
        judgement->verdict = MIRROR_VERDICT_DIFFERENT;
        return;
    }
    if (looks_same(&skip, &work, primary, mirror)) {
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

const mirror_row_t *mirror_judge_text_row(const mirror_judgement_t *judgement)
{
    return mirror_rows_find(&judgement->rows, MIRROR_KIND_TEXT, FIELD_BODY);
}
