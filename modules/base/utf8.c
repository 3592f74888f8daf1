/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/utf8.c - the check for UTF-8. See base/utf8.h.
 */
#include <string.h>

#include "base/utf8.h"

apr_size_t mirror_utf8_length(const unsigned char *s, apr_size_t len)
{
    apr_size_t need = s[0] < 0x80                    ? 1
                      : s[0] >= 0xc2 && s[0] <= 0xdf ? 2
                      : s[0] >= 0xe0 && s[0] <= 0xef ? 3
                      : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4
                                                     : 0;
    apr_size_t i;

    if (need == 0 || need > len) {
        return 0;
    }
    for (i = 1; i < need; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f)) {
        return 0; /* overlong form, surrogate, or beyond U+10FFFF */
    }
    return need;
}

int mirror_utf8_is_valid(const char *text)
{
    apr_size_t left = strlen(text), len;

    for (; left > 0; text += len, left -= len) {
        len = mirror_utf8_length((const unsigned char *)text, left);
        if (len == 0) {
            return 0;
        }
    }
    return 1;
}

unsigned mirror_utf8_control(const unsigned char *s, apr_size_t len)
{
    unsigned code = len == 1 ? s[0] : len == 2 ? (s[0] & 0x1fU) << 6 | (s[1] & 0x3fU) : 0;

    if (code == 0x061c) {
        return code;
    }
    if (len == 3) {
        code = (s[0] & 0x0fU) << 12 | (s[1] & 0x3fU) << 6 | (s[2] & 0x3fU);
        return code == 0x200e || code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
                       (code >= 0x2066 && code <= 0x2069)
                   ? code
                   : 0;
    }
    return code < 0x20 || (code >= 0x7f && code <= 0x9f) ? code : 0;
}
