/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_judge_length.c - two bodies, one of which is empty, or too long to be compared.
 */
#include <string.h>

#include <apr_strings.h>
#include <check.h>

#include "judge_pair.h"
#include "suite.h"

static void prepare(void)
{
    prepare_parts(1U << MIRROR_PART_BODY);
}

START_TEST(an_empty_body_is_a_missing_one)
{
    fill(&a, 200, "Content-Type: application/pdf\n", "1");
    fill(&b, 200, "Content-Type: application/pdf\n", "");
    ck_assert_str_eq(judged(), "different: body missing");
    add_rule("body presence");
    ck_assert_str_eq(judged(), "different: body missing");
    fill(&b, 200, "Content-Type: application/pdf\n", "2");
    ck_assert_str_eq(judged(), "ignored");
    options.rules = NULL;
    fill(&a, 200, "Content-Type: text/html\n", "");
    fill(&b, 200, "Content-Type: text/html\n", "<p>");
    ck_assert_str_eq(judged(), "different: body extra");
    add_rule("body mask <p>");
    ck_assert_str_eq(judged(), "ignored");
    fill(&a, 200, JSON, "");
    fill(&b, 200, JSON, "{}");
    ck_assert_str_eq(judged(), "different: body syntax");
}
END_TEST

START_TEST(a_body_that_is_much_longer_is_another_one)
{
    fill(&a, 200, JSON GZIP, "");
    gzip_body(&a, "{\"a\":1}", 7);
    fill(&b, 200, JSON GZIP, "");
    b.body_skip = MIRROR_SKIP_TOO_LARGE;
    b.body_max = 7 * 16;
    ck_assert_str_eq(judged(), "different: body length");
    add_rule("body/b ignore");
    ck_assert_str_eq(judged(), "too_large");
    options.rules = NULL;
    add_rule("body/b within 1");
    ck_assert_str_eq(judged(), "different: body length");
    b.body_max--;
    ck_assert_str_eq(judged(), "too_large");
    fill(&a, 200, JSON GZIP, "x");
    ck_assert_str_eq(judged(), "too_large");
    a.body_skip = MIRROR_SKIP_TOO_LARGE;
    ck_assert_str_eq(judged(), "too_large");
    fill(&b, 200, JSON GZIP, "");
    gzip_body(&b, "{\"a\":1}", 7);
    a.body_max = 7 * 16;
    ck_assert_str_eq(judged(), "different: body length");
    b.body_skip = MIRROR_SKIP_STREAMED;
    ck_assert_str_eq(judged(), "too_large");
}
END_TEST

START_TEST(an_empty_body_is_missing_beside_one_that_is_too_long)
{
    fill(&a, 200, JSON, "");
    a.body_skip = MIRROR_SKIP_TOO_LARGE;
    a.body_max = 1024;
    fill(&b, 200, JSON, "");
    ck_assert_str_eq(judged(), "different: body missing");
    add_rule("body presence");
    ck_assert_str_eq(judged(), "different: body missing");
    fill(&b, 200, JSON, "1");
    ck_assert_str_eq(judged(), "too_large");
    options.rules = NULL;
    b = a;
    fill(&a, 200, JSON GZIP, "");
    gzip_body(&a, "", 0);
    ck_assert_str_eq(judged(), "different: body extra");
    add_rule("body mask x");
    ck_assert_str_eq(judged(), "too_large");
}
END_TEST

/* An array of so many ones. */
static char *ones(int n)
{
    char *text = apr_palloc(pool, 2 * (apr_size_t)n + 2);
    int i;

    text[0] = '[';
    for (i = 0; i < n; i++) {
        memcpy(text + 1 + 2 * i, i < n - 1 ? "1," : "1]", 3);
    }
    return text;
}

START_TEST(json_that_is_too_much_beside_little)
{
    char deep[2 * 200 + 1];

    fill(&a, 200, JSON, ones(40000));
    fill(&b, 200, JSON, ones(2499));
    ck_assert_str_eq(judged(), "different: body length");
    fill(&b, 200, JSON, ones(2500));
    ck_assert_str_eq(judged(), "too_many_nodes");
    memset(deep, '[', 200);
    memset(deep + 200, ']', 200);
    deep[400] = '\0';
    fill(&a, 200, JSON, "[]");
    fill(&b, 200, JSON, deep);
    ck_assert_str_eq(judged(), "different: body length");
    add_rule("body/b ignore");
    ck_assert_str_eq(judged(), "too_deep");
}
END_TEST

/* `[[[...1,1,...]]]`, in lines of their own if there is an indentation. */
static char *nested(int depth, int n, const char *indent)
{
    apr_array_header_t *parts = apr_array_make(pool, 64, sizeof(const char *));
    const char *line = *indent ? "\n" : "";
    int i;

    for (i = 0; i < depth; i++) {
        line = apr_pstrcat(pool, line, indent, NULL);
        APR_ARRAY_PUSH(parts, const char *) = apr_pstrcat(pool, "[", line, NULL);
    }
    for (i = 0; i < n; i++) {
        APR_ARRAY_PUSH(parts, const char *) = i < n - 1 ? apr_pstrcat(pool, "1,", line, NULL) : "1";
    }
    for (i = 0; i < depth; i++) {
        APR_ARRAY_PUSH(parts, const char *) = "]";
    }
    return apr_array_pstrcat(pool, parts, 0);
}

START_TEST(json_that_is_indented_is_no_other_one)
{
    char *narrow = nested(7, 500, ""), *wide = nested(7, 500, "    ");

    ck_assert_uint_gt(strlen(wide), 14 * strlen(narrow));
    fill(&a, 200, JSON, narrow);
    fill(&b, 200, JSON, wide);
    ck_assert_str_eq(judged(), "same_decoded");
    fill(&b, 200, JSON, "");
    b.body_skip = MIRROR_SKIP_TOO_LARGE;
    b.body_max = 16 * strlen(narrow);
    ck_assert_str_eq(judged(), "too_large");
    b.body_max = 70 * strlen(narrow);
    ck_assert_str_eq(judged(), "different: body length");
    fill(&a, 200, "Content-Type: text/plain\n", narrow);
    b.body_max = 16 * strlen(narrow);
    ck_assert_str_eq(judged(), "different: body length");
    fill(&a, 200, JSON, nested(200, 1, ""));
    fill(&b, 200, JSON, nested(200, 1, " "));
    ck_assert_str_eq(judged(), "too_deep");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("judge_length");
    TCase *tcase = tcase_create("all");

    tcase_add_checked_fixture(tcase, prepare, teardown);
    tcase_add_test(tcase, an_empty_body_is_a_missing_one);
    tcase_add_test(tcase, a_body_that_is_much_longer_is_another_one);
    tcase_add_test(tcase, an_empty_body_is_missing_beside_one_that_is_too_long);
    tcase_add_test(tcase, json_that_is_too_much_beside_little);
    tcase_add_test(tcase, json_that_is_indented_is_no_other_one);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
