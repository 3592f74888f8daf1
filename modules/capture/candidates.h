/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * capture/candidates.h - the mirrors of a scope, with their settings, for one request.
 *
 * Mirrors are considered in the order of the configuration. Then references (role=reference), which run
 * the old version: a reference gets a copy of each request whose responses are compared, and no other;
 * only of idempotent methods, unless its `methods` names others. There is one copy for each pair.
 */
#ifndef MIRROR_CAPTURE_CANDIDATES_H
#define MIRROR_CAPTURE_CANDIDATES_H

#include "capture/entries.h"

typedef struct mirror_candidates_t {
    mirror_child_t *child;
    const apr_array_header_t *mirrors; /* of mirror_t * */
    /* by the index of `mirrors`; references; NULL = the mirror has no cell and gets no requests */
    const mirror_settings_t **settings;
} mirror_candidates_t;

/* ---- request threads ---- */

/* Reference the current settings of all mirrors, in `pool`. Returns the maximum number of entries; 0 = no
 * mirror is considered. mirror_candidates_see() drops the references. */
apr_size_t mirror_candidates_acquire(mirror_candidates_t *candidates, mirror_child_t *child,
                                     const apr_array_header_t *mirrors, apr_pool_t *pool);

/* Add the entries of all mirrors, and of the references of their pairs. */
void mirror_candidates_see(mirror_candidates_t *candidates, mirror_entries_t *entries,
                           mirror_choice_t *choice);

#endif
