/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_headers.c - two blocks of header fields: how they are read, limits, rules.
 */
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>
#include <check.h>

#include "compare/headers.h"
#include "settings/compare_rule.h"
#include "compare_headers.h"
#include "suite.h"

static const row_t plain[] = {
    { "", "", "" },
    { "A: 1\r\n", "a:1\n", "" },
    { "A: 1\n", "A: 2\n", "a value" },
    { "A: x\n", "A: X\n", "a value" },
    { "A: 1\n", "", "a missing" },
    { "", "A: 1\n", "a extra" },
    { "A:\n", "", "a missing" },
    { "A:\n", "A: \t\n", "" },
    { "B: 1\nA: 1\n", "A: 1\nB: 1\n", "" },
    { "C: 1\nA: 1\n", "B: 1\nA: 2\n", "a value, b extra, c missing" },
    { "Content-Type: text/html\n", "content-TYPE: text/html\n", "" },
    /* repeated fields */
    { "A: 1\nA: 2\n", "A: 1\nB: 3\nA: 2\n", "b extra" },
    { "A: 1\nA: 2\n", "A: 2\nA: 1\n", "a value" },
    { "A: 1\nA: 2\n", "A: 1\n", "a value" },
    { "A: 1\nA: 2\n", "A: 1, 2\n", "" },
    { "A: 1\nA: 1\n", "A: 1\n", "a value" },
    /* folded, malformed */
    { "A: 1\r\n 2\r\n\t 3\r\n", "A: 1 2 3\r\n", "" },
    { "A:\n  1\n", "A: 1\n", "" },
    { "A: 1\n \n", "A: 1\n", "" },
    { " A: 1\nB: 2\n", "B: 2\n", "" },
    { "no colon\n folded: 1\nB: 2\n", "B: 2\n", "" },
    { "A B: 1\n: 1\n\x01: 1\n\xc3\xa9: 1\nB: 2\n", "B: 2\n", "" },
    { "A \t: 1\n", "A: 1\n", "" },
    { "A: 1", "A: 1\r\n", "" },
    { "A: 1\r", "A: 1\n", "" },
    { "A: 1\r\n\r\nB: 2\r\n", "A: 1\r\n", "" },
    { "A: 1\n\nB: 2\n", "A: 1\n", "" },
    { "A: a:b\n", "A: a:c\n", "a value" },
    { "A: \xff\n", "A: \xfe\n", "a value" },
};

START_TEST(fields_are_compared_by_name)
{
    const mirror_headers_options_t options = { NULL, 0, NOW };

    check(&options, plain[_i].a, plain[_i].b, plain[_i].expected);
}
END_TEST

START_TEST(decoded_bodies_make_their_coding_irrelevant)
{
    static const row_t decoded[] = {
        { "Content-Encoding: gzip\n", "", "" },
        { "Content-Encoding: gzip\n", "Content-Encoding: br\n", "" },
        { "Vary: Accept-Encoding\n", "", "" },
        { "Vary: accept-encoding, Origin\n", "Vary: origin\n", "" },
        { "Vary: Accept-Encoding, Origin\n", "", "vary missing" },
        { "Vary: Accept-Encoding\nVary: Origin\n", "Vary: Accept\n", "vary value" },
    };
    const mirror_headers_options_t options = { NULL, 1, NOW };

    check(&options, decoded[_i].a, decoded[_i].b, decoded[_i].expected);
}
END_TEST

START_TEST(other_bodies_do_not)
{
    const mirror_headers_options_t options = { NULL, 0, NOW };

    check(&options, "Content-Encoding: gzip\n", "", "content-encoding missing");
    check(&options, "Vary: Accept-Encoding\n", "", "vary missing");
}
END_TEST

