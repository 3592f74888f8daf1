/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_findings_rows.c - the tables of what comparing has found: what has room, and what rules do.
 */
#include "findings.h"
#include "suite.h"

/* ---- bounds ---- */

START_TEST(more_rows_than_there_is_room_for_are_one)
{
    char field[40];
    int i;

    for (i = 0; i < 1000; i++) {
        apr_snprintf(field, sizeof(field), "body/%d", i);
        add_row(i % 2 ? "g" : "h", field, MIRROR_KIND_VALUE, MIRROR_SIDE_TWO_WAY);
    }
    add_row("g", "body/1", MIRROR_KIND_VALUE, MIRROR_SIDE_TWO_WAY);
    view_area();
    ck_assert_int_eq(view.row_count, MIRROR_FINDINGS_ROWS - MIRROR_FINDINGS_GROUPS + 2);
    ck_assert_uint_eq(view.truncated_fields, 1000 - MIRROR_FINDINGS_ROWS + MIRROR_FINDINGS_GROUPS);
    ck_assert_str_eq(view.rows[0].field, "(more)");
    ck_assert_str_eq(view.rows[1].field, "(more)");
    ck_assert_uint_eq(view.rows[0].count + view.rows[1].count, view.truncated_fields);
    ck_assert_uint_eq(row_of(&view, "body/1").count, 2); /* old rows still count */
    ck_assert_int_eq(view.finding_count, MIRROR_FINDINGS_FINDINGS);
    ck_assert_int_eq(view.findings[0].more, 1); /* all other sets */
    ck_assert_int_eq(view.findings[0].row_count, 0);
}
END_TEST

START_TEST(each_group_has_room_for_its_further_rows)
{
    char name[40];
    int i, more = 0;

    for (i = 0; i < 3000; i++) {
        mirror_noted_row_t row = noted_row(name, MIRROR_KIND_VALUE, MIRROR_SIDE_TWO_WAY);
        char group[20];

        apr_snprintf(name, sizeof(name), "body/%d", i);
        apr_snprintf(group, sizeof(group), "group %d", i % 80);
        add_rows(group, &row, 1);
    }
    view_area();
    for (i = 0; i < view.row_count; i++) {
        more += strcmp(view.rows[i].field, "(more)") == 0;
    }
    ck_assert_int_eq(more, MIRROR_FINDINGS_GROUPS);
    ck_assert_int_eq(view.row_count, MIRROR_FINDINGS_ROWS);
}
END_TEST

START_TEST(groups_add_up_whatever_there_is_room_for)
{
    apr_uint64_t sum = 0, different = 0;
    char name[20];
    int i;

    for (i = 0; i < 300; i++) {
        apr_snprintf(name, sizeof(name), "group %d", i % 100);
        add_verdict(name, i % 3 ? MIRROR_VERDICT_SAME : MIRROR_VERDICT_DIFFERENT);
    }
    add_verdict("(more)", MIRROR_VERDICT_SAME);
    view_area();
    for (i = 0; i < view.group_count; i++) {
        sum += view.groups[i].compared;
        different += view.groups[i].different;
    }
    ck_assert_int_eq(view.group_count, MIRROR_FINDINGS_GROUPS);
    ck_assert_str_eq(view.groups[0].group, "(more)");
    ck_assert_uint_eq(view.groups[0].compared, view.truncated_groups);
    ck_assert_uint_eq(view.truncated_groups, 37 * 3 + 1);
    ck_assert_uint_eq(sum, 301);
    ck_assert_uint_eq(different, 100);
}
END_TEST

START_TEST(more_pairs_than_there_is_room_for_are_one)
{
    int i;

    for (i = 0; i < 100; i++) {
        mirror_noted_t noted = noted_of("g", NULL, 0, MIRROR_VERDICT_DIFFERENT);

        noted.status[0] = i < 90 ? 200 : -i;
        noted.status[1] = i < 90 ? 300 + i : 1 << 20;
        mirror_findings_add(area, &noted);
    }
    view_area();
    ck_assert_int_eq(view.pair_count, MIRROR_FINDINGS_PAIRS);
    ck_assert_int_eq(view.pairs[0].primary + view.pairs[0].mirror, 0);
    ck_assert_uint_eq(view.pairs[0].count, 100 - MIRROR_FINDINGS_PAIRS + 1);
}
END_TEST

