/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/header_form.c - forms of the values of header fields. See compare/header_form.h.
 *
 * A form is at most twice as long as its value, and made in time that is linear but for the sort of
 * its parts.
 */
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "base/ascii.h"
#include "base/date.h"
#include "compare/header_form.h"

static int is_equal(const mirror_header_form_t *value, const char *text)
{
    return value->len == strlen(text) && !memcmp(value->data, text, value->len);
}

/* Whether `text`, in lower case, is at `at`, in any case. */
static int is_at(const char *at, const char *end, const char *text)
{
    for (; *text && at < end && mirror_ascii_lower(*at) == *text; at++, text++) {
    }
    return !*text;
}

int mirror_header_form_order(const void *a, const void *b)
{
    const mirror_header_form_t *va = a, *vb = b;
    int order = memcmp(va->data, vb->data, va->len < vb->len ? va->len : vb->len);

    return order ? order : va->len == vb->len ? 0 : va->len < vb->len ? -1 : 1;
}

/* ---- parts ---- */

static mirror_header_form_t trimmed(const char *at, const char *end)
{
    mirror_header_form_t part;

    for (; at < end && mirror_ascii_is_blank(*at); at++) {
    }
    for (; at < end && mirror_ascii_is_blank(end[-1]); end--) {
    }
    part.data = at;
    part.len = end - at;
    return part;
}

/* Skip a quoted string (RFC 9110 5.6.4) that begins at `at`; one that is not closed goes to the
 * end. */
static const char *skip_quoted(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++) {
        if (*at == '\\' && at + 1 < end) {
            at++;
        }
    }
    return at < end ? at + 1 : end;
}

/* Split at a separator that is not in a quoted string. Returns the parts that are not empty. */
static apr_array_header_t *split(const mirror_header_form_t *value, char separator,
                                 apr_pool_t *pool)
{
    apr_array_header_t *parts = apr_array_make(pool, 8, sizeof(mirror_header_form_t));
    const char *at = value->data, *end = at + value->len;

    while (at < end) {
        const char *start = at;
        mirror_header_form_t part;

        while (at < end && *at != separator) {
            at = *at == '"' ? skip_quoted(at, end) : at + 1;
        }
        part = trimmed(start, at);
        if (part.len > 0) {
            APR_ARRAY_PUSH(parts, mirror_header_form_t) = part;
        }
        at += at < end;
    }
    return parts;
}

/* Sort the parts from `first` on, and drop equal ones. */
static void make_set(apr_array_header_t *parts, int first)
{
    mirror_header_form_t *list = (mirror_header_form_t *)parts->elts;
    int i, count = first;

    if (parts->nelts <= first) {
        return;
    }
    qsort(list + first, parts->nelts - first, sizeof(*list), mirror_header_form_order);
    for (i = first; i < parts->nelts; i++) {
        if (count == first || mirror_header_form_order(&list[count - 1], &list[i])) {
            list[count++] = list[i];
        }
    }
    parts->nelts = count;
}

mirror_header_form_t mirror_header_form_join(const apr_array_header_t *parts, char separator,
                                             apr_pool_t *pool)
{
    const mirror_header_form_t *list = (const mirror_header_form_t *)parts->elts;
    mirror_header_form_t form;
    apr_size_t len = 1;
    char *to;
    int i;

    for (i = 0; i < parts->nelts; i++) {
        len += list[i].len + 2;
    }
    form.data = to = apr_palloc(pool, len);
    for (i = 0; i < parts->nelts; i++) {
        if (i > 0) {
            *to++ = separator;
            *to++ = ' ';
        }
        memcpy(to, list[i].data, list[i].len);
        to += list[i].len;
    }
    *to = '\0';
    form.len = to - form.data;
    return form;
}

/* A copy in lower case, but for quoted strings. */
static mirror_header_form_t lowered(const mirror_header_form_t *value, apr_pool_t *pool)
{
    char *copy = apr_pstrmemdup(pool, value->data, value->len);
    mirror_header_form_t form = { copy, value->len };
    char *end = copy + value->len;

    while (copy < end) {
        if (*copy == '"') {
            copy = (char *)skip_quoted(copy, end);
        }
        else {
            *copy = mirror_ascii_lower(*copy);
            copy++;
        }
    }
    return form;
}

