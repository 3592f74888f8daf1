/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/change_all.c - a change of all mirrors at once. See admin/change_all.h.
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
#include "admin/change_all.h"
#include "admin/fleet_edit.h"
#include "admin/fleet_json.h"
#include "admin/fleet_report.h"
#include "admin/fleet_store.h"
#include "admin/guard.h"
#include "admin/json.h"
#include "settings/change.h"
#include "settings/settings.h"
#include "shared/table.h"

APLOG_USE_MODULE(proxy_mirror);

typedef enum { STOP, START, RESUME, RESET, ACTIONS } action_e;

/* as in the field "action" of a form */
static const char *const actions[ACTIONS] = { "stop", "start", "resume", "reset" };

typedef struct all_t {
    request_rec *r;
    const mirror_registry_t *registry;
    const char *location;
    int action;                        /* action_e */
    mirror_remote_t *remote;           /* of a change of the fleet; NULL = of this node */
    mirror_document_version_t version; /* of the document that was written last */
    int changed, failed;
    int busy;             /* a change waited for the lock, or the fleet's store, in vain */
    int status;           /* of the first failure; 0 = none */
    const char *failures; /* "NAME: why; NAME: why"; "" = none */
} all_t;

/* ---- refusals ---- */

static int refuse(const all_t *all, int status, const char *why)
{
    mirror_page_visit_t visit = { all->location, NULL, NULL, why, all->changed > 0, 0 };

    if (status == HTTP_FORBIDDEN) {
        mirror_access_log(all->r, NULL, why);
    }
    if (!mirror_change_is_for_people(all->r)) {
        return mirror_fleet_store_send_error(all->r, status, why);
    }
    /* this node can still be stopped */
    visit.question = all->action == STOP && all->remote ? MIRROR_PAGE_QUESTION_STOP
                                                        : MIRROR_PAGE_QUESTION_NOTHING;
    all->r->status = status;
    return mirror_change_send_visit(all->r, all->registry, &visit);
}

/* Send the page with the question whether to stop all mirrors. */
static int send_question(const all_t *all)
{
    mirror_page_visit_t visit = { all->location, NULL, NULL, NULL, 0, MIRROR_PAGE_QUESTION_STOP };

    return mirror_change_send_visit(all->r, all->registry, &visit);
}

/* ---- parsing the request; DECLINED, or the handler's result if the response was sent ---- */

static int read_body(const char **text, apr_size_t *size, const all_t *all)
{
    int status = mirror_body_read(text, size, all->r);

    if (status == HTTP_REQUEST_ENTITY_TOO_LARGE) {
        return refuse(all, status, "body: must be at most 65536 bytes, got more");
    }
    return status == OK ? DECLINED : status;
}

/* Only `enabled`: another attribute, such as host, differs by mirror. */
static int read_enabled(all_t *all, yajl_val json)
{
    yajl_val enabled =
        YAJL_GET_OBJECT(json)->len == 1 && !strcmp(YAJL_GET_OBJECT(json)->keys[0], "enabled")
            ? YAJL_GET_OBJECT(json)->values[0]
            : NULL;

    if (!YAJL_IS_TRUE(enabled) && !YAJL_IS_FALSE(enabled)) {
        return refuse(all, HTTP_BAD_REQUEST,
                      "attributes: must be {\"enabled\": true} or {\"enabled\": false} for all "
                      "mirrors, got something else");
    }
    all->action = YAJL_IS_TRUE(enabled) ? START : STOP;
    return DECLINED;
}

static int read_json(all_t *all)
{
    const char *text, *wrong;
    apr_size_t size;
    yajl_val json;
    int status;

    if (!mirror_body_is(all->r, "application/json") &&
        !mirror_body_is(all->r, "application/merge-patch+json")) {
        return refuse(all, HTTP_UNSUPPORTED_MEDIA_TYPE,
                      "Content-Type: must be application/json or application/merge-patch+json, got "
                      "another or none");
    }
    status = read_body(&text, &size, all);
    if (status != DECLINED) {
        return status;
    }
    wrong = mirror_override_read_json(&json, text, size, all->r->pool);
    return wrong ? refuse(all, HTTP_BAD_REQUEST, wrong) : read_enabled(all, json);
}

