/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_limit_gate.c - the stage of limits with a strategy that answers when the test says so, or never.
 */
#include <apr_general.h>
#include <apr_strings.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <httpd.h>
#include <ap_provider.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "mirror_clock.h"
#include "mirror_limit.h"
#include "mirror_limit_window.h"
#include "mirror_slotmem.h"
#include "mirror_tls.h"

/* No connection is made here; with this one the linker leaves out the one that needs all of httpd. */
const mirror_transport_t mirror_tls_transport;

enum { HELPERS = 4 };

static apr_pool_t *pool;
static mirror_slot_t slot;
static mirror_cell_t cell;
static mirror_settings_t settings;
static mirror_t mirror;
static mirror_t *mirrors[1] = { &mirror };
static apr_array_header_t list;
static mirror_registry_t registry;
static mirror_child_t child;
static mirror_lane_t lane;
static mirror_pools_t pools;
static mirror_limits_t *limits;
static int passed; /* copies that the stage has let go on */

/* In place of the pool. */
void mirror_pool_put(mirror_pools_t *p, mirror_copy_t *copy)
{
    (void)p;
    passed++;
    mirror_copy_end(copy, MIRROR_OUTCOME_MIRRORED);
}

/* ---- the strategy ---- */

static struct {
    apr_thread_mutex_t *mutex; /* of the rest */
    apr_thread_cond_t *changed;
    int gate_open;
    int asked; /* how often */
    apr_int64_t wanted;
    apr_status_t status;
    mirror_limit_answer_t answer;
    int opened, closed;
} server;

static void *fake_open(const mirror_t *m, const mirror_settings_t *t, apr_uint32_t *g, apr_pool_t *p)
{
    (void)m;
    (void)t;
    (void)g;
    (void)p;
    server.opened++;
    return &server;
}

static apr_status_t fake_ask(mirror_limit_answer_t *answer, void *state, apr_int64_t wanted, apr_time_t deadline)
{
    apr_status_t rv;

    (void)state;
    (void)deadline;
    apr_thread_mutex_lock(server.mutex);
    server.asked++;
    server.wanted = wanted;
    apr_thread_cond_broadcast(server.changed);
    while (!server.gate_open) {
        apr_thread_cond_wait(server.changed, server.mutex);
    }
    *answer = server.answer;
    rv = server.status;
    apr_thread_mutex_unlock(server.mutex);
    return rv;
}

static void fake_close(void *state)
{
    (void)state;
    server.closed++;
}

static const mirror_limit_provider_t provider = { 1, NULL, fake_open, fake_ask, fake_close };

AP_DECLARE(void *) ap_lookup_provider(const char *group, const char *name, const char *version)
{
    ck_assert_str_eq(group, MIRROR_LIMIT_PROVIDERS);
    ck_assert_str_eq(name, "redis");
    (void)version;
    return (void *)&provider;
}

static void open_gate(int open)
{
    apr_thread_mutex_lock(server.mutex);
    server.gate_open = open;
    apr_thread_cond_broadcast(server.changed);
    apr_thread_mutex_unlock(server.mutex);
}

/* ---- the stage ---- */

static int no_wake(void *baton)
{
    (void)baton;
    return 1;
}

static void setup(void)
{
    apr_pool_create(&pool, NULL);
    memset(&server, 0, sizeof(server));
    apr_thread_mutex_create(&server.mutex, APR_THREAD_MUTEX_DEFAULT, pool);
    apr_thread_cond_create(&server.changed, pool);
    memset(&slot, 0, sizeof(slot));
    memset(&cell, 0, sizeof(cell));
    memset(&settings, 0, sizeof(settings));
    settings.enable_limit_count = 1;
    settings.count = 11;
    settings.time_window = 60;
    settings.policy = 1;
    settings.redis_timeout = 60000;
    settings.limit_fallback = MIRROR_FALLBACK_DROP;
    settings.limit_id = 7;
    settings.max_connections = 100;
    mirror.name = "m";
    mirror.settings = &settings;
    mirror.slot = &slot;
    list.elts = (char *)mirrors;
    list.nelts = 1;
    registry.mirrors = &list;
    registry.threads = HELPERS;
    memset(&child, 0, sizeof(child));
    child.registry = &registry;
    registry.memory = 1 << 20;
    mirror_copy_start(&child, pool);
    child.lanes = &lane;
    memset(&lane, 0, sizeof(lane));
    lane.mirror = &mirror;
    lane.child = &child;
    lane.cell = &cell;
    memset(&pools, 0, sizeof(pools));
    pools.child = &child;
    ck_assert_int_eq(mirror_loop_create(&pools.loop, pool), APR_SUCCESS);
    pools.count = 1;
    passed = 0;
    ck_assert_int_eq(mirror_helpers_create(&pools.helpers, HELPERS, pool), APR_SUCCESS);
    limits = mirror_limit_create_all(&pools, no_wake, NULL, pool);
}

