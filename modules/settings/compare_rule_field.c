/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * settings/compare_rule_field.c - FIELD of a rule: reading it, and the fields it is for. See
 * settings/compare_rule.h.
 */
#include <limits.h>
#include <string.h>

#include <apr_strings.h>

#include "base/ascii.h"
#include "settings/compare_rule_state.h"

#define INDEX_DIGITS 9 /* so that each fits */

/* ---- reading ---- */

/* Unescape a segment into segment->name (RFC 6901 4; ~2 is '*'). Returns 0 if a '~' is alone. */
static int unescape(mirror_segment_t *segment, const char *text, apr_size_t len, apr_pool_t *pool)
{
    static const char meant[] = "~/*";
    char *to = apr_palloc(pool, len + 1);
    apr_size_t i;

    segment->name = to;
    for (i = 0; i < len; i++) {
        if (text[i] != '~') {
            *to++ = text[i];
            continue;
        }
        if (++i == len || text[i] < '0' || text[i] > '2') {
            return 0;
        }
        *to++ = meant[text[i] - '0'];
    }
    *to = '\0';
    segment->len = (apr_size_t)(to - segment->name);
    return 1;
}

/* Note which element the name may be: digits without a needless zero (RFC 6901 4). */
static void read_index(mirror_segment_t *segment)
{
    apr_size_t i;

    segment->is_index = segment->len > 0 && segment->len <= INDEX_DIGITS &&
                        (segment->name[0] != '0' || segment->len == 1);
    segment->index = 0;
    for (i = 0; segment->is_index && i < segment->len; i++) {
        segment->is_index = mirror_ascii_is_digit(segment->name[i]);
        segment->index = segment->index * 10 + (unsigned)(segment->name[i] - '0');
    }
}

static const char *read_segment(mirror_segment_t *segment, const char *text, apr_size_t len,
                                apr_pool_t *pool)
{
    memset(segment, 0, sizeof(*segment));
    if (len == 1 && text[0] == '*') {
        segment->kind = MIRROR_SEGMENT_ONE;
        return NULL;
    }
    if (len == 2 && !memcmp(text, "**", 2)) {
        segment->kind = MIRROR_SEGMENT_ANY;
        return NULL;
    }
    if (memchr(text, '*', len)) {
        return "have * and ** as whole segments, and ~2 for each other *";
    }
    if (!unescape(segment, text, len, pool)) {
        return "have ~0, ~1 or ~2 for each ~ (0: ~, 1: /, 2: *)";
    }
    segment->kind = MIRROR_SEGMENT_NAME;
    read_index(segment);
    return NULL;
}

/* Read a pointer, "" or segments that each have a slash before them. */
static const char *read_pointer(mirror_rule_field_t *field, const char *text, apr_pool_t *pool)
{
    const char *p, *wrong = NULL;
    int count = 0;

    for (p = text; *p; p++) {
        count += *p == '/';
    }
    if (count > MIRROR_RULE_SEGMENTS_MAX) {
        return "have at most " APR_STRINGIFY(MIRROR_RULE_SEGMENTS_MAX) " segments";
    }
    field->segments = apr_pcalloc(pool, sizeof(*field->segments) * (apr_size_t)(count + 1));
    while (*text && !wrong) {
        apr_size_t len = strcspn(++text, "/");

        wrong = read_segment(&field->segments[field->count++], text, len, pool);
        text += len;
    }
    return wrong;
}

static const char *read_header(mirror_rule_field_t *field, const char *name, apr_pool_t *pool)
{
    char *lower = apr_pstrdup(pool, name), *p;

    for (p = lower; mirror_ascii_is_token_char(*p); p++) {
        *p = mirror_ascii_lower(*p);
    }
    if (*p || p == lower) {
        return "have a token (RFC 9110 5.6.2) after header/";
    }
    field->part = MIRROR_PART_HEADER;
    field->name = lower;
    field->len = (apr_size_t)(p - lower);
    return NULL;
}

const char *mirror_compare_rule_field_read(mirror_rule_field_t *field, const char *text,
                                           apr_pool_t *pool)
{
    memset(field, 0, sizeof(*field));
    if (!strcmp(text, "status")) {
        field->part = MIRROR_PART_STATUS;
        return NULL;
    }
    if (!strncmp(text, "header/", 7)) {
        return read_header(field, text + 7, pool);
    }
    if (!strncmp(text, "body", 4) && (!text[4] || text[4] == '/')) {
        field->part = MIRROR_PART_BODY;
        return read_pointer(field, text + 4, pool);
    }
    return "be status, header/NAME, body or body/POINTER";
}

