/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_tree_path.c - the fields of rows: bounded, inert, and good as rules.
 */
#include <string.h>

#include <apr_strings.h>
#include <check.h>

#include "json_pair.h"
#include "suite.h"

/* An object with n members of random names. */
static char *members(int n, const char *format)
{
    char *text = repeat("{", " ", 32 * n, "}"), *p = text + 1;
    int i;

    for (i = 0; i < n; i++) {
        p += apr_snprintf(p, 32, format, i);
        *p++ = i + 1 < n ? ',' : ' ';
    }
    return text;
}

START_TEST(random_names_are_one_row)
{
    ck_assert_int_eq(compare(members(1000, "\"a%d\":1"), members(1000, "\"b%d\":1")),
                     MIRROR_TREE_DONE);
    ck_assert_str_eq(all_rows(), "body/* missing, body/* extra");
    ck_assert_int_eq(compare(members(65, "\"a%d\":1"), members(64, "\"a%d\":1")), MIRROR_TREE_DONE);
    ck_assert_str_eq(all_rows(), "body/* missing");
    ck_assert_int_eq(compare(members(64, "\"a%d\":1"), members(63, "\"a%d\":1")), MIRROR_TREE_DONE);
    ck_assert_str_eq(all_rows(), "body/a63 missing");
    ck_assert_int_eq(compare("{\"1234\":1}", "{\"1234\":2}"), MIRROR_TREE_DONE);
    ck_assert_str_eq(all_rows(), "body/* value");
}
END_TEST

START_TEST(rows_are_bounded)
{
    char *text = repeat("{", " ", 3000, "}"), *p = text + 1;
    int i;

    for (i = 0; i < 60; i++) {
        p += apr_snprintf(p, 64, "\"k%d\":{\"a\":1,\"b\":2},", i);
    }
    apr_snprintf(p, 64, "\"z\":1}");
    p = apr_pstrdup(pool, text);
    for (i = 0; p[i]; i++) {
        p[i] = p[i] == '2' ? '3' : p[i] == '1' ? '0' : p[i];
    }
    ck_assert_int_eq(compare(text, p), MIRROR_TREE_DONE);
    ck_assert_int_eq(rows.count, MIRROR_ROWS_MAX);
    ck_assert_int_gt(rows.more, 0);
}
END_TEST

/* ---- fields ---- */

static const char *const names[][2] = {
    { "a", "body/a" },
    { "", "body/" },
    { "a-b.c_d", "body/a-b.c_d" },
    { "~", "body/~0" },
    { "*", "body/~2" },
    { "**", "body/~2~2" },
    { "~1*~", "body/~01~2~0" },
    { "<script>", "body/<script>" },
    { "\xc3\xa9\xe4\xb8\xad", "body/\xc3\xa9\xe4\xb8\xad" },
    { "a b", "body/*" },
    { "\\\"; DROP", "body/*" },
    { "a\\nb", "body/*" },
    { "\\u001b[31m", "body/*" },
    { "\\u0000", "body/*" },
    { "\\u202eabc", "body/*" },
    { "\\u0085", "body/*" },
    { "\\u200b", "body/*" },
    { "\\ufeff", "body/*" },
    { "me@example.com", "body/*" },
    { "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "body/*" },
};

/* That the text, as a rule, matches, and that is has neither controls nor blanks. */
static void check_field(const char *a, const char *b)
{
    const char *field = apr_pstrdup(pool, rows.list[0].field), *c;

    ck_assert_uint_le(strlen(field), MIRROR_FIELD_MAX);
    for (c = field; *c; c++) {
        ck_assert_msg((unsigned char)*c > ' ' && *c != 0x7f, "%s", field);
    }
    add_rule(apr_pstrcat(pool, field, " ignore", NULL));
    ck_assert_int_eq(compare(a, b), MIRROR_TREE_DONE);
    ck_assert_msg(rows.count == 0 && rows.ignored == 1, "%s: not ignored", field);
    options.rules = NULL;
}

START_TEST(a_field_that_is_printed_is_a_rule)
{
    char *a = apr_pstrcat(pool, "{\"x\":[{\"", names[_i][0], "\":1}]}", NULL);
    char *b = apr_pstrcat(pool, "{\"x\":[{\"", names[_i][0], "\":2}]}", NULL);
    const char *want = apr_pstrcat(pool, "body/x/*", names[_i][1] + 4, NULL);

    ck_assert_int_eq(compare(a, b), MIRROR_TREE_DONE);
    ck_assert_int_eq(rows.count, 1);
    ck_assert_str_eq(rows.list[0].field, want);
    check_field(a, b);
}
END_TEST

START_TEST(a_long_field_has_its_middle_cut)
{
    static const struct {
        int depth, name;
        const char *c;
    } texts[] = { { 2, 50, "x" },   { 3, 60, "x" },  { 4, 29, "~" }, { 128, 1, "x" },
                  { 127, 60, "y" }, { 128, 0, "a" }, { 9, 61, "*" }, { 2, 10240, "z" },
                  { 60, 30, "~" },  { 1, 60, "*" },  { 30, 31, "/" } };
    char *name, *a, *b;
    unsigned i;

    for (i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        name = repeat("{\"", texts[i].c, texts[i].name, "\":");
        a = apr_pstrcat(pool, repeat("", name, texts[i].depth, "1"),
                        repeat("", "}", texts[i].depth, ""), NULL);
        b = apr_pstrcat(pool, repeat("", name, texts[i].depth, "2"),
                        repeat("", "}", texts[i].depth, ""), NULL);
        ck_assert_int_eq(compare(a, b), MIRROR_TREE_DONE);
        ck_assert_int_eq(rows.count, 1);
        check_field(a, b);
    }
}
END_TEST

START_TEST(the_cut_keeps_whole_segments)
{
    ck_assert_int_eq(compare("{\"pppppppppppppppppppppppppppppppppppppppp\":{"
                             "\"qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq\":{"
                             "\"rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr\":[{\"d\":1}]}}}",
                             "{\"pppppppppppppppppppppppppppppppppppppppp\":{"
                             "\"qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq\":{"
                             "\"rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr\":[{\"d\":2}]}}}"),
                     MIRROR_TREE_DONE);
    ck_assert_str_eq(all_rows(), "body/pppppppppppppppppppppppppppppppppppppppp/**/"
                                 "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr/*/d value");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json_path");
    TCase *tcase = tcase_create("json_path");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, random_names_are_one_row);
    tcase_add_test(tcase, rows_are_bounded);
    tcase_add_loop_test(tcase, a_field_that_is_printed_is_a_rule, 0,
                        sizeof(names) / sizeof(*names));
    tcase_add_test(tcase, a_long_field_has_its_middle_cut);
    tcase_add_test(tcase, the_cut_keeps_whole_segments);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
