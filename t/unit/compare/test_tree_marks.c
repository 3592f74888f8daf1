/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_tree_marks.c - which of mirror and reference stands alone in a value of a row.
 */
#include <check.h>

#include "json_pair.h"
#include "suite.h"

static mirror_rows_t of_mirror, of_reference;
static int is_known;

static const char *alone_in(const mirror_rows_t *list)
{
    const char *text = list->more_alone ? "(more)" : "";
    int i;

    for (i = 0; i < list->count; i++) {
        if (list->list[i].alone) {
            text = apr_pstrcat(pool, text, *text ? ", " : "", list->list[i].field, " ",
                               mirror_kind_name((mirror_kind_e)list->list[i].kind), NULL);
        }
    }
    return text;
}

/* "rows in which the mirror stands alone | those of the reference" */
static const char *alone(const char *primary, const char *mirror, const char *reference)
{
    mirror_tree_forget(context);
    options.side = MIRROR_TREE_SIDE_MIRROR;
    compare(primary, mirror);
    of_mirror = rows;
    options.side = MIRROR_TREE_SIDE_REFERENCE;
    compare(primary, reference);
    of_reference = rows;
    options.side = MIRROR_TREE_SIDE_NONE;
    compare(mirror, reference); /* changes nothing */
    is_known = mirror_tree_stand_alone(context, &of_mirror, &of_reference);
    return apr_pstrcat(pool, alone_in(&of_mirror), " | ", alone_in(&of_reference), NULL);
}

static const struct {
    const char *texts[3], *alone;
} cases[] = {
    { { "[1,2]", "[3,2]", "[4,2]" }, " | " },
    { { "[1,2]", "[3,3]", "[4,2]" }, "body/* value | " },
    { { "[1,2]", "[3,2]", "[4,3]" }, " | body/* value" },
    { { "[1,2,3]", "[9,8,3]", "[7,2,6]" }, "body/* value | body/* value" },
    { { "[1,2]", "[1,3]", "[4,2]" }, "body/* value | body/* value" },
    { { "[{\"v\":1},{\"v\":2}]", "[{\"v\":3},{}]", "[{\"v\":4},{\"v\":2}]" },
      "body/*/v missing | " },
    { { "[{\"v\":1},{\"v\":2}]", "[{},{}]", "[{},{\"v\":2}]" }, "body/*/v missing | " },
    /* of what is in a value that differs as a whole, nothing is known */
    { { "{\"a\":[1,[2]]}", "{\"a\":[1,[3]]}", "{\"a\":[1]}" }, " | body/a length" },
    { { "{\"a\":[1,[2]]}", "{\"a\":[1,[3]]}", "{\"a\":null}" }, " | body/a null" },
    { { "{\"a\":[1,[2]]}", "{\"a\":[1,[3]]}", "{}" }, " | body/a missing" },
    { { "{\"a\":[[1],[2]]}", "{\"a\":[[1],[3]]}", "{\"a\":[[2],[1]]}" }, " | body/a order" },
    { { "{\"a\":[[1],[2]]}", "{\"a\":[[1],[3]]}", "{\"a\":[[2],[2]]}" },
      "body/a/*/* value | body/a/*/* value" },
    /* what is in no value of the primary */
    { { "{}", "{\"a\":1}", "{}" }, " | " },
    { { "[{},{}]", "[{\"a\":1},{\"a\":1}]", "[{\"a\":1},{}]" }, " | " },
    /* members in another order, numbers, repeated names */
    { { "{\"1\":1,\"2\":2}", "{\"2\":3,\"1\":4}", "{\"2\":2.0,\"1\":5}" }, "body/* value | " },
    { { "{\"1\":1,\"2\":2}", "{\"1\":4,\"2\":2,\"2\":2}", "{\"1\":5,\"2\":2}" },
      "body/* duplicate | " },
    { { "1", "2", "3" }, " | " },
    { { "1", "2", "1" }, "body value | " },
};

START_TEST(one_stands_alone_in_a_value)
{
    const char *const *texts = cases[_i].texts;

    ck_assert_str_eq(alone(texts[0], texts[1], texts[2]), cases[_i].alone);
    ck_assert_int_eq(is_known, 1);
}
END_TEST

START_TEST(rows_without_room_stand_alone)
{
    char *text = repeat("{", " ", 3000, "}"), *p = text + 1, *mirror, *reference;
    int i;

    for (i = 0; i < 60; i++) {
        p += apr_snprintf(p, 64, "\"k%d\":{\"a\":1,\"b\":1},", i);
    }
    apr_snprintf(p, 64, "\"z\":5}");
    mirror = apr_pstrdup(pool, text);
    reference = apr_pstrdup(pool, text);
    for (i = 0; text[i]; i++) {
        if (text[i] == '1' && text[i - 1] == ':') {
            mirror[i] = '2';
            reference[i] = '3';
        }
    }
    ck_assert_str_eq(alone(text, mirror, reference), " | ");
    *strrchr(mirror, '5') = '6';
    ck_assert_str_eq(alone(text, mirror, reference), "(more) | ");
    *strrchr(reference, '5') = '7';
    ck_assert_str_eq(alone(text, mirror, reference), " | ");
}
END_TEST

START_TEST(without_both_comparisons_nothing_is_known)
{
    alone("[1]", "x", "[2]");
    ck_assert_int_eq(is_known, 1); /* the mirror's is a difference of the whole */
    alone("x", "[1]", "[1]");
    ck_assert_int_eq(is_known, 0);
    alone("[1]", "[2]", "[3]");
    ck_assert_int_eq(is_known, 1);
    mirror_tree_forget(context);
    ck_assert_int_eq(mirror_tree_stand_alone(context, &of_mirror, &of_reference), 0);
    mirror_tree_context_trim(context);
    alone("[1]", "[2]", "[1]");
    ck_assert_int_eq(of_mirror.list[0].alone, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tree_marks");
    TCase *tcase = tcase_create("tree_marks");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, one_stands_alone_in_a_value, 0, sizeof(cases) / sizeof(*cases));
    tcase_add_test(tcase, rows_without_room_stand_alone);
    tcase_add_test(tcase, without_both_comparisons_nothing_is_known);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
