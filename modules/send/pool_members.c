/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/pool_members.c - which members a pool has: those of the attribute servers, or the addresses of a
 * name. See send/pool_state.h. Sender thread, except the creation of the first pools.
 *
 * A member is recognized by its key. One that is no server any more leaves: it gets no copies and
 * no connections, and is freed with its last connection. If it comes back before, it is the same
 * member.
 */
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>
#include <http_log.h>

#include "base/clock.h"
#include "send/pool_state.h"
#include "settings/settings.h"
#include "shared/table.h"

APLOG_USE_MODULE(proxy_mirror);

/* At most ten lookups of a name in a second. */
#define LEAST_TTL apr_time_from_msec(100)

#define ADDRESS_MAX (255 + sizeof("[]:65535"))

/* ---- counting ---- */

void mirror_pool_member_count_open(mirror_member_t *member, int more)
{
    member->open += more;
    apr_atomic_add64(&member->counts->connections, (apr_uint64_t)(apr_int64_t)more);
}

void mirror_pool_member_count_in_flight(mirror_member_t *member, int more)
{
    member->in_flight += more;
    apr_atomic_add64(&member->counts->in_flight, (apr_uint64_t)(apr_int64_t)more);
}

/* ---- places in shared memory ---- */

/* Use these words and counters from now on. The gauges move with it. */
static void move_to(mirror_member_t *member, mirror_server_words_t *words,
                    mirror_server_counts_t *counts)
{
    int open = member->open, in_flight = member->in_flight;

    member->words = words;
    if (member->counts == counts) {
        return;
    }
    if (member->counts) {
        mirror_pool_member_count_open(member, -open);
        mirror_pool_member_count_in_flight(member, -in_flight);
    }
    member->counts = counts;
    member->open = 0;
    member->in_flight = 0;
    mirror_pool_member_count_open(member, open);
    mirror_pool_member_count_in_flight(member, in_flight);
}

/* Find the member's place. Another process may have taken it since. */
static void take_place(mirror_pool_t *pool, mirror_member_t *member)
{
    mirror_lane_t *lane = pool->lane;
    int is_new, i = -1;

    if (lane->servers && lane->mirror->slot) {
        mirror_table_note_servers(lane->mirror->slot);
        i = mirror_servers_claim(lane->servers, member->key, pool->members->group,
                                 mirror_clock_now(), &is_new);
    }
    if (i < 0) {
        move_to(member, &member->own_words, &member->own_counts);
        return;
    }
    if (is_new) {
        mirror_table_clear_server(lane->child->registry->table, lane->mirror->slot, i);
    }
    move_to(member, &lane->servers[i], &lane->server_counts[i]);
}

/* Put the address of a member of resolve=all into shared memory, for display. */
static void pack(const mirror_pool_t *pool, mirror_member_t *member)
{
    if (!pool->settings->servers && member->addresses) {
        mirror_servers_pack(member->words, mirror_address_first(member->addresses));
    }
}

/* Code outside this module has written to the places: begin anew with all that it has changed. */
static void repair(mirror_pool_t *pool, apr_time_t now)
{
    if (mirror_servers_free_foreign(pool->lane->servers, now) > 0 && !pool->members->repaired) {
        pool->members->repaired = 1;
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, pool->send->server,
                     "PM0435: mirror %s: code outside this module has overwritten the state of its "
                     "servers in shared memory; they count as up, and their counters begin at 0",
                     pool->lane->mirror->name);
    }
}

/* Return the place of the member; NULL = it has none. */
static mirror_server_words_t *place_of(const mirror_pool_t *pool, const mirror_member_t *member)
{
    return member->counts == &member->own_counts
               ? NULL
               : &pool->lane->servers[member->counts - pool->lane->server_counts];
}

void mirror_pool_member_check_place(mirror_pool_t *pool, mirror_member_t *member)
{
    apr_time_t now = mirror_loop_now(pool->send->loop);
    mirror_server_words_t *place = place_of(pool, member);

    if (!place) {
        return;
    }
    if (mirror_servers_is_foreign(place, now)) {
        repair(pool, now);
    }
    if (apr_atomic_read64(&place->key) != member->key) {
        take_place(pool, member);
        pack(pool, member);
    }
}

