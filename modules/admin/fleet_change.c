/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/fleet_change.c - changes of the fleet. See admin/fleet_change.h.
 */
#include <string.h>

#include <apr_cstr.h>
#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>

#include "admin/access.h"
#include "admin/body.h"
#include "admin/fleet_change.h"
#include "admin/fleet_json.h"
#include "admin/fleet_store.h"
#include "admin/guard.h"
#include "admin/json.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "fleet/follow.h"
#include "fleet/write.h"
#include "settings/change.h"
#include "settings/layers.h"
#include "settings/settings.h"

APLOG_USE_MODULE(proxy_mirror);

#define TRIES       32   /* each failed one means that another change was written */
#define TEXT_MAX    120  /* bytes of by and from */
#define CHANGES_MAX 2000 /* bytes of the list of changes in the log of the fleet */
#define WAIT_MAX    10   /* seconds */
#define WAIT_NAP    apr_time_from_msec(100)

typedef struct fleet_change_t {
    request_rec *r;
    const mirror_registry_t *registry;
    const mirror_t *mirror;
    mirror_remote_t *remote;
    yajl_val json;             /* of PUT and PATCH */
    const apr_table_t *fields; /* of a form */
    int is_delete;
    int is_conditional;       /* has If-Match or If-None-Match */
    mirror_document_t before; /* in the store */
    mirror_write_t write;
} fleet_change_t;

static int refuse(request_rec *r, const mirror_t *mirror, int status, const char *why)
{
    if (status == HTTP_FORBIDDEN) {
        mirror_access_log(r, mirror ? mirror->name : NULL, why);
    }
    return mirror_json_error(r, status, why);
}

/* ---- texts ---- */

/* Return at most `max` bytes of a text, in UTF-8. */
static const char *cut(const char *text, apr_size_t max, apr_pool_t *pool)
{
    char *copy = apr_pstrndup(pool, text ? text : "", max), *c;

    if (!mirror_utf8_is_valid(copy)) {
        for (c = copy; *c; c++) {
            *c = *c & 0x80 ? '?' : *c;
        }
    }
    return copy;
}

static const char *now_text(apr_pool_t *pool)
{
    apr_time_exp_t x;

    apr_time_exp_gmt(&x, mirror_clock_to_wall(mirror_clock_now()));
    return apr_psprintf(pool, "%04d-%02d-%02dT%02d:%02d:%02dZ", x.tm_year + 1900, x.tm_mon + 1,
                        x.tm_mday, x.tm_hour, x.tm_min, x.tm_sec);
}

/* ---- the request ---- */

/* The following functions return OK, or the handler's result after an error response. */

static int read_json(fleet_change_t *change)
{
    request_rec *r = change->r;
    const char *text, *wrong;
    apr_size_t size;
    int status;

    if (!mirror_body_is(r, "application/json") &&
        (r->method_number != M_PATCH || !mirror_body_is(r, "application/merge-patch+json"))) {
        return refuse(r, change->mirror, HTTP_UNSUPPORTED_MEDIA_TYPE,
                      "Content-Type: must be application/json (for PATCH, also "
                      "application/merge-patch+json), got another or none");
    }
    status = mirror_body_read(&text, &size, r);
    if (status == HTTP_REQUEST_ENTITY_TOO_LARGE) {
        return refuse(r, change->mirror, status, "body: must be at most 65536 bytes, got more");
    }
    if (status != OK) {
        return status;
    }
    wrong = mirror_override_read_json(&change->json, text, size, r->pool);
    if (!wrong) {
        wrong = mirror_document_refuse(change->json, r->pool);
    }
    return wrong ? refuse(r, change->mirror, HTTP_BAD_REQUEST, wrong) : OK;
}

/* Check the preconditions (RFC 9110 13.1) against the document in the store. */
static int check_condition(fleet_change_t *change)
{
    request_rec *r = change->r;
    const char *etag = mirror_fleet_store_etag(&change->before.version, r->pool);
    int fails;

    change->is_conditional =
        apr_table_get(r->headers_in, "If-Match") || apr_table_get(r->headers_in, "If-None-Match");
    if (etag) {
        apr_table_setn(r->headers_out, "ETag", etag);
        fails = ap_condition_if_match(r, r->headers_out) == AP_CONDITION_NOMATCH ||
                ap_condition_if_none_match(r, r->headers_out) >= AP_CONDITION_WEAK;
    }
    else {
        apr_table_unset(r->headers_out, "ETag");
        fails = apr_table_get(r->headers_in, "If-Match") != NULL;
    }
    return fails ? refuse(r, change->mirror, HTTP_PRECONDITION_FAILED,
                          "If-Match: must be the current ETag of the fleet's settings, got another")
                 : OK;
}

