/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_judge.c - two responses: what ends the comparison, which verdict comes before which, and what
 * is said without budget.
 */
#include <string.h>

#include <apr_strings.h>
#include <check.h>

#include "judge_pair.h"
#include "suite.h"

#define STATUS (1U << MIRROR_PART_STATUS)
#define HEADER (1U << MIRROR_PART_HEADER)
#define BODY   (1U << MIRROR_PART_BODY)
#define ALL    (STATUS | HEADER | BODY)
#define LARGE  (2 * 1024 * 1024)

static void prepare(void)
{
    prepare_parts(ALL);
}

/* ---- status ---- */

START_TEST(a_status_that_differs_ends_it)
{
    fill(&a, 200, "X-A: 1\n" JSON, "{}");
    fill(&b, 404, "X-A: 2\n" JSON, "[");
    ck_assert_str_eq(judged(), "different: status status");
    b.body_skip = MIRROR_SKIP_TOO_LARGE;
    ck_assert_str_eq(judged(), "different: status status");
    how.may_examine = 0;
    ck_assert_str_eq(judged(), "different: status status");
    how.may_examine = 1;
    how.parts = HEADER;
    ck_assert_str_eq(judged(), "different: header/x-a value");
}
END_TEST

START_TEST(a_304_on_one_side_is_conditional)
{
    fill(&b, 304, "X-A: 2\n", "");
    ck_assert_str_eq(judged(), "conditional");
    fill(&a, 304, "", "");
    ck_assert_str_eq(judged(), "different: header/x-a extra");
    fill(&b, 200, "", "x");
    ck_assert_str_eq(judged(), "conditional");
    fill(&b, 500, "", "x");
    ck_assert_str_eq(judged(), "different: status status");
    fill(&a, 206, "", "x");
    fill(&b, 304, "", "");
    how.parts = BODY;
    ck_assert_str_eq(judged(), "conditional");
}
END_TEST

START_TEST(a_status_that_a_rule_forgives_does_not_end_it)
{
    add_rule("status ignore");
    fill(&b, 500, "", "");
    ck_assert_str_eq(judged(), "ignored");
    fill(&b, 500, "", "x");
    ck_assert_str_eq(judged(), "different: body extra");
}
END_TEST

/* ---- no body ---- */

START_TEST(head_has_no_body)
{
    fill(&a, 200, "Content-Length: 5\nContent-Encoding: gzip\n" JSON, "");
    fill(&b, 200, "Content-Length: 7\nContent-Encoding: gzip\n" JSON, "");
    ck_assert_str_eq(judged(), "same");
    fill(&b, 200, JSON, ""); /* as with GET, where the decoded bodies are compared */
    ck_assert_str_eq(judged(), "same");
    fill(&b, 200, "Content-Type: text/html\nContent-Encoding: gzip\n", "");
    ck_assert_str_eq(judged(), "different: header/content-type value");
}
END_TEST

/* ---- order of verdicts ---- */

START_TEST(what_is_worse_comes_first)
{
    fill(&a, 200, "Date: x\n" JSON, "{\"a\":1,\"b\":1}");
    fill(&b, 200, "Date: x\n" JSON, "{\"a\":1,\"b\":1}");
    ck_assert_str_eq(judged(), "same");
    fill(&b, 200, "Date: y\n" JSON, "{\"a\":1,\"b\":1}");
    ck_assert_str_eq(judged(), "same: header/date value (built in)");
    fill(&b, 200, "Date: y\n" JSON, "{\"b\":1,\"a\":1}");
    ck_assert_str_eq(judged(), "same_decoded: header/date value (built in)");
    add_rule("body/x ignore");
    ck_assert_str_eq(judged(), "same_decoded: header/date value (built in)");
    options.rules = NULL;
    add_rule("body/a ignore");
    fill(&b, 200, "Date: y\n" JSON, "{\"b\":1,\"a\":2}");
    ck_assert_str_eq(judged(), "ignored: header/date value (built in)");
    ck_assert_int_eq(judgement.rows.ignored, 1);
    fill(&b, 200, "Date: y\n" JSON, "{\"b\":2,\"a\":2}");
    ck_assert_str_eq(judged(), "different: header/date value (built in), body/b value");
    how.parts = STATUS;
    ck_assert_str_eq(judged(), "same");
}
END_TEST

