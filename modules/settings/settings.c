/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * settings/settings.c - the settings in force. See settings/settings.h.
 *
 * Only request threads take the mutex, never the sender. Under prefork a signal handler ends the
 * child and waits for the sender. The handler may interrupt the only request thread while it holds
 * the mutex.
 */
#include <httpd.h>
#include <http_config.h>
#include <http_log.h>
#include <http_main.h>

#include <apr_strings.h>

#include "attributes/attributes.h"
#include "attributes/limit_settings.h"
#include "attributes/relations.h"
#include "settings/allow.h"
#include "settings/override.h"
#include "settings/rules.h"
#include "settings/settings.h"
#include "shared/table.h"

APLOG_USE_MODULE(proxy_mirror);

/* The time at which a child reads the stored text. */
typedef enum { AT_START, AT_REQUEST } moment_e;

/* ---- making them ---- */

/* Returns NULL, or an error message in the settings' own pool. */
static const char *compile(mirror_settings_t *settings, const mirror_t *mirror,
                           const mirror_override_t *override)
{
    apr_pool_t *memory = settings->pool, *ptemp;
    apr_array_header_t *faults = apr_array_make(memory, 1, sizeof(const char *));
    mirror_override_t administrators = *override, fleets;
    mirror_settings_t trusted;
    const char *wrong;

    administrators.given.set = 0;
    if (override->beneath) {
        fleets = *override->beneath;
        fleets.given.set = 0;
        administrators.beneath = &fleets;
    }
    mirror_override_apply(&trusted, &administrators, mirror);
    mirror_override_apply(settings, override, mirror);
    settings->pool = memory;
    apr_pool_create(&ptemp, memory);
    wrong = mirror_rules_compile(settings, &trusted, memory, ptemp);
    apr_pool_destroy(ptemp);
    if (!wrong) {
        mirror_relations_check(faults, settings);
        wrong = faults->nelts ? APR_ARRAY_IDX(faults, 0, const char *) : NULL;
    }
    mirror_limit_settings_identify(settings);
    return wrong;
}

const char *mirror_settings_make(mirror_settings_t **out, const mirror_t *mirror,
                                 const mirror_layers_t *layers, apr_pool_t *pool)
{
    static const mirror_layers_t none = { NULL, NULL, 0, 0, 0 };
    const mirror_layers_t *given = layers ? layers : &none;
    /* owned by the last reference */
    apr_pool_t *memory = mirror_memory_pool_create("mirror_settings");
    mirror_settings_t *settings = apr_pcalloc(memory, sizeof(*settings));
    mirror_override_t override, fleet;
    const char *wrong = mirror_layers_parse(&override, &fleet, given, memory);

    settings->pool = memory;
    if (!wrong) {
        wrong = compile(settings, mirror, &override);
    }
    if (wrong) {
        wrong = apr_pstrdup(pool, wrong);
        apr_pool_destroy(memory);
        return wrong;
    }
    settings->references = 1;
    settings->version = given->version;
    settings->layer = given->node    ? MIRROR_LAYER_NODE
                      : given->fleet ? MIRROR_LAYER_FLEET
                                     : MIRROR_LAYER_FILE;
    settings->overridden = settings->layer != MIRROR_LAYER_FILE;
    *out = settings;
    return NULL;
}

/* ---- the settings in force ---- */

/* Return a reference to the lane's settings, if they are of `version` or later; otherwise NULL. */
static const mirror_settings_t *find(mirror_lane_t *lane, apr_uint64_t version)
{
    mirror_settings_t *found = NULL;

    apr_thread_mutex_lock(lane->mutex);
    if (lane->current && lane->current->version >= version) {
        found = lane->current;
        mirror_settings_keep(found);
    }
    apr_thread_mutex_unlock(lane->mutex);
    return found;
}

/* Make a set the lane's, unless it has a later one: then that is it. Owns the reference to `made`.
 * Returns another one. */
static const mirror_settings_t *install(mirror_lane_t *lane, mirror_settings_t *made)
{
    mirror_settings_t *former = made, *found;

    apr_thread_mutex_lock(lane->mutex);
    if (!lane->current || lane->current->version < made->version) {
        former = lane->current;
        lane->current = made;
    }
    found = lane->current;
    mirror_settings_keep(found);
    apr_thread_mutex_unlock(lane->mutex);
    mirror_settings_drop(former);
    return found;
}

/* Replace the stored text for all children by `rest`, because it is invalid for the reason `why`, and
 * log one line. If this child is of an older load, keep the text: it may be valid for a newer load. */
