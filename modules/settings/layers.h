/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * settings/layers.h - the layers of a mirror's settings: file < fleet < node.
 *
 * The fleet's layer is a document that all nodes read from one store; the node's layer is what the
 * manager of this httpd has set. Each is an override in a store of its own in shared memory
 * (shared/store.h). The text in the fleet's store has two parts: a line that only the fleet's rooms
 * read, and the override.
 */
#ifndef MIRROR_SETTINGS_LAYERS_H
#define MIRROR_SETTINGS_LAYERS_H

#include "settings/override.h"
#include "shared/table.h"

typedef struct mirror_layers_t {
    const char *fleet;          /* text of the fleet's override; NULL = none */
    const char *node;           /* text of the node's override; NULL = none */
    apr_uint64_t fleet_version; /* of its store */
    apr_uint64_t node_version;  /* of its store */
    apr_uint64_t version;       /* of both; a higher one is newer */
} mirror_layers_t;

/* ---- any thread ---- */

/* Return the version of the layers, the sum of theirs, which only grow; 0 = neither was ever
 * written. */
static inline apr_uint64_t mirror_layers_version(mirror_slot_t *slot)
{
    return apr_atomic_read64(&slot->version) + apr_atomic_read64(&slot->fleet_version);
}

/* Read the layers of `mirror`, which has a slot, as they are together at one time. Texts are in
 * `pool`. The node's text is left out if it was stored over other settings of the file. */
void mirror_layers_read(mirror_layers_t *layers, const mirror_registry_t *registry,
                        const mirror_t *mirror, apr_pool_t *pool);

/* Return the override in a text of the fleet's store; NULL if the text is NULL or has no first
 * line. */
const char *mirror_layers_of_fleet(const char *text);

/* Parse both layers. *fleet becomes the layer beneath *node and must live as long. Returns NULL or
 * an error message in `pool`. */
const char *mirror_layers_parse(mirror_override_t *node, mirror_override_t *fleet,
                                const mirror_layers_t *layers, apr_pool_t *pool);

#endif
