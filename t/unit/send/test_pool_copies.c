/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_pool_copies.c - which copy is sent next, which copies are pipelined behind it, and their
 * outcome if the connection closes after it.
 */
#include <apr_general.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "send/pool_state.h"
#include "suite.h"

enum { COPIES = 8 };

static mirror_settings_t settings, others;
static mirror_send_t context;
static mirror_pool_t pool;
static mirror_loop_t *loop;
static const mirror_protocol_t protocol = { .batches = 1 };
static const mirror_protocol_t multiplexed;
static mirror_connection_t fresh, used;
static mirror_copy_t copies[COPIES];

/* In place of the rooms where copies end. */
static int ended;
static mirror_outcome_e ended_as;

void mirror_copy_end(mirror_copy_t *copy, mirror_outcome_e outcome)
{
    (void)copy;
    ended++;
    ended_as = outcome;
}

static apr_uint64_t dropped;

void mirror_breaker_dropped(mirror_lane_t *lane, apr_uint64_t n)
{
    (void)lane;
    dropped += n;
}

/* In place of the rooms of members: a copy is not retried where it was. */
int mirror_pool_members_may_retry(const mirror_pool_t *p, const mirror_member_t *member,
                                  apr_uint64_t avoid)
{
    (void)p;
    return member->key != avoid;
}

mirror_connection_t *mirror_pool_members_find_room(mirror_pool_t *p)
{
    (void)p;
    return NULL;
}

int mirror_pool_member_has_surplus(const mirror_pool_t *pool, const mirror_member_t *member)
{
    (void)pool;
    (void)member;
    return 0;
}

int mirror_pool_members_close_idle(mirror_pool_t *p)
{
    (void)p;
    return 0;
}

apr_time_t mirror_pool_members_idle_since(const mirror_pool_t *p)
{
    (void)p;
    return 0;
}

void mirror_pool_member_count_open(mirror_member_t *member, int more)
{
    member->open += more;
}

static void setup(void)
{
    apr_pool_t *memory;
    int i;

    apr_pool_create(&memory, NULL);
    ck_assert_int_eq(mirror_loop_create(&loop, memory), APR_SUCCESS);
    memset(&context, 0, sizeof(context));
    memset(&pool, 0, sizeof(pool));
    memset(copies, 0, sizeof(copies));
    settings.pipeline = others.pipeline = 3;
    settings.timeout = others.timeout = apr_time_from_sec(100);
    context.loop = loop;
    pool.send = &context;
    mirror_pool_init_copies(&pool);
    used.used = 1;
    used.protocol = fresh.protocol = &protocol;
    for (i = 0; i < COPIES; i++) {
        copies[i].settings = &settings;
        copies[i].idempotent = 1;
        copies[i].started = mirror_loop_now(loop);
    }
    context.copies = COPIES;
    ended = 0;
    dropped = 0;
}

/* Which copies these are, as digits. */
static const char *digits(const mirror_copy_t *batch)
{
    static char text[COPIES + 1];
    int n = 0;

    for (; batch; batch = batch->next) {
        ck_assert_int_lt(n, COPIES);
        text[n++] = (char)('0' + (batch - copies));
    }
    text[n] = '\0';
    return text;
}

static void ck_assert_takes(const mirror_connection_t *c, const char *expected)
{
    ck_assert_str_eq(digits(mirror_pool_take_batch(&pool, c)), expected);
    ck_assert_int_eq(context.waiting, mirror_pool_count_waiting(&pool));
}

static void add(int first, int last)
{
    for (; first <= last; first++) {
        mirror_pool_add(&pool, &copies[first]);
    }
}

START_TEST(batches_are_as_long_as_pipeline_allows)
{
    add(0, 4);
    ck_assert_takes(&used, "012");
    ck_assert_takes(&used, "34");
    ck_assert_takes(&used, "");
    add(0, 1);
    ck_assert_takes(&used, "01");
}
END_TEST

/* Each of the copies to retry waits for another server than the one that has failed it. */
START_TEST(retries_avoid_a_server)
{
    static mirror_member_t members[2] = { { .key = 1 }, { .key = 2 } };
    mirror_connection_t first = fresh, second = fresh;
    int i;

    first.member = &members[0];
    second.member = &members[1];
    for (i = 0; i < 4; i++) {
        copies[i].avoid = i % 2 ? 2 : 1;
        mirror_pool_add_again(&pool, &copies[i]);
    }
    add(4, 4);
    ck_assert_takes(&first, "1");
    ck_assert_takes(&first, "3");
    ck_assert_takes(&first, "4"); /* not 0 and 2, which were there */
    ck_assert_takes(&first, "");
    mirror_pool_add_again(&pool, &copies[5]); /* the list has its end */
    ck_assert_takes(&second, "0");
    ck_assert_takes(&second, "2");
    ck_assert_takes(&second, "5");
    ck_assert_int_eq(mirror_pool_count_waiting(&pool), 0);
}
END_TEST

