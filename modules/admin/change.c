/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/change.c - changes of a mirror at run time. See admin/change.h.
 *
 * settings/change.h applies the change; this file parses the request and sends the response.
 */
#include <string.h>

#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>

#include "admin/access.h"
#include "admin/body.h"
#include "admin/change.h"
#include "admin/comparison.h"
#include "admin/fleet_edit.h"
#include "admin/fleet_store.h"
#include "admin/guard.h"
#include "admin/json.h"
#include "admin/page.h"
#include "settings/change.h"
#include "settings/compare_rule.h"
#include "settings/settings.h"

APLOG_USE_MODULE(proxy_mirror);

#define FORM  "application/x-www-form-urlencoded"
#define JSON  "application/json"
#define PATCH "application/merge-patch+json"

/* What a change does, as in the field "action" of a form. */
typedef enum { SET, RESET, ADD_RULE, REMOVE_RULE, RESTART_COMPARISON, ACTIONS } action_e;

static const char *const actions[ACTIONS] = { "set", "reset", "add_rule", "remove_rule",
                                              "restart_comparison" };

typedef struct change_t {
    request_rec *r;
    const mirror_registry_t *registry;
    const mirror_t *mirror;
    const char *location;
    yajl_val json;       /* of PUT and PATCH */
    apr_table_t *fields; /* of a form */
    int action;          /* action_e; of anything but a form SET or RESET */
    int is_for_fleet;    /* a form that changes all nodes */
} change_t;

/* ---- refusals ---- */

int mirror_change_send_visit(request_rec *r, const mirror_registry_t *registry,
                             mirror_page_visit_t *visit)
{
    visit->refusal = mirror_guard_refuse_client(r);
    visit->nonce = visit->refusal ? NULL : registry->nonce;
    return mirror_page_send(r, registry, visit);
}

int mirror_change_send_page(request_rec *r, const mirror_registry_t *registry, const char *location,
                            const char *failed)
{
    mirror_page_visit_t visit = { location, NULL, NULL, failed, 0, 0 };

    return mirror_change_send_visit(r, registry, &visit);
}

/* page.js also sends forms, but requires JSON: a login page could redirect, and only the manager's
 * JSON proves that the change was applied. */
int mirror_change_is_for_people(const request_rec *r)
{
    const char *accept = apr_table_get(r->headers_in, "Accept");

    return r->method_number == M_POST && accept && ap_strcasestr(accept, "text/html");
}

static int refuse(const change_t *change, int status, const char *why)
{
    request_rec *r = change->r;

    if (status == HTTP_FORBIDDEN) {
        mirror_access_log(r, change->mirror->name, why);
    }
    if (!mirror_change_is_for_people(r)) {
        return mirror_fleet_store_send_error(r, status, why);
    }
    r->status = status;
    return mirror_change_send_page(r, change->registry, change->location, why);
}

/* ---- parsing the request ---- */

static int read_body(const char **text, apr_size_t *size, const change_t *change)
{
    int status = mirror_body_read(text, size, change->r);

    if (status == HTTP_REQUEST_ENTITY_TOO_LARGE) {
        return refuse(change, status, "body: must be at most 65536 bytes, got more");
    }
    return status == OK ? DECLINED : status;
}

/* The following functions return DECLINED, or the handler's result if the response was sent. */

static int read_json(change_t *change)
{
    request_rec *r = change->r;
    const char *text, *wrong;
    apr_size_t size;
    int status;

    if (!mirror_body_is(r, JSON) && (r->method_number != M_PATCH || !mirror_body_is(r, PATCH))) {
        return refuse(change, HTTP_UNSUPPORTED_MEDIA_TYPE,
                      r->method_number == M_PATCH
                          ? "Content-Type: must be " JSON " or " PATCH ", got another or none"
                          : "Content-Type: must be " JSON ", got another or none");
    }
    status = read_body(&text, &size, change);
    if (status != DECLINED) {
        return status;
    }
    wrong = mirror_override_read_json(&change->json, text, size, r->pool);
    return wrong ? refuse(change, HTTP_BAD_REQUEST, wrong) : DECLINED;
}

