/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * settings/allow.h - which hosts the manager may set: ProxyMirrorAllowHost.
 *
 * A pattern is `name` or `name:port`; a '*' at its front stands for any beginning of the name,
 * also for none. An IPv6 address is in brackets where a port follows. Without a pattern, hosts are
 * allowed that the configuration file has itself, at any port.
 */
#ifndef MIRROR_SETTINGS_ALLOW_H
#define MIRROR_SETTINGS_ALLOW_H

#include "base/mirror.h"

/* ---- startup ---- */

/* Add `pattern` to *allow (made with the first one, in `pool`). Returns NULL, or what is wrong,
 * with `name` at its front. */
const char *mirror_allow_add(apr_array_header_t **allow, const char *pattern, const char *name,
                             apr_pool_t *pool);

/* ---- any thread ---- */

/* What the settings have that neither the file has there nor ProxyMirrorAllowHost allows. Returns
 * NULL, or what is wrong, in `pool`. */
const char *mirror_allow_settings(const mirror_registry_t *registry, const mirror_t *mirror,
                                  const mirror_settings_t *settings, apr_pool_t *pool);

#endif
