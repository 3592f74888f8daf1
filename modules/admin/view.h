/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/view.h - one mirror as it is now: the one source of JSON, page, mod_status and metrics.
 */
#ifndef MIRROR_ADMIN_VIEW_H
#define MIRROR_ADMIN_VIEW_H

#include "limit/limit.h"
#include "shared/table.h"

typedef enum {
    MIRROR_VIEW_UP,
    MIRROR_VIEW_READY,    /* nothing was sent yet */
    MIRROR_VIEW_LIMITED,  /* the window is used up */
    MIRROR_VIEW_DOWN,     /* the breaker refuses copies */
    MIRROR_VIEW_DISABLED, /* enabled=false */
    MIRROR_VIEW_OFF,      /* shared memory has no slot for it, so it sees no request */
    MIRROR_VIEW_STATES
} mirror_view_state_e;

typedef struct mirror_view_t {
    const mirror_t *mirror;
    const mirror_settings_t *settings;
    mirror_totals_t totals; /* 0 without a slot */
    mirror_view_state_e state;
    apr_time_t down_until; /* wall clock; 0: it is not down */
    int has_limit;         /* with it, `limit` is filled in */
    mirror_limit_state_t limit;
} mirror_view_t;

/* ---- request threads ---- */

/* Look at `mirror` with `settings`; NULL: those in force. The view holds until `pool` ends. */
void mirror_view_make(mirror_view_t *view, const mirror_registry_t *registry,
                      const mirror_t *mirror, const mirror_settings_t *settings, apr_pool_t *pool);

/* ---- any thread ---- */

/* Return the name of a state as JSON and the page's files have it: "up", "ready", "limited",
 * "down", "disabled", "off". */
const char *mirror_view_state_name(mirror_view_state_e state);

#endif
