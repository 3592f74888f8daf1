/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/loop.c - pollset, timers, wakeup. See base/loop.h.
 *
 * The pollset uses APR_POLLSET_NOCOPY: the kernel returns this module's own pollfd, and adding and
 * removing costs one system call and no memory. All results of a poll are read before any callback
 * runs, so a callback may close any io.
 */
#include <stddef.h> /* before APR, whose rings then use offsetof() */

#include <apr_network_io.h>
#include <apr_strings.h>
#include <string.h>

#include "base/clock.h"
#include "base/loop.h"

/* The maximum of events per poll. Only methods without a limit of their own (epoll, kqueue, event
 * ports) are used. */
#define MIRROR_LOOP_EVENTS 512

struct mirror_timer_ring_t {
    APR_RING_HEAD(mirror_timers_t, mirror_timer_t) timers;
    apr_interval_time_t duration;
    mirror_timer_ring_t *next;
};

struct mirror_loop_t {
    apr_pool_t *pool;
    apr_pollset_t *pollset;
    mirror_timer_ring_t *rings;
    mirror_io_t *closed;
    apr_time_t now;
};

apr_status_t mirror_loop_create(mirror_loop_t **out, apr_pool_t *pool)
{
    mirror_loop_t *loop = apr_pcalloc(pool, sizeof(*loop));

    loop->pool = pool;
    loop->now = mirror_clock_now();
    *out = loop;
    return apr_pollset_create(&loop->pollset, MIRROR_LOOP_EVENTS, pool,
                              APR_POLLSET_NOCOPY | APR_POLLSET_WAKEABLE);
}

void mirror_loop_wake(mirror_loop_t *loop)
{
    apr_pollset_wakeup(loop->pollset);
}

apr_time_t mirror_loop_now(const mirror_loop_t *loop)
{
    return loop->now;
}

/* ---- sockets ---- */

apr_status_t mirror_loop_add(mirror_loop_t *loop, mirror_io_t *io, apr_socket_t *socket,
                             apr_int16_t events, void (*ready)(void *baton, apr_int16_t events),
                             void *baton, apr_pool_t *pool)
{
    memset(io, 0, sizeof(*io));
    io->pollfd.desc_type = APR_POLL_SOCKET;
    io->pollfd.desc.s = socket;
    io->pollfd.reqevents = events;
    io->pollfd.client_data = io;
    io->pollfd.p = pool;
    io->ready = ready;
    io->baton = baton;
    io->pool = pool;
    return apr_pollset_add(loop->pollset, &io->pollfd);
}

apr_status_t mirror_loop_change(mirror_loop_t *loop, mirror_io_t *io, apr_int16_t events)
{
    apr_status_t rv;

    if (io->pollfd.reqevents == events) {
        return APR_SUCCESS;
    }
    rv = apr_pollset_remove(loop->pollset, &io->pollfd);
    if (rv == APR_SUCCESS) {
        io->pollfd.reqevents = events;
        rv = apr_pollset_add(loop->pollset, &io->pollfd);
    }
    return rv;
}

void mirror_loop_close(mirror_loop_t *loop, mirror_io_t *io)
{
    io->ready = NULL;
    apr_pollset_remove(loop->pollset, &io->pollfd);
    apr_socket_close(io->pollfd.desc.s);
    io->next_closed = loop->closed;
    loop->closed = io;
}

static void destroy_closed(mirror_loop_t *loop)
{
    mirror_io_t *io = loop->closed, *next;

    loop->closed = NULL;
    for (; io; io = next) {
        next = io->next_closed;
        apr_pool_destroy(io->pool);
    }
}

/* ---- timers ---- */

/* Return the ring of this duration. An empty ring may change its duration, so obsolete settings
 * leave no rings behind. */
static mirror_timer_ring_t *ring_of(mirror_loop_t *loop, apr_interval_time_t duration)
{
    mirror_timer_ring_t *ring, *empty = NULL;

    for (ring = loop->rings; ring; ring = ring->next) {
        if (ring->duration == duration) {
            return ring;
        }
        if (APR_RING_EMPTY(&ring->timers, mirror_timer_t, link)) {
            empty = ring;
        }
    }
    if (!empty) {
        empty = apr_pcalloc(loop->pool, sizeof(*empty));
        APR_RING_INIT(&empty->timers, mirror_timer_t, link);
        empty->next = loop->rings;
        loop->rings = empty;
    }
    empty->duration = duration;
    return empty;
}