START_TEST(equal_bodies_are_not_ignored)
{
    add_rule("body ignore");
    fill(&a, 200, JSON, "{}");
    fill(&b, 200, JSON, "{}");
    ck_assert_str_eq(judged(), "same");
    fill(&b, 200, JSON, "{ }");
    ck_assert_str_eq(judged(), "ignored");
}
END_TEST

START_TEST(masks_of_a_body_are_all_cut)
{
    add_rule("body mask [0-9]+");
    add_rule("body mask x");
    fill(&a, 200, "Content-Type: text/plain\n", "a1x");
    fill(&b, 200, "Content-Type: text/plain\n", "a22");
    ck_assert_str_eq(judged(), "ignored");
    ck_assert_str_eq(judgement.rows.forgiven[0].field, "body");
    ck_assert_int_eq(judgement.rows.rule_count, 2);
    fill(&b, 200, "Content-Type: text/plain\n", "b22");
    ck_assert_str_eq(judged(), "different: body text");
}
END_TEST

START_TEST(a_body_that_is_not_there_is_skipped_unless_a_header_differs)
{
    fill(&a, 200, "", "a");
    b.body_skip = MIRROR_SKIP_TOO_LARGE;
    ck_assert_str_eq(judged(), "too_large");
    a.body_skip = MIRROR_SKIP_STREAMED;
    ck_assert_str_eq(judged(), "streamed");
    fill(&a, 200, "Date: x\n", "");
    fill(&b, 200, "Date: y\n", "");
    a.body_skip = MIRROR_SKIP_MEMORY;
    ck_assert_int_eq(strncmp(judged(), "memory", 6), 0);
    fill(&b, 200, "X-A: 1\n", "");
    ck_assert_str_eq(judged(), "different: header/date missing, header/x-a extra");
    how.parts = STATUS | HEADER;
    ck_assert_str_eq(judged(), "different: header/date missing, header/x-a extra");
    how.parts = STATUS;
    ck_assert_str_eq(judged(), "same");
}
END_TEST

/* ---- codings ---- */

START_TEST(codings_are_undone)
{
    fill(&a, 200, JSON GZIP, "");
    gzip_body(&a, "{\"a\":1}", 7);
    fill(&b, 200, JSON, "{\"a\": 1.0}");
    ck_assert_str_eq(judged(), "same_decoded");
    fill(&b, 200, JSON, "{\"a\": 2}");
    ck_assert_str_eq(judged(), "different: body/a value");
    fill(&b, 200, JSON GZIP, "");
    gzip_body(&b, "{\"a\":1}", 7);
    ck_assert_str_eq(judged(), "same");
    how.parts = HEADER;
    fill(&b, 200, JSON, "");
    ck_assert_str_eq(judged(), "different: header/content-encoding missing");
}
END_TEST

START_TEST(equal_bytes_in_another_coding_are_not_equal)
{
    fill(&a, 200, "Content-Encoding: gzip\n", "abc");
    fill(&b, 200, "", "abc");
    ck_assert_str_eq(judged(), "different: header/content-encoding missing, body encoding");
    fill(&b, 200, "content-encoding: GZIP\n", "abc");
    how.parts = BODY;
    ck_assert_str_eq(judged(), "same");
}
END_TEST

