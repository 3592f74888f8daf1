/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_turns.c - turns by weight: shares, smoothness, servers that cannot take a copy.
 */
#include <apr_general.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "send/turns.h"
#include "suite.h"

enum { MOST = 4 };

static mirror_turn_t list[MOST];
static mirror_turn_t *turns[MOST];
static unsigned ahead;

/* Servers of these weights, which are digits. */
static int given(const char *weights)
{
    int i;

    memset(list, 0, sizeof(list));
    for (i = 0; weights[i]; i++) {
        list[i].weight = weights[i] - '0';
        turns[i] = &list[i];
    }
    return i;
}

static int take(int count, unsigned eligible, unsigned able)
{
    return mirror_turns_take(turns, count, eligible, able, &ahead);
}

START_TEST(smooth)
{
    static const struct {
        const char *weights, *order;
    } cases[] = {
        { "1", "000" },        { "11", "0101" },     { "111", "012012" },
        { "121", "10211021" }, { "511", "0010200" }, { "22", "0101" },
    };
    char order[20];
    apr_size_t i, n;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        int count = given(cases[i].weights);
        unsigned all = (1u << count) - 1;

        for (n = 0; cases[i].order[n]; n++) {
            order[n] = (char)('0' + take(count, all, all));
            ck_assert_uint_eq(ahead, 0);
        }
        order[n] = '\0';
        ck_assert_str_eq(order, cases[i].order);
    }
}
END_TEST

START_TEST(nobody)
{
    int count = given("11");

    ck_assert_int_eq(take(count, 0, 3), -1);
    ck_assert_uint_eq(ahead, 0);
    ck_assert_int_eq(take(count, 3, 0), -1);
    ck_assert_uint_eq(ahead, 0);
    ck_assert(list[0].credit == 0 && list[1].credit == 0);
}
END_TEST

/* One that has no room is ahead, and another one is taken and charged. Later it gets no burst. */
START_TEST(late)
{
    int count = given("111"), i, taken[3] = { 0 }, run = 0;

    for (i = 0; i < 99; i++) {
        int one = take(count, 7, 6);

        ck_assert(one == 1 || one == 2);
        ck_assert_uint_eq(ahead, 1);
        taken[one]++;
    }
    ck_assert(abs(taken[1] - taken[2]) <= 1);
    while (take(count, 7, 7) == 0) {
        run++;
    }
    ck_assert_int_le(run, 2);
    memset(taken, 0, sizeof(taken));
    for (i = 0; i < 99; i++) {
        taken[take(count, 7, 7)]++;
    }
    ck_assert(abs(taken[0] - 33) <= 1 && abs(taken[1] - 33) <= 1);
}
END_TEST

/* All that cannot be taken for a while are ahead, not only the first one. */
START_TEST(several_ahead)
{
    int count = given("1111");

    ck_assert_int_eq(take(count, 15, 4), 2);
    ck_assert_uint_eq(ahead, 3); /* of equals the first ones */
    ck_assert_int_eq(take(count, 15, 4), 2);
    ck_assert_uint_eq(ahead, 11);
    ck_assert_int_eq(take(count, 13, 4), 2);
    ck_assert_uint_eq(ahead, 9);
}
END_TEST

/* One that does not take part is neither credited nor charged. */
START_TEST(absent)
{
    int count = given("131"), i, credit = list[1].credit;

    for (i = 0; i < 10; i++) {
        ck_assert_int_eq(take(count, 5, 7), i % 2 ? 2 : 0);
    }
    ck_assert_int_eq(list[1].credit, credit);
}
END_TEST

START_TEST(shares)
{
    ck_assert_int_eq(mirror_turns_share(64, 1, 3), 22);
    ck_assert_int_eq(mirror_turns_share(64, 2, 4), 32);
    ck_assert_int_eq(mirror_turns_share(1, 1, 16), 1);
    ck_assert_int_eq(mirror_turns_share(10, 100, 101), 10);
    ck_assert_int_eq(mirror_turns_share(2147483647LL + 65535, 1, 2), 1073774591);
    ck_assert_int_eq(mirror_turns_share(5, 1, 0), 5);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("turns");
    TCase *test = tcase_create("all");

    apr_initialize();
    tcase_add_test(test, smooth);
    tcase_add_test(test, nobody);
    tcase_add_test(test, late);
    tcase_add_test(test, several_ahead);
    tcase_add_test(test, absent);
    tcase_add_test(test, shares);
    suite_add_tcase(suite, test);
    return suite_run(suite);
}
