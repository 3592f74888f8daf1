/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * settings/change.h - a change of the settings of a mirror, as one transaction over all processes.
 *
 * A change is made of what is stored at one moment: that is read, edited, checked and compiled,
 * and stored in its place if it is still the same. If another change was faster, all is done again
 * over what that one stored. So no change that was made is lost, and nothing holds a lock but to
 * store a text.
 */
#ifndef MIRROR_SETTINGS_CHANGE_H
#define MIRROR_SETTINGS_CHANGE_H

#include "settings/override.h"

/* What is to be changed. */
typedef struct mirror_settings_edit_t {
    /* Edit what is set of `mirror`. May be called several times, each time with what is stored
     * then. Returns NULL, or what is wrong, in `pool`. NULL: nothing is to be set, the file holds.
     * */
    const char *(*edit)(mirror_override_t *override, const mirror_t *mirror, void *baton,
                        apr_pool_t *pool);

    /* Whether the change may be made of what is in force. NULL: of anything. */
    int (*expects)(const mirror_settings_t *before, void *baton);
    void *baton;
} mirror_settings_edit_t;

typedef enum {
    MIRROR_CHANGE_MADE,
    MIRROR_CHANGE_NONE, /* it is so already */
    /* the edit, or what came of it, is wrong; this and those below: nothing was changed */
    MIRROR_CHANGE_BAD,
    MIRROR_CHANGE_UNEXPECTED, /* `expects` returned 0 */
    MIRROR_CHANGE_RELOADED,   /* httpd has just read another configuration than this child's */
    MIRROR_CHANGE_BUSY,       /* other changes are in the way */
    MIRROR_CHANGE_BROKEN      /* what is stored cannot be in force */
} mirror_settings_outcome_e;

typedef struct mirror_settings_change_t {
    mirror_settings_outcome_e outcome;
    const char *why; /* for people; NULL if the outcome is MADE or NONE */
    /* until the pool ends; NULL as far as it did not come to them */
    const mirror_settings_t *before, *after;
} mirror_settings_change_t;

/* ---- request threads ---- */

/* Make the change `asked` of `mirror`, which has a slot. *result and what it points to live in
 * `pool`. */
void mirror_settings_change_apply(mirror_settings_change_t *result,
                                  const mirror_registry_t *registry, const mirror_t *mirror,
                                  const mirror_settings_edit_t *asked, apr_pool_t *pool);

/* List what differs, for the log: "count from 1 to 2, expr from nothing to \"...\"", cut; in
 * `pool`. */
const char *mirror_settings_change_list(const mirror_settings_t *before,
                                        const mirror_settings_t *after, apr_pool_t *pool);

#endif
