/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * attributes.h - settings to try out, for the tests of the table of attributes and of the types of
 * values.
 */
#ifndef ATTRIBUTES_H
#define ATTRIBUTES_H

#include <apr_general.h>
#include <apr_strings.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "attributes/attributes.h"

#define SECOND ((apr_int64_t)APR_USEC_PER_SEC)

static apr_pool_t *pool;
static mirror_settings_t settings;

static void setup(void)
{
    apr_pool_create(&pool, NULL);
    memset(&settings, 0, sizeof(settings));
}

static void teardown(void)
{
    apr_pool_destroy(pool);
}

/* What is wrong with `line`, on a ProxyMirror line, in settings that give nothing yet. */
static inline const char *set(const char *line)
{
    memset(&settings, 0, sizeof(settings));
    return mirror_attributes_set_line(&settings, line, MIRROR_ATTRIBUTE_NO_WORD, pool);
}

/* What is wrong with a value of JSON, in settings that give nothing yet. */
static inline const char *set_json(const char *name, const char *json)
{
    char error[100];
    yajl_val value = yajl_tree_parse(json, error, sizeof(error));
    const char *wrong;

    ck_assert_msg(value != NULL, "%s: %s", json, error);
    memset(&settings, 0, sizeof(settings));
    wrong = mirror_attributes_set_json(&settings, name, value, pool);
    yajl_tree_free(value);
    return wrong;
}

static inline const char *set_url(const char *url)
{
    memset(&settings, 0, sizeof(settings));
    return mirror_attributes_set_url(&settings, url, pool);
}

#define ck_assert_right(call)                                                                      \
    do {                                                                                           \
        const char *wrong = call;                                                                  \
        ck_assert_msg(wrong == NULL, "%s: %s", #call, wrong);                                      \
    } while (0)

#define ck_assert_wrong(call, text)                                                                \
    do {                                                                                           \
        const char *wrong = call;                                                                  \
        ck_assert_msg(wrong != NULL, "%s: accepted", #call);                                       \
        ck_assert_str_eq(wrong, text);                                                             \
    } while (0)

#define ck_assert_begins(call, text)                                                               \
    do {                                                                                           \
        const char *message = call, *begin = text;                                                 \
        ck_assert_msg(message && !strncmp(message, begin, strlen(begin)), "%s: %s", #call,         \
                      message);                                                                    \
    } while (0)

#endif
