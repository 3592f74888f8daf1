/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * config/directives.h - directives, merging, startup checks.
 *
 * Every ProxyMirror line that is read is registered, in the order of the files; which of them hold
 * for a request is in its per-directory configuration. All of it is in pconf and never changes
 * after startup.
 */
#ifndef MIRROR_CONFIG_DIRECTIVES_H
#define MIRROR_CONFIG_DIRECTIVES_H

#include <httpd.h>
#include <http_config.h>

#include "base/mirror.h"

/* ---- startup: the module record's ---- */

extern const command_rec mirror_directives_commands[];
/* check_config hook: resolve every mirror's settings (its line, then the defaults of its server, of
 * the main server, of the table) and its name, check relations and names. Logs each fault with
 * file and line; !OK stops the start. */
int mirror_directives_check(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);

#endif
