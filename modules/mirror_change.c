/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * mirror_change.c - changing a mirror while httpd runs. See mirror_change.h.
 *
 * A change is made of what is stored at one moment: that is read, changed, checked and compiled, and stored in its place if
 * it is still the same. If somebody was faster, all is done again over what they stored. So nothing that was answered with
 * 200 is lost, and nobody holds a lock but to store a text.
 */
#include <string.h>

#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>

#include "mirror_allow.h"
#include "mirror_change.h"
#include "mirror_change_body.h"
#include "mirror_change_guard.h"
#include "mirror_manager_guard.h"
#include "mirror_manager_json.h"
#include "mirror_override.h"
#include "mirror_page.h"
#include "mirror_settings.h"
#include "mirror_slotmem.h"

APLOG_USE_MODULE(proxy_mirror);

#define FORM      "application/x-www-form-urlencoded"
#define JSON      "application/json"
#define PATCH     "application/merge-patch+json"
#define TRIES     10000 /* each but the last was another change that succeeded */
#define LIST_MAX 4096  /* bytes of a log line's list of attributes */

typedef struct change_t {
    request_rec *r;
    const mirror_registry_t *registry;
    const mirror_t *mirror;
    const char *location;
    yajl_val json;       /* of PUT and PATCH */
    apr_table_t *fields; /* of a form */
    int reset;           /* back to the file */
} change_t;

/* ---- refusals ---- */

int mirror_change_send_page(request_rec *r, const mirror_registry_t *registry, const char *location, const char *failed)
{
    mirror_page_visit_t visit = { location, NULL, NULL, failed };

    visit.refusal = mirror_change_guard_refuse_client(r);
    visit.nonce = visit.refusal ? NULL : registry->nonce;
    return mirror_page_send(r, registry, &visit);
}

/* Whether a browser has sent a form, and shows the response to a person; page.js sends forms as well, but reads JSON: for
 * any way around the manager (a login page, say) can redirect, and only JSON of the mirror proves that the change was made. */
static int is_for_people(const request_rec *r)
{
    const char *accept = apr_table_get(r->headers_in, "Accept");

    return r->method_number == M_POST && accept && ap_strcasestr(accept, "text/html");
}

static int refuse(const change_t *change, int status, const char *why)
{
    request_rec *r = change->r;

    if (status == HTTP_FORBIDDEN) {
        mirror_manager_guard_log(r, change->mirror->name, why);
    }
    if (!is_for_people(r)) {
        return mirror_manager_json_error(r, status, why);
    }
    r->status = status;
    return mirror_change_send_page(r, change->registry, change->location, why);
}

/* ---- what is asked for ---- */

static int read_body(const char **text, apr_size_t *size, const change_t *change)
{
    int status = mirror_change_body_read(text, size, change->r);

    if (status == HTTP_REQUEST_ENTITY_TOO_LARGE) {
        return refuse(change, status, "body: at most 65536 bytes are possible; got more");
    }
    return status == OK ? DECLINED : status;
}

/* Each of these returns DECLINED, or what the handler returns as the request was answered. */

static int read_json(change_t *change)
{
    request_rec *r = change->r;
    const char *text, *wrong;
    apr_size_t size;
    int status;

    if (!mirror_change_body_is(r, JSON) && (r->method_number != M_PATCH || !mirror_change_body_is(r, PATCH))) {
        return refuse(change, HTTP_UNSUPPORTED_MEDIA_TYPE,
                      r->method_number == M_PATCH ? "Content-Type: " JSON " or " PATCH " is needed"
                                                  : "Content-Type: " JSON " is needed");
    }
    status = read_body(&text, &size, change);
    if (status != DECLINED) {
        return status;
    }
    wrong = mirror_override_read_json(&change->json, text, size, r->pool);
    return wrong ? refuse(change, HTTP_BAD_REQUEST, wrong) : DECLINED;
}

