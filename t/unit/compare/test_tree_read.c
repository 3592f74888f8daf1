/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_tree_read.c - what is no JSON, and the caps of a text.
 */
#include <string.h>

#include <apr_strings.h>
#include <apr_thread_proc.h>
#include <check.h>

#include "json_pair.h"
#include "suite.h"

/* ---- no JSON ---- */

static const char *const broken[] = {
    "",
    " ",
    "{",
    "[1,]",
    "{\"a\":1}x",
    "1 2",
    "[1] [2]",
    "{\"a\"}",
    "nul",
    "'a'",
    "01",
    "1.",
    "-",
    "+1",
    ".5",
    "NaN",
    "\"",
    "\"\\\"",
    "\"\\u12\"",
    "\"\\x\"",
    "\"a\nb\"",
    "// a\n1",
    "{\"a\":1,}",
    "\xef\xbb\xbf{}",
    "\"\xff\"",
    "\"\xc0\xa2\"",
    "\"\xed\xa0\x80\"",
    "\"\xc3\"",
    "[\xc3\xa9]",
    "]",
    "{]",
    "[1}",
    "\"\xf4\x90\x80\x80\"",
    "true false",
    "\"a\" \"b\"",
};

START_TEST(invalid_json_is_detected)
{
    ck_assert_int_eq(compare(broken[_i], "{}"), MIRROR_TREE_DONE);
    ck_assert_str_eq(all_rows(), "body syntax");
    ck_assert_int_eq(compare("[1]", broken[_i]), MIRROR_TREE_DONE);
    ck_assert_str_eq(all_rows(), "body syntax");
    ck_assert_int_eq(same, 0);
    ck_assert_int_eq(compare(broken[_i], broken[_i]), MIRROR_TREE_NONE);
    ck_assert_int_eq(rows.count, 0);
}
END_TEST

START_TEST(a_nul_is_no_json)
{
    ck_assert_int_eq(compare_bytes("1\0", 2, "1", 1), MIRROR_TREE_DONE);
    ck_assert_str_eq(all_rows(), "body syntax");
    ck_assert_int_eq(compare_bytes("\"\0\"", 3, "1", 1), MIRROR_TREE_DONE);
    ck_assert_str_eq(all_rows(), "body syntax");
}
END_TEST

/* ---- caps ---- */

START_TEST(depth_is_bounded)
{
    char *deep = repeat(repeat("", "[", 128, ""), "]", 128, "");
    char *deeper = repeat(repeat("", "[", 129, ""), "]", 129, "");

    ck_assert_int_eq(compare(deep, "[]"), MIRROR_TREE_DONE);
    ck_assert_str_eq(all_rows(), "body length");
    ck_assert_int_eq(compare(repeat(repeat("", "[", 128, "1"), "]", 128, ""),
                             repeat(repeat("", "[", 128, "2"), "]", 128, "")),
                     MIRROR_TREE_DONE);
    ck_assert_int_eq(rows.count, 1);
    ck_assert_int_eq(compare(deeper, "[]"), MIRROR_TREE_TOO_DEEP);
    ck_assert_int_eq(compare("x", deeper), MIRROR_TREE_TOO_DEEP);
    ck_assert_int_eq(compare(repeat("", "[", 100000, ""), "[]"), MIRROR_TREE_TOO_DEEP);
    ck_assert_int_eq(compare("[]", repeat("", "{\"a\":", 200000, "")), MIRROR_TREE_TOO_DEEP);
    ck_assert_int_eq(rows.count, 0);
}
END_TEST

START_TEST(nodes_are_bounded)
{
    char *all = repeat("[", "0,", MIRROR_TREE_NODES_MAX - 2, "0]");
    char *more = repeat("[", "0,", MIRROR_TREE_NODES_MAX - 1, "0]");

    ck_assert_int_eq(compare(all, all), MIRROR_TREE_DONE);
    ck_assert_int_eq(same, 1);
    ck_assert_int_eq(compare(all, more), MIRROR_TREE_TOO_MANY);
    ck_assert_int_eq(compare(more, "x"), MIRROR_TREE_TOO_MANY);
    ck_assert_int_eq(compare(repeat("[", "\"\",", 200000, "\"\"]"), "[]"), MIRROR_TREE_TOO_MANY);
    ck_assert_int_eq(rows.count, 0);
    mirror_tree_context_trim(context);
    ck_assert_int_eq(compare("[1]", "[2]"), MIRROR_TREE_DONE);
    ck_assert_str_eq(all_rows(), "body/* value");
}
END_TEST

/* ---- stack ---- */

static void *APR_THREAD_FUNC compare_deep(apr_thread_t *thread, void *result)
{
    char *names = repeat(repeat("", "{\"a\":", 128, "1"), "}", 128, "");
    char *others = repeat(repeat("", "{\"a\":", 128, "2"), "}", 128, "");

    (void)thread;
    *(mirror_tree_e *)result = compare(names, others) != MIRROR_TREE_DONE
                                   ? MIRROR_TREE_NONE
                                   : compare(repeat("", "[", 100000, ""), "[]");
    return NULL;
}

START_TEST(a_small_stack_is_enough)
{
    mirror_tree_e result = MIRROR_TREE_NONE;
    apr_threadattr_t *attr;
    apr_thread_t *thread;
    apr_status_t rv;

    apr_threadattr_create(&attr, pool);
    ck_assert_int_eq(apr_threadattr_stacksize_set(attr, 64 * 1024), APR_SUCCESS);
    ck_assert_int_eq(apr_thread_create(&thread, attr, compare_deep, &result, pool), APR_SUCCESS);
    apr_thread_join(&rv, thread);
    ck_assert_int_eq(result, MIRROR_TREE_TOO_DEEP);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json_read");
    TCase *tcase = tcase_create("json_read");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, invalid_json_is_detected, 0, sizeof(broken) / sizeof(*broken));
    tcase_add_test(tcase, a_nul_is_no_json);
    tcase_add_test(tcase, depth_is_bounded);
    tcase_add_test(tcase, nodes_are_bounded);
    tcase_add_test(tcase, a_small_stack_is_enough);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
