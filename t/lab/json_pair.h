/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * json_pair.h - a pair of JSON texts to compare, for the unit tests of compare/tree.
 */
#ifndef LAB_JSON_PAIR_H
#define LAB_JSON_PAIR_H

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_pools.h>
#include <apr_strings.h>
#include <check.h>

#include "compare/tree.h"
#include "failed_rules.h"
#include "settings/compare_rule.h"

#define JSON_RULES 3

static const unsigned char seed[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };

static apr_pool_t *pool;
static mirror_tree_context_t *context;
static mirror_tree_options_t options;
static mirror_rows_t rows;
static int same;

static inline void setup(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    context = mirror_tree_context_create(seed);
    ck_assert_ptr_nonnull(context);
    memset(&options, 0, sizeof(options));
    options.now = apr_time_from_sec(1795824000);
}

static inline void teardown(void)
{
    mirror_tree_context_destroy(context);
    apr_pool_destroy(pool);
    apr_terminate();
}

static inline mirror_tree_e compare_bytes(const char *a, apr_size_t a_len, const char *b,
                                          apr_size_t b_len)
{
    mirror_rows_clear(&rows);
    return mirror_tree_compare(&rows, &same, context, &options, a, a_len, b, b_len);
}

/* With copies of the very length, so that a tool sees each byte read beyond. */
static inline mirror_tree_e compare(const char *a, const char *b)
{
    apr_size_t a_len = strlen(a), b_len = strlen(b);
    char *x = malloc(a_len + 1), *y = malloc(b_len + 1);
    mirror_tree_e result;

    x = realloc(memcpy(x, a, a_len), a_len ? a_len : 1);
    y = realloc(memcpy(y, b, b_len), b_len ? b_len : 1);
    result = compare_bytes(x, a_len, y, b_len);
    free(x);
    free(y);
    return result;
}

static inline void add_rule(const char *text)
{
    mirror_compare_rule_t *rule = NULL;
    apr_array_header_t *rules = (apr_array_header_t *)options.rules;
    const char *wrong = mirror_compare_rule_parse(&rule, text, pool);

    ck_assert_msg(wrong == NULL, "%s: %s", text, wrong ? wrong : "");
    if (!rules) {
        options.rules = rules = apr_array_make(pool, JSON_RULES, sizeof(rule));
    }
    APR_ARRAY_PUSH(rules, mirror_compare_rule_t *) = rule;
}

/* All rows as "field kind", with ", " between. */
static inline const char *all_rows(void)
{
    const char *text = "";
    int i;

    for (i = 0; i < rows.count; i++) {
        ck_assert_int_eq(rows.list[i].part, MIRROR_PART_BODY);
        ck_assert_int_eq(rows.list[i].built_in, 0);
        text = apr_pstrcat(pool, text, *text ? ", " : "", rows.list[i].field, " ",
                           mirror_kind_name((mirror_kind_e)rows.list[i].kind), NULL);
    }
    return text;
}

/* `c` n times between two texts. */
static inline char *repeat(const char *before, const char *c, int n, const char *after)
{
    apr_size_t len = strlen(c);
    char *text = apr_palloc(pool, strlen(before) + len * (apr_size_t)n + strlen(after) + 1);
    char *p = text + strlen(before);

    memcpy(text, before, strlen(before));
    for (; n > 0; n--, p += len) {
        memcpy(p, c, len);
    }
    memcpy(p, after, strlen(after) + 1);
    return text;
}

#endif
