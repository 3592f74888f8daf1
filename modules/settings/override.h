/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * settings/override.h - the override of a mirror: settings by the manager over those of the file.
 *
 * For each attribute an override has one of three states: a value; reset to the default
 * (ProxyMirrorDefaults, then the table), regardless of the mirror's line; or absent, so that the
 * layer beneath applies: the fleet's document, if there is one, then the file. The text form is a JSON object: values, and null for a reset. States equal to the
 * file are omitted.
 *
 * All functions may be called on any thread. They return NULL, or an error message in `pool`. After
 * an error the override may be partly changed; discard it.
 */
#ifndef MIRROR_SETTINGS_OVERRIDE_H
#define MIRROR_SETTINGS_OVERRIDE_H

#include "attributes/attributes.h"

typedef struct mirror_override_t {
    /* the override beneath, the fleet's; NULL = none: the file is beneath */
    const struct mirror_override_t *beneath;
    mirror_settings_t given;  /* the values; its `set` marks the rows */
    apr_uint64_t reset;       /* bits of the rows that are reset to their default */
    apr_uint64_t new_secrets; /* bits of the passwords that were given anew, not only kept */
} mirror_override_t;

/* Parse a text of mirror_override_print(). NULL = an empty override. `beneath` is not set. */
const char *mirror_override_parse(mirror_override_t *override, const char *text, apr_pool_t *pool);

/* Return what remains of a text that is not valid here: that it stops the mirror, or ends it earlier
 * than the file does. NULL = nothing. */
const char *mirror_override_rest(const char *text, const mirror_t *mirror, apr_pool_t *pool);

/* Return whether such a rest stops the mirror; otherwise it ends it. */
int mirror_override_is_stop(const char *rest);

/* Return the text form, with secrets; NULL if the override is empty. */
const char *mirror_override_print(const mirror_override_t *override, apr_pool_t *pool);

/* Parse JSON from a client, `size` bytes: nesting of at most 16, no duplicate names in an object.
 * *json lives as long as the pool. */
const char *mirror_override_read_json(yajl_val *json, const char *text, apr_size_t size,
                                      apr_pool_t *pool);

/* Replace the override by `json`. Attributes that `json` does not name are reset to their
 * default. */
const char *mirror_override_put(mirror_override_t *override, yajl_val json, const mirror_t *mirror,
                                apr_pool_t *pool);

/* Apply `json` as a merge patch (RFC 7396). null resets an attribute to its default. */
const char *mirror_override_patch(mirror_override_t *override, yajl_val json,
                                  const mirror_t *mirror, apr_pool_t *pool);

/* Apply one attribute of a form. */
const char *mirror_override_form(mirror_override_t *override, const char *name, const char *text,
                                 const mirror_t *mirror, apr_pool_t *pool);

/* Remove states that are equal to the layer beneath. */
void mirror_override_tidy(mirror_override_t *override, const mirror_t *mirror, apr_pool_t *pool);

/* Set *settings to the mirror's settings with the override. They point into the override and into
 * the configuration. */
void mirror_override_apply(mirror_settings_t *settings, const mirror_override_t *override,
                           const mirror_t *mirror);

/* Check that no password would be sent to another server than the one it was given for. `before`:
 * the settings in force. */
const char *mirror_override_refuse_password(const mirror_override_t *override,
                                            const mirror_settings_t *before, const mirror_t *mirror,
                                            apr_pool_t *pool);

#endif
