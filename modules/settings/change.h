/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * settings/change.h - a change of a mirror's settings, as one transaction over all processes.
 *
 * A change starts from the stored text: the text is read, edited, checked and compiled. The result
 * replaces the stored text if that has not changed in the meantime. If another change was stored
 * first, the whole change is repeated. The node's layer and the fleet's are changed the same way. So no completed change is lost, and the lock is held only
 * while a text is stored.
 */
#ifndef MIRROR_SETTINGS_CHANGE_H
#define MIRROR_SETTINGS_CHANGE_H

#include "settings/override.h"

/* A requested change. */
typedef struct mirror_settings_edit_t {
    /* Edit the override of `mirror`. May be called several times, each time with the text stored
     * then. Returns NULL, or an error message in `pool`. NULL = drop the override, so the file
     * applies. */
    const char *(*edit)(mirror_override_t *override, const mirror_t *mirror, void *baton,
                        apr_pool_t *pool);

    /* Return whether the settings in force are the expected ones. NULL = any. */
    int (*expects)(const mirror_settings_t *before, void *baton);
    void *baton;
} mirror_settings_edit_t;

typedef enum {
    MIRROR_CHANGE_MADE,
    MIRROR_CHANGE_NONE, /* no difference */
    /* the edit or its result is invalid; with this outcome and those below, nothing was changed */
    MIRROR_CHANGE_BAD,
    MIRROR_CHANGE_UNEXPECTED, /* `expects` returned 0 */
    MIRROR_CHANGE_RELOADED,   /* httpd has loaded a newer configuration than this child's */
    MIRROR_CHANGE_BUSY,       /* other changes were stored first, too often */
    MIRROR_CHANGE_BROKEN      /* the stored text is invalid */
} mirror_settings_outcome_e;

typedef struct mirror_settings_change_t {
    mirror_settings_outcome_e outcome;
    const char *why; /* message; NULL if the outcome is MADE or NONE */
    /* valid until the pool ends; NULL if the change failed before they existed */
    const mirror_settings_t *before, *after;
} mirror_settings_change_t;

/* ---- request threads ---- */

/* Apply the change `requested` to `mirror`, which has a slot. *result and its members are in `pool`. */
void mirror_settings_change_apply(mirror_settings_change_t *result,
                                  const mirror_registry_t *registry, const mirror_t *mirror,
                                  const mirror_settings_edit_t *requested, apr_pool_t *pool);

/* ---- request threads, and the poller of the fleet ---- */

/* Replace the fleet's layer of `mirror`, which has a slot, by `text` (settings/layers.h; NULL =
 * none), if the version of its store is still `expected`; else the outcome is UNEXPECTED. The new
 * layer must be valid over the file, and with the node's layer over it; otherwise the outcome is BAD
 * and the former layer stays. *result and its members are in `pool`. */
void mirror_settings_change_fleet(mirror_settings_change_t *result,
                                  const mirror_registry_t *registry, const mirror_t *mirror,
                                  const char *text, apr_uint64_t expected, apr_pool_t *pool);

/* Return why `text` cannot be the fleet's layer of `mirror` here, in `pool`; NULL if it can. */
const char *mirror_settings_change_refuse_fleet(const mirror_registry_t *registry,
                                                const mirror_t *mirror, const char *text,
                                                apr_pool_t *pool);

/* Return why the settings that this node has of its own cannot be over it, or over the file alone
 * (`text` = NULL); NULL if they can. */
const char *mirror_settings_change_refuse_over(const mirror_registry_t *registry,
                                               const mirror_t *mirror, const char *text,
                                               apr_pool_t *pool);

/* Return the differences for the log: "count from 1 to 2, expr from nothing to \"...\"", truncated;
 * in `pool`. */
const char *mirror_settings_change_list(const mirror_settings_t *before,
                                        const mirror_settings_t *after, apr_pool_t *pool);

#endif