START_TEST(a_NUL_is_a_byte_of_a_value)
{
    const mirror_headers_options_t options = { NULL, 0, NOW };

    compare(&options,
            "A: 1\0"
            "2\n",
            7,
            "A: 1\0"
            "3\n",
            7);
    ck_assert_str_eq(rows_text(), "a value");
    compare(&options, "Location: http://a\0/b\n", 22, "Location: http://a\0/c\n", 22);
    ck_assert_str_eq(rows_text(), "location value");
    compare(&options, "A\0: 1\nB: 1\n", 11, "B: 1\n", 5);
    ck_assert_str_eq(rows_text(), "");
}
END_TEST

/* `count` fields "x<number>: <value>". */
static char *many_fields(int count, const char *value)
{
    char *block = malloc(count * 32), *to = block;
    int i;

    for (i = 0; i < count; i++) {
        to += apr_snprintf(to, 32, "x%05d: %s\r\n", i, value);
    }
    return block;
}

START_TEST(fields_and_rows_have_a_limit)
{
    const mirror_headers_options_t options = { NULL, 0, NOW };
    char *a = many_fields(3000, "1"), *b = many_fields(3000, "2");

    compare(&options, a, strlen(a), b, strlen(b));
    ck_assert_int_eq(rows.count, MIRROR_ROWS_MAX);
    ck_assert_int_eq(rows.more, MIRROR_HEADERS_FIELDS_MAX - MIRROR_ROWS_MAX);
    ck_assert_str_eq(rows.list[0].field, "header/x00000");
    free(a);
    free(b);
}
END_TEST

/* A megabyte of `unit`s behind a name: time and memory must be linear, or nearly so. */
static char *repeated(const char *name, const char *unit)
{
    apr_size_t len = 1 << 20, at = strlen(name);
    char *block = malloc(len + 64);

    memcpy(block, name, at);
    for (; at + strlen(unit) < len; at += strlen(unit)) {
        memcpy(block + at, unit, strlen(unit));
    }
    memcpy(block + at, "\n", 2);
    return block;
}

START_TEST(long_values_take_linear_time)
{
    static const char *const list[][2] = {
        { "A: 1", "\n x" },
        { "A:", "\n " },
        { "Vary: ", "a," },
        { "Vary: ", "\"" },
        { "Cache-Control: ", "\\" },
        { "Content-Type: a/b", ";a=\"\\\"\"" },
        { "Set-Cookie: a=b", ";c" },
        { "Content-Security-Policy: ", "'nonce-" },
        { "WWW-Authenticate: ", ",nonce=" },
        { "WWW-Authenticate: ", ",nonce=\"" },
        { "Location: ", "a" },
        { "Location: http://", "a" },
        { "Expires: ", "1" },
        { "", "A" },
        { "", "A: 1\n" },
        { "", " \n" },
    };
    const mirror_headers_options_t options = { NULL, 1, NOW };
    char *a = repeated(list[_i][0], list[_i][1]), *b = apr_pstrdup(pool, a);

    b[strlen(b) - 2] = '!';
    compare(&options, a, strlen(a), b, strlen(b));
    ck_assert_int_le(rows.count, 1);
    free(a);
}
END_TEST

START_TEST(a_long_name_is_cut_in_its_row)
{
    const mirror_headers_options_t options = { NULL, 0, NOW };
    char *a = repeated("", "x");

    a[1000] = ':';
    compare(&options, a, strlen(a), "", 0);
    ck_assert_int_eq(rows.count, 1);
    ck_assert_uint_eq(strlen(rows.list[0].field), MIRROR_FIELD_MAX);
    free(a);
}
END_TEST

START_TEST(a_field_is_found)
{
    static const char block[] = "A: 1\r\nContent-Encoding: gzip\r\nb: 2\r\ncontent-encoding: br\r\n"
                                "C:\r\n";

    ck_assert_str_eq(mirror_headers_find(block, strlen(block), "Content-Encoding", pool),
                     "gzip, br");
    ck_assert_str_eq(mirror_headers_find(block, strlen(block), "B", pool), "2");
    ck_assert_str_eq(mirror_headers_find(block, strlen(block), "c", pool), "");
    ck_assert_ptr_null(mirror_headers_find(block, strlen(block), "content", pool));
    ck_assert_ptr_null(mirror_headers_find(NULL, 0, "a", pool));
}
END_TEST

