/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_findings.c - what comparing has found: what is noise, what is kept, and what is read of it.
 */
#include "findings.h"
#include "suite.h"

/* ---- the sign test ---- */

static const struct {
    apr_uint64_t a, b;
    int evident;
} evidence[] = {
    { 0, 0, 0 },
    { 8, 0, 0 },
    { 9, 0, 1 },
    { 0, 9, 0 },
    { 9, 1, 0 },
    { 12, 1, 1 },
    { 50, 50, 0 },
    { 65, 35, 1 },
    { 64, 36, 0 },
    { 600, 400, 0 }, /* 20 % */
    { 601, 399, 1 },
    { 820, 180, 1 }, /* 90 % true in the old version, 50 % in the new one */
    { 500, 520, 0 },
    { MIRROR_CELL_COUNT_MAX, 0, 1 },
    { MIRROR_CELL_COUNT_MAX, MIRROR_CELL_COUNT_MAX, 0 },
    { MIRROR_CELL_COUNT_MAX, MIRROR_CELL_COUNT_MAX / 4 * 3, 0 },
    { MIRROR_CELL_COUNT_MAX, MIRROR_CELL_COUNT_MAX / 2, 1 },
    { ~(apr_uint64_t)0, 0, 1 },
    { ~(apr_uint64_t)0, ~(apr_uint64_t)0, 0 },
};

START_TEST(evidence_is_what_the_sign_test_says)
{
    ck_assert_int_eq(mirror_findings_is_evident(evidence[_i].a, evidence[_i].b),
                     evidence[_i].evident);
}
END_TEST

START_TEST(evidence_is_the_same_in_floating_point)
{
    unsigned a, b;

    for (a = 0; a < 400; a++) {
        for (b = 0; b < 400; b++) {
            double d = (double)a - b, s = (double)a + b;

            ck_assert_int_eq(mirror_findings_is_evident(a, b),
                             s > 0 && d >= 0 && d * d >= 9 * s && 5 * d > s);
        }
    }
}
END_TEST

/* ---- noise ---- */

START_TEST(without_a_reference_a_difference_is_one_at_once)
{
    ck_assert_int_eq(add_row("g", "body/a", MIRROR_KIND_VALUE, MIRROR_SIDE_TWO_WAY),
                     MIRROR_VERDICT_DIFFERENT);
    view_area();
    ck_assert_uint_eq(view.compared, 1);
    ck_assert_uint_eq(view.verdicts[MIRROR_VERDICT_DIFFERENT], 1);
    ck_assert_int_eq(view.finding_count, 1);
    ck_assert_int_eq(view.findings[0].noise, 0);
    ck_assert_int_eq(view.findings[0].row_count, 1);
    ck_assert_ptr_eq(view.findings[0].rows[0], &view.rows[0]);
    ck_assert_str_eq(view.rows[0].field, "body/a");
    ck_assert_str_eq(view.rows[0].group, "g");
    ck_assert_ptr_eq(view.rows[0].noise, NULL);
    ck_assert_int_eq(view.since, 1000);
}
END_TEST

/* A server that fails for a few requests of each group is not alike. */
START_TEST(what_the_old_version_never_does_is_a_difference_at_once)
{
    int i;

    for (i = 1; i <= 20; i++) {
        ck_assert_int_eq(add_row("g", "body/a", MIRROR_KIND_VALUE, MIRROR_SIDE_MIRROR_ALONE),
                         MIRROR_VERDICT_DIFFERENT);
        view_area();
        ck_assert_int_eq(view.findings[0].noise, 0);
        ck_assert_ptr_eq(view.rows[0].noise, NULL);
    }
    ck_assert_uint_eq(view.rows[0].sides[MIRROR_SIDE_MIRROR_ALONE], 20);
}
END_TEST

START_TEST(what_the_old_version_has_done_once_takes_twelve_to_be_evident)
{
    int i;

    add_row("g", "body/a", MIRROR_KIND_VALUE, MIRROR_SIDE_REFERENCE_ALONE);
    for (i = 1; i <= 20; i++) {
        ck_assert_int_eq(add_row("g", "body/a", MIRROR_KIND_VALUE, MIRROR_SIDE_MIRROR_ALONE),
                         i < 12 ? MIRROR_VERDICT_NOISE : MIRROR_VERDICT_DIFFERENT);
        view_area();
        ck_assert_int_eq(view.findings[0].noise, i < 12);
        ck_assert_int_eq(view.rows[0].noise != NULL, i < 12);
    }
    ck_assert_uint_eq(view.groups[0].different, 9);
}
END_TEST

