/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * config/section.h - sections of the configuration: how they are called, and which of them replaces
 * which.
 *
 * Of two sections for one place, such as two <Location "/x">, httpd merges the later one over the
 * former, so its ProxyMirror lines replace those of the former. Whoever adds a second mirror in a
 * section of its own would not notice.
 */
#ifndef MIRROR_CONFIG_SECTION_H
#define MIRROR_CONFIG_SECTION_H

#include <httpd.h>
#include <http_config.h>

#include "base/mirror.h"

/* ---- startup ---- */

/* Where a directive is, for people: "/limited", or "/a If \"%{...}\"" with the sections from the
 * outside in; "" for a server. `section` is the directive's parent. */
const char *mirror_section_describe(const ap_directive_t *section, apr_pool_t *pool);

/* Note that a ProxyMirror line stands in `scope`, the configuration of its section. `mirror` is
 * NULL for ProxyMirror off. */
void mirror_section_add(const cmd_parms *cmd, const void *scope, const mirror_t *mirror);

/* check_config: warn of each line that a later section for the same place replaces. Names are
 * known by now. */
void mirror_section_check(apr_pool_t *pconf, apr_pool_t *plog);

#endif
