/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/glance.h - a cheap look at two blocks of header fields, before any other: most responses
 * are equal but for headers such as Date, and need no more.
 */
#ifndef MIRROR_COMPARE_GLANCE_H
#define MIRROR_COMPARE_GLANCE_H

#include <apr_tables.h>

#include "compare/rows.h"

/* ---- any thread ---- */

/* Return whether both blocks have the same lines, those of one name in the same order, but for headers
 * that the built-in list does not compare, and that no rule is for. Then the rows are those of
 * mirror_headers_compare(). 0 also for blocks that it would find equal; the rows may then be any.
 * `rules`: of mirror_compare_rule_t *, NULL = none. */
int mirror_glance_heads(mirror_rows_t *rows, const apr_array_header_t *rules, const char *a,
                        apr_size_t a_len, const char *b, apr_size_t b_len);

#endif