/* If another server has taken the place of a member that is no server any more, leave it. */
static void leave_place(mirror_pool_t *pool, mirror_member_t *member)
{
    mirror_server_words_t *place = place_of(pool, member);

    if (place && apr_atomic_read64(&place->key) != member->key) {
        move_to(member, &member->own_words, &member->own_counts);
    }
}

void mirror_pool_members_detach(mirror_pool_t *pool)
{
    int i;

    for (i = 0; i < pool->members->count; i++) {
        mirror_member_t *member = pool->members->list[i];

        if (member->words != &member->own_words) {
            mirror_servers_copy_state(&member->own_words, member->words);
            member->words = &member->own_words;
        }
    }
}

/* ---- one member ---- */

static mirror_member_t *create(const char *hostname, apr_port_t port, int named)
{
    apr_size_t len = strlen(hostname) + 1;
    mirror_member_t *member = calloc(1, sizeof(*member) + len + ADDRESS_MAX);
    int i;

    if (!member) {
        return NULL;
    }
    memcpy(member->text, hostname, len);
    member->hostname = member->text;
    apr_snprintf(member->text + len, ADDRESS_MAX, strchr(hostname, ':') ? "[%s]:%u" : "%s:%u",
                 hostname, (unsigned)port);
    member->address = member->text + len;
    member->port = port;
    member->named = named;
    member->key = mirror_servers_key(hostname, port);
    for (i = 0; i < MIRROR_RINGS; i++) {
        APR_RING_INIT(&member->rings[i], mirror_connection_t, link);
    }
    return member;
}

static void destroy(mirror_member_t *member)
{
    mirror_address_drop(member->addresses);
    free(member);
}

static void set_weight(mirror_member_t *member, int weight)
{
    member->turn.weight = weight;
    member->opens.weight = weight;
}

static mirror_member_t *find_in(mirror_members_t *members, apr_uint64_t key)
{
    mirror_member_t *member;
    int i;

    for (i = 0; i < members->count; i++) {
        if (members->list[i]->key == key) {
            return members->list[i];
        }
    }
    for (member = members->leaving; member && member->key != key; member = member->next) {
    }
    return member;
}

/* ---- the set ---- */

/* Remove the member from those that leave, if it is one of them. */
static void stay(mirror_members_t *members, mirror_member_t *member)
{
    mirror_member_t **link = &members->leaving;

    while (*link && *link != member) {
        link = &(*link)->next;
    }
    if (*link) {
        *link = member->next;
        member->next = NULL;
        member->leaving = 0;
    }
}

static void leave(mirror_members_t *members, mirror_member_t *member)
{
    member->leaving = 1;
    member->missed = 0;
    member->next = members->leaving;
    members->leaving = member;
}

/* Replace the list by `list`, whose members are marked as found. */
static void replace(mirror_pool_t *pool, mirror_member_t *const list[], int count)
{
    mirror_members_t *members = pool->members;
    int i, start = count ? pool->lane->child->worker_slot % count : 0;

    for (i = 0; i < members->count; i++) {
        if (!members->list[i]->found) {
            leave(members, members->list[i]);
        }
    }
    for (i = 0; i < count; i++) {
        if (!list[i]->counts && i == start) {
            list[i]->turn.credit = 1; /* each child begins with another one */
            list[i]->opens.credit = 1;
        }
        stay(members, list[i]);
        members->list[i] = list[i];
        list[i]->found = 0;
        take_place(pool, list[i]);
    }
    members->count = count;
    mirror_pool_members_reap(pool);
}

void mirror_pool_member_close_idle(mirror_pool_t *pool, mirror_member_t *member)
{
    mirror_connection_t *c, *next;

    APR_RING_FOREACH_SAFE(c, next, &member->rings[MIRROR_RING_IDLE], mirror_connection_t, link)
    {
        if (member->leaving || !c->yields) {
            mirror_pool_close_connection(pool, c);
        }
    }
}

