/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * attributes/value.h - the types of configuration values.
 *
 * A type parses a value from a directive or from JSON into a C variable, and prints the value in
 * its canonical form. A rule is a type with bounds and an error message. Attributes
 * (attributes/attributes.h) and single-value directives have rules. This header is independent of
 * httpd.
 */
#ifndef MIRROR_ATTRIBUTES_VALUE_H
#define MIRROR_ATTRIBUTES_VALUE_H

#include <apr_pools.h>
#include <yajl/yajl_gen.h>
#include <yajl/yajl_tree.h>

/* The ratio 1, in billionths. */
#define MIRROR_RATIO_ALL APR_INT64_C(1000000000)

struct mirror_target_t;

typedef struct mirror_value_type_t mirror_value_type_t;
typedef struct mirror_value_rule_t mirror_value_rule_t;

struct mirror_value_rule_t {
    const mirror_value_type_t *type;
    /* bounds; number: the value; size: bytes; time: microseconds; string: length; list: words */
    apr_int64_t min, max;
    const char *allowed; /* error message, "must be an integer from 1 to 100" */
    /* choice: the allowed words in the order of their numbers; NULL at the end */
    const char *const *choices;
    /* string: returns NULL if `text` is valid, else the reason; "" = see `allowed` */
    const char *(*refuse)(const char *text);
};

struct mirror_value_type_t {
    apr_size_t size; /* size of the variable in bytes */
    int is_number;   /* 1 if messages repeat the value without quotes */
    /* Parse a value. Returns NULL, or the reason of the rejection, such as "it has a path"; "" =
     * see the rule's `needed`. The variable is written only if NULL is returned. */
    const char *(*read)(void *variable, const mirror_value_rule_t *rule, const char *text,
                        apr_pool_t *pool);
    const char *(*read_json)(void *variable, const mirror_value_rule_t *rule, yajl_val json,
                             apr_pool_t *pool);
    /* Return the canonical text; NULL if there is no value. */
    const char *(*print)(const void *variable, const mirror_value_rule_t *rule, apr_pool_t *pool);
    void (*print_json)(yajl_gen json, const void *variable, const mirror_value_rule_t *rule);
    /* If read_json and print_json are NULL, the value is a JSON string of the same text. */
    /* returns the part of a rejected text that may be shown; NULL = all */
    const char *(*mask)(const char *text, apr_pool_t *pool);
};

/* The C type and the syntax of each type:
 *
 *     bool    int                   true, false; in a directive also on, off
 *     number  apr_int64_t           decimal digits
 *     size    apr_int64_t           bytes, or with K, M or G of 1024
 *     time    apr_interval_time_t   seconds, or with ms, s, min, h; decimals; whole milliseconds
 *     choice  int                   one of the rule's words
 *     file_choice  int              as choice; JSON: the first word only, and in a form of the manager,
 *                                   as the others can be set only in the configuration file
 *     string  const char *          without control characters; NULL = no value
 *     list    apr_array_header_t *  of const char *; words separated by commas; JSON: an array of
 *                                   strings; min and max of the rule bound the number of words,
 *                                   `refuse` checks each word
 *     set     int                   bit n = word n of the rule; words separated by commas, "all", or
 *                                   "off"; JSON: an array of strings
 *     texts   apr_array_header_t *  of const char *, which may contain commas; NULL = no value; a JSON
 *                                   array of strings, as text too; min, max and `refuse` as for list
 *     secret  const char *          as string, but shown as "***"; in a directive also
 *                                   exec:/path/to/program
 *     ratio   apr_int64_t           billionths; decimals, in a directive also with %
 *     date    apr_time_t            RFC 3339, such as 2026-12-24T18:00:00Z; 0 = no value
 *     host    const char *          one of the rule's words, or a valid Host header
 *     servers apr_array_header_t *  of mirror_server_t; host[:port][*weight], separated by commas;
 *                                   NULL = no value; JSON: an array of strings; min and max as for
 *                                   list
 *     target  mirror_target_t       http:// or https:// URL of a server (RFC 9110 4.2), without
 *                                   path; in a directive also unix:/path|http://name */
extern const mirror_value_type_t mirror_value_bool;
extern const mirror_value_type_t mirror_value_number;
extern const mirror_value_type_t mirror_value_size;
extern const mirror_value_type_t mirror_value_time;
extern const mirror_value_type_t mirror_value_choice;
extern const mirror_value_type_t mirror_value_file_choice;
extern const mirror_value_type_t mirror_value_string;
extern const mirror_value_type_t mirror_value_target;
extern const mirror_value_type_t mirror_value_list;
extern const mirror_value_type_t mirror_value_set;
extern const mirror_value_type_t mirror_value_texts;
extern const mirror_value_type_t mirror_value_secret;
extern const mirror_value_type_t mirror_value_ratio;
extern const mirror_value_type_t mirror_value_host;
extern const mirror_value_type_t mirror_value_date;
extern const mirror_value_type_t mirror_value_servers;

/* ---- any thread ---- */

/* Functions for a rule's `refuse`: a method in capitals (RFC 9110 9.1); a final status (404) or a
 * class (2xx); a path that begins with '/', without query and fragment (RFC 3986 3.3). */
const char *mirror_value_refuse_method(const char *text);
const char *mirror_value_refuse_status(const char *text);
const char *mirror_value_refuse_path(const char *text);

/* Parse a host name, an IPv4 address, or with `is_bracketed` an IPv6 address into `hostname` and
 * `named` of `target`, in canonical form. Returns NULL, or the reason of the rejection. */
const char *mirror_value_target_host(struct mirror_target_t *target, const char *host,
                                     int is_bracketed, apr_pool_t *pool);

/* Parse `text` into `variable`; allocations are in `pool`. Returns NULL, or an error message such
 * as "count: must be an integer from 1 to 100, got 0". On error the variable is unchanged. */
const char *mirror_value_from_text(void *variable, const mirror_value_rule_t *rule,
                                   const char *name, const char *text, apr_pool_t *pool);

/* Check whether `text` can be printed as JSON, that is, whether it is UTF-8 (RFC 8259 8.1). Returns
 * NULL or an error message as above. A secret is never printed, so it may contain any bytes. */
const char *mirror_value_refuse_encoding(const mirror_value_rule_t *rule, const char *name,
                                         const char *text, apr_pool_t *pool);

/* Parse JSON like mirror_value_from_text(), with the same messages. All strings must be UTF-8,
 * secrets included. Types are strict: "5" is not a number, "true" is not a bool. */
const char *mirror_value_from_json(void *variable, const mirror_value_rule_t *rule,
                                   const char *name, yajl_val json, apr_pool_t *pool);

/* Return the canonical text, which mirror_value_from_text() parses to the same value. Allocated in
 * `pool` or static. NULL if there is no value. */
const char *mirror_value_to_text(const void *variable, const mirror_value_rule_t *rule,
                                 apr_pool_t *pool);

/* Return the same text, but a secret in full. Do not display it. */
const char *mirror_value_reveal(const void *variable, const mirror_value_rule_t *rule,
                                apr_pool_t *pool);

/* Append the value, which must exist, to `json`. */
void mirror_value_to_json(yajl_gen json, const void *variable, const mirror_value_rule_t *rule,
                          apr_pool_t *pool);

/* Quote `text` for logs and messages: in double quotes, non-printable and non-ASCII bytes escaped,
 * truncated after 64 characters. */
const char *mirror_value_quote(const char *text, apr_pool_t *pool);

#endif
