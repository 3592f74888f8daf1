/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * settings/change.c - changing the settings of a mirror. See settings/change.h.
 */
#include <string.h>

#include <apr_strings.h>

#include "settings/allow.h"
#include "settings/change.h"
#include "settings/peer.h"
#include "settings/settings.h"
#include "shared/table.h"

#define TRIES    10000 /* each failed attempt means that another change succeeded */
#define LIST_MAX 4096  /* bytes of a list of attributes */

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

/* Reset the state of the slot that belongs to another host or another limit. */
static void reset_slot(mirror_slot_t *slot, const mirror_settings_t *before,
                       const mirror_settings_t *after)
{
    if (strcmp(before->target.url, after->target.url)) {
        apr_atomic_set64(&slot->down_until, 0);
        apr_atomic_set64(&slot->down_drops, 0);
    }
    if (before->limit_id != after->limit_id) {
        apr_atomic_set64(&slot->limit_silent, 0);
        apr_atomic_set64(&slot->limit_shared, 0);
    }
}

/* Create the text that replaces `stored`. Returns NULL or an error message. */
static const char *edit(const char **text, const attempt_t *attempt, const char *stored,
                        const mirror_settings_t *before, apr_pool_t *pool)
{
    const mirror_settings_edit_t *requested = attempt->requested;
    mirror_override_t override;
    const char *wrong;

    *text = NULL;
    if (!requested->edit) {
        return NULL;
    }
    wrong = mirror_override_parse(&override, stored, pool);
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

/* Return why valid settings cannot be in force in this httpd; NULL if they can. */
static const char *check(const attempt_t *attempt, const mirror_settings_t *before,
                         const mirror_settings_t *after)
{
    const char *wrong =
        mirror_allow_settings(attempt->registry, attempt->mirror, after, attempt->pool);

    if (!wrong) {
        wrong = mirror_peer_refuse(attempt->registry, attempt->mirror, after, attempt->pool);
    }
    if (!wrong &&
        (strcmp(before->target.url, after->target.url) || before->limit_id != after->limit_id ||
         before->enable_limit_count != after->enable_limit_count)) {
        wrong = mirror_settings_missing(attempt->mirror, after, attempt->pool);
        wrong = wrong ? apr_pstrcat(attempt->pool, "attributes: ", wrong, NULL) : NULL;
    }
    return wrong;
}

/* Read the stored text and make settings of it. Returns 1 if the attempt ends here. */
static int read_stored(mirror_settings_t **before, mirror_store_text_t *stored,
                       const attempt_t *attempt, apr_pool_t *pool)
{
    const mirror_t *mirror = attempt->mirror;
    const char *wrong;

    if (apr_atomic_read64(&mirror->slot->config) != mirror->config) {
        return end(attempt, MIRROR_CHANGE_RELOADED,
                   "mirror: httpd has just reloaded its configuration; retry the request");
    }
    mirror_store_read(stored, &mirror->slot->version,
                      mirror_table_store(attempt->registry->table, mirror->slot), pool);
    if (stored->config != mirror->config) {
        stored->text = NULL;
    }
    wrong = mirror_settings_make(before, mirror, stored->text, stored->version, pool);
    /* an invalid override is not in force, and may be dropped */
    if (wrong && !attempt->requested->edit) {
        wrong = mirror_settings_make(before, mirror, NULL, stored->version, pool);
    }
    return wrong ? end(attempt, MIRROR_CHANGE_BROKEN, wrong) : 0;
}

/* Replace `stored` by `text`. Returns 0 if another change was stored first. */
static int store(const attempt_t *attempt, const mirror_store_text_t *stored, const char *text)
{
    mirror_slot_t *slot = attempt->mirror->slot;
    mirror_table_t *table = attempt->registry->table;
    apr_status_t rv;

    if (stored->text ? text && !strcmp(text, stored->text) : !text) {
        return end(attempt, MIRROR_CHANGE_NONE, NULL);
    }
    rv = mirror_store_write(&slot->version, mirror_table_store(table, slot),
                            mirror_table_store_lock(table), stored->version,
                            attempt->mirror->config, text);
    if (rv == APR_SUCCESS) {
        reset_slot(slot, attempt->result->before, attempt->result->after);
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

/* Returns 0 if another change was faster. */
static int try_once(const attempt_t *attempt, apr_pool_t *pool)
{
    const mirror_settings_edit_t *requested = attempt->requested;
    mirror_settings_change_t *result = attempt->result;
    mirror_settings_t *before, *after;
    mirror_store_text_t stored;
    const char *text, *wrong;

    if (read_stored(&before, &stored, attempt, pool)) {
        return 1;
    }
    result->before = before;
    apr_pool_cleanup_register(attempt->pool, before, give_back, apr_pool_cleanup_null);
    if (requested->expects && !requested->expects(before, requested->baton)) {
        return end(attempt, MIRROR_CHANGE_UNEXPECTED,
                   "If-Match: must be the current ETag of the mirror, got another");
    }
    wrong = edit(&text, attempt, stored.text, before, pool);
    if (!wrong) {
        wrong = mirror_settings_make(&after, attempt->mirror, text, stored.version + 1, pool);
    }
    if (wrong) {
        return end(attempt, MIRROR_CHANGE_BAD, wrong);
    }
    result->after = after;
    apr_pool_cleanup_register(attempt->pool, after, give_back, apr_pool_cleanup_null);
    wrong = requested->edit ? check(attempt, before, after) : NULL;
    return wrong ? end(attempt, MIRROR_CHANGE_BAD, wrong) : store(attempt, &stored, text);
}

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