/* Read the field "layer" of a form. */
static int read_layer(all_t *all, const char *layer)
{
    if (!layer || !strcmp(layer, "node")) {
        return DECLINED;
    }
    if (strcmp(layer, "fleet")) {
        return refuse(all, HTTP_BAD_REQUEST,
                      apr_pstrcat(all->r->pool, "layer: must be node or fleet, got ",
                                  mirror_value_quote(layer, all->r->pool), NULL));
    }
    if (!mirror_fleet_edit_is_possible(all->registry)) {
        return refuse(all, HTTP_BAD_REQUEST,
                      "layer: must be node without ProxyMirrorFleet, got \"fleet\"");
    }
    all->remote = mirror_fleet_store_open(all->r, all->registry);
    return DECLINED;
}

static int read_action(all_t *all, const apr_table_t *fields)
{
    const char *action = apr_table_get(fields, "action");
    const char *confirm = apr_table_get(fields, "confirm");

    if (!mirror_guard_is_nonce(apr_table_get(fields, "nonce"), all->registry->nonce)) {
        return refuse(all, HTTP_FORBIDDEN,
                      "nonce: must be that of the current page, got another one (reload the page)");
    }
    for (all->action = 0; action && all->action < ACTIONS; all->action++) {
        if (!strcmp(action, actions[all->action])) {
            break;
        }
    }
    if (!action || all->action == ACTIONS) {
        return refuse(all, HTTP_BAD_REQUEST,
                      "action: must be stop, start, resume or reset for all mirrors, got another "
                      "or none");
    }
    if (all->action != STOP || (confirm && !strcmp(confirm, "yes"))) {
        return read_layer(all, apr_table_get(fields, "layer"));
    }
    return mirror_change_is_for_people(all->r)
               ? send_question(all)
               : refuse(all, HTTP_BAD_REQUEST, "confirm: must be yes, got another or none");
}

static int read_form(all_t *all)
{
    apr_table_t *fields;
    const char *text;
    apr_size_t size;
    int status;

    if (!mirror_body_is(all->r, "application/x-www-form-urlencoded")) {
        return refuse(all, HTTP_UNSUPPORTED_MEDIA_TYPE,
                      "Content-Type: must be application/x-www-form-urlencoded for POST, got "
                      "another or none");
    }
    status = read_body(&text, &size, all);
    if (status != DECLINED) {
        return status;
    }
    fields = mirror_body_fields(all->r, text, size);
    return fields ? read_action(all, fields)
                  : refuse(all, HTTP_BAD_REQUEST,
                           "body: must be a form with each field once, got another body");
}

static int read_request(all_t *all)
{
    const char *expected = apr_table_get(all->r->headers_in, "If-Match");
    int status;

    if (expected && strcmp(expected, "*")) {
        return refuse(all, HTTP_PRECONDITION_FAILED,
                      "If-Match: must be * or missing for all mirrors, got an ETag");
    }
    switch (all->r->method_number) {
    case M_DELETE:
        all->action = RESET;
        status = ap_discard_request_body(all->r);
        return status == OK ? DECLINED : status;
    case M_POST:
        return read_form(all);
    default:
        return read_json(all);
    }
}

/* ---- applying the change ---- */

/* Remove `enabled`, so that of the layer beneath is in force. The `edit` of this node's settings after
 * a change of the fleet. */
static const char *uncover(mirror_override_t *override, const mirror_t *mirror, void *baton,
                           apr_pool_t *pool)
{
    const mirror_attribute_t *row = mirror_attributes_find("enabled");

    (void)mirror;
    (void)baton;
    (void)pool;
    mirror_attributes_unset(&override->given, row);
    override->reset &= ~mirror_attributes_bit(row);
    return NULL;
}

/* The `edit` of mirror_settings_edit_t and of mirror_fleet_edit_t. */
static const char *edit(mirror_override_t *override, const mirror_t *mirror, void *baton,
                        apr_pool_t *pool)
{
    const all_t *all = baton;

    if (all->action == RESUME) {
        return uncover(override, mirror, baton, pool);
    }
    return mirror_override_form(override, "enabled", all->action == START ? "true" : "false",
                                mirror, pool);
}

static void note_failure(all_t *all, const mirror_t *mirror, int status, const char *why)
{
    all->failed++;
    all->status = all->status ? all->status : status;
    all->failures = apr_pstrcat(all->r->pool, all->failures, *all->failures ? "; " : "",
                                mirror->name, ": ", why, NULL);
}

