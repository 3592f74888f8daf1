/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * settings/layers.c - the layers of settings. See settings/layers.h.
 */
#include <string.h>

#include "settings/layers.h"

#define ATTEMPTS 100 /* each failed one means that a change was stored meanwhile */

const char *mirror_layers_of_fleet(const char *text)
{
    const char *end = text ? strchr(text, '\n') : NULL;

    return end ? end + 1 : NULL;
}

void mirror_layers_read(mirror_layers_t *layers, const mirror_registry_t *registry,
                        const mirror_t *mirror, apr_pool_t *pool)
{
    mirror_slot_t *slot = mirror->slot;
    mirror_store_text_t fleet = { NULL, 0, 0 }, node;
    int attempt = 0;

    do {
        mirror_store_read(&node, &slot->version, mirror_table_store(registry->table, slot), pool);
        fleet.version = apr_atomic_read64(&slot->fleet_version);
        if (registry->fleet && fleet.version) {
            mirror_store_read(&fleet, &slot->fleet_version,
                              mirror_table_fleet_store(registry->table, slot), pool);
        }
    } while (apr_atomic_read64(&slot->version) != node.version && ++attempt < ATTEMPTS);
    layers->fleet = mirror_layers_of_fleet(fleet.text);
    layers->fleet_version = fleet.version;
    /* it may have been stored for another configuration than this child's */
    layers->node = node.config == mirror->config ? node.text : NULL;
    layers->node_version = node.version;
    layers->version = node.version + fleet.version;
}

const char *mirror_layers_parse(mirror_override_t *node, mirror_override_t *fleet,
                                const mirror_layers_t *layers, apr_pool_t *pool)
{
    const char *wrong = mirror_override_parse(fleet, layers->fleet, pool);

    if (!wrong) {
        wrong = mirror_override_parse(node, layers->node, pool);
        node->beneath = layers->fleet ? fleet : NULL;
    }
    return wrong;
}