START_TEST(sides_without_evidence_are_noise)
{
    static const mirror_side_e sides[] = { MIRROR_SIDE_PRIMARY_ALONE, MIRROR_SIDE_ALL_DIFFER };
    int i;

    for (i = 0; i < 200; i++) {
        ck_assert_int_eq(add_row("g", "body/now", MIRROR_KIND_TYPE, sides[_i]),
                         MIRROR_VERDICT_NOISE);
    }
    view_area();
    ck_assert_str_eq(view.rows[0].noise, "reference");
    ck_assert_int_eq(view.findings[0].noise, 1);
}
END_TEST

/* Half of each, as a flag that is random in all three. */
START_TEST(a_fair_coin_is_noise)
{
    int i;

    for (i = 0; i < 2000; i++) {
        add_row("g", "body/flag", MIRROR_KIND_VALUE,
                i % 2 ? MIRROR_SIDE_MIRROR_ALONE : MIRROR_SIDE_REFERENCE_ALONE);
    }
    view_area();
    ck_assert_uint_eq(view.verdicts[MIRROR_VERDICT_NOISE], 1000);
    ck_assert_uint_eq(view.verdicts[MIRROR_VERDICT_SAME], 1000);
    ck_assert_uint_eq(view.rows[0].count, 1000);
    ck_assert_str_eq(view.rows[0].noise, "reference");
}
END_TEST

/* Every second pair is skipped, as nobody knows whether the mirror is like the primary, and the reference is
 * known not to be. */
START_TEST(a_reference_alone_in_what_is_skipped_is_noted)
{
    mirror_noted_row_t row = noted_row("body", MIRROR_KIND_LENGTH, MIRROR_SIDE_REFERENCE_ALONE);
    mirror_noted_t noted = { 0 };
    int i;

    noted.group = "g";
    noted.rows = &row;
    noted.count = 1;
    for (i = 0; i < 40; i++) {
        mirror_findings_note(area, &noted);
        add_row("g", "body", MIRROR_KIND_LENGTH, MIRROR_SIDE_MIRROR_ALONE);
    }
    view_area();
    ck_assert_uint_eq(view.compared, 40);
    ck_assert_uint_eq(view.groups[0].compared, 40);
    ck_assert_uint_eq(view.rows[0].count, 40);
    ck_assert_uint_eq(view.rows[0].sides[MIRROR_SIDE_REFERENCE_ALONE], 40);
    ck_assert_str_eq(view.rows[0].noise, "reference");
}
END_TEST

/* What is noise in all of a text is none in its other pieces. */
static mirror_verdict_e add_text(int mirror_alone, int reference_alone)
{
    mirror_noted_row_t row = noted_row(
        "body", MIRROR_KIND_TEXT, mirror_alone ? MIRROR_SIDE_MIRROR_ALONE : MIRROR_SIDE_ALL_DIFFER);

    row.only_noise = !mirror_alone;
    row.reference_too = reference_alone;
    return add_rows("g", &row, 1);
}

START_TEST(a_text_differs_if_the_mirror_alone_does)
{
    int i;

    for (i = 0; i < 100; i++) {
        ck_assert_int_eq(add_text(0, 0), MIRROR_VERDICT_NOISE);
    }
    view_area();
    ck_assert_str_eq(view.rows[0].noise, "reference");
    ck_assert_int_eq(view.finding_count, 0);
    ck_assert_int_eq(add_text(1, 0), MIRROR_VERDICT_DIFFERENT);
    ck_assert_int_eq(add_text(0, 0), MIRROR_VERDICT_NOISE);
    view_area();
    ck_assert_ptr_null(view.rows[0].noise);
    ck_assert_int_eq(view.finding_count, 1);
    ck_assert_uint_eq(view.findings[0].count, 1);
    ck_assert_uint_eq(view.verdicts[MIRROR_VERDICT_DIFFERENT], 1);
}
END_TEST

