/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * settings/change.c - changing the settings of a mirror. See settings/change.h.
 */
#include <string.h>

#include <apr_strings.h>

#include "settings/change.h"
#include "settings/layers.h"
#include "settings/settings.h"
#include "shared/table.h"

#define TRIES       10000 /* each failed attempt means that another change succeeded */
#define FLEET_TRIES 100
#define LIST_MAX    4096 /* bytes of a list of attributes */

const char *mirror_settings_change_list(const mirror_settings_t *before,
                                        const mirror_settings_t *after, apr_pool_t *pool)
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

/* ---- one attempt ---- */

typedef struct attempt_t {
    mirror_settings_change_t *result;
    const mirror_registry_t *registry;
    const mirror_t *mirror;
    const mirror_settings_edit_t *requested;
    apr_pool_t *pool; /* of the caller */
} attempt_t;

static int end(const attempt_t *attempt, mirror_settings_outcome_e outcome, const char *why)
{
    attempt->result->outcome = outcome;
    attempt->result->why = why ? apr_pstrdup(attempt->pool, why) : NULL;
    return 1;
}

static apr_status_t give_back(void *settings)
{
    mirror_settings_drop(settings);
    return APR_SUCCESS;
}

/* Return whether copies may go to others than before. */
static int has_other_servers(const mirror_settings_t *before, const mirror_settings_t *after,
                             apr_pool_t *pool)
{
    return strcmp(before->target.url, after->target.url) ||
           !mirror_attributes_same(before, after, mirror_attributes_find("servers"), pool) ||
           !mirror_attributes_same(before, after, mirror_attributes_find("resolve"), pool);
}

/* Reset the state of the slot that belongs to other servers or another limit. */
static void reset_slot(mirror_slot_t *slot, const mirror_settings_t *before,
                       const mirror_settings_t *after, apr_pool_t *pool)
{
    if (has_other_servers(before, after, pool)) {
        apr_atomic_set64(&slot->down_until, 0);
        apr_atomic_set64(&slot->down_drops, 0);
    }
    if (before->limit_id != after->limit_id) {
        apr_atomic_set64(&slot->limit_silent, 0);
        apr_atomic_set64(&slot->limit_shared, 0);
    }
}

/* Create the text that replaces the node's layer. Returns NULL or an error message. */
static const char *edit(const char **text, const attempt_t *attempt, const mirror_layers_t *stored,
                        const mirror_settings_t *before, apr_pool_t *pool)
{
    const mirror_settings_edit_t *requested = attempt->requested;
    mirror_override_t override, fleet;
    const char *wrong;

    *text = NULL;
    if (!requested->edit) {
        return NULL;
    }
    wrong = mirror_layers_parse(&override, &fleet, stored, pool);
    if (!wrong) {
        wrong = requested->edit(&override, attempt->mirror, requested->baton, pool);
    }
    if (!wrong) {
        mirror_override_tidy(&override, attempt->mirror, pool);
        wrong = mirror_override_refuse_password(&override, before, attempt->mirror, pool);
    }
    if (!wrong) {
        *text = mirror_override_print(&override, pool);
    }
    return wrong;
}

/* Return whether the attempt ends here, because this child's configuration is not the newest. */
static int is_reloaded(const attempt_t *attempt)
{
    return apr_atomic_read64(&attempt->mirror->slot->config) != attempt->mirror->config &&
           end(attempt, MIRROR_CHANGE_RELOADED,
               "mirror: httpd has just reloaded its configuration; retry the request");
}

/* Read the stored texts and make settings of them. Returns 1 if the attempt ends here. */
static int read_stored(mirror_settings_t **before, mirror_layers_t *stored,
                       const attempt_t *attempt, apr_pool_t *pool)
{
    const mirror_t *mirror = attempt->mirror;
    mirror_layers_t layers;
    const char *wrong;

    if (is_reloaded(attempt)) {
        return 1;
    }
    mirror_judge_layers(stored, attempt->registry, mirror, pool);
    layers = *stored;
    wrong = mirror_settings_make(before, mirror, &layers, pool);
    /* an invalid override is not in force, and may be dropped */
    if (wrong && !attempt->requested->edit) {
        layers.node = NULL;
        wrong = mirror_settings_make(before, mirror, &layers, pool);
    }
    return wrong ? end(attempt, MIRROR_CHANGE_BROKEN, wrong) : 0;
}

