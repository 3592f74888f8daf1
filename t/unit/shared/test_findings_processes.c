/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_findings_processes.c - findings that several processes write to, one of which may be killed
 * or write anything; and the texts that are read of them.
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_thread_proc.h>

#include "findings.h"
#include "suite.h"

#include "base/utf8.h"
#include "shared/findings_state.h"

enum { PROCESSES = 6, RESPONSES = 3000 };

/* Counters and groups add up, and what is listed is in its bounds. */
static void assert_whole(void)
{
    apr_uint64_t compared = 0, grouped = 0;
    int i, k;

    view_area();
    for (i = 0; i < MIRROR_VERDICT_COUNT; i++) {
        compared += view.verdicts[i];
    }
    for (i = 0; i < view.group_count; i++) {
        grouped += view.groups[i].compared;
        ck_assert(mirror_utf8_is_valid(view.groups[i].group));
    }
    ck_assert_uint_eq(view.compared, compared);
    ck_assert(grouped == compared || compared > MIRROR_CELL_COUNT_MAX);
    ck_assert_int_le(view.row_count, MIRROR_FINDINGS_ROWS);
    for (i = 0; i < view.row_count; i++) {
        ck_assert(mirror_utf8_is_valid(view.rows[i].field));
        ck_assert_uint_le(strlen(view.rows[i].field), MIRROR_FINDINGS_TEXT);
        ck_assert_uint_lt(view.rows[i].kind, MIRROR_KIND_COUNT);
    }
    ck_assert_int_le(view.finding_count, MIRROR_FINDINGS_FINDINGS);
    for (i = 0; i < view.finding_count; i++) {
        ck_assert_int_le(view.findings[i].row_count, MIRROR_FINDINGS_SET);
        for (k = 0; k < view.findings[i].example_count; k++) {
            ck_assert(mirror_utf8_is_valid(view.findings[i].examples[k].path));
        }
    }
}

/* ---- at once ---- */

static void add_many(int n)
{
    char field[30], group[30];
    int i;

    for (i = 0; i < n; i++) {
        apr_snprintf(field, sizeof(field), "body/%d", i % 10);
        apr_snprintf(group, sizeof(group), "g%d", i % 5);
        mirror_findings_time(area, i, i);
        while (add_row(group, field, MIRROR_KIND_VALUE, MIRROR_SIDE_TWO_WAY) ==
               MIRROR_VERDICT_COUNT) { /* others have the lock */
        }
        mirror_findings_skip(area, MIRROR_SKIP_TIMEOUT, 1);
    }
}

static pid_t fork_adder(int n)
{
    pid_t pid = fork();

    ck_assert_int_ne(pid, -1);
    if (pid == 0) {
        add_many(n);
        _exit(0);
    }
    return pid;
}

static void wait_for(const pid_t *pids, int n)
{
    int i;

    for (i = 0; i < n; i++) {
        waitpid(pids[i], NULL, 0);
    }
}

START_TEST(counts_of_all_processes_add_up)
{
    apr_uint64_t rows = 0;
    pid_t pids[PROCESSES];
    int i;

    for (i = 0; i < PROCESSES; i++) {
        pids[i] = fork_adder(RESPONSES);
    }
    while (waitpid(pids[0], NULL, WNOHANG) == 0) {
        assert_whole();
        apr_pool_clear(pool);
    }
    wait_for(pids + 1, PROCESSES - 1);
    assert_whole();
    ck_assert_uint_eq(view.compared, PROCESSES * RESPONSES);
    ck_assert_uint_eq(view.skips[MIRROR_SKIP_TIMEOUT], PROCESSES * RESPONSES);
    for (i = 0; i < view.row_count; i++) {
        rows += view.rows[i].count;
    }
    ck_assert_int_eq(view.row_count, 10);
    ck_assert_uint_eq(rows, PROCESSES * RESPONSES);
}
END_TEST