int mirror_compare_rule_field_read_key(mirror_segment_t *key, const char *text, apr_pool_t *pool)
{
    return text[0] == '/' && !strchr(text + 1, '/') &&
           !read_segment(key, text + 1, strlen(text + 1), pool) && key->kind == MIRROR_SEGMENT_NAME;
}

/* ---- matching ---- */

static int is_segment_for(const mirror_segment_t *segment, const mirror_step_t *step)
{
    if (segment->kind == MIRROR_SEGMENT_ONE) {
        return 1;
    }
    return step->name ? segment->len == step->len && !memcmp(segment->name, step->name, step->len)
                      : segment->is_index && segment->index == step->index;
}

/* Whether the pointer is for these steps. A step that does not match goes to the last '**' before
 * it, never to an earlier one: so segments x steps comparisons are enough. */
static int is_pointer_for(const mirror_rule_field_t *field, const mirror_step_t *steps, int depth)
{
    int segment = 0, step = 0, any = -1, resume = 0;

    while (step < depth) {
        const mirror_segment_t *next = &field->segments[segment];

        if (segment < field->count && next->kind == MIRROR_SEGMENT_ANY) {
            any = segment++;
            resume = step;
        }
        else if (segment < field->count && is_segment_for(next, &steps[step])) {
            segment++;
            step++;
        }
        else if (any >= 0) {
            segment = any + 1;
            step = ++resume;
        }
        else {
            return 0;
        }
    }
    while (segment < field->count && field->segments[segment].kind == MIRROR_SEGMENT_ANY) {
        segment++;
    }
    return segment == field->count;
}

static const mirror_compare_rule_t *rule_at(const apr_array_header_t *rules, int i)
{
    return APR_ARRAY_IDX(rules, i, const mirror_compare_rule_t *);
}

/* Where the rules after `after` begin. */
static int start(const apr_array_header_t *rules, const mirror_compare_rule_t *after)
{
    int i;

    if (!rules || !after) {
        return 0;
    }
    for (i = rules->nelts; i > 0 && rule_at(rules, i - 1) != after; i--) {
    }
    return i > 0 ? i : rules->nelts;
}

static int is_match(const mirror_compare_rule_t *rule, unsigned actions, mirror_part_e part)
{
    return (rule->action & actions) && rule->field.part == part;
}

const mirror_compare_rule_t *mirror_compare_rule_status(const apr_array_header_t *rules,
                                                        unsigned actions,
                                                        const mirror_compare_rule_t *after)
{
    int i;

    for (i = start(rules, after); rules && i < rules->nelts; i++) {
        if (is_match(rule_at(rules, i), actions, MIRROR_PART_STATUS)) {
            return rule_at(rules, i);
        }
    }
    return NULL;
}

static int is_name(const mirror_rule_field_t *field, const char *name, apr_size_t len)
{
    apr_size_t i;

    if (field->len != len) {
        return 0;
    }
    for (i = 0; i < len && mirror_ascii_lower(name[i]) == field->name[i]; i++) {
    }
    return i == len;
}

const mirror_compare_rule_t *mirror_compare_rule_header(const apr_array_header_t *rules,
                                                        unsigned actions, const char *name,
                                                        apr_size_t len,
                                                        const mirror_compare_rule_t *after)
{
    int i;

    for (i = start(rules, after); rules && i < rules->nelts; i++) {
        const mirror_compare_rule_t *rule = rule_at(rules, i);

        if (is_match(rule, actions, MIRROR_PART_HEADER) && is_name(&rule->field, name, len)) {
            return rule;
        }
    }
    return NULL;
}

const mirror_compare_rule_t *mirror_compare_rule_body(const apr_array_header_t *rules,
                                                      unsigned actions, const mirror_step_t *steps,
                                                      int depth, const mirror_compare_rule_t *after)
{
    int i;

    for (i = start(rules, after); rules && i < rules->nelts; i++) {
        const mirror_compare_rule_t *rule = rule_at(rules, i);

        if (is_match(rule, actions, MIRROR_PART_BODY) &&
            is_pointer_for(&rule->field, steps, depth)) {
            return rule;
        }
    }
    return NULL;
}

const mirror_compare_rule_t *mirror_compare_rule_any_body(const apr_array_header_t *rules,
                                                          unsigned actions)
{
    int i;

    for (i = 0; rules && i < rules->nelts; i++) {
        if (is_match(rule_at(rules, i), actions, MIRROR_PART_BODY)) {
            return rule_at(rules, i);
        }
    }
    return NULL;
}
