/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * settings/peer.c - what settings say about another mirror. See settings/peer.h.
 */
#include <string.h>

#include <apr_strings.h>

#include "attributes/value.h"
#include "settings/peer.h"

const char *mirror_peer_refuse(const mirror_registry_t *registry, const mirror_t *of,
                               const mirror_settings_t *settings, apr_pool_t *pool)
{
    int i;

    for (i = 0; settings->compare_reference && i < registry->mirrors->nelts; i++) {
        const mirror_t *mirror = APR_ARRAY_IDX(registry->mirrors, i, const mirror_t *);

        if (!strcmp(mirror->name, settings->compare_reference) &&
            mirror->settings->role == MIRROR_ROLE_REFERENCE && mirror->vhost == of->vhost &&
            !strcmp(mirror->scope, of->scope)) {
            return NULL;
        }
    }
    return settings->compare_reference
               ? apr_pstrcat(
                     pool,
                     "compare_reference: must be the name of a mirror with role=reference in "
                     "the same section, got ",
                     mirror_value_quote(settings->compare_reference, pool), NULL)
               : NULL;
}
