/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/window.h - the arithmetic of windows: three words of a mirror's slot, shared by all
 * children.
 *
 *     limit_local    31 bits: copies counted; 33 bits: start of the window
 *     limit_closed   31 bits: the used-up limit (limit_id); 33 bits: end of the window
 *     limit_shared   31 bits: copies counted by another server, as last reported; 33 bits: end
 *                    of that window
 *
 * A word of 0 is empty. Times are ticks of 10 ms of mirror_clock_now(), which all processes share;
 * 33 bits of ticks wrap after 994 days. A window is never shorter than configured, and at most one
 * tick longer. Each word is replaced atomically as a whole. So the count is exact for any number of
 * threads and processes, even if one of them is killed.
 */
#ifndef MIRROR_BASE_WINDOW_H
#define MIRROR_BASE_WINDOW_H

#include <apr.h>
#include <apr_time.h>

/* The largest count and limit_id. */
#define MIRROR_WINDOW_COUNT_MAX 0x7fffffff
#define MIRROR_WINDOW_ID_MAX    0x7fffffff

/* Any thread may call these. */

/* ---- limit_local ---- */

/* Take up to `requested` (1 or more) of the `count` copies of a window of `length` (microseconds). The
 * first copy starts a window. Returns the number granted. *used: the copies counted in the current
 * window; *until: its end. If `count` or `length` differ from earlier calls, the current window
 * keeps its start and the new values apply. */
apr_int64_t mirror_window_take(apr_uint64_t *word, apr_int64_t requested, apr_int64_t count,
                               apr_interval_time_t length, apr_int64_t *used, apr_time_t *until);

/* Compute mirror_window_take() for the time `now`. Returns the word that replaces `word`. */
apr_uint64_t mirror_window_next(apr_uint64_t word, apr_time_t now, apr_int64_t requested,
                                apr_int64_t count, apr_interval_time_t length,
                                apr_int64_t *granted);

/* Return the copies counted in the window at `now`; 0 if no window is in force. */
apr_int64_t mirror_window_used(apr_uint64_t word, apr_time_t now, apr_interval_time_t length);

/* ---- limit_closed ---- */

/* Mark the limit `id` as used up until `until`. */
void mirror_window_close(apr_uint64_t *word, apr_uint32_t id, apr_time_t until);

/* Return whether the limit `id`, of windows of `length`, is used up. Clears an expired word. If no
 * limit is used up, the cost is one read. */
int mirror_window_is_closed(apr_uint64_t *word, apr_uint32_t id, apr_interval_time_t length);

/* Return the time until which the limit is used up; 0 if it is not. */
apr_time_t mirror_window_closed_until(apr_uint64_t word, apr_time_t now, apr_uint32_t id,
                                      apr_interval_time_t length);

/* ---- limit_shared ---- */

/* Record that another server has counted `used` copies of a window that ends at `until`. If a
 * higher count of the same window is already recorded, that one is newer and stays. */
void mirror_window_report(apr_uint64_t *word, apr_int64_t used, apr_time_t until);

/* Return the last reported count; 0 if that window is over. */
apr_int64_t mirror_window_reported(apr_uint64_t word, apr_time_t now, apr_interval_time_t length);

#endif