START_TEST(what_cannot_be_decoded)
{
    how.parts = BODY;
    fill(&a, 200, GZIP, "abc");
    fill(&b, 200, GZIP, "abd");
    ck_assert_str_eq(judged(), "undecodable");
    fill(&b, 200, "Content-Encoding: other\n", "abc");
    ck_assert_str_eq(judged(), "undecodable");
    fill(&b, 200, "", "abc");
    ck_assert_str_eq(judged(), "different: body encoding");
    fill(&b, 200, GZIP, "");
    gzip_body(&b, apr_pcalloc(pool, LARGE), LARGE);
    ck_assert_str_eq(judged(), "decoded_too_large");
    fill(&a, 200, "", "abc");
    ck_assert_str_eq(judged(), "different: body length");
    fill_bytes(&a.body, apr_pcalloc(pool, LARGE / 32 + 1), LARGE / 32 + 1);
    ck_assert_str_eq(judged(), "decoded_too_large");
    add_rule("body ignore");
    ck_assert_str_eq(judged(), "ignored");
}
END_TEST

/* ---- types ---- */

static const struct {
    const char *a_type, *b_type, *a, *b, *rows;
} types[] = {
    { "application/json", "application/json; charset=utf-8", "{}", "[]", "body type" },
    { "APPLICATION/JSON", "application/json", "1", "2", "body value" },
    { "application/x+json", "application/x+json", "1", "2", "body value" },
    { "application/jsonx", "application/jsonx", "1", "2", "body bytes" },
    { "text/plain", "text/plain", "1", "2", "body text" },
    { "application/xml", "application/xml", "1", "2", "body text" },
    { "image/svg+xml", "image/svg+xml", "1", "2", "body text" },
    { "image/png", "image/png", "1", "2", "body bytes" },
    { "text/plain", "text/html", "1", "2", "body content_type" },
    { "application/json", "text/html", "{}", "[", "body content_type" },
    { "application/json", "application/json", "{}", "{", "body syntax" },
    { "application/json", "application/json", "{", "[", "body text" },
    { "", "", "1", "2", "body bytes" },
};

START_TEST(the_type_says_how)
{
    how.parts = BODY;
    fill(&a, 200, apr_psprintf(pool, "Content-Type: %s\n", types[_i].a_type), types[_i].a);
    fill(&b, 200, apr_psprintf(pool, "Content-Type: %s\n", types[_i].b_type), types[_i].b);
    ck_assert_str_eq(judged(), apr_psprintf(pool, "different: %s", types[_i].rows));
    add_rule("body presence");
    ck_assert(_i == 8 || _i == 9 || !strcmp(judged(), "ignored"));
}
END_TEST

START_TEST(json_beyond_the_caps)
{
    fill(&a, 200, JSON, repeat("", "[", 200, ""));
    fill(&b, 200, JSON, repeat("\"", "a", 100, "\""));
    ck_assert_str_eq(judged(), "too_deep");
    fill(&a, 200, JSON, repeat("[", "1,", MIRROR_TREE_NODES_MAX, "1]"));
    fill(&b, 200, JSON, repeat("\"", "a", MIRROR_TREE_NODES_MAX, "\""));
    ck_assert_str_eq(judged(), "too_many_nodes");
    fill(&b, 200, JSON "X: 1\n", repeat("\"", "a", MIRROR_TREE_NODES_MAX, "\""));
    ck_assert_str_eq(judged(), "different: header/x extra");
}
END_TEST

START_TEST(an_expression_that_fails_forgives_nothing)
{
    add_rule("body match ^(a+)+$");
    fill(&a, 200, "Content-Type: text/plain\n", repeat("", "a", 40000, "b"));
    fill(&b, 200, "Content-Type: text/plain\n", repeat("", "a", 40001, "b"));
    ck_assert_str_eq(judged(), "different: body text");
    ck_assert_int_eq(judgement.rows.rule_count, 1);
    ck_assert(judgement.rows.rules[0].has_failed);
}
END_TEST

/* ---- no budget ---- */