/* ---- the new document ---- */

/* Whether PUT leaves the attribute to the file of each node if it is not given. */
static int is_left_to_file(const mirror_attribute_t *row)
{
    return row->flags & (MIRROR_ATTRIBUTE_NO_JSON | MIRROR_ATTRIBUTE_NO_DEFAULT) ||
           !strncmp(row->name, "redis_", 6) || !strncmp(row->name, "sentinel_", 9);
}

static const char *edit_fields(mirror_override_t *override, const fleet_change_t *change)
{
    const apr_array_header_t *fields = apr_table_elts(change->fields);
    const char *wrong = NULL;
    int i;

    for (i = 0; !wrong && i < fields->nelts; i++) {
        const apr_table_entry_t *field = &APR_ARRAY_IDX(fields, i, apr_table_entry_t);

        if (strcmp(field->key, "etag")) { /* is this node's */
            wrong = mirror_document_refuse_name(field->key, change->r->pool);
            wrong = wrong ? wrong
                          : mirror_override_form(override, field->key, field->val, change->mirror,
                                                 change->r->pool);
        }
    }
    return wrong;
}

/* Edit the override of the store. Returns NULL or an error message. */
static const char *edit(mirror_override_t *override, const fleet_change_t *change)
{
    apr_pool_t *pool = change->r->pool;
    int is_put = change->r->method_number == M_PUT;
    const mirror_attribute_t *row;
    const char *wrong =
        mirror_override_parse(override, is_put ? NULL : change->before.attributes, pool);

    if (!wrong) {
        wrong = change->fields
                    ? edit_fields(override, change)
                    : mirror_override_patch(override, change->json, change->mirror, pool);
    }
    for (row = mirror_attributes; is_put && row->name; row++) {
        if (!is_left_to_file(row) && !mirror_attributes_is_set(&override->given, row)) {
            override->reset |= mirror_attributes_bit(row);
        }
    }
    return wrong;
}

/* Make the settings of a document over this node's file, for the list of changes. */
static const mirror_settings_t *settings_of(const fleet_change_t *change, const char *attributes)
{
    mirror_layers_t layers = { attributes, NULL, 0, 0, 0 };
    mirror_settings_t *settings;

    return mirror_settings_make(&settings, change->mirror, &layers, change->r->pool)
               ? change->mirror->settings
               : settings;
}

static const char *list_changes(const fleet_change_t *change)
{
    const mirror_settings_t *before = settings_of(change, change->before.attributes);
    const mirror_settings_t *after = settings_of(change, change->write.document.attributes);
    const char *list = mirror_settings_change_list(before, after, change->r->pool);

    mirror_settings_drop(before);
    mirror_settings_drop(after);
    return list;
}

/* Set the attributes of the new document, and check them on this node. */
static const char *compose(fleet_change_t *change)
{
    mirror_document_t *document = &change->write.document;
    apr_pool_t *pool = change->r->pool;
    mirror_override_t override;
    const char *wrong;

    document->attributes = NULL;
    if (change->is_delete) {
        return NULL;
    }
    wrong = edit(&override, change);
    if (wrong) {
        return wrong;
    }
    document->attributes = mirror_override_print(&override, pool);
    document->attributes = document->attributes ? document->attributes : "{}";
    if (strlen(document->attributes) > MIRROR_DOCUMENT_MAX - 1024) {
        return "attributes: must be at most 63976 bytes in total, got more";
    }
    return mirror_settings_change_refuse_fleet(change->registry, change->mirror,
                                               mirror_document_to_store(document, pool), pool);
}

/* ---- responses ---- */

