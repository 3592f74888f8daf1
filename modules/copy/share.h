/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * copy/share.h - division of a child's bounded resources among its mirrors.
 *
 * A POT is a bounded resource: bytes of ProxyMirrorMemory, bytes of ProxyMirrorSpool, files of
 * spools. If a mirror hangs, its copies keep their share, so no mirror may take a whole pot:
 *
 *     reserve     With more than one mirror, half of the pot is divided equally. Each part is
 *                 reserved for one mirror.
 *     the rest    A mirror that exceeds its reserve takes from the other half. Its total never
 *                 exceeds the free part of the pot. So one mirror gets at most half of the pot,
 *                 and the others find room.
 *
 * A single mirror may use the whole pot. All counters are private to the child process.
 */
#ifndef MIRROR_COPY_SHARE_H
#define MIRROR_COPY_SHARE_H

#include "base/mirror.h"

/* ---- child start, main thread ---- */

/* Initialize `pot` with `size` units for `mirrors` mirrors (1 or more). */
void mirror_share_init(mirror_pot_t *pot, apr_uint64_t size, int mirrors);

/* ---- any thread ---- */

/* Take `n` units. *own (atomic, in the mirror's lane): units that the mirror has. Returns 0 and
 * takes nothing if the pot or the mirror's share has no room. Never waits. */
int mirror_share_take(mirror_pot_t *pot, apr_uint64_t *own, apr_uint64_t n);

/* Take `n` units without a check, for a mirror that cannot do without. The room of the other
 * mirrors shrinks. */
void mirror_share_force(mirror_pot_t *pot, apr_uint64_t *own, apr_uint64_t n);

/* Release `n` units that were taken with the same `own`. */
void mirror_share_give(mirror_pot_t *pot, apr_uint64_t *own, apr_uint64_t n);

/* Return whether `n` more units fit into the mirror's share. Takes nothing. */
int mirror_share_fits(mirror_pot_t *pot, apr_uint64_t *own, apr_uint64_t n);

/* Return whether `n` more units fit into half of that share. Use it for data that can go elsewhere;
 * the other half stays free for data that cannot. */
int mirror_share_fits_half(mirror_pot_t *pot, apr_uint64_t *own, apr_uint64_t n);

#endif
