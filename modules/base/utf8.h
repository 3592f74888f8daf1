/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/utf8.h - the check for UTF-8 (RFC 3629 4).
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

#endif