/* What is left of the fields are attributes. */
static int read_action(change_t *change)
{
    const char *action = apr_table_get(change->fields, "action");

    if (!mirror_change_guard_is_nonce(apr_table_get(change->fields, "nonce"), change->registry->nonce)) {
        return refuse(change, HTTP_FORBIDDEN,
                      "nonce: that of the page as it is now is needed, so load the page again; got another one");
    }
    change->reset = action && !strcmp(action, "reset");
    if (action && !change->reset && strcmp(action, "set")) {
        return refuse(change, HTTP_BAD_REQUEST,
                      apr_psprintf(change->r->pool, "action: set or reset is needed; got %s",
                                   mirror_value_quote(action, change->r->pool)));
    }
    apr_table_unset(change->fields, "nonce");
    apr_table_unset(change->fields, "action");
    return DECLINED;
}

static int read_form(change_t *change)
{
    const char *text;
    apr_size_t size;
    int status;

    if (!mirror_change_body_is(change->r, FORM)) {
        return refuse(change, HTTP_UNSUPPORTED_MEDIA_TYPE, "Content-Type: " FORM " is needed with POST");
    }
    status = read_body(&text, &size, change);
    if (status != DECLINED) {
        return status;
    }
    change->fields = mirror_change_body_fields(change->r, text, size);
    return change->fields ? read_action(change)
                          : refuse(change, HTTP_BAD_REQUEST, "body: a form, each field once, is needed; got another one");
}

static int read_change(change_t *change)
{
    int status;

    switch (change->r->method_number) {
    case M_DELETE:
        change->reset = 1;
        status = ap_discard_request_body(change->r);
        return status == OK ? DECLINED : status;
    case M_POST:
        return read_form(change);
    default:
        return read_json(change);
    }
}

/* ---- what comes of it ---- */

static const char *edit_fields(mirror_override_t *override, const change_t *change, apr_pool_t *pool)
{
    const apr_array_header_t *fields = apr_table_elts(change->fields);
    const char *wrong = NULL;
    int i;

    for (i = 0; !wrong && i < fields->nelts; i++) {
        const apr_table_entry_t *field = &APR_ARRAY_IDX(fields, i, apr_table_entry_t);

        if (strcmp(field->key, "etag")) {
            wrong = mirror_override_form(override, field->key, field->val, change->mirror, pool);
        }
    }
    return wrong;
}

/* What is to be stored in the place of `stored`. Returns NULL, or what is wrong. */
static const char *edit(const char **text, const change_t *change, const char *stored,
                        const mirror_settings_t *before, apr_pool_t *pool)
{
    mirror_override_t override;
    const char *wrong;

    *text = NULL;
    if (change->reset) {
        return NULL;
    }
    wrong = mirror_override_parse(&override, stored, pool);
    if (!wrong) {
        wrong = change->fields                           ? edit_fields(&override, change, pool)
                : change->r->method_number == M_PUT ? mirror_override_put(&override, change->json, change->mirror, pool)
                                                    : mirror_override_patch(&override, change->json, change->mirror, pool);
    }
    if (!wrong) {
        mirror_override_tidy(&override, change->mirror, pool);
        wrong = mirror_override_refuse_password(&override, before, change->mirror, pool);
    }
    if (!wrong) {
        *text = mirror_override_print(&override, pool);
    }
    return wrong;
}

/* Whether the client knows what it changes (RFC 9110 13.1). */
static int is_expected(const change_t *change, const char *etag)
{
    const char *known = change->fields ? apr_table_get(change->fields, "etag") : NULL;

    apr_table_setn(change->r->headers_out, "ETag", etag);
    return (!known || !strcmp(known, etag)) &&
           ap_condition_if_match(change->r, change->r->headers_out) != AP_CONDITION_NOMATCH &&
           ap_condition_if_none_match(change->r, change->r->headers_out) < AP_CONDITION_WEAK;
}

/* ---- the log ---- */

