/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/utf8.h - the check for UTF-8 (RFC 3629 4), and which characters are printable.
 *
 * yajl's own check accepts overlong forms and surrogates, which JSON parsers reject.
 */
#ifndef MIRROR_BASE_UTF8_H
#define MIRROR_BASE_UTF8_H

#include <apr.h>

/* ---- any thread ---- */

/* Return the length of the character at `s`, or 0 if it is not UTF-8. `len`: available bytes, 1 or
 * more. */
apr_size_t mirror_utf8_length(const unsigned char *s, apr_size_t len);

/* Return whether the whole text is UTF-8. */
int mirror_utf8_is_valid(const char *text);

/* Return the code of the character of `len` bytes at `s` if it is a control character (C0, U+007F, C1), a
 * line separator (U+2028, U+2029) or a bidirectional control (U+061C, U+200E, U+200F, U+202A to U+202E,
 * U+2066 to U+2069); else 0, as for NUL. */
unsigned mirror_utf8_control(const unsigned char *s, apr_size_t len);

#endif