void mirror_pool_members_reap(mirror_pool_t *pool)
{
    mirror_member_t **link = &pool->members->leaving, *member;
    int i;

    for (i = 0; pool->ends && i < pool->members->count; i++) {
        leave_place(pool, pool->members->list[i]);
    }
    while ((member = *link)) {
        leave_place(pool, member);
        mirror_pool_member_close_idle(pool, member);
        if (member->open || member->opening || member->tasks || member->in_flight) {
            link = &member->next;
            continue;
        }
        *link = member->next;
        destroy(member);
    }
}

/* ---- servers= ---- */

void mirror_pool_members_update(mirror_pool_t *pool)
{
    const mirror_settings_t *settings = pool->settings;
    mirror_member_t *list[MIRROR_SERVERS_MAX];
    apr_time_t now = mirror_clock_now();
    int i, count = 0;

    if (!settings->servers) {
        if (pool->members->look_up_at > now) {
            pool->members->look_up_at = now; /* ttl may be shorter now */
        }
        for (i = 0; i < pool->members->count; i++) {
            take_place(pool, pool->members->list[i]); /* mirror_pool_members_detach() */
            pack(pool, pool->members->list[i]);
        }
        return;
    }
    for (i = 0; i < settings->servers->nelts && count < MIRROR_SERVERS_MAX; i++) {
        const mirror_server_t *server = &APR_ARRAY_IDX(settings->servers, i, mirror_server_t);
        apr_port_t port = server->port ? server->port : settings->target.port;
        mirror_member_t *member =
            find_in(pool->members, mirror_servers_key(server->hostname, port));

        member = member ? member : create(server->hostname, port, server->named);
        if (member && !member->found) {
            member->found = 1;
            set_weight(member, server->weight);
            list[count++] = member;
        }
    }
    replace(pool, list, count);
    if (pool->lane->servers) {
        mirror_servers_unlist(pool->lane->servers, pool->members->group, now);
    }
}

/* ---- resolve=all ---- */

/* Add the members of the addresses that are known already, or else of the new ones. */
static void add(mirror_pool_t *pool, mirror_member_t *list[], int *count,
                mirror_addresses_t *addresses, int known)
{
    apr_sockaddr_t *address = mirror_address_first(addresses);
    int i, n = mirror_address_count(addresses);
    mirror_member_t *member;
    char ip[64];

    /* The list is walked once, because a name may have thousands of addresses. */
    for (i = 0; i < n && *count < MIRROR_SERVERS_MAX; i++, address = address->next) {
        if (apr_sockaddr_ip_getbuf(ip, sizeof(ip), address) != APR_SUCCESS) {
            continue;
        }
        member = find_in(pool->members, mirror_servers_key(ip, address->port));
        member = member || known ? member : create(ip, address->port, 0);
        if (member && !member->found) {
            member->found = 1;
            set_weight(member, 1);
            mirror_address_drop(member->addresses);
            /* not a reference: the whole list would stay with a member that leaves */
            member->addresses = mirror_address_single(addresses, address);
            list[(*count)++] = member;
        }
    }
}

static void resolved(mirror_pool_t *pool, mirror_addresses_t *addresses)
{
    mirror_member_t *list[MIRROR_SERVERS_MAX];
    int i, count = 0, n = mirror_address_count(addresses);
    apr_time_t now = mirror_clock_now();

    add(pool, list, &count, addresses, 1);
    add(pool, list, &count, addresses, 0);
    replace(pool, list, count);
    for (i = 0; i < count; i++) {
        pack(pool, list[i]);
    }
    if (pool->lane->servers) {
        mirror_servers_unlist(pool->lane->servers, pool->members->group, now);
    }
    if (n > MIRROR_SERVERS_MAX && !pool->members->too_many) {
        pool->members->too_many = 1;
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, pool->send->server,
                     "PM0430: mirror %s: %s has %d addresses, of which %d are used",
                     pool->lane->mirror->name, pool->settings->target.hostname, n,
                     MIRROR_SERVERS_MAX);
    }
}

