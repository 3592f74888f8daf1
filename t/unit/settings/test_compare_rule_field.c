/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_compare_rule_field.c - which fields a rule is for.
 */
#include "base/clock.h"
#include "compare_rules.h"

#define STEPS_MAX 130

/* Steps of "a/3/#2": '#' and digits are an element, anything else is a member. */
static int steps_of(mirror_step_t *steps, const char *text)
{
    int depth = 0;

    while (*text == '/') {
        mirror_step_t *step = &steps[depth++];

        text++;
        step->name = text;
        step->len = strcspn(text, "/");
        step->index = 0;
        if (*text == '#') {
            step->name = NULL;
            step->index = (unsigned)apr_strtoi64(text + 1, NULL, 10);
        }
        text += step->len;
    }
    return depth;
}

static const struct {
    const char *field, *steps;
    int is_match;
} pointers[] = {
    { "body", "", 1 },
    { "body", "/a", 0 },
    { "body/", "/", 1 },
    { "body/", "", 0 },
    { "body/", "/a", 0 },
    { "body/a", "/a", 1 },
    { "body/a", "/A", 0 },
    { "body/a", "/a/b", 0 },
    { "body/a", "", 0 },
    { "body/a/b", "/a", 0 },
    { "body/~0~2", "/~*", 1 },
    { "body/~2", "/x", 0 },
    { "body/~2", "/*", 1 },
    { "body/*", "/x", 1 },
    { "body/*", "/#7", 1 },
    { "body/*", "/", 1 },
    { "body/*", "", 0 },
    { "body/*", "/x/y", 0 },
    { "body/*/b", "/#1/b", 1 },
    { "body/3", "/#3", 1 },
    { "body/3", "/3", 1 },
    { "body/3", "/#30", 0 },
    { "body/03", "/#3", 0 },
    { "body/03", "/03", 1 },
    { "body/0", "/#0", 1 },
    { "body/a", "/#0", 0 },
    { "body/", "/#0", 0 },
    { "body/999999999", "/#999999999", 1 },
    { "body/4294967299", "/#3", 0 }, /* 2^32 + 3 */
    { "body/-", "/#0", 0 },
    { "body/**", "", 1 },
    { "body/**", "/a/#1/b", 1 },
    { "body/**/b", "/b", 1 },
    { "body/**/b", "/a/b", 1 },
    { "body/**/b", "/a/b/c", 0 },
    { "body/**/b", "/b/b", 1 },
    { "body/a/**", "/a", 1 },
    { "body/a/**", "/b", 0 },
    { "body/a/**/b", "/a/x/#2/b", 1 },
    { "body/a/**/b/*", "/a/b/b/c", 1 },
    { "body/a/**/b/*", "/a/b", 0 },
    { "body/**/**/b", "/b", 1 },
    { "body/**/a/**/b", "/a/x/a/b", 1 },
    { "body/**/a/**/b", "/b/a", 0 },
    { "body/**/*", "", 0 },
    { "body/**/*", "/x", 1 },
};

static apr_array_header_t *rules_of(const char *const *texts, int count)
{
    apr_array_header_t *rules = apr_array_make(pool, count, sizeof(mirror_compare_rule_t *));
    int i;

    for (i = 0; i < count; i++) {
        APR_ARRAY_PUSH(rules, mirror_compare_rule_t *) = rule_of(texts[i]);
    }
    return rules;
}

START_TEST(pointers_match_steps)
{
    const char *text = apr_pstrcat(pool, pointers[_i].field, " ignore", NULL);
    apr_array_header_t *rules = rules_of(&text, 1);
    mirror_step_t steps[STEPS_MAX];
    int depth = steps_of(steps, pointers[_i].steps);

    ck_assert_msg((mirror_compare_rule_body(rules, MIRROR_RULE_IGNORE, steps, depth, NULL) !=
                   NULL) == pointers[_i].is_match,
                  "%s for %s", pointers[_i].field, pointers[_i].steps);
}
END_TEST

START_TEST(a_name_with_nul_is_matched_by_stars_alone)
{
    static const char *const texts[] = { "body/a ignore", "body/* ignore" };
    mirror_step_t step = { "a\0b", 3, 0 };
    apr_array_header_t *rules = rules_of(texts, 2);

    ck_assert_ptr_eq(mirror_compare_rule_body(rules, MIRROR_RULE_IGNORE, &step, 1, NULL),
                     APR_ARRAY_IDX(rules, 1, mirror_compare_rule_t *));
}
END_TEST

