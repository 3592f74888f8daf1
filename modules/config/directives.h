/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * config/directives.h - directives, merging, startup checks.
 *
 * Every ProxyMirror line is registered, in the order of the files. The per-directory configuration
 * determines the mirrors of a request. All objects are in pconf and do not change after startup.
 */
#ifndef MIRROR_CONFIG_DIRECTIVES_H
#define MIRROR_CONFIG_DIRECTIVES_H

#include <httpd.h>
#include <http_config.h>

#include "base/mirror.h"

/* ---- startup: used by the module record ---- */

extern const command_rec mirror_directives_commands[];
/* Resolve and check all mirrors: names, relations, and settings (its line, then the defaults of its
 * server, of the main server, of the table). The check_config hook. Logs each error with file and
 * line; a result other than OK stops the start. */
int mirror_directives_check(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);

#endif