START_TEST(a_process_that_is_killed_leaves_nothing_half_written)
{
    int round;

    for (round = 0; round < 60; round++) {
        pid_t pids[3];

        apr_pool_clear(pool);
        pids[0] = fork_adder(1 << 30);
        pids[1] = fork_adder(200);
        pids[2] = fork_adder(200);
        waitpid(pids[1 + round % 2], NULL, 0);
        kill(pids[0], SIGKILL);
        waitpid(pids[0], NULL, 0);
        waitpid(pids[2 - round % 2], NULL, 0);
        ck_assert_int_eq(add_row("g", "body/x", MIRROR_KIND_VALUE, MIRROR_SIDE_TWO_WAY),
                         MIRROR_VERDICT_DIFFERENT);
        assert_whole();
    }
    ck_assert_int_eq(view.row_count, 11);
    ck_assert_uint_eq(view.rows[10].count, 60);
}
END_TEST

START_TEST(a_reset_meanwhile_leaves_only_what_came_after_it)
{
    mirror_findings_counts_t counts;
    pid_t pids[3];
    int i;

    for (i = 0; i < 3; i++) {
        pids[i] = fork_adder(RESPONSES);
    }
    for (i = 1; i <= 20; i++) {
        ck_assert_int_eq(mirror_findings_reset(area, 1000 + i), APR_SUCCESS);
        assert_whole();
        apr_pool_clear(pool);
    }
    wait_for(pids, 3);
    assert_whole();
    ck_assert_uint_le(view.compared, 3 * RESPONSES);
    mirror_findings_counts(&counts, area);
    ck_assert_uint_eq(counts.verdicts[MIRROR_VERDICT_DIFFERENT], 3 * RESPONSES);
    ck_assert_int_eq(mirror_findings_reset(area, 5000), APR_SUCCESS);
    assert_whole();
    ck_assert_uint_eq(view.compared + (unsigned)view.row_count, 0);
}
END_TEST

START_TEST(a_reset_whose_process_was_killed_is_completed)
{
    add_many(10);
    area->resetting = 7777;
    add_row("g", "body/new", MIRROR_KIND_VALUE, MIRROR_SIDE_TWO_WAY);
    view_area();
    ck_assert_int_eq(view.since, 7777);
    ck_assert_uint_eq(view.compared, 1);
    ck_assert_int_eq(view.row_count, 1);
}
END_TEST

/* ---- the lock ---- */

START_TEST(without_the_lock_nothing_is_counted)
{
    mirror_findings_counts_t counts;
    apr_uint64_t lives = (apr_uint64_t)3 << 32 | (apr_uint32_t)(_i ? getppid() : getpid());

    area->lock = lives;
    ck_assert_int_eq(add_row("g", "body/a", MIRROR_KIND_VALUE, MIRROR_SIDE_ALL_DIFFER),
                     MIRROR_VERDICT_COUNT);
    ck_assert_int_eq(mirror_findings_reset(area, 5000), APR_TIMEUP);
    ck_assert_uint_eq(area->lock, lives);
    assert_whole();
    ck_assert_uint_eq(view.compared, 0);
    ck_assert_int_eq(view.row_count + view.group_count, 0);
    ck_assert_uint_eq(view.truncated_fields, 0);
    mirror_findings_counts(&counts, area);
    ck_assert_uint_eq(counts.kinds[MIRROR_PART_BODY][MIRROR_KIND_VALUE], 0);
    mirror_findings_release(area, 1 << 30);
    ck_assert_uint_ne(mirror_findings_holder(area), 0);
    mirror_findings_release(area, mirror_findings_holder(area));
    ck_assert_uint_eq(mirror_findings_holder(area), 0);
    add_row("g", "body/a", MIRROR_KIND_VALUE, MIRROR_SIDE_ALL_DIFFER);
    view_area();
    ck_assert_int_eq(view.row_count, 1);
}
END_TEST

START_TEST(the_lock_of_a_process_that_is_gone_falls_to_the_next)
{
    pid_t pid = fork();

    if (pid == 0) {
        apr_uint64_t mine;

        _exit(mirror_store_lock_take(&mine, &area->lock, 1000) != APR_SUCCESS);
    }
    waitpid(pid, NULL, 0);
    ck_assert_uint_eq(mirror_findings_holder(area), (apr_uint32_t)pid);
    add_row("g", "body/a", MIRROR_KIND_VALUE, MIRROR_SIDE_ALL_DIFFER);
    view_area();
    ck_assert_int_eq(view.row_count, 1);
    ck_assert_uint_eq(mirror_findings_holder(area), 0);
}
END_TEST

