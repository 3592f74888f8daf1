/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_lifespan.c - how many copies a connection takes if the server ends connections early.
 */
#include <check.h>
#include <stdlib.h>

#include "send/lifespan.h"
#include "suite.h"

static mirror_lifespan_t lifespan;

static void setup(void)
{
    lifespan.copies = 0;
}

START_TEST(no_bound_at_first)
{
    ck_assert_int_eq(mirror_lifespan_most(&lifespan, 100), 100);
    ck_assert(!mirror_lifespan_is_over(&lifespan, 1000000));
    mirror_lifespan_ended(&lifespan, MIRROR_LIFESPAN_MAX);
    ck_assert_int_eq(lifespan.copies, 0);
}
END_TEST

START_TEST(an_end_is_a_bound)
{
    mirror_lifespan_ended(&lifespan, 10);
    ck_assert_int_eq(mirror_lifespan_most(&lifespan, 100), 10);
    ck_assert_int_eq(mirror_lifespan_most(&lifespan, 5), 5); /* the attribute was changed */
    ck_assert(!mirror_lifespan_is_over(&lifespan, 9));
    ck_assert(mirror_lifespan_is_over(&lifespan, 10));
    mirror_lifespan_ended(&lifespan, 1000); /* more than streams */
    ck_assert_int_eq(mirror_lifespan_most(&lifespan, 100), 100);
    ck_assert(!mirror_lifespan_is_over(&lifespan, 999));
    ck_assert(mirror_lifespan_is_over(&lifespan, 1000));
    mirror_lifespan_ended(&lifespan, 0);
    ck_assert_int_eq(mirror_lifespan_most(&lifespan, 100), 1);
    ck_assert(!mirror_lifespan_is_over(&lifespan, 0));
    ck_assert(mirror_lifespan_is_over(&lifespan, 1));
    mirror_lifespan_ended(&lifespan, 1 << 30); /* GOAWAY without a number */
    ck_assert_int_eq(mirror_lifespan_most(&lifespan, 100), 1);
}
END_TEST

START_TEST(a_later_copy_doubles_it)
{
    int i;

    mirror_lifespan_ended(&lifespan, 0);
    for (i = 1; i < MIRROR_LIFESPAN_MAX; i *= 2) {
        ck_assert_int_eq(lifespan.copies, i);
        mirror_lifespan_outlived(&lifespan, i);
        mirror_lifespan_outlived(&lifespan, i); /* another connection that tested the same bound */
    }
    ck_assert_int_eq(lifespan.copies, 0);
    mirror_lifespan_outlived(&lifespan, i);
    ck_assert_int_eq(mirror_lifespan_most(&lifespan, 100), 100);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lifespan");
    TCase *tcase = tcase_create("lifespan");

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, no_bound_at_first);
    tcase_add_test(tcase, an_end_is_a_bound);
    tcase_add_test(tcase, a_later_copy_doubles_it);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
