/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/fleet_change.c - PUT, PATCH and DELETE of a document. See admin/fleet_change.h.
 */
#include <string.h>

#include <apr_strings.h>
#include <httpd.h>
#include <http_core.h>
#include <http_protocol.h>

#include "admin/access.h"
#include "admin/body.h"
#include "admin/fleet_change.h"
#include "admin/fleet_edit.h"
#include "admin/fleet_json.h"
#include "admin/fleet_report.h"
#include "admin/fleet_store.h"
#include "admin/guard.h"
#include "admin/json.h"

typedef struct fleet_change_t {
    request_rec *r;
    const mirror_t *mirror;
    yajl_val json; /* of PUT and PATCH */
} fleet_change_t;

static int refuse(const fleet_change_t *change, int status, const char *why)
{
    if (status == HTTP_FORBIDDEN) {
        mirror_access_log(change->r, change->mirror->name, why);
    }
    return mirror_fleet_store_send_error(change->r, status, why);
}

/* ---- the request ---- */

/* Returns DECLINED, or the handler's result after an error response. */
static int read_json(fleet_change_t *change)
{
    request_rec *r = change->r;
    const char *text, *wrong;
    apr_size_t size;
    int status;

    if (!mirror_body_is(r, "application/json") &&
        (r->method_number != M_PATCH || !mirror_body_is(r, "application/merge-patch+json"))) {
        return refuse(change, HTTP_UNSUPPORTED_MEDIA_TYPE,
                      "Content-Type: must be application/json (for PATCH, also "
                      "application/merge-patch+json), got another or none");
    }
    status = mirror_body_read(&text, &size, r);
    if (status == HTTP_REQUEST_ENTITY_TOO_LARGE) {
        return refuse(change, status, "body: must be at most 65536 bytes, got more");
    }
    if (status != OK) {
        return status;
    }
    wrong = mirror_override_read_json(&change->json, text, size, r->pool);
    if (!wrong) {
        wrong = mirror_document_refuse(change->json, r->pool);
    }
    return wrong ? refuse(change, HTTP_BAD_REQUEST, wrong) : DECLINED;
}

/* The `expects` of mirror_fleet_edit_t: the preconditions (RFC 9110 13.1). */
static int is_expected(const mirror_document_version_t *version, void *baton)
{
    request_rec *r = ((fleet_change_t *)baton)->r;
    const char *etag = mirror_fleet_store_etag(version, r->pool);

    if (!etag) {
        apr_table_unset(r->headers_out, "ETag");
        return !apr_table_get(r->headers_in, "If-Match");
    }
    apr_table_setn(r->headers_out, "ETag", etag);
    return ap_condition_if_match(r, r->headers_out) != AP_CONDITION_NOMATCH &&
           ap_condition_if_none_match(r, r->headers_out) < AP_CONDITION_WEAK;
}

/* ---- the change ---- */

/* Whether PUT leaves the attribute to the file of each node if it is not given. */
static int is_left_to_file(const mirror_attribute_t *row)
{
    return row->flags & (MIRROR_ATTRIBUTE_NO_JSON | MIRROR_ATTRIBUTE_NO_DEFAULT) ||
           !strncmp(row->name, "redis_", 6) || !strncmp(row->name, "sentinel_", 9);
}

/* The `edit` of mirror_fleet_edit_t. */
static const char *edit(mirror_override_t *override, const mirror_t *mirror, void *baton,
                        apr_pool_t *pool)
{
    const fleet_change_t *change = baton;
    const char *wrong = mirror_override_patch(override, change->json, mirror, pool);
    const mirror_attribute_t *row;

    for (row = mirror_attributes; change->r->method_number == M_PUT && row->name; row++) {
        if (!is_left_to_file(row) && !mirror_attributes_is_set(&override->given, row)) {
            override->reset |= mirror_attributes_bit(row);
        }
    }
    return wrong;
}

/* ---- the response ---- */

static int respond(const fleet_change_t *change, const mirror_fleet_edit_t *requested,
                   const mirror_fleet_edited_t *result)
{
    request_rec *r = change->r;
    int is_delete = !result->document.attributes;
    yajl_gen gen;

    apr_table_unset(r->headers_out, "ETag");
    if (is_delete && !mirror_fleet_report_waits(r)) {
        r->status = HTTP_NO_CONTENT;
        ap_set_content_length(r, 0);
        return OK;
    }
    gen = mirror_json_create(r->pool);
    yajl_gen_map_open(gen);
    if (!is_delete) {
        apr_table_setn(r->headers_out, "ETag",
                       mirror_fleet_store_etag(&result->document.version, r->pool));
        mirror_fleet_json_document(gen, &result->document, r->pool);
    }
    mirror_fleet_report_put(gen, requested, change->mirror, &result->document.version);
    yajl_gen_map_close(gen);
    return mirror_json_send(r, HTTP_OK, gen);
}

static int apply(fleet_change_t *change, const mirror_registry_t *registry)
{
    request_rec *r = change->r;
    int is_delete = r->method_number == M_DELETE;
    mirror_fleet_edit_t requested = { r, registry, NULL, NULL, is_expected, change, 0, 0, 0, 0 };
    mirror_fleet_edited_t result;

    requested.remote = mirror_fleet_store_open(r, registry);
    requested.edit = is_delete ? NULL : edit;
    requested.replaces = r->method_number == M_PUT;
    requested.is_conditional =
        apr_table_get(r->headers_in, "If-Match") || apr_table_get(r->headers_in, "If-None-Match");
    mirror_fleet_edit_apply(&result, &requested, change->mirror);
    if (result.status != HTTP_OK) {
        return refuse(change, result.status, result.why);
    }
    if (is_delete && !result.is_changed) {
        return refuse(change, HTTP_NOT_FOUND, "fleet: nothing is set for this mirror");
    }
    return respond(change, &requested, &result);
}

int mirror_fleet_change_handle(request_rec *r, const mirror_registry_t *registry,
                               const mirror_t *mirror)
{
    fleet_change_t change = { r, mirror, NULL };
    const char *why = mirror_guard_refuse(r);
    int status;

    if (why) {
        return refuse(&change, HTTP_FORBIDDEN, why);
    }
    if (!mirror->slot) {
        return refuse(&change, HTTP_SERVICE_UNAVAILABLE,
                      "mirror: cannot be changed while it is off (see the error log)");
    }
    if (r->method_number == M_DELETE) {
        status = ap_discard_request_body(r);
        return status == OK ? apply(&change, registry) : status;
    }
    status = read_json(&change);
    return status == DECLINED ? apply(&change, registry) : status;
}