/* The remaining fields are attributes. */
static int read_action(change_t *change)
{
    const char *action = apr_table_get(change->fields, "action");
    const char *layer = apr_table_get(change->fields, "layer");
    int i = SET;

    if (!mirror_guard_is_nonce(apr_table_get(change->fields, "nonce"), change->registry->nonce)) {
        return refuse(change, HTTP_FORBIDDEN,
                      "nonce: must be that of the current page, got another one (reload the page)");
    }
    while (action && i < ACTIONS && strcmp(action, actions[i])) {
        i++;
    }
    if (i == ACTIONS) {
        return refuse(change, HTTP_BAD_REQUEST,
                      apr_psprintf(change->r->pool,
                                   "action: must be set, reset, add_rule, remove_rule or "
                                   "restart_comparison, got %s",
                                   mirror_value_quote(action, change->r->pool)));
    }
    change->action = i;
    if (layer && strcmp(layer, "node") && (strcmp(layer, "fleet") || i == RESTART_COMPARISON)) {
        return refuse(change, HTTP_BAD_REQUEST,
                      apr_pstrcat(change->r->pool,
                                  "layer: must be node, or unless a comparison is restarted fleet, "
                                  "got ",
                                  mirror_value_quote(layer, change->r->pool), NULL));
    }
    change->is_for_fleet = layer && !strcmp(layer, "fleet");
    if (change->is_for_fleet && !mirror_fleet_edit_is_possible(change->registry)) {
        return refuse(change, HTTP_BAD_REQUEST,
                      "layer: must be node without ProxyMirrorFleet, got \"fleet\"");
    }
    apr_table_unset(change->fields, "nonce");
    apr_table_unset(change->fields, "action");
    apr_table_unset(change->fields, "layer");
    return DECLINED;
}

static int read_form(change_t *change)
{
    const char *text;
    apr_size_t size;
    int status;

    if (!mirror_body_is(change->r, FORM)) {
        return refuse(change, HTTP_UNSUPPORTED_MEDIA_TYPE,
                      "Content-Type: must be " FORM " for POST, got another or none");
    }
    status = read_body(&text, &size, change);
    if (status != DECLINED) {
        return status;
    }
    change->fields = mirror_body_fields(change->r, text, size);
    return change->fields ? read_action(change)
                          : refuse(change, HTTP_BAD_REQUEST,
                                   "body: must be a form with each field once, got another body");
}

static int read_change(change_t *change)
{
    int status;

    switch (change->r->method_number) {
    case M_DELETE:
        change->action = RESET;
        status = ap_discard_request_body(change->r);
        return status == OK ? DECLINED : status;
    case M_POST:
        return read_form(change);
    default:
        return read_json(change);
    }
}

/* ---- applying the change ---- */

static const char *edit_fields(mirror_override_t *override, const change_t *change,
                               apr_pool_t *pool)
{
    const apr_array_header_t *fields = apr_table_elts(change->fields);
    const char *wrong = NULL;
    int i;

    for (i = 0; !wrong && i < fields->nelts; i++) {
        const apr_table_entry_t *field = &APR_ARRAY_IDX(fields, i, apr_table_entry_t);

        if (strcmp(field->key, "etag")) {
            wrong = change->is_for_fleet ? mirror_document_refuse_name(field->key, pool) : NULL;
            wrong = wrong ? wrong
                          : mirror_override_form(override, field->key, field->val, change->mirror,
                                                 pool);
        }
    }
    return wrong;
}

/* Return a rule in its canonical form; as it is if it is none. */
static const char *canonical(const char *text, apr_pool_t *pool)
{
    mirror_compare_rule_t *rule;

    return mirror_compare_rule_parse(&rule, text, pool) ? text : mirror_compare_rule_text(rule);
}