static int send_failure(const fleet_change_t *change, mirror_write_e outcome)
{
    request_rec *r = change->r;

    switch (outcome) {
    case MIRROR_WRITE_DIFFERS:
        return change->is_conditional
                   ? refuse(r, change->mirror, HTTP_PRECONDITION_FAILED,
                            "If-Match: must be the current ETag of the fleet's settings, got "
                            "another")
                   : refuse(r, change->mirror, HTTP_SERVICE_UNAVAILABLE,
                            "fleet: too many concurrent changes; retry later");
    case MIRROR_WRITE_EMPTIED:
    case MIRROR_WRITE_PRESENT:
        return refuse(r, change->mirror, HTTP_CONFLICT,
                      "fleet: its store was emptied; restore first (POST LOCATION/fleet/restore)");
    case MIRROR_WRITE_UNKNOWN:
        return refuse(r, change->mirror, HTTP_GATEWAY_TIME_OUT,
                      apr_psprintf(r->pool,
                                   "fleet: not known whether the change was written; read it "
                                   "again (%s)",
                                   change->remote->fault));
    default:
        return mirror_fleet_store_refuse(r, change->remote);
    }
}

/* Return the seconds that the client waits; 0 = it does not. */
static int seconds_to_wait(const request_rec *r)
{
    const char *prefer = apr_table_get(r->headers_in, "Prefer");
    const char *token = prefer ? ap_strcasestr(prefer, "wait=") : NULL;
    apr_int64_t seconds = token ? apr_atoi64(token + 5) : 0;

    return seconds < 0 ? 0 : seconds > WAIT_MAX ? WAIT_MAX : (int)seconds;
}

/* Read the nodes until all live ones have the document or refuse it, or the time is over. Returns 0
 * if the store does not respond. */
static int wait_for_nodes(mirror_nodes_t *nodes, const fleet_change_t *change, int seconds,
                          apr_pool_t *pool)
{
    apr_time_t end = mirror_clock_now() + apr_time_from_sec(seconds);
    mirror_remote_head_t head;

    for (;;) {
        apr_pool_clear(pool);
        if (mirror_remote_head(&head, change->remote) != APR_SUCCESS ||
            mirror_nodes_read(nodes, change->remote, &head, change->mirror->name,
                              &change->write.document.version, pool) != APR_SUCCESS) {
            return 0;
        }
        if (!nodes->waiting || mirror_clock_now() >= end) {
            return 1;
        }
        apr_sleep(WAIT_NAP);
    }
}

static int send_document(const fleet_change_t *change, const mirror_document_t *document)
{
    request_rec *r = change->r;
    int seconds = seconds_to_wait(r), is_delete = !document->attributes;
    mirror_nodes_t nodes;
    apr_pool_t *pool;
    yajl_gen gen;

    apr_table_unset(r->headers_out, "ETag");
    if (change->fields) {
        return DONE;
    }
    if (is_delete && !seconds) {
        r->status = HTTP_NO_CONTENT;
        ap_set_content_length(r, 0);
        return OK;
    }
    gen = mirror_json_create(r->pool);
    yajl_gen_map_open(gen);
    if (!is_delete) {
        apr_table_setn(r->headers_out, "ETag",
                       mirror_fleet_store_etag(&document->version, r->pool));
        mirror_fleet_json_document(gen, document, r->pool);
    }
    if (seconds) {
        apr_pool_create(&pool, r->pool);
        apr_table_setn(r->headers_out, "Preference-Applied", "wait");
        if (wait_for_nodes(&nodes, change, seconds, pool)) {
            mirror_fleet_json_nodes(gen, &nodes, pool);
        }
    }
    yajl_gen_map_close(gen);
    return mirror_json_send(r, HTTP_OK, gen);
}

/* ---- changing ---- */

static void log_change(const fleet_change_t *change, const char *changes)
{
    request_rec *r = change->r;

    ap_log_rerror(APLOG_MARK, APLOG_NOTICE, 0, r,
                  "PM0903: mirror %s was changed for the fleet %s%s, revision %" APR_INT64_T_FMT
                  ", by %s from %s: %s",
                  change->mirror->name, change->registry->fleet->name,
                  change->write.document.attributes ? "" : " (reset to the configuration files)",
                  change->write.document.version.revision,
                  r->user ? mirror_value_quote(r->user, r->pool) : "a client without a user",
                  r->useragent_ip, changes);
}

