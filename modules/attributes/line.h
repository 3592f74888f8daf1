/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * attributes/line.h - settings as a ProxyMirror line, to be pasted into the configuration file.
 */
#ifndef MIRROR_ATTRIBUTES_LINE_H
#define MIRROR_ATTRIBUTES_LINE_H

#include "base/mirror.h"

/* What a line has in place of a password. */
#define MIRROR_LINE_SECRET "PASSWORD-NOT-SHOWN"

/* ---- any thread ---- */

/* Return the ProxyMirror line that makes `settings` in a server with these `defaults`: the URL,
 * `name`, and each attribute that differs from its default. A password is not printed. Above the
 * line are comments about what the reader has to do, if any, and a Define if a value has "${". No
 * newline at the end; in `pool`. */
const char *mirror_line_print(const mirror_settings_t *settings, const mirror_settings_t *defaults,
                              const char *name, apr_pool_t *pool);

#endif