/* Print the result of one mirror; `why` is NULL if the change is in force. */
static void put_result(yajl_gen gen, const all_t *all, const mirror_t *mirror, int changed,
                       const char *why)
{
    apr_pool_t *pool = all->r->pool;

    yajl_gen_map_open(gen);
    mirror_json_put_key(gen, "name");
    mirror_json_put_text(gen, mirror->name, pool);
    mirror_json_put_key(gen, "result");
    mirror_json_put_key(gen, why ? "failed" : changed ? "changed" : "unchanged");
    mirror_json_put_key(gen, "enabled");
    yajl_gen_bool(gen, mirror_settings_borrow(all->registry, mirror, pool)->enabled);
    if (why) {
        mirror_json_put_key(gen, "error");
        mirror_json_put_text(gen, why, pool);
    }
    yajl_gen_map_close(gen);
}

/* Return why this node keeps its former settings, although the document is in the store; NULL if it
 * does not. */
static const char *refuse_here(const all_t *all, const mirror_t *mirror,
                               const mirror_document_t *document)
{
    apr_pool_t *pool = all->r->pool;
    const char *wrong = mirror_settings_change_refuse_over(
        all->registry, mirror, mirror_document_to_store(document, pool), pool);

    return wrong ? apr_pstrcat(pool,
                               "fleet: has the change, but this node keeps its former settings: ",
                               wrong, NULL)
                 : NULL;
}

/* Apply a change to the document of one mirror, and remove what this node has over it. Returns the
 * outcome, and *status and *why of an error. */
static mirror_settings_outcome_e change_document(int *status, const char **why, all_t *all,
                                                 const mirror_t *mirror)
{
    mirror_fleet_edit_t requested = { all->r, all->registry, all->remote, NULL, NULL, all, 0, 1, 0,
                                      1 };
    mirror_settings_edit_t uncovers = { uncover, NULL, all };
    mirror_settings_change_t uncovered;
    mirror_fleet_edited_t result;

    requested.edit = all->action == RESET ? NULL : edit;
    mirror_fleet_edit_apply(&result, &requested, mirror);
    if (result.status != HTTP_OK) {
        *status = result.status;
        *why = result.why;
        all->busy = result.status != HTTP_BAD_REQUEST && result.status != HTTP_BAD_GATEWAY;
        return MIRROR_CHANGE_BAD;
    }
    if (result.is_changed) {
        all->version = result.document.version;
    }
    /* before the node gives up its own `enabled`: it may be all that stops the mirror here */
    *why = refuse_here(all, mirror, &result.document);
    if (*why) {
        *status = HTTP_CONFLICT;
        return MIRROR_CHANGE_BAD;
    }
    if (all->action != RESET) {
        mirror_settings_change_apply(&uncovered, all->registry, mirror, &uncovers, all->r->pool);
        if (uncovered.outcome == MIRROR_CHANGE_MADE) {
            mirror_change_log(all->r, mirror, 0, uncovered.before, uncovered.after);
        }
    }
    return result.is_changed ? MIRROR_CHANGE_MADE : MIRROR_CHANGE_NONE;
}

/* Apply the change to this node's settings of one mirror, in the same way. */
static mirror_settings_outcome_e change_node(int *status, const char **why, all_t *all,
                                             const mirror_t *mirror)
{
    mirror_settings_edit_t requested = { all->action == RESET ? NULL : edit, NULL, all };
    mirror_settings_change_t result;

    mirror_settings_change_apply(&result, all->registry, mirror, &requested, all->r->pool);
    if (result.outcome == MIRROR_CHANGE_BROKEN) {
        /* an invalid override is dropped when settings are made */
        mirror_settings_borrow(all->registry, mirror, all->r->pool);
        mirror_settings_change_apply(&result, all->registry, mirror, &requested, all->r->pool);
    }
    if (result.outcome == MIRROR_CHANGE_MADE) {
        mirror_change_log(all->r, mirror, all->action == RESET, result.before, result.after);
    }
    *status = mirror_change_status(result.outcome);
    *why = result.why;
    all->busy = result.outcome == MIRROR_CHANGE_BUSY;
    return result.outcome;
}

static void change_one(yajl_gen gen, all_t *all, const mirror_t *mirror)
{
    mirror_settings_outcome_e outcome = MIRROR_CHANGE_BUSY;
    int status = HTTP_SERVICE_UNAVAILABLE;
    const char *why = NULL;

    if (!mirror->slot) {
        why = "mirror: cannot be changed while it is off (see the error log)";
    }
    else if (all->busy) {
        /* each further one would wait for the same lock, or the same store */
        why = all->remote
                  ? "fleet: was not tried, because the change before has failed"
                  : "mirror: was not tried, because another change has not finished; retry later";
    }
    else {
        outcome = all->remote ? change_document(&status, &why, all, mirror)
                              : change_node(&status, &why, all, mirror);
    }
    all->changed += outcome == MIRROR_CHANGE_MADE;
    if (why) {
        note_failure(all, mirror, status, why);
    }
    put_result(gen, all, mirror, outcome == MIRROR_CHANGE_MADE, why);
}