START_TEST(a_text_whose_pieces_vary_is_noise)
{
    int i;

    for (i = 0; i < 100; i++) {
        add_text(i % 2, i % 3 > 0);
    }
    view_area();
    ck_assert_str_eq(view.rows[0].noise, "reference");
    ck_assert_uint_eq(view.rows[0].sides[MIRROR_SIDE_MIRROR_ALONE], 50);
    ck_assert_uint_eq(view.rows[0].sides[MIRROR_SIDE_REFERENCE_ALONE], 66);
    ck_assert_int_eq(add_text(1, 1), MIRROR_VERDICT_NOISE);
}
END_TEST

START_TEST(another_kind_of_a_noisy_field_is_a_row_of_its_own)
{
    int i;

    for (i = 0; i < 100; i++) {
        add_row("g", "body/now", MIRROR_KIND_VALUE, MIRROR_SIDE_ALL_DIFFER);
    }
    for (i = 0; i < 100; i++) {
        add_row("g", "body/now", MIRROR_KIND_TYPE, MIRROR_SIDE_MIRROR_ALONE);
    }
    view_area();
    ck_assert_uint_eq(view.verdicts[MIRROR_VERDICT_DIFFERENT], 100);
    ck_assert_int_eq(view.row_count, 2);
    ck_assert_int_eq(view.finding_count, 2);
    ck_assert_int_eq(view.findings[0].noise + view.findings[1].noise, 1);
}
END_TEST

static mirror_verdict_e add_marked(mirror_kind_e kind, int is_volatile, int matters,
                                   apr_uint64_t primary, apr_uint64_t mirror)
{
    mirror_noted_row_t row = noted_row("body/id", kind, MIRROR_SIDE_TWO_WAY);

    row.volatile_shape = is_volatile;
    row.marks[0] = primary;
    row.marks[1] = mirror;
    row.matters = matters;
    return add_rows("g", &row, 1);
}

/* The values are others than in each response before. */
static mirror_verdict_e add_volatile(mirror_kind_e kind, int is_volatile, int matters)
{
    static apr_uint64_t mark;

    mark += 4;
    return add_marked(kind, is_volatile, matters, mark, mark + 2);
}

START_TEST(an_id_that_stays_the_same_is_a_difference)
{
    int side = _i, i;

    for (i = 1; i <= 100; i++) {
        apr_uint64_t mark = (apr_uint64_t)i << 8;

        ck_assert_int_eq(
            add_marked(MIRROR_KIND_VALUE, 1, 0, side == 0 ? 7 : mark, side == 1 ? 7 : mark + 2),
            MIRROR_VERDICT_DIFFERENT);
    }
    view_area();
    ck_assert_ptr_null(view.rows[0].noise);
}
END_TEST

/* Times in seconds are the same for many responses. */
START_TEST(a_time_that_changes_now_and_then_is_guessed_to_be_noise)
{
    int i;

    for (i = 0; i < 300; i++) {
        apr_uint64_t second = 1000 + 2 * (apr_uint64_t)(i / 25);

        ck_assert_int_eq(add_marked(MIRROR_KIND_VALUE, 1, 0, second, second + 2),
                         i < 250 ? MIRROR_VERDICT_DIFFERENT : MIRROR_VERDICT_NOISE);
    }
    view_area();
    ck_assert_str_eq(view.rows[0].noise, "guessed");
}
END_TEST

START_TEST(what_always_looks_like_an_id_is_guessed_to_be_noise)
{
    int i;

    for (i = 1; i <= 100; i++) {
        ck_assert_int_eq(add_volatile(MIRROR_KIND_VALUE, 1, 0),
                         i < 50 ? MIRROR_VERDICT_DIFFERENT : MIRROR_VERDICT_NOISE);
    }
    view_area();
    ck_assert_str_eq(view.rows[0].noise, "guessed");
    ck_assert_int_eq(view.findings[0].noise, 1);
    ck_assert_int_eq(add_volatile(MIRROR_KIND_VALUE, 1, 1), MIRROR_VERDICT_DIFFERENT);
    view_area();
    ck_assert_ptr_eq(view.rows[0].noise, NULL);
    ck_assert_int_eq(view.findings[0].noise, 0);
}
END_TEST

