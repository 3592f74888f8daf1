/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/gate.h - the stage between queue and pools: how many copies of a mirror may leave in a
 * window.
 *
 *     queue -> put -> (asks a strategy) -> granted: mirror_pool_put()
 *                                       -> else the copy ends: limited, or limit_failed
 *
 * Copies of mirrors without a limit pass at once. The others of a mirror ask together, once per
 * round of the sender's loop, and what comes while an answer is under way asks with the next
 * question. A strategy that has to wait for its answer is asked on a helper thread; the copies
 * stay here, so nothing is lost with a helper that never comes back. While a strategy fails,
 * limit_fallback holds and one copy at a time finds out whether it is back.
 */
#ifndef MIRROR_SEND_GATE_H
#define MIRROR_SEND_GATE_H

#include "limit/limit.h"
#include "send/pool.h"

/* ---- child start, main thread ---- */

typedef struct mirror_gates_t mirror_gates_t;

/* The stage in front of the pools of `send`, for all lanes of their child. Answers that helpers
 * bring call `wake(baton)`. */
mirror_gates_t *mirror_gate_create_all(mirror_send_t *send, int (*wake)(void *baton), void *baton,
                                       apr_pool_t *memory);

/* ---- sender thread ---- */

/* Own `copy` from here. */
void mirror_gate_put(mirror_gates_t *limits, mirror_copy_t *copy);

/* Take what helpers have brought. Returns how many answers that were. */
int mirror_gate_take_answers(mirror_gates_t *limits);

/* Ask for what waits; hand over what is granted. To be called before mirror_pool_dispatch_all(). */
void mirror_gate_dispatch_all(mirror_gates_t *limits);

/* Copies that are here. */
int mirror_gate_held(const mirror_gates_t *limits);

/* Say that the sender is about to sleep, or is up again, as with mirror_queue_sleep() and
 * mirror_queue_awake(). */
int mirror_gate_sleep(mirror_gates_t *limits);
void mirror_gate_awake(mirror_gates_t *limits);

/* End all copies as shut_down, close what can be closed: not what a helper still asks. May be
 * called again, when answers were taken. */
void mirror_gate_close_all(mirror_gates_t *limits);

#endif
