/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/rows.h - the differences of one pair of responses, as rows of field and kind.
 *
 * A row counts a response, not an element: the same field and kind is added once. The text of a
 * field is the one that ProxyMirrorCompare takes: "status", "header/NAME" in lower case, "body", or
 * "body/" and an RFC 6901 pointer in which '*' stands for an array index or a name that looks like
 * an id.
 */
#ifndef MIRROR_COMPARE_ROWS_H
#define MIRROR_COMPARE_ROWS_H

#include <apr.h>

#include "compare/values.h"

/* Bytes of a field's text, without its NUL. */
#define MIRROR_FIELD_MAX 120
/* Rows of one pair; further ones are counted in `more`. */
#define MIRROR_ROWS_MAX MIRROR_VALUES_ROWS
/* Rules of one pair. */
#define MIRROR_ROWS_RULES 512

typedef struct mirror_row_t {
    unsigned char part; /* mirror_part_e */
    unsigned char kind; /* mirror_kind_e */
    /* both values have the same shape of ids or times (compare/name.h), so it may be noise if they
     * change from response to response */
    unsigned char volatile_shape;
    /* only the built-in list forgives it: no difference, but noise */
    unsigned char built_in;
    /* a rule `compare` is for it, so it is never guessed to be noise */
    unsigned char matters;
    /* in one of its values the other of mirror and reference is equal to the primary */
    unsigned char alone;
    apr_uint64_t marks[2]; /* of the values of primary and mirror, if volatile_shape is set */
    char field[MIRROR_FIELD_MAX + 1];
} mirror_row_t;

/* A rule that had a part in one pair. */
typedef struct mirror_rows_rule_t {
    const struct mirror_compare_rule_t *rule;
    unsigned char has_hit;    /* it forgave a difference, or made one count */
    unsigned char has_failed; /* a bound of its regular expression was passed */
} mirror_rows_rule_t;

typedef struct mirror_rows_t {
    int count;
    int more;       /* rows beyond MIRROR_ROWS_MAX */
    int more_alone; /* `alone` of one of these */
    int ignored;    /* differences that rules of the configuration forgive */
    mirror_row_t list[MIRROR_ROWS_MAX];
    /* what rules forgive; the same row may be in `list`, for another element. No room for further
     * ones */
    int forgiven_count;
    mirror_row_t forgiven[MIRROR_ROWS_MAX];
    int rule_count;
    mirror_rows_rule_t rules[MIRROR_ROWS_RULES];
    mirror_values_t *values; /* of `list`, by the same index; NULL: none are kept */
} mirror_rows_t;

/* ---- any thread: the owner ---- */

/* Forget all rows; no values are kept. */
void mirror_rows_clear(mirror_rows_t *rows);

/* Add a row; a text that is too long is cut at a character's border. `marks` is what
 * mirror_name_are_volatile() has set; NULL: the values have no volatile shape. If the row exists, its
 * volatile_shape and built_in stay set only if both are. Returns the index of a new row whose values
 * are to be kept, or -1. */
int mirror_rows_add(mirror_rows_t *rows, mirror_part_e part, mirror_kind_e kind, const char *field,
                    const apr_uint64_t marks[2], int built_in);

/* Count a difference that `rule` forgives, as a row of its own. */
void mirror_rows_forgive(mirror_rows_t *rows, mirror_part_e part, mirror_kind_e kind,
                         const char *field, const struct mirror_compare_rule_t *rule);

/* Note that a rule had a part in the pair, or failed. */
void mirror_rows_hit(mirror_rows_t *rows, const struct mirror_compare_rule_t *rule);
void mirror_rows_fail(mirror_rows_t *rows, const struct mirror_compare_rule_t *rule);

/* Note that a rule `compare` is for the row of this field and kind, if there is one. */
void mirror_rows_matter(mirror_rows_t *rows, mirror_kind_e kind, const char *field);

/* The row of this field and kind; NULL: there is none. */
const mirror_row_t *mirror_rows_find(const mirror_rows_t *rows, mirror_kind_e kind,
                                     const char *field);

/* How many rows are differences, without those of the built-in list. */
int mirror_rows_differences(const mirror_rows_t *rows);

#endif
