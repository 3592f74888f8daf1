/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/turns.h - turns by weight: which of several servers gets the next copy, or the next
 * connection. Arithmetic only.
 *
 * Smooth weighted round robin: each turn credits every server with its weight, and charges the one
 * that is taken with the sum. So servers alternate, and in each cycle each is taken as often as its
 * weight. Late binding: if the server whose turn it is cannot take the copy now, another one does
 * and is charged. Credit is bounded, so a server that could not take copies for a while gets no
 * burst of them later.
 *
 * Servers are bits in a set, in the order of the array.
 */
#ifndef MIRROR_SEND_TURNS_H
#define MIRROR_SEND_TURNS_H

#include "base/mirror.h"

typedef struct mirror_turn_t {
    int weight; /* 1 to 100 */
    int credit;
} mirror_turn_t;

/* ---- any thread ---- */

/* Take a turn. `eligible`: those that take part in it. `able`: those of them that can be taken now.
 * Returns the index of the one that is taken; -1 = none, and nothing was credited. *ahead: those
 * whose turn came before. */
int mirror_turns_take(mirror_turn_t *const turns[], int count, unsigned eligible, unsigned able,
                      unsigned *ahead);

/* Return the share of `all` of a server: by its weight in the sum of weights, rounded up, at least
 * 1. */
apr_int64_t mirror_turns_share(apr_int64_t all, int weight, int sum);

#endif
