/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * attributes/attributes.h - the table of attributes; reading from directives and JSON, printing as
 * JSON.
 *
 * Each attribute is one row: its name, its member of mirror_settings_t, its rule
 * (attributes/value.h), its default, where it is allowed, and which other attribute it depends on.
 * The rows drive directives, JSON, messages and defaults. attributes/relations.h checks relations
 * between attributes.
 *
 * Settings are merged in layers: the attributes of a line override the defaults of its server,
 * which override the defaults of the table. The member `set` of a layer marks the rows that it
 * gives.
 */
#ifndef MIRROR_ATTRIBUTES_ATTRIBUTES_H
#define MIRROR_ATTRIBUTES_ATTRIBUTES_H

#include "attributes/value.h"
#include "base/mirror.h"

/* Contexts in which an attribute is not allowed. */
#define MIRROR_ATTRIBUTE_NO_WORD    1 /* not as attribute=value: the URL itself */
#define MIRROR_ATTRIBUTE_NO_DEFAULT 2 /* not in ProxyMirrorDefaults: specific to each mirror */
#define MIRROR_ATTRIBUTE_NO_JSON    4 /* neither read from JSON nor printed */
#define MIRROR_ATTRIBUTE_NO_STORE   8 /* not in ProxyMirrorFleet; no row has it */

typedef struct mirror_attribute_t {
    const char *name;
    apr_size_t offset; /* offset of the member in mirror_settings_t */
    mirror_value_rule_t rule;
    const char *initial; /* default, as in a directive; NULL = no value */
    unsigned flags;
    /* the value of another attribute that this one requires to have an effect: "body=true",
     * "a=x|y", or "path" for any value but its default; NULL = always effective */
    const char *effective;
} mirror_attribute_t;

extern const mirror_attribute_t mirror_attributes[]; /* the last row has no name */

/* ---- any thread ---- */

/* Return the row of `name`; NULL if there is none. */
const mirror_attribute_t *mirror_attributes_find(const char *name);

/* Return whether the attribute `name`, also one that is not in the table, is of a store in Redis. */
int mirror_attributes_is_of_store(const char *name);

/* Return whether `settings` gives the attribute explicitly. */
int mirror_attributes_is_set(const mirror_settings_t *settings,
                             const mirror_attribute_t *attribute);

/* Fill `settings` with the table's defaults. No row counts as set. Values are allocated in
 * `pool`. */
void mirror_attributes_defaults(mirror_settings_t *settings, apr_pool_t *pool);

/* Parse the first word of a ProxyMirror line, the attribute host. This function and the following
 * ones return NULL or an error message. */
const char *mirror_attributes_set_url(mirror_settings_t *settings, const char *url,
                                      apr_pool_t *pool);

/* Parse `line`: words of the form attribute=value, each attribute at most once. `forbidden`: flags
 * of attributes that are not allowed here. */
const char *mirror_attributes_set_line(mirror_settings_t *settings, const char *line,
                                       unsigned forbidden, apr_pool_t *pool);

/* Parse the attribute `name` from JSON. */
const char *mirror_attributes_set_json(mirror_settings_t *settings, const char *name, yajl_val json,
                                       apr_pool_t *pool);

/* Parse the attribute `name` from a form field. Allowed are the attributes of JSON, in the syntax
 * of a directive. */
const char *mirror_attributes_set_form(mirror_settings_t *settings, const char *name,
                                       const char *text, apr_pool_t *pool);

/* Find the row that JSON may set by this name. Returns NULL or an error message. */
const char *mirror_attributes_find_json(const mirror_attribute_t **row, const char *name,
                                        apr_pool_t *pool);

/* Return `wrong`, the message about `rest` of a line, or NULL; but another one, which does not repeat what
 * may be the rest of a password with a space, if the word `before` is a password and `rest` begins with no
 * attribute. `before`: NULL = none. */
const char *mirror_attributes_hide_rest(const char *wrong, const char *before, const char *rest,
                                        apr_pool_t *pool);

/* Return the next word of `*line` and advance `*line`. The word, or its value as in attribute="a
 * value", may be quoted with " or '. A backslash escapes a quote. *word is NULL at the end. */
const char *mirror_attributes_next_word(const char **word, const char **line, apr_pool_t *pool);

/* Override `settings` with the attributes that `over` gives. Values are shared, not copied. */
void mirror_attributes_merge(mirror_settings_t *settings, const mirror_settings_t *over);

/* Copy one row from `from`, sharing its value; mark one row as not given; compare one row. */
void mirror_attributes_take(mirror_settings_t *settings, const mirror_settings_t *from,
                            const mirror_attribute_t *row);
void mirror_attributes_unset(mirror_settings_t *settings, const mirror_attribute_t *row);
int mirror_attributes_same(const mirror_settings_t *a, const mirror_settings_t *b,
                           const mirror_attribute_t *row, apr_pool_t *pool);

/* Return the value of one row for messages: text in quotes, a secret as "***", no value as
 * "nothing". */
const char *mirror_attributes_describe(const mirror_settings_t *settings,
                                       const mirror_attribute_t *row, apr_pool_t *pool);

/* Return a hash of the values that are given explicitly and are not the defaults, secrets included.
 * Never 0. A module of another version, with more attributes, another order of them or other
 * defaults of those that are not given, has the same hash for the same file: an upgrade is no change
 * of the file. */
apr_uint64_t mirror_attributes_hash(const mirror_settings_t *settings, apr_pool_t *pool);

/* Return the row's bit in a set of rows. */
apr_uint64_t mirror_attributes_bit(const mirror_attribute_t *row);

/* Append the key and value of one row to `json`. If `reveal` is not 0, a secret is printed in
 * full. */
void mirror_attributes_print_row(yajl_gen json, const mirror_settings_t *settings,
                                 const mirror_attribute_t *row, int reveal, apr_pool_t *pool);

/* Append to `json` an object of all attributes that have a value, in table order. */
void mirror_attributes_print(yajl_gen json, const mirror_settings_t *settings, apr_pool_t *pool);

#endif
