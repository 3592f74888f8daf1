/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * attributes/attributes.c - what the table of attributes is used for. See attributes/attributes.h.
 */
#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "attributes/attributes.h"
#include "attributes/spelling.h"
#include "base/hash.h"

/* the row of `host`, the first */
#define ROW_HOST (&mirror_attributes[0])

/* ---- rows ---- */

apr_uint64_t mirror_attributes_bit(const mirror_attribute_t *row)
{
    return (apr_uint64_t)1 << (row - mirror_attributes);
}

static void *member(mirror_settings_t *settings, const mirror_attribute_t *row)
{
    return (char *)settings + row->offset;
}

static const void *const_member(const mirror_settings_t *settings, const mirror_attribute_t *row)
{
    return (const char *)settings + row->offset;
}

const mirror_attribute_t *mirror_attributes_find(const char *name)
{
    const mirror_attribute_t *row;

    for (row = mirror_attributes; row->name; row++) {
        if (!strcmp(row->name, name)) {
            return row;
        }
    }
    return NULL;
}

int mirror_attributes_is_set(const mirror_settings_t *settings, const mirror_attribute_t *attribute)
{
    return (settings->set & mirror_attributes_bit(attribute)) != 0;
}

void mirror_attributes_defaults(mirror_settings_t *settings, apr_pool_t *pool)
{
    const mirror_attribute_t *row;

    memset(settings, 0, sizeof(*settings));
    for (row = mirror_attributes; row->name; row++) {
        if (row->initial) {
            mirror_value_from_text(member(settings, row), &row->rule, row->name, row->initial,
                                   pool);
        }
    }
}

void mirror_attributes_merge(mirror_settings_t *settings, const mirror_settings_t *over)
{
    const mirror_attribute_t *row;

    for (row = mirror_attributes; row->name; row++) {
        if (over->set & mirror_attributes_bit(row)) {
            memcpy(member(settings, row), const_member(over, row), row->rule.type->size);
        }
    }
    settings->set |= over->set;
}

void mirror_attributes_take(mirror_settings_t *settings, const mirror_settings_t *from,
                            const mirror_attribute_t *row)
{
    memcpy(member(settings, row), const_member(from, row), row->rule.type->size);
    settings->set |= mirror_attributes_bit(row);
}

void mirror_attributes_unset(mirror_settings_t *settings, const mirror_attribute_t *row)
{
    settings->set &= ~mirror_attributes_bit(row);
}

static const char *reveal_row(const mirror_settings_t *settings, const mirror_attribute_t *row,
                              apr_pool_t *pool)
{
    return mirror_value_reveal(const_member(settings, row), &row->rule, pool);
}

int mirror_attributes_same(const mirror_settings_t *a, const mirror_settings_t *b,
                           const mirror_attribute_t *row, apr_pool_t *pool)
{
    const char *one = reveal_row(a, row, pool), *other = reveal_row(b, row, pool);

    return one && other ? !strcmp(one, other) : one == other;
}

apr_uint64_t mirror_attributes_hash(const mirror_settings_t *settings, apr_pool_t *pool)
{
    apr_uint64_t sum = MIRROR_HASH_START;
    mirror_settings_t initial;
    const mirror_attribute_t *row;

    mirror_attributes_defaults(&initial, pool);
    for (row = mirror_attributes; row->name; row++) {
        if (mirror_attributes_is_set(settings, row) &&
            !mirror_attributes_same(settings, &initial, row, pool)) {
            const char *text = reveal_row(settings, row, pool);
            apr_uint64_t hash = mirror_hash_bytes(MIRROR_HASH_START, row->name, strlen(row->name));

            hash = mirror_hash_add(hash, text ? 0x100 : 0x200);
            sum += mirror_hash_bytes(hash, text, text ? strlen(text) : 0);
        }
    }
    return sum ? sum : 1;
}

/* ---- from a directive ---- */

/* Return the row of a word attribute=value; NULL = it is no such word. */
static const mirror_attribute_t *row_of_word(const char *word, apr_pool_t *pool)
{
    apr_size_t len = strcspn(word, "=");

    return word[len] ? mirror_attributes_find(apr_pstrmemdup(pool, word, len)) : NULL;
}

static const char *set_text(mirror_settings_t *settings, const mirror_attribute_t *row,
                            const char *text, apr_pool_t *pool)
{
    const char *wrong = mirror_value_refuse_encoding(&row->rule, row->name, text, pool);

    if (!wrong) {
        wrong = mirror_value_from_text(member(settings, row), &row->rule, row->name, text, pool);
    }
    if (!wrong) {
        settings->set |= mirror_attributes_bit(row);
    }
    return wrong;
}

