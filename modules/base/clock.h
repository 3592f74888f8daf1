/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/clock.h - the clock of deadlines, timers, durations and pauses: nobody sets it.
 *
 * It is CLOCK_MONOTONIC. All processes of a host share it, so shared memory may hold its times. It
 * never steps, and it stands still while a machine is suspended: what was under way then has the
 * rest of its time afterwards, and a mirror that was down is tried after the rest of `retry`.
 * (CLOCK_BOOTTIME runs on meanwhile, so that all that was under way would time out at the
 * resumption, and only Linux has it.) The wall clock is for what people read, and for nothing else.
 */
#ifndef MIRROR_BASE_CLOCK_H
#define MIRROR_BASE_CLOCK_H

#include <apr_time.h>

/* ---- any thread, also within a signal handler ---- */

/* Microseconds since the machine was started, or another time in the past. */
apr_time_t mirror_clock_now(void);

/* `then`, a time of this clock, as the wall clock has it by now: to be printed at once, and not
 * kept. */
apr_time_t mirror_clock_to_wall(apr_time_t then);

/* The time of this clock at the wall clock's `wall`, which was read a moment ago (httpd's
 * request_time); never later than now. It is right if the wall clock was not set in that moment. */
apr_time_t mirror_clock_from_wall(apr_time_t wall);

#endif
