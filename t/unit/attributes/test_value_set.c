/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_value_set.c - sets of words and lists of texts as values of attributes: compare and
 * compare_rules.
 */
#include "attributes.h"
#include "suite.h"

#define PARTS "compare: must be off, all, or a list of status, headers and body, got "
#define RULES                                                                                      \
    "compare_rules: must be at most 256 rules such as \"body/now ignore\" in a JSON array, got "

/* As the page's form and the directive give it. */
static const char *set_text(const char *name, const char *text)
{
    const mirror_attribute_t *row = mirror_attributes_find(name);

    memset(&settings, 0, sizeof(settings));
    return mirror_value_from_text((char *)&settings + row->offset, &row->rule, name, text, pool);
}

static const char *text_of(const char *name)
{
    const mirror_attribute_t *row = mirror_attributes_find(name);

    return mirror_value_to_text((char *)&settings + row->offset, &row->rule, pool);
}

static const char *json_of(const char *name)
{
    const mirror_attribute_t *row = mirror_attributes_find(name);
    yajl_gen json = yajl_gen_alloc(NULL);
    const unsigned char *text;
    size_t len;
    const char *copy;

    row->rule.type->print_json(json, (char *)&settings + row->offset, &row->rule);
    ck_assert_int_eq(yajl_gen_get_buf(json, &text, &len), yajl_gen_status_ok);
    copy = apr_pstrmemdup(pool, (const char *)text, len);
    yajl_gen_free(json);
    return copy;
}

/* ---- sets ---- */

static const struct {
    const char *text, *printed, *json;
} sets[] = {
    { "off", "off", "[]" },
    { "OFF", "off", "[]" },
    { "status", "status", "[\"status\"]" },
    { "body,status", "status,body", "[\"status\",\"body\"]" },
    { "Body,HEADERS,body", "headers,body", "[\"headers\",\"body\"]" },
    { "all", "status,headers,body", "[\"status\",\"headers\",\"body\"]" },
    { "all,body", "status,headers,body", "[\"status\",\"headers\",\"body\"]" },
};

START_TEST(test_set)
{
    int value;

    ck_assert_right(set_text("compare", sets[_i].text));
    ck_assert_str_eq(text_of("compare"), sets[_i].printed);
    ck_assert_str_eq(json_of("compare"), sets[_i].json);
    value = settings.compare;
    ck_assert_right(set_text("compare", sets[_i].printed));
    ck_assert_int_eq(settings.compare, value);
    ck_assert_right(set_json("compare", sets[_i].json));
    ck_assert_int_eq(settings.compare, value);
}
END_TEST

START_TEST(test_set_refused)
{
    static const char *const bad[] = { "",         ",",      "status,", ",status",  "status,,body",
                                       "off,body", "on",     "stat",    "statuses", "status body",
                                       " status",  "alls",   "al",      "status;",  "status, body",
                                       "0",        "[\"a\"]" };
    apr_size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        const char *wrong = set_text("compare", bad[i]);

        ck_assert_msg(wrong != NULL, "%s: accepted", bad[i]);
        ck_assert_msg(!strncmp(wrong, PARTS, sizeof(PARTS) - 1), "%s", wrong);
        ck_assert_int_eq(settings.compare, 0);
    }
    ck_assert_wrong(set_text("compare", "bodies"), PARTS "\"bodies\"");
}
END_TEST

START_TEST(test_set_refused_in_json)
{
    ck_assert_wrong(set_json("compare", "\"off\""), PARTS "\"off\"");
    ck_assert_wrong(set_json("compare", "true"), PARTS "true");
    ck_assert_wrong(set_json("compare", "{}"), PARTS "an object");
    ck_assert_wrong(set_json("compare", "[\"status\",\"off\"]"),
                    PARTS "a list (\"off\" is none of them)");
    ck_assert_wrong(set_json("compare", "[1]"), PARTS "a list (one is no string)");
    ck_assert_wrong(set_json("compare", "[[\"status\"]]"), PARTS "a list (one is no string)");
    ck_assert_right(set_json("compare", "[\"all\"]"));
    ck_assert_right(set_json("compare", "[\"BODY\",\"body\"]"));
    ck_assert_str_eq(text_of("compare"), "body");
}
END_TEST

/* ---- texts ---- */

