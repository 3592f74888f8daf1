/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_clock.c - the clock that nobody sets, its way to the wall clock and back; dates; and the breaker,
 * whose word in shared memory may hold anything.
 */
#include <apr_general.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/date.h"
#include "shared/breaker.h"
#include "shared/table.h"
#include "wall.h"
#include "suite.h"

#define SECOND ((apr_time_t)APR_USEC_PER_SEC)
#define HOUR   (3600 * SECOND)
#define DAY    (24 * HOUR)

static const apr_interval_time_t steps[] = { HOUR, -HOUR, DAY, -DAY };

static mirror_slot_t slot;
static mirror_settings_t settings;
static mirror_t mirror;
static mirror_lane_t lane;

static void setup(void)
{
    memset(&slot, 0, sizeof(slot));
    memset(&settings, 0, sizeof(settings));
    memset(&mirror, 0, sizeof(mirror));
    memset(&lane, 0, sizeof(lane));
    settings.retry = 10 * SECOND;
    settings.connect_timeout = 2 * SECOND;
    mirror.name = "m";
    mirror.slot = &slot;
    lane.mirror = &mirror;
    wall_ahead = 0;
}

/* ---- the clock ---- */

START_TEST(the_clock_does_not_step)
{
    apr_time_t before = mirror_clock_now(), after;

    step_wall(steps[_i]);
    after = mirror_clock_now();
    ck_assert_int_ge(after, before);
    ck_assert_int_lt(after - before, 60 * SECOND);
}
END_TEST

/* What is printed is of the clock that is in force. */
START_TEST(a_time_becomes_one_of_the_wall_clock)
{
    apr_time_t then = mirror_clock_now() + 7 * SECOND, wall;

    step_wall(steps[_i]);
    wall = mirror_clock_to_wall(then);
    ck_assert_int_le(wall, apr_time_now() + 7 * SECOND);
    ck_assert_int_gt(wall, apr_time_now() - 60 * SECOND);
}
END_TEST

START_TEST(a_moment_ago_by_the_wall_clock_is_a_moment_ago)
{
    apr_time_t wall = apr_time_now(), now = mirror_clock_now(), then = mirror_clock_from_wall(wall);

    ck_assert_int_gt(then, now - 60 * SECOND);
    ck_assert_int_le(then, mirror_clock_now());
    then = mirror_clock_from_wall(wall - 5000);
    ck_assert_int_le(then, mirror_clock_now() - 5000);
    ck_assert_int_gt(then, now - 5000 - 60 * SECOND);
}
END_TEST

START_TEST(a_time_that_cannot_be_is_now)
{
    static const apr_time_t walls[] = { 0, -1, APR_INT64_MAX / 2, DAY };
    apr_time_t before = mirror_clock_now();
    apr_size_t i;

    for (i = 0; i < sizeof(walls) / sizeof(*walls); i++) {
        ck_assert_int_ge(mirror_clock_from_wall(walls[i]), before);
        ck_assert_int_le(mirror_clock_from_wall(walls[i]), mirror_clock_now());
    }
}
END_TEST

/* ---- the breaker ---- */

START_TEST(down_is_down_whatever_the_wall_clock_does)
{
    apr_time_t until;

    ck_assert_int_eq(mirror_breaker_pass(&lane, &settings), MIRROR_BREAKER_PASS);
    ck_assert_int_eq(mirror_breaker_down_until(&slot), 0);
    mirror_breaker_down(&lane, settings.retry, "connect", APR_SUCCESS, NULL);
    step_wall(steps[_i]);
    ck_assert_int_eq(mirror_breaker_pass(&lane, &settings), MIRROR_BREAKER_REFUSE);
    ck_assert(mirror_breaker_is_down(&lane, mirror_clock_now()));
    until = mirror_breaker_down_until(&slot);
    ck_assert_int_gt(until, apr_time_now());
    ck_assert_int_le(until, apr_time_now() + settings.retry);
    ck_assert(!mirror_breaker_is_down(&lane, mirror_clock_now() + settings.retry));
}
END_TEST