/* "count from 1 to 2, expr from nothing to \"...\"", cut. */
static const char *list_changes(const mirror_settings_t *before, const mirror_settings_t *after, apr_pool_t *pool)
{
    const mirror_attribute_t *row;
    const char *list = "";
    int more = 0;

    for (row = mirror_attributes; row->name; row++) {
        if (mirror_attributes_same(before, after, row, pool)) {
            continue;
        }
        if (strlen(list) > LIST_MAX) {
            more++;
            continue;
        }
        list = apr_pstrcat(pool, list, *list ? ", " : "", row->name, " from ",
                           mirror_attributes_describe(before, row, pool), " to ",
                           mirror_attributes_describe(after, row, pool), NULL);
    }
    return more ? apr_psprintf(pool, "%s, and %d more", list, more) : list;
}

static void tell(const change_t *change, const mirror_settings_t *before, const mirror_settings_t *after)
{
    request_rec *r = change->r;
    int proxied = strcmp(r->useragent_ip, r->connection->client_ip) != 0;

    ap_log_rerror(APLOG_MARK, APLOG_NOTICE, 0, r, "PM0900: mirror %s is changed%s by %s from %s%s%s: %s",
                  change->mirror->name, change->reset ? ", back to the configuration file," : "",
                  r->user ? mirror_value_quote(r->user, r->pool) : "a client without a user", r->useragent_ip,
                  proxied ? " through " : "", proxied ? r->connection->client_ip : "",
                  list_changes(before, after, r->pool));
}

/* What was found out about another host, or another limit, does not hold. */
static void forget(const change_t *change, const mirror_settings_t *before, const mirror_settings_t *after)
{
    mirror_slot_t *slot = change->mirror->slot;

    if (strcmp(before->target.url, after->target.url)) {
        apr_atomic_set64(&slot->down_until, 0);
        apr_atomic_set64(&slot->down_drops, 0);
    }
    if (before->limit_id != after->limit_id) {
        apr_atomic_set64(&slot->limit_silent, 0);
        apr_atomic_set64(&slot->limit_shared, 0);
    }
}

/* ---- the answer ---- */

static apr_status_t give_back(void *settings)
{
    mirror_settings_drop(settings);
    return APR_SUCCESS;
}

static int answer(const change_t *change, const mirror_settings_t *settings)
{
    request_rec *r = change->r;
    yajl_gen gen;

    if (change->fields && is_for_people(r)) {
        apr_table_setn(r->headers_out, "Location", apr_pstrcat(r->pool, ap_escape_uri(r->pool, change->location), "/", NULL));
        return HTTP_SEE_OTHER;
    }
    gen = mirror_manager_json_create(r->pool);
    mirror_manager_json_mirror(gen, change->registry, change->mirror, settings, r->pool);
    apr_table_setn(r->headers_out, "ETag", mirror_manager_json_etag(change->registry, settings, r->pool));
    return mirror_manager_json_send(r, HTTP_OK, gen);
}

/* ---- once ---- */

/* What is wrong with settings that JSON may set, but that cannot be in force here. */
static const char *check(const change_t *change, const mirror_settings_t *before, const mirror_settings_t *after)
{
    const char *wrong = mirror_allow_settings(change->registry, change->mirror, after, change->r->pool);

    if (!wrong && (strcmp(before->target.url, after->target.url) || before->limit_id != after->limit_id ||
                   before->enable_limit_count != after->enable_limit_count)) {
        wrong = mirror_settings_missing(change->mirror, after, change->r->pool);
        wrong = wrong ? apr_pstrcat(change->r->pool, "attributes: ", wrong, NULL) : NULL;
    }
    return wrong;
}

