/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_tree.c - two JSON texts by value: what is equal, and the rows of what is not.
 */
#include <string.h>

#include <apr_strings.h>
#include <check.h>

#include "json_pair.h"
#include "suite.h"

/* ---- equal values ---- */

static const char *const equal[][2] = {
    { "{\"a\":1,\"b\":2}", " { \"b\" : 2 ,\r\n\t\"a\" : 1 } " },
    { "{\"a\":1.0}", "{\"a\":1}" },
    { "[1,10,100]", "[1e0,1E1,1.0e+2]" },
    { "[0,0,0]", "[-0,0.000,0e999999999]" },
    { "[0.001,-15,120]", "[1e-3,-1.5E1,12.0e1]" },
    { "[1e1000000]", "[10E999999]" },
    { "\"\\u0041\\/\\u00e9\\ud83d\\ude00\"", "\"A/\xc3\xa9\xf0\x9f\x98\x80\"" },
    { "\"a\\u0000b\"", "\"\\u0061\\u0000b\"" },
    { "{\"\\u0061\":1}", "{\"a\":1}" },
    { "{\"a\\u0000\":1}", "{\"a\\u0000\":1}" },
    { "{\"\":[]}", "{ \"\" : [ ] }" },
    { "\"\\ud800\"", "\"\\ud800\"" },
    { "{\"\\udc00\":1}", "{\"\\udc00\":1}" },
    { "12", "12.0 " },
    { "true", " true" },
    { "null", "null\n" },
    { "{\"a\":0,\"a\":[1]}", "{\"a\":2,\"a\":[1]}" },
};

START_TEST(notation_does_not_count)
{
    const char *a = equal[_i][0], *b = equal[_i][1];

    ck_assert_int_eq(compare(a, b), MIRROR_TREE_DONE);
    ck_assert_msg(same, "%s %s: not the same", a, b);
    ck_assert_str_eq(all_rows(), "");
    ck_assert_int_eq(rows.ignored, 0);
}
END_TEST

/* ---- differences ---- */

typedef struct row_t {
    const char *a, *b, *rows;
} row_t;

static const row_t different[] = {
    /* values and types */
    { "{\"a\":1}", "{\"a\":2}", "body/a value" },
    { "1", "2", "body value" },
    { "true", "false", "body value" },
    { "{\"a\":9007199254740993}", "{\"a\":9007199254740992}", "body/a value" },
    { "[9223372036854775808]", "[9223372036854775809]", "body/* value" },
    { "[1]", "[-1]", "body/* value" },
    { "[12]", "[1.2]", "body/* value" },
    { "[1e1000001]", "[10e1000000]", "body/* value" },
    { "{\"a\":\"1\"}", "{\"a\":1}", "body/a type" },
    { "{\"a\":\"true\"}", "{\"a\":true}", "body/a type" },
    { "{}", "[]", "body type" },
    { "{\"a\":null}", "{\"a\":0}", "body/a null" },
    { "{\"a\":[]}", "{\"a\":null}", "body/a null" },
    { "{\"a\":null}", "{}", "body/a missing" },
    { "{}", "{\"a\":null}", "body/a extra" },
    { "{\"x\":{\"a\":1,\"b\":{}}}", "{\"x\":{\"b\":[],\"c\":1}}",
      "body/x/a missing, body/x/b type, body/x/c extra" },
    { "\"a\"", "\"A\"", "body value" },
    { "\"\xc3\xa9\"", "\"e\xcc\x81\"", "body value" },
    { "\"a\\u0000b\"", "\"a\\u0000c\"", "body value" },
    { "\"a\\u0000\"", "\"a\"", "body value" },
    /* surrogates */
    { "\"\\ud800\"", "\"?\"", "body value" },
    { "\"\\ud800\"", "\"\\ud801\"", "body value" },
    { "\"\\ud800\\u0041\"", "\"\\ud800\\u0042\"", "body value" },
    { "\"\\ud83d\\u0041\"", "\"\xf0\x9f\x91\x81\"", "body value" },
    { "\"\\ud800\"", "\"\\\\ud800\"", "body value" },
    { "\"x\\\"\\\\\\ud800\"", "\"x\\\"\\\\?\"", "body value" },
    { "\"\\udc00\\ud800\"", "\"\\udc00?\"", "body value" },
    { "{\"\\ud800\":1}", "{\"\\\\ud800\":1}", "body/\\ud800 missing, body/\\ud800 extra" },
    { "{\"\\ud800\":1}", "{\"?\":1}", "body/\\ud800 missing, body/? extra" },
    /* arrays */
    { "{\"items\":[{\"price\":1},{\"price\":2}]}", "{\"items\":[{\"price\":1},{\"price\":3}]}",
      "body/items/*/price value" },
    { "[[1,2],[3,4],[5,6]]", "[[1,0],[3,4],[0,6]]", "body/*/* value" },
    { "[2,3,4]", "[1,2,3,4]", "body length" },
    { "{\"a\":[{\"x\":1},{\"x\":2}]}", "{\"a\":[{\"x\":9}]}", "body/a length" },
    { "[]", "[1]", "body length" },
    { "[1,2,3]", "[3,1,2]", "body order" },
    { "[1,1,2]", "[1,2,2]", "body/* value" },
    { "[[1,2],[3]]", "[[3],[2,1]]", "body/* length" },
    { "[1,2]", "[2,\"1\"]", "body/* value, body/* type" },
    /* repeated names */
    { "{\"a\":1,\"a\":2}", "{\"a\":2,\"a\":1}", "body/a value" },
    { "{\"a\":1,\"a\":2}", "{\"a\":3}", "body/a duplicate, body/a value" },
    { "{\"a\":1,\"a\":2}", "{}", "body/a missing" },
    { "[1,{\"a\":1,\"a\":1},2]", "[0,{\"a\":1},2]", "body/* value, body/*/a duplicate" },
    /* one side is no JSON */
    { "{\"a\":1}", "", "body syntax" },
    { "<html>", "{}", "body syntax" },
};

