/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * limit/local.c - the strategy local: the count is in the mirror's slot of shared memory, for all
 * children of this httpd. See limit/limit.h.
 */
#include <ap_provider.h>

#include "base/window.h"
#include "limit/limit.h"
#include "shared/table.h"

typedef struct local_t {
    mirror_slot_t *slot;
    apr_int64_t count;
    apr_interval_time_t length;
} local_t;

static void *local_open(const mirror_t *mirror, const mirror_settings_t *settings,
                        apr_uint32_t *given_up, apr_pool_t *pool)
{
    local_t *local = apr_pcalloc(pool, sizeof(*local));

    (void)given_up;
    local->slot = mirror->slot;
    local->count = settings->count;
    local->length = apr_time_from_sec(settings->time_window);
    return local;
}

static apr_status_t local_query(mirror_limit_result_t *result, void *state, apr_int64_t requested,
                                apr_time_t deadline)
{
    local_t *local = state;

    (void)deadline;
    result->granted = mirror_window_take(&local->slot->limit_local, requested, local->count,
                                         local->length, &result->used, &result->until);
    return APR_SUCCESS;
}

static const mirror_limit_provider_t local_provider = { 0, NULL, local_open, local_query, NULL };

void mirror_limit_local_register(apr_pool_t *p)
{
    ap_register_provider(p, MIRROR_LIMIT_PROVIDERS, "local", MIRROR_LIMIT_PROVIDER_VERSION,
                         &local_provider);
}