/* Everything has an outcome. */
static void teardown(void)
{
    open_gate(1);
    mirror_limit_close_all(limits);
    ck_assert_int_eq(mirror_limit_held(limits), 0);
    ck_assert_uint_eq(lane.pending, 0);
    ck_assert_uint_eq(child.memory.used, 0);
    while (mirror_helpers_pending(pools.helpers) > 0) {
        mirror_limit_take_answers(limits);
        apr_thread_yield();
    }
    mirror_limit_close_all(limits);
    ck_assert_int_eq(mirror_helpers_end(pools.helpers), 0);
    apr_pool_destroy(pool);
}

/* Put `n` copies in, and dispatch. Returns how many of them were refused before they were made. */
static int put(int n)
{
    mirror_copy_t *copy;
    int refused = 0;

    while (n-- > 0) {
        if (mirror_copy_create(&copy, &lane, &settings, 10, 0) == MIRROR_OUTCOME_NONE) {
            mirror_limit_put(limits, copy);
        }
        else {
            refused++;
        }
    }
    mirror_limit_dispatch_all(limits);
    return refused;
}

/* Until it was asked so often. Returns for how many, the last time. */
static int wait_asked(int times)
{
    int asked, wanted;

    do {
        mirror_limit_dispatch_all(limits); /* a question may have had to wait */
        apr_thread_yield();
        apr_thread_mutex_lock(server.mutex);
        asked = server.asked;
        wanted = (int)server.wanted;
        apr_thread_mutex_unlock(server.mutex);
    } while (asked < times);
    return wanted;
}

/* Let the strategy answer the question that is under way, and take that. What waits then asks the next one. */
static void answer(apr_status_t status, apr_int64_t granted, apr_int64_t used)
{
    apr_thread_mutex_lock(server.mutex);
    server.status = status;
    server.answer.granted = granted;
    server.answer.used = used;
    server.answer.until = mirror_clock_now() + apr_time_from_sec(60);
    apr_cpystrn(server.answer.fault, "the test says so", sizeof(server.answer.fault));
    apr_thread_mutex_unlock(server.mutex);
    open_gate(1);
    while (mirror_limit_take_answers(limits) == 0) {
        mirror_limit_dispatch_all(limits); /* a question may have had to wait */
        apr_thread_yield();
    }
    open_gate(0);
    mirror_limit_dispatch_all(limits);
}

static int count_of(mirror_outcome_e outcome)
{
    return (int)apr_atomic_read64(&cell.outcomes[outcome]);
}

START_TEST(what_comes_meanwhile_asks_together)
{
    put(1);
    ck_assert_int_eq(wait_asked(1), 1);
    put(3);
    put(4);
    answer(APR_SUCCESS, 1, 1);
    ck_assert_int_eq(passed, 1);
    ck_assert_int_eq(wait_asked(2), 7);
    answer(APR_SUCCESS, 7, 8);
    ck_assert_int_eq(passed, 8);
    ck_assert_int_eq(mirror_limit_held(limits), 0);
    ck_assert_int_eq(server.opened, 1);
}
END_TEST

START_TEST(questions_have_a_pace)
{
    apr_time_t begin = mirror_clock_now();
    int i;

    for (i = 1; i <= 10; i++) {
        put(1);
        wait_asked(i);
        answer(APR_SUCCESS, 1, i);
    }
    ck_assert_int_ge(mirror_clock_now() - begin, apr_time_from_msec(9 * 5));
}
END_TEST

START_TEST(what_is_not_granted_is_limited_and_then_refused)
{
    put(5);
    answer(APR_SUCCESS, 2, 11);
    ck_assert_int_eq(passed, 2);
    ck_assert_int_eq(count_of(MIRROR_OUTCOME_LIMITED), 3);
    ck_assert_int_eq(put(4), 4);
    ck_assert_int_eq(count_of(MIRROR_OUTCOME_LIMITED), 7);
}
END_TEST

