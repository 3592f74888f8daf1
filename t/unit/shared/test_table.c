/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_table.c - slots over reloads, who may take them over, the layout; latency and its
 * quantiles.
 */
#include "slotmem.h"
#include "suite.h"

/* ---- slots ---- */

START_TEST(counts_and_slots_outlive_a_reload)
{
    mirror_table_t *table = load(4);
    mirror_slot_t *one = slot_of(table, "one");
    mirror_slot_t *two = slot_of(table, "two");
    child_t old = start(table, one);
    mirror_table_t *next;

    ck_assert_ptr_ne(one, two);
    ck_assert_ptr_eq(slot_of(table, "two"), two);
    next = load(2); /* fewer are required: there is room */
    ck_assert_ptr_eq(slot_of(next, "two"), two);
    ck_assert_ptr_eq(slot_of(next, "one"), one);
    finish(start(next, one));
    finish(old); /* counts on in the same memory */
    assert_reaped(next, one, 2);
    ck_assert_uint_eq(sum_of(next, two).sum.seen, 0);
}
END_TEST

START_TEST(a_table_that_must_grow_begins_anew)
{
    mirror_table_t *table = load(2), *before;
    mirror_slot_t *slot = slot_of(table, "one");
    child_t old = start(table, slot);

    before = table;
    ck_assert(mirror_table_is_newest(before));
    table = load(100);
    ck_assert(mirror_table_is_newest(table) && !mirror_table_is_newest(before));
    slot = slot_of(table, "one");
    ck_assert_uint_eq(sum_of(table, slot).sum.seen, 0);
    finish(old); /* it still has its memory */
    ck_assert_uint_eq(sum_of(table, slot).sum.seen, 0);
    finish(start(table, slot));
    assert_reaped(table, slot, 1);
}
END_TEST

/* Return what a load logs. */
static const char *logged(int slots)
{
    char *text = apr_pcalloc(pool, 4096);
    FILE *file = tmpfile();
    int before = dup(2);

    ck_assert_ptr_nonnull(file);
    dup2(fileno(file), 2);
    load(slots);
    dup2(before, 2);
    close(before);
    rewind(file);
    ck_assert_uint_lt(fread(text, 1, 4096, file), 4096);
    fclose(file);
    return text;
}

/* The next load finds what a module with another layout of shared memory has left. */
static void change_layout(void)
{
    (*(apr_uint32_t *)retained)--; /* the version, the first member */
}

/* ... and with another layout of the texts. */
static void change_texts(mirror_table_t *table)
{
    change_layout();
    table->segment->texts->layout[0]++;
}

/* An administrator who has stopped mirrors has to know whether the module of another version starts
 * them. */
START_TEST(the_cost_of_another_layout_is_logged)
{
    const char *text;

    load(2);
    ck_assert_str_eq(logged(2), "");
    text = logged(3);
    ck_assert_ptr_nonnull(strstr(text, "because ProxyMirrorSlots was increased; all counters"));
    ck_assert_ptr_null(strstr(text, "manager"));
    change_layout();
    text = logged(3);
    ck_assert_ptr_nonnull(strstr(text, "because the module has another version; all counters"));
    ck_assert_ptr_nonnull(strstr(text, "the changes by the manager and the settings of the fleet "
                                       "are kept"));
    change_texts(load(3));
    text = logged(3);
    ck_assert_ptr_nonnull(strstr(text, "because the module has another version; all counters"));
    ck_assert_ptr_nonnull(strstr(text, "the changes by the manager are discarded"));
    ck_assert_str_eq(logged(3), "");
}
END_TEST

static void put_texts(mirror_table_t *table, mirror_slot_t *slot, const char *node,
                      const char *fleet)
{
    mirror_store_lock_t *lock = mirror_table_store_lock(table);

    ck_assert_int_eq(mirror_store_write(&slot->version, mirror_table_store(table, slot), lock,
                                        slot->version, 7, node),
                     APR_SUCCESS);
    ck_assert_int_eq(mirror_store_write(&slot->fleet_version, mirror_table_fleet_store(table, slot),
                                        lock, slot->fleet_version, 9, fleet),
                     APR_SUCCESS);
}

static void assert_texts(mirror_table_t *table, mirror_slot_t *slot, const char *node,
                         const char *fleet)
{
    mirror_store_text_t text;

    mirror_store_read(&text, &slot->version, mirror_table_store(table, slot), pool);
    ck_assert_pstr_eq(text.text, node);
    ck_assert_uint_eq(text.config, node ? 7 : 0);
    mirror_store_read(&text, &slot->fleet_version, mirror_table_fleet_store(table, slot), pool);
    ck_assert_pstr_eq(text.text, fleet);
    ck_assert_uint_eq(text.config, fleet ? 9 : 0);
}

/* A mirror that was stopped in an emergency remains stopped. The names are found in another order, and
 * one in a slot that another mirror had. */
