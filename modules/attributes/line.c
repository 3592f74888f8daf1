/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * attributes/line.c - settings as a ProxyMirror line. See attributes/line.h.
 *
 * mirror_attributes_next_word() reads back what quote() writes. httpd itself looks at a line before:
 * a backslash at its end continues it, so a value with a backslash is in quotes. And httpd replaces
 * ${NAME}, also by a variable of its environment, which may be a secret. There is no escape for
 * that, but httpd does not look at what it has replaced: so the dollar sign is a variable itself.
 */
#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "attributes/attributes.h"
#include "attributes/line.h"

#define NOTE_SECRET                                                                                \
    " is not shown: replace " MIRROR_LINE_SECRET " by the password or exec:PROGRAM\n"
#define DOLLAR        "PROXY_MIRROR_DOLLAR"
#define DEFINE_DOLLAR "Define " DOLLAR " $\n"

/* Return whether a value needs no quotes. */
static int is_plain(const char *text)
{
    const char *p;

    for (p = text; apr_isalnum(*p) || (*p && strchr("._:/%,*+-", *p)); p++) {
    }
    return p > text && !*p;
}

static const char *quote(const char *text, apr_pool_t *pool)
{
    char *quoted = apr_palloc(pool, 2 * strlen(text) + 3), *to = quoted;

    *to++ = '"';
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') {
            *to++ = '\\';
        }
        *to++ = *text;
    }
    *to++ = '"';
    *to = '\0';
    return quoted;
}

/* Return the value of a row as a line has it. */
static const char *value_of(const mirror_settings_t *settings, const mirror_attribute_t *row,
                            apr_pool_t *pool)
{
    const char *text = mirror_value_to_text((const char *)settings + row->offset, &row->rule, pool);

    if (row->rule.type == &mirror_value_secret) {
        return MIRROR_LINE_SECRET;
    }
    text = text ? text : "[]"; /* only a list of texts can be empty over a default that is not */
    return is_plain(text) ? text : quote(text, pool);
}

/* Return a line in which httpd replaces nothing but DOLLAR. */
static const char *keep_variables(const char *line, apr_pool_t *pool)
{
    const char *at, *kept = "";

    for (; (at = strstr(line, "${")) != NULL; line = at + 1) {
        kept = apr_pstrcat(pool, kept, apr_pstrmemdup(pool, line, (apr_size_t)(at - line)),
                           "${" DOLLAR "}", NULL);
    }
    return *kept ? apr_pstrcat(pool, DEFINE_DOLLAR, kept, line, NULL) : line;
}

const char *mirror_line_print(const mirror_settings_t *settings, const mirror_settings_t *defaults,
                              const char *name, apr_pool_t *pool)
{
    apr_array_header_t *words = apr_array_make(pool, 16, sizeof(const char *));
    const mirror_attribute_t *row;
    const char *notes = "";

    APR_ARRAY_PUSH(words, const char *) = "ProxyMirror";
    APR_ARRAY_PUSH(words, const char *) = quote(settings->target.url, pool);
    APR_ARRAY_PUSH(words, const char *) = apr_pstrcat(pool, "name=", name, NULL);
    for (row = mirror_attributes; row->name; row++) {
        if (row->flags & MIRROR_ATTRIBUTE_NO_DEFAULT ||
            mirror_attributes_same(settings, defaults, row, pool)) {
            continue;
        }
        if (row->rule.type == &mirror_value_secret) {
            notes = apr_pstrcat(pool, notes, "# ", row->name, NOTE_SECRET, NULL);
        }
        APR_ARRAY_PUSH(words, const char *) =
            apr_pstrcat(pool, row->name, "=", value_of(settings, row, pool), NULL);
    }
    return apr_pstrcat(pool, notes, keep_variables(apr_array_pstrcat(pool, words, ' '), pool),
                       NULL);
}
