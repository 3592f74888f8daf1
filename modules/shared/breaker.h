/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * shared/breaker.h - the circuit breaker of a mirror, shared by all children of this httpd.
 *
 * The state is one word in the mirror's slot: the time (mirror_clock_now()) until which the mirror
 * is down, or 0. A time later than `retry` allows was not written by this code and is ignored.
 *
 * While the mirror is down, copies are rejected before they are created. When the time is over, one
 * request of one child extends it by another `retry`; the copy of this request is the probe. Other
 * copies are still rejected. An established connection sets the mirror up. If the probe ends before
 * the mirror was contacted, the next copy becomes the probe.
 */
#ifndef MIRROR_SHARED_BREAKER_H
#define MIRROR_SHARED_BREAKER_H

#include "base/mirror.h"

typedef enum { MIRROR_BREAKER_PASS, MIRROR_BREAKER_PROBE, MIRROR_BREAKER_REFUSE } mirror_breaker_e;

/* ---- request threads ---- */

/* Return whether a copy may go to the mirror of `lane`. PASS: the mirror is up. PROBE: the mirror
 * is down and this copy tests it. REFUSE: do not create the copy; the slot's down_drops was
 * incremented. */
mirror_breaker_e mirror_breaker_pass(mirror_lane_t *lane, const mirror_settings_t *settings);

/* ---- any thread, any process ---- */

/* Return the wall clock time until which the mirror of `slot` is down, for display; 0 if it is
 * up. */
apr_time_t mirror_breaker_down_until(mirror_slot_t *slot);

/* ---- any thread ---- */

/* Give up the probe, which ended before a connection attempt. The next copy becomes the probe. */
void mirror_breaker_forgo(mirror_lane_t *lane);

/* ---- sender thread ---- */

/* Return whether the mirror is down at `now` (mirror_clock_now()). */
int mirror_breaker_is_down(const mirror_lane_t *lane, apr_time_t now);

/* Count `dropped` copies that ended because the mirror is down. */
void mirror_breaker_dropped(mirror_lane_t *lane, apr_uint64_t dropped);

/* Set the mirror down for `retry`: a connection failed with `rv` during `what`, such as "connect to
 * 127.0.0.1:80". The first child that does so logs one line for all children. */
void mirror_breaker_down(mirror_lane_t *lane, apr_interval_time_t retry, const char *what,
                         apr_status_t rv, struct server_rec *server);

/* Set the mirror up: a connection was established. Logs one line if the mirror was down. */
void mirror_breaker_up(mirror_lane_t *lane, struct server_rec *server);

#endif