/* 50 times '**' and a name that never ends the pointer: fast, though there are very many ways. */
START_TEST(many_double_stars_take_no_time)
{
    char *text = apr_pstrdup(pool, "body");
    mirror_step_t steps[128];
    const char *whole;
    apr_array_header_t *rules;
    apr_time_t begin;
    int i;

    for (i = 0; i < 50; i++) {
        text = apr_pstrcat(pool, text, "/**/a", NULL);
    }
    whole = apr_pstrcat(pool, text, "/z ignore", NULL);
    rules = rules_of(&whole, 1);
    for (i = 0; i < 128; i++) {
        steps[i].name = "a";
        steps[i].len = 1;
    }
    begin = mirror_clock_now();
    for (i = 0; i < 1000; i++) {
        ck_assert_ptr_null(mirror_compare_rule_body(rules, MIRROR_RULE_IGNORE, steps, 128, NULL));
    }
    ck_assert_int_lt(mirror_clock_now() - begin, apr_time_from_sec(2));
}
END_TEST

START_TEST(finders_go_on_behind_a_rule)
{
    static const char *const texts[] = {
        "status ignore",      "header/x-a ignore", "header/x-a match x", "header/x-b ignore",
        "body/a mask x",      "body/* ignore",     "body/a compare",     "status presence",
        "header/X-A compare", "body/**/a secret",
    };
    apr_array_header_t *rules = rules_of(texts, sizeof(texts) / sizeof(*texts));
    mirror_compare_rule_t **list = (mirror_compare_rule_t **)rules->elts;
    const unsigned all = ~0u;
    mirror_step_t step = { "a", 1, 0 };

    ck_assert_ptr_eq(mirror_compare_rule_status(rules, all, NULL), list[0]);
    ck_assert_ptr_eq(mirror_compare_rule_status(rules, all, list[0]), list[7]);
    ck_assert_ptr_null(mirror_compare_rule_status(rules, all, list[7]));
    ck_assert_ptr_eq(mirror_compare_rule_status(rules, MIRROR_RULE_PRESENCE, NULL), list[7]);
    ck_assert_ptr_eq(mirror_compare_rule_header(rules, all, "X-a", 3, NULL), list[1]);
    ck_assert_ptr_eq(mirror_compare_rule_header(rules, all, "x-A", 3, list[1]), list[2]);
    ck_assert_ptr_eq(mirror_compare_rule_header(rules, MIRROR_RULE_COMPARE, "x-a", 3, NULL),
                     list[8]);
    ck_assert_ptr_null(mirror_compare_rule_header(rules, all, "x-", 2, NULL));
    ck_assert_ptr_null(mirror_compare_rule_header(rules, all, "x-aa", 4, NULL));
    ck_assert_ptr_null(mirror_compare_rule_header(rules, all, "", 0, NULL));
    ck_assert_ptr_eq(mirror_compare_rule_body(rules, all, &step, 1, NULL), list[4]);
    ck_assert_ptr_eq(mirror_compare_rule_body(rules, all, &step, 1, list[4]), list[5]);
    ck_assert_ptr_eq(mirror_compare_rule_body(rules, MIRROR_RULE_SECRET | MIRROR_RULE_COMPARE,
                                              &step, 1, list[5]),
                     list[6]);
    ck_assert_ptr_null(mirror_compare_rule_body(rules, all, &step, 1, list[9]));
    ck_assert_ptr_null(mirror_compare_rule_body(rules, all, NULL, 0, NULL));
    ck_assert_ptr_null(mirror_compare_rule_status(rules, 0, NULL));
    ck_assert_ptr_null(mirror_compare_rule_status(NULL, all, NULL));
    ck_assert_ptr_null(mirror_compare_rule_header(NULL, all, "a", 1, NULL));
    ck_assert_ptr_null(mirror_compare_rule_body(NULL, all, NULL, 0, list[0]));
    ck_assert_int_eq(mirror_compare_rule_action(list[4]), MIRROR_RULE_MASK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("compare_rule_field");
    TCase *tcase = tcase_create("compare_rule_field");

    apr_initialize();
    tcase_add_checked_fixture(tcase, setup, teardown);
    ADD(pointers_match_steps, pointers);
    tcase_add_test(tcase, a_name_with_nul_is_matched_by_stars_alone);
    tcase_add_test(tcase, many_double_stars_take_no_time);
    tcase_add_test(tcase, finders_go_on_behind_a_rule);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