/* ---- lists ---- */

mirror_header_form_t mirror_header_form_method_set(const mirror_header_form_t *value,
                                                   apr_pool_t *pool)
{
    apr_array_header_t *parts = split(value, ',', pool);

    make_set(parts, 0);
    return mirror_header_form_join(parts, ',', pool);
}

mirror_header_form_t mirror_header_form_token_set(const mirror_header_form_t *value,
                                                  apr_pool_t *pool)
{
    mirror_header_form_t lower = lowered(value, pool);

    return mirror_header_form_method_set(&lower, pool);
}

mirror_header_form_t mirror_header_form_without(const mirror_header_form_t *value,
                                                const char *token, apr_pool_t *pool)
{
    mirror_header_form_t lower = lowered(value, pool);
    apr_array_header_t *parts = split(&lower, ',', pool);
    mirror_header_form_t *list = (mirror_header_form_t *)parts->elts;
    int i, count = 0;

    for (i = 0; i < parts->nelts; i++) {
        if (!is_equal(&list[i], token)) {
            list[count++] = list[i];
        }
    }
    parts->nelts = count;
    return mirror_header_form_join(parts, ',', pool);
}

/* ---- dates ---- */

/* mirror_date_read() takes any zone of an HTTP date for GMT. Of the three formats, only asctime's has
 * no zone. */
apr_time_t mirror_header_form_time(const mirror_header_form_t *value)
{
    const char *end = value->data + value->len;
    apr_time_t time;

    if (value->len < 8 || (!is_at(end - 3, end, "gmt") &&
                           (!mirror_ascii_is_digit(end[-1]) || strpbrk(value->data, "+-,")))) {
        return 0;
    }
    return mirror_date_read(&time, value->data, value->len) ? time : 0;
}

mirror_header_form_t mirror_header_form_date(const mirror_header_form_t *value, apr_pool_t *pool)
{
    apr_time_t time = mirror_header_form_time(value);
    mirror_header_form_t form = *value;
    char *text;

    if (time) {
        text = apr_palloc(pool, APR_RFC822_DATE_LEN);
        apr_rfc822_date(text, time);
        form.data = text;
        form.len = strlen(text);
    }
    return form;
}

/* ---- media types (RFC 9110 8.3.1) ---- */

/* Append a parameter's value to `to`, without quotes. Returns its end. */
static char *unquote(char *to, const char *at, const char *end)
{
    int is_quoted = at < end && *at == '"';

    for (at += is_quoted; at < end && !(is_quoted && *at == '"'); at++) {
        if (is_quoted && *at == '\\' && at + 1 < end) {
            at++;
        }
        *to++ = *at;
    }
    return to;
}

static mirror_header_form_t parameter(const mirror_header_form_t *part, apr_pool_t *pool)
{
    const char *end = part->data + part->len, *equals = memchr(part->data, '=', part->len);
    char *data = apr_palloc(pool, part->len + 1), *to = data, *value;
    const char *at;
    mirror_header_form_t form;

    for (at = part->data; at < (equals ? equals : end); at++) {
        *to++ = mirror_ascii_lower(*at);
    }
    if (equals) {
        *to++ = '=';
        value = to;
        to = unquote(to, equals + 1, end);
        if (is_at(data, value, "charset=")) {
            for (; value < to; value++) {
                *value = mirror_ascii_lower(*value);
            }
        }
    }
    *to = '\0';
    form.data = data;
    form.len = to - data;
    return form;
}

mirror_header_form_t mirror_header_form_media_type(const mirror_header_form_t *value,
                                                   apr_pool_t *pool)
{
    apr_array_header_t *parts = split(value, ';', pool);
    mirror_header_form_t *list = (mirror_header_form_t *)parts->elts;
    int i;

    for (i = 0; i < parts->nelts; i++) {
        list[i] = i == 0 ? lowered(&list[i], pool) : parameter(&list[i], pool);
    }
    make_set(parts, 1);
    return mirror_header_form_join(parts, ';', pool);
}

