/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * settings/override.h - what the manager has set of a mirror, over what the configuration file
 * says.
 *
 * Of each attribute it says one of three things: a value; that it is at its default
 * (ProxyMirrorDefaults, then the table), whatever the mirror's line says; or nothing, and the file
 * holds. As text it is a JSON object: values, and null for what is at its default. What says the
 * same as the file is left out.
 *
 * All functions: any thread. What is wrong is in `pool`, NULL if nothing is; then the override may
 * be half changed, and is to be thrown away.
 */
#ifndef MIRROR_SETTINGS_OVERRIDE_H
#define MIRROR_SETTINGS_OVERRIDE_H

#include "attributes/attributes.h"

typedef struct mirror_override_t {
    mirror_settings_t given; /* by its `set` */
    apr_uint64_t reset;      /* rows that are at their default */
    int new_password;        /* one was given, and not kept */
} mirror_override_t;

/* Read a text of mirror_override_print(); NULL: nothing is set. */
const char *mirror_override_parse(mirror_override_t *override, const char *text, apr_pool_t *pool);

/* As text, with secrets; NULL if nothing is set. */
const char *mirror_override_print(const mirror_override_t *override, apr_pool_t *pool);

/* Read the JSON that a client sent, of `size` bytes: nesting at most 16, no name twice in one
 * object. *json is of the pool's life. */
const char *mirror_override_read_json(yajl_val *json, const char *text, apr_size_t size,
                                      apr_pool_t *pool);

/* All attributes at once: what `json` does not name goes to its default. */
const char *mirror_override_put(mirror_override_t *override, yajl_val json, const mirror_t *mirror,
                                apr_pool_t *pool);

/* Those that `json` names (RFC 7396); null resets one to its default. */
const char *mirror_override_patch(mirror_override_t *override, yajl_val json,
                                  const mirror_t *mirror, apr_pool_t *pool);

/* One attribute, as a form has it. */
const char *mirror_override_form(mirror_override_t *override, const char *name, const char *text,
                                 const mirror_t *mirror, apr_pool_t *pool);

/* Leave out what says the same as the file. */
void mirror_override_tidy(mirror_override_t *override, const mirror_t *mirror, apr_pool_t *pool);

/* What the mirror's settings are with it. They point into it and into the configuration. */
void mirror_override_apply(mirror_settings_t *settings, const mirror_override_t *override,
                           const mirror_t *mirror);

/* Whether a password would be sent where it was not given for. `before` are the settings in force
 * until now. */
const char *mirror_override_refuse_password(const mirror_override_t *override,
                                            const mirror_settings_t *before, const mirror_t *mirror,
                                            apr_pool_t *pool);

#endif
