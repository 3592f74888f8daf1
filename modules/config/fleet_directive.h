/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * config/fleet_directive.h - the directive ProxyMirrorFleet.
 */
#ifndef MIRROR_CONFIG_FLEET_DIRECTIVE_H
#define MIRROR_CONFIG_FLEET_DIRECTIVE_H

#include <http_config.h>

#include "base/mirror.h"

/* ---- startup ---- */

const char *mirror_fleet_directive_set(cmd_parms *cmd, void *unused, const char *args);

/* Resolve the settings of the fleet's store: those of the directive, or of ProxyMirrorDefaults of
 * the main server. Returns 0 after an error was logged. */
int mirror_fleet_directive_check(mirror_registry_t *registry, apr_pool_t *pconf, apr_pool_t *plog,
                                 struct server_rec *main_server);

/* Check the requirements of the store on httpd for `httpd -t`, as those of mirrors are. Returns 0 if one
 * is missing. */
int mirror_fleet_directive_has_needs(const mirror_registry_t *registry, apr_pool_t *plog);

#endif
