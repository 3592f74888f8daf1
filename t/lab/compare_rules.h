/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare_rules.h - rules of ProxyMirrorCompare to try out, in a pool for each test.
 */
#ifndef LAB_COMPARE_RULES_H
#define LAB_COMPARE_RULES_H

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>
#include <check.h>

#include "settings/compare_rule.h"
#include "suite.h"

static apr_pool_t *pool;

static inline void setup(void)
{
    apr_pool_create(&pool, NULL);
}

static inline void teardown(void)
{
    apr_pool_destroy(pool);
}

static inline mirror_compare_rule_t *rule_of(const char *text)
{
    mirror_compare_rule_t *rule = NULL;
    const char *wrong = mirror_compare_rule_parse(&rule, text, pool);

    ck_assert_msg(wrong == NULL, "%s: %s", text, wrong ? wrong : "");
    return rule;
}

/* Two values and what a rule says of them. */
typedef struct value_row_t {
    const char *rule, *a, *b;
    int equal;
} value_row_t;

/* A block of its exact size, so that a sanitizer sees a byte read too many. The caller frees it. */
static inline char *exact(const char *text)
{
    char *block = malloc(strlen(text) ? strlen(text) : 1);

    ck_assert_ptr_nonnull(block);
    memcpy(block, text, strlen(text));
    return block;
}

static inline void check_values(const value_row_t *row)
{
    const mirror_compare_rule_t *rule = rule_of(row->rule);
    char *a = exact(row->a), *b = exact(row->b);
    int failed = 0;
    int equal = mirror_compare_rule_equal(&failed, rule, a, strlen(row->a), b, strlen(row->b));

    ck_assert_int_eq(failed, 0);
    ck_assert_msg(equal == row->equal, "%s: \"%s\" and \"%s\"", row->rule, row->a, row->b);
    free(a);
    free(b);
}

#define ADD(test, rows) tcase_add_loop_test(tcase, test, 0, sizeof(rows) / sizeof(*rows))

#endif
