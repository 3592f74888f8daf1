/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/utf8.h - which bytes are UTF-8 (RFC 3629 4).
 *
 * yajl's own check takes overlong forms and halves of surrogate pairs, which readers of JSON
 * reject.
 */
#ifndef MIRROR_BASE_UTF8_H
#define MIRROR_BASE_UTF8_H

#include <apr.h>

/* ---- any thread ---- */

/* The length of the character that begins at `s`, of which `len` bytes are there, at least one; 0:
 * it is not UTF-8. */
apr_size_t mirror_utf8_length(const unsigned char *s, apr_size_t len);

/* Whether the whole text is UTF-8. */
int mirror_utf8_is_valid(const char *text);

#endif