START_TEST(what_is_not_looked_into_keeps_nothing_from_being_guessed)
{
    int i;

    for (i = 0; i < 60; i++) {
        add_volatile(MIRROR_KIND_VALUE, 1, 0);
        add_verdict("g", MIRROR_VERDICT_UNEXAMINED);
    }
    view_area();
    ck_assert_str_eq(view.rows[0].noise, "guessed");
}
END_TEST

/* Headers and bodies of statuses that differ are not looked into, either. */
START_TEST(a_status_keeps_nothing_from_being_guessed)
{
    int i;

    for (i = 0; i < 60; i++) {
        mirror_noted_row_t row = noted_row("status", MIRROR_KIND_STATUS, MIRROR_SIDE_TWO_WAY);

        row.part = MIRROR_PART_STATUS;
        add_rows("g", &row, 1);
        add_volatile(MIRROR_KIND_VALUE, 1, 0);
    }
    view_area();
    ck_assert_str_eq(row_of(&view, "body/id").noise, "guessed");
    ck_assert_ptr_null(row_of(&view, "status").noise);
}
END_TEST

START_TEST(nothing_else_is_guessed)
{
    static const mirror_kind_e kinds[] = { MIRROR_KIND_VALUE, MIRROR_KIND_MISSING, MIRROR_KIND_TYPE,
                                           MIRROR_KIND_VALUE };
    int i;

    for (i = 0; i < 200; i++) {
        /* one in 20 looks otherwise; and, in the last round, is equal */
        ck_assert_int_eq(add_volatile(kinds[_i], _i > 0 || i % 20 != 0, 0),
                         _i == 3 && i >= 49 && i < 60 ? MIRROR_VERDICT_NOISE
                                                      : MIRROR_VERDICT_DIFFERENT);
        if (_i == 3 && i == 59) {
            break;
        }
    }
    for (i = 0; i < 4; i++) {
        add_verdict("g", MIRROR_VERDICT_SAME);
    }
    view_area();
    ck_assert_ptr_eq(view.rows[0].noise, NULL);
}
END_TEST

START_TEST(what_the_built_in_list_forgives_is_no_finding)
{
    mirror_noted_row_t rows[2] = { noted_row("header/date", MIRROR_KIND_VALUE, 0),
                                   noted_row("body/a", MIRROR_KIND_VALUE, 0) };
    mirror_noted_t noted = noted_of("g", rows, 1, MIRROR_VERDICT_SAME);

    rows[0].built_in = 1;
    rows[0].part = MIRROR_PART_HEADER;
    ck_assert_int_eq(mirror_findings_add(area, &noted), MIRROR_VERDICT_SAME);
    view_area();
    ck_assert_str_eq(view.rows[0].noise, "built_in");
    ck_assert_int_eq(view.finding_count, 0);
    add_rows("g", rows, 2);
    view_area();
    ck_assert_int_eq(view.finding_count, 1);
    ck_assert_int_eq(view.findings[0].row_count, 1);
    ck_assert_str_eq(view.findings[0].rows[0]->field, "body/a");
    rows[0].built_in = 0;
    add_rows("g", rows, 1);
    view_area();
    ck_assert_ptr_eq(row_of(&view, "header/date").noise, NULL);
    ck_assert_uint_eq(row_of(&view, "header/date").count, 1);
    ck_assert_uint_eq(row_of(&view, "body/a").count, 1);
}
END_TEST

/* ---- counts ---- */

