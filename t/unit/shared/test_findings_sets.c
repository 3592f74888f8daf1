/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_findings_sets.c - sets of rows that are one finding, as they differ in noise alone.
 */
#include "findings.h"
#include "suite.h"

/* A response with noise, which differs at times, and with a difference or two. */
static void add_response(const char *group, int has_noise, const char *field, const char *other)
{
    mirror_noted_row_t rows[4];
    int n = 0;

    rows[n++] = noted_row(field, MIRROR_KIND_VALUE, MIRROR_SIDE_MIRROR_ALONE);
    if (has_noise & 1) {
        rows[n++] = noted_row("body/now", MIRROR_KIND_VALUE, MIRROR_SIDE_ALL_DIFFER);
    }
    if (has_noise & 2) {
        rows[n++] = noted_row("body/cpu", MIRROR_KIND_VALUE, MIRROR_SIDE_ALL_DIFFER);
    }
    if (other) {
        rows[n++] = noted_row(other, MIRROR_KIND_VALUE, MIRROR_SIDE_MIRROR_ALONE);
    }
    add_rows(group, rows, n);
}

START_TEST(noise_does_not_part_a_finding)
{
    int i;

    for (i = 0; i < 100; i++) {
        add_response("g", i % 4, "body/price", NULL);
    }
    view_area();
    ck_assert_int_eq(view.finding_count, 1);
    ck_assert_uint_eq(view.findings[0].count, 100);
    ck_assert_int_eq(view.findings[0].row_count, 3); /* with the noise of all sets */
    ck_assert_str_eq(view.findings[0].rows[0]->field, "body/price");
    ck_assert_ptr_null(view.findings[0].rows[0]->noise);
    ck_assert_str_eq(view.findings[0].rows[1]->noise, "reference");
    ck_assert_int_eq(view.findings[0].example_count, 3);
}
END_TEST

/* Those that are merged may be more than one that is not. */
START_TEST(the_most_frequent_finding_comes_first)
{
    int i;

    for (i = 0; i < 60; i++) {
        add_response("g", i % 4, "body/price", NULL);
    }
    for (i = 0; i < 20; i++) {
        add_response("g", 3, "body/name", NULL);
    }
    view_area();
    ck_assert_int_eq(view.finding_count, 2);
    ck_assert_str_eq(view.findings[0].rows[0]->field, "body/price");
    ck_assert_uint_eq(view.findings[0].count, 60);
    ck_assert_uint_eq(view.findings[1].count, 20);
}
END_TEST

START_TEST(other_differences_and_other_groups_are_other_findings)
{
    int i;

    for (i = 0; i < 40; i++) {
        add_response("g", i % 4, "body/price", NULL);
        add_response("g", i % 4, "body/price", "body/name");
        add_response("h", i % 4, "body/price", NULL);
    }
    view_area();
    ck_assert_int_eq(view.finding_count, 3);
    for (i = 0; i < 3; i++) {
        ck_assert_uint_eq(view.findings[i].count, 40);
    }
}
END_TEST

START_TEST(sets_of_noise_alone_are_no_difference)
{
    mirror_noted_row_t rows[2];
    int i;

    rows[0] = noted_row("body/now", MIRROR_KIND_VALUE, MIRROR_SIDE_ALL_DIFFER);
    rows[1] = noted_row("body/cpu", MIRROR_KIND_VALUE, MIRROR_SIDE_ALL_DIFFER);
    for (i = 0; i < 40; i++) {
        add_rows("g", rows + i % 2, 2 - i % 2);
    }
    view_area();
    for (i = 0; i < view.finding_count; i++) {
        ck_assert_int_eq(view.findings[i].noise, 1);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("findings_sets");
    TCase *tcase = tcase_create("findings_sets");

    apr_initialize();
    tcase_add_checked_fixture(tcase, make_area, drop_area);
    tcase_add_test(tcase, noise_does_not_part_a_finding);
    tcase_add_test(tcase, the_most_frequent_finding_comes_first);
    tcase_add_test(tcase, other_differences_and_other_groups_are_other_findings);
    tcase_add_test(tcase, sets_of_noise_alone_are_no_difference);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
