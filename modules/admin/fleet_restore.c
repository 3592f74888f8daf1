/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/fleet_restore.c - restoring the documents of a fleet. See admin/fleet_restore.h.
 */
#include <string.h>

#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>
#include <http_log.h>
#include <http_protocol.h>

#include "admin/access.h"
#include "admin/body.h"
#include "admin/change.h"
#include "admin/fleet_restore.h"
#include "admin/fleet_store.h"
#include "admin/guard.h"
#include "admin/json.h"
#include "attributes/value.h"
#include "base/clock.h"
#include "fleet/hold.h"
#include "fleet/nodes.h"
#include "fleet/write.h"
#include "shared/table.h"

APLOG_USE_MODULE(proxy_mirror);

#define PRESENT "fleet: its store must be empty, got settings in it"

typedef struct restore_t {
    request_rec *r;
    const mirror_registry_t *registry;
    const char *location;
} restore_t;

/* Send an error; to a browser, the page with the message. */
static int refuse(const restore_t *restore, int status, const char *why)
{
    request_rec *r = restore->r;

    if (status == HTTP_FORBIDDEN) {
        mirror_access_log(r, NULL, why);
    }
    if (!mirror_change_is_for_people(r)) {
        return mirror_fleet_store_send_error(r, status, why);
    }
    r->status = status;
    return mirror_change_send_page(r, restore->registry, restore->location, why);
}

/* ---- the request ---- */

/* A program sends no body, or one without a meaning. Returns as read_form(). */
static int discard_body(request_rec *r)
{
    int status = ap_discard_request_body(r);

    return status == OK ? DECLINED : status;
}

/* Check the form of the page, whose first button asks. Returns DECLINED, or the handler's result. */
static int read_form(const restore_t *restore)
{
    mirror_page_visit_t visit = { restore->location,           NULL, NULL, NULL, 0,
                                  MIRROR_PAGE_QUESTION_RESTORE };
    request_rec *r = restore->r;
    const char *text, *confirm;
    apr_table_t *fields;
    apr_size_t size;
    int status = mirror_body_read(&text, &size, r);

    if (status != OK) {
        return status == HTTP_REQUEST_ENTITY_TOO_LARGE
                   ? refuse(restore, status, "body: must be at most 65536 bytes, got more")
                   : status;
    }
    fields = mirror_body_is(r, "application/x-www-form-urlencoded")
                 ? mirror_body_fields(r, text, size)
                 : NULL;
    if (!fields) {
        return refuse(restore, HTTP_BAD_REQUEST,
                      "body: must be a form with each field once, got another body");
    }
    if (!mirror_guard_is_nonce(apr_table_get(fields, "nonce"), restore->registry->nonce)) {
        return refuse(restore, HTTP_FORBIDDEN,
                      "nonce: must be that of the current page, got another one (reload the page)");
    }
    confirm = apr_table_get(fields, "confirm");
    return confirm && !strcmp(confirm, "yes")
               ? DECLINED
               : mirror_change_send_visit(r, restore->registry, &visit);
}

/* ---- the store ---- */

static void sign(mirror_write_t *write, const mirror_t *mirror)
{
    write->mirror = mirror->name;
    write->changes = "restored after the store was emptied";
}

/* Return the documents that are stored on this node, mirror_write_t. */
static apr_array_header_t *collect(const mirror_registry_t *registry, apr_pool_t *pool)
{
    apr_array_header_t *writes = apr_array_make(pool, 8, sizeof(mirror_write_t));
    int i;

    for (i = 0; i < registry->mirrors->nelts; i++) {
        const mirror_t *mirror = APR_ARRAY_IDX(registry->mirrors, i, const mirror_t *);
        mirror_document_t document;
        mirror_store_text_t text;

        if (!mirror->slot) {
            continue;
        }
        mirror_store_read(&text, &mirror->slot->fleet_version,
                          mirror_table_fleet_store(registry->table, mirror->slot), pool);
        if (mirror_document_of_store(&document, text.text, pool)) {
            mirror_write_t *write = apr_array_push(writes);

            write->document = document;
            sign(write, mirror);
        }
    }
    return writes;
}

/* If no mirror has a document, mark the first one as deleted: a store without a head counts as
 * emptied, to all nodes that have seen one. */
static void begin_anew(apr_array_header_t *writes, const mirror_registry_t *registry)
{
    static const mirror_document_t none = { { 0, 0, 1 }, "", "", "", "", NULL };

    if (registry->mirrors->nelts) {
        mirror_write_t *write = apr_array_push(writes);

        write->document = none;
        sign(write, APR_ARRAY_IDX(registry->mirrors, 0, const mirror_t *));
    }
}

