/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/excerpt.h - where two texts differ first, as the values of a row.
 */
#ifndef MIRROR_COMPARE_EXCERPT_H
#define MIRROR_COMPARE_EXCERPT_H

#include <apr.h>

#include "compare/values.h"

/* Keep of two texts, which differ, the line of the first difference as the values of a row:
 * "line 12: " and up to 200 bytes around it, 64 if they are masked. "***" stands for the bytes if a
 * name of something secret is among them, in the word that they continue, in the 256 bytes before it, or
 * in the tag in which they end (compare/secret_name.h).
 * Any thread: the owner. */
void mirror_excerpt_keep(mirror_values_t *values, int row, const char *a, apr_size_t a_len,
                         const char *b, apr_size_t b_len);

/* The same for the first difference from from[0] in `a`, and from[1] in `b`. The line is that of `a`. */
void mirror_excerpt_keep_from(mirror_values_t *values, int row, const char *a, apr_size_t a_len,
                              const char *b, apr_size_t b_len, const apr_size_t from[2]);

#endif