START_TEST(a_window_that_another_child_found_used_up_is_not_asked_for)
{
    put(1);
    put(3); /* they wait */
    mirror_limit_window_close(&slot.limit_closed, 7, mirror_clock_now() + apr_time_from_sec(30));
    mirror_limit_dispatch_all(limits);
    ck_assert_int_eq(count_of(MIRROR_OUTCOME_LIMITED), 3);
    ck_assert_int_eq(mirror_limit_held(limits), 1);
}
END_TEST

START_TEST(a_window_that_another_child_found_used_up_has_no_place_by_the_fallback)
{
    apr_status_t rv;

    settings.limit_fallback = _i;
    put(1);
    wait_asked(1);
    mirror_limit_window_close(&slot.limit_closed, 7, mirror_clock_now() + apr_time_from_sec(30));
    answer(APR_EGENERAL, 0, 0);
    ck_assert_int_eq(passed, 0);
    ck_assert_int_eq(count_of(MIRROR_OUTCOME_LIMITED), 1);

    apr_atomic_set64(&slot.limit_closed, 0);
    settings.redis_timeout = 20;
    while (mirror_limit_held(limits) == 0) {
        passed = 0;
        put(1); /* after the pause */
    }
    wait_asked(2);
    mirror_limit_window_close(&slot.limit_closed, 7, mirror_clock_now() + apr_time_from_sec(30));
    while (mirror_limit_held(limits) > 0) {
        mirror_loop_round(pools.loop, apr_time_from_msec(10), &rv);
    }
    ck_assert_int_eq(passed, 0);
}
END_TEST

START_TEST(while_it_fails_one_copy_at_a_time_tries)
{
    put(3);
    answer(APR_EGENERAL, 0, 0);
    ck_assert_int_eq(count_of(MIRROR_OUTCOME_LIMIT_FAILED), 3);
    ck_assert_uint_ne(apr_atomic_read64(&slot.limit_silent), 0);
    put(5); /* before the pause is over */
    ck_assert_int_eq(count_of(MIRROR_OUTCOME_LIMIT_FAILED), 8);
    while (mirror_limit_held(limits) == 0) {
        put(2);
    }
    ck_assert_int_eq(wait_asked(2), 1);
    put(4); /* these do not wait for it */
    ck_assert_int_eq(mirror_limit_held(limits), 1);
    answer(APR_SUCCESS, 1, 1);
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
    wait_asked(1);
    while (mirror_limit_held(limits) > 0) {
        mirror_loop_round(pools.loop, apr_time_from_msec(10), &rv);
    }
    ck_assert_int_eq(count_of(MIRROR_OUTCOME_LIMIT_FAILED), 3);
    put(2); /* nobody waits for it any more */
    ck_assert_int_eq(count_of(MIRROR_OUTCOME_LIMIT_FAILED), 5);
    answer(APR_SUCCESS, 3, 3); /* too late */
    ck_assert_int_eq(passed, 0);
    failed = count_of(MIRROR_OUTCOME_LIMIT_FAILED);
    put(1);
    answer(APR_SUCCESS, 1, 4);
    ck_assert_int_eq(passed, 1);
    ck_assert_int_eq(count_of(MIRROR_OUTCOME_LIMIT_FAILED), failed);
}
END_TEST

/* A question of another gate, which is held up by a name server until *baton is 1. */
static void wait_for_name(void *baton)
{
    while (!apr_atomic_read32(baton)) {
        apr_thread_yield();
    }
}

