/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * fleet/stored.c - the fleet's document of a mirror on this node. See fleet/stored.h.
 */
#include <string.h>

#include "fleet/stored.h"
#include "settings/change.h"
#include "settings/settings.h"
#include "shared/table.h"

#define TRIES 100

void mirror_stored_read(mirror_stored_t *stored, const mirror_registry_t *registry,
                        const mirror_t *mirror, apr_pool_t *pool)
{
    mirror_store_text_t text;

    mirror_store_read(&text, &mirror->slot->fleet_version,
                      mirror_table_fleet_store(registry->table, mirror->slot), pool);
    stored->text = text.text;
    stored->version = text.version;
    mirror_document_of_store(&stored->document, text.text, pool);
}

int mirror_stored_is(const mirror_stored_t *stored, const mirror_document_version_t *version)
{
    return stored->document.attributes &&
           mirror_document_is_same(&stored->document.version, version);
}

const char *mirror_stored_apply(int *again, const mirror_registry_t *registry,
                                const mirror_t *mirror, const mirror_document_t *document,
                                const mirror_stored_t *stored, apr_pool_t *pool)
{
    const char *text = mirror_document_to_store(document, pool);
    mirror_settings_change_t result;

    *again = 0;
    if (text && stored->text && !strcmp(text, stored->text)) {
        return mirror_settings_change_refuse_fleet(registry, mirror, text, pool);
    }
    if (!text && !stored->text) {
        return NULL;
    }
    mirror_settings_change_fleet(&result, registry, mirror, text, stored->version, pool);
    *again = result.outcome > MIRROR_CHANGE_BAD && result.outcome != MIRROR_CHANGE_BROKEN;
    return result.outcome > MIRROR_CHANGE_NONE && !*again ? result.why : NULL;
}

const char *mirror_stored_refuse_leave(const mirror_registry_t *registry, const mirror_t *mirror,
                                       const mirror_stored_t *stored, apr_pool_t *pool)
{
    return stored->text && !mirror_settings_change_refuse_over(registry, mirror, stored->text, pool)
               ? mirror_settings_change_refuse_over(registry, mirror, NULL, pool)
               : NULL;
}

void mirror_stored_leave(int *again, const mirror_registry_t *registry, const mirror_t *mirror,
                         const mirror_stored_t *stored, apr_pool_t *pool)
{
    static const mirror_document_t none = { { 0, 0, 1 }, "", "", "", "", NULL };

    if (mirror_stored_apply(again, registry, mirror, &none, stored, pool)) {
        mirror_store_drop(&mirror->slot->fleet_version, stored->version);
    }
}

const char *mirror_stored_rest(const mirror_registry_t *registry, const mirror_t *mirror,
                               const mirror_stored_t *stored, apr_pool_t *pool)
{
    const char *fleet = mirror_layers_of_fleet(stored->text);
    const char *rest = mirror_judge_rest(registry, mirror, fleet, pool);

    if (!fleet || rest == fleet) {
        return "the former settings remain";
    }
    return !rest ? "the configuration file is in force"
           : mirror_override_is_stop(rest)
               ? "the mirror stays stopped"
               : "the configuration file is in force, but for its until";
}

/* Return whether a document is older than what is stored here: a later change was stored meanwhile. A
 * higher number alone does not say so, as the store may have gone back, which the poller has not seen. */
static int is_outdated(const mirror_stored_t *stored, const mirror_t *mirror,
                       const mirror_document_t *document, mirror_remote_t *remote, apr_pool_t *pool)
{
    mirror_document_version_t now;
    const char *text;

    if (stored->document.version.revision < document->version.revision) {
        return 0;
    }
    return mirror_stored_is(stored, &document->version) ||
           mirror_remote_get(&text, remote, MIRROR_FLEET_INDEX, mirror->name, pool) !=
               APR_SUCCESS ||
           !text || !mirror_document_read_version(&now, text) ||
           !mirror_document_is_same(&now, &document->version);
}

void mirror_stored_written(const mirror_registry_t *registry, const mirror_t *mirror,
                           const mirror_document_t *document, apr_uint64_t epoch,
                           mirror_remote_t *remote, apr_pool_t *pool)
{
    mirror_fleet_words_t *words = mirror_table_fleet(registry->table);
    apr_uint64_t name = apr_atomic_read64(&words->name);
    mirror_stored_t stored;
    int again = 1, tries;

    if (name != 0 && name != registry->fleet->hash) {
        return; /* a reload has set another fleet, to which the document does not belong */
    }
    if (name != 0) {
        apr_atomic_cas64(&words->epoch, epoch, 0);
    }
    for (tries = 0; again && tries < TRIES; tries++) {
        mirror_stored_read(&stored, registry, mirror, pool);
        again = 0;
        if (!is_outdated(&stored, mirror, document, remote, pool)) {
            mirror_stored_apply(&again, registry, mirror, document, &stored, pool);
        }
    }
    /* the poller may have seen a later deletion before, of which nothing is stored */
    apr_atomic_set64(&words->touched, 1);
}
