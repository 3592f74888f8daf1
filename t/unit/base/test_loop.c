/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_loop.c - timers in order, sockets that close one another, wakeup.
 */
#include <apr_general.h>
#include <apr_portable.h>
#include <apr_thread_proc.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"
#include "wall.h"
#include "suite.h"

#define MS apr_time_from_msec(1)

static apr_pool_t *pool;
static mirror_loop_t *loop;
static char order[64]; /* of what fired */

static void setup(void)
{
    apr_pool_create(&pool, NULL);
    ck_assert_int_eq(mirror_loop_create(&loop, pool), APR_SUCCESS);
    order[0] = '\0';
}

static void teardown(void)
{
    apr_pool_destroy(pool);
}

/* ---- timers ---- */

typedef struct letter_t {
    mirror_timer_t timer;
    char name[2];
} letter_t;

static void fired(void *baton)
{
    apr_size_t n = strlen(order);

    order[n] = ((letter_t *)baton)->name[0];
    order[n + 1] = '\0';
}

static void letter(letter_t *l, char name)
{
    memset(l, 0, sizeof(*l));
    l->name[0] = name;
    l->timer.fire = fired;
    l->timer.baton = l;
}

static void rounds_until(apr_size_t n)
{
    apr_time_t end = mirror_clock_now() + apr_time_from_sec(10);
    apr_status_t rv;

    while (strlen(order) < n && mirror_clock_now() < end) {
        mirror_loop_round(loop, -1, &rv);
        ck_assert_int_eq(rv, APR_SUCCESS);
    }
}

START_TEST(timers_fire_in_the_order_of_their_ends)
{
    letter_t a, b, c, d, e;
    apr_time_t now = mirror_clock_now();

    letter(&a, 'a');
    letter(&b, 'b');
    letter(&c, 'c');
    letter(&d, 'd');
    letter(&e, 'e');
    mirror_loop_timer_start(loop, &c.timer, now, 40 * MS);
    /* of the same ring, but some of it is over */
    mirror_loop_timer_start(loop, &b.timer, now - 20 * MS, 40 * MS);
    mirror_loop_timer_start(loop, &a.timer, now, 5 * MS);
    mirror_loop_timer_start(loop, &d.timer, now, 60 * MS);
    mirror_loop_timer_start(loop, &e.timer, now, 5 * MS);
    mirror_loop_timer_stop(&e.timer);
    mirror_loop_timer_stop(&e.timer);
    ck_assert_ptr_null(e.timer.ring);
    rounds_until(4);
    ck_assert_str_eq(order, "abcd");
    ck_assert(mirror_clock_now() - now >= 60 * MS);
}
END_TEST

/* Also of those that are all over when it is looked at. */
START_TEST(late_timers_fire_in_the_order_of_their_ends)
{
    letter_t a, b, c;
    apr_time_t now = mirror_clock_now();
    apr_status_t rv;

    letter(&a, 'a');
    letter(&b, 'b');
    letter(&c, 'c');
    mirror_loop_timer_start(loop, &b.timer, now - 1000 * MS, 20 * MS);
    mirror_loop_timer_start(loop, &a.timer, now - 1000 * MS, 10 * MS);
    mirror_loop_timer_start(loop, &c.timer, now - 1000 * MS, 30 * MS);
    ck_assert_int_eq(mirror_loop_round(loop, 0, &rv), 3);
    ck_assert_str_eq(order, "abc");
}
END_TEST

START_TEST(a_timer_that_runs_is_started_anew)
{
    letter_t a, b;
    apr_time_t now = mirror_clock_now();

    letter(&a, 'a');
    letter(&b, 'b');
    mirror_loop_timer_start(loop, &a.timer, now, 5 * MS);
    mirror_loop_timer_start(loop, &b.timer, now, 10 * MS);
    mirror_loop_timer_start(loop, &a.timer, now, 30 * MS);
    rounds_until(2);
    ck_assert_str_eq(order, "ba");
}
END_TEST

