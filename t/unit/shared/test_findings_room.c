/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_findings_room.c - more sets of rows than there is room for: each field that differs is in a finding.
 */
#include "findings.h"
#include "suite.h"

#define FLAGS 8 /* fields that differ in half of the responses, each by itself */

/* The number `n` decides which of the flags differ. Returns the verdict. */
static mirror_verdict_e add_flags(int n, mirror_side_e side, const char *field)
{
    mirror_noted_row_t rows[FLAGS + 1];
    int count = 0, i;

    for (i = 0; i < FLAGS; i++) {
        if (n >> i & 1) {
            rows[count++] = noted_row(apr_psprintf(pool, "body/f%d", i), MIRROR_KIND_VALUE, side);
        }
    }
    if (field) {
        rows[count++] = noted_row(field, MIRROR_KIND_VALUE, MIRROR_SIDE_MIRROR_ALONE);
    }
    return add_rows("g", rows, count);
}

/* The finding with this field that is no noise; NULL: there is none. */
static const mirror_found_t *finding_of(const char *field)
{
    int i, n;

    for (i = 0; i < view.finding_count; i++) {
        for (n = 0; n < view.findings[i].row_count; n++) {
            if (strcmp(view.findings[i].rows[n]->field, field) == 0 && !view.findings[i].noise) {
                return &view.findings[i];
            }
        }
    }
    return NULL;
}

static apr_uint64_t count_findings(void)
{
    apr_uint64_t count = 0;
    int i;

    for (i = 0; i < view.finding_count; i++) {
        count += view.findings[i].noise ? 0 : view.findings[i].count;
    }
    return count;
}

START_TEST(noise_makes_room_for_a_difference)
{
    int i;

    for (i = 1; i < 1 << FLAGS; i++) {
        ck_assert_int_eq(add_flags(i, MIRROR_SIDE_ALL_DIFFER, NULL), MIRROR_VERDICT_NOISE);
    }
    for (i = 1; i < 1 << FLAGS; i++) { /* it is one finding beside any noise */
        ck_assert_int_eq(add_flags(i, MIRROR_SIDE_ALL_DIFFER, "body/total"),
                         MIRROR_VERDICT_DIFFERENT);
    }
    view_area();
    ck_assert_ptr_nonnull(finding_of("body/total"));
    ck_assert_uint_eq(finding_of("body/total")->count, (1 << FLAGS) - 1);
    ck_assert_str_eq(finding_of("body/total")->group, "g");
    ck_assert_uint_eq(count_findings(), (1 << FLAGS) - 1);
}
END_TEST

START_TEST(each_field_that_differs_is_in_a_finding)
{
    int i;

    for (i = 1; i < 1 << FLAGS; i++) {
        ck_assert_int_eq(add_flags(i, MIRROR_SIDE_TWO_WAY, NULL), MIRROR_VERDICT_DIFFERENT);
    }
    add_flags(77, MIRROR_SIDE_TWO_WAY, "body/total");
    view_area();
    ck_assert_ptr_nonnull(finding_of("body/total"));
    ck_assert_uint_eq(finding_of("body/total")->count, 1);
    ck_assert_int_eq(finding_of("body/total")->example_count, 1);
    for (i = 0; i < FLAGS; i++) {
        ck_assert_ptr_nonnull(finding_of(apr_psprintf(pool, "body/f%d", i)));
    }
    ck_assert_uint_eq(count_findings(), 1 << FLAGS); /* nothing is lost */
    ck_assert_uint_eq(view.verdicts[MIRROR_VERDICT_DIFFERENT], 1 << FLAGS);
}
END_TEST

START_TEST(a_field_keeps_its_finding)
{
    int i;

    for (i = 0; i < 100; i++) {
        add_row("g", apr_psprintf(pool, "body/f%d", i), MIRROR_KIND_VALUE, MIRROR_SIDE_TWO_WAY);
    }
    view_area();
    ck_assert_ptr_nonnull(finding_of("body/f0"));
    ck_assert_ptr_nonnull(finding_of("body/f62"));
    ck_assert_uint_eq(count_findings(), 100);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("findings_room");
    TCase *tcase = tcase_create("findings_room");

    apr_initialize();
    tcase_add_checked_fixture(tcase, make_area, drop_area);
    tcase_add_test(tcase, noise_makes_room_for_a_difference);
    tcase_add_test(tcase, each_field_that_differs_is_in_a_finding);
    tcase_add_test(tcase, a_field_keeps_its_finding);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
