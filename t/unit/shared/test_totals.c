/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_totals.c - counts that are exact over children which come, go and are killed.
 */
#include <apr_thread_proc.h>

#include "slotmem.h"
#include "suite.h"

START_TEST(a_child_that_lives_is_summed_with_what_is_under_way)
{
    mirror_table_t *table = load(8);
    mirror_slot_t *slot = slot_of(table, "one");
    child_t child = start(table, slot);
    mirror_totals_t totals;

    mirror_table_reap_ended(table);
    totals = sum_of(table, slot);
    ck_assert_uint_eq(totals.sum.seen, 7);
    ck_assert_uint_eq(totals.queued, 1);
    ck_assert_uint_eq(totals.sum.in_flight, 3);
    ck_assert_uint_eq(totals.sum.connections, 4);
    ck_assert_uint_eq(totals.sum.bytes, 1000);
    finish(child);
    assert_reaped(table, slot, 1);
}
END_TEST

START_TEST(a_killed_child_is_settled_once)
{
    mirror_table_t *table = load(8);
    mirror_slot_t *slot = slot_of(table, "one");
    child_t child = start(table, slot);

    put_to_death(child);
    reap(child.pid, SIGKILL);
    ck_assert_uint_eq(sum_of(table, slot).queued, 1);
    mirror_table_reap_ended(table);
    assert_reaped(table, slot, 1);
    mirror_table_reap_ended(table);
    mirror_table_child_ended(table, child.pid);
    assert_reaped(table, slot, 1);
}
END_TEST

START_TEST(who_knows_that_a_child_has_ended_need_not_wait_for_its_zombie)
{
    mirror_table_t *table = load(8);
    mirror_slot_t *slot = slot_of(table, "one");
    child_t child = start(table, slot);

    put_to_death(child);
    mirror_table_child_ended(table, child.pid + 1);
    mirror_table_reap_ended(table);
    ck_assert_uint_eq(sum_of(table, slot).queued, 1);
    mirror_table_child_ended(table, child.pid);
    assert_reaped(table, slot, 1);
    reap(child.pid, SIGKILL);
}
END_TEST

/* Several reap at once, and one of them is killed while it does. */
START_TEST(settling_is_exact_whoever_does_it_and_dies_of_it)
{
    enum { ROUNDS = 100, SETTLERS = 4, SLOTS = 64 };
    mirror_table_t *table = load(SLOTS);
    mirror_slot_t *slots[SLOTS];
    pid_t settlers[SETTLERS];
    char name[8];
    unsigned round;
    int i;

    for (i = 0; i < SLOTS; i++) {
        apr_snprintf(name, sizeof(name), "m%d", i);
        slots[i] = slot_of(table, name);
    }
    for (round = 1; round <= ROUNDS; round++) {
        child_t child = start(table, slots[SLOTS - 1]);
        int go[2];

        ck_assert_int_eq(pipe(go), 0);
        put_to_death(child);
        reap(child.pid, SIGKILL);
        for (i = 0; i < SETTLERS; i++) {
            char c;

            if ((settlers[i] = fork()) == 0) {
                close(go[1]);
                i = (int)read(go[0], &c, 1);
                mirror_table_reap_ended(table);
                _exit(i);
            }
        }
        close(go[0]);
        close(go[1]);
        kill(settlers[round % SETTLERS], SIGKILL);
        for (i = 0; i < SETTLERS; i++) {
            waitpid(settlers[i], NULL, 0);
        }
        mirror_table_reap_ended(table);
        assert_reaped(table, slots[SLOTS - 1], round);
        ck_assert_uint_eq(sum_of(table, slots[0]).sum.seen, 0);
    }
}
END_TEST

/* ---- worker slots ---- */

START_TEST(a_worker_slot_is_used_again_and_keeps_its_counts)
{
    mirror_table_t *table = load(8);
    mirror_slot_t *slot = slot_of(table, "one");
    unsigned n;
    int worker_slot = -1;

    for (n = 1; n <= 10; n++) {
        child_t child = start(table, slot);

        ck_assert_int_gt(child.worker_slot, 0);
        ck_assert(worker_slot == -1 || child.worker_slot == worker_slot);
        worker_slot = child.worker_slot;
        finish(child);
        assert_reaped(table, slot, n);
    }
}
END_TEST

START_TEST(a_worker_slot_left_by_a_former_process_with_our_pid_is_reaped)
{
    mirror_table_t *table = load(8);
    mirror_slot_t *slot = slot_of(table, "one");
    int before = -1, after = -1;

    mirror_table_claim(&before, table);
    count(table, slot, before);
    mirror_table_reap_ended(table);
    ck_assert_uint_eq(sum_of(table, slot).queued, 1);
    mirror_table_claim(&after, table);
    ck_assert_int_eq(after, before);
    assert_reaped(table, slot, 1);
}
END_TEST

