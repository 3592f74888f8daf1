/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/loop.h - pollset, timers, wakeup. The loop handles sockets, not HTTP.
 *
 * Only the sender thread calls these functions, except mirror_loop_wake(). An io is a watched
 * socket; it is a member of the structure that owns the socket. Its callback receives the events of
 * one poll. A callback may close any io. A closed io is not called again, and its pool is destroyed
 * at the end of the round.
 *
 * Timers of equal duration are in one ring, ordered by their end. Starting a timer appends it to
 * its ring.
 */
#ifndef MIRROR_BASE_LOOP_H
#define MIRROR_BASE_LOOP_H

#include <apr_poll.h>
#include <apr_pools.h>
#include <apr_ring.h>
#include <apr_time.h>

typedef struct mirror_loop_t mirror_loop_t;
typedef struct mirror_io_t mirror_io_t;
typedef struct mirror_timer_t mirror_timer_t;
typedef struct mirror_timer_ring_t mirror_timer_ring_t;

struct mirror_io_t {
    apr_pollfd_t pollfd;
    void (*ready)(void *baton, apr_int16_t events); /* NULL = closed */
    void *baton;
    apr_pool_t *pool; /* pool of the io, its baton and its socket */
    mirror_io_t *next_closed;
};

struct mirror_timer_t {
    APR_RING_ENTRY(mirror_timer_t) link;
    mirror_timer_ring_t *ring; /* NULL = stopped */
    apr_time_t end;
    void (*fire)(void *baton);
    void *baton;
};

/* Create a loop in `pool`. Child start, main thread. Errors: those of apr_pollset_create(). */
apr_status_t mirror_loop_create(mirror_loop_t **loop, apr_pool_t *pool);

/* End the current poll, or else the next one. Any thread. */
void mirror_loop_wake(mirror_loop_t *loop);

/* ---- sender thread ---- */

/* Watch `socket` for `events` (APR_POLLIN, APR_POLLOUT). The loop owns `pool` from here on;
 * mirror_loop_close() destroys it. Errors: those of apr_pollset_add(); ownership is then
 * unchanged. */
apr_status_t mirror_loop_add(mirror_loop_t *loop, mirror_io_t *io, apr_socket_t *socket,
                             apr_int16_t events, void (*ready)(void *baton, apr_int16_t events),
                             void *baton, apr_pool_t *pool);

/* Replace the watched events by `events`. */
apr_status_t mirror_loop_change(mirror_loop_t *loop, mirror_io_t *io, apr_int16_t events);

/* Close the socket now. The pool is destroyed at the end of this round. */
void mirror_loop_close(mirror_loop_t *loop, mirror_io_t *io);

/* Start `timer`, or restart it if it runs. It fires once, `duration` after `since`
 * (mirror_clock_now()). */
void mirror_loop_timer_start(mirror_loop_t *loop, mirror_timer_t *timer, apr_time_t since,
                             apr_interval_time_t duration);
void mirror_loop_timer_stop(mirror_timer_t *timer);

/* Return the time of this round (mirror_clock_now()), read once after its poll. */
apr_time_t mirror_loop_now(const mirror_loop_t *loop);

/* Run one round. Wait for events until `wait` is over (-1: no limit), the next timer ends, or
 * mirror_loop_wake() is called. Then call the callbacks of ready ios and ended timers. Returns the
 * number of calls. *error: the error of the poll, except an interruption. */
int mirror_loop_round(mirror_loop_t *loop, apr_interval_time_t wait, apr_status_t *error);

#endif
