/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * capture/candidates.c - the mirrors of a scope. See capture/candidates.h.
 */
#include <string.h>

#include "capture/candidates.h"
#include "capture/method.h"
#include "settings/settings.h"

static mirror_lane_t *lane_of(const mirror_candidates_t *candidates, int i)
{
    return &candidates->child
                ->lanes[APR_ARRAY_IDX(candidates->mirrors, i, const mirror_t *)->index];
}

apr_size_t mirror_candidates_acquire(mirror_candidates_t *candidates, mirror_child_t *child,
                                     const apr_array_header_t *mirrors, apr_pool_t *pool)
{
    apr_size_t count = 0;
    int i;

    candidates->child = child;
    candidates->mirrors = mirrors;
    candidates->settings =
        apr_palloc(pool, (apr_size_t)mirrors->nelts * sizeof(*candidates->settings));
    for (i = 0; i < mirrors->nelts; i++) {
        mirror_lane_t *lane = lane_of(candidates, i);

        candidates->settings[i] = lane->cell ? mirror_settings_acquire(lane) : NULL;
        if (candidates->settings[i]) { /* copies, and one for a reference of their responses */
            count += (apr_size_t)candidates->settings[i]->copies +
                     (candidates->settings[i]->compare != 0);
        }
    }
    return count;
}

/* The index of the reference for a mirror with these settings; -1 = none. */
static int find_reference(const mirror_candidates_t *candidates, const mirror_settings_t *of,
                          apr_time_t wall)
{
    int i;

    for (i = 0; i < candidates->mirrors->nelts; i++) {
        const mirror_t *mirror = APR_ARRAY_IDX(candidates->mirrors, i, const mirror_t *);
        const mirror_settings_t *settings = candidates->settings[i];

        if (settings && settings->role == MIRROR_ROLE_REFERENCE &&
            mirror_settings_are_on(settings, wall) &&
            (!of->compare_reference || !strcmp(of->compare_reference, mirror->name))) {
            return i;
        }
    }
    return -1;
}

/* Whether a reference with these settings gets requests with this method. */
static int may_refer(mirror_choice_t *choice, const mirror_settings_t *settings)
{
    return settings->methods ? mirror_choose_has_method(choice, settings->methods)
                             : mirror_method_is_idempotent(&choice->method);
}

static void add_references(const mirror_candidates_t *candidates, mirror_entries_t *entries,
                           mirror_choice_t *choice)
{
    int n, count = entries->count; /* the entries of references follow */

    for (n = 0; n < count && entries->count < entries->room; n++) {
        const mirror_entry_t *entry = &entries->list[n];
        int i = entry->pair
                    ? find_reference(candidates, entry->pair->settings, choice->r->request_time)
                    : -1;

        if (i >= 0 && may_refer(choice, candidates->settings[i])) {
            mirror_entries_refer(entries, entry, choice, lane_of(candidates, i),
                                 candidates->settings[i]);
        }
    }
}

void mirror_candidates_see(mirror_candidates_t *candidates, mirror_entries_t *entries,
                           mirror_choice_t *choice)
{
    int i;

    for (i = 0; i < candidates->mirrors->nelts; i++) {
        if (candidates->settings[i] && candidates->settings[i]->role == MIRROR_ROLE_MIRROR) {
            mirror_entries_see(entries, choice, lane_of(candidates, i), candidates->settings[i]);
        }
    }
    add_references(candidates, entries, choice);
    for (i = 0; i < candidates->mirrors->nelts; i++) {
        if (candidates->settings[i]) {
            mirror_settings_drop(candidates->settings[i]);
        }
    }
}
