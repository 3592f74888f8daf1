/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/values.h - what compare_values keeps of the values that differ in one pair of responses.
 *
 * Values are kept of header fields, of members of JSON that are no containers, and of texts the line
 * of the first difference (compare/excerpt.h), never of whole bodies. A value whose name says that it is
 * secret, or that has such a name in it (compare/secret_name.h), is "***", whatever compare_values is.
 */
#ifndef MIRROR_COMPARE_VALUES_H
#define MIRROR_COMPARE_VALUES_H

#include <apr.h>

#include "base/comparison.h"

/* Bytes of one value, without its NUL; of one that is masked. */
#define MIRROR_VALUES_MAX    256
#define MIRROR_VALUES_MASKED 64
/* Rows of one pair, as in compare/rows.h. */
#define MIRROR_VALUES_ROWS 64

typedef struct mirror_values_t {
    mirror_values_e mode; /* not OFF */
    /* by row and side, primary and mirror; "": nothing is kept */
    char text[MIRROR_VALUES_ROWS][2][MIRROR_VALUES_MAX + 1];
} mirror_values_t;

/* ---- any thread: the owner ---- */

/* Forget the values of a row. */
void mirror_values_clear(mirror_values_t *values, int row);

/* Keep a value of one side of a row: the first bytes of it, or its letters as 'a' and its digits as
 * '9'; in double quotes, if `is_string`. "***", if a name of something secret is in its first bytes. */
void mirror_values_keep(mirror_values_t *values, int row, int side, const char *value,
                        apr_size_t len, int is_string);

/* Keep "***" for a side of a row. */
void mirror_values_hide(mirror_values_t *values, int row, int side);

/* Put a text of at most 31 bytes before the value that is kept for a side of a row; the end of the
 * value is lost if both have no room. */
void mirror_values_prefix(mirror_values_t *values, int row, int side, const char *prefix);

#endif