START_TEST(a_probe_when_the_time_is_over)
{
    mirror_breaker_down(&lane, 0, "connect", APR_SUCCESS, NULL);
    step_wall(steps[_i]);
    ck_assert_int_eq(mirror_breaker_pass(&lane, &settings), MIRROR_BREAKER_PROBE);
    ck_assert_int_eq(mirror_breaker_pass(&lane, &settings), MIRROR_BREAKER_REFUSE);
    step_wall(-steps[_i]);
    mirror_breaker_forgo(&lane);
    ck_assert_int_eq(mirror_breaker_pass(&lane, &settings), MIRROR_BREAKER_PROBE);
    mirror_breaker_up(&lane, NULL);
    ck_assert_int_eq(mirror_breaker_pass(&lane, &settings), MIRROR_BREAKER_PASS);
}
END_TEST

/* Nobody can have written these: the next copy finds out. */
START_TEST(a_time_that_cannot_be_keeps_no_mirror_down)
{
    apr_uint64_t now = (apr_uint64_t)mirror_clock_now();
    apr_uint64_t words[] = { ~(apr_uint64_t)0,
                             (apr_uint64_t)1 << 63,
                             (apr_uint64_t)APR_INT64_MAX,
                             (apr_uint64_t)apr_time_now(),
                             now + 3600 * (apr_uint64_t)HOUR,
                             1 };
    apr_size_t i;

    for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
        slot.down_until = words[i];
        ck_assert_int_eq(mirror_breaker_down_until(&slot), 0);
        ck_assert(!mirror_breaker_is_down(&lane, mirror_clock_now()));
        ck_assert_int_eq(mirror_breaker_pass(&lane, &settings), MIRROR_BREAKER_PROBE);
        ck_assert_int_eq(mirror_breaker_pass(&lane, &settings), MIRROR_BREAKER_REFUSE);
        ck_assert_uint_le(slot.down_until - now,
                          (apr_uint64_t)(settings.retry + settings.connect_timeout + 60 * SECOND));
    }
    slot.down_until = now + (apr_uint64_t)HOUR; /* not for as long as these settings let it be */
    ck_assert_int_eq(mirror_breaker_pass(&lane, &settings), MIRROR_BREAKER_PROBE);
}
END_TEST

START_TEST(the_longest_pause_is_kept)
{
    settings.retry = 7 * DAY;
    settings.connect_timeout = 7 * DAY;
    slot.down_until = 1;
    ck_assert_int_eq(mirror_breaker_pass(&lane, &settings), MIRROR_BREAKER_PROBE);
    ck_assert_int_eq(mirror_breaker_pass(&lane, &settings), MIRROR_BREAKER_REFUSE);
    ck_assert(mirror_breaker_is_down(&lane, mirror_clock_now()));
    ck_assert_int_gt(mirror_breaker_down_until(&slot), apr_time_now() + 13 * DAY);
}
END_TEST

/* What is printed is read as the same time, on systems with a time_t of 32 bits, too. */
START_TEST(all_days_until_9999)
{
    apr_time_t time, made;
    apr_time_exp_t t;
    char text[64];

    for (time = SECOND; time < apr_time_from_sec(APR_INT64_C(253402300800)); time += 7 * DAY) {
        mirror_date_to_utc(&t, time);
        snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02dZ", t.tm_year + 1900,
                 t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec);
        ck_assert_msg(mirror_date_read_rfc3339(&made, text, strlen(text)) && made == time, "%s",
                      text);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("clock");
    TCase *tcase = tcase_create("clock");
    int n = sizeof(steps) / sizeof(*steps);

    apr_initialize();
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_loop_test(tcase, the_clock_does_not_step, 0, n);
    tcase_add_loop_test(tcase, a_time_becomes_one_of_the_wall_clock, 0, n);
    tcase_add_test(tcase, a_moment_ago_by_the_wall_clock_is_a_moment_ago);
    tcase_add_test(tcase, a_time_that_cannot_be_is_now);
    tcase_add_test(tcase, all_days_until_9999);
    tcase_add_loop_test(tcase, down_is_down_whatever_the_wall_clock_does, 0, n);
    tcase_add_loop_test(tcase, a_probe_when_the_time_is_over, 0, n);
    tcase_add_test(tcase, a_time_that_cannot_be_keeps_no_mirror_down);
    tcase_add_test(tcase, the_longest_pause_is_kept);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
