/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/window.c - the arithmetic of windows. See base/window.h.
 *
 * Ticks wrap, so they are only subtracted. A time that is later than now by less than LATE was
 * written by another thread or process that read the clock later.
 */
#include <apr_atomic.h>

#include "base/clock.h"
#include "base/window.h"

#define TICK      10000 /* microseconds */
#define TICK_BITS 33
#define TICK_MASK (((apr_uint64_t)1 << TICK_BITS) - 1)
#define LATE      ((apr_uint64_t)10 * APR_USEC_PER_SEC / TICK)
#define SLACK     (APR_USEC_PER_SEC / TICK)
#define SAME      25 /* windows whose ends differ by less are the same */

static apr_uint64_t pack(apr_int64_t value, apr_uint64_t tick)
{
    return (apr_uint64_t)value << TICK_BITS | (tick & TICK_MASK);
}

static apr_int64_t value_of(apr_uint64_t word)
{
    return (apr_int64_t)(word >> TICK_BITS);
}

static apr_uint64_t tick_of(apr_time_t time)
{
    return (apr_uint64_t)time / TICK & TICK_MASK;
}

static apr_uint64_t ticks_of(apr_interval_time_t length)
{
    return (apr_uint64_t)(length + TICK - 1) / TICK;
}

/* ---- limit_local ---- */

/* Return the elapsed ticks of the window; -1 if none is in force. */
static apr_int64_t gone_by(apr_uint64_t word, apr_time_t now, apr_interval_time_t length)
{
    apr_uint64_t ticks = (tick_of(now) - word) & TICK_MASK;

    if (value_of(word) == 0) {
        return -1;
    }
    if (ticks > TICK_MASK - LATE) {
        return 0;
    }
    return ticks <= ticks_of(length) ? (apr_int64_t)ticks : -1;
}

apr_uint64_t mirror_window_next(apr_uint64_t word, apr_time_t now, apr_int64_t requested,
                                apr_int64_t count, apr_interval_time_t length, apr_int64_t *granted)
{
    int in_force = gone_by(word, now, length) >= 0;
    apr_int64_t left = count - (in_force ? value_of(word) : 0);

    *granted = requested < left ? requested : left;
    if (*granted <= 0) {
        *granted = 0;
        return word;
    }
    return in_force ? pack(value_of(word) + *granted, word) : pack(*granted, tick_of(now));
}

apr_int64_t mirror_window_take(apr_uint64_t *word, apr_int64_t requested, apr_int64_t count,
                               apr_interval_time_t length, apr_int64_t *used, apr_time_t *until)
{
    apr_uint64_t seen, next;
    apr_int64_t granted;
    apr_time_t now;

    do {
        seen = apr_atomic_read64(word);
        now = mirror_clock_now();
        next = mirror_window_next(seen, now, requested, count, length, &granted);
    } while (next != seen && apr_atomic_cas64(word, next, seen) != seen);
    *used = value_of(next);
    *until = now + ((apr_int64_t)ticks_of(length) + 1 - gone_by(next, now, length)) * TICK;
    return granted;
}

apr_int64_t mirror_window_used(apr_uint64_t word, apr_time_t now, apr_interval_time_t length)
{
    return gone_by(word, now, length) < 0 ? 0 : value_of(word);
}

/* ---- limit_closed and limit_shared: a tick in the future ---- */

/* Return the remaining ticks; 0 if the window is over. A later end than possible is a wrapped one,
 * so the window is also over. */
static apr_uint64_t left_of(apr_uint64_t word, apr_time_t now, apr_interval_time_t length)
{
    apr_uint64_t left = (word - tick_of(now)) & TICK_MASK;

    return left <= ticks_of(length) + SLACK ? left : 0;
}

void mirror_window_close(apr_uint64_t *word, apr_uint32_t id, apr_time_t until)
{
    apr_atomic_set64(word, pack(id, tick_of(until) + 1));
}

apr_time_t mirror_window_closed_until(apr_uint64_t word, apr_time_t now, apr_uint32_t id,
                                      apr_interval_time_t length)
{
    apr_uint64_t left = value_of(word) == (apr_int64_t)id ? left_of(word, now, length) : 0;

    return left ? now + (apr_time_t)left * TICK : 0;
}

int mirror_window_is_closed(apr_uint64_t *word, apr_uint32_t id, apr_interval_time_t length)
{
    apr_uint64_t seen = apr_atomic_read64(word);

    if (seen == 0 || value_of(seen) != (apr_int64_t)id) {
        return 0;
    }
    if (left_of(seen, mirror_clock_now(), length)) {
        return 1;
    }
    apr_atomic_cas64(word, 0, seen);
    return 0;
}

void mirror_window_report(apr_uint64_t *word, apr_int64_t used, apr_time_t until)
{
    apr_uint64_t next = pack(used, tick_of(until) + 1);
    apr_uint64_t seen;

    do {
        seen = apr_atomic_read64(word);
        if (value_of(seen) > used && ((seen - next + SAME) & TICK_MASK) <= 2 * SAME) {
            return;
        }
    } while (apr_atomic_cas64(word, next, seen) != seen);
}

apr_int64_t mirror_window_reported(apr_uint64_t word, apr_time_t now, apr_interval_time_t length)
{
    return left_of(word, now, length) ? value_of(word) : 0;
}
