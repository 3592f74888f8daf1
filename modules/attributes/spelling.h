/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * attributes/spelling.h - the name that was meant by a mistyped one.
 */
#ifndef MIRROR_ATTRIBUTES_SPELLING_H
#define MIRROR_ATTRIBUTES_SPELLING_H

#include <apr_tables.h>

/* ---- any thread ---- */

/* Return the one of `names` (of const char *) that `name` resembles most; NULL if it resembles none.
 * The first of several that are equally near. */
const char *mirror_spelling_nearest(const char *name, const apr_array_header_t *names);

#endif
