/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_judge_texts.c - three texts, and rules that cut something out of them.
 */
#include <string.h>

#include <apr_strings.h>
#include <check.h>

#include "compare/judge.h"
#include "json_pair.h"
#include "suite.h"

#define LARGE (2 * 1024 * 1024)

static mirror_judgement_t judgement;
static mirror_judge_options_t how;
static mirror_values_t kept;
static const char *reference; /* it has another token */

static void prepare(void)
{
    setup();
    memset(&how, 0, sizeof(how));
    reference = "v1\n3\nend\n";
    kept.mode = MIRROR_VALUES_MODE_FULL;
    how.parts = 1U << MIRROR_PART_BODY;
    how.may_examine = 1;
    how.now = options.now;
    how.json = context;
    how.pool = pool;
    how.values = &kept;
}

static void fill(mirror_half_t *half, const char *body)
{
    static const char head[] = "Content-Type: text/plain\n";

    memset(half, 0, sizeof(*half));
    half->status = 200;
    half->skip = half->body_skip = MIRROR_SKIP_NONE;
    half->head.data = apr_pstrdup(pool, head);
    half->head.len = sizeof(head) - 1;
    half->body.data = apr_pstrdup(pool, body);
    half->body.len = strlen(body);
}

/* Whether the mirror stands alone in the text; -1: nothing is known. */
static int is_alone(const char *mirror)
{
    mirror_pieces_t pieces;
    mirror_half_t a, b, third;

    fill(&a, "v1\n1\nend\n");
    fill(&b, mirror);
    fill(&third, reference);
    how.rules = options.rules;
    mirror_judge(&judgement, &how, &a, &b);
    ck_assert_ptr_nonnull(mirror_judge_text_row(&judgement));
    return mirror_judge_texts(&pieces, &judgement, &how, &a, &b, &third) ? pieces.mirror_alone : -1;
}

START_TEST(what_masks_cut_is_no_difference)
{
    ck_assert_int_eq(is_alone("v1\n2\nend\n"), 0);
    ck_assert_int_eq(is_alone("v2\n2\nend\n"), 1);
    add_rule("body mask v[0-9]");
    add_rule("body mask x");
    ck_assert_int_eq(is_alone("xv2\n2\nend\n"), 0);
    ck_assert_int_eq(is_alone("v2\n2\nEND\n"), 1);
}
END_TEST

START_TEST(a_mask_that_fails_cuts_nothing)
{
    static char text[LARGE]; /* longer than what is masked */

    memset(text, 'a', sizeof(text) - 1);
    ck_assert_int_eq(is_alone(text), 1);
    add_rule("body mask v[0-9]");
    ck_assert_int_eq(is_alone(text), 1);
    ck_assert_int_eq(judgement.rows.rules[0].has_failed, 1);
    reference = text;
    ck_assert_int_eq(is_alone("v2\n2\nend\n"), 0);
    ck_assert_int_eq(is_alone("v2\n2\n"), 0);
}
END_TEST

/* What is cut can be the name of a secret. */
START_TEST(the_excerpt_is_that_of_the_first_difference_if_something_is_cut)
{
    ck_assert_int_eq(is_alone("v1\n2\nEND\n"), 1);
    ck_assert_str_eq(kept.text[0][1], "line 3: END");
    add_rule("body mask x");
    ck_assert_int_eq(is_alone("v1\n2\nEND\n"), 1);
    ck_assert_str_eq(kept.text[0][1], "line 2: 2");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("judge_texts");
    TCase *tcase = tcase_create("all");

    tcase_add_checked_fixture(tcase, prepare, teardown);
    tcase_add_test(tcase, what_masks_cut_is_no_difference);
    tcase_add_test(tcase, a_mask_that_fails_cuts_nothing);
    tcase_add_test(tcase, the_excerpt_is_that_of_the_first_difference_if_something_is_cut);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
