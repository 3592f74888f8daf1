/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_tree_descend.c - rules that forgive differences of JSON texts.
 */
#include <string.h>

#include <apr_strings.h>
#include <check.h>

#include "json_pair.h"
#include "suite.h"

/* ---- rules ---- */

typedef struct ruled_t {
    const char *rules[JSON_RULES]; /* NULL: none */
    int unordered;
    const char *a, *b, *rows;
    int ignored;
} ruled_t;

static const ruled_t ruled[] = {
    { { "body/a ignore" }, 0, "{\"a\":1,\"b\":1}", "{\"a\":2,\"b\":1}", "", 1 },
    { { "body/a ignore" }, 0, "{\"a\":{\"x\":1}}", "{\"b\":1}", "body/b extra", 1 },
    { { "body/**/a ignore" },
      0,
      "{\"x\":[{\"a\":{\"c\":1}}],\"a\":1}",
      "{\"x\":[{\"a\":{\"c\":2}}]}",
      "",
      2 },
    { { "body ignore" }, 0, "{}", "[]", "", 1 },
    { { "body ignore" }, 0, "{}", "x", "", 1 },
    { { "body/1 ignore" }, 0, "[1,2,3]", "[1,0,0]", "body/* value", 1 },
    { { "body/a presence" }, 0, "{\"a\":1}", "{\"a\":[\"x\"]}", "", 1 },
    { { "body/a presence" }, 0, "{\"a\":null}", "{}", "body/a missing", 0 },
    { { "body/a match ^v[0-9]+$" }, 0, "{\"a\":\"v1\"}", "{\"a\":\"v22\"}", "", 1 },
    { { "body/a match ^v[0-9]+$" }, 0, "{\"a\":\"v1\"}", "{\"a\":\"x\"}", "body/a value", 0 },
    { { "body/a match ." }, 0, "{\"a\":\"1\"}", "{\"a\":1}", "body/a type", 0 },
    { { "body/a mask [0-9]+" }, 0, "{\"a\":\"x1\"}", "{\"a\":\"x\\u0032\"}", "", 1 },
    { { "body/a within 0.5" }, 0, "{\"a\":1}", "{\"a\":1.5}", "", 1 },
    { { "body/a within 0.5" }, 0, "{\"a\":1}", "{\"a\":1.6}", "body/a value", 0 },
    { { "body/a within 0.5", "body/a match ." }, 0, "{\"a\":1}", "{\"a\":9}", "", 1 },
    { { "body/a mask [0-9]+", "body/a mask x" }, 0, "{\"a\":\"x1y\"}", "{\"a\":\"2y\"}", "", 1 },
    { { "body/a mask [0-9]+", "body/a mask x" },
      0,
      "{\"a\":\"x1y\"}",
      "{\"a\":\"2z\"}",
      "body/a value",
      0 },
    { { "body/a mask [0-9]+", "body/a match ." }, 0, "{\"a\":\"x\"}", "{\"a\":\"y\"}", "", 1 },
    { { "body mask [0-9]+", "body mask [xy]" }, 0, "{\"x\":1}", "{\"y\":2}", "", 1 },
    { { "body match ok" }, 0, "{\"ok\":1}", "{\"ok\":[2]}", "", 1 },
    { { "body/a unordered" }, 0, "{\"a\":[1,2,3]}", "{\"a\":[3,1,2]}", "", 1 },
    { { "body/a unordered" }, 0, "{\"a\":[1,2,3,3]}", "{\"a\":[3,1,1,2]}", "body/a/* value", 0 },
    { { "body/a unordered" }, 0, "{\"a\":[1,2,3]}", "{\"a\":[3,1,2,2]}", "body/a length", 0 },
    { { "body/a unordered" }, 0, "{\"a\":[[1,2]]}", "{\"a\":[[2,1]]}", "body/a/* order", 0 },
    { { NULL }, 1, "{\"a\":[1,[2,3]]}", "{\"a\":[[3,2],1]}", "", 0 },
    { { NULL }, 1, "[1,2,2]", "[2,1,1]", "body/* value", 0 },
    { { NULL }, 1, "[1,2]", "[2]", "body length", 0 },
    { { "body/* key /id" },
      0,
      "{\"a\":[{\"id\":1,\"p\":1},{\"id\":2,\"p\":2}]}",
      "{\"a\":[{\"id\":2,\"p\":3},{\"p\":1,\"id\":1}]}",
      "body/a/*/p value",
      1 },
    { { "body key /id" }, 0, "[{\"id\":1},{\"id\":2}]", "[{\"id\":2},{\"id\":1}]", "", 1 },
    { { "body key /id" },
      0,
      "[{\"id\":1},{\"id\":2}]",
      "[{\"id\":2.0},{\"id\":3}]",
      "body/* missing, body/* extra",
      0 },
    { { "body key /id" }, 0, "[{\"id\":0},{\"id\":2}]", "[{\"id\":2}]", "body/* missing", 0 },
    { { "body key /id" },
      0,
      "[{\"id\":1,\"v\":1},{\"id\":1,\"v\":2}]",
      "[{\"id\":1,\"v\":1},{\"id\":1,\"v\":3}]",
      "body/*/v value",
      0 },
    { { "body key /id" }, 0, "[1,{\"x\":1}]", "[2,{\"x\":2}]", "body/* value, body/*/x value", 0 },
    { { "body key /id", "body/* ignore" }, 0, "[{\"id\":1}]", "[{\"id\":2}]", "", 2 },
    { { "body key /a~1b" }, 0, "[{\"a/b\":1},{\"a/b\":2}]", "[{\"a/b\":2}]", "body/* missing", 0 },
    { { "status ignore", "header/a ignore" }, 0, "[1]", "[2]", "body/* value", 0 },
};

