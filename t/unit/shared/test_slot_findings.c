/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_slot_findings.c - the findings of slots: over reloads, over killed children, in memory that
 * is not touched.
 */
#include <sys/mman.h>

#include "slotmem.h"
#include "suite.h"

#include "shared/findings_state.h"

static mirror_verdict_e add(mirror_table_t *table, mirror_slot_t *slot)
{
    mirror_noted_row_t row;
    mirror_noted_t noted;

    memset(&row, 0, sizeof(row));
    row.part = MIRROR_PART_BODY;
    row.kind = MIRROR_KIND_VALUE;
    row.field = "body/a";
    memset(&noted, 0, sizeof(noted));
    noted.group = "g";
    noted.verdict = MIRROR_VERDICT_DIFFERENT;
    noted.rows = &row;
    noted.count = 1;
    noted.time = 1000;
    mirror_table_note_findings(slot);
    return mirror_findings_add(mirror_table_findings(table, slot), &noted);
}

static mirror_findings_view_t view_of(mirror_table_t *table, const mirror_slot_t *slot)
{
    mirror_findings_view_t view;

    mirror_findings_view(&view, mirror_table_findings_used(table, slot), pool);
    return view;
}

/* Whether a page of the findings of a slot has memory. */
static int is_touched(mirror_table_t *table, const mirror_slot_t *slot)
{
    apr_uintptr_t page = (apr_uintptr_t)sysconf(_SC_PAGESIZE);
    apr_uintptr_t at = (apr_uintptr_t)mirror_table_findings(table, slot);
    apr_uintptr_t begin = (at + page - 1) / page * page;
    apr_uintptr_t end = (at + mirror_findings_size()) / page * page;
    unsigned char pages[1024];
    int touched = 0;
    apr_uintptr_t i;

    ck_assert_uint_lt((end - begin) / page, sizeof(pages));
    ck_assert_int_eq(mincore((void *)begin, end - begin, pages), 0);
    for (i = 0; i < (end - begin) / page; i++) {
        touched |= pages[i] & 1;
    }
    return touched;
}

/* Count 7 pairs as chosen, of which 4 are decided. */
static void choose_pairs(mirror_table_t *table, const mirror_slot_t *slot, int worker_slot)
{
    mirror_cell_t *cell = mirror_table_cell(table, worker_slot, slot);

    apr_atomic_add64(&cell->chosen, 7);
    apr_atomic_add64(&cell->decided, 4);
}

START_TEST(findings_outlive_a_reload)
{
    mirror_table_t *table = load(3);
    mirror_slot_t *slot = slot_of(table, "one");

    add(table, slot);
    table = load(3);
    ck_assert_uint_eq(view_of(table, slot_of(table, "one")).compared, 1);
    ck_assert_uint_eq(view_of(table, slot_of(table, "two")).compared, 0);
}
END_TEST

START_TEST(findings_go_to_the_segment_that_has_grown)
{
    mirror_table_t *table = load(2);
    mirror_slot_t *two = slot_of(table, "two"), *one = slot_of(table, "one");
    mirror_findings_view_t view;

    add(table, one);
    mirror_table_findings(table, one)->lock = (apr_uint64_t)1 << 32 | (apr_uint32_t)getppid();
    table = load(3);
    two = slot_of(table, "two");
    one = slot_of(table, "one");
    mirror_table_complete(table);
    view = view_of(table, one);
    ck_assert_uint_eq(view.compared, 1);
    ck_assert_int_eq(view.row_count, 1);
    ck_assert_uint_eq(mirror_findings_holder(mirror_table_findings(table, one)), 0);
    ck_assert_ptr_eq(mirror_table_findings_used(table, two), NULL);
    ck_assert(!is_touched(table, two));
}
END_TEST

/* In the first round the slot says that it has findings, in the second one only a cell does. */
START_TEST(a_slot_that_is_taken_over_has_no_findings)
{
    mirror_table_t *table = load(1);
    mirror_slot_t *slot = slot_of(table, "one");

    add(table, slot);
    if (_i == 1) {
        apr_atomic_inc64(&mirror_table_cell(table, 0, slot)->chosen);
        apr_atomic_set64(&slot->compares, 0);
    }
    load(1);
    table = load(1);
    slot = slot_of(table, "two");
    ck_assert_ptr_eq(mirror_table_findings_used(table, slot), NULL);
    ck_assert_uint_eq(mirror_table_cell(table, 0, slot)->chosen, 0);
    mirror_table_note_findings(slot);
    ck_assert_uint_eq(view_of(table, slot).compared, 0);
    ck_assert_int_eq(view_of(table, slot).row_count, 0);
}
END_TEST