START_TEST(without_budget_a_glance_is_all)
{
    how.may_examine = 0;
    how.json = NULL;
    ck_assert_str_eq(judged(), "same");
    fill(&a, 200, "Date: x\nX-A: 1\n" JSON, "{\"a\":1}");
    fill(&b, 200, "date: y\r\nX-A: 1\r\n" JSON, "{\"a\":1}");
    ck_assert_str_eq(judged(), "same: header/date value (built in)");
    fill(&b, 200, "Date: y\nX-A: 2\n" JSON, "{\"a\":1}");
    ck_assert_str_eq(judged(), "unexamined");
    how.parts = STATUS | BODY;
    ck_assert_str_eq(judged(), "same");
    fill(&b, 200, "", "{\"a\":1.0}");
    ck_assert_str_eq(judged(), "unexamined");
    how.parts = STATUS;
    ck_assert_str_eq(judged(), "same");
    how.parts = ALL;
    add_rule("header/date compare");
    fill(&b, 200, "Date: y\nX-A: 1\n" JSON, "{\"a\":1}");
    ck_assert_str_eq(judged(), "unexamined");
}
END_TEST

/* What a glance says is what a look says. `is_enough`: the glance is. */
static const struct {
    const char *rule, *a, *b, *text;
    int is_enough;
} glances[] = {
    { NULL, "Date: x\nVia: a\n", "date: y\nvia: b\n", "same: header/date value (built in)", 1 },
    { NULL, "Date: x\nDate: z\n", "Date: y\nDate: w\n", "same: header/date value (built in)", 1 },
    { NULL, "Date: x\nX: a\n", "X: a\nDate: y\n", "same: header/date value (built in)", 1 },
    { NULL, "Server: a\nX: 1\nX: 2\n",
      "Connection: x\nX: 1\r\nKeep-Alive: y\r\nX: 2\r\nServer: b\r\n\r\nZ: 1\n",
      "same: header/server value (built in)", 1 },
    { NULL, "Via: 1\n", "", "same", 1 },
    { NULL, "", "\r\n", "same", 1 },
    { "header/x ignore", "X: 1\nDate: x\n", "X: 1\nDate: y\n", "same: header/date value (built in)",
      1 },
    { NULL, "Date: x\nX: a\n", "Date: y\nX: b\n",
      "different: header/date value (built in), header/x value", 0 },
    { NULL, "Y: 1\nX: 1\nX: 2\n", "X: 2\nY: 1\nX: 1\n", "different: header/x value", 0 },
    { NULL, "Date: x\n", "", "different: header/date missing", 0 },
    { NULL, "", "Age: 1\n", "different: header/age extra", 0 },
    { NULL, "Date: x\n y\n", "Date: x y\n", "same", 0 },
    { NULL, "ETag: x\n", "ETag: y\n", "same: header/etag value (built in)", 0 },
    { "header/date ignore", "Date: x\n", "Date: y\n", "same", 0 },
    { "header/date compare", "Date: x\n", "Date: y\n", "different: header/date value", 0 },
    { "header/via compare", "Via: x\n", "", "different: header/via missing", 0 },
};

START_TEST(a_glance_is_as_good_as_a_look)
{
    if (glances[_i].rule) {
        add_rule(glances[_i].rule);
    }
    fill(&a, 200, glances[_i].a, "{}");
    fill(&b, 200, glances[_i].b, "{}");
    ck_assert_str_eq(judged(), glances[_i].text);
    how.may_examine = 0;
    ck_assert_str_eq(judged(), glances[_i].is_enough ? glances[_i].text : "unexamined");
}
END_TEST

START_TEST(a_glance_has_a_limit)
{
    fill(&a, 200, repeat("", "X: 1\n", 64, ""), "");
    fill(&b, 200, repeat("", "X: 1\n", 64, ""), "");
    how.may_examine = 0;
    ck_assert_str_eq(judged(), "same");
    fill(&a, 200, repeat("", "X: 1\n", 65, ""), "");
    fill(&b, 200, repeat("", "X: 1\n", 65, ""), "");
    ck_assert_str_eq(judged(), "unexamined");
    how.may_examine = 1;
    ck_assert_str_eq(judged(), "same");
}
END_TEST