START_TEST(rules_forgive)
{
    const ruled_t *row = &ruled[_i];
    int i, count;

    for (i = 0; i < JSON_RULES && row->rules[i]; i++) {
        add_rule(row->rules[i]);
    }
    options.unordered = row->unordered;
    ck_assert_int_eq(compare(row->a, row->b), MIRROR_TREE_DONE);
    ck_assert_str_eq(all_rows(), row->rows);
    ck_assert_int_eq(rows.ignored, row->ignored);
    ck_assert_int_eq(count_failed(&rows), 0);
    ck_assert_int_eq(same, !rows.count && !rows.ignored);
    count = rows.count;
    ck_assert_int_eq(compare(row->b, row->a), MIRROR_TREE_DONE);
    ck_assert_int_eq(rows.count, count);
    ck_assert_int_eq(rows.ignored, row->ignored);
}
END_TEST

/* What a rule forgives is a row, and so is the rule. */
START_TEST(forgiven_differences_are_counted)
{
    static const struct {
        const char *rule, *a, *b, *field;
        mirror_kind_e kind;
    } list[] = {
        { "body/a ignore", "{\"a\":1}", "{\"a\":2}", "body/a", MIRROR_KIND_VALUE },
        { "body/a ignore", "{\"a\":1}", "{}", "body/a", MIRROR_KIND_MISSING },
        { "body/a ignore", "{}", "{\"a\":1}", "body/a", MIRROR_KIND_EXTRA },
        { "body/a presence", "{\"a\":1}", "{\"a\":\"1\"}", "body/a", MIRROR_KIND_TYPE },
        { "body/a presence", "{\"a\":1}", "{\"a\":null}", "body/a", MIRROR_KIND_NULL },
        { "body/*/p within 1", "[{\"p\":1},{\"p\":1}]", "[{\"p\":2},{\"p\":2}]", "body/*/p",
          MIRROR_KIND_VALUE },
        { "body unordered", "[1,2]", "[2,1]", "body", MIRROR_KIND_ORDER },
        { "body key /a", "[{\"a\":1,\"b\":1},{\"a\":2}]", "[{\"a\":2},{\"a\":1,\"b\":1}]", "body",
          MIRROR_KIND_ORDER },
        { "body ignore", "{}", "{", "body", MIRROR_KIND_SYNTAX },
    };
    int i;

    for (i = 0; i < (int)(sizeof(list) / sizeof(*list)); i++) {
        const mirror_compare_rule_t *rule;

        options.rules = NULL;
        add_rule(list[i].rule);
        rule = APR_ARRAY_IDX(options.rules, 0, const mirror_compare_rule_t *);
        compare(list[i].a, list[i].b);
        ck_assert_int_eq(rows.count, 0);
        ck_assert_int_eq(rows.forgiven_count, 1);
        ck_assert_str_eq(rows.forgiven[0].field, list[i].field);
        ck_assert_int_eq(rows.forgiven[0].kind, list[i].kind);
        ck_assert_int_eq(rows.rule_count, 1);
        ck_assert_ptr_eq(rows.rules[0].rule, rule);
        ck_assert_int_eq(rows.rules[0].has_hit, 1);
        ck_assert_int_eq(rows.rules[0].has_failed, 0);
    }
}
END_TEST

