/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/glance.h - a cheap look at two blocks of header fields, for a comparer without budget.
 */
#ifndef MIRROR_COMPARE_GLANCE_H
#define MIRROR_COMPARE_GLANCE_H

#include <apr_tables.h>

/* ---- any thread ---- */

/* Return whether both blocks have the same lines in the same order, but for values of headers that
 * the built-in list does not compare. 0 also for blocks that mirror_headers_compare() would find
 * equal. `rules`: of mirror_compare_rule_t *, NULL = none. */
int mirror_glance_heads(const apr_array_header_t *rules, const char *a, apr_size_t a_len,
                        const char *b, apr_size_t b_len);

#endif
