/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/loop.h - pollset, timers, wakeup. It knows sockets, not HTTP.
 *
 * Everything here is the sender thread's, but mirror_loop_wake(). What is watched is an io, part
 * of what owns the socket; its callback gets the events of one poll. An io that is closed in a
 * callback is never called again, and the pool that it lives in is destroyed only when the round
 * is over.
 *
 * Timers that run equally long stand in one ring in the order of their ends, so starting one is
 * appending it.
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
    void (*ready)(void *baton, apr_int16_t events); /* NULL: closed */
    void *baton;
    apr_pool_t *pool; /* the io, its baton and its socket are in it */
    mirror_io_t *next_closed;
};

struct mirror_timer_t {
    APR_RING_ENTRY(mirror_timer_t) link;
    mirror_timer_ring_t *ring; /* NULL: it does not run */
    apr_time_t end;
    void (*fire)(void *baton);
    void *baton;
};

/* child start, main thread: it lives in `pool`. Errors: apr_pollset_create's. */
apr_status_t mirror_loop_create(mirror_loop_t **loop, apr_pool_t *pool);

/* any thread: end the poll that is under way, or else the next one. */
void mirror_loop_wake(mirror_loop_t *loop);

/* ---- sender thread ---- */

/* Watch `socket` for `events` (APR_POLLIN, APR_POLLOUT). Everything of `pool` is the loop's to
 * destroy from here, by mirror_loop_close(). Errors: apr_pollset_add's; then nothing has happened.
 * */
apr_status_t mirror_loop_add(mirror_loop_t *loop, mirror_io_t *io, apr_socket_t *socket,
                             apr_int16_t events, void (*ready)(void *baton, apr_int16_t events),
                             void *baton, apr_pool_t *pool);

/* Watch for `events` instead. */
apr_status_t mirror_loop_change(mirror_loop_t *loop, mirror_io_t *io, apr_int16_t events);

/* Close the socket now, destroy the pool when this round is over. */
void mirror_loop_close(mirror_loop_t *loop, mirror_io_t *io);

/* Let `timer` fire when `duration` has gone by since `since` (mirror_clock_now()), once; a timer
 * that runs is started anew. */
void mirror_loop_timer_start(mirror_loop_t *loop, mirror_timer_t *timer, apr_time_t since,
                             apr_interval_time_t duration);
void mirror_loop_timer_stop(mirror_timer_t *timer);

/* The time of this round (mirror_clock_now()), read once after its poll. */
apr_time_t mirror_loop_now(const mirror_loop_t *loop);

/* One round: wait for events until `wait` is over (-1: no limit), the next timer ends, or somebody
 * wakes; call what is ready, fire what has ended. Returns the number of calls. Errors of the poll
 * other than being interrupted go to *error. */
int mirror_loop_round(mirror_loop_t *loop, apr_interval_time_t wait, apr_status_t *error);

#endif
