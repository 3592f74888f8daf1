/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_gate.c - the stage of limits with a strategy that responds when the test lets it, or
 * never.
 */
#include <stdlib.h>

#include "gate.h"
#include "suite.h"

START_TEST(copies_that_arrive_meanwhile_share_a_query)
{
    put(1);
    ck_assert_int_eq(wait_queried(1), 1);
    put(3);
    put(4);
    respond(APR_SUCCESS, 1, 1);
    ck_assert_int_eq(passed, 1);
    ck_assert_int_eq(wait_queried(2), 7);
    respond(APR_SUCCESS, 7, 8);
    ck_assert_int_eq(passed, 8);
    ck_assert_int_eq(mirror_gate_count(limits), 0);
    ck_assert_int_eq(server.opened, 1);
}
END_TEST

START_TEST(queries_have_a_minimum_interval)
{
    apr_time_t begin = mirror_clock_now();
    int i;

    for (i = 1; i <= 10; i++) {
        put(1);
        wait_queried(i);
        respond(APR_SUCCESS, 1, i);
    }
    ck_assert_int_ge(mirror_clock_now() - begin, apr_time_from_msec(9 * 5));
}
END_TEST

START_TEST(what_is_not_granted_is_limited_and_then_refused)
{
    put(5);
    respond(APR_SUCCESS, 2, 11);
    ck_assert_int_eq(passed, 2);
    ck_assert_int_eq(count_of(MIRROR_OUTCOME_LIMITED), 3);
    ck_assert_int_eq(put(4), 4);
    ck_assert_int_eq(count_of(MIRROR_OUTCOME_LIMITED), 7);
}
END_TEST

START_TEST(a_window_that_another_child_found_used_up_is_not_queried)
{
    put(1);
    put(3); /* they wait */
    mirror_window_close(&slot.limit_closed, 7, mirror_clock_now() + apr_time_from_sec(30));
    mirror_gate_dispatch_all(limits);
    ck_assert_int_eq(count_of(MIRROR_OUTCOME_LIMITED), 3);
    ck_assert_int_eq(mirror_gate_count(limits), 1);
}
END_TEST

START_TEST(a_window_that_another_child_found_used_up_is_closed_to_the_fallback)
{
    apr_status_t rv;

    settings.limit_fallback = _i;
    put(1);
    wait_queried(1);
    mirror_window_close(&slot.limit_closed, 7, mirror_clock_now() + apr_time_from_sec(30));
    respond(APR_EGENERAL, 0, 0);
    ck_assert_int_eq(passed, 0);
    ck_assert_int_eq(count_of(MIRROR_OUTCOME_LIMITED), 1);

    apr_atomic_set64(&slot.limit_closed, 0);
    settings.redis_timeout = 20;
    while (mirror_gate_count(limits) == 0) {
        passed = 0;
        put(1); /* after the pause */
    }
    wait_queried(2);
    mirror_window_close(&slot.limit_closed, 7, mirror_clock_now() + apr_time_from_sec(30));
    while (mirror_gate_count(limits) > 0) {
        mirror_loop_round(context.loop, apr_time_from_msec(10), &rv);
    }
    ck_assert_int_eq(passed, 0);
}
END_TEST

START_TEST(while_it_fails_one_copy_at_a_time_tries)
{
    put(3);
    respond(APR_EGENERAL, 0, 0);
    ck_assert_int_eq(count_of(MIRROR_OUTCOME_LIMIT_FAILED), 3);
    ck_assert_uint_ne(apr_atomic_read64(&slot.limit_silent), 0);
    put(5); /* before the pause is over */
    ck_assert_int_eq(count_of(MIRROR_OUTCOME_LIMIT_FAILED), 8);
    while (mirror_gate_count(limits) == 0) {
        put(2);
    }
    ck_assert_int_eq(wait_queried(2), 1);
    put(4); /* these do not wait for it */
    ck_assert_int_eq(mirror_gate_count(limits), 1);
    respond(APR_SUCCESS, 1, 1);
    ck_assert_uint_eq(apr_atomic_read64(&slot.limit_silent), 0);
    ck_assert_int_eq(passed, 1);
}
END_TEST

START_TEST(a_helper_that_does_not_come_back_is_given_up)
{
    apr_status_t rv;
    int failed;

    settings.redis_timeout = 20;
    put(3);
    wait_queried(1);
    while (mirror_gate_count(limits) > 0) {
        mirror_loop_round(context.loop, apr_time_from_msec(10), &rv);
    }
    ck_assert_int_eq(count_of(MIRROR_OUTCOME_LIMIT_FAILED), 3);
    put(2); /* nobody waits for it any more */
    ck_assert_int_eq(count_of(MIRROR_OUTCOME_LIMIT_FAILED), 5);
    respond(APR_SUCCESS, 3, 3); /* too late */
    ck_assert_int_eq(passed, 0);
    failed = count_of(MIRROR_OUTCOME_LIMIT_FAILED);
    put(1);
    respond(APR_SUCCESS, 1, 4);
    ck_assert_int_eq(passed, 1);
    ck_assert_int_eq(count_of(MIRROR_OUTCOME_LIMIT_FAILED), failed);
}
END_TEST

/* A query of another gate, which is held up by a name server until *baton is 1. */
static void wait_for_name(void *baton)
{
    while (!apr_atomic_read32(baton)) {
        apr_thread_yield();
    }
}