/* ---- cookies (RFC 6265 4.1) ---- */

#define HAS_MAX_AGE 1
#define IS_OVER     2

/* Whether a text has a year before 2020, of four digits or two (RFC 6265 5.1.1): nobody sets such a
 * date but to delete a cookie. */
static int is_long_ago(const mirror_header_form_t *value)
{
    const char *at = value->data, *end = at + value->len;
    apr_size_t n;

    for (; at < end; at += n + 1) {
        n = mirror_ascii_count_digits(at, (apr_size_t)(end - at));
        if (n == 4 ? memcmp(at, "19", 2) >= 0 && memcmp(at, "202", 3) < 0
                   : n == 2 && at - value->data > 1 && at[-1] == '-' &&
                         !mirror_ascii_is_digit(at[-2]) && (*at >= '7' || *at < '2')) {
            return 1;
        }
    }
    return 0;
}

/* Note whether an attribute deletes the cookie. Beside Max-Age, Expires does not count (RFC 6265 5.3). */
static void read_lifetime(unsigned *lifetime, const mirror_header_form_t *name,
                          const mirror_header_form_t *value)
{
    if (is_equal(name, "max-age")) {
        apr_size_t zeros = strspn(value->data, "0");
        int lasts = zeros < value->len && mirror_ascii_is_digit(value->data[zeros]);

        *lifetime = HAS_MAX_AGE | (lasts ? 0 : IS_OVER);
    }
    else if (!(*lifetime & HAS_MAX_AGE)) {
        *lifetime = is_long_ago(value) ? IS_OVER : 0;
    }
}

/* The name in lower case; the value also of those attributes whose values have no case. If
 * `lifetime` is given, the value is steady. */
static mirror_header_form_t cookie_attribute(const mirror_header_form_t *part, unsigned *lifetime,
                                             apr_pool_t *pool)
{
    mirror_header_form_t form = { apr_pstrmemdup(pool, part->data, part->len), part->len };
    char *copy = (char *)form.data;
    const char *equals = memchr(copy, '=', form.len);
    apr_size_t i, len = equals ? (apr_size_t)(equals - copy) : form.len;
    mirror_header_form_t name, value;

    for (i = 0; i < len; i++) {
        copy[i] = mirror_ascii_lower(copy[i]);
    }
    name = trimmed(copy, copy + len);
    value = trimmed(copy + len + (equals != NULL), copy + form.len);
    if (is_equal(&name, "domain") || is_equal(&name, "samesite")) {
        for (; i < form.len; i++) {
            copy[i] = mirror_ascii_lower(copy[i]);
        }
    }
    if (!lifetime || !(is_equal(&name, "expires") || is_equal(&name, "max-age"))) {
        return form;
    }
    read_lifetime(lifetime, &name, &value);
    return name;
}

static mirror_header_form_t cookie_form(const mirror_header_form_t *value, int is_steady,
                                        apr_pool_t *pool)
{
    static const mirror_header_form_t deleted = { ";", 1 }; /* no attribute is so */
    apr_array_header_t *parts = apr_array_make(pool, 8, sizeof(mirror_header_form_t));
    const char *at = value->data, *end = at + value->len;
    unsigned lifetime = 0;

    while (at < end) { /* a quote has no meaning here */
        const char *next = memchr(at, ';', end - at);
        mirror_header_form_t part = trimmed(at, next ? next : end);

        if (parts->nelts == 0) {
            const char *equals = is_steady ? memchr(part.data, '=', part.len) : NULL;

            APR_ARRAY_PUSH(parts, mirror_header_form_t) =
                equals ? trimmed(part.data, equals) : part;
        }
        else if (part.len > 0) {
            APR_ARRAY_PUSH(parts, mirror_header_form_t) =
                cookie_attribute(&part, is_steady ? &lifetime : NULL, pool);
        }
        at = next ? next + 1 : end;
    }
    if (lifetime & IS_OVER) {
        APR_ARRAY_PUSH(parts, mirror_header_form_t) = deleted;
    }
    make_set(parts, 1);
    return mirror_header_form_join(parts, ';', pool);
}

