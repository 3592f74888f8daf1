/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_findings_values.c - values of examples in shared memory: which are kept, and for how long.
 */
#include "base/clock.h"
#include "findings.h"
#include "shared/findings_state.h"
#include "suite.h"

#define SECRET "s3cret-value"

static apr_time_t now;

static void prepare(void)
{
    make_area();
    now = mirror_clock_to_wall(mirror_clock_now());
}

static mirror_verdict_e add_values(const char *field, const char *a, const char *b, int values)
{
    mirror_noted_row_t row = noted_row(field, MIRROR_KIND_VALUE, MIRROR_SIDE_TWO_WAY);
    mirror_noted_t noted = noted_of("g", &row, 1, MIRROR_VERDICT_DIFFERENT);

    row.values[0] = a;
    row.values[1] = b;
    noted.values = values;
    noted.time = now;
    return mirror_findings_add(area, &noted);
}

/* The values of all examples, "a | b". */
static const char *all_values(void)
{
    const char *text = "";
    int i, k, n;

    view_area();
    for (i = 0; i < view.finding_count; i++) {
        for (k = 0; k < view.findings[i].example_count; k++) {
            const mirror_found_example_t *example = &view.findings[i].examples[k];

            for (n = 0; n < example->value_count; n++) {
                const mirror_found_value_t *value = &example->values[n];

                text = apr_pstrcat(pool, text, *text ? "; " : "", value->row->field, ": ",
                                   value->sides[0] ? value->sides[0] : "-", " | ",
                                   value->sides[1] ? value->sides[1] : "-", NULL);
            }
        }
    }
    return text;
}

/* Whether the bytes of the area have a text. */
static int has_bytes(const char *text)
{
    return memmem(area, mirror_findings_size(), text, strlen(text)) != NULL;
}

START_TEST(the_newest_example_has_values)
{
    add_values("body/a", "1", "2", 1);
    ck_assert_str_eq(all_values(), "body/a: 1 | 2");
    add_values("body/a", "3", NULL, 1);
    ck_assert_str_eq(all_values(), "body/a: 3 | -");
    add_values("body/b", "", "\x1b[0m\xff", 1);
    ck_assert_str_eq(all_values(), "body/a: 3 | -; body/b: - | ?[0m?");
    add_values("body/c", "", NULL, 1);
    ck_assert_str_eq(all_values(), "body/a: 3 | -; body/b: - | ?[0m?");
}
END_TEST

START_TEST(without_compare_values_nothing_is_kept)
{
    add_values("body/a", SECRET, SECRET, 0);
    ck_assert_str_eq(all_values(), "");
    ck_assert(!has_bytes(SECRET));
}
END_TEST

START_TEST(values_are_forgotten)
{
    add_values("body/a", SECRET, "2", 1);
    ck_assert(has_bytes(SECRET));
    switch (_i) {
    case 0:
        mirror_findings_forget_values(area);
        break;
    case 1:
        ck_assert_int_eq(mirror_findings_reset(area, now), APR_SUCCESS);
        break;
    case 2: /* the next response has settings without values */
        add_values("body/b", "1", "2", 0);
        break;
    case 3: /* a day later, with the next response */
        now += MIRROR_FINDINGS_VALUES_TIME + 1;
        add_values("body/b", "1", "2", 1);
        break;
    case 4: /* the clock is set back, with the next response */
        now -= MIRROR_FINDINGS_VALUES_TIME + 1;
        add_values("body/b", "1", "2", 1);
        break;
    default: /* the next example of the same finding */
        add_values("body/a", "1", "2", 1);
        break;
    }
    ck_assert(!has_bytes(SECRET));
}
END_TEST

START_TEST(old_values_are_not_shown)
{
    /* of yesterday; or of a clock that was set back */
    now += (_i ? 1 : -1) * (MIRROR_FINDINGS_VALUES_TIME + apr_time_from_sec(60));
    add_values("body/a", "1", "2", 1);
    ck_assert_str_eq(all_values(), "");
    ck_assert_int_eq(view.findings[0].example_count, 1);
}
END_TEST

START_TEST(only_some_rows_of_a_response_have_values)
{
    mirror_noted_row_t rows[12];
    mirror_noted_t noted = noted_of("g", rows, 12, MIRROR_VERDICT_DIFFERENT);
    char fields[12][20];
    int i;

    for (i = 0; i < 12; i++) {
        apr_snprintf(fields[i], sizeof(fields[i]), "body/%d", i);
        rows[i] = noted_row(fields[i], MIRROR_KIND_VALUE, MIRROR_SIDE_TWO_WAY);
        rows[i].values[0] = rows[i].values[1] = "x";
    }
    rows[0].built_in = rows[1].by_rule = 1;
    noted.values = 1;
    noted.time = now;
    mirror_findings_add(area, &noted);
    view_area();
    ck_assert_int_eq(view.findings[0].examples[0].value_count, MIRROR_FINDINGS_SET);
    ck_assert_str_eq(view.findings[0].examples[0].values[0].row->field, "body/2");
}
END_TEST

START_TEST(values_move_with_their_area)
{
    mirror_findings_t *former = area;

    add_values("body/a", "1", "2", 1);
    area = mmap(NULL, mirror_findings_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                -1, 0);
    ck_assert_ptr_ne(area, MAP_FAILED);
    mirror_findings_move(area, former);
    ck_assert_str_eq(all_values(), "body/a: 1 | 2");
    munmap(former, mirror_findings_size());
}
END_TEST

/* A child may write anything there. */
START_TEST(any_words_are_readable)
{
    apr_size_t size = sizeof(area->values), i;
    apr_uint64_t *words;

    add_values("body/a", "1", "2", 1);
    words = (apr_uint64_t *)area->values;
    for (i = 0; i < size / sizeof(*words); i++) {
        if (&words[i] != &area->values[0].time && &words[i] != &area->values[0].example) {
            words[i] = _i ? ~(apr_uint64_t)0 : APR_UINT64_C(0x4141414141414141) * (i % 3);
        }
    }
    area->values[0].list[0].row = area->values[0].list[0].row ? 1 : 0;
    all_values();
    mirror_findings_forget_values(area);
    ck_assert_str_eq(all_values(), "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("findings_values");
    TCase *tcase = tcase_create("findings_values");

    apr_initialize();
    tcase_add_checked_fixture(tcase, prepare, drop_area);
    tcase_add_test(tcase, the_newest_example_has_values);
    tcase_add_test(tcase, without_compare_values_nothing_is_kept);
    tcase_add_loop_test(tcase, values_are_forgotten, 0, 6);
    tcase_add_loop_test(tcase, old_values_are_not_shown, 0, 2);
    tcase_add_test(tcase, only_some_rows_of_a_response_have_values);
    tcase_add_test(tcase, values_move_with_their_area);
    tcase_add_loop_test(tcase, any_words_are_readable, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
