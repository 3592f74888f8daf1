/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * config/registry.h - the registry of a load: its creation, the directives with one value for the
 * whole server, and its random values.
 */
#ifndef MIRROR_CONFIG_REGISTRY_H
#define MIRROR_CONFIG_REGISTRY_H

#include <httpd.h>
#include <http_config.h>

#include "base/mirror.h"

/* ---- startup ---- */

/* Set the value of a directive that has one value for the whole server. */
const char *mirror_registry_set(cmd_parms *cmd, void *unused, const char *text);

/* Set ProxyMirrorSpool. */
const char *mirror_registry_spool(cmd_parms *cmd, void *unused, const char *dir, const char *size);

/* Add a pattern of ProxyMirrorAllowHost. */
const char *mirror_registry_allow(cmd_parms *cmd, void *unused, const char *pattern);

/* Generate missing values after the configuration was read. */
void mirror_registry_complete(mirror_registry_t *registry, apr_pool_t *pconf);

#endif
