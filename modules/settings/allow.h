/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * settings/allow.h - the hosts that the manager may set: ProxyMirrorAllowHost.
 *
 * A pattern is `name` or `name:port`. A leading '*' matches any prefix of the name, also an empty
 * one. An IPv6 address with a port is in brackets. Without patterns, the hosts of the configuration
 * file are allowed, at any port.
 */
#ifndef MIRROR_SETTINGS_ALLOW_H
#define MIRROR_SETTINGS_ALLOW_H

#include "base/mirror.h"

/* ---- startup ---- */

/* Append `pattern` to *allow, which is created in `pool` with the first pattern. Returns NULL, or
 * an error message that begins with `name`. */
const char *mirror_allow_add(apr_array_header_t **allow, const char *pattern, const char *name,
                             apr_pool_t *pool);

/* ---- any thread ---- */

/* Check the hosts of the settings: each must be in the file's settings of `mirror`, or allowed by
 * ProxyMirrorAllowHost. Returns NULL, or an error message in `pool`. */
const char *mirror_allow_settings(const mirror_registry_t *registry, const mirror_t *mirror,
                                  const mirror_settings_t *settings, apr_pool_t *pool);

#endif
