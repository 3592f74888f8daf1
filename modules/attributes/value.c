/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * attributes/value.c - the types of values. See attributes/value.h. attributes/value_target.c
 * contains the type target.
 */
#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_time.h>
#include <string.h>

#include "base/utf8.h"
#include "attributes/value.h"

#define NOT_UTF8                                                                                   \
    "it is not UTF-8; write other bytes as %XX in a path, or as escape sequences in a regular "    \
    "expression"
#define GIVEN_MAX 64 /* maximum length of user input that a message repeats */

#define REFUSED "" /* see the rule's `allowed` */

/* ---- bool ---- */

static const char *bool_read(void *variable, const mirror_value_rule_t *rule, const char *text,
                             apr_pool_t *pool)
{
    int value = !apr_cstr_casecmp(text, "true") || !apr_cstr_casecmp(text, "on");

    (void)rule;
    (void)pool;
    if (!value && apr_cstr_casecmp(text, "false") && apr_cstr_casecmp(text, "off")) {
        return REFUSED;
    }
    *(int *)variable = value;
    return NULL;
}

static const char *bool_read_json(void *variable, const mirror_value_rule_t *rule, yajl_val json,
                                  apr_pool_t *pool)
{
    (void)rule;
    (void)pool;
    if (!YAJL_IS_TRUE(json) && !YAJL_IS_FALSE(json)) {
        return REFUSED;
    }
    *(int *)variable = YAJL_IS_TRUE(json);
    return NULL;
}

static const char *bool_print(const void *variable, const mirror_value_rule_t *rule,
                              apr_pool_t *pool)
{
    (void)rule;
    (void)pool;
    return *(const int *)variable ? "true" : "false";
}

static void bool_print_json(yajl_gen json, const void *variable, const mirror_value_rule_t *rule)
{
    (void)rule;
    yajl_gen_bool(json, *(const int *)variable);
}

const mirror_value_type_t mirror_value_bool = {
    sizeof(int), 0, bool_read, bool_read_json, bool_print, bool_print_json, NULL
};

/* ---- choice ---- */

static const char *choice_read(void *variable, const mirror_value_rule_t *rule, const char *text,
                               apr_pool_t *pool)
{
    int i;

    (void)pool;
    for (i = 0; rule->choices[i]; i++) {
        if (!strcmp(text, rule->choices[i])) {
            *(int *)variable = i;
            return NULL;
        }
    }
    return REFUSED;
}

static const char *choice_print(const void *variable, const mirror_value_rule_t *rule,
                                apr_pool_t *pool)
{
    (void)pool;
    return rule->choices[*(const int *)variable];
}

const mirror_value_type_t mirror_value_choice = { sizeof(int),  0,    choice_read, NULL,
                                                  choice_print, NULL, NULL };

/* ---- a choice that only the file has ---- */

static const char *file_choice_read_json(void *variable, const mirror_value_rule_t *rule,
                                         yajl_val json, apr_pool_t *pool)
{
    const char *text = YAJL_GET_STRING(json), *why;
    int choice;

    why = text ? choice_read(&choice, rule, text, pool) : REFUSED;
    if (!why && choice != 0) {
        return "it can be set only in the configuration file";
    }
    if (!why) {
        *(int *)variable = choice;
    }
    return why;
}

const mirror_value_type_t mirror_value_file_choice = {
    sizeof(int), 0, choice_read, file_choice_read_json, choice_print, NULL, NULL
};

/* ---- string ---- */

static const char *string_read(void *variable, const mirror_value_rule_t *rule, const char *text,
                               apr_pool_t *pool)
{
    apr_int64_t len = (apr_int64_t)strlen(text);
    const char *why, *p;

    if (len < rule->min || len > rule->max) {
        return REFUSED;
    }
    for (p = text; *p; p++) {
        if (apr_iscntrl(*p)) {
            return "it has a control character";
        }
    }
    why = rule->refuse ? rule->refuse(text) : NULL;
    if (!why) {
        *(const char **)variable = apr_pstrdup(pool, text);
    }
    return why;
}

static const char *string_print(const void *variable, const mirror_value_rule_t *rule,
                                apr_pool_t *pool)
{
    (void)rule;
    (void)pool;
    return *(const char *const *)variable;
}

const mirror_value_type_t mirror_value_string = { sizeof(const char *), 0,    string_read, NULL,
                                                  string_print,         NULL, NULL };

/* ---- secret ---- */

static const char *secret_print(const void *variable, const mirror_value_rule_t *rule,
                                apr_pool_t *pool)
{
    (void)rule;
    (void)pool;
    return *(const char *const *)variable ? "***" : NULL;
}

static const char *secret_mask(const char *text, apr_pool_t *pool)
{
    (void)text;
    (void)pool;
    return "***";
}

/* The program runs as the user who starts httpd. */
static const char *secret_read_json(void *variable, const mirror_value_rule_t *rule, yajl_val json,
                                    apr_pool_t *pool)
{
    const char *text = YAJL_GET_STRING(json);

    if (!text) {
        return REFUSED;
    }
    return strncmp(text, "exec:", 5) ? string_read(variable, rule, text, pool)
                                     : "a program can be set only in the configuration file";
}

const mirror_value_type_t mirror_value_secret = {
    sizeof(const char *), 0, string_read, secret_read_json, secret_print, NULL, secret_mask
};

/* ---- all types ---- */

