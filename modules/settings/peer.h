/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * settings/peer.h - what the settings of a mirror say about another mirror: compare_reference.
 */
#ifndef MIRROR_SETTINGS_PEER_H
#define MIRROR_SETTINGS_PEER_H

#include "base/mirror.h"

/* ---- any thread ---- */

/* Check that compare_reference, if set in `settings` of `of`, names a mirror of the same section that has
 * role=reference in the configuration. Returns NULL or an error message in `pool`. */
const char *mirror_peer_refuse(const mirror_registry_t *registry, const mirror_t *of,
                               const mirror_settings_t *settings, apr_pool_t *pool);

#endif
