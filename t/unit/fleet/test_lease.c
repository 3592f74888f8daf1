/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_lease.c - which process polls the store of a fleet: one, and another one when it has ended.
 */
#include <apr_general.h>
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "fleet/lease.h"
#include "suite.h"

#define PATIENCE apr_time_from_sec(3600)
#define RACERS   8

static mirror_fleet_words_t *words;

static void setup(void)
{
    words = mmap(NULL, sizeof(*words), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(words, MAP_FAILED);
}

static int take(apr_uint32_t load)
{
    return mirror_lease_take(words, load, PATIENCE, mirror_clock_now());
}

static void teardown(void)
{
    munmap(words, sizeof(*words));
}

/* Run a child that exits with whether it leads; it keeps the lease. */
static int child_takes(apr_uint32_t load)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        _exit(take(load));
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WEXITSTATUS(status);
}

START_TEST(one_leads_until_it_gives_up)
{
    ck_assert_int_eq(take(1), 1);
    ck_assert_int_eq(take(1), 1);
    ck_assert_int_eq(child_takes(1), 0);
    mirror_lease_give(words, 1);
    ck_assert_int_eq(child_takes(1), 1);
    ck_assert_int_eq(take(1), 1); /* it has ended without giving up */
}
END_TEST

START_TEST(a_newer_configuration_leads)
{
    ck_assert_int_eq(take(1), 1);
    ck_assert_int_eq(child_takes(2), 1);
    words->leader = (apr_uint64_t)2 << 32 | (apr_uint32_t)getppid(); /* alive */
    words->beat = (apr_uint64_t)mirror_clock_now();
    ck_assert_int_eq(take(1), 0);
    mirror_lease_give(words, 1); /* is not ours */
    ck_assert_uint_ne(words->leader, 0);
}
END_TEST

START_TEST(a_beat_that_is_old_or_foreign_does_not_count)
{
    apr_time_t now = mirror_clock_now();

    words->leader = (apr_uint64_t)1 << 32 | (apr_uint32_t)getppid();
    words->beat = (apr_uint64_t)(now - 10);
    ck_assert_int_eq(mirror_lease_take(words, 1, 10, now), 0);
    ck_assert_int_eq(mirror_lease_take(words, 1, 9, now), 1);
    words->leader = (apr_uint64_t)1 << 32 | (apr_uint32_t)getppid();
    words->beat = (apr_uint64_t)now + 5; /* read a moment later by another process */
    ck_assert_int_eq(mirror_lease_take(words, 1, 10, now), 0);
    words->beat = (apr_uint64_t)now + 11;
    ck_assert_int_eq(mirror_lease_take(words, 1, 10, now), 1);
    words->leader = (apr_uint64_t)1 << 32 | (apr_uint32_t)getppid();
    words->beat = (apr_uint64_t)1 << 63;
    ck_assert_int_eq(mirror_lease_take(words, 1, PATIENCE, now), 1);
    words->leader = ~(apr_uint64_t)0; /* whatever a process writes there */
    words->beat = 0;
    ck_assert_int_eq(mirror_lease_take(words, 1, 0, now), 1);
}
END_TEST

/* A leader that waits beats, so that no other process takes the lease; another process cannot. */
START_TEST(a_leader_that_beats_keeps_it)
{
    apr_time_t now = mirror_clock_now();

    ck_assert_int_eq(mirror_lease_is_taken(words, 10, now), 0);
    ck_assert_int_eq(mirror_lease_take(words, 1, 10, now), 1);
    ck_assert_int_eq(mirror_lease_is_taken(words, 10, now + 10), 1);
    ck_assert_int_eq(mirror_lease_is_taken(words, 10, now + 11), 0);
    mirror_lease_beat(words, 2, now + 20);
    ck_assert_int_eq(mirror_lease_is_taken(words, 10, now + 20), 0);
    mirror_lease_beat(words, 1, now + 20);
    ck_assert_int_eq(mirror_lease_is_taken(words, 10, now + 20), 1);
    ck_assert_int_eq(mirror_lease_take(words, 1, 10, now + 40), 1);
    mirror_lease_give(words, 1);
    ck_assert_int_eq(mirror_lease_is_taken(words, 10, now + 20), 0);
    mirror_lease_beat(words, 1, now + 30);
    ck_assert_uint_eq(words->leader, 0);
}
END_TEST

/* Of many that take it at once, exactly one has it. */
START_TEST(one_of_many_wins)
{
    int round, i, status, winners;

    for (round = 0; round < 200; round++) {
        pid_t racers[RACERS];
        int gate[2];
        char c;

        memset(words, 0, sizeof(*words));
        ck_assert_int_eq(pipe(gate), 0);
        for (i = 0; i < RACERS; i++) {
            racers[i] = fork();
            if (racers[i] == 0) {
                close(gate[1]);
                while (read(gate[0], &c, 1) > 0) {
                }
                winners = take(1);
                if (winners) { /* stay, as a leader does, until all have looked */
                    raise(SIGSTOP);
                }
                _exit(winners);
            }
        }
        close(gate[0]);
        close(gate[1]);
        for (winners = 0, i = 0; i < RACERS; i++) {
            ck_assert_int_eq(waitpid(racers[i], &status, WUNTRACED), racers[i]);
            winners += WIFSTOPPED(status) != 0;
        }
        ck_assert_int_eq(winners, 1);
        for (i = 0; i < RACERS; i++) {
            kill(racers[i], SIGKILL);
            waitpid(racers[i], &status, 0);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lease");
    TCase *tcase = tcase_create("lease");

    apr_initialize();
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, one_leads_until_it_gives_up);
    tcase_add_test(tcase, a_newer_configuration_leads);
    tcase_add_test(tcase, a_beat_that_is_old_or_foreign_does_not_count);
    tcase_add_test(tcase, a_leader_that_beats_keeps_it);
    tcase_add_test(tcase, one_of_many_wins);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
