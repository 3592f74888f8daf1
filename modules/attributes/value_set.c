/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * attributes/value_set.c - the types set (some of the rule's words, or off) and texts (strings that
 * may have commas in them; as text a JSON array).
 */
#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_tables.h>
#include <string.h>

#include "attributes/value.h"
#include "base/utf8.h"

#define REFUSED  "" /* the rule's own words say why */
#define TEXT_MAX 1400

/* ---- set ---- */

static unsigned all_of(const mirror_value_rule_t *rule)
{
    unsigned all = 0, bit = 1;
    int i;

    for (i = 0; rule->choices[i]; i++, bit <<= 1) {
        all |= bit;
    }
    return all;
}

/* The bits of one word: that of its number, or of "all". 0: it is none. */
static unsigned bits_of(const mirror_value_rule_t *rule, const char *word, apr_size_t len)
{
    int i;

    if (len == 3 && !apr_cstr_casecmpn(word, "all", 3)) {
        return all_of(rule);
    }
    for (i = 0; rule->choices[i]; i++) {
        if (strlen(rule->choices[i]) == len && !apr_cstr_casecmpn(rule->choices[i], word, len)) {
            return 1U << i;
        }
    }
    return 0;
}

static const char *set_read(void *variable, const mirror_value_rule_t *rule, const char *text,
                            apr_pool_t *pool)
{
    unsigned set = 0, bits;
    apr_size_t len;

    (void)pool;
    if (!apr_cstr_casecmp(text, "off")) {
        *(int *)variable = 0;
        return NULL;
    }
    do {
        len = strcspn(text, ",");
        bits = bits_of(rule, text, len);
        set |= bits;
        text += len;
    } while (bits && *text++ == ',');
    if (!bits) {
        return REFUSED;
    }
    *(int *)variable = (int)set;
    return NULL;
}

static const char *set_read_json(void *variable, const mirror_value_rule_t *rule, yajl_val json,
                                 apr_pool_t *pool)
{
    unsigned set = 0, bits;
    size_t i;

    if (!YAJL_IS_ARRAY(json)) {
        return REFUSED;
    }
    for (i = 0; i < YAJL_GET_ARRAY(json)->len; i++) {
        const char *word = YAJL_GET_STRING(YAJL_GET_ARRAY(json)->values[i]);

        bits = word ? bits_of(rule, word, strlen(word)) : 0;
        if (!bits) {
            return word
                       ? apr_pstrcat(pool, mirror_value_quote(word, pool), " is none of them", NULL)
                       : "one is no string";
        }
        set |= bits;
    }
    *(int *)variable = (int)set;
    return NULL;
}

static const char *set_print(const void *variable, const mirror_value_rule_t *rule,
                             apr_pool_t *pool)
{
    int set = *(const int *)variable, i;
    const char *text = NULL;

    for (i = 0; rule->choices[i]; i++) {
        if (set & 1 << i) {
            text = text ? apr_pstrcat(pool, text, ",", rule->choices[i], NULL) : rule->choices[i];
        }
    }
    return text ? text : "off";
}

static void set_print_json(yajl_gen json, const void *variable, const mirror_value_rule_t *rule)
{
    int i;

    yajl_gen_array_open(json);
    for (i = 0; rule->choices[i]; i++) {
        if (*(const int *)variable & 1 << i) {
            yajl_gen_string(json, (const unsigned char *)rule->choices[i],
                            strlen(rule->choices[i]));
        }
    }
    yajl_gen_array_close(json);
}

const mirror_value_type_t mirror_value_set = { sizeof(int),   0,         set_read,
                                               set_read_json, set_print, set_print_json,
                                               NULL };

/* ---- texts ---- */

static const char *add(apr_array_header_t *list, const mirror_value_rule_t *rule, const char *text,
                       apr_pool_t *pool)
{
    const char *p;

    if (!*text || strlen(text) > TEXT_MAX) {
        return "one is empty or too long";
    }
    for (p = text; *p; p++) {
        if (apr_iscntrl(*p)) {
            return "one has a control character";
        }
    }
    if (!mirror_utf8_is_valid(text)) {
        return "one is no valid UTF-8"; /* of "\udc00" yajl makes such */
    }
    APR_ARRAY_PUSH(list, const char *) = apr_pstrdup(pool, text);
    return rule->refuse ? rule->refuse(text) : NULL;
}

static const char *texts_read_json(void *variable, const mirror_value_rule_t *rule, yajl_val json,
                                   apr_pool_t *pool)
{
    apr_array_header_t *list = apr_array_make(pool, 4, sizeof(const char *));
    const char *why = NULL;
    size_t i;

    if (!YAJL_IS_ARRAY(json) || (apr_int64_t)YAJL_GET_ARRAY(json)->len < rule->min ||
        (apr_int64_t)YAJL_GET_ARRAY(json)->len > rule->max) {
        return REFUSED;
    }
    for (i = 0; !why && i < YAJL_GET_ARRAY(json)->len; i++) {
        const char *text = YAJL_GET_STRING(YAJL_GET_ARRAY(json)->values[i]);

        why = text ? add(list, rule, text, pool) : REFUSED;
    }
    if (!why) {
        *(apr_array_header_t **)variable = list->nelts ? list : NULL;
    }
    return why;
}

/* Whether no array or object is in another one, as yajl's tree is built and freed recursively, and no
 * string has a NUL, where it would end. */
static int is_readable(const char *text)
{
    int depth = 0, quoted = 0;

    for (; *text && depth < 2; text++) {
        if (quoted && *text == '\\' && text[1]) {
            if (!strncmp(++text, "u0000", 5)) {
                return 0;
            }
        }
        else if (*text == '"') {
            quoted = !quoted;
        }
        else if (!quoted) {
            depth += *text == '[' || *text == '{';
        }
    }
    return depth < 2;
}

/* The text of a directive, of a form, or of what was printed: a JSON array. */
static const char *texts_read(void *variable, const mirror_value_rule_t *rule, const char *text,
                              apr_pool_t *pool)
{
    char error[128];
    yajl_val json = is_readable(text) ? yajl_tree_parse(text, error, sizeof(error)) : NULL;
    const char *why = json ? texts_read_json(variable, rule, json, pool) : "it is no JSON array";

    yajl_tree_free(json);
    return why;
}

static void texts_print_json(yajl_gen json, const void *variable, const mirror_value_rule_t *rule)
{
    const apr_array_header_t *list = *(apr_array_header_t *const *)variable;
    int i;

    (void)rule;
    yajl_gen_array_open(json);
    for (i = 0; list && i < list->nelts; i++) {
        const char *text = APR_ARRAY_IDX(list, i, const char *);

        yajl_gen_string(json, (const unsigned char *)text, strlen(text));
    }
    yajl_gen_array_close(json);
}

static const char *texts_print(const void *variable, const mirror_value_rule_t *rule,
                               apr_pool_t *pool)
{
    yajl_gen json;
    const unsigned char *text;
    const char *printed = NULL;
    size_t len;

    if (!*(apr_array_header_t *const *)variable) {
        return NULL;
    }
    json = yajl_gen_alloc(NULL);
    if (json) {
        texts_print_json(json, variable, rule);
        if (yajl_gen_get_buf(json, &text, &len) == yajl_gen_status_ok) {
            printed = apr_pstrmemdup(pool, (const char *)text, len);
        }
        yajl_gen_free(json);
    }
    return printed;
}

const mirror_value_type_t mirror_value_texts = { sizeof(apr_array_header_t *),
                                                 0,
                                                 texts_read,
                                                 texts_read_json,
                                                 texts_print,
                                                 texts_print_json,
                                                 NULL };
