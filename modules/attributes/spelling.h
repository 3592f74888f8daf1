/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * attributes/spelling.h - the message about a name that is no attribute.
 */
#ifndef MIRROR_ATTRIBUTES_SPELLING_H
#define MIRROR_ATTRIBUTES_SPELLING_H

#include <apr_pools.h>

/* ---- any thread ---- */

/* Return the message about `name`, which is no attribute: `unknown attribute "nmae"; did you mean
 * "name"?`, then the list of attributes. `forbidden`: flags of attributes that are not allowed here
 * (attributes/attributes.h); they are neither proposed nor listed. In `pool`. */
const char *mirror_spelling_unknown(const char *name, unsigned forbidden, apr_pool_t *pool);

#endif
