/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_values.c - what compare_values keeps of values, and what it never keeps.
 */
#include <string.h>

#include <apr_strings.h>
#include <check.h>

#include "base/clock.h"
#include "compare/headers.h"
#include "json_pair.h"
#include "suite.h"

static mirror_values_t values;

static void prepare(void)
{
    setup();
    memset(&values, 0xaa, sizeof(values));
    values.mode = MIRROR_VALUES_MODE_FULL;
}

/* ---- forms ---- */

static const struct {
    mirror_values_e mode;
    const char *value;
    int is_string;
    const char *kept;
} forms[] = {
    { MIRROR_VALUES_MODE_FULL, "", 0, "" },
    { MIRROR_VALUES_MODE_FULL, "", 1, "\"\"" },
    { MIRROR_VALUES_MODE_FULL, "12.5e3", 0, "12.5e3" },
    { MIRROR_VALUES_MODE_FULL,
      "Stra\xc3\x9f"
      "e 7",
      1,
      "\"Stra\xc3\x9f"
      "e 7\"" },
    { MIRROR_VALUES_MODE_MASKED, "Alice, 42 (x)", 0, "aaaaa, 99 (a)" },
    { MIRROR_VALUES_MODE_MASKED,
      "Stra\xc3\x9f"
      "e 7",
      1, "\"aaaaaa 9\"" },
    { MIRROR_VALUES_MODE_MASKED, "-12.5", 0, "-99.9" },
    { MIRROR_VALUES_MODE_MASKED, "\xff\xfe", 0, "aa" },
};

START_TEST(values_are_kept_as_compare_values_says)
{
    values.mode = forms[_i].mode;
    mirror_values_keep(&values, 3, 1, forms[_i].value, strlen(forms[_i].value),
                       forms[_i].is_string);
    ck_assert_str_eq(values.text[3][1], forms[_i].kept);
}
END_TEST

START_TEST(long_values_are_cut)
{
    const apr_size_t max =
        _i & 1 ? (apr_size_t)MIRROR_VALUES_MASKED : (apr_size_t)MIRROR_VALUES_MAX;
    const char *unit = _i & 2 ? "\xc3\xa9" : "b";
    char *text = "";
    apr_size_t n, len;

    values.mode = _i & 1 ? MIRROR_VALUES_MODE_MASKED : MIRROR_VALUES_MODE_FULL;
    for (n = 1; n < 300; n++) {
        text = apr_pstrcat(pool, text, unit, NULL);
        mirror_values_keep(&values, 0, 0, text, strlen(text), _i & 4);
        len = strlen(values.text[0][0]);
        ck_assert_uint_le(len, max);
        ck_assert(strlen(text) + 2 > max || !strstr(values.text[0][0], "..."));
        ck_assert(n <= max || strstr(values.text[0][0], "..."));
        ck_assert(!(_i & 4) || values.text[0][0][len - 1] == '"');
    }
}
END_TEST

START_TEST(names_in_utf_16_are_known)
{
    mirror_values_keep(&values, 0, 0, "\0t\0o\0k\0e\0n\0=\0007", 14, 0);
    ck_assert_str_eq(values.text[0][0], "***");
}
END_TEST

START_TEST(a_nul_does_not_end_a_value)
{
    mirror_values_keep(&values, 0, 0, "a\0b", 3, 0);
    ck_assert_str_eq(values.text[0][0], "a?b");
}
END_TEST

/* ---- of rows ---- */

/* "field: a | b", for all rows. */
static const char *kept_values(void)
{
    const char *text = "";
    int i;

    for (i = 0; i < rows.count; i++) {
        text = apr_pstrcat(pool, text, i ? "; " : "", rows.list[i].field, ": ", values.text[i][0],
                           " | ", values.text[i][1], NULL);
    }
    return text;
}