/* Store what was made of `stored`. APR_EAGAIN: somebody was faster. */
static apr_status_t store(const change_t *change, const mirror_store_text_t *stored, const char *text,
                          const mirror_settings_t *before, const mirror_settings_t *after)
{
    mirror_slot_t *slot = change->mirror->slot;
    mirror_table_t *table = change->registry->table;
    apr_status_t rv;

    if (stored->text ? text && !strcmp(text, stored->text) : !text) {
        return APR_SUCCESS; /* nothing changes */
    }
    rv = mirror_store_write(&slot->version, mirror_slotmem_store(table, slot), mirror_slotmem_store_lock(table),
                            stored->version, change->mirror->config, text);
    if (rv == APR_SUCCESS) {
        forget(change, before, after);
        tell(change, before, after);
    }
    return rv;
}

/* One attempt. Returns DECLINED if somebody was faster, or what the handler returns. */
static int attempt(const change_t *change, apr_pool_t *pool)
{
    const mirror_t *mirror = change->mirror;
    mirror_settings_t *before, *after;
    mirror_store_text_t stored;
    const char *text, *wrong;
    apr_status_t rv;

    if (apr_atomic_read64(&mirror->slot->config) != mirror->config) {
        return refuse(change, HTTP_CONFLICT, "mirror: httpd has just read its configuration anew; ask again");
    }
    mirror_store_read(&stored, &mirror->slot->version, mirror_slotmem_store(change->registry->table, mirror->slot), pool);
    if (stored.config != mirror->config) {
        stored.text = NULL;
    }
    wrong = mirror_settings_make(&before, mirror, stored.text, stored.version, pool);
    if (wrong && change->reset) { /* what cannot be in force is not in force, and can be taken away */
        wrong = mirror_settings_make(&before, mirror, NULL, stored.version, pool);
    }
    if (wrong) {
        return refuse(change, HTTP_INTERNAL_SERVER_ERROR, wrong);
    }
    apr_pool_cleanup_register(pool, before, give_back, apr_pool_cleanup_null);
    if (!is_expected(change, mirror_manager_json_etag(change->registry, before, change->r->pool))) {
        return refuse(change, HTTP_PRECONDITION_FAILED, "If-Match: the ETag of the mirror as it is now is needed; got another");
    }
    wrong = edit(&text, change, stored.text, before, pool);
    if (!wrong) {
        wrong = mirror_settings_make(&after, mirror, text, stored.version + 1, pool);
    }
    if (wrong) {
        return refuse(change, HTTP_BAD_REQUEST, wrong);
    }
    apr_pool_cleanup_register(pool, after, give_back, apr_pool_cleanup_null);
    wrong = change->reset ? NULL : check(change, before, after);
    if (wrong) {
        return refuse(change, HTTP_BAD_REQUEST, wrong);
    }
    rv = store(change, &stored, text, before, after);
    return rv == APR_SUCCESS                ? answer(change, after)
           : APR_STATUS_IS_EAGAIN(rv)       ? DECLINED
           : rv == APR_ENOSPC               ? refuse(change, HTTP_BAD_REQUEST, "attributes: all that is set of a mirror is at most 65535 bytes; got more")
                                            : refuse(change, HTTP_SERVICE_UNAVAILABLE, "mirror: another change of it hangs; ask again later");
}

int mirror_change_handle(request_rec *r, const mirror_registry_t *registry, const mirror_t *mirror,
                         const char *location)
{
    change_t change = { r, registry, mirror, location, NULL, NULL, 0 };
    const char *why = mirror_change_guard_refuse(r);
    apr_pool_t *pool;
    int status, tries;

    if (why) {
        return refuse(&change, HTTP_FORBIDDEN, why);
    }
    if (!mirror->slot) {
        return refuse(&change, HTTP_SERVICE_UNAVAILABLE, "mirror: it is off, as the error log says; nothing can be changed");
    }
    status = read_change(&change);
    apr_pool_create(&pool, r->pool);
    for (tries = 0; status == DECLINED && tries < TRIES; tries++) {
        apr_pool_clear(pool);
        status = attempt(&change, pool);
    }
    apr_pool_destroy(pool);
    return status == DECLINED ? refuse(&change, HTTP_SERVICE_UNAVAILABLE, "mirror: too many others change it; ask again later")
                              : status;
}
