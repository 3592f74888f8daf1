/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/fleet.c - the manager's resources of the fleet. See admin/fleet.h.
 */
#include <string.h>

#include <apr_strings.h>
#include <http_protocol.h>

#include "admin/change_all.h"
#include "admin/fleet.h"
#include "admin/fleet_change.h"
#include "admin/fleet_edit.h"
#include "admin/fleet_json.h"
#include "admin/fleet_report.h"
#include "admin/fleet_restore.h"
#include "admin/fleet_store.h"
#include "admin/json.h"

#define READ    "GET, HEAD"
#define MIRRORS "/mirrors"
#define PAGE    50 /* entries of the log in one command */
#define LOG     1000

/* ---- the state ---- */

static int send_state(request_rec *r, const mirror_registry_t *registry)
{
    mirror_fleet_words_t *words = mirror_table_fleet(registry->table);
    mirror_remote_t *remote = mirror_fleet_store_open(r, registry);
    apr_uint64_t revision = apr_atomic_read64(&words->revision);
    mirror_remote_head_t head;
    mirror_nodes_t nodes;
    yajl_gen gen = mirror_json_create(r->pool);
    int up = mirror_remote_head(&head, remote) == APR_SUCCESS &&
             mirror_nodes_read(&nodes, remote, &head, NULL, NULL, r->pool) == APR_SUCCESS;

    if (up && head.epoch) {
        revision = (apr_uint64_t)head.revision;
    }
    yajl_gen_map_open(gen);
    mirror_json_put_key(gen, "name");
    mirror_json_put_key(gen, registry->fleet->name);
    mirror_json_put_count(gen, "revision", revision);
    mirror_json_put_key(gen, "node");
    mirror_json_put_key(gen, registry->fleet->node);
    mirror_fleet_json_store(gen, words, up);
    mirror_json_put_key(gen, "emptied");
    yajl_gen_bool(gen, apr_atomic_read64(&words->emptied) != 0);
    if (!up) { /* of the nodes nothing is known */
        memset(&nodes, 0, sizeof(nodes));
        nodes.others = apr_array_make(r->pool, 1, sizeof(mirror_node_t));
    }
    mirror_fleet_json_nodes(gen, &nodes, r->pool);
    mirror_fleet_report_put_warnings(gen, &nodes, r->pool);
    yajl_gen_map_close(gen);
    return mirror_json_send(r, HTTP_OK, gen);
}

/* ---- the log ---- */

static apr_status_t put_page(int *entries, yajl_gen gen, mirror_remote_t *remote, int start,
                             apr_pool_t *pool)
{
    const char *argv[] = { "LRANGE", remote->fleet->keys[MIRROR_FLEET_LOG], apr_itoa(pool, start),
                           apr_itoa(pool, start + PAGE - 1) };
    const mirror_redis_reply_t *reply;
    apr_status_t rv = mirror_remote_command(&reply, remote, 4, argv);
    yajl_val json;

    *entries = 0;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (reply->type != MIRROR_REDIS_ARRAY) {
        return mirror_remote_refuse(remote, reply);
    }
    for (; *entries < reply->count; (*entries)++) {
        const mirror_redis_reply_t *entry = reply->elements[*entries];

        if (mirror_redis_reply_is_text(entry) &&
            !mirror_override_read_json(&json, entry->text, entry->length, pool)) {
            mirror_fleet_json_value(gen, json, pool);
        }
    }
    return APR_SUCCESS;
}

static int send_log(request_rec *r, const mirror_registry_t *registry)
{
    mirror_remote_t *remote = mirror_fleet_store_open(r, registry);
    yajl_gen gen = mirror_json_create(r->pool);
    int start = 0, entries = PAGE;

    yajl_gen_map_open(gen);
    mirror_json_put_key(gen, "log");
    yajl_gen_array_open(gen);
    for (; entries == PAGE && start < LOG; start += PAGE) {
        if (put_page(&entries, gen, remote, start, r->pool) != APR_SUCCESS) {
            return mirror_fleet_store_refuse(r, remote);
        }
    }
    yajl_gen_array_close(gen);
    yajl_gen_map_close(gen);
    return mirror_json_send(r, HTTP_OK, gen);
}

/* ---- a document ---- */

/* Return why there is no document. */
static const char *explain_none(const mirror_registry_t *registry)
{
    return apr_atomic_read64(&mirror_table_fleet(registry->table)->emptied)
               ? "fleet: nothing is set in its store, which was emptied; each node keeps its "
                 "settings"
               : "fleet: nothing is set for this mirror; the configuration file of each node "
                 "applies";
}

static int send_document(request_rec *r, const mirror_registry_t *registry, const char *name)
{
    mirror_remote_t *remote = mirror_fleet_store_open(r, registry);
    mirror_document_t document;
    const char *why;
    yajl_gen gen;
    int status = mirror_fleet_store_read(&document, &why, remote, name, r->pool);

    if (status != OK) {
        return mirror_fleet_store_send_error(r, status, why);
    }
    if (!document.attributes) {
        return mirror_json_error(r, HTTP_NOT_FOUND, explain_none(registry));
    }
    gen = mirror_json_create(r->pool);
    yajl_gen_map_open(gen);
    mirror_fleet_json_document(gen, &document, r->pool);
    yajl_gen_map_close(gen);
    apr_table_setn(r->headers_out, "ETag", mirror_fleet_store_etag(&document.version, r->pool));
    return mirror_json_send(r, HTTP_OK, gen);
}