START_TEST(what_does_not_share_is_alone)
{
    copies[1].idempotent = 0;
    copies[3].body_len = 1;
    copies[5].settings = &others;
    add(0, 5);
    ck_assert_takes(&used, "0");
    ck_assert_takes(&used, "1");
    ck_assert_takes(&used, "2");
    ck_assert_takes(&used, "3");
    ck_assert_takes(&used, "4");
    ck_assert_takes(&used, "5");
}
END_TEST

START_TEST(a_fresh_connection_has_one)
{
    add(0, 2);
    ck_assert_takes(&fresh, "0");
    ck_assert_takes(&used, "12");
}
END_TEST

START_TEST(a_protocol_without_batches_has_one)
{
    used.protocol = &multiplexed;
    add(0, 1);
    ck_assert_takes(&used, "0");
    ck_assert_takes(&used, "1");
}
END_TEST

/* The mirror has said that it did not process them, so any method may follow on any connection. */
START_TEST(unprocessed_copies_are_first_on_any_connection)
{
    copies[4].idempotent = 0;
    used.protocol = &multiplexed;
    add(0, 1);
    mirror_pool_add_unprocessed(&pool, &copies[4]);
    ck_assert_takes(&used, "4");
    ck_assert(copies[4].retried);
    ck_assert_takes(&used, "0");
}
END_TEST

START_TEST(once_more_is_on_a_fresh_connection_and_first_there)
{
    add(0, 4);
    mirror_pool_strand(&pool, mirror_pool_take_batch(&pool, &used), MIRROR_BROKEN);
    ck_assert_int_eq(mirror_pool_count_waiting(&pool), 5);
    ck_assert_takes(&fresh, "0");
    ck_assert_takes(&used, "34");
    ck_assert_takes(&used, "");
    ck_assert_takes(&fresh, "1");
    ck_assert_takes(&fresh, "2");
    ck_assert_takes(&fresh, "");
    ck_assert(copies[0].retried && copies[1].retried && copies[2].retried && !copies[3].retried);
    ck_assert_int_eq(ended, 0);
}
END_TEST

START_TEST(stranded_by_time)
{
    add(0, 4);
    mirror_pool_strand(&pool, mirror_pool_take_batch(&pool, &used), MIRROR_TIMED_OUT);
    ck_assert_int_eq(ended, 3);
    ck_assert_int_eq(ended_as, MIRROR_OUTCOME_TIMED_OUT);
    ck_assert_int_eq(context.copies, COPIES - 3);
    ck_assert_takes(&fresh, "3");
    mirror_pool_strand(&pool, NULL, MIRROR_BROKEN);
    ck_assert_takes(&fresh, "4");
}
END_TEST

/* The server ends connections after two copies, as far as is known. */
START_TEST(copies_of_a_connection_with_a_lifespan)
{
    mirror_connection_t c;

    memset(&c, 0, sizeof(c));
    c.protocol = &multiplexed;
    c.used = 1;
    c.adopted = mirror_loop_now(loop);
    pool.health.lifespan.copies = 2;
    add(0, 3);
    c.started = 1;
    ck_assert_takes(&c, "0");
    c.started = 2;
    ck_assert_takes(&c, "");
    mirror_pool_add_again(&pool, &copies[4]);
    ck_assert_takes(&c, "");
    c.resting = 1; /* it may be ended any time */
    c.rested = mirror_loop_now(loop);
    ck_assert_takes(&c, "");
    c.rested -= MIRROR_LIFESPAN_REST;
    c.adopted = pool.stale;
    ck_assert_takes(&c, "4");
    c.started = 1000;
    c.resting = 0;
    ck_assert_takes(&c, "");
    pool.health.lifespan.copies = 0;
    ck_assert_takes(&c, "1");
}
END_TEST

START_TEST(a_probe_is_the_next_and_alone)
{
    copies[3].probe = 1;
    mirror_pool_add_again(&pool, &copies[0]);
    add(1, 4);
    ck_assert_takes(&fresh, "3");
    ck_assert_takes(&fresh, "0");
    ck_assert_takes(&used, "124");
    add(3, 4);
    ck_assert_takes(&used, "3");
    ck_assert_takes(&used, "4");
    add(3, 3);
    add(1, 2);
    ck_assert_takes(&used, "3");
    ck_assert_takes(&used, "12");
}
END_TEST

START_TEST(a_probe_that_is_sent_once_more_is_the_next_as_well)
{
    copies[1].probe = 1;
    mirror_pool_add_again(&pool, &copies[0]);
    mirror_pool_add_again(&pool, &copies[1]);
    mirror_pool_add_again(&pool, &copies[2]);
    ck_assert_takes(&fresh, "1");
    ck_assert_takes(&fresh, "0");
    ck_assert_takes(&fresh, "2");
}
END_TEST