/* The rule that says the contrary of this one: that a field is ignored, or matters. NULL: none. */
static const char *contrary_of(const mirror_compare_rule_t *rule, apr_pool_t *pool)
{
    const char *text = mirror_compare_rule_text(rule), *action = ap_strrchr_c(text, ' ');

    switch (mirror_compare_rule_action(rule)) {
    case MIRROR_RULE_IGNORE:
        return apr_pstrcat(pool, apr_pstrmemdup(pool, text, (apr_size_t)(action - text)),
                           " compare", NULL);
    case MIRROR_RULE_COMPARE:
        return apr_pstrcat(pool, apr_pstrmemdup(pool, text, (apr_size_t)(action - text)), " ignore",
                           NULL);
    default:
        return NULL;
    }
}

/* Add a rule to compare_rules as they are then, or remove it. */
static const char *edit_rules(mirror_override_t *override, const change_t *change, apr_pool_t *pool)
{
    const char *requested = apr_table_get(change->fields, "rule");
    apr_array_header_t *rules = apr_array_make(pool, 8, sizeof(const char *));
    const char *wrong, *text, *contrary;
    mirror_settings_t settings;
    mirror_compare_rule_t *rule;
    int i;

    wrong = mirror_compare_rule_parse(&rule, requested ? requested : "", pool);
    if (wrong) {
        return apr_pstrcat(pool, "rule: ", wrong, NULL);
    }
    text = mirror_compare_rule_text(rule);
    contrary = change->action == ADD_RULE ? contrary_of(rule, pool) : NULL;
    mirror_override_apply(&settings, override, change->mirror);
    for (i = 0; settings.compare_rules && i < settings.compare_rules->nelts; i++) {
        const char *present = APR_ARRAY_IDX(settings.compare_rules, i, const char *);
        const char *form = canonical(present, pool);

        if (strcmp(form, text) && (!contrary || strcmp(form, contrary))) {
            APR_ARRAY_PUSH(rules, const char *) = present;
        }
    }
    if (change->action == ADD_RULE) {
        APR_ARRAY_PUSH(rules, const char *) = text;
    }
    rules = rules->nelts ? rules : NULL;
    text = mirror_value_to_text(&rules, &mirror_attributes_find("compare_rules")->rule, pool);
    return mirror_override_form(override, "compare_rules", text ? text : "[]", change->mirror,
                                pool);
}

/* The `edit` of mirror_settings_edit_t. */
static const char *edit(mirror_override_t *override, const mirror_t *mirror, void *baton,
                        apr_pool_t *pool)
{
    const change_t *change = baton;

    if (change->action != SET) {
        return edit_rules(override, change, pool);
    }
    return change->fields ? edit_fields(override, change, pool)
           : change->r->method_number == M_PUT
               ? mirror_override_put(override, change->json, mirror, pool)
               : mirror_override_patch(override, change->json, mirror, pool);
}

/* The `expects` of mirror_settings_edit_t: return whether the client's precondition is true (RFC
 * 9110 13.1). */
static int is_expected(const mirror_settings_t *before, void *baton)
{
    const change_t *change = baton;
    const char *known = change->fields ? apr_table_get(change->fields, "etag") : NULL;
    const char *etag = mirror_json_etag(change->registry, before, change->r->pool);

    apr_table_setn(change->r->headers_out, "ETag", etag);
    return (!known || !strcmp(known, etag)) &&
           ap_condition_if_match(change->r, change->r->headers_out) != AP_CONDITION_NOMATCH &&
           ap_condition_if_none_match(change->r, change->r->headers_out) < AP_CONDITION_WEAK;
}

/* ---- the log ---- */

void mirror_change_log(request_rec *r, const mirror_t *mirror, int reset,
                       const mirror_settings_t *before, const mirror_settings_t *after)
{
    int proxied = strcmp(r->useragent_ip, r->connection->client_ip) != 0;

    ap_log_rerror(
        APLOG_MARK, APLOG_NOTICE, 0, r, "PM0900: mirror %s was changed%s by %s from %s%s%s: %s",
        mirror->name, reset ? " (reset to the configuration file)" : "",
        r->user ? mirror_value_quote(r->user, r->pool) : "a client without a user", r->useragent_ip,
        proxied ? " through " : "", proxied ? r->connection->client_ip : "",
        mirror_settings_change_list(before, after, r->pool));
}

/* ---- responses ---- */