START_TEST(differences_are_rows)
{
    const row_t *row = &different[_i];
    mirror_rows_t first;
    int i;

    ck_assert_int_eq(compare(row->a, row->b), MIRROR_TREE_DONE);
    ck_assert_str_eq(all_rows(), row->rows);
    ck_assert_int_eq(same, 0);
    ck_assert_int_eq(rows.ignored, 0);
    /* the other way round: the same rows, `missing` and `extra` exchanged */
    first = rows;
    ck_assert_int_eq(compare(row->b, row->a), MIRROR_TREE_DONE);
    ck_assert_int_eq(rows.count, first.count);
    for (i = 0; i < first.count; i++) {
        mirror_kind_e kind = (mirror_kind_e)first.list[i].kind;

        kind = kind == MIRROR_KIND_MISSING ? MIRROR_KIND_EXTRA
               : kind == MIRROR_KIND_EXTRA ? MIRROR_KIND_MISSING
                                           : kind;
        ck_assert_ptr_nonnull(mirror_rows_find(&rows, kind, first.list[i].field));
    }
}
END_TEST

START_TEST(a_name_that_one_side_repeats_is_a_row_though_all_is_the_same)
{
    static const row_t texts[] = {
        { "{\"a\":1,\"a\":2}", "{\"a\":2}", "body/a duplicate" },
        { "{\"x\":[{},{\"a\":1,\"b\":0,\"a\":2}]}", "{\"x\":[{},{\"a\":2,\"b\":0}]}",
          "body/x/*/a duplicate" },
        { "[{\"a\":1,\"a\":2},{\"a\":2}]", "[{\"a\":2},{\"a\":1,\"a\":2}]", "" },
    };
    unsigned i;

    for (i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        ck_assert_int_eq(compare(texts[i].a, texts[i].b), MIRROR_TREE_DONE);
        ck_assert_str_eq(all_rows(), texts[i].rows);
        ck_assert_int_eq(same, 1);
    }
    options.unordered = 1;
    ck_assert_int_eq(compare("[1,{\"a\":1,\"a\":2}]", "[{\"a\":2},1]"), MIRROR_TREE_DONE);
    ck_assert_str_eq(all_rows(), "body/*/a duplicate");
    ck_assert_int_eq(same, 1);
}
END_TEST

START_TEST(long_numbers_are_texts)
{
    char *digits = repeat("1", "0", 62, "1"), *more = repeat("1", "0", 63, "1");

    ck_assert_int_eq(compare(digits, apr_pstrcat(pool, digits, ".0", NULL)), MIRROR_TREE_DONE);
    ck_assert_int_eq(same, 1);
    ck_assert_int_eq(compare(more, apr_pstrcat(pool, more, ".0", NULL)), MIRROR_TREE_DONE);
    ck_assert_str_eq(all_rows(), "body value");
    ck_assert_int_eq(compare(more, more), MIRROR_TREE_DONE);
    ck_assert_int_eq(same, 1);
    ck_assert_int_eq(compare(repeat("1", "0", 100, ""), "1e100"), MIRROR_TREE_DONE);
    ck_assert_int_eq(same, 1);
    ck_assert_int_eq(compare(repeat("0.", "0", 99, "1"), "1e-100"), MIRROR_TREE_DONE);
    ck_assert_int_eq(same, 1);
    ck_assert_int_eq(compare("1e99999999999999999999999", "1e-99999999999999999999999"),
                     MIRROR_TREE_DONE);
    ck_assert_str_eq(all_rows(), "body value");
}
END_TEST

START_TEST(values_that_look_like_ids_or_times_are_marked)
{
    static const struct {
        const char *a, *b;
        int is_volatile;
    } texts[] = {
        { "{\"id\":\"6ba7b810-9dad-11d1-80b4-00c04fd430c8\"}",
          "{\"id\":\"6ba7b811-9dad-11d1-80b4-00c04fd430c8\"}", 1 },
        { "{\"id\":1795824001}", "{\"id\":1795824002}", 1 },
        { "{\"id\":1795824001.5}", "{\"id\":1795824002.5}", 0 },
        { "{\"id\":\"a\"}", "{\"id\":\"b\"}", 0 },
        { "{\"id\":1795824001}", "{\"id\":\"1795824002\"}", 0 },
        { "[\"6ba7b810-9dad-11d1-80b4-00c04fd430c8\",\"a\"]",
          "[\"6ba7b811-9dad-11d1-80b4-00c04fd430c8\",\"b\"]", 0 },
    };
    unsigned i;

    for (i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        ck_assert_int_eq(compare(texts[i].a, texts[i].b), MIRROR_TREE_DONE);
        ck_assert_int_eq(rows.count, 1);
        ck_assert_msg(rows.list[0].volatile_shape == texts[i].is_volatile, "%s", texts[i].a);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json");
    TCase *tcase = tcase_create("json");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, notation_does_not_count, 0, sizeof(equal) / sizeof(*equal));
    tcase_add_loop_test(tcase, differences_are_rows, 0, sizeof(different) / sizeof(*different));
    tcase_add_test(tcase, a_name_that_one_side_repeats_is_a_row_though_all_is_the_same);
    tcase_add_test(tcase, long_numbers_are_texts);
    tcase_add_test(tcase, values_that_look_like_ids_or_times_are_marked);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
