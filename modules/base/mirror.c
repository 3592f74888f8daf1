/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/mirror.c - the names of outcomes, and pools without a parent.
 */
#include <stdlib.h>

#include "base/mirror.h"

const char *mirror_outcome_name(mirror_outcome_e outcome)
{
    static const char *const names[] = {
#define MIRROR_OUTCOME_NAME(id, name) name,
        MIRROR_OUTCOMES(MIRROR_OUTCOME_NAME)
#undef MIRROR_OUTCOME_NAME
    };

    return outcome < MIRROR_OUTCOME_COUNT ? names[outcome] : "captured";
}

static int out_of_memory(int rv)
{
    (void)rv;
    abort();
}

apr_pool_t *mirror_memory_pool_create(const char *tag)
{
    apr_pool_t *pool;

    if (apr_pool_create_unmanaged_ex(&pool, out_of_memory, NULL) != APR_SUCCESS) {
        abort();
    }
    apr_pool_tag(pool, tag);
    return pool;
}
