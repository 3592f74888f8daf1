/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_pair.c - pairs of responses: both orders, one that has waited for too long, what is counted,
 * and the race of the three that end a pair.
 *
 * Settings, shared memory and the log are supplied here.
 */
#include <pthread.h>
#include <sched.h>

#include <apr_atomic.h>

#include "base/clock.h"
#include "compare/pair.h"
#include "copy/log.h"
#include "copy/share.h"
#include "settings/settings.h"

#include "findings.h"
#include "suite.h"

static mirror_registry_t registry;
static mirror_child_t child;
static mirror_lane_t lane;
static mirror_t mirror;
static mirror_cell_t cell;
static mirror_settings_t settings;
static mirror_log_line_t the_line;
static apr_uint32_t kept;  /* atomic: references to the settings */
static apr_uint32_t lines; /* atomic: that were pushed */
static mirror_skip_e line_skip;

void mirror_settings_keep(const mirror_settings_t *of)
{
    ck_assert_ptr_eq(of, &settings);
    apr_atomic_inc32(&kept);
}

void mirror_settings_drop(const mirror_settings_t *of)
{
    ck_assert_ptr_eq(of, &settings);
    apr_atomic_dec32(&kept);
}

void mirror_table_note_findings(mirror_slot_t *slot)
{
    (void)slot;
}

mirror_findings_t *mirror_table_findings(mirror_table_t *table, const mirror_slot_t *slot)
{
    (void)table;
    (void)slot;
    return area;
}

void mirror_log_end(mirror_child_t *of, mirror_log_line_t *line, mirror_outcome_e outcome)
{
    (void)of;
    (void)outcome;
    line_skip = line->skip;
    apr_atomic_inc32(&lines);
}

static int wake(void *baton)
{
    (void)baton;
    return 1;
}

static void setup(void)
{
    make_area();
    memset(&child, 0, sizeof(child));
    memset(&lane, 0, sizeof(lane));
    memset(&cell, 0, sizeof(cell));
    memset(&settings, 0, sizeof(settings));
    child.registry = &registry;
    child.pairs = mirror_queue_create(pool, wake, NULL);
    mirror_share_init(&child.compare_memory, 1 << 20, 1);
    lane.child = &child;
    lane.mirror = &mirror;
    lane.cell = &cell;
    settings.compare_max_body = 1000;
    kept = lines = 0;
}

static mirror_pair_t *create(void)
{
    mirror_pair_subject_t subject = { 0 };

    subject.method = "GET";
    subject.method_len = 3;
    subject.path = "/items/7?secret=1";
    return mirror_pair_create(&lane, &settings, &subject);
}

static mirror_pair_t *create_with_bodies(void)
{
    mirror_pair_t *pair = create();

    ck_assert_ptr_nonnull(pair);
    mirror_half_body(&pair->primary, "0123456789", 10);
    mirror_half_body(&pair->mirror, "0123456789", 10);
    return pair;
}

static void end_mirror(mirror_pair_t *pair)
{
    mirror_pair_end_mirror(pair, MIRROR_OUTCOME_MIRRORED, &the_line);
}

static apr_uint64_t skips(mirror_skip_e skip)
{
    view_area();
    return view.skips[skip];
}

static void assert_gone(int pushed)
{
    ck_assert_uint_eq(kept, 0);
    ck_assert_uint_eq(child.compare_memory.used, 0);
    ck_assert_uint_eq(lane.compared, 0);
    ck_assert_uint_eq(lines, pushed);
    ck_assert_ptr_null(mirror_queue_take(child.pairs));
}

/* As the comparer does with a pair that is complete. */
static void decide(mirror_pair_t *pair)
{
    apr_atomic_dec32(&child.pairs_pending);
    mirror_pair_free(pair);
}

/* ---- what is kept of the request ---- */

START_TEST(texts_are_kept_without_the_query)
{
    mirror_pair_t *pair = create();

    ck_assert_str_eq(pair->group, "GET /items/*");
    ck_assert_str_eq(pair->method, "GET");
    ck_assert_str_eq(pair->path, "/items/7");
    ck_assert_ptr_null(pair->request_id);
    mirror_pair_free(pair);
    assert_gone(0);
}
END_TEST