const char *mirror_attributes_set_url(mirror_settings_t *settings, const char *url,
                                      apr_pool_t *pool)
{
    const mirror_attribute_t *row = row_of_word(url, pool);

    /* without the value, which may be a password */
    return row ? apr_pstrcat(pool, "URL: must be the first argument, got the attribute ", row->name,
                             NULL)
               : set_text(settings, ROW_HOST, url, pool);
}

int mirror_attributes_is_of_store(const char *name)
{
    return !strcmp(name, "policy") || !strncmp(name, "redis_", 6) || !strncmp(name, "sentinel_", 9);
}

/* Return whether the attribute is allowed where `forbidden` ones are not. */
static int is_allowed(const mirror_attribute_t *row, unsigned forbidden)
{
    return !(row->flags & forbidden) &&
           (!(forbidden & MIRROR_ATTRIBUTE_NO_STORE) || mirror_attributes_is_of_store(row->name));
}

/* Return the message about `name`, which is no attribute. Attributes that are not allowed where
 * `forbidden` ones are not are neither proposed nor listed. */
static const char *unknown(const char *name, unsigned forbidden, apr_pool_t *pool)
{
    apr_array_header_t *names = apr_array_make(pool, 64, sizeof(const char *));
    const mirror_attribute_t *row;
    const char *meant, *list = NULL;

    for (row = mirror_attributes; row->name; row++) {
        if (is_allowed(row, forbidden)) {
            APR_ARRAY_PUSH(names, const char *) = row->name;
            list = list ? apr_pstrcat(pool, list, ", ", row->name, NULL) : row->name;
        }
    }
    meant = mirror_spelling_nearest(name, names);
    return apr_pstrcat(pool, "unknown attribute ", mirror_value_quote(name, pool),
                       meant ? "; did you mean \"" : ".", meant ? meant : "", meant ? "\"?" : "",
                       " Allowed attributes: ", list, NULL);
}

/* Return a message without the value, which may be a password. */
static const char *about(const mirror_attribute_t *row, const char *wrong, apr_pool_t *pool)
{
    return apr_pstrcat(pool, row->name, ": ", wrong, NULL);
}

/* Quote the part of `text` that cannot be a value: up to the first '='. */
static const char *quote_name(const char *text, apr_pool_t *pool)
{
    return mirror_value_quote(apr_pstrmemdup(pool, text, strcspn(text, "=")), pool);
}

static const char *set_word(mirror_settings_t *settings, const char *word, unsigned forbidden,
                            apr_pool_t *pool)
{
    const char *value = strchr(word, '=');
    const char *name = value ? apr_pstrmemdup(pool, word, (apr_size_t)(value - word)) : word;
    const mirror_attribute_t *row = mirror_attributes_find(name);

    if (!value) {
        return apr_pstrcat(pool, "attributes: must be attribute=value, got ",
                           mirror_value_quote(word, pool), NULL);
    }
    if (!row) {
        return unknown(name, forbidden, pool);
    }
    if (row->flags & forbidden & MIRROR_ATTRIBUTE_NO_DEFAULT) {
        return about(row, "must be set for each mirror, not as a default", pool);
    }
    if (row->flags & forbidden) {
        return about(row, "must be set by the URL, the first argument, not as an attribute", pool);
    }
    if (settings->set & mirror_attributes_bit(row)) {
        return about(row, "must be set once, got it twice", pool);
    }
    return set_text(settings, row, value + 1, pool);
}

const char *mirror_attributes_next_word(const char **word, const char **line, apr_pool_t *pool)
{
    const char *p = *line, *start;
    char *out, quote = 0;
    int value = 0; /* after the first '=' */

    for (; apr_isspace(*p); p++) {
    }
    start = p;
    *line = p + strlen(p);
    *word = NULL;
    if (!*p) {
        return NULL;
    }
    *word = out = apr_palloc(pool, strlen(p) + 1);
    for (; *p && (quote || !apr_isspace(*p)); p++) {
        if (quote && *p == quote) {
            quote = 0;
            if (p[1] && !apr_isspace(p[1])) {
                return apr_pstrcat(pool, "quotes: must be followed by a space, got ",
                                   quote_name(start, pool), NULL);
            }
        }
        else if (!quote && (*p == '"' || *p == '\'') && (p == start || value == 1)) {
            quote = *p;
            value = 2;
        }
        else {
            p += *p == '\\' && (p[1] == '\\' || (quote && p[1] == quote));
            *out++ = *p;
            value = value ? 2 : *p == '=';
        }
    }
    *out = '\0';
    *line = p;
    return quote ? apr_pstrcat(pool, "quotes: must be closed, got ", quote_name(start, pool), NULL)
                 : NULL;
}