/* Forward, back, and forward again: what runs fires when its time has gone by, and not before. */
START_TEST(a_wall_clock_that_is_set_moves_no_timer)
{
    static const apr_interval_time_t steps[] = { 3600, -3600, 86400, -86400 };
    apr_time_t now = mirror_clock_now();
    apr_status_t rv;
    letter_t a, b;

    letter(&a, 'a');
    letter(&b, 'b');
    mirror_loop_timer_start(loop, &b.timer, now, 80 * MS);
    step_wall(apr_time_from_sec(steps[_i]));
    mirror_loop_round(loop, 0, &rv);
    ck_assert(order[0] == '\0' || mirror_loop_now(loop) - now >= 80 * MS);
    mirror_loop_timer_start(loop, &a.timer, mirror_loop_now(loop) - 30 * MS, 31 * MS);
    rounds_until(2);
    ck_assert_int_eq(strlen(order), 2);
    ck_assert_int_ge(mirror_clock_now() - now, 80 * MS);
    ck_assert_int_ge(mirror_loop_now(loop) - now, 80 * MS);
    ck_assert_int_lt(mirror_loop_now(loop) - now, apr_time_from_sec(60));
}
END_TEST

START_TEST(empty_rings_are_used_again)
{
    letter_t a;
    mirror_timer_ring_t *ring;
    int i;

    letter(&a, 'a');
    mirror_loop_timer_start(loop, &a.timer, 0, 1);
    ring = a.timer.ring;
    for (i = 2; i < 100; i++) {
        mirror_loop_timer_stop(&a.timer);
        mirror_loop_timer_start(loop, &a.timer, 0, i);
        ck_assert_ptr_eq(a.timer.ring, ring);
    }
}
END_TEST

/* ---- sockets ---- */

typedef struct end_t {
    mirror_io_t io;
    apr_pool_t *pool;
    int peer;
    struct end_t *victim; /* closed by the first call of either */
    int calls;
} end_t;

static void on_ready(void *baton, apr_int16_t events)
{
    end_t *end = baton;

    ck_assert(events & APR_POLLIN);
    end->calls++;
    if (end->victim) {
        end->victim->victim = NULL;
        mirror_loop_close(loop, &end->victim->io);
        end->victim = NULL;
    }
}

static end_t *make_end(void)
{
    apr_pool_t *own;
    end_t *end;
    apr_socket_t *socket = NULL;
    int pair[2];

    apr_pool_create_unmanaged_ex(&own, NULL, NULL);
    end = apr_pcalloc(own, sizeof(*end));
    end->pool = own;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    end->peer = pair[1];
    apr_os_sock_put(&socket, &pair[0], own);
    ck_assert_int_eq(mirror_loop_add(loop, &end->io, socket, APR_POLLIN, on_ready, end, own),
                     APR_SUCCESS);
    return end;
}

START_TEST(what_is_closed_in_a_round_is_not_called_in_it)
{
    end_t *one = make_end(), *two = make_end();
    int peers[2] = { one->peer, two->peer };
    apr_status_t rv;
    char byte;

    one->victim = two;
    two->victim = one;
    ck_assert_int_eq(write(one->peer, "x", 1), 1);
    ck_assert_int_eq(write(two->peer, "x", 1), 1);
    ck_assert_int_eq(mirror_loop_round(loop, 0, &rv), 1); /* whichever was first closed the other */
    ck_assert_int_eq(rv, APR_SUCCESS);
    /* One of the two is closed, as its peer sees; the other one's peer has nothing to read. */
    ck_assert_int_eq((recv(peers[0], &byte, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN) +
                         (recv(peers[1], &byte, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN),
                     1);
    close(peers[0]);
    close(peers[1]);
}
END_TEST

static void *APR_THREAD_FUNC wake_it(apr_thread_t *thread, void *baton)
{
    (void)thread;
    mirror_loop_wake(baton);
    return NULL;
}

START_TEST(a_wake_ends_the_poll)
{
    apr_thread_t *thread;
    apr_status_t rv;

    ck_assert_int_eq(apr_thread_create(&thread, NULL, wake_it, loop, pool), APR_SUCCESS);
    ck_assert_int_eq(mirror_loop_round(loop, -1, &rv), 0); /* would wait for ever */
    ck_assert_int_eq(rv, APR_SUCCESS);
    apr_thread_join(&rv, thread);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("loop");
    TCase *tcase = tcase_create("loop");

    apr_initialize();
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, timers_fire_in_the_order_of_their_ends);
    tcase_add_test(tcase, late_timers_fire_in_the_order_of_their_ends);
    tcase_add_test(tcase, a_timer_that_runs_is_started_anew);
    tcase_add_loop_test(tcase, a_wall_clock_that_is_set_moves_no_timer, 0, 4);
    tcase_add_test(tcase, empty_rings_are_used_again);
    tcase_add_test(tcase, what_is_closed_in_a_round_is_not_called_in_it);
    tcase_add_test(tcase, a_wake_ends_the_poll);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
