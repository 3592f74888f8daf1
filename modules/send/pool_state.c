/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/pool_state.c - functions on the state of a pool, shared by send/pool*.c. See
 * send/pool_state.h.
 */
#include "send/pool_state.h"
#include "shared/cell.h"

const mirror_settings_t *mirror_pool_settings_of(const mirror_pool_t *pool)
{
    return pool->settings;
}

void mirror_pool_touch(mirror_pool_t *pool)
{
    if (!pool->touched) {
        pool->touched = 1;
        pool->next_touched = pool->send->touched;
        pool->send->touched = pool;
    }
}

void mirror_pool_count_open(mirror_pool_t *pool, int more)
{
    pool->open += more;
    apr_atomic_add64(&pool->lane->cell->connections, (apr_uint64_t)(apr_int64_t)more);
}

void mirror_pool_close_connection(mirror_pool_t *pool, mirror_connection_t *c)
{
    APR_RING_REMOVE(c, link);
    mirror_address_drop(c->addresses);
    mirror_connection_close(c);
    mirror_pool_count_open(pool, -1);
    apr_atomic_dec32(&pool->send->child->descriptors);
}

int mirror_pool_close_idle(mirror_pool_t *pool)
{
    if (APR_RING_EMPTY(&pool->idle, mirror_connection_t, link)) {
        return 0;
    }
    mirror_pool_close_connection(pool, APR_RING_LAST(&pool->idle));
    return 1;
}

apr_time_t mirror_pool_idle_since(const mirror_pool_t *pool)
{
    return APR_RING_EMPTY(&pool->idle, mirror_connection_t, link)
               ? 0
               : APR_RING_LAST(&pool->idle)->rested;
}

void mirror_pool_drop_addresses(mirror_pool_t *pool)
{
    mirror_address_drop(pool->addresses);
    pool->addresses = NULL;
}

void mirror_pool_destroy_connection(mirror_connection_t *c)
{
    mirror_address_drop(c->addresses);
    apr_pool_destroy(c->pool);
}