START_TEST(without_a_helper_no_copy_waits_longer_than_the_timeout)
{
    mirror_helpers_task_t tasks[HELPERS - 2];
    apr_uint32_t returned = 0;
    apr_status_t rv;
    int i;

    settings.redis_timeout = 20;
    for (i = 0; i < HELPERS - 2; i++) {
        tasks[i].run = wait_for_name;
        tasks[i].baton = &returned;
        ck_assert_int_eq(mirror_helpers_push(context.helpers, &tasks[i], MIRROR_HELPERS_QUERY),
                         APR_SUCCESS);
    }
    put(3);
    ck_assert_int_eq(mirror_gate_count(limits), 3);
    while (mirror_gate_count(limits) > 0) {
        mirror_loop_round(context.loop, apr_time_from_msec(10), &rv);
        mirror_gate_dispatch_all(limits);
    }
    ck_assert_int_eq(count_of(MIRROR_OUTCOME_LIMIT_FAILED), 3);
    put(2);
    ck_assert_int_eq(count_of(MIRROR_OUTCOME_LIMIT_FAILED), 5);
    ck_assert_int_eq(server.queried, 0);
    apr_atomic_set32(&returned, 1);
    for (i = 0; i < HELPERS - 2; i++) {
        mirror_helpers_done(context.helpers, MIRROR_HELPERS_QUERY);
    }
    do {
        put(1);
    } while (mirror_helpers_pending(context.helpers) == 0);
    respond(APR_SUCCESS, 1, 1);
    ck_assert_int_eq(passed, 1);
    ck_assert_uint_eq(apr_atomic_read64(&slot.limit_silent), 0);
}
END_TEST

START_TEST(the_fallback_local_counts_and_closes_for_no_longer_than_the_pause)
{
    settings.limit_fallback = MIRROR_FALLBACK_LOCAL;
    settings.count = 2;
    put(5);
    respond(APR_EGENERAL, 0, 0);
    ck_assert_int_eq(passed, 2);
    ck_assert_int_eq(count_of(MIRROR_OUTCOME_LIMITED), 3);
    ck_assert_int_eq(put(1), 1);
    while (mirror_gate_count(limits) == 0) {
        put(1);
    }
    respond(APR_SUCCESS, 1, 1);
    ck_assert_int_eq(passed, 3);
}
END_TEST

START_TEST(the_fallback_mirror_lets_all_pass)
{
    settings.limit_fallback = MIRROR_FALLBACK_MIRROR;
    put(20);
    respond(APR_EGENERAL, 0, 0);
    ck_assert_int_eq(passed, 20);
}
END_TEST

START_TEST(the_end_leaves_a_helper_behind_and_no_copy)
{
    put(1);
    wait_queried(1);
    put(2);
    mirror_gate_close_all(limits);
    ck_assert_int_eq(count_of(MIRROR_OUTCOME_SHUT_DOWN), 3);
    ck_assert_int_eq(mirror_gate_count(limits), 0);
    ck_assert_int_eq(mirror_helpers_pending(context.helpers), 1);
    ck_assert_int_eq(server.closed, 0); /* the helper has it */
    respond(APR_SUCCESS, 1, 1);
    mirror_gate_close_all(limits);
    ck_assert_int_eq(mirror_helpers_pending(context.helpers), 0);
    ck_assert_int_eq(server.closed, 1);
    ck_assert_int_eq(passed, 0);
}
END_TEST

START_TEST(other_settings_have_a_state_of_their_own)
{
    put(1);
    respond(APR_SUCCESS, 1, 1);
    settings.limit_id = 8;
    put(1);
    respond(APR_SUCCESS, 1, 1);
    ck_assert_int_eq(server.opened, 2);
    ck_assert_int_eq(server.closed, 1);
    ck_assert_int_eq(child.descriptors, 1);
}
END_TEST

START_TEST(without_a_limit_a_copy_passes_at_once)
{
    settings.enable_limit_count = 0;
    put(3);
    ck_assert_int_eq(passed, 3);
    ck_assert_int_eq(mirror_gate_count(limits), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("limit_gate");
    TCase *tcase = tcase_create("limit_gate");

    apr_initialize();
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, copies_that_arrive_meanwhile_share_a_query);
    tcase_add_test(tcase, queries_have_a_minimum_interval);
    tcase_add_test(tcase, what_is_not_granted_is_limited_and_then_refused);
    tcase_add_test(tcase, a_window_that_another_child_found_used_up_is_not_queried);
    tcase_add_loop_test(tcase, a_window_that_another_child_found_used_up_is_closed_to_the_fallback,
                        MIRROR_FALLBACK_LOCAL, MIRROR_FALLBACK_DROP + 1);
    tcase_add_test(tcase, while_it_fails_one_copy_at_a_time_tries);
    tcase_add_test(tcase, a_helper_that_does_not_come_back_is_given_up);
    tcase_add_test(tcase, without_a_helper_no_copy_waits_longer_than_the_timeout);
    tcase_add_test(tcase, the_fallback_local_counts_and_closes_for_no_longer_than_the_pause);
    tcase_add_test(tcase, the_fallback_mirror_lets_all_pass);
    tcase_add_test(tcase, the_end_leaves_a_helper_behind_and_no_copy);
    tcase_add_test(tcase, other_settings_have_a_state_of_their_own);
    tcase_add_test(tcase, without_a_limit_a_copy_passes_at_once);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
