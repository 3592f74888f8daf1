/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/clock.h - the monotonic clock of deadlines, timers, durations and pauses.
 *
 * The clock is CLOCK_MONOTONIC. All processes of a host share it, so its times may be stored in
 * shared memory. The clock never steps. It stops while the machine is suspended: after a resume,
 * pending operations keep their remaining time, and a mirror that is down is retried after the rest
 * of `retry`. CLOCK_BOOTTIME continues during a suspend, so all pending operations would time out
 * on resume; only Linux has it.
 *
 * The wall clock is for display only.
 */
#ifndef MIRROR_BASE_CLOCK_H
#define MIRROR_BASE_CLOCK_H

#include <apr_time.h>

/* ---- any thread, and signal handlers ---- */

/* Return the microseconds since boot, or since another fixed time in the past. */
apr_time_t mirror_clock_now(void);

/* Return the microseconds of a processor that this thread has had: what it was given, however busy the
 * machine is. */
apr_time_t mirror_clock_thread(void);

/* Convert `then`, a time of this clock, to the wall clock. Print the result at once; do not store
 * it. */
apr_time_t mirror_clock_to_wall(apr_time_t then);

/* Convert `wall`, a recent wall clock time (httpd's request_time), to this clock. The result is
 * never later than now. The result is wrong if the wall clock was set between `wall` and this
 * call. */
apr_time_t mirror_clock_from_wall(apr_time_t wall);

#endif
