/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/secret_name.h - names whose values are secret or personal.
 *
 * Some words are unmistakable wherever they are, such as "password". Others are short, and parts of other
 * words ("pin" of "spin"), so they count only as words of a name: "pin", "userPin", "PIN_code", "pins". In
 * a text they count only if the name has a value there: pin=7, "pin": 7, <pin>7, name="pin", or if
 * it is a label, <td>PIN</td>.
 */
#ifndef MIRROR_COMPARE_SECRET_NAME_H
#define MIRROR_COMPARE_SECRET_NAME_H

#include <apr.h>

/* A longer name is taken for a secret one, so that what it takes to look for words is bounded. */
#define MIRROR_SECRET_NAME_MAX 256

/* ---- any thread ---- */

/* Whether the name of a header or a member is one of something secret or personal, in any case. */
int mirror_secret_name_is(const char *name, apr_size_t len);

/* Whether a text, of any bytes, has such a name in it, the beginning of a JWT, or a URL with a
 * password. */
int mirror_secret_name_in(const char *text, apr_size_t len);

#endif