START_TEST(long_texts_are_cut)
{
    static char text[5001];
    mirror_pair_subject_t subject = { 0 };
    mirror_pair_t *pair;

    memset(text, 'x', sizeof(text) - 1);
    subject.group = subject.method = subject.path = subject.request_id = text;
    subject.method_len = sizeof(text) - 1;
    pair = mirror_pair_create(&lane, &settings, &subject);
    ck_assert_uint_eq(strlen(pair->group), MIRROR_FINDINGS_TEXT);
    ck_assert_uint_eq(strlen(pair->method), 16);
    ck_assert_uint_eq(strlen(pair->path), 120);
    ck_assert_uint_eq(strlen(pair->request_id), 64);
    ck_assert_uint_eq(child.compare_memory.used, pair->charged);
    mirror_pair_free(pair);
    subject.group = NULL;
    mirror_pair_free(mirror_pair_create(&lane, &settings, &subject));
    assert_gone(0);
}
END_TEST

START_TEST(rules_are_bounded)
{
    apr_array_header_t *rules = apr_array_make(pool, 600, sizeof(void *));
    mirror_pair_subject_t subject = { 0 };
    mirror_pair_t *pair;
    int i;

    for (i = 0; i < 600; i++) {
        APR_ARRAY_PUSH(rules, void *) = &rules;
    }
    subject.method = subject.path = "";
    subject.rules = rules;
    pair = mirror_pair_create(&lane, &settings, &subject);
    ck_assert_int_eq(pair->rules.nelts, MIRROR_PAIR_RULES_MAX);
    ck_assert_int_eq(pair->rules_left_out, 600 - MIRROR_PAIR_RULES_MAX);
    mirror_pair_free(pair);
    assert_gone(0);
}
END_TEST

/* ---- both orders ---- */

START_TEST(primary_first)
{
    mirror_pair_t *pair = create_with_bodies();

    mirror_pair_end_primary(pair, MIRROR_SKIP_NONE);
    ck_assert_ptr_null(mirror_queue_take(child.pairs));
    end_mirror(pair);
    ck_assert_ptr_eq(mirror_queue_take(child.pairs), &pair->done.item);
    ck_assert_uint_eq(child.pairs_pending, 1);
    ck_assert_uint_eq(pair->primary.body.len, 10);
    ck_assert_uint_eq(pair->mirror.body.len, 10);
    decide(pair);
    assert_gone(1);
    ck_assert_int_eq(line_skip, MIRROR_SKIP_NONE);
    ck_assert_uint_eq(cell.chosen, 1);
    ck_assert_uint_eq(cell.decided, 0); /* it is mirror_note()'s */
}
END_TEST

START_TEST(mirror_first)
{
    mirror_pair_t *pair = create_with_bodies();

    end_mirror(pair);
    ck_assert_ptr_eq(mirror_queue_take(child.pairs), &pair->waits.item);
    ck_assert_uint_eq(child.pairs_pending, 0);
    mirror_pair_end_primary(pair, MIRROR_SKIP_NONE);
    ck_assert_ptr_eq(mirror_queue_take(child.pairs), &pair->done.item);
    decide(pair);
    assert_gone(1);
}
END_TEST

/* The comparer learns of the wait before it gets the pair. */
START_TEST(mirror_first_and_both_at_once)
{
    mirror_pair_t *pair = create_with_bodies();
    mirror_queue_item_t *item;

    end_mirror(pair);
    mirror_pair_end_primary(pair, MIRROR_SKIP_NONE);
    item = mirror_queue_take(child.pairs);
    ck_assert_ptr_eq(item, &pair->waits.item);
    ck_assert_ptr_eq(item->next, &pair->done.item);
    ck_assert_ptr_null(item->next->next);
    decide(pair);
    assert_gone(1);
}
END_TEST

START_TEST(a_half_that_is_none_is_freed)
{
    mirror_pair_t *pair = create_with_bodies();
    apr_uint64_t used = child.compare_memory.used;

    mirror_pair_end_primary(pair, MIRROR_SKIP_PRIMARY_BROKEN);
    ck_assert_uint_lt(child.compare_memory.used, used);
    ck_assert_int_eq(pair->primary.skip, MIRROR_SKIP_PRIMARY_BROKEN);
    mirror_pair_end_mirror(pair, MIRROR_OUTCOME_TIMED_OUT, NULL);
    ck_assert_int_eq(pair->mirror.skip, MIRROR_SKIP_NO_ANSWER);
    ck_assert_uint_eq(child.compare_memory.used, pair->charged);
    ck_assert_ptr_eq(mirror_queue_take(child.pairs), &pair->done.item);
    apr_atomic_dec32(&child.pairs_pending);
    mirror_pair_skip(pair, MIRROR_SKIP_NO_ANSWER);
    assert_gone(0);
    ck_assert_uint_eq(skips(MIRROR_SKIP_NO_ANSWER), 1);
    ck_assert_uint_eq(cell.decided, 1);
}
END_TEST