START_TEST(a_set_of_rows_is_one_finding_in_any_order)
{
    mirror_noted_row_t rows[12];
    char fields[12][20];
    int i;

    for (i = 0; i < 12; i++) {
        apr_snprintf(fields[i], sizeof(fields[i]), "body/%d", i);
        rows[i] = noted_row(fields[i], MIRROR_KIND_VALUE,
                            i < 10 ? MIRROR_SIDE_ALL_DIFFER : MIRROR_SIDE_TWO_WAY);
    }
    add_rows("g", rows, 12);
    rows[0] = rows[11];
    rows[11] = noted_row(fields[0], MIRROR_KIND_VALUE, MIRROR_SIDE_ALL_DIFFER);
    add_rows("g", rows, 12);
    add_rows("h", rows, 12);
    view_area();
    ck_assert_int_eq(view.finding_count, 2);
    ck_assert_uint_eq(view.findings[0].count, 2);
    ck_assert_int_eq(view.findings[0].row_count, MIRROR_FINDINGS_SET);
    ck_assert_int_eq(view.findings[0].more, 1);
    ck_assert_int_eq(view.findings[0].noise, 0);
    ck_assert_ptr_eq(view.findings[0].rows[0]->noise, NULL); /* differences come first */
    ck_assert_ptr_eq(view.findings[0].rows[1]->noise, NULL);
    ck_assert_str_eq(view.findings[0].rows[2]->noise, "reference");
}
END_TEST

START_TEST(rows_that_are_not_listed_may_be_differences)
{
    mirror_noted_row_t row = noted_row("body/a", MIRROR_KIND_VALUE, MIRROR_SIDE_ALL_DIFFER);
    mirror_noted_t noted = noted_of("g", &row, 1, MIRROR_VERDICT_DIFFERENT);

    noted.more = 1;
    ck_assert_int_eq(mirror_findings_add(area, &noted), MIRROR_VERDICT_DIFFERENT);
    view_area();
    ck_assert_int_eq(view.findings[0].noise, 0);
    ck_assert_str_eq(view.findings[0].rows[0]->field, "(more)");
    ck_assert_ptr_null(view.findings[0].rows[0]->noise);
    ck_assert_uint_eq(view.truncated_fields, 1);
}
END_TEST

/* A list of a hundred times is noise beside a reference, however many rows have room. */
START_TEST(rows_that_are_not_listed_may_be_noise)
{
    mirror_noted_row_t row = noted_row("body/a", MIRROR_KIND_VALUE, MIRROR_SIDE_ALL_DIFFER);
    mirror_noted_t noted = noted_of("g", &row, 1, MIRROR_VERDICT_DIFFERENT);

    noted.more = 100;
    noted.more_side = MIRROR_SIDE_ALL_DIFFER;
    ck_assert_int_eq(mirror_findings_add(area, &noted), MIRROR_VERDICT_NOISE);
    view_area();
    ck_assert_int_eq(view.findings[0].noise, 1);
    ck_assert_str_eq(row_of(&view, "(more)").noise, "reference");
    ck_assert_uint_eq(row_of(&view, "(more)").count, 1);
    noted.more_side = MIRROR_SIDE_MIRROR_ALONE;
    row.side = MIRROR_SIDE_MIRROR_ALONE;
    noted.group = "h";
    ck_assert_int_eq(mirror_findings_add(area, &noted), MIRROR_VERDICT_DIFFERENT);
}
END_TEST

/* ---- rules ---- */

START_TEST(what_a_rule_forgives_is_noise_and_no_finding)
{
    mirror_noted_row_t rows[2] = {
        noted_row("body/a", MIRROR_KIND_VALUE, MIRROR_SIDE_TWO_WAY),
        noted_row("body/b", MIRROR_KIND_VALUE, MIRROR_SIDE_TWO_WAY),
    };
    mirror_noted_t noted = noted_of("g", rows, 1, MIRROR_VERDICT_IGNORED);

    rows[0].by_rule = 1;
    ck_assert_int_eq(mirror_findings_add(area, &noted), MIRROR_VERDICT_IGNORED);
    view_area();
    ck_assert_int_eq(view.finding_count, 0);
    ck_assert_str_eq(view.rows[0].noise, "rule");
    ck_assert_uint_eq(view.rows[0].count, 1);
    ck_assert_int_eq(view.rows[0].last, 1000);
    noted.verdict = MIRROR_VERDICT_DIFFERENT;
    noted.count = 2;
    ck_assert_int_eq(mirror_findings_add(area, &noted), MIRROR_VERDICT_DIFFERENT);
    view_area();
    ck_assert_int_eq(view.findings[0].row_count, 1);
    ck_assert_str_eq(row_of(&view, "body/a").noise, "rule");
    ck_assert_uint_eq(row_of(&view, "body/a").count, 2);
    rows[0].by_rule = 0; /* beyond what the rule forgives */
    ck_assert_int_eq(mirror_findings_add(area, &noted), MIRROR_VERDICT_DIFFERENT);
    view_area();
    ck_assert_ptr_null(row_of(&view, "body/a").noise);
    ck_assert_uint_eq(row_of(&view, "body/a").count, 1);
}
END_TEST