START_TEST(test_texts)
{
    const char *given = "[\"body/a ignore\",\"header/x match \\\"a, b\\\"\",\"status ignore\"]";

    ck_assert_right(set_json("compare_rules", given));
    ck_assert_int_eq(settings.compare_rules->nelts, 3);
    ck_assert_str_eq(APR_ARRAY_IDX(settings.compare_rules, 1, const char *),
                     "header/x match \"a, b\"");
    ck_assert_str_eq(json_of("compare_rules"), given);
    ck_assert_str_eq(text_of("compare_rules"), given);
    ck_assert_right(set_text("compare_rules", given));
    ck_assert_str_eq(json_of("compare_rules"), given);
    ck_assert_right(set_text("compare_rules", " [ ] "));
    ck_assert_ptr_null(settings.compare_rules);
    ck_assert_ptr_null(text_of("compare_rules"));
    ck_assert_str_eq(json_of("compare_rules"), "[]");
    ck_assert_right(
        set_text("compare_rules", "[\"body/[{ ignore\", \"body/\\\\\\\"[[{{ ignore\"]"));
}
END_TEST

static const char *many(const char *before, const char *c, int n, const char *after)
{
    char *text = apr_palloc(pool, strlen(before) + strlen(c) * (apr_size_t)n + strlen(after) + 1);
    char *p = apr_cpystrn(text, before, strlen(before) + 1);

    for (; n > 0; n--) {
        p = apr_cpystrn(p, c, strlen(c) + 1);
    }
    apr_cpystrn(p, after, strlen(after) + 1);
    return text;
}

START_TEST(test_texts_refused)
{
    static const char *const bad[] = { "",       "body/a ignore", "[",      "[]]",      "{}",
                                       "[\"a\"", "\"a\"",         "null",   "[\"a\",]", "[,]",
                                       "[[]]",   "[{}]",          "[null]", "[1]",      "[true]",
                                       "['a']",  "[\"\xff\"]" };
    apr_size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        const char *wrong = set_text("compare_rules", bad[i]);

        ck_assert_msg(wrong != NULL, "%s: accepted", bad[i]);
        ck_assert_msg(!strncmp(wrong, RULES, sizeof(RULES) - 1), "%s", wrong);
        ck_assert_ptr_null(settings.compare_rules);
    }
    ck_assert_ptr_nonnull(
        strstr(set_json("compare_rules", "[\"\"]"), "(one is empty or too long)"));
    ck_assert_ptr_nonnull(
        strstr(set_json("compare_rules", "[\"a\\nb\"]"), "(one has a control character)"));
    ck_assert_ptr_nonnull(set_json("compare_rules", many("[\"a\"", ",\"a\"", 256, "]")));
    ck_assert_right(set_json("compare_rules", many("[\"a\"", ",\"a\"", 255, "]")));
    ck_assert_ptr_nonnull(set_json("compare_rules", many("[\"", "a", 1401, "\"]")));
    ck_assert_right(set_json("compare_rules", many("[\"", "a", 1400, "\"]")));
    ck_assert_ptr_nonnull(set_text("compare_rules", "[\"a\\u0000b\"]"));
    ck_assert_right(set_text("compare_rules", "[\"a\\\\u0000b\"]"));
    ck_assert_ptr_nonnull(
        strstr(set_text("compare_rules", "[\"a\\udc00b\"]"), "(one is no valid UTF-8)"));
}
END_TEST

/* yajl's tree is built and freed recursively, and the text of a form has no other bound on its
 * depth. The stack of a thread may be small. */
START_TEST(test_deep_texts)
{
    static const char *const open[] = { "[", "{\"a\":", "[{\"a\":", "[\"\\\"\",[" };
    apr_size_t i;

    for (i = 0; i < sizeof(open) / sizeof(*open); i++) {
        ck_assert_ptr_nonnull(set_text("compare_rules", many("", open[i], 300000, "")));
        ck_assert_ptr_nonnull(set_text("compare_rules", many("[\"a\",", open[i], 300000, "")));
        ck_assert_ptr_nonnull(set_text("compare_rules", many("[\"\\\\\",", open[i], 300000, "")));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("value_set");
    TCase *tcase = tcase_create("all");

    apr_initialize();
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, test_set, 0, sizeof(sets) / sizeof(*sets));
    tcase_add_test(tcase, test_set_refused);
    tcase_add_test(tcase, test_set_refused_in_json);
    tcase_add_test(tcase, test_texts);
    tcase_add_test(tcase, test_texts_refused);
    tcase_add_test(tcase, test_deep_texts);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
