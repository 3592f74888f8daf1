/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_budget.c - the processor time that the comparer may take, and that one mirror leaves to others.
 */
#include <apr_general.h>
#include <check.h>

#include "compare/budget.h"
#include "suite.h"

#define MSEC   1000
#define SECOND (1000 * MSEC)
#define BEGIN  (7 * (apr_time_t)SECOND)

static apr_pool_t *pool;
static mirror_budget_t *budget;
static apr_time_t now;
static apr_interval_time_t spent;

static void prepare(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    budget = mirror_budget_create(3, pool);
    now = BEGIN;
    spent = 12345;
    mirror_budget_start(budget, now, spent);
}

static void teardown(void)
{
    apr_pool_destroy(pool);
}

/* A pair that costs so much. Returns whether it was looked into. */
static int compare(int mirror, apr_interval_time_t cost)
{
    int may = mirror_budget_has(budget, mirror, now, spent);

    spent += may ? cost : 1;
    now += may ? cost : 1;
    mirror_budget_charge(budget, mirror, spent);
    return may;
}

/* Ten seconds with a pair of 20 ms each 10 ms. Returns how many of `others`'s cheap pairs, one after each
 * of them, were not looked into; -1: it has none. */
static int flood(int mirror, int other)
{
    int missed = 0;
    apr_time_t end = now + 10 * (apr_time_t)SECOND;

    while (now < end) {
        compare(mirror, 20 * MSEC);
        now += 10 * MSEC;
        missed += other >= 0 && !compare(other, 50);
    }
    return missed;
}

START_TEST(one_mirror_has_all)
{
    apr_interval_time_t before = spent;

    flood(0, -1);
    ck_assert_int_ge(spent - before, 900 * MSEC);
    ck_assert_int_le(spent - before, 1200 * MSEC);
}
END_TEST

START_TEST(an_expensive_mirror_leaves_half_to_another_one)
{
    apr_interval_time_t before;

    compare(1, 50);
    flood(0, 1); /* what was saved is taken */
    before = spent;
    ck_assert_int_eq(flood(0, 1), 0);
    ck_assert_int_ge(spent - before, 400 * MSEC);
    ck_assert_int_le(spent - before, 700 * MSEC);
}
END_TEST

/* A single pair may take more than can be saved. */
START_TEST(a_very_expensive_mirror_is_out_for_longer_than_others)
{
    int looks = 0, i;

    compare(1, 50);
    compare(0, 500 * MSEC);
    now += 5 * SECOND; /* what it took is given to all again */
    for (i = 0; i < 20; i++, now += 100 * MSEC) {
        looks += compare(0, 500 * MSEC);
        ck_assert_int_eq(compare(1, 50), 1);
    }
    ck_assert_int_eq(looks, 0);
}
END_TEST

START_TEST(all_together_have_no_more)
{
    apr_interval_time_t before = spent;
    apr_time_t end = now + 10 * (apr_time_t)SECOND;

    while (now < end) {
        compare(0, 20 * MSEC);
        compare(1, 20 * MSEC);
        compare(2, 20 * MSEC);
        now += 10 * MSEC;
    }
    ck_assert_int_ge(spent - before, 900 * MSEC);
    ck_assert_int_le(spent - before, 1300 * MSEC);
}
END_TEST

START_TEST(a_mirror_that_was_alone_is_soon_one_of_two)
{
    flood(0, -1);
    now += SECOND;
    ck_assert_int_eq(compare(1, 50), 1);
    now += 3 * SECOND;
    ck_assert_int_eq(compare(0, 20 * MSEC), 1);
}
END_TEST

START_TEST(a_mirror_that_has_ended_counts_for_an_hour)
{
    apr_interval_time_t before;

    compare(1, 50);
    now += (apr_time_t)3600 * SECOND;
    before = spent;
    flood(0, -1);
    ck_assert_int_ge(spent - before, 900 * MSEC);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("budget");
    TCase *tcase = tcase_create("all");

    tcase_add_checked_fixture(tcase, prepare, teardown);
    tcase_add_test(tcase, one_mirror_has_all);
    tcase_add_test(tcase, an_expensive_mirror_leaves_half_to_another_one);
    tcase_add_test(tcase, a_very_expensive_mirror_is_out_for_longer_than_others);
    tcase_add_test(tcase, all_together_have_no_more);
    tcase_add_test(tcase, a_mirror_that_was_alone_is_soon_one_of_two);
    tcase_add_test(tcase, a_mirror_that_has_ended_counts_for_an_hour);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
