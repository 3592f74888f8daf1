/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * config/section.h - sections of the configuration: their descriptions, and replaced sections.
 *
 * If two sections apply to the same requests, such as two <Location "/x">, httpd merges the later
 * one over the earlier one. Its ProxyMirror lines then replace those of the earlier section. An
 * administrator who adds a mirror in a new section may not notice this.
 */
#ifndef MIRROR_CONFIG_SECTION_H
#define MIRROR_CONFIG_SECTION_H

#include <httpd.h>
#include <http_config.h>

#include "base/mirror.h"

/* ---- startup ---- */

/* Return the position of a directive for messages: "/limited", or "/a If \"%{...}\"" with nested
 * sections from the outside in; "" for a server. `section`: parent of the directive. */
const char *mirror_section_describe(const ap_directive_t *section, apr_pool_t *pool);

/* Record a ProxyMirror line. `scope`: configuration of its section. `mirror`: NULL = ProxyMirror
 * off. */
void mirror_section_add(const cmd_parms *cmd, const void *scope, const mirror_t *mirror);

/* Warn of each line that a later section replaces. In check_config, after names are resolved. */
void mirror_section_check(apr_pool_t *pconf, apr_pool_t *plog);

#endif
