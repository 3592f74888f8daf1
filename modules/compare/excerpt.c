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

/* The first difference. All before it is equal. */
typedef struct place_t {
    apr_size_t at;    /* bytes before it */
    apr_size_t begin; /* bytes before its line */
    apr_size_t line;  /* 1 = the first line */
} place_t;

static place_t find_difference(const char *a, apr_size_t a_len, const char *b, apr_size_t b_len)
{
    place_t place = { 0, 0, 1 };
    apr_size_t len = a_len < b_len ? a_len : b_len;

    for (; place.at < len && a[place.at] == b[place.at]; place.at++) {
        if (a[place.at] == '\n') {
            place.begin = place.at + 1;
            place.line++;
        }
    }
    return place;
}

/* Where the excerpt begins: in the line of the difference, not within a character of UTF-8. */
static apr_size_t begin_of(const place_t *place, const char *a, apr_size_t before)
{
    apr_size_t begin = place->at - place->begin > before ? place->at - before : place->begin;

    while (begin > place->begin && ((unsigned char)a[begin] & 0xc0) == 0x80) {
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

static int is_secret(const char *text, apr_size_t begin, apr_size_t len)
{
    apr_size_t from = begin;

    while (from > 0 && begin - from < WORD && is_of_word(text[from - 1])) {
        from--;
    }
    from = from > NAMED ? from - NAMED : 0;
    return mirror_secret_name_in(text + from, begin - from + len);
}

void mirror_excerpt_keep(mirror_values_t *values, int row, const char *a, apr_size_t a_len,
                         const char *b, apr_size_t b_len)
{
    const place_t place = find_difference(a, a_len, b, b_len);
    apr_size_t begin =
        begin_of(&place, a, values->mode == MIRROR_VALUES_MODE_MASKED ? BEFORE_MASKED : BEFORE);
    const char *const text[2] = { a, b };
    apr_size_t len[2];
    char prefix[32];
    int side, hidden;

    len[0] = length_of(a + begin, a_len - begin);
    len[1] = length_of(b + begin, b_len - begin);
    hidden = is_secret(a, begin, len[0]) || is_secret(b, begin, len[1]);
    apr_snprintf(prefix, sizeof(prefix), "line %" APR_SIZE_T_FMT ": ", place.line);
    for (side = 0; side < 2; side++) {
        if (hidden) {
            mirror_values_hide(values, row, side);
        }
        else {
            mirror_values_keep(values, row, side, text[side] + begin, len[side], 0);
        }
        mirror_values_prefix(values, row, side, prefix);
    }
}