void mirror_pool_members_look_up_soon(mirror_pool_t *pool, mirror_member_t *member)
{
    mirror_members_t *members = pool->members;

    if (member->named) {
        mirror_address_drop(member->addresses);
        member->addresses = NULL;
    }
    else if (members->looked_up + LEAST_TTL < members->look_up_at) {
        members->look_up_at = members->looked_up + LEAST_TTL;
    }
}

/* The lookup failed, and there are no last addresses. */
static void failed_at_first(mirror_pool_t *pool, const mirror_connection_t *lookup)
{
    if (lookup->failure == MIRROR_OUTCOME_MEMORY_FULL) {
        mirror_pool_note_lack(pool, lookup);
    }
    else if (lookup->failure == MIRROR_OUTCOME_UNREACHABLE) { /* not if the child ends */
        pool->probing = 0;
        mirror_pool_set_down(pool, NULL, lookup->failure, lookup->failed_at, lookup->status);
    }
}

void mirror_pool_members_resolved(mirror_pool_t *pool, mirror_connection_t *lookup)
{
    mirror_members_t *members = pool->members;
    apr_interval_time_t ttl = pool->settings->ttl > LEAST_TTL ? pool->settings->ttl : LEAST_TTL;
    apr_interval_time_t retry =
        pool->settings->retry > LEAST_TTL ? pool->settings->retry : LEAST_TTL;

    members->looking_up = 0;
    members->looked_up = mirror_clock_now();
    if (lookup->status == APR_SUCCESS) {
        members->look_up_at = mirror_clock_now() + ttl;
        resolved(pool, lookup->addresses);
        return;
    }
    members->look_up_at = mirror_clock_now() + (ttl < retry ? ttl : retry);
    if (members->count == 0) {
        failed_at_first(pool, lookup);
        return;
    }
    ap_log_error(APLOG_MARK, APLOG_INFO, lookup->status, pool->send->server,
                 "PM0431: mirror %s: %s failed; its last addresses stay", pool->lane->mirror->name,
                 lookup->failed_at);
}

/* ---- the pool's life ---- */

static void go_on(void *pool)
{
    mirror_pool_touch(pool);
}

apr_status_t mirror_pool_members_create(mirror_pool_t *pool)
{
    mirror_members_t *members;

    if (!mirror_servers_are_several(pool->settings) || !pool->lane->cell) {
        return APR_SUCCESS;
    }
    members = calloc(1, sizeof(*members));
    if (!members) {
        return APR_ENOMEM;
    }
    members->group = mirror_servers_group(pool->settings);
    members->stalled.fire = go_on;
    members->stalled.baton = pool;
    pool->members = members;
    if (pool->lane->servers && mirror_settings_are_current(pool->settings, pool->lane)) {
        mirror_servers_unlist_others(pool->lane->servers, members->group);
    }
    mirror_pool_members_update(pool);
    return APR_SUCCESS;
}

void mirror_pool_members_each(mirror_pool_t *pool,
                              void (*visit)(mirror_pool_t *, mirror_member_t *))
{
    mirror_member_t *member, *next;
    int i;

    for (i = 0; i < pool->members->count; i++) {
        visit(pool, pool->members->list[i]);
    }
    for (member = pool->members->leaving; member; member = next) {
        next = member->next;
        visit(pool, member);
    }
}

void mirror_pool_members_destroy(mirror_pool_t *pool)
{
    mirror_members_t *members = pool->members;
    mirror_member_t *member;
    int i;

    if (!members) {
        return;
    }
    for (i = 0; i < members->count; i++) {
        destroy(members->list[i]);
    }
    while ((member = members->leaving)) {
        members->leaving = member->next;
        destroy(member);
    }
    mirror_loop_timer_stop(&members->stalled);
    free(members);
    pool->members = NULL;
}
