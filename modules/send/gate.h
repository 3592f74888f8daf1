/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/gate.h - the stage between queue and pools, which applies limits.
 *
 *     queue -> put -> (query a strategy) -> granted: mirror_pool_put()
 *                                        -> else the copy ends: limited, or limit_failed
 *
 * Copies of mirrors without a limit pass at once. The copies of one mirror share a query, once per
 * round of the sender's loop. Copies that arrive while a query is pending share the next one. A
 * blocking strategy runs on a helper thread. The copies stay in the gate, so a helper that never
 * returns loses no copies. While a strategy fails, limit_fallback applies, and one copy at a time
 * tests the strategy.
 */
#ifndef MIRROR_SEND_GATE_H
#define MIRROR_SEND_GATE_H

#include "limit/limit.h"
#include "send/pool.h"

/* ---- child start, main thread ---- */

typedef struct mirror_gates_t mirror_gates_t;

/* Create the gates of all lanes of the child, in front of the pools of `send`. Results from helpers
 * call `wake(baton)`. */
mirror_gates_t *mirror_gate_create_all(mirror_send_t *send, int (*wake)(void *baton), void *baton,
                                       apr_pool_t *memory);

/* ---- sender thread ---- */

/* Put `copy` into its gate, which owns it from here. */
void mirror_gate_put(mirror_gates_t *limits, mirror_copy_t *copy);

/* Take the results from helpers. Returns their number. */
int mirror_gate_take_results(mirror_gates_t *limits);

/* Query the limits of waiting copies, and pass on granted ones. Call it before
 * mirror_pool_dispatch_all(). */
void mirror_gate_dispatch_all(mirror_gates_t *limits);

/* Return the number of copies in the gates. */
int mirror_gate_count(const mirror_gates_t *limits);

/* Announce that the sender is about to sleep, or is awake; see mirror_queue_sleep() and
 * mirror_queue_awake(). */
int mirror_gate_sleep(mirror_gates_t *limits);
void mirror_gate_awake(mirror_gates_t *limits);

/* End all copies as shut_down and close all strategies, except those in use by a helper. May be
 * called again after results were taken. */
void mirror_gate_close_all(mirror_gates_t *limits);

#endif