/* ---- rules ---- */

/* One rule a line. */
static apr_array_header_t *make_rules(const char *texts)
{
    apr_array_header_t *rules = apr_array_make(pool, 4, sizeof(mirror_compare_rule_t *));
    char *last, *text;

    for (text = apr_strtok(apr_pstrdup(pool, texts), "\n", &last); text;
         text = apr_strtok(NULL, "\n", &last)) {
        const char *wrong = mirror_compare_rule_parse(apr_array_push(rules), text, pool);

        ck_assert_msg(wrong == NULL, "%s: %s", text, wrong ? wrong : "");
    }
    return rules;
}

static const struct {
    const char *rules, *a, *b, *expected;
    int ignored;
} ruled[] = {
    { "header/a ignore", "A: 1\n", "A: 2\n", "", 1 },
    { "header/a ignore", "A: 1\n", "", "", 1 },
    { "header/a ignore", "A: 1\nB: 1\n", "A: 1\nB: 2\n", "b value", 0 },
    { "header/A ignore", "", "a: 2\n", "", 1 },
    { "header/a presence", "A: 1\n", "A: 2\nA: 3\n", "", 1 },
    { "header/a presence", "A: 1\n", "", "a missing", 0 },
    { "header/a match ^[0-9]+$", "A: 1\n", "A: 22\n", "", 1 },
    { "header/a match ^[0-9]+$", "A: 1\n", "A: b\n", "a value", 0 },
    { "header/a match ^[0-9]+$", "A: 1\nA: 2\n", "A: 3\nA: 4\n", "", 1 },
    { "header/a match ^[0-9]+$", "A: 1\nA: 2\n", "A: 3\nA: b\n", "a value", 0 },
    { "header/a match ^[0-9]+$", "A: 1\nA: b\n", "A: 3\nA: b\n", "", 1 },
    { "header/a match ^[0-9, ]+$", "A: 1\nA: 2\n", "A: 3\n", "", 1 },
    { "header/a match ^[0-9]+$", "A: 1\n", "", "a missing", 0 },
    { "header/a mask v[0-9]", "A: x v1\n", "A: x v2\n", "", 1 },
    { "header/a mask v[0-9]", "A: x v1\n", "A: y v2\n", "a value", 0 },
    { "header/a mask x\nheader/a match .", "A: 1\n", "A: 2\n", "", 1 },
    { "header/a mask x\nheader/a mask [0-9]", "A: a1x\n", "A: 2a\n", "", 1 },
    { "header/a mask x\nheader/a mask [0-9]", "A: a1x\nA: b3\n", "A: 2a\nA: bx\n", "", 1 },
    { "header/a mask x\nheader/a mask [0-9]", "A: a1x\n", "A: 2b\n", "a value", 0 },
    { "header/a within 2", "A: 1\n", "A: 3\n", "", 1 },
    { "header/a within 2", "A: 1\n", "A: 4\n", "a value", 0 },
    { "header/expires within 10s", "Expires: " D1 "\n", "Expires: " D2 "\n", "", 1 },
    /* the form without authority, and the whole value */
    { "header/location mask [0-9]+$", "Location: http://a/x/1\n", "Location: http://b/x/2\n", "",
      1 },
    { "header/location match ^http:", "Location: http://a/x\n", "Location: http://b/y\n", "", 1 },
    { "header/set-cookie mask path=[^;]*", "Set-Cookie: b=1; Path=/x\nSet-Cookie: a=1\n",
      "Set-Cookie: a=2\nSet-Cookie: b=2; Path=/y\n", "", 1 },
    /* what is noise already is not forgiven once more */
    { "header/date ignore", "Date: 1\n", "Date: 2\n", "", 0 },
    { "header/date ignore", "Date: 1\n", "", "", 1 },
    { "header/date match x", "Date: 1\n", "Date: 2\n", "~date value", 0 },
    /* compare */
    { "header/date compare", "Date: 1\n", "Date: 2\n", "date value", 0 },
    { "header/date compare\nheader/date within 1", "Date: 1\n", "Date: 2\n", "", 1 },
    { "header/via compare", "Via: 1\n", "Via: 2\n", "via value", 0 },
    { "header/via compare", "Via: 1\n", "", "via missing", 0 },
    { "header/proxy-x compare", "Proxy-X: 1\n", "", "proxy-x missing", 0 },
    { "header/etag compare", "ETag: \"a\"\n", "ETag: \"b\"\n", "etag value", 0 },
    { "header/set-cookie compare", "Set-Cookie: a=1\n", "Set-Cookie: a=2\n", "set-cookie value",
      0 },
    { "header/set-cookie compare", "Set-Cookie: a=1\nSet-Cookie: b=1; X; Y\n",
      "Set-Cookie: b=1; y; x\nSet-Cookie: a=1\n", "", 0 },
    { "header/location compare", "Location: http://a/\n", "Location: http://b/\n", "location value",
      0 },
    { "header/expires compare", "Expires: " D1 "\n", "Expires: Sun, 06 Nov 1994 08:49:38 GMT\n",
      "expires value", 0 },
    { "header/vary compare", "Vary: a, b\n", "Vary: b, a\n", "", 0 },
    { "header/content-encoding compare", "Content-Encoding: gzip\n", "", "content-encoding missing",
      0 },
};

