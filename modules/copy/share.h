/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * copy/share.h - what a child has a bounded amount of, divided among its mirrors.
 *
 * A POT is such an amount: bytes of ProxyMirrorMemory, bytes of ProxyMirrorSpool, files of spools.
 * A mirror that hangs keeps what its copies have taken, so no mirror may take all of a pot:
 *
 *     reserve     With more than one mirror, half of the pot is divided equally. Each part is for
 *                 one mirror alone.
 *     the rest    A mirror that has more than its reserve takes from the other half, but never more
 *                 in all than what is still free in the pot. So one mirror gets at most half of it,
 *                 and one that comes later finds room.
 *
 * A single mirror may have the whole pot. All counters are private to the child process; none is in
 * shared memory.
 */
#ifndef MIRROR_COPY_SHARE_H
#define MIRROR_COPY_SHARE_H

#include "base/mirror.h"

/* ---- child start, main thread ---- */

/* `pot` has `size` units, for `mirrors` mirrors (at least 1). */
void mirror_share_init(mirror_pot_t *pot, apr_uint64_t size, int mirrors);

/* ---- any thread ---- */

/* Take `n` units for a mirror that has *own of them (atomic, of its lane). Returns 0, with nothing
 * taken, if the pot or the share of the mirror has no room. Never waits. */
int mirror_share_take(mirror_pot_t *pot, apr_uint64_t *own, apr_uint64_t n);

/* Take `n` units whatever has been taken, for a mirror that cannot do without. The others have to
 * do with less. */
void mirror_share_force(mirror_pot_t *pot, apr_uint64_t *own, apr_uint64_t n);

/* Give back `n` units that were taken with the same `own`. */
void mirror_share_give(mirror_pot_t *pot, apr_uint64_t *own, apr_uint64_t n);

/* Whether `n` more units would fit into the share of the mirror now. Takes nothing. */
int mirror_share_fits(mirror_pot_t *pot, apr_uint64_t *own, apr_uint64_t n);

/* The same for half of that share: what can wait elsewhere leaves the other half to what cannot. */
int mirror_share_fits_half(mirror_pot_t *pot, apr_uint64_t *own, apr_uint64_t n);

#endif