START_TEST(rules_with_an_effect_hit)
{
    add_rule("body/a/b ignore");
    compare("{\"a\":1}", "{\"a\":2}");
    ck_assert_int_eq(rows.rule_count, 0);
    add_rule("body/a compare");
    compare("{\"a\":1}", "{\"a\":2}");
    ck_assert_int_eq(rows.count, 1);
    ck_assert_int_eq(rows.rule_count, 1);
    ck_assert_int_eq(rows.rules[0].has_hit, 1);
    add_rule("body/l unordered");
    compare("{\"l\":[1,2]}", "{\"l\":[2,3]}");
    ck_assert_int_eq(rows.count, 1);
    ck_assert_int_eq(rows.rule_count, 1);
    ck_assert_int_eq(rows.rules[0].has_hit, 1);
}
END_TEST

START_TEST(a_repeated_name_is_forgiven)
{
    add_rule("body/a presence");
    ck_assert_int_eq(compare("{\"a\":1,\"a\":1}", "{\"a\":1}"), MIRROR_TREE_DONE);
    ck_assert_str_eq(all_rows(), "");
    ck_assert_int_eq(rows.ignored, 1);
    ck_assert_int_eq(same, 1);
}
END_TEST

START_TEST(a_rule_compare_keeps_a_value_from_being_noise)
{
    add_rule("body/id compare");
    ck_assert_int_eq(compare("{\"id\":1795824001}", "{\"id\":1795824002}"), MIRROR_TREE_DONE);
    ck_assert_str_eq(all_rows(), "body/id value");
    ck_assert_int_eq(rows.list[0].volatile_shape, 0);
}
END_TEST

START_TEST(a_regular_expression_that_fails_is_counted)
{
    char *a = repeat("[\"", "a", 2000, "!\"]"), *b = repeat("[\"", "a", 2001, "!\"]");

    add_rule("body/* match (a+)+$");
    ck_assert_int_eq(compare(a, b), MIRROR_TREE_DONE);
    ck_assert_str_eq(all_rows(), "body/* value");
    ck_assert_int_eq(count_failed(&rows), 1);
    ck_assert_int_eq(rows.rule_count, 1);
    ck_assert_int_eq(rows.rules[0].has_hit, 0);
    ck_assert_int_eq(rows.rules[0].has_failed, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json_descend");
    TCase *tcase = tcase_create("json_descend");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, rules_forgive, 0, sizeof(ruled) / sizeof(*ruled));
    tcase_add_test(tcase, forgiven_differences_are_counted);
    tcase_add_test(tcase, rules_with_an_effect_hit);
    tcase_add_test(tcase, a_repeated_name_is_forgiven);
    tcase_add_test(tcase, a_rule_compare_keeps_a_value_from_being_noise);
    tcase_add_test(tcase, a_regular_expression_that_fails_is_counted);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
