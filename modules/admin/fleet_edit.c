/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/fleet_edit.c - one change of one document. See admin/fleet_edit.h.
 */
#include <string.h>

#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>
#include <http_log.h>

#include "admin/fleet_edit.h"
#include "admin/fleet_store.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "fleet/hold.h"
#include "fleet/nodes.h"
#include "fleet/stored.h"
#include "settings/change.h"
#include "settings/layers.h"
#include "settings/settings.h"

APLOG_USE_MODULE(proxy_mirror);

#define TRIES       32   /* each failed one means that another change was written */
#define TEXT_MAX    120  /* bytes of by and from */
#define CHANGES_MAX 2000 /* bytes of the list of changes in the log of the fleet */

typedef struct attempt_t {
    mirror_fleet_edited_t *result;
    const mirror_fleet_edit_t *requested;
    const mirror_t *mirror;
    mirror_document_t before; /* in the store */
    mirror_write_t write;
    int seconds; /* for which this node may not begin an empty store */
} attempt_t;

static int end(attempt_t *attempt, int status, const char *why)
{
    attempt->result->status = status;
    attempt->result->why = why;
    return 1;
}

static int end_unexpected(attempt_t *attempt)
{
    return end(attempt, HTTP_PRECONDITION_FAILED,
               apr_table_get(attempt->requested->r->headers_in, "If-Match")
                   ? "If-Match: must be the current ETag of the fleet's settings, got another"
                   : "If-None-Match: must be none of the fleet's settings, got their ETag, or * "
                     "while there are any");
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

static void sign(mirror_document_t *document, const request_rec *r,
                 const mirror_registry_t *registry)
{
    document->by = cut(r->user, TEXT_MAX, r->pool);
    document->from = cut(r->useragent_ip, TEXT_MAX, r->pool);
    document->node = registry->fleet->node;
    document->at = now_text(r->pool);
}

/* ---- the new document ---- */

/* Check a text of mirror_override_print() for what must not be in the store, whichever way it came. */
static const char *refuse_content(const char *attributes, apr_pool_t *pool)
{
    yajl_val json;
    const char *wrong = mirror_override_read_json(&json, attributes, strlen(attributes), pool);

    return wrong ? wrong : mirror_document_refuse(json, pool);
}

/* Return why this node cannot have the new document in force; NULL if it can. */
static const char *refuse_here(const attempt_t *attempt)
{
    const mirror_fleet_edit_t *requested = attempt->requested;
    apr_pool_t *pool = requested->r->pool;
    const char *text = mirror_document_to_store(&attempt->write.document, pool), *wrong = NULL;

    if (text) {
        wrong =
            mirror_settings_change_refuse_fleet(requested->registry, attempt->mirror, text, pool);
    }
    return wrong || requested->is_for_others
               ? wrong
               : mirror_settings_change_refuse_over(requested->registry, attempt->mirror, text,
                                                    pool);
}

/* Set the attributes of the new document, and check them on this node. Returns NULL or an error
 * message. */
static const char *compose(attempt_t *attempt)
{
    const mirror_fleet_edit_t *requested = attempt->requested;
    mirror_document_t *document = &attempt->write.document;
    apr_pool_t *pool = requested->r->pool;
    mirror_override_t override;
    const char *wrong;

    document->attributes = NULL;
    if (!requested->edit) {
        return refuse_here(attempt);
    }
    wrong = mirror_override_parse(&override,
                                  requested->replaces ? NULL : attempt->before.attributes, pool);
    if (!wrong) {
        wrong = requested->edit(&override, attempt->mirror, requested->baton, pool);
    }
    if (wrong) {
        return wrong;
    }
    document->attributes = mirror_override_print(&override, pool);
    if (!document->attributes && !requested->drops_empty) {
        document->attributes = "{}";
    }
    if (!document->attributes) {
        return refuse_here(attempt);
    }
    if (strlen(document->attributes) > MIRROR_DOCUMENT_MAX - 1024) {
        return "attributes: must be at most 63976 bytes in total, got more";
    }
    wrong = refuse_content(document->attributes, pool);
    return wrong ? wrong : refuse_here(attempt);
}

/* Return whether the store has what the change would write. */
static int is_same(const attempt_t *attempt)
{
    const char *before = attempt->before.attributes;
    const char *after = attempt->write.document.attributes;

    if (!before) { /* an unusable document has a version, and is replaced */
        return !after && (!attempt->before.version.revision || attempt->before.version.is_deleted);
    }
    return after && !strcmp(before, after);
}

/* Make the settings of a document over this node's file, for the list of changes. */
static const mirror_settings_t *settings_of(const attempt_t *attempt, const char *attributes)
{
    mirror_layers_t layers = { attributes, NULL, 0, 0, 0 };
    mirror_settings_t *settings;

    return mirror_settings_make(&settings, attempt->mirror, &layers, attempt->requested->r->pool)
               ? attempt->mirror->settings
               : settings;
}

static const char *list_changes(const attempt_t *attempt)
{
    const mirror_settings_t *before = settings_of(attempt, attempt->before.attributes);
    const mirror_settings_t *after = settings_of(attempt, attempt->write.document.attributes);
    const char *list = mirror_settings_change_list(before, after, attempt->requested->r->pool);

    mirror_settings_drop(before);
    mirror_settings_drop(after);
    return list;
}

/* ---- one attempt ---- */

static void log_change(const attempt_t *attempt, const char *changes)
{
    const mirror_document_t *document = &attempt->write.document;
    request_rec *r = attempt->requested->r;

    ap_log_rerror(APLOG_MARK, APLOG_NOTICE, 0, r,
                  "PM0903: mirror %s was changed for the fleet %s%s, revision %" APR_INT64_T_FMT
                  ", by %s from %s: %s",
                  attempt->mirror->name, attempt->requested->registry->fleet->name,
                  document->attributes ? "" : " (reset to the configuration files)",
                  document->version.revision,
                  r->user ? mirror_value_quote(r->user, r->pool) : "a client without a user",
                  r->useragent_ip, changes);
}

static int fail(attempt_t *attempt, mirror_write_e outcome)
{
    request_rec *r = attempt->requested->r;
    mirror_remote_t *remote = attempt->requested->remote;

    if (outcome == MIRROR_WRITE_DIFFERS && attempt->write.is_doubtful) {
        return end(attempt, HTTP_GATEWAY_TIME_OUT,
                   "fleet: not known whether the change was written before another one; read it "
                   "again (the reply of its store was lost)");
    }
    switch (outcome) {
    case MIRROR_WRITE_DIFFERS:
        return attempt->requested->is_conditional ? end_unexpected(attempt) : 0;
    case MIRROR_WRITE_EMPTIED:
        return end(attempt, HTTP_CONFLICT,
                   "fleet: its store was emptied; restore first (POST LOCATION/fleet/restore)");
    case MIRROR_WRITE_HELD:
        return end(attempt, HTTP_SERVICE_UNAVAILABLE, mirror_fleet_store_hold(r, attempt->seconds));
    case MIRROR_WRITE_UNKNOWN:
        return end(attempt, HTTP_GATEWAY_TIME_OUT,
                   apr_psprintf(r->pool,
                                "fleet: not known whether the change was written; read it again "
                                "(%s)",
                                remote->fault));
    default:
        return end(attempt, HTTP_SERVICE_UNAVAILABLE, mirror_fleet_store_fault(remote, r->pool));
    }
}

static int write_document(attempt_t *attempt)
{
    const mirror_fleet_edit_t *requested = attempt->requested;
    apr_pool_t *pool = requested->r->pool;
    const char *changes = list_changes(attempt);
    mirror_write_e outcome;

    attempt->write.changes = cut(changes, CHANGES_MAX, pool);
    attempt->write.expected = attempt->before.version;
    outcome = mirror_write_document(&attempt->write, requested->remote, pool);
    if (outcome != MIRROR_WRITE_DONE) {
        return fail(attempt, outcome);
    }
    mirror_stored_written(requested->registry, attempt->mirror, &attempt->write.document,
                          attempt->write.epoch, requested->remote, pool);
    log_change(attempt, changes);
    attempt->result->is_changed = 1;
    attempt->result->document = attempt->write.document;
    return end(attempt, HTTP_OK, NULL);
}

/* The store has what the change would write. So have the nodes, but only if it was not emptied, and
 * has not lost its head: without one, no node follows it. Returns 0 if another change was faster. */
static int end_unchanged(attempt_t *attempt)
{
    const mirror_fleet_edit_t *requested = attempt->requested;
    int is_listed = attempt->before.version.revision != 0; /* so the index is not lost */
    mirror_remote_head_t head;

    attempt->result->document = attempt->before;
    if ((is_listed ? mirror_remote_head(&head, requested->remote)
                   : mirror_remote_content(&head, requested->remote)) != APR_SUCCESS) {
        return fail(attempt, MIRROR_WRITE_FAILED);
    }
    if (is_listed && !head.epoch) {
        return write_document(attempt);
    }
    if (is_listed) {
        /* another node has just written it, or the response to an earlier attempt was lost */
        mirror_stored_written(requested->registry, attempt->mirror, &attempt->before, 0,
                              requested->remote, requested->r->pool);
        return end(attempt, HTTP_OK, NULL);
    }
    if (!head.epoch && attempt->write.knows_epoch) {
        return fail(attempt, MIRROR_WRITE_EMPTIED);
    }
    return !head.epoch && attempt->write.is_held ? fail(attempt, MIRROR_WRITE_HELD)
                                                 : end(attempt, HTTP_OK, NULL);
}

/* Returns 0 if another change was faster. */
static int try_once(attempt_t *attempt)
{
    const mirror_fleet_edit_t *requested = attempt->requested;
    const char *why;
    int status = mirror_fleet_store_read(&attempt->before, &why, requested->remote,
                                         attempt->mirror->name, requested->r->pool);

    /* a change may replace a document that is unusable, by its version */
    if (status != OK && !(status == HTTP_BAD_GATEWAY && attempt->before.version.revision &&
                          (requested->replaces || !requested->edit))) {
        return end(attempt, status, why);
    }
    if (requested->expects && !requested->expects(&attempt->before.version, requested->baton)) {
        return end_unexpected(attempt);
    }
    why = compose(attempt);
    if (why) {
        return end(attempt, HTTP_BAD_REQUEST, why);
    }
    return is_same(attempt) ? end_unchanged(attempt) : write_document(attempt);
}

/* Find out whether this node may begin an empty store. Returns 1 after an error. */
static int consult_others(attempt_t *attempt)
{
    const mirror_fleet_edit_t *requested = attempt->requested;
    const mirror_fleet_t *fleet = requested->registry->fleet;
    mirror_fleet_words_t *words = mirror_table_fleet(requested->registry->table);
    mirror_write_t *write = &attempt->write;

    write->knows_epoch =
        apr_atomic_read64(&words->epoch) != 0 && apr_atomic_read64(&words->name) == fleet->hash;
    if (write->knows_epoch) {
        return 0;
    }
    if (mirror_hold_query(&write->knows_epoch, &attempt->seconds, words, fleet, requested->remote,
                          requested->r->pool) != APR_SUCCESS) {
        return end(attempt, HTTP_SERVICE_UNAVAILABLE,
                   mirror_fleet_store_fault(requested->remote, requested->r->pool));
    }
    write->is_held = attempt->seconds > 0;
    return 0;
}

void mirror_fleet_edit_apply(mirror_fleet_edited_t *result, const mirror_fleet_edit_t *requested,
                             const mirror_t *mirror)
{
    attempt_t attempt;
    int tries, ended;

    memset(result, 0, sizeof(*result));
    memset(&attempt, 0, sizeof(attempt));
    attempt.result = result;
    attempt.requested = requested;
    attempt.mirror = mirror;
    attempt.write.mirror = mirror->name;
    ended = consult_others(&attempt);
    sign(&attempt.write.document, requested->r, requested->registry);
    for (tries = 0; !ended && tries < TRIES; tries++) {
        ended = try_once(&attempt);
    }
    if (!ended) {
        end(&attempt, HTTP_SERVICE_UNAVAILABLE, "fleet: too many concurrent changes; retry later");
    }
}

int mirror_fleet_edit_is_possible(const mirror_registry_t *registry)
{
    return registry->fleet && registry->child && registry->child->poller;
}