START_TEST(without_a_helper_nobody_waits_for_longer_than_for_an_answer)
{
    mirror_helpers_task_t tasks[HELPERS - 2];
    apr_uint32_t answered = 0;
    apr_status_t rv;
    int i;

    settings.redis_timeout = 20;
    for (i = 0; i < HELPERS - 2; i++) {
        tasks[i].run = wait_for_name;
        tasks[i].baton = &answered;
        ck_assert_int_eq(mirror_helpers_push(pools.helpers, &tasks[i], MIRROR_HELPERS_ASK), APR_SUCCESS);
    }
    put(3);
    ck_assert_int_eq(mirror_limit_held(limits), 3);
    while (mirror_limit_held(limits) > 0) {
        mirror_loop_round(pools.loop, apr_time_from_msec(10), &rv);
        mirror_limit_dispatch_all(limits);
    }
    ck_assert_int_eq(count_of(MIRROR_OUTCOME_LIMIT_FAILED), 3);
    put(2);
    ck_assert_int_eq(count_of(MIRROR_OUTCOME_LIMIT_FAILED), 5);
    ck_assert_int_eq(server.asked, 0);
    apr_atomic_set32(&answered, 1);
    for (i = 0; i < HELPERS - 2; i++) {
        mirror_helpers_done(pools.helpers, MIRROR_HELPERS_ASK);
    }
    do {
        put(1);
    } while (mirror_helpers_pending(pools.helpers) == 0);
    answer(APR_SUCCESS, 1, 1);
    ck_assert_int_eq(passed, 1);
    ck_assert_uint_eq(apr_atomic_read64(&slot.limit_silent), 0);
}
END_TEST

START_TEST(the_fallback_local_counts_and_closes_for_no_longer_than_the_pause)
{
    settings.limit_fallback = MIRROR_FALLBACK_LOCAL;
    settings.count = 2;
    put(5);
    answer(APR_EGENERAL, 0, 0);
    ck_assert_int_eq(passed, 2);
    ck_assert_int_eq(count_of(MIRROR_OUTCOME_LIMITED), 3);
    ck_assert_int_eq(put(1), 1);
    while (mirror_limit_held(limits) == 0) {
        put(1);
    }
    answer(APR_SUCCESS, 1, 1);
    ck_assert_int_eq(passed, 3);
}
END_TEST

START_TEST(the_fallback_mirror_lets_all_pass)
{
    settings.limit_fallback = MIRROR_FALLBACK_MIRROR;
    put(20);
    answer(APR_EGENERAL, 0, 0);
    ck_assert_int_eq(passed, 20);
}
END_TEST

START_TEST(the_end_leaves_a_helper_behind_and_no_copy)
{
    put(1);
    wait_asked(1);
    put(2);
    mirror_limit_close_all(limits);
    ck_assert_int_eq(count_of(MIRROR_OUTCOME_SHUT_DOWN), 3);
    ck_assert_int_eq(mirror_limit_held(limits), 0);
    ck_assert_int_eq(mirror_helpers_pending(pools.helpers), 1);
    ck_assert_int_eq(server.closed, 0); /* the helper has it */
    answer(APR_SUCCESS, 1, 1);
    mirror_limit_close_all(limits);
    ck_assert_int_eq(mirror_helpers_pending(pools.helpers), 0);
    ck_assert_int_eq(server.closed, 1);
    ck_assert_int_eq(passed, 0);
}
END_TEST

START_TEST(other_settings_have_a_state_of_their_own)
{
    put(1);
    answer(APR_SUCCESS, 1, 1);
    settings.limit_id = 8;
    put(1);
    answer(APR_SUCCESS, 1, 1);
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
    ck_assert_int_eq(mirror_limit_held(limits), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("limit_gate");
    TCase *tcase = tcase_create("limit_gate");
    SRunner *runner;
    int failed;

    apr_initialize();
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, what_comes_meanwhile_asks_together);
    tcase_add_test(tcase, questions_have_a_pace);
    tcase_add_test(tcase, what_is_not_granted_is_limited_and_then_refused);
    tcase_add_test(tcase, a_window_that_another_child_found_used_up_is_not_asked_for);
    tcase_add_loop_test(tcase, a_window_that_another_child_found_used_up_has_no_place_by_the_fallback,
                        MIRROR_FALLBACK_LOCAL, MIRROR_FALLBACK_DROP + 1);
    tcase_add_test(tcase, while_it_fails_one_copy_at_a_time_tries);
    tcase_add_test(tcase, a_helper_that_does_not_come_back_is_given_up);
    tcase_add_test(tcase, without_a_helper_nobody_waits_for_longer_than_for_an_answer);
    tcase_add_test(tcase, the_fallback_local_counts_and_closes_for_no_longer_than_the_pause);
    tcase_add_test(tcase, the_fallback_mirror_lets_all_pass);
    tcase_add_test(tcase, the_end_leaves_a_helper_behind_and_no_copy);
    tcase_add_test(tcase, other_settings_have_a_state_of_their_own);
    tcase_add_test(tcase, without_a_limit_a_copy_passes_at_once);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
