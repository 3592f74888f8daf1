/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * settings/compare_rule_state.h - the inside of a rule: its field, its action, its value.
 */
#ifndef MIRROR_SETTINGS_COMPARE_RULE_STATE_H
#define MIRROR_SETTINGS_COMPARE_RULE_STATE_H

#include <ap_config.h>
#include <ap_regex.h>

#include "base/comparison.h"
#include "settings/compare_rule.h"

/* Bytes of FIELD and VALUE. */
#define MIRROR_RULE_FIELD_MAX 256
#define MIRROR_RULE_VALUE_MAX 1024
/* Segments of a pointer; JSON that is deeper is not compared. */
#define MIRROR_RULE_SEGMENTS_MAX 128

typedef enum { MIRROR_SEGMENT_NAME, MIRROR_SEGMENT_ONE, MIRROR_SEGMENT_ANY } mirror_segment_e;

typedef struct mirror_segment_t {
    mirror_segment_e kind;
    const char *name; /* unescaped */
    apr_size_t len;
    int is_index; /* the name is also that of the element `index` */
    unsigned index;
} mirror_segment_t;

typedef struct mirror_rule_field_t {
    mirror_part_e part;
    const char *name; /* of a header, in lower case */
    apr_size_t len;
    mirror_segment_t *segments; /* of a body */
    int count;
} mirror_rule_field_t;

/* A decimal number of up to MIRROR_DECIMAL_HALF digits on either side of the point, exact. */
#define MIRROR_DECIMAL_HALF   64
#define MIRROR_DECIMAL_DIGITS (2 * MIRROR_DECIMAL_HALF)

typedef struct mirror_decimal_t {
    int is_negative;
    unsigned char digits[MIRROR_DECIMAL_DIGITS]; /* the first is of 10^-MIRROR_DECIMAL_HALF */
} mirror_decimal_t;

/* The value of `within`. */
typedef struct mirror_within_t {
    int is_time;
    apr_time_t time;               /* microseconds */
    mirror_decimal_t number;       /* as it is; of a time in seconds */
    mirror_decimal_t milliseconds; /* of a time */
} mirror_within_t;

typedef struct mirror_regex_t {
    ap_regex_t compiled;
    apr_size_t max; /* bytes that it runs on */
} mirror_regex_t;

struct mirror_compare_rule_t {
    mirror_rule_action_e action;
    mirror_rule_field_t field;
    mirror_regex_t regex;   /* match, mask */
    mirror_within_t within; /* within */
    mirror_segment_t key;   /* key */
    const char *text;
    apr_uint64_t id; /* of the text */
};

/* ---- startup, or a thread that makes settings ---- */

/* Read a field into `field`, in `pool`. Returns NULL, or the end of the sentence "FIELD: must ...". */
const char *mirror_compare_rule_field_read(mirror_rule_field_t *field, const char *text,
                                           apr_pool_t *pool);

/* Read "/NAME" as the name of a member, in `pool`. Returns 0 if it is none. */
int mirror_compare_rule_field_read_key(mirror_segment_t *key, const char *text, apr_pool_t *pool);

/* Read the value of `within`. Returns 0 if it is neither a number nor a time. */
int mirror_compare_rule_within_read(mirror_within_t *within, const char *text);

/* Compile a regular expression, until `pool` is cleared. Returns NULL, or the end of the sentence
 * "VALUE: must ...". */
const char *mirror_compare_rule_regex_read(mirror_regex_t *regex, const char *text,
                                           apr_pool_t *pool);

/* ---- any thread ---- */

/* Whether the expression matches; *failed is set to 1 if that could not be found out. */
int mirror_compare_rule_regex_matches(int *failed, const mirror_regex_t *regex, const char *text,
                                      apr_size_t len);

/* Whether two texts are equal when what matches is cut out, by one expression after the other. *failed
 * is set to the number, from 1, of the one for which that could not be found out. */
int mirror_compare_rule_regex_masks(int *failed, const mirror_regex_t *const *list, int count,
                                    const char *a, apr_size_t a_len, const char *b,
                                    apr_size_t b_len);

/* A copy of a text without what matches, by one expression after the other; free() it. *len is that of the
 * text, and then of the copy. NULL: a limit was exceeded, or there is no memory. */
char *mirror_compare_rule_regex_cut(const mirror_regex_t *const *list, int count, const char *text,
                                    apr_size_t *len);

/* Whether two numbers or times differ by at most `within`. */
int mirror_compare_rule_within_matches(const mirror_within_t *within, const char *a,
                                       apr_size_t a_len, const char *b, apr_size_t b_len);

#endif