static void discard(mirror_lane_t *lane, const mirror_layers_t *stored, const char *rest,
                    const char *why, moment_e moment)
{
    const mirror_t *mirror = lane->mirror;
    mirror_table_t *table = lane->child->registry->table;
    const char *stays = !rest                           ? ""
                        : mirror_override_is_stop(rest) ? ", but stays stopped"
                                                        : ", but for its until";

    if (!mirror_table_is_newest(table) ||
        mirror_store_try_write(&mirror->slot->version, mirror_table_store(table, mirror->slot),
                               mirror_table_store_lock(table), stored->node_version, mirror->config,
                               rest) != APR_SUCCESS) {
        return;
    }
    if (moment == AT_START) { /* it was valid before the reload */
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, ap_server_conf,
                     "PM0912: mirror %s is reset to the configuration file%s; its changes by the "
                     "manager are discarded: they are no longer valid: %s",
                     mirror->name, stays, why);
    }
    else { /* no manager of this load has stored it */
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, ap_server_conf,
                     "PM0911: mirror %s is reset to the configuration file%s; its changes by the "
                     "manager in shared memory are invalid: %s",
                     mirror->name, stays, why);
    }
}

/* Make settings of the layers, as mirror_settings_make(). Hosts that this configuration does not
 * allow are also an error. */
static const char *make_allowed(mirror_settings_t **made, const mirror_lane_t *lane,
                                const mirror_layers_t *layers, apr_pool_t *ptemp)
{
    const char *wrong = mirror_settings_make(made, lane->mirror, layers, ptemp);

    if (!wrong && (layers->fleet || layers->node)) {
        wrong = mirror_allow_settings(lane->child->registry, lane->mirror, *made, ptemp);
        if (wrong) {
            mirror_settings_drop(*made);
        }
    }
    return wrong;
}

/* Make the settings in force. Of the node's layer, if it is invalid, only what stops the mirror remains:
 * a mirror must not be started by what nobody has changed. It is discarded. The fleet's has been judged. */
static const char *make_stored(mirror_settings_t **made, mirror_lane_t *lane,
                               const mirror_layers_t *stored, moment_e moment, apr_pool_t *ptemp)
{
    mirror_layers_t left = *stored;
    const char *fault = make_allowed(made, lane, stored, ptemp);

    if (!fault || !stored->node) {
        return fault;
    }
    left.node = mirror_override_rest(stored->node, lane->mirror, ptemp);
    discard(lane, stored, left.node, fault, moment);
    return make_allowed(made, lane, &left, ptemp);
}

static const mirror_settings_t *renew(mirror_lane_t *lane, moment_e moment)
{
    apr_pool_t *ptemp = mirror_memory_pool_create("mirror_settings_text"); /* this thread */
    mirror_settings_t *made;
    mirror_layers_t stored;
    const char *wrong;

    mirror_judge_layers(&stored, lane->child->registry, lane->mirror, ptemp);
    wrong = make_stored(&made, lane, &stored, moment, ptemp);
    apr_pool_destroy(ptemp);
    return wrong ? lane->mirror->settings : install(lane, made);
}

/* ---- child start ---- */

apr_status_t mirror_settings_init(mirror_lane_t *lane, apr_pool_t *pool)
{
    apr_status_t rv = apr_thread_mutex_create(&lane->mutex, APR_THREAD_MUTEX_DEFAULT, pool);

    if (rv == APR_SUCCESS && lane->mirror->slot && mirror_layers_version(lane->mirror->slot) != 0) {
        mirror_settings_drop(renew(lane, AT_START));
    }
    return rv;
}

/* ---- request threads ---- */

const mirror_settings_t *mirror_settings_acquire(mirror_lane_t *lane)
{
    apr_uint64_t version = lane->mirror->slot ? mirror_layers_version(lane->mirror->slot) : 0;
    const mirror_settings_t *found;

    if (version == 0) {
        return lane->mirror->settings;
    }
    found = find(lane, version);
    return found ? found : renew(lane, AT_REQUEST);
}

static apr_status_t give_back(void *settings)
{
    mirror_settings_drop(settings);
    return APR_SUCCESS;
}

const mirror_settings_t *mirror_settings_borrow(const mirror_registry_t *registry,
                                                const mirror_t *mirror, apr_pool_t *pool)
{
    const mirror_settings_t *settings;

    if (!registry->child) {
        return mirror->settings;
    }
    settings = mirror_settings_acquire(&registry->child->lanes[mirror->index]);
    apr_pool_cleanup_register(pool, settings, give_back, apr_pool_cleanup_null);
    return settings;
}