/* ---- one that has waited for too long ---- */

START_TEST(expired)
{
    mirror_pair_t *pair = create_with_bodies();
    apr_uint64_t used = child.compare_memory.used;

    end_mirror(pair);
    mirror_queue_take(child.pairs);
    ck_assert_int_eq(mirror_pair_expire(pair), 1);
    ck_assert_uint_eq(skips(MIRROR_SKIP_TIMEOUT), 1);
    ck_assert_uint_lt(child.compare_memory.used, used);
    ck_assert_uint_eq(lines, 1);
    ck_assert_int_eq(line_skip, MIRROR_SKIP_TIMEOUT);
    mirror_half_body(&pair->primary, "more", 4); /* it goes on */
    mirror_pair_end_primary(pair, MIRROR_SKIP_NONE);
    assert_gone(1);
    ck_assert_uint_eq(cell.decided, 1);
    ck_assert_uint_eq(skips(MIRROR_SKIP_TIMEOUT), 1);
}
END_TEST

START_TEST(not_expired_if_the_primary_has_ended)
{
    mirror_pair_t *pair = create_with_bodies();

    end_mirror(pair);
    mirror_queue_take(child.pairs);
    mirror_pair_end_primary(pair, MIRROR_SKIP_NONE);
    ck_assert_int_eq(mirror_pair_expire(pair), 0);
    ck_assert_uint_eq(pair->mirror.body.len, 10);
    ck_assert_ptr_eq(mirror_queue_take(child.pairs), &pair->done.item);
    decide(pair);
    assert_gone(1);
    ck_assert_uint_eq(skips(MIRROR_SKIP_TIMEOUT), 0);
}
END_TEST

/* ---- bounds ---- */

START_TEST(no_memory)
{
    ck_assert_int_eq(mirror_share_take(&child.compare_memory, &lane.compared, 1 << 20), 1);
    ck_assert_ptr_null(create());
    ck_assert_uint_eq(skips(MIRROR_SKIP_MEMORY), 1);
    ck_assert_uint_eq(cell.chosen, 1);
    ck_assert_uint_eq(cell.decided, 1);
    ck_assert_uint_eq(kept, 0);
    mirror_share_give(&child.compare_memory, &lane.compared, 1 << 20);
    mirror_pair_free(create());
    assert_gone(0);
}
END_TEST

START_TEST(busy)
{
    mirror_pair_t *pair = create_with_bodies(), *early = create_with_bodies();

    child.pairs_pending = MIRROR_PAIR_PENDING_MAX;
    mirror_pair_end_primary(pair, MIRROR_SKIP_NONE);
    end_mirror(pair);
    ck_assert_ptr_null(mirror_queue_take(child.pairs));
    ck_assert_uint_eq(skips(MIRROR_SKIP_BUSY), 1);
    ck_assert_int_eq(line_skip, MIRROR_SKIP_BUSY);
    ck_assert_uint_eq(child.pairs_pending, MIRROR_PAIR_PENDING_MAX);
    end_mirror(early); /* the comparer has its timer, so it must get it back */
    mirror_pair_end_primary(early, MIRROR_SKIP_NONE);
    ck_assert_ptr_eq(mirror_queue_take(child.pairs), &early->waits.item);
    decide(early);
    assert_gone(2);
    ck_assert_uint_eq(child.pairs_pending, MIRROR_PAIR_PENDING_MAX);
}
END_TEST

START_TEST(nothing_is_counted_after_the_end)
{
    mirror_pair_t *pair = create_with_bodies(), *other = create_with_bodies();

    child.closed = 1;
    mirror_pair_end_primary(pair, MIRROR_SKIP_NONE);
    end_mirror(pair);
    ck_assert_int_eq(line_skip, MIRROR_SKIP_SHUT_DOWN);
    end_mirror(other);
    mirror_pair_end_primary(other, MIRROR_SKIP_NONE);
    assert_gone(2);
    ck_assert_uint_eq(cell.decided, 0);
    ck_assert_uint_eq(skips(MIRROR_SKIP_SHUT_DOWN), 0);
}
END_TEST

