/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * attributes/value.h - the types that values in the configuration have.
 *
 * A type reads a value from the text of a directive or from JSON into a C variable, and prints it
 * in its canonical form. A rule is a type with bounds, and with words for whoever breaks it.
 * Attributes (attributes/attributes.h) and directives that take a single value have rules. Nothing
 * of httpd is in here.
 */
#ifndef MIRROR_ATTRIBUTES_VALUE_H
#define MIRROR_ATTRIBUTES_VALUE_H

#include <apr_pools.h>
#include <yajl/yajl_gen.h>
#include <yajl/yajl_tree.h>

/* The ratio 1, in billionths. */
#define MIRROR_RATIO_ALL APR_INT64_C(1000000000)

typedef struct mirror_value_type_t mirror_value_type_t;
typedef struct mirror_value_rule_t mirror_value_rule_t;

struct mirror_value_rule_t {
    const mirror_value_type_t *type;
    /* number: itself; size: bytes; time: microseconds; string: its length */
    apr_int64_t min, max;
    const char *needed;         /* "a whole number, 1 or more, is needed" */
    const char *const *choices; /* choice: the words, by their number, NULL at the end */
    /* string: NULL if it is all right, else why not; "" if `needed` says it */
    const char *(*refuse)(const char *text);
};

struct mirror_value_type_t {
    apr_size_t size; /* of a variable */
    int is_number;   /* messages repeat a number without quotes */
    /* Each returns NULL, or why the value is refused, as "it has a path", or "" if the rule's own
     * words say it. The variable is written to only with NULL. */
    const char *(*read)(void *variable, const mirror_value_rule_t *rule, const char *text,
                        apr_pool_t *pool);
    const char *(*read_json)(void *variable, const mirror_value_rule_t *rule, yajl_val json,
                             apr_pool_t *pool);
    /* The canonical text; NULL if there is no value. */
    const char *(*print)(const void *variable, const mirror_value_rule_t *rule, apr_pool_t *pool);
    void (*print_json)(yajl_gen json, const void *variable);
    /* Without read_json and print_json it is a string in JSON, with the same text. */
    /* what of a refused text may be shown; NULL: all */
    const char *(*mask)(const char *text, apr_pool_t *pool);
};

/* What a variable of each type is in C, and how it is written:
 *   bool    int                   true, false; in a directive also on, off
 *   number  apr_int64_t           decimal digits
 *   size    apr_int64_t           bytes, or with K, M or G of 1024
 *   time    apr_interval_time_t   seconds, or with ms, s, min, h; decimals; whole milliseconds
 *   choice  int                   one of the rule's words
 *   string  const char *          without control characters; NULL: there is none
 *   list    apr_array_header_t *  of const char *; words with commas between them; JSON: an array
 *           of strings; the
 *                                 rule's min and max are of the number of words, refuse is asked
 *                                 for each of them
 *   secret  const char *          as string, but shown as "***" wherever it is shown; in a
 *           directive also
 *                                 exec:/path/to/program
 *   ratio   apr_int64_t           billionths; decimals, in a directive also with %
 *   host    const char *          one of the rule's words, or what a Host header may be
 *   target  mirror_target_t       http:// or https:// URL of a server (RFC 9110 4.2), nothing
 *           after it; in a directive
 *                                 also unix:/path|http://name
 */
extern const mirror_value_type_t mirror_value_bool;
extern const mirror_value_type_t mirror_value_number;
extern const mirror_value_type_t mirror_value_size;
extern const mirror_value_type_t mirror_value_time;
extern const mirror_value_type_t mirror_value_choice;
extern const mirror_value_type_t mirror_value_string;
extern const mirror_value_type_t mirror_value_target;
extern const mirror_value_type_t mirror_value_list;
extern const mirror_value_type_t mirror_value_secret;
extern const mirror_value_type_t mirror_value_ratio;
extern const mirror_value_type_t mirror_value_host;

/* ---- any thread ---- */

/* Each is a rule's `refuse`: for a method in capitals (RFC 9110 9.1), for a final status (404) or a
 * class of them (2xx), for a path that begins with '/' and has neither query nor fragment (RFC
 * 3986 3.3). */
const char *mirror_value_refuse_method(const char *text);
const char *mirror_value_refuse_status(const char *text);
const char *mirror_value_refuse_path(const char *text);

/* Read `text` into `variable`; what it points to is in `pool`. Returns NULL, or what is wrong, in
 * the form "count: a whole number, 1 or more, is needed; got 0": then the variable is as it was. */
const char *mirror_value_from_text(void *variable, const mirror_value_rule_t *rule,
                                   const char *name, const char *text, apr_pool_t *pool);

/* Whether `text` can be shown as JSON, which is UTF-8 (RFC 8259 8.1). Returns NULL, or what is
 * wrong, in the same form. A secret is never shown, so that it may have any bytes. */
const char *mirror_value_refuse_encoding(const mirror_value_rule_t *rule, const char *name,
                                         const char *text, apr_pool_t *pool);

/* The same as mirror_value_from_text() from JSON, with the same words; all strings have to be
 * UTF-8, secrets too. Types are strict: "5" is no number, "true" no bool. */
const char *mirror_value_from_json(void *variable, const mirror_value_rule_t *rule,
                                   const char *name, yajl_val json, apr_pool_t *pool);

/* The canonical text, which mirror_value_from_text() reads back as the same value; NULL if there is
 * no value. In `pool` or static. */
const char *mirror_value_to_text(const void *variable, const mirror_value_rule_t *rule,
                                 apr_pool_t *pool);

/* The same, but of a secret the secret itself: not to be shown. */
const char *mirror_value_reveal(const void *variable, const mirror_value_rule_t *rule,
                                apr_pool_t *pool);

/* Add the value to `json`; there must be one. */
void mirror_value_to_json(yajl_gen json, const void *variable, const mirror_value_rule_t *rule,
                          apr_pool_t *pool);

/* `text` in double quotes as it can stand in any log or message: what is not printable ASCII
 * escaped, cut after 64 characters. */
const char *mirror_value_quote(const char *text, apr_pool_t *pool);

#endif
