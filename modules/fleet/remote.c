/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * fleet/remote.c - the store of the fleet. See fleet/remote.h.
 */
#include <stdlib.h>
#include <string.h>

#include <apr_atomic.h>
#include <apr_strings.h>

#include "base/clock.h"
#include "fleet/remote.h"

/* A document with room for its frame; pages of a hash, which Redis sends whole if it is small. */
static const mirror_redis_bounds_t bounds = { 4096, 70000, 1024 * 1024 };
/* The maximum number of pages of a hash. */
#define PAGES_MAX 4096
/* How many fields a page should have: entries of the index are short, states of nodes may have 16 KiB,
 * and a page must fit the bounds. If one does not, as of other texts, pages are small. */
#define PAGE       "512"
#define PAGE_NODES "64"
#define PAGE_SMALL "4"

mirror_remote_t *mirror_remote_create(const mirror_fleet_t *fleet, apr_uint32_t *given_up,
                                      apr_pool_t *pool)
{
    mirror_remote_t *remote = apr_pcalloc(pool, sizeof(*remote));

    remote->fleet = fleet;
    remote->route =
        mirror_redis_route_create(fleet->server, fleet->settings, &bounds, given_up, pool);
    return remote;
}

void mirror_remote_close(mirror_remote_t *remote)
{
    mirror_redis_route_close(remote->route);
}

/* ---- commands ---- */

typedef struct command_t {
    mirror_remote_t *remote;
    int argc;
    const char *const *argv;
} command_t;

static apr_status_t exchange(const mirror_redis_reply_t **reply,
                             mirror_redis_connection_t *connection, int once, apr_time_t deadline,
                             void *baton, char fault[MIRROR_REDIS_FAULT])
{
    const command_t *command = baton;
    apr_status_t rv = mirror_redis_connection_command(reply, connection, command->argc,
                                                      command->argv, deadline, fault);

    (void)once;
    /* the network, or the server, may still have it; a connection that the server has closed has not */
    command->remote->is_late |= APR_STATUS_IS_TIMEUP(rv);
    command->remote->is_lost |= rv != APR_SUCCESS;
    command->remote->is_long |= rv == APR_ENOSPC;
    return rv;
}

apr_status_t mirror_remote_command(const mirror_redis_reply_t **reply, mirror_remote_t *remote,
                                   int argc, const char *const *argv)
{
    command_t command = { remote, argc, argv };
    apr_time_t now = mirror_clock_now();
    apr_time_t end = now + mirror_fleet_patience(remote->fleet);
    apr_status_t rv;

    remote->is_late = remote->is_lost = remote->is_long = 0;
    if (remote->beat) {
        apr_atomic_set64(remote->beat, (apr_uint64_t)now);
    }
    if (remote->deadline && end > remote->deadline) {
        end = remote->deadline;
    }
    if (end <= now) {
        apr_cpystrn(remote->fault, "too many slow replies", sizeof(remote->fault));
        return APR_TIMEUP;
    }
    rv = mirror_redis_route_query(reply, remote->route, exchange, &command, end, remote->fault);
    if (rv == APR_SUCCESS && (*reply)->type == MIRROR_REDIS_ERROR &&
        !mirror_redis_reply_is_error(*reply, "NOSCRIPT")) {
        mirror_remote_refuse(remote, *reply);
        return APR_EACCES;
    }
    return rv;
}

apr_status_t mirror_remote_refuse(mirror_remote_t *remote, const mirror_redis_reply_t *reply)
{
    mirror_redis_route_refuse(remote->fault, remote->route, reply);
    return APR_EGENERAL;
}

/* ---- reading ---- */

apr_uint64_t mirror_remote_hex(const mirror_redis_reply_t *reply)
{
    return mirror_redis_reply_is_text(reply) && reply->length == 16 &&
                   strspn(reply->text, "0123456789abcdef") == 16
               ? (apr_uint64_t)strtoull(reply->text, NULL, 16)
               : 0;
}

apr_status_t mirror_remote_head(mirror_remote_head_t *head, mirror_remote_t *remote)
{
    const char *argv[] = { "HMGET", remote->fleet->keys[MIRROR_FLEET_HEAD], "epoch", "rev", "id" };
    const mirror_redis_reply_t *reply;
    apr_status_t rv = mirror_remote_command(&reply, remote, 5, argv);

    memset(head, 0, sizeof(*head));
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (reply->type == MIRROR_REDIS_ARRAY && reply->count == 3) {
        const mirror_redis_reply_t *const *part = reply->elements;

        /* a change that was rejected in the middle may leave a revision (fleet/write.c) */
        if (part[0]->type == MIRROR_REDIS_NIL) {
            return APR_SUCCESS;
        }
        head->epoch = mirror_remote_hex(part[0]);
        head->id = mirror_remote_hex(part[2]);
        if (head->epoch && head->id && mirror_redis_reply_number(&head->revision, part[1]) &&
            head->revision > 0) {
            return APR_SUCCESS;
        }
    }
    memset(head, 0, sizeof(*head));
    return mirror_remote_refuse(remote, reply);
}