/* ---- threads ---- */

#define PAIRS 20000

typedef struct race_t {
    mirror_pair_t *pairs[PAIRS];
    apr_uint32_t made;        /* atomic: pairs that are there */
    apr_uint32_t ended;       /* atomic: threads that have ended all halves */
    int done, expired, waits; /* the comparer's */
} race_t;

static race_t race;

/* Wait until pair `i` is there. */
static mirror_pair_t *pair_at(apr_uint32_t i)
{
    while (apr_atomic_read32(&race.made) <= i) {
        sched_yield();
    }
    return race.pairs[i];
}

static void *request_thread(void *unused)
{
    apr_uint32_t i;

    for (i = 0; i < PAIRS; i++) {
        mirror_pair_t *pair = create();

        race.pairs[i] = pair;
        apr_atomic_inc32(&race.made);
        if (i % 3 == 0) {
            sched_yield();
        }
        if (pair) {
            mirror_half_body(&pair->primary, "0123456789", 10);
            mirror_pair_end_primary(pair, i % 7 ? MIRROR_SKIP_NONE : MIRROR_SKIP_PRIMARY_BROKEN);
        }
    }
    apr_atomic_inc32(&race.ended);
    return unused;
}

static void *sender(void *unused)
{
    apr_uint32_t i;

    for (i = 0; i < PAIRS; i++) {
        mirror_pair_t *pair = pair_at(i);

        if (pair) {
            mirror_half_body(&pair->mirror, "0123456789", 10);
            mirror_pair_end_mirror(pair, i % 5 ? MIRROR_OUTCOME_MIRRORED : MIRROR_OUTCOME_TIMED_OUT,
                                   NULL);
        }
    }
    apr_atomic_inc32(&race.ended);
    return unused;
}

static int take(void)
{
    mirror_queue_item_t *item = mirror_queue_take(child.pairs), *next;
    int n = 0;

    for (; item; item = next, n++) {
        mirror_pair_event_t *event = (mirror_pair_event_t *)item;

        next = item->next;
        if (event == &event->pair->waits) {
            race.waits++;
            race.expired += mirror_pair_expire(event->pair);
        }
        else {
            race.done++;
            decide(event->pair);
        }
    }
    return n;
}

START_TEST(each_pair_ends_once)
{
    pthread_t request, sending;
    apr_uint64_t counted;

    memset(&race, 0, sizeof(race));
    mirror_share_init(&child.compare_memory, 256 << 20, 1);
    pthread_create(&request, NULL, request_thread, NULL);
    pthread_create(&sending, NULL, sender, NULL);
    while (apr_atomic_read32(&race.ended) < 2) {
        if (!take()) {
            sched_yield();
        }
    }
    pthread_join(request, NULL);
    pthread_join(sending, NULL);
    take();
    counted = skips(MIRROR_SKIP_MEMORY) + skips(MIRROR_SKIP_BUSY);
    ck_assert_uint_eq(race.done + race.expired + counted, PAIRS);
    ck_assert_uint_eq(skips(MIRROR_SKIP_TIMEOUT), race.expired);
    ck_assert_uint_eq(cell.chosen, PAIRS);
    ck_assert_uint_eq(child.pairs_pending, 0);
    ck_assert_int_gt(race.done, 0);
    assert_gone(0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pair");
    TCase *tcase = tcase_create("pair");

    apr_initialize();
    tcase_add_checked_fixture(tcase, setup, drop_area);
    tcase_add_test(tcase, texts_are_kept_without_the_query);
    tcase_add_test(tcase, long_texts_are_cut);
    tcase_add_test(tcase, rules_are_bounded);
    tcase_add_test(tcase, primary_first);
    tcase_add_test(tcase, mirror_first);
    tcase_add_test(tcase, mirror_first_and_both_at_once);
    tcase_add_test(tcase, a_half_that_is_none_is_freed);
    tcase_add_test(tcase, expired);
    tcase_add_test(tcase, not_expired_if_the_primary_has_ended);
    tcase_add_test(tcase, no_memory);
    tcase_add_test(tcase, busy);
    tcase_add_test(tcase, nothing_is_counted_after_the_end);
    tcase_add_test(tcase, each_pair_ends_once);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