static const struct {
    const char *rule, *a, *b, *kept;
} trees[] = {
    { NULL, "{\"a\":1}", "{\"a\":\"1\"}", "body/a: 1 | \"1\"" },
    { NULL, "{\"a\":true}", "{\"a\":null}", "body/a: true | null" },
    { NULL, "{\"a\":\"x\\u0041\"}", "{}", "body/a: \"xA\" | " },
    { NULL, "{}", "{\"a\":2.50}", "body/a:  | 2.50" },
    { NULL, "{\"a\":[1]}", "{\"a\":{}}", "body/a:  | " },
    { NULL, "{\"a\":[1]}", "{\"a\":7}", "body/a:  | 7" },
    { NULL, "[1,2]", "[1]", "body:  | " },
    { NULL, "[{\"p\":1},{\"p\":3}]", "[{\"p\":2},{\"p\":4}]", "body/*/p: 1 | 2" }, /* the first */
    { NULL, "{\"password\":\"x\"}", "{\"password\":\"y\"}", "body/password: *** | ***" },
    { NULL, "{\"card\":{\"no\":4111}}", "{\"card\":{\"no\":4112}}", "body/card/no: *** | ***" },
    { NULL, "{\"author\":\"x\"}", "{\"author\":\"y\"}", "body/author: \"x\" | \"y\"" },
    /* a value that has such a name in it */
    { NULL, "{\"a\":\"/x?access_token=7\"}", "{\"a\":\"/x?y=7\"}", "body/a: *** | \"/x?y=7\"" },
    { NULL, "{\"a\":\"{\\\"password\\\": 7}\"}", "{}", "body/a: *** | " },
    { NULL, "{\"password\":\"x\"}", "{}", "body/password: *** | " },
    /* a value whose name is beside it */
    { NULL, "[{\"name\":\"pin\",\"value\":7}]", "[{\"name\":\"pin\",\"value\":8}]",
      "body/*/value: *** | ***" },
    { NULL, "[{\"value\":{\"raw\":\"x\"},\"Key\":\"api_token\"}]",
      "[{\"Key\":\"api_token\",\"value\":{\"raw\":\"y\"}}]", "body/*/value/raw: *** | ***" },
    { NULL, "{\"id\":\"otp\",\"v\":[1]}", "{\"id\":\"otp\",\"v\":[2]}", "body/v/*: *** | ***" },
    { NULL, "{\"id\":\"a\",\"v\":1}", "{\"id\":\"pw\",\"v\":2}",
      "body/id: *** | ***; body/v: *** | ***" },
    { NULL, "[{\"name\":\"pin\"},{\"name\":\"spin\",\"value\":7}]",
      "[{\"name\":\"pin\"},{\"name\":\"spin\",\"value\":8}]", "body/*/value: 7 | 8" },
    { NULL, "{\"title\":\"pin\",\"value\":7}", "{\"title\":\"pin\",\"value\":8}",
      "body/value: 7 | 8" },
    { NULL, "{\"tokens\":{\"a\":\"x\"}}", "{\"tokens\":{\"a\":\"y\"}}",
      "body/tokens/a: *** | ***" },
    { "body/a secret", "{\"a\":1}", "{\"a\":2}", "body/a: *** | ***" },
    { "body/a secret", "{\"a\":{\"b\":1}}", "{\"a\":{\"b\":2}}", "body/a/b: *** | ***" },
    { "body secret", "{\"a\":{\"b\":1}}", "{\"a\":{\"b\":2}}", "body/a/b: *** | ***" },
    { "body/**/b secret", "{\"a\":1,\"b\":1}", "{\"a\":2,\"b\":2}",
      "body/a: 1 | 2; body/b: *** | ***" },
};

START_TEST(values_of_json_are_kept)
{
    if (trees[_i].rule) {
        add_rule(trees[_i].rule);
    }
    mirror_rows_clear(&rows);
    rows.values = &values;
    mirror_tree_compare(&rows, NULL, context, &options, trees[_i].a, strlen(trees[_i].a),
                        trees[_i].b, strlen(trees[_i].b));
    ck_assert_str_eq(kept_values(), trees[_i].kept);
    ck_assert_int_eq(rows.rule_count, trees[_i].rule != NULL);
}
END_TEST

/* `count` members of an object, up to 256, with names of other values: "property", "Property", ... */
static const char *naming(int count, const char *value)
{
    const char *text = "";
    int i, k;

    for (i = 0; i < count; i++) {
        char name[] = "property";

        for (k = 0; k < 8; k++) {
            name[k] = (char)(i >> k & 1 ? name[k] - 'a' + 'A' : name[k]);
        }
        text = apr_pstrcat(pool, text, "\"", name, "\":\"", value, "\",", NULL);
    }
    return text;
}