START_TEST(counters_count_and_are_never_set_back)
{
    mirror_findings_counts_t counts;
    int status[2] = { 200, 500 };
    mirror_noted_row_t row = noted_row("status", MIRROR_KIND_STATUS, MIRROR_SIDE_TWO_WAY);
    mirror_noted_t noted = noted_of("g", &row, 1, MIRROR_VERDICT_DIFFERENT);

    row.part = MIRROR_PART_STATUS;
    memcpy(noted.status, status, sizeof(status));
    mirror_findings_add(area, &noted);
    add_verdict("g", MIRROR_VERDICT_SAME);
    mirror_findings_skip(area, MIRROR_SKIP_BUSY, 7);
    mirror_findings_skip(area, MIRROR_SKIP_NONE, 7);
    mirror_findings_skip(area, MIRROR_SKIP_BUSY, ~(apr_uint64_t)0);
    mirror_findings_time(area, 1500, 400);
    mirror_findings_time(area, 1500, 2000);
    view_area();
    ck_assert_uint_eq(view.compared, 2);
    ck_assert_uint_eq(view.skips[MIRROR_SKIP_BUSY], 7);
    ck_assert_int_eq(view.pair_count, 1);
    ck_assert_int_eq(view.pairs[0].primary, 200);
    ck_assert_int_eq(view.pairs[0].mirror, 500);
    ck_assert_uint_eq(view.latency.primary[mirror_cell_bucket(1500)], 2);
    ck_assert_uint_eq(view.latency.faster[mirror_cell_bucket(1100)], 1);
    ck_assert_uint_eq(view.latency.slower[mirror_cell_bucket(500)], 1);
    ck_assert_int_eq(mirror_findings_reset(area, 5000), APR_SUCCESS);
    view_area();
    ck_assert_int_eq(view.since, 5000);
    ck_assert_uint_eq(view.compared + view.skips[MIRROR_SKIP_BUSY], 0);
    ck_assert_int_eq(view.pair_count + view.group_count + view.row_count + view.finding_count, 0);
    add_verdict("g", MIRROR_VERDICT_SAME);
    view_area();
    ck_assert_uint_eq(view.compared, 1);
    mirror_findings_counts(&counts, area);
    ck_assert_uint_eq(counts.verdicts[MIRROR_VERDICT_SAME], 2);
    ck_assert_uint_eq(counts.verdicts[MIRROR_VERDICT_DIFFERENT], 1);
    ck_assert_uint_eq(counts.skips[MIRROR_SKIP_BUSY], 7);
    ck_assert_uint_eq(counts.kinds[MIRROR_PART_STATUS][MIRROR_KIND_STATUS], 1);
    ck_assert_uint_eq(counts.primary_us, 3000);
}
END_TEST

START_TEST(an_area_that_nobody_has_used_is_empty)
{
    mirror_findings_counts_t counts;

    mirror_findings_view(&view, NULL, pool);
    ck_assert_uint_eq(view.compared, 0);
    ck_assert_int_eq(view.row_count, 0);
    mirror_findings_counts(&counts, NULL);
    ck_assert_uint_eq(counts.primary_us, 0);
    view_area();
    ck_assert_int_eq(view.since, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("findings");
    TCase *tcase = tcase_create("findings");

    apr_initialize();
    tcase_add_checked_fixture(tcase, make_area, drop_area);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, evidence_is_what_the_sign_test_says, 0,
                        (int)(sizeof(evidence) / sizeof(*evidence)));
    tcase_add_test(tcase, evidence_is_the_same_in_floating_point);
    tcase_add_test(tcase, without_a_reference_a_difference_is_one_at_once);
    tcase_add_test(tcase, what_the_old_version_never_does_is_a_difference_at_once);
    tcase_add_test(tcase, what_the_old_version_has_done_once_takes_twelve_to_be_evident);
    tcase_add_loop_test(tcase, sides_without_evidence_are_noise, 0, 2);
    tcase_add_test(tcase, a_fair_coin_is_noise);
    tcase_add_test(tcase, a_reference_alone_in_what_is_skipped_is_noted);
    tcase_add_test(tcase, a_text_differs_if_the_mirror_alone_does);
    tcase_add_test(tcase, a_text_whose_pieces_vary_is_noise);
    tcase_add_test(tcase, another_kind_of_a_noisy_field_is_a_row_of_its_own);
    tcase_add_loop_test(tcase, an_id_that_stays_the_same_is_a_difference, 0, 2);
    tcase_add_test(tcase, a_time_that_changes_now_and_then_is_guessed_to_be_noise);
    tcase_add_test(tcase, what_always_looks_like_an_id_is_guessed_to_be_noise);
    tcase_add_test(tcase, what_is_not_looked_into_keeps_nothing_from_being_guessed);
    tcase_add_test(tcase, a_status_keeps_nothing_from_being_guessed);
    tcase_add_loop_test(tcase, nothing_else_is_guessed, 0, 4);
    tcase_add_test(tcase, what_the_built_in_list_forgives_is_no_finding);
    tcase_add_test(tcase, counters_count_and_are_never_set_back);
    tcase_add_test(tcase, an_area_that_nobody_has_used_is_empty);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
