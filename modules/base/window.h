/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/window.h - the arithmetic of windows: three words of a mirror's slot that all children
 * share.
 *
 *     limit_local    31 bits: copies counted; 33 bits: when the window began
 *     limit_closed   31 bits: the limit that is used up (limit_id); 33 bits: until when
 *     limit_shared   31 bits: copies counted by another server, as it told last; 33 bits: until
 *                    when that window lasts
 *
 * 0 is none. Times are ticks of 10 ms of mirror_clock_now(), which all processes share; 33 bits of
 * them wrap after 994 days. A window is never shorter than it should be, and at most one tick
 * longer. As each is one word that is only ever exchanged for another, the count is exact however
 * many threads and processes take part, and whenever one of them is killed.
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

/* Take up to `wanted` (1 or more) places of a window of `length` (microseconds) that has `count` of
 * them; the first one taken begins a window. Returns how many were granted. *used: of the window
 * that is now in force; *until: its end. With another `count` or `length` than before a window
 * goes on with its beginning, and the new ones hold. */
apr_int64_t mirror_window_take(apr_uint64_t *word, apr_int64_t wanted, apr_int64_t count,
                               apr_interval_time_t length, apr_int64_t *used, apr_time_t *until);

/* What mirror_window_take() does, at a given time: the word that is to be in place of `word`. */
apr_uint64_t mirror_window_next(apr_uint64_t word, apr_time_t now, apr_int64_t wanted,
                                apr_int64_t count, apr_interval_time_t length,
                                apr_int64_t *granted);

/* How much of the window is used at `now`; 0 if none is in force. */
apr_int64_t mirror_window_used(apr_uint64_t word, apr_time_t now, apr_interval_time_t length);

/* ---- limit_closed ---- */

/* The limit `id` is used up until `until`. */
void mirror_window_close(apr_uint64_t *word, apr_uint32_t id, apr_time_t until);

/* Whether the limit `id`, of windows of `length`, is used up. A word that is over is cleared. Costs
 * one read where nothing is closed. */
int mirror_window_is_closed(apr_uint64_t *word, apr_uint32_t id, apr_interval_time_t length);

/* Until when it is used up; 0: it is not. */
apr_time_t mirror_window_closed_until(apr_uint64_t word, apr_time_t now, apr_uint32_t id,
                                      apr_interval_time_t length);

/* ---- limit_shared ---- */

/* Another server has counted `used` of a window that ends at `until`. What it told before of the
 * same window and was more came later. */
void mirror_window_tell(apr_uint64_t *word, apr_int64_t used, apr_time_t until);

/* What it told last; 0 if that window is over. */
apr_int64_t mirror_window_told(apr_uint64_t word, apr_time_t now, apr_interval_time_t length);

#endif