static void *APR_THREAD_FUNC add_in_thread(apr_thread_t *thread, void *baton)
{
    (void)thread, (void)baton;
    add_many(RESPONSES);
    return NULL;
}

START_TEST(threads_of_a_process_keep_each_other_out)
{
    apr_thread_t *threads[2];
    apr_uint64_t rows = 0;
    apr_status_t rv;
    int i;

    for (i = 0; i < 2; i++) {
        ck_assert_int_eq(apr_thread_create(&threads[i], NULL, add_in_thread, NULL, pool), 0);
    }
    for (i = 0; i < 20; i++) {
        assert_whole();
    }
    for (i = 0; i < 2; i++) {
        apr_thread_join(&rv, threads[i]);
    }
    assert_whole();
    ck_assert_uint_eq(view.compared, 2 * RESPONSES);
    for (i = 0; i < view.row_count; i++) {
        rows += view.rows[i].count;
    }
    ck_assert_uint_eq(rows, 2 * RESPONSES);
    ck_assert_int_eq(mirror_findings_reset(area, 5000), APR_SUCCESS);
}
END_TEST

/* ---- anything ---- */

static apr_uint64_t next_word(apr_uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Ones, or random words; small numbers in every other fill. */
static void fill(int n)
{
    apr_uint64_t *words = (apr_uint64_t *)area, state = 7919 * (apr_uint64_t)(n + 1);
    apr_size_t i;

    for (i = 0; i < mirror_findings_size() / sizeof(*words); i++) {
        words[i] = n == 0 ? ~(apr_uint64_t)0 : next_word(&state) >> (n % 2 ? 0 : 50);
    }
    area->lock = 0;
}

START_TEST(whatever_is_there_nobody_leaves_the_bounds)
{
    mirror_findings_counts_t counts;

    fill(_i);
    assert_whole();
    mirror_findings_counts(&counts, area);
    add_many(50);
    assert_whole();
    mirror_findings_skip(area, MIRROR_SKIP_SHUT_DOWN, MIRROR_CELL_COUNT_MAX);
    ck_assert_int_eq(mirror_findings_reset(area, 5000), APR_SUCCESS);
    assert_whole();
    ck_assert_int_eq(view.row_count + view.finding_count + view.pair_count, 0);
    add_many(50);
    assert_whole();
    ck_assert_int_eq(view.row_count, 10);
}
END_TEST

START_TEST(a_process_that_never_stops_writing_holds_nobody_up)
{
    apr_uint64_t *words = (apr_uint64_t *)area, state = 1;
    pid_t pid = fork();
    int i;

    while (pid == 0) {
        apr_uint64_t word = next_word(&state), to = next_word(&state);

        words[1 + to % (mirror_findings_size() / sizeof(*words) - 1)] = word >> word % 60;
    }
    for (i = 0; i < 300; i++) {
        add_many(3);
        view_area();
        apr_pool_clear(pool);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}
END_TEST

/* ---- texts ---- */

static const struct {
    const char *text, *kept, *printable;
} texts[] = {
    { "GET /items/*", "GET /items/*", "GET /items/*" },
    { "", "", "" },
    { "a\nb\x1b[1m\x7f", "a\nb\x1b[1m\x7f", "a?b?[1m?" },
    { "\xc3\xa4\xe2\x80\xae<script>", "\xc3\xa4\xe2\x80\xae<script>",
      "\xc3\xa4\xe2\x80\xae<script>" },
    { "\xff\xc3[\xed\xa0\x80\xc2\x85", "??[???\xc2\x85", "??[????" },
};

START_TEST(texts_are_utf8_whatever_came)
{
    mirror_noted_row_t row = noted_row(texts[_i].text, MIRROR_KIND_VALUE, MIRROR_SIDE_TWO_WAY);
    mirror_noted_t noted = noted_of(texts[_i].text, &row, 1, MIRROR_VERDICT_DIFFERENT);

    noted.path = noted.request_id = texts[_i].text;
    mirror_findings_add(area, &noted);
    view_area();
    ck_assert_str_eq(view.rows[0].field, texts[_i].kept);
    ck_assert_str_eq(view.groups[0].group, texts[_i].kept);
    ck_assert_int_eq(view.findings[0].example_count, 1);
    ck_assert_str_eq(view.findings[0].examples[0].path, texts[_i].printable);
    ck_assert(*texts[_i].text != '\0' || view.findings[0].examples[0].request_id == NULL);
}
END_TEST

START_TEST(a_long_text_has_its_middle_cut)
{
    char text[5000];
    const char *got;
    int offset;

    for (offset = 0; offset < 4; offset++) {
        int i;

        memset(text, 'x', sizeof(text));
        for (i = offset; i + 4 < (int)sizeof(text) - 5; i += 4) {
            memcpy(text + i, "\xf0\x9f\x98\x80", 4);
        }
        memcpy(text + sizeof(text) - 5, "/end", 5);
        mirror_findings_reset(area, 1);
        add_verdict(text, MIRROR_VERDICT_SAME);
        view_area();
        got = view.groups[0].group;
        ck_assert_uint_le(strlen(got), MIRROR_FINDINGS_TEXT);
        ck_assert_uint_ge(strlen(got), MIRROR_FINDINGS_TEXT - 8);
        ck_assert_ptr_ne(strstr(got, "..."), NULL);
        ck_assert_str_eq(got + strlen(got) - 4, "/end");
        ck_assert_ptr_eq(strchr(got, '?'), NULL);
    }
    memset(text, '\x80', sizeof(text) - 1);
    add_verdict(text, MIRROR_VERDICT_SAME);
    assert_whole();
}
END_TEST

START_TEST(the_first_example_stays_and_others_are_the_newest)
{
    mirror_noted_row_t row = noted_row("body/a", MIRROR_KIND_VALUE, MIRROR_SIDE_TWO_WAY);
    mirror_noted_t noted = noted_of("g", &row, 1, MIRROR_VERDICT_DIFFERENT);
    int i;

    noted.examples = _i;
    for (i = 1; i <= 100; i++) {
        noted.time = i;
        noted.request_id = i == 1 ? "first" : NULL;
        mirror_findings_add(area, &noted);
    }
    view_area();
    ck_assert_int_eq(view.findings[0].example_count, _i < 10 ? _i : 10);
    for (i = 0; i < view.findings[0].example_count; i++) {
        const mirror_found_example_t *example = &view.findings[0].examples[i];

        ck_assert(i == 0 ? example->time == 1 : example->time > 100 - 10);
        ck_assert_int_eq(example->request_id != NULL, i == 0);
        ck_assert_str_eq(example->method, "GET");
        ck_assert_int_eq(example->status[1], 200);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("findings_processes");
    TCase *tcase = tcase_create("findings_processes");

    apr_initialize();
    tcase_add_checked_fixture(tcase, make_area, drop_area);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, counts_of_all_processes_add_up);
    tcase_add_test(tcase, a_process_that_is_killed_leaves_nothing_half_written);
    tcase_add_test(tcase, a_reset_meanwhile_leaves_only_what_came_after_it);
    tcase_add_test(tcase, a_reset_whose_process_was_killed_is_completed);
    tcase_add_loop_test(tcase, without_the_lock_nothing_is_counted, 0, 2);
    tcase_add_test(tcase, the_lock_of_a_process_that_is_gone_falls_to_the_next);
    tcase_add_test(tcase, threads_of_a_process_keep_each_other_out);
    tcase_add_loop_test(tcase, whatever_is_there_nobody_leaves_the_bounds, 0, 12);
    tcase_add_test(tcase, a_process_that_never_stops_writing_holds_nobody_up);
    tcase_add_loop_test(tcase, texts_are_utf8_whatever_came, 0,
                        (int)(sizeof(texts) / sizeof(*texts)));
    tcase_add_test(tcase, a_long_text_has_its_middle_cut);
    tcase_add_loop_test(tcase, the_first_example_stays_and_others_are_the_newest, 0, 12);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