START_TEST(without_a_free_worker_slot_children_share_one_and_lose_nothing)
{
    enum { SHARED = 2 };
    mirror_table_t *table;
    mirror_slot_t *slot;
    child_t children[1 + SPARE + SHARED];
    child_t late;
    int n = (int)(sizeof(children) / sizeof(*children));
    int i;

    daemons = 1;
    table = load(8);
    slot = slot_of(table, "one");
    for (i = 0; i < n; i++) {
        children[i] = start(table, slot);
        ck_assert_int_eq(children[i].worker_slot == 0, i >= n - SHARED);
    }
    ck_assert_uint_eq(sum_of(table, slot).sum.seen, 7 * (unsigned)n);
    put_to_death(children[3]);
    reap(children[3].pid, SIGKILL);
    late = start(table, slot); /* nobody else has reaped it */
    ck_assert_int_eq(late.worker_slot, children[3].worker_slot);
    ck_assert_uint_eq(sum_of(table, slot).sum.outcomes[MIRROR_OUTCOME_SHUT_DOWN], 4);
    finish(late);
    for (i = 0; i < n; i++) {
        if (i != 3) {
            finish(children[i]);
        }
    }
    ck_assert_uint_eq(sum_of(table, slot).sum.seen, 7 * (unsigned)(n + 1));
    /* a real child ends these before it goes */
    ck_assert_uint_eq(sum_of(table, slot).queued, SHARED);
    ck_assert_uint_eq(sum_of(table, slot).sum.in_flight, 3 * SHARED);
}
END_TEST

/* ---- many at once ---- */

enum { PROCESSES = 10, THREADS = 2, COPIES = 20000 };

static void *APR_THREAD_FUNC count_copies(apr_thread_t *thread, void *baton)
{
    mirror_cell_t *cell = baton;
    int i;

    (void)thread;
    for (i = 0; i < COPIES; i++) {
        apr_atomic_inc64(&cell->seen);
        apr_atomic_inc64(&cell->in_flight);
        mirror_cell_count_response(cell, 200, 1, i);
        apr_atomic_dec64(&cell->in_flight);
        apr_atomic_inc64(&cell->outcomes[i % MIRROR_OUTCOME_COUNT]);
    }
    return NULL;
}

static void count_in_threads(mirror_table_t *table, const mirror_slot_t *slot)
{
    apr_thread_t *threads[THREADS];
    apr_status_t rv;
    int worker_slot = -1;
    int i;

    mirror_table_claim(&worker_slot, table);
    for (i = 0; i < THREADS; i++) {
        apr_thread_create(&threads[i], NULL, count_copies,
                          mirror_table_cell(table, worker_slot, slot), pool);
    }
    for (i = 0; i < THREADS; i++) {
        apr_thread_join(&rv, threads[i]);
    }
    mirror_table_release(table, worker_slot);
    _exit(0);
}

START_TEST(counts_of_all_children_add_up)
{
    const unsigned all = PROCESSES * THREADS * COPIES;
    mirror_table_t *table = load(8);
    mirror_slot_t *slot = slot_of(table, "one");
    int running = PROCESSES;
    mirror_totals_t totals;
    unsigned in_buckets = 0;
    int i;

    for (i = 0; i < PROCESSES; i++) {
        if (fork() == 0) {
            count_in_threads(table, slot);
        }
    }
    while (running > 0) {
        totals = sum_of(table, slot);
        ck_assert_uint_le(totals.sum.in_flight, PROCESSES * THREADS);
        ck_assert_uint_le(totals.queued, all);
        running -= waitpid(-1, NULL, WNOHANG) > 0;
    }
    totals = sum_of(table, slot);
    ck_assert_uint_eq(totals.sum.seen, all);
    ck_assert_uint_eq(totals.queued + totals.sum.in_flight +
                          totals.sum.outcomes[MIRROR_OUTCOME_SHUT_DOWN],
                      COPIES / MIRROR_OUTCOME_COUNT * PROCESSES * THREADS);
    ck_assert_uint_eq(totals.sum.responses[0], all);
    ck_assert_uint_eq(totals.sum.responses[1], all);
    for (i = 0; i < MIRROR_CELL_BUCKETS; i++) {
        in_buckets += (unsigned)totals.sum.latency[i];
    }
    ck_assert_uint_eq(in_buckets, all);
    ck_assert_uint_eq(totals.sum.latency_us,
                      (apr_uint64_t)COPIES * (COPIES - 1) / 2 * PROCESSES * THREADS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("slotmem");
    TCase *tcase = tcase_create("slotmem");

    apr_initialize();
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_child_that_lives_is_summed_with_what_is_under_way);
    tcase_add_test(tcase, a_killed_child_is_settled_once);
    tcase_add_test(tcase, who_knows_that_a_child_has_ended_need_not_wait_for_its_zombie);
    tcase_add_test(tcase, settling_is_exact_whoever_does_it_and_dies_of_it);
    tcase_add_test(tcase, a_worker_slot_is_used_again_and_keeps_its_counts);
    tcase_add_test(tcase, a_worker_slot_left_by_a_former_process_with_our_pid_is_reaped);
    tcase_add_test(tcase, without_a_free_worker_slot_children_share_one_and_lose_nothing);
    tcase_add_test(tcase, counts_of_all_children_add_up);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
