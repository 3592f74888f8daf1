/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_share.c - what a mirror may have of a pot, beside others that give nothing back, and while
 * threads race.
 */
#include <apr_general.h>
#include <check.h>
#include <pthread.h>
#include <stdlib.h>

#include "copy/share.h"
#include "suite.h"

enum { SIZE = 1 << 20, MANY = 50, THREADS = 4 };

static mirror_pot_t pot;
static apr_uint64_t own[MANY];

/* Take pieces of `n` units until no more can be had. Returns how many units the mirror has then. */
static apr_uint64_t hog(int mirror, apr_uint64_t n)
{
    while (mirror_share_take(&pot, &own[mirror], n)) {
        ck_assert_uint_le(pot.used, pot.size);
    }
    return own[mirror];
}

static void setup(void)
{
    int i;

    for (i = 0; i < MANY; i++) {
        own[i] = 0;
    }
}

static void give_all(void)
{
    int i;

    for (i = 0; i < MANY; i++) {
        mirror_share_give(&pot, &own[i], own[i]);
    }
    ck_assert_uint_eq(pot.used, 0);
    ck_assert_uint_eq(pot.lent, 0);
}

START_TEST(a_single_mirror_may_have_all)
{
    mirror_share_init(&pot, SIZE, 1);
    ck_assert_uint_eq(hog(0, 1000), SIZE / 1000 * 1000);
    ck_assert_int_eq(mirror_share_take(&pot, &own[0], SIZE - own[0]), 1);
    ck_assert_int_eq(mirror_share_take(&pot, &own[0], 1), 0);
    give_all();
    ck_assert_int_eq(mirror_share_take(&pot, &own[0], SIZE + 1), 0);
    ck_assert_int_eq(mirror_share_take(&pot, &own[0], (apr_uint64_t)-1), 0);
    ck_assert_uint_eq(pot.used, 0);
}
END_TEST

START_TEST(a_hog_leaves_half)
{
    mirror_share_init(&pot, SIZE, 2);
    ck_assert_uint_le(hog(0, 100), SIZE / 2 + 100);
    ck_assert_uint_ge(own[0], SIZE / 2 - 100);
    ck_assert_uint_ge(hog(1, 100), SIZE / 4 - 100);
    ck_assert_uint_ge(SIZE - pot.used, SIZE / 5);
    give_all();
}
END_TEST

/* Each takes all that it can before the next one has anything. */
START_TEST(many_hogs_leave_each_its_reserve)
{
    int i;

    mirror_share_init(&pot, SIZE, MANY);
    for (i = 0; i < MANY; i++) {
        ck_assert_uint_ge(hog(i, 7), SIZE / 2 / MANY - 7);
    }
    give_all();
}
END_TEST

START_TEST(what_was_given_back_can_be_had_again)
{
    apr_uint64_t had;

    mirror_share_init(&pot, SIZE, 3);
    had = hog(0, 512);
    mirror_share_give(&pot, &own[0], had / 512 / 2 * 512);
    ck_assert_uint_ge(hog(1, 512), had / 2);
    mirror_share_give(&pot, &own[1], own[1]);
    ck_assert_uint_eq(hog(0, 512), had);
    give_all();
}
END_TEST

START_TEST(what_fits_can_be_taken)
{
    mirror_share_init(&pot, SIZE, 2);
    ck_assert_int_eq(mirror_share_fits(&pot, &own[0], SIZE), 1); /* all of it is free */
    ck_assert_int_eq(mirror_share_fits(&pot, &own[0], SIZE + 1), 0);
    ck_assert_int_eq(mirror_share_fits_half(&pot, &own[0], SIZE / 2), 1);
    ck_assert_int_eq(mirror_share_fits_half(&pot, &own[0], SIZE / 2 + 1), 0);
    hog(0, 100);
    ck_assert_int_eq(mirror_share_fits(&pot, &own[0], 200), 0);
    ck_assert_int_eq(mirror_share_fits_half(&pot, &own[0], 1), 0);
    ck_assert_int_eq(mirror_share_fits(&pot, &own[1], SIZE / 2 - 100), 1);
    ck_assert_int_eq(mirror_share_fits_half(&pot, &own[1], SIZE / 4 - 100), 1);
    ck_assert_int_eq(mirror_share_fits_half(&pot, &own[1], SIZE / 2), 0);
    give_all();
}
END_TEST

/* Two mirrors take and give as fast as they can; a third one takes its reserve, over and over: it
 * always gets it. */
static void *race(void *mirror)
{
    apr_uint64_t *mine = mirror;
    int i;

    for (i = 0; i < 200000; i++) {
        if (mirror_share_take(&pot, mine, 5000 + i % 7000)) {
            mirror_share_give(&pot, mine, 5000 + i % 7000);
        }
    }
    return NULL;
}

START_TEST(a_race_takes_nothing_of_a_reserve)
{
    pthread_t threads[THREADS];
    int i;

    mirror_share_init(&pot, SIZE, 3);
    hog(0, 4000);
    hog(1, 4000);
    for (i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, race, &own[i % 2]), 0);
    }
    for (i = 0; i < 100000; i++) {
        ck_assert_int_eq(mirror_share_take(&pot, &own[2], pot.reserve), 1);
        mirror_share_give(&pot, &own[2], pot.reserve);
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    ck_assert_uint_eq(pot.used, own[0] + own[1]);
    give_all();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("share");
    TCase *tcase = tcase_create("share");

    apr_initialize();
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, a_single_mirror_may_have_all);
    tcase_add_test(tcase, a_hog_leaves_half);
    tcase_add_test(tcase, many_hogs_leave_each_its_reserve);
    tcase_add_test(tcase, what_was_given_back_can_be_had_again);
    tcase_add_test(tcase, what_fits_can_be_taken);
    tcase_add_test(tcase, a_race_takes_nothing_of_a_reserve);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
