/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * attributes/attributes.h - the table of attributes; from directive words, from JSON, to JSON.
 *
 * One row per attribute says what it is called, where it is in mirror_settings_t, its rule
 * (attributes/value.h), its default, where it may be given, and what it needs to have an effect.
 * Directives, JSON, messages and defaults are all driven by the rows; relations between attributes
 * have a table of their own.
 *
 * Settings are layers: what a line gives lies over what the defaults of its server give, and that
 * over the table's defaults. A layer's `set` says which rows it gives.
 */
#ifndef MIRROR_ATTRIBUTES_ATTRIBUTES_H
#define MIRROR_ATTRIBUTES_ATTRIBUTES_H

#include "attributes/value.h"
#include "base/mirror.h"

/* Where an attribute may not be given. */
#define MIRROR_ATTRIBUTE_NO_WORD    1 /* not as attribute=value: it is the URL itself */
#define MIRROR_ATTRIBUTE_NO_DEFAULT 2 /* not in ProxyMirrorDefaults: it is each mirror's own */
#define MIRROR_ATTRIBUTE_NO_JSON    4 /* not in JSON, neither in nor out */

typedef struct mirror_attribute_t {
    const char *name;
    apr_size_t offset; /* of its member of mirror_settings_t */
    mirror_value_rule_t rule;
    const char *initial; /* default, as in a directive; NULL: no value */
    unsigned flags;
    /* has an effect only with another's value, "body=true", or "a=x|y", or with any but its
     * default, "path"; NULL: always */
    const char *effective;
} mirror_attribute_t;

extern const mirror_attribute_t mirror_attributes[]; /* ends with a row without a name */

/* ---- any thread ---- */

/* The row called `name`; NULL if there is none. */
const mirror_attribute_t *mirror_attributes_find(const char *name);

/* Whether `settings` gives the attribute itself. */
int mirror_attributes_is_set(const mirror_settings_t *settings,
                             const mirror_attribute_t *attribute);

/* The table's defaults. None of them counts as set. What they point to is in `pool`. */
void mirror_attributes_defaults(mirror_settings_t *settings, apr_pool_t *pool);

/* Read the first word of a ProxyMirror line, the attribute host. Returns NULL, or what is wrong, as
 * all below do. */
const char *mirror_attributes_set_url(mirror_settings_t *settings, const char *url,
                                      apr_pool_t *pool);

/* Read `line`: words of the form attribute=value, each attribute at most once. `forbidden` are the
 * flags of attributes that may not be given here. */
const char *mirror_attributes_set_line(mirror_settings_t *settings, const char *line,
                                       unsigned forbidden, apr_pool_t *pool);

/* Read the attribute `name` from JSON. */
const char *mirror_attributes_set_json(mirror_settings_t *settings, const char *name, yajl_val json,
                                       apr_pool_t *pool);

/* Read the attribute `name` from a form: what JSON may set, as the word that a directive has. */
const char *mirror_attributes_set_form(mirror_settings_t *settings, const char *name,
                                       const char *text, apr_pool_t *pool);

/* The row that JSON may set by this name. Returns NULL, or what is wrong. */
const char *mirror_attributes_find_json(const mirror_attribute_t **row, const char *name,
                                        apr_pool_t *pool);

/* Take the next word off `*line`: it may be quoted with " or ' as a whole, as in any directive, or
 * its value may, attribute="a value"; a backslash goes before a quote in quotes. *word is NULL at
 * the end. */
const char *mirror_attributes_next_word(const char **word, const char **line, apr_pool_t *pool);

/* Lay what `over` gives over `settings`. What it points to is shared. */
void mirror_attributes_merge(mirror_settings_t *settings, const mirror_settings_t *over);

/* One row of `settings`: as in `from`, with what it points to shared; not given any more; whether
 * both have the same value. */
void mirror_attributes_take(mirror_settings_t *settings, const mirror_settings_t *from,
                            const mirror_attribute_t *row);
void mirror_attributes_unset(mirror_settings_t *settings, const mirror_attribute_t *row);
int mirror_attributes_same(const mirror_settings_t *a, const mirror_settings_t *b,
                           const mirror_attribute_t *row, apr_pool_t *pool);

/* The value of one row for people: in quotes where it is text, a secret as "***", "nothing" if
 * there is none. */
const char *mirror_attributes_describe(const mirror_settings_t *settings,
                                       const mirror_attribute_t *row, apr_pool_t *pool);

/* A hash of all values, secrets included. Never 0. */
apr_uint64_t mirror_attributes_hash(const mirror_settings_t *settings, apr_pool_t *pool);

/* The row's bit in a set of rows. */
apr_uint64_t mirror_attributes_bit(const mirror_attribute_t *row);

/* Add the key and the value of one row to `json`: with `reveal` a secret as it is. */
void mirror_attributes_print_row(yajl_gen json, const mirror_settings_t *settings,
                                 const mirror_attribute_t *row, int reveal, apr_pool_t *pool);

/* Add a JSON object of all attributes that have a value to `json`, in the order of the table. */
void mirror_attributes_print(yajl_gen json, const mirror_settings_t *settings, apr_pool_t *pool);

#endif
