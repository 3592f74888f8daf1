/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * attributes/value_list.c - the type list: words separated by commas; in JSON an array.
 */
#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_tables.h>
#include <string.h>

#include "attributes/value.h"

#define REFUSED "" /* see the rule's `allowed` */

/* Append one word. Returns NULL, or the reason of the rejection. */
static const char *add(apr_array_header_t *list, const mirror_value_rule_t *rule, const char *word)
{
    const char *p;

    if (!*word) {
        return "an item is empty";
    }
    for (p = word; *p; p++) {
        if (apr_iscntrl(*p) || *p == ',') {
            return "an item has a comma or a control character";
        }
    }
    APR_ARRAY_PUSH(list, const char *) = word;
    return rule->refuse ? rule->refuse(word) : NULL;
}

static const char *finish(void *variable, const mirror_value_rule_t *rule, apr_array_header_t *list)
{
    if (list->nelts < rule->min || list->nelts > rule->max) {
        return REFUSED;
    }
    *(apr_array_header_t **)variable = list;
    return NULL;
}

static const char *list_read(void *variable, const mirror_value_rule_t *rule, const char *text,
                             apr_pool_t *pool)
{
    apr_array_header_t *list = apr_array_make(pool, 4, sizeof(const char *));
    const char *why = NULL;
    apr_size_t len;

    for (; !why && *text; text += len + (text[len] == ',')) {
        len = strcspn(text, ",");
        why = add(list, rule, apr_pstrmemdup(pool, text, len));
        if (!why && text[len] == ',' && !text[len + 1]) {
            why = "an item is empty";
        }
    }
    return why ? why : finish(variable, rule, list);
}

static const char *list_read_json(void *variable, const mirror_value_rule_t *rule, yajl_val json,
                                  apr_pool_t *pool)
{
    apr_array_header_t *list = apr_array_make(pool, 4, sizeof(const char *));
    const char *why = NULL;
    size_t i;

    if (!YAJL_IS_ARRAY(json)) {
        return REFUSED;
    }
    for (i = 0; !why && i < YAJL_GET_ARRAY(json)->len; i++) {
        yajl_val word = YAJL_GET_ARRAY(json)->values[i];

        why = YAJL_IS_STRING(word) ? add(list, rule, apr_pstrdup(pool, YAJL_GET_STRING(word)))
                                   : REFUSED;
    }
    return why ? why : finish(variable, rule, list);
}

static const char *list_print(const void *variable, const mirror_value_rule_t *rule,
                              apr_pool_t *pool)
{
    const apr_array_header_t *list = *(apr_array_header_t *const *)variable;

    (void)rule;
    return list ? apr_array_pstrcat(pool, list, ',') : NULL;
}

static void list_print_json(yajl_gen json, const void *variable, const mirror_value_rule_t *rule)
{
    const apr_array_header_t *list = *(apr_array_header_t *const *)variable;
    int i;

    (void)rule;
    yajl_gen_array_open(json);
    for (i = 0; i < list->nelts; i++) {
        const char *word = APR_ARRAY_IDX(list, i, const char *);

        yajl_gen_string(json, (const unsigned char *)word, strlen(word));
    }
    yajl_gen_array_close(json);
}

const mirror_value_type_t mirror_value_list = {
    sizeof(apr_array_header_t *), 0, list_read, list_read_json, list_print, list_print_json, NULL
};
