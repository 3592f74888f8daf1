/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/servers.c - see admin/servers.h.
 */
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "admin/servers.h"
#include "base/clock.h"

/* ---- the servers ---- */

/* Read the state of the server at `place` of shared memory; -1 = it has none. */
static void read_place(mirror_servers_view_t *view, const mirror_registry_t *registry,
                       const mirror_t *mirror, int place)
{
    mirror_server_words_t *words;
    apr_time_t now = mirror_clock_now(), until;

    if (place < 0) {
        return;
    }
    words = &mirror_table_servers(registry->table, mirror->slot)[place];
    until = mirror_servers_out_until(words, now);
    /* one whose time is over waits for its probe */
    view->down_until = until ? mirror_clock_to_wall(until > now ? until : now) : 0;
    mirror_table_sum_server(&view->sum, registry->table, mirror->slot, place);
}

static void add_listed(apr_array_header_t *servers, const mirror_registry_t *registry,
                       const mirror_t *mirror, const mirror_settings_t *settings, int has_places)
{
    int i;

    for (i = 0; i < settings->servers->nelts; i++) {
        const mirror_server_t *server = &APR_ARRAY_IDX(settings->servers, i, mirror_server_t);
        apr_port_t port = server->port ? server->port : settings->target.port;
        mirror_servers_view_t *view = apr_array_push(servers);

        view->address =
            apr_psprintf(servers->pool, strchr(server->hostname, ':') ? "[%s]:%u" : "%s:%u",
                         server->hostname, (unsigned)port);
        if (has_places) {
            read_place(view, registry, mirror,
                       mirror_servers_find(mirror_table_servers(registry->table, mirror->slot),
                                           mirror_servers_key(server->hostname, port)));
        }
    }
}

static int by_address(const void *a, const void *b)
{
    const mirror_servers_view_t *one = a, *other = b;

    return strcmp(one->address, other->address);
}

static void add_resolved(apr_array_header_t *servers, const mirror_registry_t *registry,
                         const mirror_t *mirror, const mirror_settings_t *settings)
{
    mirror_server_words_t *places = mirror_table_servers(registry->table, mirror->slot);
    apr_uint64_t group = mirror_servers_group(settings);
    int i;

    for (i = 0; i < MIRROR_SERVERS_PLACES && servers->nelts < MIRROR_SERVERS_MAX; i++) {
        const char *address = mirror_servers_address(&places[i], servers->pool);

        if (address && mirror_servers_is_listed(&places[i], group)) {
            mirror_servers_view_t *view = apr_array_push(servers);

            view->address = address;
            read_place(view, registry, mirror, i);
        }
    }
    qsort(servers->elts, (size_t)servers->nelts, sizeof(mirror_servers_view_t), by_address);
}

apr_array_header_t *mirror_servers_view(const mirror_registry_t *registry, const mirror_t *mirror,
                                        const mirror_settings_t *settings, apr_pool_t *pool)
{
    apr_array_header_t *servers;
    int has_places =
        registry->table && mirror->slot && apr_atomic_read64(&mirror->slot->serves) != 0;

    if (!mirror_servers_are_several(settings)) {
        return NULL;
    }
    servers = apr_array_make(pool, MIRROR_SERVERS_MAX, sizeof(mirror_servers_view_t));
    if (settings->servers) {
        add_listed(servers, registry, mirror, settings, has_places);
    }
    else if (has_places) {
        add_resolved(servers, registry, mirror, settings);
    }
    return servers;
}

int mirror_servers_view_up(const apr_array_header_t *servers)
{
    int i, up = 0;

    for (i = 0; i < servers->nelts; i++) {
        up += APR_ARRAY_IDX(servers, i, mirror_servers_view_t).down_until == 0;
    }
    return up;
}