mirror_header_form_t mirror_header_form_cookie(const mirror_header_form_t *value, apr_pool_t *pool)
{
    return cookie_form(value, 0, pool);
}

mirror_header_form_t mirror_header_form_cookie_names(const mirror_header_form_t *value,
                                                     apr_pool_t *pool)
{
    return cookie_form(value, 1, pool);
}

/* ---- what is noise in a value ---- */

mirror_header_form_t mirror_header_form_nothing(const mirror_header_form_t *value, apr_pool_t *pool)
{
    mirror_header_form_t form = { "", 0 };

    (void)value;
    (void)pool;
    return form;
}

/* Whether it is weak (RFC 9110 8.8.3). */
mirror_header_form_t mirror_header_form_etag(const mirror_header_form_t *value, apr_pool_t *pool)
{
    mirror_header_form_t form = { "W/", 2 };

    return value->len >= 2 && !memcmp(value->data, "W/", 2)
               ? form
               : mirror_header_form_nothing(value, pool);
}

static int is_scheme_char(char c)
{
    return mirror_ascii_is_digit(c) || c == '+' || c == '-' || c == '.' ||
           (mirror_ascii_lower(c) >= 'a' && mirror_ascii_lower(c) <= 'z');
}

/* Skip "scheme:" (RFC 3986 3.1), if it is there. */
static const char *skip_scheme(const char *at, const char *end)
{
    const char *start = at;

    for (; at < end && is_scheme_char(*at); at++) {
    }
    return at > start && at < end && *at == ':' ? at + 1 : start;
}

mirror_header_form_t mirror_header_form_path(const mirror_header_form_t *value, apr_pool_t *pool)
{
    const char *end = value->data + value->len, *at = skip_scheme(value->data, end);
    mirror_header_form_t form = *value;
    char *path;

    if (end - at < 2 || at[0] != '/' || at[1] != '/') {
        return form;
    }
    for (at += 2; at < end && !(*at && strchr("/?#", *at)); at++) {
    }
    form.data = at;
    form.len = end - at;
    if (at == end || *at != '/') {
        path = apr_palloc(pool, form.len + 2);
        path[0] = '/';
        memcpy(path + 1, at, form.len + 1);
        form.data = path;
        form.len++;
    }
    return form;
}

/* The sources 'nonce-...' of a Content-Security-Policy. */
mirror_header_form_t mirror_header_form_csp(const mirror_header_form_t *value, apr_pool_t *pool)
{
    const char *at = value->data, *end = at + value->len;
    char *data = apr_palloc(pool, value->len + 1), *to = data;
    mirror_header_form_t form;

    while (at < end) {
        if (is_at(at, end, "'nonce-")) {
            memcpy(to, at, 7);
            to += 7;
            for (at += 7; at < end && *at != '\'' && !mirror_ascii_is_blank(*at) && *at != ';';
                 at++) {
            }
        }
        else {
            *to++ = *at++;
        }
    }
    *to = '\0';
    form.data = data;
    form.len = to - data;
    return form;
}

/* Skip a parameter's value, a token or a quoted string. */
static const char *skip_value(const char *at, const char *end)
{
    if (at < end && *at == '"') {
        return skip_quoted(at, end);
    }
    for (; at < end && !mirror_ascii_is_blank(*at) && *at != ','; at++) {
    }
    return at;
}

/* The parameter nonce= of challenges (RFC 7616 3.3). */
mirror_header_form_t mirror_header_form_challenge(const mirror_header_form_t *value,
                                                  apr_pool_t *pool)
{
    const char *start = value->data, *at = start, *end = at + value->len, *next;
    char *data = apr_palloc(pool, value->len + 1), *to = data;
    mirror_header_form_t form;

    while (at < end) {
        int is_nonce =
            (at == start || !mirror_ascii_is_token_char(at[-1])) && is_at(at, end, "nonce=");

        next = is_nonce ? at + 6 : *at == '"' ? skip_quoted(at, end) : at + 1;
        memcpy(to, at, next - at);
        to += next - at;
        at = is_nonce ? skip_value(next, end) : next;
    }
    *to = '\0';
    form.data = data;
    form.len = to - data;
    return form;
}