/* Check a page of HSCAN: a cursor, and pairs. */
static int is_page(const mirror_redis_reply_t *reply)
{
    return reply->type == MIRROR_REDIS_ARRAY && reply->count == 2 &&
           mirror_redis_reply_is_text(reply->elements[0]) && reply->elements[0]->length < 24 &&
           reply->elements[1]->type == MIRROR_REDIS_ARRAY && reply->elements[1]->count % 2 == 0;
}

/* `count`: how many fields a page should have. */
static apr_status_t scan_pages(mirror_remote_t *remote, mirror_fleet_key_e key, const char *count,
                               int (*visit)(void *baton, const mirror_redis_reply_t *field,
                                            const mirror_redis_reply_t *value),
                               void *baton)
{
    char cursor[24] = "0";
    const char *argv[] = { "HSCAN", remote->fleet->keys[key], cursor, "COUNT", count };
    const mirror_redis_reply_t *reply, *page;
    unsigned opened = 0;
    apr_status_t rv;
    int pages, i;

    for (pages = 0; pages < PAGES_MAX; pages++) {
        rv = mirror_remote_command(&reply, remote, 5, argv);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        if (!is_page(reply)) {
            return mirror_remote_refuse(remote, reply);
        }
        if (pages > 0 && opened != mirror_redis_route_opened(remote->route)) {
            apr_cpystrn(remote->fault, "the connection was lost in the middle of a list",
                        sizeof(remote->fault));
            return APR_EAGAIN; /* a cursor is valid at one server only */
        }
        opened = mirror_redis_route_opened(remote->route);
        page = reply->elements[1];
        apr_cpystrn(cursor, reply->elements[0]->text, sizeof(cursor));
        for (i = 0; i + 1 < page->count; i += 2) {
            if (page->elements[i]->type != MIRROR_REDIS_STRING ||
                page->elements[i + 1]->type != MIRROR_REDIS_STRING) {
                return mirror_remote_refuse(remote, reply);
            }
            if (!visit(baton, page->elements[i], page->elements[i + 1])) {
                return APR_SUCCESS;
            }
        }
        if (!strcmp(cursor, "0")) {
            return APR_SUCCESS;
        }
    }
    apr_cpystrn(remote->fault, "a list has too many pages", sizeof(remote->fault));
    return APR_EGENERAL;
}

apr_status_t mirror_remote_scan(mirror_remote_t *remote, mirror_fleet_key_e key,
                                int (*visit)(void *baton, const mirror_redis_reply_t *field,
                                             const mirror_redis_reply_t *value),
                                void *baton)
{
    const char *count = key == MIRROR_FLEET_NODES ? PAGE_NODES : PAGE;
    apr_status_t rv = scan_pages(remote, key, count, visit, baton);

    /* from the beginning: a cursor is of one connection */
    return rv != APR_SUCCESS && remote->is_long ? scan_pages(remote, key, PAGE_SMALL, visit, baton)
                                                : rv;
}

/* The `visit` of a scan that ends with the first field. */
static int find_any(void *baton, const mirror_redis_reply_t *field,
                    const mirror_redis_reply_t *value)
{
    int *is_found = baton;

    (void)field;
    (void)value;
    *is_found = 1;
    return 0;
}

apr_status_t mirror_remote_content(mirror_remote_head_t *head, mirror_remote_t *remote)
{
    int is_found = 0;
    apr_status_t rv = mirror_remote_head(head, remote);

    if (rv == APR_SUCCESS && head->epoch) {
        rv = mirror_remote_scan(remote, MIRROR_FLEET_INDEX, find_any, &is_found);
    }
    if (!is_found) {
        memset(head, 0, sizeof(*head));
    }
    return rv;
}

apr_status_t mirror_remote_get(const char **text, mirror_remote_t *remote, mirror_fleet_key_e key,
                               const char *field, apr_pool_t *pool)
{
    const char *argv[] = { "HGET", remote->fleet->keys[key], field };
    const mirror_redis_reply_t *reply;
    apr_status_t rv = mirror_remote_command(&reply, remote, 3, argv);

    *text = NULL;
    if (rv != APR_SUCCESS && remote->is_long) {
        *text = ""; /* as below: one long text must not keep the node from the others */
        return APR_SUCCESS;
    }
    if (rv != APR_SUCCESS || reply->type == MIRROR_REDIS_NIL) {
        return rv;
    }
    if (reply->type != MIRROR_REDIS_STRING) {
        return mirror_remote_refuse(remote, reply);
    }
    /* a text that is too long, or has a NUL, is no document: the caller reports it */
    *text = mirror_redis_reply_is_text(reply) ? apr_pstrdup(pool, reply->text) : "";
    return APR_SUCCESS;
}