static int respond(const change_t *change, const mirror_settings_t *settings)
{
    request_rec *r = change->r;
    yajl_gen gen;

    if (change->fields && mirror_change_is_for_people(r)) {
        apr_table_setn(r->headers_out, "Location",
                       apr_pstrcat(r->pool, ap_escape_uri(r->pool, change->location), "/",
                                   change->action > RESET ? "#c-" : "",
                                   change->action > RESET ? change->mirror->name : "", NULL));
        return HTTP_SEE_OTHER;
    }
    gen = mirror_json_create(r->pool);
    mirror_json_mirror(gen, change->registry, change->mirror, settings, r->pool);
    apr_table_setn(r->headers_out, "ETag", mirror_json_etag(change->registry, settings, r->pool));
    return mirror_json_send(r, HTTP_OK, gen);
}

int mirror_change_status(mirror_settings_outcome_e outcome)
{
    static const int statuses[] = {
        [MIRROR_CHANGE_MADE] = HTTP_OK,
        [MIRROR_CHANGE_NONE] = HTTP_OK,
        [MIRROR_CHANGE_BAD] = HTTP_BAD_REQUEST,
        [MIRROR_CHANGE_UNEXPECTED] = HTTP_PRECONDITION_FAILED,
        [MIRROR_CHANGE_RELOADED] = HTTP_CONFLICT,
        [MIRROR_CHANGE_BUSY] = HTTP_SERVICE_UNAVAILABLE,
        [MIRROR_CHANGE_BROKEN] = HTTP_INTERNAL_SERVER_ERROR,
    };

    return statuses[outcome];
}

static int restart(const change_t *change)
{
    request_rec *r = change->r;
    const char *why = mirror_comparison_restart(r, change->registry, change->mirror);

    return why ? refuse(change, HTTP_SERVICE_UNAVAILABLE, why)
               : respond(change, mirror_settings_borrow(change->registry, change->mirror, r->pool));
}

/* Apply a form to the document of the fleet. Its field `etag` is that of this node, and not checked. */
static int apply_to_fleet(change_t *change)
{
    request_rec *r = change->r;
    mirror_fleet_edit_t requested = { r, change->registry, NULL, NULL, NULL, change, 0, 0, 0, 0 };
    mirror_fleet_edited_t result;

    requested.remote = mirror_fleet_store_open(r, change->registry);
    requested.edit = change->action == RESET ? NULL : edit;
    mirror_fleet_edit_apply(&result, &requested, change->mirror);
    if (result.status != HTTP_OK) {
        return refuse(change, result.status, result.why);
    }
    return respond(change, mirror_settings_borrow(change->registry, change->mirror, r->pool));
}

int mirror_change_handle(request_rec *r, const mirror_registry_t *registry, const mirror_t *mirror,
                         const char *location)
{
    change_t change = { r, registry, mirror, location, NULL, NULL, SET, 0 };
    const char *why = mirror_guard_refuse(r);
    mirror_settings_change_t result;
    mirror_settings_edit_t requested;
    int status;

    if (why) {
        return refuse(&change, HTTP_FORBIDDEN, why);
    }
    if (!mirror->slot) {
        return refuse(&change, HTTP_SERVICE_UNAVAILABLE,
                      "mirror: cannot be changed while it is off (see the error log)");
    }
    status = read_change(&change);
    if (status != DECLINED) {
        return status;
    }
    if (change.action == RESTART_COMPARISON) {
        return restart(&change);
    }
    if (change.is_for_fleet) {
        return apply_to_fleet(&change);
    }
    requested.edit = change.action == RESET ? NULL : edit;
    requested.expects = is_expected;
    requested.baton = &change;
    mirror_settings_change_apply(&result, registry, mirror, &requested, r->pool);
    if (result.outcome > MIRROR_CHANGE_NONE) {
        return refuse(&change, mirror_change_status(result.outcome), result.why);
    }
    if (result.outcome == MIRROR_CHANGE_MADE) {
        mirror_change_log(r, mirror, change.action == RESET, result.before, result.after);
    }
    return respond(&change, result.after);
}