START_TEST(pairs_of_a_killed_child_are_skipped_once)
{
    mirror_table_t *table = load(8);
    mirror_slot_t *slot = slot_of(table, "one"), *other = slot_of(table, "other");
    child_t child = start(table, slot);

    choose_pairs(table, slot, child.worker_slot);
    mirror_table_reap_ended(table);
    ck_assert_ptr_eq(mirror_table_findings_used(table, slot), NULL);
    ck_assert_uint_eq(sum_of(table, slot).sum.chosen, 7);
    put_to_death(child);
    reap(child.pid, SIGKILL);
    mirror_table_reap_ended(table);
    mirror_table_reap_ended(table);
    mirror_table_child_ended(table, child.pid);
    ck_assert_uint_eq(view_of(table, slot).skips[MIRROR_SKIP_SHUT_DOWN], 3);
    ck_assert_uint_eq(sum_of(table, slot).sum.decided, 7);
    ck_assert(!is_touched(table, other));
    child = start(table, slot); /* one that ends of itself */
    choose_pairs(table, slot, child.worker_slot);
    finish(child);
    ck_assert_uint_eq(view_of(table, slot).skips[MIRROR_SKIP_SHUT_DOWN], 6);
}
END_TEST

START_TEST(pairs_are_skipped_once_whoever_reaps)
{
    enum { ROUNDS = 50, REAPERS = 4 };
    mirror_table_t *table = load(8);
    mirror_slot_t *slot = slot_of(table, "one");
    int round, i;

    for (round = 1; round <= ROUNDS; round++) {
        child_t child = start(table, slot);
        pid_t reapers[REAPERS];

        choose_pairs(table, slot, child.worker_slot);
        put_to_death(child);
        reap(child.pid, SIGKILL);
        for (i = 0; i < REAPERS; i++) {
            if ((reapers[i] = fork()) == 0) {
                mirror_table_reap_ended(table);
                _exit(0);
            }
        }
        for (i = 0; i < REAPERS; i++) {
            reap(reapers[i], 0);
        }
        ck_assert_uint_eq(view_of(table, slot).skips[MIRROR_SKIP_SHUT_DOWN], 3 * (unsigned)round);
    }
}
END_TEST

START_TEST(numbers_that_nobody_chose_are_not_skipped)
{
    mirror_table_t *table = load(4);
    mirror_slot_t *slot = slot_of(table, "one");
    child_t child = start(table, slot);
    mirror_cell_t *cell = mirror_table_cell(table, child.worker_slot, slot);

    cell->chosen = _i ? ~(apr_uint64_t)0 : 5;
    cell->decided = _i ? 0 : 6;
    put_to_death(child);
    reap(child.pid, SIGKILL);
    mirror_table_child_ended(table, child.pid);
    ck_assert_ptr_eq(mirror_table_findings_used(table, slot), NULL);
    ck_assert(!is_touched(table, slot));
}
END_TEST

START_TEST(the_lock_of_a_child_that_has_ended_is_free)
{
    mirror_table_t *table = load(4);
    mirror_slot_t *one = slot_of(table, "one"), *two = slot_of(table, "two");
    child_t child = start(table, one);
    apr_uint64_t held = (apr_uint64_t)1 << 32 | (apr_uint32_t)child.pid;

    mirror_table_note_findings(one);
    mirror_table_findings(table, one)->lock = held;
    put_to_death(child);
    mirror_table_child_ended(table, child.pid);
    reap(child.pid, SIGKILL);
    ck_assert_uint_eq(mirror_findings_holder(mirror_table_findings(table, one)), 0);
    /* in the name of a process that is none of ours */
    mirror_table_findings(table, one)->lock = (apr_uint64_t)1 << 32 | (apr_uint32_t)getppid();
    load(4);
    ck_assert_uint_eq(mirror_findings_holder(mirror_table_findings(table, one)), 0);
    ck_assert(!is_touched(table, two));
}
END_TEST

START_TEST(findings_of_mirrors_that_do_not_compare_take_no_memory)
{
    mirror_table_t *table = load(8);
    mirror_slot_t *one = slot_of(table, "one"), *two = slot_of(table, "two");
    mirror_findings_view_t view;

    finish(start(table, one));
    table = load(8);
    one = slot_of(table, "one");
    two = slot_of(table, "two");
    view = view_of(table, two);
    ck_assert_int_eq(view.since, 0);
    add(table, one);
    ck_assert(is_touched(table, one));
    ck_assert(!is_touched(table, two));
    ck_assert_uint_eq((apr_uintptr_t)mirror_table_findings(table, two) % 64, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("slot_findings");
    TCase *tcase = tcase_create("slot_findings");

    apr_initialize();
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, findings_outlive_a_reload);
    tcase_add_test(tcase, findings_go_to_the_segment_that_has_grown);
    tcase_add_loop_test(tcase, a_slot_that_is_taken_over_has_no_findings, 0, 2);
    tcase_add_test(tcase, pairs_of_a_killed_child_are_skipped_once);
    tcase_add_test(tcase, pairs_are_skipped_once_whoever_reaps);
    tcase_add_loop_test(tcase, numbers_that_nobody_chose_are_not_skipped, 0, 2);
    tcase_add_test(tcase, the_lock_of_a_child_that_has_ended_is_free);
    tcase_add_test(tcase, findings_of_mirrors_that_do_not_compare_take_no_memory);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