/* Append the document of a mirror, if it has one. Returns 0, and *why, if the store does not
 * respond. */
static int put_listed(yajl_gen gen, const char **why, mirror_remote_t *remote, const char *name,
                      apr_pool_t *pool)
{
    mirror_document_t document;
    int status = mirror_fleet_store_read(&document, why, remote, name, pool);

    if (status == HTTP_SERVICE_UNAVAILABLE) {
        return 0;
    }
    if (status == OK && !document.attributes) {
        return 1;
    }
    yajl_gen_map_open(gen);
    mirror_json_put_key(gen, "name");
    mirror_json_put_text(gen, name, pool);
    if (status == OK) {
        mirror_fleet_json_document(gen, &document, pool);
    }
    else {
        mirror_json_put_key(gen, "error");
        mirror_json_put_text(gen, *why, pool);
    }
    yajl_gen_map_close(gen);
    return 1;
}

static int send_documents(request_rec *r, const mirror_registry_t *registry)
{
    mirror_remote_t *remote = mirror_fleet_store_open(r, registry);
    yajl_gen gen = mirror_json_create(r->pool);
    const char *why;
    int i;

    yajl_gen_map_open(gen);
    mirror_json_put_key(gen, "mirrors");
    yajl_gen_array_open(gen);
    for (i = 0; i < registry->mirrors->nelts; i++) {
        const mirror_t *mirror = APR_ARRAY_IDX(registry->mirrors, i, const mirror_t *);

        if (!put_listed(gen, &why, remote, mirror->name, r->pool)) {
            return mirror_fleet_store_send_error(r, HTTP_SERVICE_UNAVAILABLE, why);
        }
    }
    yajl_gen_array_close(gen);
    yajl_gen_map_close(gen);
    return mirror_json_send(r, HTTP_OK, gen);
}

static int handle_documents(request_rec *r, const mirror_registry_t *registry, int may_change)
{
    if (r->method_number == M_GET) {
        return send_documents(r, registry);
    }
    if (may_change && (r->method_number == M_PATCH || r->method_number == M_DELETE)) {
        return mirror_change_all_handle_fleet(r, registry);
    }
    return mirror_json_refuse_method(r, may_change ? READ ", PATCH, DELETE" : READ);
}

static int handle_document(request_rec *r, const mirror_registry_t *registry, const char *name,
                           int may_change)
{
    const mirror_t *mirror = NULL;
    int i;

    for (i = 0; i < registry->mirrors->nelts && !mirror; i++) {
        const mirror_t *one = APR_ARRAY_IDX(registry->mirrors, i, const mirror_t *);

        mirror = strcmp(one->name, name) ? NULL : one;
    }
    if (!mirror) {
        return mirror_json_error(r, HTTP_NOT_FOUND,
                                 apr_psprintf(r->pool, "%s: no such mirror", name));
    }
    if (r->method_number == M_GET) {
        return send_document(r, registry, name);
    }
    if (may_change && (r->method_number == M_PUT || r->method_number == M_PATCH ||
                       r->method_number == M_DELETE)) {
        return mirror_fleet_change_handle(r, registry, mirror);
    }
    return mirror_json_refuse_method(r, may_change ? READ ", PUT, PATCH, DELETE" : READ);
}

/* ---- which resource ---- */

int mirror_fleet_handle(request_rec *r, const mirror_registry_t *registry, const char *location,
                        const char *rest, int may_change)
{
    int is_restore = strcmp(rest, "/restore") == 0;

    if (!mirror_fleet_edit_is_possible(registry)) {
        return mirror_json_error(r, HTTP_NOT_FOUND,
                                 "fleet: must be configured by ProxyMirrorFleet, got nothing");
    }
    if (!strcmp(rest, MIRRORS) || !strcmp(rest, MIRRORS "/")) {
        return handle_documents(r, registry, may_change);
    }
    if (!strncmp(rest, MIRRORS "/", sizeof(MIRRORS))) {
        return handle_document(r, registry, rest + sizeof(MIRRORS), may_change);
    }
    if (is_restore && may_change) {
        return r->method_number == M_POST ? mirror_fleet_restore_handle(r, registry, location)
                                          : mirror_json_refuse_method(r, "POST");
    }
    if (*rest && strcmp(rest, "/") && strcmp(rest, "/log")) {
        return mirror_json_error(r, HTTP_NOT_FOUND,
                                 apr_psprintf(r->pool,
                                              "%s: no such resource; there are /fleet, "
                                              "/fleet/mirrors, /fleet/mirrors/NAME, /fleet/log and "
                                              "/fleet/restore",
                                              rest));
    }
    if (r->method_number != M_GET) {
        return mirror_json_refuse_method(r, READ);
    }
    return strcmp(rest, "/log") ? send_state(r, registry) : send_log(r, registry);
}