const char *mirror_value_quote(const char *text, apr_pool_t *pool)
{
    static const char hex[] = "0123456789abcdef";
    apr_size_t len = strlen(text), i;
    char *quoted = apr_palloc(pool, GIVEN_MAX * 4 + sizeof("\"\"..."));
    char *p = quoted;

    *p++ = '"';
    for (i = 0; i < len && i < GIVEN_MAX; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c < 0x20 || c > 0x7e) {
            *p++ = '\\';
            *p++ = 'x';
            *p++ = hex[c >> 4];
            *p++ = hex[c & 15];
        }
        else {
            if (c == '"' || c == '\\') {
                *p++ = '\\';
            }
            *p++ = (char)c;
        }
    }
    *p++ = '"';
    apr_cpystrn(p, i < len ? "..." : "", sizeof("..."));
    return quoted;
}

/* Return whether `text` resembles a JSON number. Messages repeat such text without quotes. */
static int looks_like_number(const char *text)
{
    apr_size_t len = strlen(text);

    return apr_isdigit(text[*text == '-']) && len <= GIVEN_MAX &&
           strspn(text, "-+.eE0123456789") == len;
}

static const char *quote_masked(const mirror_value_rule_t *rule, const char *text, apr_pool_t *pool)
{
    return mirror_value_quote(rule->type->mask ? rule->type->mask(text, pool) : text, pool);
}

static const char *given_in_text(const mirror_value_rule_t *rule, const char *text,
                                 apr_pool_t *pool)
{
    return rule->type->is_number && looks_like_number(text) ? text : quote_masked(rule, text, pool);
}

static const char *given_in_json(const mirror_value_rule_t *rule, yajl_val json, apr_pool_t *pool)
{
    switch (json ? json->type : yajl_t_null) {
    case yajl_t_string:
        return quote_masked(rule, YAJL_GET_STRING(json), pool);
    case yajl_t_number:
        return looks_like_number(YAJL_GET_NUMBER(json)) ? YAJL_GET_NUMBER(json) : "a long number";
    case yajl_t_object:
        return "an object";
    case yajl_t_array:
        return YAJL_GET_ARRAY(json)->len ? "a list" : "an empty list";
    case yajl_t_true:
        return "true";
    case yajl_t_false:
        return "false";
    default:
        return "null";
    }
}

static const char *message(const mirror_value_rule_t *rule, const char *name, const char *given,
                           const char *why, apr_pool_t *pool)
{
    return *why ? apr_psprintf(pool, "%s: %s, got %s (%s)", name, rule->allowed, given, why)
                : apr_psprintf(pool, "%s: %s, got %s", name, rule->allowed, given);
}

const char *mirror_value_from_text(void *variable, const mirror_value_rule_t *rule,
                                   const char *name, const char *text, apr_pool_t *pool)
{
    const char *why = rule->type->read(variable, rule, text, pool);

    return why ? message(rule, name, given_in_text(rule, text, pool), why, pool) : NULL;
}

const char *mirror_value_refuse_encoding(const mirror_value_rule_t *rule, const char *name,
                                         const char *text, apr_pool_t *pool)
{
    return rule->type == &mirror_value_secret || mirror_utf8_is_valid(text)
               ? NULL
               : message(rule, name, given_in_text(rule, text, pool), NOT_UTF8, pool);
}

/* yajl converts an unpaired surrogate ("\\udc00") to invalid UTF-8, and accepts overlong forms. */
static int is_utf8_json(yajl_val json)
{
    size_t i;

    if (YAJL_IS_STRING(json)) {
        return mirror_utf8_is_valid(YAJL_GET_STRING(json));
    }
    for (i = 0; YAJL_IS_ARRAY(json) && i < YAJL_GET_ARRAY(json)->len; i++) {
        if (!is_utf8_json(YAJL_GET_ARRAY(json)->values[i])) {
            return 0;
        }
    }
    return 1;
}

const char *mirror_value_from_json(void *variable, const mirror_value_rule_t *rule,
                                   const char *name, yajl_val json, apr_pool_t *pool)
{
    const char *why;

    if (!is_utf8_json(json)) {
        why = "it is not UTF-8";
    }
    else if (rule->type->read_json) {
        why = rule->type->read_json(variable, rule, json, pool);
    }
    else {
        why = YAJL_IS_STRING(json) ? rule->type->read(variable, rule, YAJL_GET_STRING(json), pool)
                                   : REFUSED;
    }
    return why ? message(rule, name, given_in_json(rule, json, pool), why, pool) : NULL;
}

const char *mirror_value_to_text(const void *variable, const mirror_value_rule_t *rule,
                                 apr_pool_t *pool)
{
    return rule->type->print(variable, rule, pool);
}

const char *mirror_value_reveal(const void *variable, const mirror_value_rule_t *rule,
                                apr_pool_t *pool)
{
    return rule->type == &mirror_value_secret ? *(const char *const *)variable
                                              : rule->type->print(variable, rule, pool);
}

void mirror_value_to_json(yajl_gen json, const void *variable, const mirror_value_rule_t *rule,
                          apr_pool_t *pool)
{
    if (rule->type->print_json) {
        rule->type->print_json(json, variable, rule);
    }
    else {
        const char *text = rule->type->print(variable, rule, pool);

        yajl_gen_string(json, (const unsigned char *)text, strlen(text));
    }
}