void mirror_loop_timer_start(mirror_loop_t *loop, mirror_timer_t *timer, apr_time_t since,
                             apr_interval_time_t duration)
{
    mirror_timer_ring_t *ring;
    mirror_timer_t *before;

    mirror_loop_timer_stop(timer);
    ring = ring_of(loop, duration);
    timer->end = since + duration;
    timer->ring = ring;
    /* usually `since` is now, so the new timer follows the last one */
    before = APR_RING_LAST(&ring->timers);
    while (before != APR_RING_SENTINEL(&ring->timers, mirror_timer_t, link) &&
           before->end > timer->end) {
        before = APR_RING_PREV(before, link);
    }
    if (before == APR_RING_SENTINEL(&ring->timers, mirror_timer_t, link)) {
        APR_RING_INSERT_HEAD(&ring->timers, timer, mirror_timer_t, link);
    }
    else {
        APR_RING_INSERT_AFTER(before, timer, link);
    }
}

void mirror_loop_timer_stop(mirror_timer_t *timer)
{
    if (timer->ring) {
        APR_RING_REMOVE(timer, link);
        timer->ring = NULL;
    }
}

/* Return the time until the next timer ends, at most `wait`. */
static apr_interval_time_t until_next_timer(const mirror_loop_t *loop, apr_interval_time_t wait)
{
    mirror_timer_ring_t *ring;
    apr_time_t now = 0;

    for (ring = loop->rings; ring && wait != 0; ring = ring->next) {
        if (!APR_RING_EMPTY(&ring->timers, mirror_timer_t, link)) {
            apr_interval_time_t left;

            if (!now) {
                now = mirror_clock_now();
            }
            left = APR_RING_FIRST(&ring->timers)->end - now;
            if (left < 0) {
                left = 0;
            }
            if (wait < 0 || left < wait) {
                wait = left;
            }
        }
    }
    return wait;
}

/* Return the timer that ended first, of all rings; NULL if none has ended. */
static mirror_timer_t *first_ended(const mirror_loop_t *loop)
{
    mirror_timer_ring_t *ring;
    mirror_timer_t *first = NULL;

    for (ring = loop->rings; ring; ring = ring->next) {
        if (!APR_RING_EMPTY(&ring->timers, mirror_timer_t, link)) {
            mirror_timer_t *timer = APR_RING_FIRST(&ring->timers);

            if (timer->end <= loop->now && (!first || timer->end < first->end)) {
                first = timer;
            }
        }
    }
    return first;
}

static int fire_timers(mirror_loop_t *loop)
{
    mirror_timer_t *timer;
    int fired = 0;

    while ((timer = first_ended(loop))) {
        mirror_loop_timer_stop(timer);
        timer->fire(timer->baton);
        fired++;
    }
    return fired;
}

/* ---- a round ---- */

int mirror_loop_round(mirror_loop_t *loop, apr_interval_time_t wait, apr_status_t *error)
{
    const apr_pollfd_t *ready;
    apr_int32_t n = 0, i;
    int calls = 0;

    wait = until_next_timer(loop, wait);
    if (wait > 0) {
        wait += 999; /* a poll counts milliseconds; round up */
    }
    *error = apr_pollset_poll(loop->pollset, wait, &n, &ready);
    loop->now = mirror_clock_now();
    if (*error != APR_SUCCESS) {
        n = 0;
        if (APR_STATUS_IS_TIMEUP(*error) || APR_STATUS_IS_EINTR(*error)) {
            *error = APR_SUCCESS;
        }
    }
    for (i = 0; i < n; i++) {
        mirror_io_t *io = ready[i].client_data;

        if (io->ready) {
            io->ready(io->baton, ready[i].rtnevents);
            calls++;
        }
    }
    calls += fire_timers(loop);
    destroy_closed(loop);
    return calls;
}
