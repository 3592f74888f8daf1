/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * config/registry.h - the registry of a load of the configuration: how it comes about, the
 * directives that set one value of it for the whole server, and what is random in it.
 */
#ifndef MIRROR_CONFIG_REGISTRY_H
#define MIRROR_CONFIG_REGISTRY_H

#include <httpd.h>
#include <http_config.h>

#include "base/mirror.h"

/* ---- startup ---- */

/* The function of each directive that takes one value for the whole server. */
const char *mirror_registry_set(cmd_parms *cmd, void *unused, const char *text);

/* The function of ProxyMirrorSpool. */
const char *mirror_registry_spool(cmd_parms *cmd, void *unused, const char *dir, const char *size);

/* The function of ProxyMirrorAllowHost, for each of its patterns. */
const char *mirror_registry_allow(cmd_parms *cmd, void *unused, const char *pattern);

/* The configuration was read: what was not given is made. */
void mirror_registry_complete(mirror_registry_t *registry, apr_pool_t *pconf);

#endif
