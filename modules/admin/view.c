/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/view.c - the current state of one mirror. See admin/view.h.
 */
#include <string.h>

#include "admin/view.h"
#include "base/clock.h"
#include "settings/settings.h"
#include "shared/breaker.h"

const char *mirror_view_state_name(mirror_view_state_e state)
{
    static const char *const names[MIRROR_VIEW_STATES] = { "up",       "ready", "limited", "down",
                                                           "disabled", "ended", "off" };

    return names[state];
}

/* Return whether a copy was sent, whatever became of it, or can be at once. */
static int was_sent(const mirror_cell_t *sum)
{
    return sum->connections || sum->outcomes[MIRROR_OUTCOME_MIRRORED] ||
           sum->outcomes[MIRROR_OUTCOME_TIMED_OUT] || sum->outcomes[MIRROR_OUTCOME_BROKEN];
}

static mirror_view_state_e state_of(const mirror_view_t *view, int has_slot)
{
    if (!has_slot) {
        return MIRROR_VIEW_OFF;
    }
    if (!view->settings->enabled) {
        return MIRROR_VIEW_DISABLED;
    }
    if (!mirror_settings_are_on(view->settings, mirror_clock_to_wall(mirror_clock_now()))) {
        return MIRROR_VIEW_ENDED;
    }
    if (view->down_until) {
        return MIRROR_VIEW_DOWN;
    }
    if (view->has_limit && view->limit.closed_until) {
        return MIRROR_VIEW_LIMITED;
    }
    return was_sent(&view->totals.sum) ? MIRROR_VIEW_UP : MIRROR_VIEW_READY;
}

void mirror_view_make(mirror_view_t *view, const mirror_registry_t *registry,
                      const mirror_t *mirror, const mirror_settings_t *settings, apr_pool_t *pool)
{
    int has_slot = registry->table != NULL && mirror->slot != NULL;

    memset(view, 0, sizeof(*view));
    view->mirror = mirror;
    view->settings = settings ? settings : mirror_settings_borrow(registry, mirror, pool);
    mirror_bounds_make(&view->bounds, registry, view->settings);
    view->servers = mirror_servers_view(registry, mirror, view->settings, pool);
    view->has_fleet = registry->fleet != NULL;
    if (has_slot) {
        mirror_totals_sum(&view->totals, registry->table, mirror->slot);
        view->lost = mirror_table_lost(registry->table, mirror->slot);
        view->down_until = mirror_breaker_down_until(mirror->slot);
        view->has_limit = view->settings->enable_limit_count;
    }
    if (view->has_limit) {
        mirror_limit_state(&view->limit, mirror, view->settings);
    }
    view->state = state_of(view, has_slot);
}