/* Make one attempt. Returns DECLINED if another change was faster. */
static int try_once(fleet_change_t *change)
{
    request_rec *r = change->r;
    mirror_write_e outcome;
    const char *wrong, *changes;
    int status = mirror_fleet_store_read(&change->before, r, change->remote, change->mirror->name);

    if (status == OK && r->status == HTTP_OK) {
        status = check_condition(change);
    }
    if (status != OK || r->status != HTTP_OK) {
        return status;
    }
    if (change->is_delete && !change->before.attributes &&
        (!change->before.version.revision || change->before.version.is_deleted)) {
        return refuse(r, change->mirror, HTTP_NOT_FOUND, "fleet: nothing is set for this mirror");
    }
    wrong = compose(change);
    if (wrong) {
        return refuse(r, change->mirror, HTTP_BAD_REQUEST, wrong);
    }
    if (change->before.attributes && change->write.document.attributes &&
        !strcmp(change->before.attributes, change->write.document.attributes)) {
        return send_document(change, &change->before);
    }
    changes = list_changes(change);
    change->write.changes = cut(changes, CHANGES_MAX, r->pool);
    change->write.expected = change->before.version;
    outcome = mirror_write_document(&change->write, change->remote, r->pool);
    if (outcome == MIRROR_WRITE_DIFFERS && !change->is_conditional) {
        return DECLINED;
    }
    if (outcome != MIRROR_WRITE_DONE) {
        return send_failure(change, outcome);
    }
    mirror_follow_written(change->registry, change->mirror, &change->write.document,
                          change->write.epoch, r->pool);
    log_change(change, changes);
    return send_document(change, &change->write.document);
}

static void sign(mirror_document_t *document, const request_rec *r,
                 const mirror_registry_t *registry)
{
    document->by = cut(r->user, TEXT_MAX, r->pool);
    document->from = cut(r->useragent_ip, TEXT_MAX, r->pool);
    document->node = registry->fleet->node;
    document->at = now_text(r->pool);
}

/* Change the document until no other change is faster. The request was read. */
static int apply(fleet_change_t *change)
{
    mirror_fleet_words_t *words = mirror_table_fleet(change->registry->table);
    int status, tries;

    change->remote = mirror_fleet_store_open(change->r, change->registry);
    change->write.mirror = change->mirror->name;
    change->write.knows_epoch = apr_atomic_read64(&words->epoch) != 0 &&
                                apr_atomic_read64(&words->name) == change->registry->fleet->hash;
    sign(&change->write.document, change->r, change->registry);
    for (tries = 0; tries < TRIES; tries++) {
        status = try_once(change);
        if (status != DECLINED) {
            return status;
        }
    }
    return send_failure(change, MIRROR_WRITE_DIFFERS);
}

int mirror_fleet_change_handle(request_rec *r, const mirror_registry_t *registry,
                               const mirror_t *mirror)
{
    fleet_change_t change;
    const char *why = mirror_guard_refuse(r);
    int status;

    memset(&change, 0, sizeof(change));
    change.r = r;
    change.registry = registry;
    change.mirror = mirror;
    change.is_delete = r->method_number == M_DELETE;
    if (why) {
        return refuse(r, mirror, HTTP_FORBIDDEN, why);
    }
    if (!mirror->slot) {
        return refuse(r, mirror, HTTP_SERVICE_UNAVAILABLE,
                      "mirror: cannot be changed while it is off (see the error log)");
    }
    status = change.is_delete ? ap_discard_request_body(r) : read_json(&change);
    return status != OK || r->status != HTTP_OK ? status : apply(&change);
}

int mirror_fleet_change_form(request_rec *r, const mirror_registry_t *registry,
                             const mirror_t *mirror, const apr_table_t *fields, int is_reset)
{
    fleet_change_t change;

    memset(&change, 0, sizeof(change));
    change.r = r;
    change.registry = registry;
    change.mirror = mirror;
    change.fields = fields;
    change.is_delete = is_reset;
    if (!registry->fleet || !registry->child || !registry->child->poller) {
        return refuse(r, mirror, HTTP_BAD_REQUEST,
                      "layer: must be node without ProxyMirrorFleet, got \"fleet\"");
    }
    return apply(&change);
}