/* ---- the response ---- */

/* Log and report that `count` mirrors were restored. */
static int send_restored(const restore_t *restore, int count)
{
    request_rec *r = restore->r;
    yajl_gen gen;

    ap_log_rerror(APLOG_MARK, APLOG_NOTICE, 0, r,
                  "PM0904: the store of the fleet %s was restored, %d mirrors, by %s from %s",
                  restore->registry->fleet->name, count,
                  r->user ? mirror_value_quote(r->user, r->pool) : "a client without a user",
                  r->useragent_ip);
    if (mirror_change_is_for_people(r)) {
        apr_table_setn(r->headers_out, "Location",
                       apr_pstrcat(r->pool, ap_escape_uri(r->pool, restore->location), "/", NULL));
        return HTTP_SEE_OTHER;
    }
    gen = mirror_json_create(r->pool);
    yajl_gen_map_open(gen);
    mirror_json_put_count(gen, "restored", (apr_uint64_t)count);
    yajl_gen_map_close(gen);
    return mirror_json_send(r, HTTP_OK, gen);
}

static int write_all(const restore_t *restore, mirror_remote_t *remote)
{
    mirror_fleet_words_t *words = mirror_table_fleet(restore->registry->table);
    apr_pool_t *pool = restore->r->pool;
    apr_array_header_t *writes = collect(restore->registry, pool);
    int count = writes->nelts;

    if (count == 0) {
        begin_anew(writes, restore->registry);
    }
    switch (writes->nelts ? mirror_write_restore(writes, remote, pool) : MIRROR_WRITE_DONE) {
    case MIRROR_WRITE_DONE:
        apr_atomic_set64(&words->emptied, 0);
        return send_restored(restore, count);
    case MIRROR_WRITE_PRESENT:
        return refuse(restore, HTTP_CONFLICT, PRESENT);
    case MIRROR_WRITE_UNKNOWN:
        return refuse(restore, HTTP_GATEWAY_TIME_OUT,
                      apr_psprintf(pool,
                                   "fleet: not known whether its store was restored; look again "
                                   "(%s)",
                                   remote->fault));
    default:
        return refuse(restore, HTTP_SERVICE_UNAVAILABLE, mirror_fleet_store_fault(remote, pool));
    }
}

/* A node that has not seen the settings, or that has those of another fleet since a reload, must not
 * write over those of the others. Returns DECLINED, or the handler's result after an error response. */
static int refuse_unknowing(const restore_t *restore, mirror_remote_t *remote)
{
    mirror_fleet_words_t *words = mirror_table_fleet(restore->registry->table);
    request_rec *r = restore->r;
    int seconds, know;

    if (apr_atomic_read64(&words->epoch) != 0 &&
        apr_atomic_read64(&words->name) == restore->registry->fleet->hash) {
        return DECLINED;
    }
    if (mirror_hold_query(&know, &seconds, words, restore->registry->fleet, remote, r->pool) !=
        APR_SUCCESS) {
        return refuse(restore, HTTP_SERVICE_UNAVAILABLE, mirror_fleet_store_fault(remote, r->pool));
    }
    if (know) {
        return refuse(restore, HTTP_CONFLICT,
                      "fleet: must be restored on a node that has its settings, got one that has "
                      "started since its store was emptied");
    }
    return seconds ? refuse(restore, HTTP_SERVICE_UNAVAILABLE, mirror_fleet_store_hold(r, seconds))
                   : DECLINED;
}

int mirror_fleet_restore_handle(request_rec *r, const mirror_registry_t *registry,
                                const char *location)
{
    restore_t restore = { r, registry, location };
    const char *why = mirror_guard_refuse(r);
    mirror_remote_head_t head;
    mirror_remote_t *remote;
    int status;

    if (why) {
        return refuse(&restore, HTTP_FORBIDDEN, why);
    }
    status = mirror_change_is_for_people(r) ? read_form(&restore) : discard_body(r);
    if (status != DECLINED) {
        return status;
    }
    remote = mirror_fleet_store_open(r, registry);
    if (mirror_remote_content(&head, remote) != APR_SUCCESS) {
        return refuse(&restore, HTTP_SERVICE_UNAVAILABLE,
                      mirror_fleet_store_fault(remote, r->pool));
    }
    if (head.epoch) {
        return refuse(&restore, HTTP_CONFLICT, PRESENT);
    }
    status = refuse_unknowing(&restore, remote);
    return status == DECLINED ? write_all(&restore, remote) : status;
}