START_TEST(once_more_only_while_there_is_time)
{
    copies[0].started -= settings.timeout;
    copies[1].started -= settings.timeout - 1;
    copies[2].started -= settings.timeout + 1;
    mirror_pool_add_again(&pool, &copies[0]);
    mirror_pool_add_again(&pool, &copies[1]);
    mirror_pool_add_again(&pool, &copies[2]);
    add(3, 3);
    ck_assert_takes(&fresh, "1");
    ck_assert_int_eq(ended, 1);
    ck_assert_int_eq(ended_as, MIRROR_OUTCOME_TIMED_OUT);
    ck_assert_takes(&fresh, "3");
    ck_assert_int_eq(ended, 2);
    ck_assert_int_eq(context.copies, COPIES - 2);
}
END_TEST

/* Else connections were opened for others, although the mirror counts as down. */
START_TEST(a_probe_that_ends_is_none_any_more)
{
    static const mirror_outcome_e outcomes[] = { MIRROR_OUTCOME_MIRRORED, MIRROR_OUTCOME_TIMED_OUT,
                                                 MIRROR_OUTCOME_BROKEN, MIRROR_OUTCOME_TLS_FAILED,
                                                 MIRROR_OUTCOME_SHUT_DOWN };
    unsigned i;

    copies[0].probe = 1;
    for (i = 0; i < sizeof(outcomes) / sizeof(*outcomes); i++) {
        pool.probing = 1;
        mirror_pool_end_copy(&pool, &copies[1], outcomes[i]);
        ck_assert_int_eq(pool.probing, 1);
        mirror_pool_end_copy(&pool, &copies[0], outcomes[i]);
        ck_assert_int_eq(pool.probing, 0);
    }
    pool.probing = 1;
    copies[0].started -= settings.timeout;
    mirror_pool_strand(&pool, &copies[0], MIRROR_BROKEN);
    ck_assert_int_eq(pool.probing, 1);
    ck_assert_takes(&fresh, "");
    ck_assert_int_eq(pool.probing, 0);
}
END_TEST

START_TEST(all_that_wait_end)
{
    mirror_pool_add_again(&pool, &copies[0]);
    copies[2].probe = 1;
    add(1, 3);
    pool.why = MIRROR_WHY_CONNECT;
    mirror_pool_end_waiting(&pool, MIRROR_OUTCOME_UNREACHABLE);
    ck_assert_int_eq(copies[3].why, MIRROR_WHY_CONNECT);
    ck_assert_int_eq(ended, 4);
    ck_assert_int_eq(ended_as, MIRROR_OUTCOME_UNREACHABLE);
    ck_assert_uint_eq(dropped, 4);
    ck_assert_int_eq(context.copies, COPIES - 4);
    ck_assert_int_eq(context.waiting, 0);
    add(4, 5);
    ck_assert_takes(&used, "45");
}
END_TEST

/* That the mirror was down once is no reason for it. */
START_TEST(all_that_wait_time_out)
{
    pool.why = MIRROR_WHY_CONNECT;
    add(0, 1);
    mirror_pool_end_waiting(&pool, MIRROR_OUTCOME_TIMED_OUT);
    ck_assert_int_eq(ended, 2);
    ck_assert_int_eq(ended_as, MIRROR_OUTCOME_TIMED_OUT);
    ck_assert_int_eq(copies[0].why, MIRROR_WHY_UNKNOWN);
    ck_assert_int_eq(copies[1].why, MIRROR_WHY_UNKNOWN);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool_copies");
    TCase *tcase = tcase_create("pool_copies");

    apr_initialize();
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, batches_are_as_long_as_pipeline_allows);
    tcase_add_test(tcase, retries_avoid_a_server);
    tcase_add_test(tcase, what_does_not_share_is_alone);
    tcase_add_test(tcase, a_fresh_connection_has_one);
    tcase_add_test(tcase, a_protocol_without_batches_has_one);
    tcase_add_test(tcase, unprocessed_copies_are_first_on_any_connection);
    tcase_add_test(tcase, once_more_is_on_a_fresh_connection_and_first_there);
    tcase_add_test(tcase, stranded_by_time);
    tcase_add_test(tcase, copies_of_a_connection_with_a_lifespan);
    tcase_add_test(tcase, a_probe_is_the_next_and_alone);
    tcase_add_test(tcase, a_probe_that_is_sent_once_more_is_the_next_as_well);
    tcase_add_test(tcase, once_more_only_while_there_is_time);
    tcase_add_test(tcase, a_probe_that_ends_is_none_any_more);
    tcase_add_test(tcase, all_that_wait_end);
    tcase_add_test(tcase, all_that_wait_time_out);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
