/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * fuzz_compare_rule.c - rules of ProxyMirrorCompare, and the values that they compare.
 *
 * Lines: the rule, then values, which are also pointers, names of headers and paths. A rule that is
 * read has a canonical text, which is read as the same rule. Its results do not depend on which of two
 * values is the first.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "base/utf8.h"
#include "compare/name.h"
#include "settings/compare_rule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

#define STEPS_MAX 160
#define NOW       (APR_USEC_PER_SEC * APR_INT64_C(1795780800))

/* A block of its exact size, which the caller frees. */
typedef struct block_t {
    char *data;
    apr_size_t len;
} block_t;

static block_t next_line(const char **text, const char *end)
{
    const char *newline = memchr(*text, '\n', (size_t)(end - *text));
    block_t line = { NULL, (apr_size_t)((newline ? newline : end) - *text) };

    line.data = malloc(line.len ? line.len : 1);
    REQUIRE(line.data != NULL);
    memcpy(line.data, *text, line.len);
    *text = newline ? newline + 1 : end;
    return line;
}

/* The segments of a line; one of a '#' and a digit is an element. */
static int steps_of(mirror_step_t *steps, const block_t *line)
{
    apr_size_t at = 0, end;
    int depth = 0;

    while (at < line->len && depth < STEPS_MAX) {
        for (end = at; end < line->len && line->data[end] != '/'; end++) {
        }
        steps[depth].name = end - at == 2 && line->data[at] == '#' ? NULL : line->data + at;
        steps[depth].len = end - at;
        steps[depth].index = steps[depth].name ? 0 : (unsigned char)line->data[at + 1] - '0';
        depth++;
        at = end + 1;
    }
    return depth;
}

static mirror_compare_rule_t *read_rule(const char *text, apr_pool_t *pool)
{
    mirror_compare_rule_t *rule = NULL, *again = NULL;
    const char *wrong = mirror_compare_rule_parse(&rule, text, pool), *canonical;

    REQUIRE((wrong != NULL) == (rule == NULL));
    if (wrong) {
        REQUIRE(!strncmp(wrong, "FIELD: must ", 12) || !strncmp(wrong, "ACTION: must ", 13) ||
                !strncmp(wrong, "VALUE: must ", 12));
        REQUIRE(mirror_utf8_is_valid(wrong));
        return NULL;
    }
    canonical = mirror_compare_rule_text(rule);
    REQUIRE(mirror_utf8_is_valid(canonical));
    REQUIRE(mirror_compare_rule_parse(&again, canonical, pool) == NULL);
    REQUIRE(!strcmp(mirror_compare_rule_text(again), canonical));
    REQUIRE(mirror_compare_rule_action(again) == mirror_compare_rule_action(rule));
    return rule;
}

static void apply(const mirror_compare_rule_t *rule, const block_t *a, const block_t *b,
                  apr_pool_t *pool)
{
    apr_array_header_t *rules = apr_array_make(pool, 1, sizeof(rule));
    int failed[2] = { 0, 0 }, equal[2];
    mirror_step_t steps[STEPS_MAX];
    apr_size_t len;

    APR_ARRAY_PUSH(rules, const mirror_compare_rule_t *) = rule;
    equal[0] = mirror_compare_rule_equal(&failed[0], rule, a->data, a->len, b->data, b->len);
    equal[1] = mirror_compare_rule_equal(&failed[1], rule, b->data, b->len, a->data, a->len);
    REQUIRE(equal[0] == equal[1] || failed[0] || failed[1]); /* for time, one may fail alone */
    REQUIRE(!(equal[0] && failed[0]) && !(equal[1] && failed[1]));
    if (mirror_compare_rule_action(rule) == MIRROR_RULE_KEY) {
        REQUIRE(mirror_compare_rule_key(&len, rule) != NULL);
    }
    mirror_compare_rule_status(rules, ~0u, NULL);
    mirror_compare_rule_header(rules, ~0u, a->data, a->len, NULL);
    REQUIRE(!mirror_compare_rule_body(rules, ~0u, steps, steps_of(steps, a), rule));
    mirror_compare_rule_body(rules, ~0u, steps, steps_of(steps, a), NULL);
}

static void name(const block_t *a, const block_t *b)
{
    char group[MIRROR_GROUP_MAX + 1];
    apr_uint64_t marks[2];

    mirror_name_group(group, a->data, a->len, b->data, b->len);
    REQUIRE(strlen(group) <= MIRROR_GROUP_MAX && mirror_utf8_is_valid(group));
    mirror_name_cut(group, a->data, a->len);
    REQUIRE(strlen(group) <= MIRROR_GROUP_MAX && mirror_utf8_is_valid(group));
    mirror_name_is_id(a->data, a->len);
    REQUIRE(mirror_name_are_volatile(marks, a->data, a->len, b->data, b->len, NOW) ==
            mirror_name_are_volatile(marks, b->data, b->len, a->data, a->len, NOW));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static apr_pool_t *parent;
    const char *text = (const char *)data, *end = text + size;
    mirror_compare_rule_t *rule;
    block_t line, a, b;
    apr_pool_t *pool;

    if (!parent) {
        apr_initialize();
        apr_pool_create(&parent, NULL);
    }
    apr_pool_create(&pool, parent);
    line = next_line(&text, end);
    rule = read_rule(apr_pstrmemdup(pool, line.data, line.len), pool);
    a = next_line(&text, end);
    b = next_line(&text, end);
    name(&a, &b);
    if (rule) {
        apply(rule, &a, &b, pool);
    }
    free(line.data);
    free(a.data);
    free(b.data);
    apr_pool_destroy(pool);
    return 0;
}