START_TEST(equal_bytes_of_another_coding_need_a_look)
{
    how.parts = BODY;
    how.may_examine = 0;
    fill(&a, 200, GZIP, "x");
    fill(&b, 200, "", "x");
    ck_assert_str_eq(judged(), "unexamined");
    fill(&b, 200, "content-encoding: GZIP\n", "x");
    ck_assert_str_eq(judged(), "same");
}
END_TEST

START_TEST(without_budget_a_skip_stays_one)
{
    how.may_examine = 0;
    b.body_skip = MIRROR_SKIP_TOO_LARGE;
    ck_assert_str_eq(judged(), "too_large");
    how.parts = STATUS | HEADER;
    ck_assert_str_eq(judged(), "same");
    how.parts = ALL;
    fill(&a, 200, "X-A: 1\n", "");
    ck_assert_str_eq(judged(), "unexamined");
}
END_TEST

static const struct {
    const char *type, *rule, *kept;
} broken[] = {
    { JSON, "body/**/card secret", "***" },
    { JSON, "body/x compare", "line 1: {\"note\": 1717" },
    { JSON, "header/card secret", "line 1: {\"note\": 1717" },
    { "Content-Type: text/plain\n", "body/note secret", "line 1: {\"note\": 1717" },
    { "Content-Type: text/plain\n", "body secret", "***" },
};

/* JSON on neither side: what is kept of the text may be any member. */
START_TEST(a_text_that_is_no_json_may_be_secret)
{
    static mirror_values_t values;

    values.mode = MIRROR_VALUES_MODE_FULL;
    how.values = &values;
    add_rule(broken[_i].rule);
    fill(&a, 200, broken[_i].type, "{\"note\": 1717");
    fill(&b, 200, broken[_i].type, "{\"note\": 1718");
    judged();
    ck_assert_int_eq(judgement.rows.count, 1);
    ck_assert_str_eq(values.text[0][0], broken[_i].kept);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("judge");
    TCase *tcase = tcase_create("all");

    tcase_add_checked_fixture(tcase, prepare, teardown);
    tcase_add_test(tcase, a_status_that_differs_ends_it);
    tcase_add_test(tcase, a_304_on_one_side_is_conditional);
    tcase_add_test(tcase, a_status_that_a_rule_forgives_does_not_end_it);
    tcase_add_test(tcase, head_has_no_body);
    tcase_add_test(tcase, what_is_worse_comes_first);
    tcase_add_test(tcase, equal_bodies_are_not_ignored);
    tcase_add_test(tcase, masks_of_a_body_are_all_cut);
    tcase_add_test(tcase, a_body_that_is_not_there_is_skipped_unless_a_header_differs);
    tcase_add_test(tcase, codings_are_undone);
    tcase_add_test(tcase, equal_bytes_in_another_coding_are_not_equal);
    tcase_add_test(tcase, what_cannot_be_decoded);
    tcase_add_loop_test(tcase, the_type_says_how, 0, sizeof(types) / sizeof(*types));
    tcase_add_test(tcase, json_beyond_the_caps);
    tcase_add_test(tcase, an_expression_that_fails_forgives_nothing);
    tcase_add_test(tcase, without_budget_a_glance_is_all);
    tcase_add_loop_test(tcase, a_glance_is_as_good_as_a_look, 0,
                        sizeof(glances) / sizeof(*glances));
    tcase_add_test(tcase, a_glance_has_a_limit);
    tcase_add_test(tcase, equal_bytes_of_another_coding_need_a_look);
    tcase_add_test(tcase, without_budget_a_skip_stays_one);
    tcase_add_loop_test(tcase, a_text_that_is_no_json_may_be_secret, 0,
                        sizeof(broken) / sizeof(*broken));
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
