/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/excerpt.c - where two texts differ first. See compare/excerpt.h.
 */
#include <string.h>

#include <apr_strings.h>

#include "base/ascii.h"
#include "compare/excerpt.h"
#include "compare/secret_name.h"

/* Bytes of an excerpt; and at most so many of them are before the difference. */
#define LENGTH        200
#define BEFORE        60
#define BEFORE_MASKED 24
/* Bytes before the word in which the excerpt begins, in which names are looked for; and of that word. A
 * word is what a key, a JWT or a PEM block is written in. */
#define NAMED 256
#define WORD  16384

/* The first difference: bytes before it, and bytes of its line before it. */
typedef struct place_t {
    apr_size_t at, in_line;
} place_t;

static apr_size_t find_difference(const char *a, apr_size_t a_len, const char *b, apr_size_t b_len)
{
    apr_size_t len = a_len < b_len ? a_len : b_len, at = 0;

    while (at < len && a[at] == b[at]) {
        at++;
    }
    return at;
}

static place_t place_of(const char *text, apr_size_t at)
{
    place_t place = { at, 0 };

    while (place.in_line < at && text[at - place.in_line - 1] != '\n') {
        place.in_line++;
    }
    return place;
}

static apr_size_t line_of(const char *text, apr_size_t at)
{
    apr_size_t line = 1, i;

    for (i = 0; i < at; i++) {
        line += text[i] == '\n';
    }
    return line;
}

/* Where the excerpt begins: in the line of the difference, not within a character of UTF-8. */
static apr_size_t begin_of(const place_t *place, const char *text, apr_size_t before)
{
    apr_size_t first = place->at - place->in_line;
    apr_size_t begin = place->in_line > before ? place->at - before : first;

    while (begin > first && ((unsigned char)text[begin] & 0xc0) == 0x80) {
        begin--;
    }
    return begin;
}

static apr_size_t length_of(const char *text, apr_size_t len)
{
    const char *end = memchr(text, '\n', len);

    len = end ? (apr_size_t)(end - text) : len;
    len = len > 0 && text[len - 1] == '\r' ? len - 1 : len;
    return len < LENGTH ? len : LENGTH;
}

static int is_of_word(char c)
{
    return mirror_ascii_is_digit(c) ||
           (mirror_ascii_lower(c) >= 'a' && mirror_ascii_lower(c) <= 'z') ||
           (c && strchr("-_.~+/=%\r\n", c));
}

/* Bytes of the rest of a tag, such as that of <input value="7"\n name="pin">; 0: it is none. */
static apr_size_t rest_of_tag(const char *text, apr_size_t len)
{
    apr_size_t n = 0;

    while (n < len && n < WORD && text[n] != '<' && text[n] != '>') {
        n++;
    }
    return n < len && text[n] == '>' ? n : 0;
}

static int is_secret(const char *text, apr_size_t all, apr_size_t begin, apr_size_t len)
{
    apr_size_t from = begin;

    while (from > 0 && begin - from < WORD && is_of_word(text[from - 1])) {
        from--;
    }
    from = from > NAMED ? from - NAMED : 0;
    len += rest_of_tag(text + begin + len, all - begin - len);
    return mirror_secret_name_in(text + from, begin - from + len);
}

void mirror_excerpt_keep_from(mirror_values_t *values, int row, const char *a, apr_size_t a_len,
                              const char *b, apr_size_t b_len, const apr_size_t from[2])
{
    const char *const text[2] = { a, b };
    const apr_size_t all[2] = { a_len, b_len };
    apr_size_t same = find_difference(a + from[0], a_len - from[0], b + from[1], b_len - from[1]);
    apr_size_t begin[2], len[2];
    char prefix[32];
    int side, hidden = 0;

    for (side = 0; side < 2; side++) {
        place_t place = place_of(text[side], from[side] + same);

        begin[side] = begin_of(&place, text[side],
                               values->mode == MIRROR_VALUES_MODE_MASKED ? BEFORE_MASKED : BEFORE);
        len[side] = length_of(text[side] + begin[side], all[side] - begin[side]);
        hidden |= is_secret(text[side], all[side], begin[side], len[side]);
    }
    apr_snprintf(prefix, sizeof(prefix), "line %" APR_SIZE_T_FMT ": ", line_of(a, from[0] + same));
    for (side = 0; side < 2; side++) {
        if (hidden) {
            mirror_values_hide(values, row, side);
        }
        else {
            mirror_values_keep(values, row, side, text[side] + begin[side], len[side], 0);
        }
        mirror_values_prefix(values, row, side, prefix);
    }
}

void mirror_excerpt_keep(mirror_values_t *values, int row, const char *a, apr_size_t a_len,
                         const char *b, apr_size_t b_len)
{
    const apr_size_t from[2] = { 0, 0 };

    mirror_excerpt_keep_from(values, row, a, a_len, b, b_len, from);
}