/* End the attempt if `rv` is the result of storing the change. Returns 0 if another change was
 * stored first. */
static int stored_as(const attempt_t *attempt, apr_status_t rv)
{
    if (rv == APR_SUCCESS) {
        reset_slot(attempt->mirror->slot, attempt->result->before, attempt->result->after,
                   attempt->pool);
        return end(attempt, MIRROR_CHANGE_MADE, NULL);
    }
    if (APR_STATUS_IS_EAGAIN(rv)) {
        return 0;
    }
    if (rv == APR_ENOSPC) {
        return end(attempt, MIRROR_CHANGE_BAD,
                   "attributes: must be at most 65535 bytes in total, got more");
    }
    return end(attempt, MIRROR_CHANGE_BUSY, "mirror: another change has not finished; retry later");
}

/* Replace the node's layer by `text`. Returns 0 if another change was stored first. */
static int store(const attempt_t *attempt, const mirror_layers_t *stored, const char *text)
{
    mirror_slot_t *slot = attempt->mirror->slot;
    mirror_table_t *table = attempt->registry->table;

    if (stored->node ? text && !strcmp(text, stored->node) : !text) {
        return end(attempt, MIRROR_CHANGE_NONE, NULL);
    }
    return stored_as(attempt,
                     mirror_store_write(&slot->version, mirror_table_store(table, slot),
                                        mirror_table_store_lock(table), stored->node_version,
                                        attempt->mirror->config, text));
}

/* The result keeps `settings` until the pool ends. */
static const mirror_settings_t *keep(const attempt_t *attempt, mirror_settings_t *settings)
{
    apr_pool_cleanup_register(attempt->pool, settings, give_back, apr_pool_cleanup_null);
    return settings;
}

/* Returns 0 if another change was faster. */
static int try_once(const attempt_t *attempt, apr_pool_t *pool)
{
    const mirror_settings_edit_t *requested = attempt->requested;
    mirror_settings_change_t *result = attempt->result;
    mirror_settings_t *before, *after;
    mirror_layers_t stored, next;
    const char *text, *wrong;

    if (read_stored(&before, &stored, attempt, pool)) {
        return 1;
    }
    result->before = keep(attempt, before);
    if (requested->expects && !requested->expects(before, requested->baton)) {
        return end(attempt, MIRROR_CHANGE_UNEXPECTED,
                   "If-Match: must be the current ETag of the mirror, got another");
    }
    wrong = edit(&text, attempt, &stored, before, pool);
    next = stored;
    next.node = text;
    next.version++;
    if (!wrong) {
        wrong = mirror_settings_make(&after, attempt->mirror, &next, pool);
    }
    if (wrong) {
        return end(attempt, MIRROR_CHANGE_BAD, wrong);
    }
    result->after = keep(attempt, after);
    wrong = requested->edit ? mirror_judge_settings(attempt->registry, attempt->mirror, before,
                                                    after, attempt->pool)
                            : NULL;
    return wrong ? end(attempt, MIRROR_CHANGE_BAD, wrong) : store(attempt, &stored, text);
}

/* ---- the fleet's layer ---- */

/* Make the settings of all layers. Returns NULL or an error message. */
static const char *make_all(mirror_settings_t **settings, const attempt_t *attempt,
                            const mirror_layers_t *layers, apr_pool_t *pool)
{
    const char *wrong = mirror_settings_make(settings, attempt->mirror, layers, pool);

    return wrong ? apr_pstrcat(pool, "with the settings of this node alone: ", wrong, NULL) : NULL;
}