START_TEST(what_is_forgiven_leaves_room_for_differences)
{
    mirror_noted_row_t row = noted_row("", MIRROR_KIND_VALUE, MIRROR_SIDE_TWO_WAY);
    mirror_noted_t noted = noted_of("g", &row, 1, MIRROR_VERDICT_IGNORED);
    char field[40];
    int i;

    row.by_rule = _i == 0;
    row.built_in = _i == 1;
    row.field = field;
    for (i = 0; i < 1000; i++) {
        apr_snprintf(field, sizeof(field), "body/%d", i);
        mirror_findings_add(area, &noted);
    }
    view_area();
    ck_assert_int_eq(view.row_count, (MIRROR_FINDINGS_ROWS - MIRROR_FINDINGS_GROUPS) / 2);
    ck_assert_uint_eq(view.truncated_fields, 0);
    add_row("g", "body/x", MIRROR_KIND_VALUE, MIRROR_SIDE_TWO_WAY);
    view_area();
    ck_assert_uint_eq(row_of(&view, "body/x").count, 1);
}
END_TEST

START_TEST(rules_are_counted)
{
    /* a rule may be there twice */
    mirror_noted_rule_t rules[] = {
        { 17, 1, 0 }, { 17 + MIRROR_FINDINGS_RULES, 0, 1 }, { 0, 1, 1 }, { 17, 0, 0 }
    };
    mirror_noted_t noted = noted_of("g", NULL, 0, MIRROR_VERDICT_SAME);
    const mirror_found_rule_t *rule;
    int i;

    noted.rules = rules;
    noted.rule_count = 4;
    for (i = 0; i < 5; i++) {
        rules[0].has_hit = i < 2;
        mirror_findings_add(area, &noted);
    }
    view_area();
    ck_assert_int_eq(view.rule_count, 2);
    rule = mirror_findings_rule(&view, 17);
    ck_assert_uint_eq(rule->compared, 5);
    ck_assert_uint_eq(rule->hits, 2);
    ck_assert_uint_eq(rule->failures, 0);
    rule = mirror_findings_rule(&view, 17 + MIRROR_FINDINGS_RULES);
    ck_assert_uint_eq(rule->compared, 5);
    ck_assert_uint_eq(rule->hits, 0);
    ck_assert_uint_eq(rule->failures, 5);
    ck_assert_ptr_null(mirror_findings_rule(&view, 1));
    mirror_findings_reset(area, 5000);
    view_area();
    ck_assert_int_eq(view.rule_count, 0);
}
END_TEST

START_TEST(more_rules_than_there_is_room_for_are_not_counted)
{
    mirror_noted_rule_t rule = { 0, 0, 0 };
    mirror_noted_t noted = noted_of("g", NULL, 0, MIRROR_VERDICT_SAME);

    noted.rules = &rule;
    noted.rule_count = 1;
    for (rule.id = 1; rule.id <= MIRROR_FINDINGS_RULES + 9; rule.id++) {
        mirror_findings_add(area, &noted);
    }
    view_area();
    ck_assert_int_eq(view.rule_count, MIRROR_FINDINGS_RULES);
    ck_assert_ptr_null(mirror_findings_rule(&view, MIRROR_FINDINGS_RULES + 1));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("findings_rows");
    TCase *tcase = tcase_create("findings_rows");

    apr_initialize();
    tcase_add_checked_fixture(tcase, make_area, drop_area);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, more_rows_than_there_is_room_for_are_one);
    tcase_add_test(tcase, each_group_has_room_for_its_further_rows);
    tcase_add_test(tcase, groups_add_up_whatever_there_is_room_for);
    tcase_add_test(tcase, more_pairs_than_there_is_room_for_are_one);
    tcase_add_test(tcase, a_set_of_rows_is_one_finding_in_any_order);
    tcase_add_test(tcase, rows_that_are_not_listed_may_be_differences);
    tcase_add_test(tcase, rows_that_are_not_listed_may_be_noise);
    tcase_add_test(tcase, what_a_rule_forgives_is_noise_and_no_finding);
    tcase_add_loop_test(tcase, what_is_forgiven_leaves_room_for_differences, 0, 2);
    tcase_add_test(tcase, rules_are_counted);
    tcase_add_test(tcase, more_rules_than_there_is_room_for_are_not_counted);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