START_TEST(texts_outlive_another_layout)
{
    mirror_table_t *table = load(3), *next;
    mirror_slot_t *one, *two, *gone = slot_of(table, "gone");
    child_t old;

    put_texts(table, gone, "[]", "[]");
    load(3);
    table = load(3);
    two = slot_of(table, "two");
    one = slot_of(table, "one");
    slot_of(table, "new");
    ck_assert_ptr_eq(slot_of(table, "new"), gone);
    old = start(table, one);
    apr_atomic_set64(&one->config, 7);
    put_texts(table, one, "{\"enabled\":false}", "1\n{}");
    put_texts(table, two, "{\"count\":2}", NULL);
    change_layout();
    next = load(2 + _i); /* fewer, as many, more */
    ck_assert_ptr_eq(next->former_segment, NULL);
    ck_assert_uint_eq(one->config, 0); /* old children store no change that would be lost */
    assert_texts(next, slot_of(next, "one"), "{\"enabled\":false}", "1\n{}");
    assert_texts(next, slot_of(next, "two"), "{\"count\":2}", NULL);
    ck_assert_uint_eq(sum_of(next, slot_of(next, "one")).sum.seen, 0);
    mirror_table_complete(next);
    ck_assert_ptr_eq(next->former, NULL);
    finish(old);
    change_layout();
    next = load(3); /* from a segment that has got its texts in the same way */
    assert_texts(next, slot_of(next, "new"), NULL, NULL);
    assert_texts(next, slot_of(next, "one"), "{\"enabled\":false}", "1\n{}");
    mirror_table_complete(next);
    finish(start(next, slot_of(next, "one")));
    assert_reaped(next, slot_of(next, "one"), 1);
}
END_TEST

START_TEST(texts_of_another_layout_are_discarded)
{
    mirror_table_t *table = load(2);
    mirror_slot_t *one = slot_of(table, "one");

    put_texts(table, one, "{\"enabled\":false}", "1\n{}");
    if (_i == 0) {
        change_texts(table);
    }
    else { /* a module that has no list of texts */
        change_layout();
        apr_pool_userdata_set(NULL, "mod_proxy_mirror:texts", NULL, table->segment->pool);
    }
    table = load(2);
    ck_assert_ptr_eq(table->former, NULL);
    assert_texts(table, slot_of(table, "one"), NULL, NULL);
    mirror_table_complete(table);
}
END_TEST

START_TEST(a_slot_is_not_taken_from_a_mirror_that_may_be_used)
{
    mirror_table_t *table = load(2);
    mirror_slot_t *slot = slot_of(table, "one");
    mirror_slot_t *none = NULL;
    child_t old;

    slot_of(table, "two");
    ck_assert_int_eq(mirror_table_slot(&none, table, "three"), APR_ENOSPC);
    old = start(table, slot);
    table = load(2);
    slot_of(table, "two");
    ck_assert_int_eq(mirror_table_slot(&none, table, "three"), APR_ENOSPC); /* "one" may come yet */
    table = load(2);
    slot_of(table, "two");
    ck_assert_int_eq(mirror_table_slot(&none, table, "three"), APR_ENOSPC); /* the child lives */
    finish(old);
    ck_assert_ptr_eq(slot_of(table, "three"), slot);
    ck_assert_uint_eq(sum_of(table, slot).sum.seen, 0);
    ck_assert_int_eq(mirror_table_slot(&none, table, "one"), APR_ENOSPC);
}
END_TEST

START_TEST(a_dead_child_keeps_no_slot_from_being_taken)
{
    mirror_table_t *table = load(1);
    mirror_slot_t *slot = slot_of(table, "one");
    child_t old = start(table, slot);

    apr_atomic_set64(&slot->down_until, 1);
    put_to_death(old);
    reap(old.pid, SIGKILL);
    load(1);
    table = load(1);
    ck_assert_ptr_eq(slot_of(table, "two"), slot);
    ck_assert_uint_eq(slot->down_until, 0);
    finish(start(table, slot));
    assert_reaped(table, slot, 1);
}
END_TEST

/* Nobody but the parent's own list of children tells who may use a slot. */
START_TEST(the_shared_worker_slot_keeps_no_slot_for_ever)
{
    enum { CHILDREN = 1 + SPARE + 1 };
    mirror_table_t *table;
    mirror_slot_t *slot, *none = NULL;
    child_t children[CHILDREN];
    int i;

    daemons = 1;
    table = load(1);
    slot = slot_of(table, "one");
    for (i = 0; i < CHILDREN; i++) {
        children[i] = start(table, slot);
    }
    ck_assert_int_eq(children[CHILDREN - 1].worker_slot, 0);
    for (i = 0; i < CHILDREN - 1; i++) {
        finish(children[i]);
    }
    load(1);
    table = load(1);
    /* the one of the shared worker slot lives */
    ck_assert_int_eq(mirror_table_slot(&none, table, "two"), APR_ENOSPC);
    finish(children[CHILDREN - 1]);
    ck_assert_ptr_eq(slot_of(table, "two"), slot);
    ck_assert_uint_eq(sum_of(table, slot).sum.seen, 0);
    daemons = 4;
}
END_TEST

