/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/headers_read.c - a block of header fields, sorted by name. See compare/headers_state.h.
 */
#include <stdlib.h>
#include <string.h>

#include <apr_tables.h>

#include "base/ascii.h"
#include "compare/headers_state.h"

/* The end of the line that begins at `at`, and of those folded to it (RFC 9112 5.2). */
static const char *field_end(const char *at, const char *end)
{
    const char *lf;

    do {
        lf = memchr(at, '\n', end - at);
        at = lf ? lf + 1 : end;
    } while (at < end && mirror_ascii_is_blank(*at));
    return at;
}

/* Copy a value without the blanks around it; each fold becomes one blank. */
static mirror_header_form_t unfold(const char *at, const char *end, apr_pool_t *pool)
{
    char *start = apr_palloc(pool, end - at + 1), *to = start;
    mirror_header_form_t value;

    while (at < end) {
        for (; at < end && mirror_ascii_is_blank(*at); at++) {
        }
        for (; at < end && *at != '\n'; at++) {
            *to++ = *at;
        }
        for (; to > start && (mirror_ascii_is_blank(to[-1]) || to[-1] == '\r'); to--) {
        }
        at += at < end;
        if (to > start) {
            *to++ = ' ';
        }
    }
    to -= to > start;
    *to = '\0';
    value.data = start;
    value.len = to - start;
    return value;
}

/* Read the field in `at` to `end`. Returns 0 if it has no colon, or its name is no token. */
static int read_field(mirror_headers_field_t *field, const char *at, const char *end,
                      apr_pool_t *pool)
{
    const char *colon = memchr(at, ':', end - at), *name_end = colon;
    char *text, *to;

    if (!colon) {
        return 0;
    }
    for (; name_end > at && mirror_ascii_is_blank(name_end[-1]);
         name_end--) { /* as mod_proxy does */
    }
    text = apr_palloc(pool, strlen(MIRROR_HEADERS_PREFIX) + (name_end - at) + 1);
    memcpy(text, MIRROR_HEADERS_PREFIX, strlen(MIRROR_HEADERS_PREFIX));
    for (to = text + strlen(MIRROR_HEADERS_PREFIX); at < name_end; at++) {
        if (!mirror_ascii_is_token_char(*at)) {
            return 0;
        }
        *to++ = mirror_ascii_lower(*at);
    }
    *to = '\0';
    field->text = text;
    field->value = unfold(colon + 1, end, pool);
    return *mirror_headers_read_name(field) != '\0';
}

static int by_name(const void *a, const void *b)
{
    const mirror_headers_field_t *fa = a, *fb = b;
    int order = strcmp(fa->text, fb->text);

    return order ? order : fa->at - fb->at;
}

mirror_headers_fields_t mirror_headers_read_block(const char *block, apr_size_t len,
                                                  apr_pool_t *pool)
{
    apr_array_header_t *list = apr_array_make(pool, 32, sizeof(mirror_headers_field_t));
    const char *at = len ? block : "", *end = at + len;
    mirror_headers_fields_t fields;
    mirror_headers_field_t field;

    while (at < end && list->nelts < MIRROR_HEADERS_FIELDS_MAX) {
        const char *next = field_end(at, end);

        if (*at == '\n' || (*at == '\r' && at + 1 < end && at[1] == '\n')) {
            break;
        }
        if (read_field(&field, at, next, pool)) {
            field.at = list->nelts;
            APR_ARRAY_PUSH(list, mirror_headers_field_t) = field;
        }
        at = next;
    }
    fields.list = (mirror_headers_field_t *)list->elts;
    fields.count = list->nelts;
    qsort(fields.list, fields.count, sizeof(*fields.list), by_name);
    return fields;
}

mirror_headers_fields_t mirror_headers_read_at(const mirror_headers_fields_t *fields, int first)
{
    mirror_headers_fields_t same = { fields->list + first, 0 };

    for (; first < fields->count && !strcmp(fields->list[first].text, same.list->text); first++) {
        same.count++;
    }
    return same;
}

mirror_headers_fields_t mirror_headers_read_named(const mirror_headers_fields_t *fields,
                                                  const char *name)
{
    mirror_headers_fields_t none = { NULL, 0 };
    int i;

    for (i = 0; i < fields->count; i++) {
        if (!strcmp(mirror_headers_read_name(&fields->list[i]), name)) {
            return mirror_headers_read_at(fields, i);
        }
    }
    return none;
}