/* Compare two texts, which have 1 and 2 in place of a '?'. */
static void compare_with_values(const char *text)
{
    char *a = apr_pstrdup(pool, text), *b = apr_pstrdup(pool, text), *to;

    for (to = a; (to = strchr(to, '?')) != NULL;) {
        b[to - a] = '2';
        *to = '1';
    }
    mirror_rows_clear(&rows);
    rows.values = &values;
    mirror_tree_compare(&rows, NULL, context, &options, a, strlen(a), b, strlen(b));
}

START_TEST(many_names_beside_a_value_are_one_secret)
{
    compare_with_values(apr_pstrcat(pool, "{", naming(_i, "x"), "\"v\":?}", NULL));
    ck_assert_str_eq(kept_values(), _i <= 16 ? "body/v: 1 | 2" : "body/v: *** | ***");
}
END_TEST

/* The time of a comparison with `count` rows, whose values are below `depth` objects with names. */
static apr_time_t time_below_names(int depth, int count)
{
    const char *names, *text = "";
    char value[250];
    apr_time_t begun;
    int i;

    memset(value, 'p', sizeof(value)); /* it is compared with many words */
    value[sizeof(value) - 1] = '\0';
    names = naming(16, value);
    for (i = 0; i < count; i++) {
        text = apr_psprintf(pool, "%s%s\"k%d\":?", text, i ? "," : "", i);
    }
    text = apr_pstrcat(pool, "{", text, "}", NULL);
    for (i = 0; i < depth; i++) {
        text = apr_pstrcat(pool, "{", names, "\"x\":", text, "}", NULL);
    }
    begun = mirror_clock_thread();
    compare_with_values(text);
    ck_assert_int_eq(rows.count, count);
    ck_assert_str_eq(values.text[0][0], "1");
    return mirror_clock_thread() - begun;
}

START_TEST(names_beside_values_are_looked_at_once)
{
    apr_time_t one = time_below_names(100, 1);

    ck_assert_int_lt(time_below_names(100, 60), 10 * one);
}
END_TEST

static const struct {
    const char *rule, *a, *b, *kept;
} heads[] = {
    { NULL, "X: 1\n", "X: 2\nX: 3\n", "header/x: 1 | 2, 3" },
    { NULL, "X: 1\n", "", "header/x: 1 | " },
    { NULL, "Set-Cookie: a=1\n", "Set-Cookie: b=1\n", "header/set-cookie: *** | ***" },
    { NULL, "X-Pin: 1\n", "X-Spin: 1\n", "header/x-pin: *** | ; header/x-spin:  | 1" },
    { NULL, "X-Auth-Token: 1\n", "", "header/x-auth-token: *** | " },
    { NULL, "Location: /?token=7\n", "Location: /?code=7\n", "header/location: *** | /?code=7" },
    { NULL, "X: p\\a\n", "X: Authorization=Basic 7\n", "header/x: p\\a | ***" },
    { "header/x secret", "X: 1\n", "X: 2\n", "header/x: *** | ***" },
};

START_TEST(values_of_headers_are_kept)
{
    mirror_headers_options_t how = { NULL, 0, 0 };

    if (heads[_i].rule) {
        add_rule(heads[_i].rule);
    }
    how.rules = options.rules;
    mirror_rows_clear(&rows);
    rows.values = &values;
    mirror_headers_compare(&rows, &how, heads[_i].a, strlen(heads[_i].a), heads[_i].b,
                           strlen(heads[_i].b), pool);
    ck_assert_str_eq(kept_values(), heads[_i].kept);
}
END_TEST

#define LOOP(test, list) tcase_add_loop_test(tcase, test, 0, sizeof(list) / sizeof(*(list)))

int main(void)
{
    Suite *suite = suite_create("values");
    TCase *tcase = tcase_create("values");

    tcase_add_checked_fixture(tcase, prepare, teardown);
    LOOP(values_are_kept_as_compare_values_says, forms);
    tcase_add_loop_test(tcase, long_values_are_cut, 0, 8);
    tcase_add_test(tcase, names_in_utf_16_are_known);
    tcase_add_test(tcase, a_nul_does_not_end_a_value);
    tcase_add_loop_test(tcase, many_names_beside_a_value_are_one_secret, 14, 20);
    tcase_add_test(tcase, names_beside_values_are_looked_at_once);
    LOOP(values_of_json_are_kept, trees);
    LOOP(values_of_headers_are_kept, heads);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
