/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/view.h - the current state of one mirror, for JSON, page, mod_status and metrics.
 */
#ifndef MIRROR_ADMIN_VIEW_H
#define MIRROR_ADMIN_VIEW_H

#include "admin/bounds.h"
#include "admin/servers.h"
#include "limit/limit.h"
#include "shared/table.h"

typedef enum {
    MIRROR_VIEW_UP,
    MIRROR_VIEW_READY,    /* no copy was sent yet */
    MIRROR_VIEW_LIMITED,  /* the limit is used up */
    MIRROR_VIEW_DOWN,     /* the breaker rejects copies */
    MIRROR_VIEW_DISABLED, /* enabled=false */
    MIRROR_VIEW_ENDED,    /* `until` is over */
    MIRROR_VIEW_OFF,      /* no slot in shared memory; the mirror gets no requests */
    MIRROR_VIEW_STATES
} mirror_view_state_e;

typedef struct mirror_view_t {
    const mirror_t *mirror;
    const mirror_settings_t *settings;
    mirror_totals_t totals; /* 0 without a slot */
    mirror_view_state_e state;
    apr_time_t down_until; /* wall clock; 0 = not down */
    int has_fleet;         /* 1 if this httpd is a node of a fleet */
    int has_limit;         /* 1 if `limit` is valid */
    mirror_limit_state_t limit;
    mirror_bounds_t bounds;
    apr_array_header_t *servers; /* of mirror_servers_view_t; NULL = one server */
    mirror_lost_t *lost;         /* ring of its last losses; NULL = none */
} mirror_view_t;

/* ---- request threads ---- */

/* Fill the view of `mirror` with `settings`; NULL = those in force. The view is valid until `pool`
 * ends. */
void mirror_view_make(mirror_view_t *view, const mirror_registry_t *registry,
                      const mirror_t *mirror, const mirror_settings_t *settings, apr_pool_t *pool);

/* ---- any thread ---- */

/* Return the name of a state in JSON and the page's files: "up", "ready", "limited", "down",
 * "disabled", "ended", "off". */
const char *mirror_view_state_name(mirror_view_state_e state);

#endif
