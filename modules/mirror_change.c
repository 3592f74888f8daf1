/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * mirror_change.c - changing a mirror while httpd runs. See mirror_change.h.
 */
#include "mirror_change.h"

const char *mirror_change_nonce(const mirror_registry_t *registry)
{
    return registry->nonce;
}
