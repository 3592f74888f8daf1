/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_damage.c - children that write to shared memory what they like: the parent lives,
 * and begins anew.
 */
#include "slotmem.h"
#include "suite.h"

#define FILLS 12 /* ones, zeros, and random words of ten seeds */

/* A sequence of random words (xorshift). */
static apr_uint64_t next_word(apr_uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void fill(mirror_table_t *table, int n)
{
    apr_uint64_t *words = (apr_uint64_t *)table->segment->header, state = 7919 * (apr_uint64_t)n;
    apr_size_t i;

    for (i = 0; i < table->segment->size / sizeof(*words); i++) {
        words[i] = n == 0 ? ~(apr_uint64_t)0 : n == 1 ? 0 : next_word(&state);
    }
}

/* In a child, which then ends and is waited for. */
static pid_t fill_in_child(mirror_table_t *table, int n)
{
    pid_t pid = fork();
    int worker_slot;

    ck_assert_int_ne(pid, -1);
    if (pid == 0) {
        mirror_table_claim(&worker_slot, table);
        fill(table, n);
        _exit(0);
    }
    mirror_table_child_started(table, pid);
    reap(pid, 0);
    return pid;
}

/* A child compares, and others look at that. */
static void compare(mirror_findings_t *area)
{
    mirror_findings_counts_t counts;
    mirror_findings_view_t view;
    mirror_noted_t noted;
    int i;

    memset(&noted, 0, sizeof(noted));
    noted.group = "g";
    noted.verdict = MIRROR_VERDICT_DIFFERENT;
    noted.more = 1;
    mirror_findings_add(area, &noted);
    mirror_findings_counts(&counts, area);
    mirror_findings_view(&view, area, pool);
    for (i = 0; i < view.row_count; i++) {
        ck_assert_uint_le(strlen(view.rows[i].field), MIRROR_FINDINGS_TEXT);
    }
}

/* All that the parent does with a segment until it makes the next one; children sum up. */
static void use(mirror_table_t *table, mirror_slot_t *slot, pid_t pid)
{
    mirror_store_text_t text;

    mirror_table_child_ended(table, pid);
    sum_of(table, slot);
    mirror_table_reap_ended(table);
    mirror_store_drop_others(&slot->version, mirror_table_store(table, slot), 1);
    mirror_store_read(&text, &slot->version, mirror_table_store(table, slot), pool);
    if (mirror_table_findings_used(table, slot)) {
        compare(mirror_table_findings(table, slot));
    }
}

static void put_text(mirror_table_t *table, mirror_slot_t *slot, apr_uint64_t config,
                     const char *text)
{
    apr_status_t rv = mirror_store_write(&slot->version, mirror_table_store(table, slot),
                                         mirror_table_store_lock(table), 0, config, text);

    ck_assert_int_eq(rv, APR_SUCCESS);
}

START_TEST(a_filled_segment_is_made_anew)
{
    mirror_table_t *table = load(4);
    mirror_slot_t *slot = slot_of(table, "one");
    apr_uint32_t loads = table->load;
    mirror_table_segment_t *segment = table->segment;
    pid_t pid;

    slot_of(table, "two");
    finish(start(table, slot));
    pid = fill_in_child(table, _i);
    ck_assert(mirror_table_damage(segment) != NULL && !segment->logged);
    use(table, slot, pid);
    ck_assert(segment->logged && segment->slots_max == 4 && segment->slots_used == 2);
    table = load(4);
    ck_assert_ptr_eq(mirror_table_damage(table->segment), NULL);
    ck_assert_uint_eq(table->load, loads + 1);
    slot = slot_of(table, "one");
    ck_assert_uint_eq(sum_of(table, slot).sum.seen, 0);
    ck_assert_uint_eq(apr_atomic_read64(&slot->version), 0);
    finish(start(table, slot));
    assert_reaped(table, slot, 1);
}
END_TEST

START_TEST(a_filled_segment_that_is_to_grow_is_not_taken_over)
{
    mirror_table_t *table = load(2);
    mirror_slot_t *slot = slot_of(table, "one");

    put_text(table, slot, 1, "text");
    fill_in_child(table, _i);
    table = load(100);
    ck_assert_ptr_eq(table->former, NULL);
    slot = slot_of(table, "one");
    ck_assert_uint_eq(apr_atomic_read64(&slot->version), 0);
    mirror_table_complete(table);
    finish(start(table, slot));
    assert_reaped(table, slot, 1);
}
END_TEST

START_TEST(a_text_goes_to_the_segment_that_has_grown)
{
    mirror_table_t *table = load(2);
    mirror_slot_t *two = slot_of(table, "two"), *one = slot_of(table, "one");
    mirror_store_text_t text;

    put_text(table, one, 7, "text");
    put_text(table, two, 7, "text");
    memset(mirror_table_store(table, two), 'x',
           sizeof(mirror_store_t)); /* a size beyond all bounds, and no end */
    table = load(3);
    one = slot_of(table, "one");
    two = slot_of(table, "two");
    mirror_table_complete(table);
    mirror_store_read(&text, &one->version, mirror_table_store(table, one), pool);
    ck_assert_str_eq(text.text, "text");
    ck_assert_uint_eq(text.config, 7);
    mirror_store_read(&text, &two->version, mirror_table_store(table, two), pool);
    ck_assert_uint_eq(strlen(text.text), MIRROR_STORE_SIZE - 1);
}
END_TEST

/* The parent cannot look for damage in another layout. What it moves is bounded, and the rest begins
 * anew. */
START_TEST(a_filled_segment_of_another_layout_is_harmless)
{
    mirror_table_t *table = load(2);
    mirror_slot_t *slot = slot_of(table, "one");
    apr_pool_t *former = table->segment->pool;
    pid_t pid;

    slot_of(table, "two");
    put_text(table, slot, 1, "text");
    pid = fill_in_child(table, _i);
    (*(apr_uint32_t *)retained)--;
    table = load(2);
    ck_assert_ptr_ne(table->segment->pool, former);
    slot_of(table, "two");
    slot = slot_of(table, "one");
    mirror_table_complete(table);
    use(table, slot, pid);
    ck_assert_ptr_eq(mirror_table_damage(table->segment), NULL);
    finish(start(table, slot));
    assert_reaped(table, slot, 1);
}
END_TEST

/* ---- single words ---- */

START_TEST(bounds_of_children_are_not_believed)
{
    static const apr_uint32_t numbers[] = { 0, 0x7fffffff, 0x80000000, 0xffffffff };
    mirror_table_t *table = load(4);
    mirror_slot_t *slot = slot_of(table, "one");
    mirror_table_header_t *header = table->segment->header;
    child_t child = start(table, slot);
    apr_uint32_t worker_slots = header->worker_slots_used;

    header->worker_slots_used = header->slots_used = numbers[_i];
    ck_assert_uint_le(mirror_table_worker_slots(table), table->segment->worker_slots_max);
    put_to_death(child);
    mirror_table_child_ended(table, child.pid);
    reap(child.pid, SIGKILL);
    ck_assert(table->segment->logged);
    header->worker_slots_used = worker_slots;
    table->is_child = 1; /* children of other loads may know more slots */
    mirror_table_reap_ended(table);
    assert_reaped(table, slot, 1);
}
END_TEST

START_TEST(only_one_worker_slot_is_settled_for_a_child)
{
    mirror_table_t *table = load(4);
    mirror_slot_t *slot = slot_of(table, "one");
    child_t first = start(table, slot), second = start(table, slot), liar = start(table, slot);
    apr_uint64_t owner = table->segment->worker_slots[liar.worker_slot].owner;

    table->segment->worker_slots[first.worker_slot].owner =
        table->segment->worker_slots[second.worker_slot].owner = owner;
    put_to_death(liar);
    mirror_table_child_ended(table, liar.pid);
    reap(liar.pid, SIGKILL);
    ck_assert_uint_eq(sum_of(table, slot).sum.outcomes[MIRROR_OUTCOME_SHUT_DOWN], 4);
    finish(first);
    finish(second);
}
END_TEST

START_TEST(what_is_held_in_the_name_of_others_is_free_after_a_reload)
{
    mirror_table_t *table = load(4);
    mirror_slot_t *slot = slot_of(table, "one");
    child_t child = start(table, slot), other = start(table, slot);
    mirror_table_worker_slot_t *worker_slots = table->segment->worker_slots;
    apr_uint64_t lives = (apr_uint64_t)1 << 32 | (apr_uint32_t)getppid();

    worker_slots[child.worker_slot].reaper = lives;
    worker_slots[other.worker_slot].reaper = (apr_uint64_t)1 << 32 | (apr_uint32_t)child.pid;
    worker_slots[other.worker_slot + 1].owner = lives;
    table->segment->header->worker_slots_used = (apr_uint32_t)other.worker_slot + 2;
    table->segment->header->lock = lives;
    put_to_death(child);
    mirror_table_child_ended(table, child.pid);
    reap(child.pid, SIGKILL);
    table = load(4);
    ck_assert_uint_eq(worker_slots[child.worker_slot].owner, 0);
    ck_assert_uint_eq((apr_uint32_t)worker_slots[child.worker_slot].reaper, 0);
    ck_assert_uint_eq((apr_uint32_t)worker_slots[other.worker_slot].reaper, 0);
    ck_assert_uint_ne(worker_slots[other.worker_slot].owner, 0); /* it runs */
    ck_assert_uint_eq(worker_slots[other.worker_slot + 1].owner, 0);
    ck_assert_uint_eq((apr_uint32_t)table->segment->header->lock, 0);
    finish(other);
    assert_reaped(table, slot, 2);
}
END_TEST

START_TEST(numbers_that_nobody_counted_are_not_summed_up)
{
    mirror_table_t *table = load(4);
    mirror_slot_t *slot = slot_of(table, "one");
    mirror_totals_t totals;
    mirror_cell_t *cell = mirror_table_cell(table, 0, slot);
    int i;

    memset(cell, 0xff, sizeof(*cell));
    totals = sum_of(table, slot);
    ck_assert_uint_eq(totals.sum.seen + totals.sum.bytes + totals.sum.latency_us, 0);
    ck_assert_double_eq(mirror_cell_quantile(totals.sum.latency, 0.5), -1);
    for (i = 0; i < (int)(sizeof(*cell) / sizeof(apr_uint64_t)); i++) {
        ((apr_uint64_t *)cell)[i] = MIRROR_CELL_COUNT_MAX;
    }
    *mirror_table_cell(table, 1, slot) = *cell;
    table->segment->header->worker_slots_used = 2;
    totals = sum_of(table, slot);
    ck_assert_uint_eq(totals.sum.bytes, MIRROR_CELL_COUNT_MAX);
    ck_assert_double_eq_tol(mirror_cell_quantile(totals.sum.latency, 0.5), 30, 1e-9);
}
END_TEST

/* ---- all the time ---- */

/* A child writes random words to random worker slots for ever, while the parent goes on. */
START_TEST(a_child_that_never_stops_writing_holds_nobody_up)
{
    mirror_table_t *table = load(2);
    mirror_slot_t *slot = slot_of(table, "one");
    pid_t pid = fork();
    int round;

    if (pid == 0) {
        apr_uint64_t *words = (apr_uint64_t *)table->segment->header, state = 1;

        for (;;) {
            apr_uint64_t word = next_word(&state), to = next_word(&state);

            words[to % (to >> 60 ? 2000 : table->segment->size / sizeof(*words))] = word;
        }
    }
    ck_assert_int_ne(pid, -1);
    mirror_table_child_started(table, pid);
    for (round = 0; round < 300; round++) {
        use(table, slot, round % 2 ? getpid() : (pid_t)table->segment->worker_slots[1].owner);
        slot_of(table, round % 3 ? "one" : "two");
        mirror_table_tidy(table);
    }
    table = load(3);
    slot = slot_of(table, "one");
    mirror_table_complete(table);
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    reap(pid, SIGKILL);
    finish(start(table, slot));
    assert_reaped(table, slot, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("slotmem_hostile");
    TCase *tcase = tcase_create("slotmem_hostile");

    apr_initialize();
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, a_filled_segment_is_made_anew, 0, FILLS);
    tcase_add_loop_test(tcase, a_filled_segment_that_is_to_grow_is_not_taken_over, 0, FILLS);
    tcase_add_test(tcase, a_text_goes_to_the_segment_that_has_grown);
    tcase_add_loop_test(tcase, a_filled_segment_of_another_layout_is_harmless, 0, FILLS);
    tcase_add_loop_test(tcase, bounds_of_children_are_not_believed, 0, 4);
    tcase_add_test(tcase, only_one_worker_slot_is_settled_for_a_child);
    tcase_add_test(tcase, what_is_held_in_the_name_of_others_is_free_after_a_reload);
    tcase_add_test(tcase, numbers_that_nobody_counted_are_not_summed_up);
    tcase_add_test(tcase, a_child_that_never_stops_writing_holds_nobody_up);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
