/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_judge_texts.c - three texts in which all differ: whether the mirror stands alone.
 */
#include <string.h>

#include <check.h>

#include "compare/judge.h"
#include "json_pair.h"
#include "suite.h"

#define LARGE (2 * 1024 * 1024)

static mirror_judgement_t judgement;
static mirror_judge_options_t how;

static void prepare(void)
{
    setup();
    memset(&how, 0, sizeof(how));
    how.parts = 1U << MIRROR_PART_BODY;
    how.may_examine = 1;
    how.now = options.now;
    how.json = context;
    how.pool = pool;
}

static void fill(mirror_half_t *half, const char *body)
{
    static char head[] = "Content-Type: text/plain\n";

    memset(half, 0, sizeof(*half));
    half->status = 200;
    half->skip = half->body_skip = MIRROR_SKIP_NONE;
    half->head.data = head;
    half->head.len = strlen(head);
    half->body.data = (char *)body;
    half->body.len = strlen(body);
}

/* Whether the mirror stands alone in the text; -1: nothing is known. The reference has another token. */
static int is_alone(const char *mirror)
{
    mirror_pieces_t pieces;
    mirror_half_t a, b, third;

    fill(&a, "v1\n1\nend\n");
    fill(&b, mirror);
    fill(&third, "v1\n3\nend\n");
    how.rules = options.rules;
    mirror_judge(&judgement, &how, &a, &b);
    ck_assert_int_eq(judgement.verdict, MIRROR_VERDICT_DIFFERENT);
    ck_assert_ptr_nonnull(mirror_judge_text_row(&judgement));
    return mirror_judge_texts(&pieces, &judgement, &how, &a, &b, &third) ? pieces.mirror_alone : -1;
}

START_TEST(texts_are_compared_without_what_masks_cut)
{
    static char text[LARGE];

    ck_assert_int_eq(is_alone("v1\n2\nend\n"), 0);
    ck_assert_int_eq(is_alone("v2\n2\nend\n"), 1);
    add_rule("body mask v[0-9]");
    add_rule("body mask x");
    ck_assert_int_eq(is_alone("xv2\n2\nend\n"), 0);
    ck_assert_int_eq(is_alone("v2\n2\nEND\n"), 1);
    memset(text, 'a', sizeof(text) - 1);
    ck_assert_int_eq(is_alone(text), -1); /* longer than what is masked */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("judge_texts");
    TCase *tcase = tcase_create("judge_texts");

    apr_initialize();
    tcase_add_checked_fixture(tcase, prepare, teardown);
    tcase_add_test(tcase, texts_are_compared_without_what_masks_cut);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