START_TEST(rules_forgive_or_compare)
{
    const mirror_headers_options_t options = { make_rules(ruled[_i].rules), 1, NOW };

    compare(&options, ruled[_i].a, strlen(ruled[_i].a), ruled[_i].b, strlen(ruled[_i].b));
    ck_assert_msg(!strcmp(rows_text(), ruled[_i].expected), "%s: %s", ruled[_i].rules, rows_text());
    ck_assert_int_eq(rows.ignored, ruled[_i].ignored);
    ck_assert_int_eq(count_failed(&rows), 0);
}
END_TEST

START_TEST(a_failing_expression_is_counted)
{
    const mirror_headers_options_t options = { make_rules("header/a match ^(a+)+$"), 0, NOW };
    char *a = repeated("A: ", "a"), *b = apr_pstrdup(pool, a);

    a[200000] = '!';
    b[200000] = '?';
    compare(&options, a, 200001, b, 200001);
    ck_assert_str_eq(rows_text(), "a value");
    ck_assert_int_eq(count_failed(&rows), 1);
    ck_assert_int_eq(rows.ignored, 0);
    free(a);
}
END_TEST

#define COUNT(list) (sizeof(list) / sizeof(*(list)))

int main(void)
{
    Suite *suite = suite_create("headers");
    TCase *tcase = tcase_create("headers");

    apr_initialize();
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, fields_are_compared_by_name, 0, COUNT(plain));
    tcase_add_loop_test(tcase, decoded_bodies_make_their_coding_irrelevant, 0, 6);
    tcase_add_test(tcase, other_bodies_do_not);
    tcase_add_test(tcase, a_NUL_is_a_byte_of_a_value);
    tcase_add_test(tcase, fields_and_rows_have_a_limit);
    tcase_add_loop_test(tcase, long_values_take_linear_time, 0, 16);
    tcase_add_test(tcase, a_long_name_is_cut_in_its_row);
    tcase_add_test(tcase, a_field_is_found);
    tcase_add_loop_test(tcase, rules_forgive_or_compare, 0, COUNT(ruled));
    tcase_add_test(tcase, a_failing_expression_is_counted);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