/* Returns 0 if another change was faster. */
static int try_fleet(const attempt_t *attempt, const char *text, apr_uint64_t expected,
                     apr_pool_t *pool)
{
    mirror_slot_t *slot = attempt->mirror->slot;
    mirror_table_t *table = attempt->registry->table;
    mirror_settings_t *before, *after;
    mirror_layers_t stored, next, node;
    const char *wrong;

    if (is_reloaded(attempt)) {
        return 1;
    }
    mirror_judge_layers(&stored, attempt->registry, attempt->mirror, pool);
    if (stored.fleet_version != expected) {
        return end(attempt, MIRROR_CHANGE_UNEXPECTED, "mirror: another change was stored first");
    }
    node = next = stored;
    node.fleet = NULL;
    next.fleet = mirror_layers_of_fleet(text);
    next.version++;
    if (mirror_settings_make(&before, attempt->mirror, &stored, pool) &&
        (wrong = mirror_settings_make(&before, attempt->mirror, &node, pool))) {
        return end(attempt, MIRROR_CHANGE_BROKEN, wrong);
    }
    attempt->result->before = keep(attempt, before);
    wrong = mirror_judge_fleet(attempt->registry, attempt->mirror, next.fleet, pool);
    if (!wrong) {
        wrong = make_all(&after, attempt, &next, pool);
    }
    if (wrong) {
        return end(attempt, MIRROR_CHANGE_BAD, wrong);
    }
    attempt->result->after = keep(attempt, after);
    return stored_as(attempt,
                     mirror_store_write(&slot->fleet_version, mirror_table_fleet_store(table, slot),
                                        mirror_table_store_lock(table), stored.fleet_version,
                                        attempt->mirror->config, text));
}

void mirror_settings_change_fleet(mirror_settings_change_t *result,
                                  const mirror_registry_t *registry, const mirror_t *mirror,
                                  const char *text, apr_uint64_t expected, apr_pool_t *pool)
{
    attempt_t attempt = { result, registry, mirror, NULL, NULL };
    apr_pool_t *ptemp;
    int tries, ended = 0;

    apr_pool_create(&attempt.pool, pool);
    apr_pool_create(&ptemp, pool);
    for (tries = 0; !ended && tries < FLEET_TRIES; tries++) {
        apr_pool_clear(attempt.pool);
        apr_pool_clear(ptemp);
        memset(result, 0, sizeof(*result));
        ended = try_fleet(&attempt, text, expected, ptemp);
    }
    apr_pool_destroy(ptemp);
    if (!ended) {
        end(&attempt, MIRROR_CHANGE_BUSY, "mirror: too many concurrent changes; retry later");
    }
}

const char *mirror_settings_change_refuse_fleet(const mirror_registry_t *registry,
                                                const mirror_t *mirror, const char *text,
                                                apr_pool_t *pool)
{
    return mirror_judge_fleet(registry, mirror, mirror_layers_of_fleet(text), pool);
}

const char *mirror_settings_change_refuse_over(const mirror_registry_t *registry,
                                               const mirror_t *mirror, const char *text,
                                               apr_pool_t *pool)
{
    attempt_t attempt = { NULL, registry, mirror, NULL, pool };
    mirror_settings_t *settings;
    mirror_layers_t next;
    const char *wrong;

    mirror_layers_read(&next, registry, mirror, pool);
    next.fleet = mirror_judge_rest(registry, mirror, mirror_layers_of_fleet(text), pool);
    wrong = make_all(&settings, &attempt, &next, pool);
    if (!wrong) {
        mirror_settings_drop(settings);
    }
    return wrong;
}

/* ---- the node's layer ---- */

void mirror_settings_change_apply(mirror_settings_change_t *result,
                                  const mirror_registry_t *registry, const mirror_t *mirror,
                                  const mirror_settings_edit_t *requested, apr_pool_t *pool)
{
    attempt_t attempt = { result, registry, mirror, requested, NULL };
    apr_pool_t *ptemp;
    int tries, ended = 0;

    apr_pool_create(&attempt.pool, pool);
    apr_pool_create(&ptemp, pool);
    for (tries = 0; !ended && tries < TRIES; tries++) {
        apr_pool_clear(attempt.pool); /* pool of the previous attempt and its settings */
        apr_pool_clear(ptemp);
        memset(result, 0, sizeof(*result));
        ended = try_once(&attempt, ptemp);
    }
    apr_pool_destroy(ptemp);
    if (!ended) {
        end(&attempt, MIRROR_CHANGE_BUSY, "mirror: too many concurrent changes; retry later");
    }
}