START_TEST(cells_stand_alone)
{
    mirror_table_t *table = load(3);
    mirror_slot_t *a = slot_of(table, "a");
    mirror_slot_t *b = slot_of(table, "b");
    char *first = (char *)mirror_table_cell(table, 1, a);

    ck_assert_uint_eq((apr_uintptr_t)first % 64, 0);
    ck_assert_uint_eq((apr_uintptr_t)a % 64, 0);
    ck_assert_int_ge((char *)mirror_table_cell(table, 1, b) - first, (int)sizeof(mirror_cell_t));
    ck_assert_int_ge((char *)mirror_table_cell(table, 2, a) - first,
                     3 * (int)sizeof(mirror_cell_t));
    /* the last is inside */
    memset(mirror_table_cell(table, daemons + SPARE, b), 0xff, sizeof(mirror_cell_t));
    /* nobody has claimed it */
    ck_assert_uint_eq(sum_of(table, b).sum.seen, 0);
}
END_TEST

/* ---- latency ---- */

START_TEST(bounds_ascend_and_have_those_of_the_metrics)
{
    static const double expected[] = { 1, 5, 10, 50, 100, 500, 1000, 5000, 10000 };
    int found = 0;
    int i;

    for (i = 0; i < MIRROR_CELL_BUCKETS - 1; i++) {
        ck_assert(i == 0 || mirror_cell_latency_ms[i] > mirror_cell_latency_ms[i - 1]);
        if (found < 9 && mirror_cell_latency_ms[i] == expected[found]) {
            found++;
        }
    }
    ck_assert_int_eq(found, 9);
}
END_TEST

START_TEST(a_response_is_counted_in_the_bucket_that_has_it)
{
    mirror_cell_t cell;
    int i;

    memset(&cell, 0, sizeof(cell));
    for (i = 0; i < MIRROR_CELL_BUCKETS - 1; i++) {
        apr_interval_time_t bound = (apr_interval_time_t)(mirror_cell_latency_ms[i] * 1000 + 0.5);

        mirror_cell_count_response(&cell, 404, 0, bound);
        ck_assert_uint_eq(cell.latency[i], i == 0 ? 1 : 2);
        mirror_cell_count_response(&cell, 599, 2, bound + 1);
        ck_assert_uint_eq(cell.latency[i + 1], 1);
    }
    mirror_cell_count_response(&cell, 99, 0, -5); /* the clock was set back */
    mirror_cell_count_response(&cell, 600, -1, 0);
    ck_assert_uint_eq(cell.latency[0], 3);
    ck_assert_uint_eq(cell.responses[0], 2 * (MIRROR_CELL_BUCKETS - 1));
    ck_assert_uint_eq(cell.responses[3], MIRROR_CELL_BUCKETS - 1);
    ck_assert_uint_eq(cell.responses[4], MIRROR_CELL_BUCKETS - 1);
}
END_TEST

START_TEST(quantiles_are_interpolated)
{
    mirror_cell_t cell;

    memset(&cell, 0, sizeof(cell));
    ck_assert_double_eq(mirror_cell_quantile(cell.latency, 0.5), -1);
    cell.latency[0] = 10; /* to 0.1 ms */
    ck_assert_double_eq_tol(mirror_cell_quantile(cell.latency, 0.5), 0.05, 1e-9);
    ck_assert_double_eq_tol(mirror_cell_quantile(cell.latency, 0), 0, 1e-9);
    ck_assert_double_eq_tol(mirror_cell_quantile(cell.latency, 1), 0.1, 1e-9);
    cell.latency[6] = 80; /* 0.7 to 1 ms */
    ck_assert_double_eq_tol(mirror_cell_quantile(cell.latency, 0.5), 0.7 + 0.3 * 35 / 80, 1e-9);
    cell.latency[MIRROR_CELL_BUCKETS - 1] = 10; /* over 60 s */
    ck_assert_double_eq_tol(mirror_cell_quantile(cell.latency, 0.9), 1, 1e-9);
    ck_assert_double_eq_tol(mirror_cell_quantile(cell.latency, 0.99), 60000, 1e-9);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("slotmem_table");
    TCase *tcase = tcase_create("slotmem_table");

    apr_initialize();
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, counts_and_slots_outlive_a_reload);
    tcase_add_test(tcase, a_table_that_must_grow_begins_anew);
    tcase_add_test(tcase, the_cost_of_another_layout_is_logged);
    tcase_add_loop_test(tcase, texts_outlive_another_layout, 0, 3);
    tcase_add_loop_test(tcase, texts_of_another_layout_are_discarded, 0, 2);
    tcase_add_test(tcase, a_slot_is_not_taken_from_a_mirror_that_may_be_used);
    tcase_add_test(tcase, a_dead_child_keeps_no_slot_from_being_taken);
    tcase_add_test(tcase, the_shared_worker_slot_keeps_no_slot_for_ever);
    tcase_add_test(tcase, cells_stand_alone);
    tcase_add_test(tcase, bounds_ascend_and_have_those_of_the_metrics);
    tcase_add_test(tcase, a_response_is_counted_in_the_bucket_that_has_it);
    tcase_add_test(tcase, quantiles_are_interpolated);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