static void log_all(const all_t *all)
{
    ap_log_rerror(APLOG_MARK, all->failed ? APLOG_WARNING : APLOG_NOTICE, 0, all->r,
                  "PM0901: %s of all mirrors%s%s: %d of %d changed, %d failed%s%s",
                  actions[all->action], all->remote ? " for the fleet " : "",
                  all->remote ? all->registry->fleet->name : "", all->changed,
                  all->registry->mirrors->nelts, all->failed, all->failed ? ": " : "",
                  all->failures);
}

/* ---- the response ---- */

/* Append what else the response to a program has on a node of a fleet. */
static void put_fleet(yajl_gen gen, const all_t *all)
{
    mirror_fleet_edit_t requested = { all->r, all->registry, all->remote, NULL, NULL, NULL, 0, 0, 0,
                                      0 };

    apr_array_header_t *texts = apr_array_make(all->r->pool, 1, sizeof(const char *));

    mirror_json_put_key(gen, "scope");
    mirror_json_put_key(gen, all->remote ? "fleet" : "node");
    if (!all->remote) {
        APR_ARRAY_PUSH(texts, const char *) =
            "only this node was changed; a change of LOCATION/fleet/mirrors changes all nodes of "
            "the fleet";
        mirror_fleet_json_texts(gen, "warnings", texts, all->r->pool);
    }
    else if (!all->busy) {
        mirror_fleet_report_put(gen, &requested, NULL,
                                all->version.revision ? &all->version : NULL);
    }
}

/* Return what has failed, and its status in all->status; NULL = nothing. A child of before a reload
 * does not know which mirrors the reload has added. */
static const char *find_error(all_t *all)
{
    if (all->failed) {
        return apr_psprintf(all->r->pool, "%d of %d mirrors could not be changed: %s", all->failed,
                            all->registry->mirrors->nelts, all->failures);
    }
    if (mirror_table_is_newest(all->registry->table)) {
        return NULL;
    }
    all->status = HTTP_CONFLICT;
    return "mirrors: httpd has just reloaded its configuration, which may have more mirrors; retry "
           "the request";
}

static int respond(all_t *all, yajl_gen gen)
{
    request_rec *r = all->r;
    const char *error = find_error(all);

    if (mirror_change_is_for_people(r)) {
        if (error) {
            return refuse(all, all->status, error);
        }
        apr_table_setn(r->headers_out, "Location",
                       apr_pstrcat(r->pool, ap_escape_uri(r->pool, all->location), "/", NULL));
        return HTTP_SEE_OTHER;
    }
    if (all->registry->fleet) {
        put_fleet(gen, all);
    }
    if (error) {
        mirror_fleet_store_note_retry(r, all->status);
        mirror_json_put_key(gen, "error");
        mirror_json_put_text(gen, error, r->pool);
    }
    yajl_gen_map_close(gen);
    return mirror_json_send(r, error ? all->status : HTTP_OK, gen);
}

static int handle(all_t *all)
{
    const mirror_registry_t *registry = all->registry;
    const char *why = mirror_guard_refuse(all->r);
    yajl_gen gen;
    int status, i;

    if (why) {
        return refuse(all, HTTP_FORBIDDEN, why);
    }
    status = read_request(all);
    if (status != DECLINED) {
        return status;
    }
    gen = mirror_json_create(all->r->pool);
    yajl_gen_map_open(gen);
    mirror_json_put_key(gen, "mirrors");
    yajl_gen_array_open(gen);
    for (i = 0; i < registry->mirrors->nelts; i++) {
        change_one(gen, all, APR_ARRAY_IDX(registry->mirrors, i, const mirror_t *));
    }
    yajl_gen_array_close(gen);
    log_all(all);
    return respond(all, gen);
}

static void begin(all_t *all, request_rec *r, const mirror_registry_t *registry,
                  const char *location)
{
    memset(all, 0, sizeof(*all));
    all->r = r;
    all->registry = registry;
    all->location = location;
    all->failures = "";
}

int mirror_change_all_handle(request_rec *r, const mirror_registry_t *registry,
                             const char *location)
{
    all_t all;

    begin(&all, r, registry, location);
    return handle(&all);
}

int mirror_change_all_handle_fleet(request_rec *r, const mirror_registry_t *registry)
{
    all_t all;

    begin(&all, r, registry, NULL);
    all.remote = mirror_fleet_store_open(r, registry);
    return handle(&all);
}
