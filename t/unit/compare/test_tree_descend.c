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
    ck_assert_int_eq(failed, 0);
    ck_assert_int_eq(same, !rows.count && !rows.ignored);
    count = rows.count;
    ck_assert_int_eq(compare(row->b, row->a), MIRROR_TREE_DONE);
    ck_assert_int_eq(rows.count, count);
    ck_assert_int_eq(rows.ignored, row->ignored);
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
    ck_assert_int_eq(failed, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json_descend");
    TCase *tcase = tcase_create("json_descend");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, rules_forgive, 0, sizeof(ruled) / sizeof(*ruled));
    tcase_add_test(tcase, a_repeated_name_is_forgiven);
    tcase_add_test(tcase, a_rule_compare_keeps_a_value_from_being_noise);
    tcase_add_test(tcase, a_regular_expression_that_fails_is_counted);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
