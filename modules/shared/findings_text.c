/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * shared/findings_text.c - texts of groups, fields and examples in words. See
 * shared/findings_state.h.
 *
 * A text comes from clients and mirrors on its way in, and from shared memory on its way out: any
 * bytes, both times.
 */
#include <string.h>

#include "base/utf8.h"
#include "shared/findings_state.h"

#define GAP "..."

static int is_inside(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

/* Bytes of the beginning, at most `max`, without half of a character. */
static apr_size_t head_length(const char *text, apr_size_t max)
{
    apr_size_t back = 0;

    while (back < 3 && back < max && is_inside(text[max - back])) {
        back++;
    }
    return is_inside(text[max - back]) ? max : max - back; /* it is no UTF-8 */
}

/* Bytes of the end, at most `max`. */
static apr_size_t tail_length(const char *end, apr_size_t max)
{
    apr_size_t skipped = 0;

    while (skipped < 3 && skipped < max && is_inside(*(end - max + skipped))) {
        skipped++;
    }
    return max - skipped;
}

void mirror_findings_text_fill(apr_uint64_t *words, apr_size_t max, const char *text)
{
    apr_size_t len = text ? strlen(text) : 0, gap = strlen(GAP), head, tail;
    char *to = (char *)words;

    memset(words, 0, MIRROR_FINDINGS_WORDS(max) * sizeof(*words));
    if (len <= max) {
        if (len > 0) {
            memcpy(to, text, len);
        }
        return;
    }
    head = head_length(text, (max - gap) / 2);
    tail = tail_length(text + len, (max - gap) / 2);
    memcpy(to, text, head);
    memcpy(to + head, GAP, gap);
    memcpy(to + head + gap, text + len - tail, tail);
}

/* A control character, or a byte that is none of UTF-8's 1 to 4. */
static int is_control(const unsigned char *s, apr_size_t len)
{
    return len == 1 ? s[0] < 0x20 || s[0] == 0x7f : len == 2 && s[0] == 0xc2 && s[1] < 0xa0;
}

const char *mirror_findings_text_read(const apr_uint64_t *words, apr_size_t max, int printable,
                                      apr_pool_t *pool)
{
    const unsigned char *from = (const unsigned char *)words;
    apr_size_t left = 0, len;
    char *text, *to;

    while (left < max && from[left] != '\0') {
        left++;
    }
    text = to = apr_palloc(pool, left + 1);
    while (left > 0) {
        len = mirror_utf8_length(from, left);
        if (len == 0 || (printable && is_control(from, len))) {
            *to++ = '?';
            len = len == 0 ? 1 : len;
        }
        else {
            memcpy(to, from, len);
            to += len;
        }
        from += len;
        left -= len;
    }
    *to = '\0';
    return text;
}
