/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/pool_set.c - the pools: one in force for each mirror, and ending ones. See send/pool.h.
 * Sender thread, except the creation of the first pools.
 *
 * A copy goes only to the host of its own settings. A copy of a slow request may arrive after one
 * with newer settings, when its host has no pool any more. Then it gets a pool that ends with it.
 */
#include <stdlib.h>

#include "send/pool_state.h"
#include "settings/settings.h"

static void go_on(void *pool)
{
    mirror_pool_touch(pool);
}

static apr_status_t init(mirror_pool_t *pool, mirror_send_t *send, mirror_lane_t *lane,
                         const mirror_settings_t *settings)
{
    int i;

    pool->send = send;
    pool->lane = lane;
    mirror_settings_keep(settings);
    pool->settings = settings;
    pool->health.down_as = MIRROR_OUTCOME_UNREACHABLE;
    pool->pause.fire = go_on;
    pool->pause.baton = pool;
    pool->spare.fire = go_on;
    pool->spare.baton = pool;
    pool->rest.fire = go_on;
    pool->rest.baton = pool;
    mirror_pool_init_copies(pool);
    for (i = 0; i < MIRROR_RINGS; i++) {
        APR_RING_INIT(&pool->rings[i], mirror_connection_t, link);
    }
    if (mirror_pool_members_create(pool) != APR_SUCCESS) {
        mirror_settings_drop(settings);
        return APR_ENOMEM;
    }
    pool->next = send->all;
    send->all = pool;
    return APR_SUCCESS;
}

apr_status_t mirror_pool_create_first(mirror_send_t *send, apr_pool_t *memory)
{
    mirror_child_t *child = send->child;
    mirror_pool_t *first;
    int i;

    send->count = child->registry->mirrors->nelts;
    send->pools = apr_pcalloc(memory, (apr_size_t)send->count * sizeof(*send->pools));
    first = apr_pcalloc(memory, (apr_size_t)send->count * sizeof(*first));
    for (i = 0; i < send->count; i++) {
        apr_status_t rv = init(&first[i], send, &child->lanes[i], child->lanes[i].mirror->settings);

        if (rv != APR_SUCCESS) {
            return rv;
        }
        first[i].first = 1;
        send->pools[i] = &first[i];
    }
    return APR_SUCCESS;
}

/* Return whether the settings have the host of the pool, and as many kinds of servers: one, the
 * addresses of the name, or a list, which may differ. */
static int has_host(const mirror_pool_t *pool, const mirror_settings_t *settings)
{
    return pool->settings == settings ||
           (!strcmp(pool->settings->target.url, settings->target.url) &&
            !pool->settings->servers == !settings->servers &&
            mirror_servers_are_several(pool->settings) == mirror_servers_are_several(settings));
}

static void end_later(mirror_pool_t *pool)
{
    pool->ends = 1;
    mirror_pool_touch(pool);
}

static mirror_pool_t *create(mirror_send_t *send, const mirror_copy_t *copy)
{
    mirror_pool_t *pool = calloc(1, sizeof(*pool));

    if (pool && init(pool, send, copy->lane, copy->settings) != APR_SUCCESS) {
        free(pool);
        return NULL;
    }
    return pool;
}

/* Return an ending pool of the mirror that has this host. */
static mirror_pool_t *find_ending(mirror_send_t *send, const mirror_copy_t *copy)
{
    mirror_pool_t *pool = send->all;

    while (pool && !(pool->ends && pool->lane == copy->lane && has_host(pool, copy->settings))) {
        pool = pool->next;
    }
    return pool;
}

mirror_pool_t *mirror_pool_for(mirror_send_t *send, const mirror_copy_t *copy)
{
    const mirror_settings_t *settings = copy->settings;
    mirror_pool_t **place = &send->pools[copy->lane->mirror->index];
    mirror_pool_t *pool = *place;

    if (settings->version <= pool->settings->version) {
        if (!has_host(pool, settings)) {
            pool = find_ending(send, copy);
            pool = pool ? pool : create(send, copy);
            if (pool) {
                end_later(pool);
            }
        }
        return pool;
    }
    if (has_host(pool, settings)) {
        mirror_settings_keep(settings);
        mirror_settings_drop(pool->settings);
        pool->settings = settings;
        if (pool->members) {
            mirror_pool_members_update(pool);
        }
        return pool;
    }
    pool = create(send, copy);
    if (pool) {
        end_later(*place);
        *place = pool;
    }
    return pool;
}

static int is_over(const mirror_pool_t *pool)
{
    return !mirror_pool_count_waiting(pool) && !pool->open && !pool->opening && !pool->tasks &&
           !pool->touched;
}

void mirror_pool_end(mirror_pool_t *pool)
{
    mirror_send_t *send = pool->send;
    mirror_pool_t **link = &send->all;

    while (!mirror_pool_count_waiting(pool) && mirror_pool_close_idle(pool)) {
    }
    if (!is_over(pool)) {
        return;
    }
    while (*link != pool) {
        link = &(*link)->next;
    }
    *link = pool->next;
    send->wants_helper -= pool->wants_helper != 0;
    mirror_loop_timer_stop(&pool->pause);
    mirror_loop_timer_stop(&pool->spare);
    mirror_loop_timer_stop(&pool->rest);
    mirror_pool_members_destroy(pool);
    mirror_pool_drop_addresses(pool);
    mirror_settings_drop(pool->settings);
    if (!pool->first) {
        free(pool);
    }
}