/* Return whether the text begins with the name of an attribute, or with a mistyped one. */
static int is_named(const char *text, apr_pool_t *pool)
{
    apr_array_header_t *names = apr_array_make(pool, 64, sizeof(const char *));
    const mirror_attribute_t *row;
    apr_size_t len;

    text += strspn(text, " \t\"'");
    len = strcspn(text, "= \t");
    for (row = mirror_attributes; row->name; row++) {
        APR_ARRAY_PUSH(names, const char *) = row->name;
    }
    return text[len] == '=' &&
           mirror_spelling_nearest(apr_pstrmemdup(pool, text, len), names) != NULL;
}

const char *mirror_attributes_hide_rest(const char *wrong, const char *before, const char *rest,
                                        apr_pool_t *pool)
{
    const mirror_attribute_t *row = before ? row_of_word(before, pool) : NULL;

    return !wrong || !row || row->rule.type != &mirror_value_secret || is_named(rest, pool)
               ? wrong
               : about(row,
                       "must be followed by attribute=value, got something else, which is not "
                       "shown (a password with a space must be in quotes)",
                       pool);
}

const char *mirror_attributes_set_line(mirror_settings_t *settings, const char *line,
                                       unsigned forbidden, apr_pool_t *pool)
{
    const char *word = NULL, *before, *rest, *wrong;

    do {
        before = word;
        rest = line;
        wrong = mirror_attributes_next_word(&word, &line, pool);
        if (!wrong && word) {
            wrong = set_word(settings, word, forbidden, pool);
        }
    } while (!wrong && word);
    return mirror_attributes_hide_rest(wrong, before, rest, pool);
}

/* ---- from and to JSON ---- */

const char *mirror_attributes_find_json(const mirror_attribute_t **row, const char *name,
                                        apr_pool_t *pool)
{
    *row = mirror_attributes_find(name);
    if (!*row) {
        return unknown(name, MIRROR_ATTRIBUTE_NO_JSON, pool);
    }
    return (*row)->flags & MIRROR_ATTRIBUTE_NO_JSON
               ? about(*row, "must be set in the configuration file", pool)
               : NULL;
}

const char *mirror_attributes_set_json(mirror_settings_t *settings, const char *name, yajl_val json,
                                       apr_pool_t *pool)
{
    const mirror_attribute_t *row;
    const char *wrong = mirror_attributes_find_json(&row, name, pool);

    if (!wrong) {
        wrong = mirror_value_from_json(member(settings, row), &row->rule, row->name, json, pool);
    }
    if (!wrong) {
        settings->set |= mirror_attributes_bit(row);
    }
    return wrong;
}

const char *mirror_attributes_set_form(mirror_settings_t *settings, const char *name,
                                       const char *text, apr_pool_t *pool)
{
    const mirror_attribute_t *row;
    const char *wrong = mirror_attributes_find_json(&row, name, pool);
    struct yajl_val_s json;

    if (wrong) {
        return wrong;
    }
    if (row->rule.type != &mirror_value_target && row->rule.type != &mirror_value_secret &&
        row->rule.type != &mirror_value_file_choice) {
        return set_text(settings, row, text, pool);
    }
    json.type = yajl_t_string; /* JSON accepts fewer forms of these */
    json.u.string = apr_pstrdup(pool, text);
    return mirror_attributes_set_json(settings, name, &json, pool);
}

void mirror_attributes_print_row(yajl_gen json, const mirror_settings_t *settings,
                                 const mirror_attribute_t *row, int reveal, apr_pool_t *pool)
{
    const char *text;

    yajl_gen_string(json, (const unsigned char *)row->name, strlen(row->name));
    if (reveal && row->rule.type == &mirror_value_secret) {
        text = reveal_row(settings, row, pool);
        yajl_gen_string(json, (const unsigned char *)text, strlen(text));
        return;
    }
    mirror_value_to_json(json, const_member(settings, row), &row->rule, pool);
}

const char *mirror_attributes_describe(const mirror_settings_t *settings,
                                       const mirror_attribute_t *row, apr_pool_t *pool)
{
    const char *text = mirror_value_to_text(const_member(settings, row), &row->rule, pool);

    if (!text) {
        return "nothing";
    }
    return row->rule.type->is_number || row->rule.type == &mirror_value_bool
               ? text
               : mirror_value_quote(text, pool);
}

void mirror_attributes_print(yajl_gen json, const mirror_settings_t *settings, apr_pool_t *pool)
{
    const mirror_attribute_t *row;

    yajl_gen_map_open(json);
    for (row = mirror_attributes; row->name; row++) {
        if (!(row->flags & MIRROR_ATTRIBUTE_NO_JSON) && reveal_row(settings, row, pool)) {
            mirror_attributes_print_row(json, settings, row, 0, pool);
        }
    }
    yajl_gen_map_close(json);
}
