/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/ascii.h - locale-independent replacements for <ctype.h>, ASCII only.
 */
#ifndef MIRROR_BASE_ASCII_H
#define MIRROR_BASE_ASCII_H

#include <apr.h>

/* ---- any thread ---- */

static inline int mirror_ascii_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline int mirror_ascii_is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Return how many digits `text` begins with. */
static inline apr_size_t mirror_ascii_count_digits(const char *text, apr_size_t len)
{
    apr_size_t n = 0;

    while (n < len && mirror_ascii_is_digit(text[n])) {
        n++;
    }
    return n;
}

static inline char mirror_ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Return the value of a hexadecimal digit, or -1 if `c` is not one. */
static inline int mirror_ascii_hex_digit(char c)
{
    return mirror_ascii_is_digit(c) ? c - '0'
           : mirror_ascii_lower(c) >= 'a' && mirror_ascii_lower(c) <= 'f'
               ? mirror_ascii_lower(c) - 'a' + 10
               : -1;
}

extern const char mirror_ascii_tokens[256];

/* Return a tchar (RFC 9110 5.6.2) in lower case; 0 if `c` is none. */
static inline char mirror_ascii_token_lower(char c)
{
    return mirror_ascii_tokens[(unsigned char)c];
}

/* Return whether `c` is a tchar. */
static inline int mirror_ascii_is_token_char(char c)
{
    return mirror_ascii_token_lower(c) != '\0';
}

#endif
