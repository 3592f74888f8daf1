/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * shared/breaker.h - a mirror that cannot be connected to counts as down, for all children of this
 * httpd.
 *
 * The state is one word in the mirror's slot: the time (mirror_clock_now()) until which it counts
 * as down, or 0. A time that is further away than any `retry` can lead to was not written by this
 * code: it counts as over. While it is down, copies are refused before they are made. When the time
 * is over, one request of one child moves it on by another `retry` and so becomes the probe; the
 * others are refused as before. A connection that comes about ends it. A probe that ends before the
 * mirror had to do with it leaves its turn to the next one.
 */
#ifndef MIRROR_SHARED_BREAKER_H
#define MIRROR_SHARED_BREAKER_H

#include "base/mirror.h"

typedef enum { MIRROR_BREAKER_PASS, MIRROR_BREAKER_PROBE, MIRROR_BREAKER_REFUSE } mirror_breaker_e;

/* ---- request threads ---- */

/* Whether a copy may go to `lane`'s mirror: PASS, if it is up; PROBE, if it is down and this copy
 * is to find out whether it still is; REFUSE, if it is not to be made (counted in the slot's
 * down_drops). */
mirror_breaker_e mirror_breaker_pass(mirror_lane_t *lane, const mirror_settings_t *settings);

/* ---- any thread, any process ---- */

/* Until when the mirror of `slot` counts as down, as the wall clock has it, for people; 0: it is
 * up. */
apr_time_t mirror_breaker_down_until(mirror_slot_t *slot);

/* ---- any thread ---- */

/* The probe has ended, and nothing was tried: the next copy is one. */
void mirror_breaker_forgo(mirror_lane_t *lane);

/* ---- sender thread ---- */

/* Whether the mirror counts as down at `now`, a time of mirror_clock_now(). */
int mirror_breaker_is_down(const mirror_lane_t *lane, apr_time_t now);

/* `dropped` more copies ended because it is down. */
void mirror_breaker_dropped(mirror_lane_t *lane, apr_uint64_t dropped);

/* A connection failed with `rv` while `what` ("connect to 127.0.0.1:80"): it is down for `retry`.
 * One line is logged for all children, by whoever is first. */
void mirror_breaker_down(mirror_lane_t *lane, apr_interval_time_t retry, const char *what,
                         apr_status_t rv, struct server_rec *server);

/* A connection came about. One line is logged if it was down. */
void mirror_breaker_up(mirror_lane_t *lane, struct server_rec *server);

#endif
