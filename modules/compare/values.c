/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/values.c - what is kept of values. See compare/values.h.
 */
#include <string.h>

#include "base/ascii.h"
#include "base/utf8.h"
#include "compare/secret_name.h"
#include "compare/values.h"

#define CUT     "..."
#define CUT_LEN 3
#define HIDDEN  "***"

void mirror_values_clear(mirror_values_t *values, int row)
{
    values->text[row][0][0] = '\0';
    values->text[row][1][0] = '\0';
}

void mirror_values_hide(mirror_values_t *values, int row, int side)
{
    memcpy(values->text[row][side], HIDDEN, sizeof(HIDDEN));
}

/* Bytes of the character at `text`, of which `len` bytes are there; 1 if it is no UTF-8. */
static apr_size_t character_length(const char *text, apr_size_t len)
{
    apr_size_t n = mirror_utf8_length((const unsigned char *)text, len);

    return n > 0 ? n : 1;
}

static char masked(char c)
{
    if (c >= '0' && c <= '9') {
        return '9';
    }
    c = mirror_ascii_lower(c);
    return (c >= 'a' && c <= 'z') || (unsigned char)c >= 0x80 ? 'a' : c;
}

/* Add a character to `to`, which has `n` bytes. Returns how many it has then. */
static apr_size_t put_character(char *to, apr_size_t n, mirror_values_e mode, const char *from,
                                apr_size_t len)
{
    if (mode == MIRROR_VALUES_MODE_MASKED || *from == '\0') {
        to[n] = *from ? masked(*from) : '?';
        return n + 1;
    }
    memcpy(to + n, from, len);
    return n + len;
}

void mirror_values_prefix(mirror_values_t *values, int row, int side, const char *prefix)
{
    char *to = values->text[row][side];
    apr_size_t n = strlen(prefix), len = strlen(to);

    len = len < MIRROR_VALUES_MAX - n ? len : MIRROR_VALUES_MAX - n;
    memmove(to + n, to, len);
    memcpy(to, prefix, n);
    to[n + len] = '\0';
}

void mirror_values_keep(mirror_values_t *values, int row, int side, const char *value,
                        apr_size_t len, int is_string)
{
    apr_size_t max =
        values->mode == MIRROR_VALUES_MODE_MASKED ? MIRROR_VALUES_MASKED : MIRROR_VALUES_MAX;
    char *to = values->text[row][side];
    apr_size_t n = 0, at = 0, step, room;

    if (mirror_secret_name_in(value, len < MIRROR_VALUES_MAX ? len : MIRROR_VALUES_MAX)) {
        mirror_values_hide(values, row, side); /* "/login?token=...", a cookie, JSON in a string */
        return;
    }
    if (is_string) {
        to[n++] = '"';
        max--;
    }
    room = len <= max - n ? max : max - CUT_LEN; /* a value that fits has as few bytes as it has */
    for (; at < len; at += step) {
        step = character_length(value + at, len - at);
        if (n + (values->mode == MIRROR_VALUES_MODE_MASKED ? 1 : step) > room) {
            break;
        }
        n = put_character(to, n, values->mode, value + at, step);
    }
    if (at < len) {
        memcpy(to + n, CUT, CUT_LEN);
        n += CUT_LEN;
    }
    if (is_string) {
        to[n++] = '"';
    }
    to[n] = '\0';
}
