/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * attributes/limit_settings.h - what the table of attributes has to know of limits: rules of their
 * attributes, and which limits are the same.
 */
#ifndef MIRROR_ATTRIBUTES_LIMIT_SETTINGS_H
#define MIRROR_ATTRIBUTES_LIMIT_SETTINGS_H

#include "base/mirror.h"

/* The words of `policy`, by their number, NULL at the end: the names of the providers
 * (limit/limit.h). */
extern const char *const mirror_limit_settings_policies[];

/* ---- any thread ---- */

/* Rules: "" or why not, if `text` cannot be the name or address of a server; can be no host:port.
 * */
const char *mirror_limit_settings_refuse_host(const char *text);
const char *mirror_limit_settings_refuse_node(const char *text);

/* Set limit_id: the same for settings that say the same about the limit, another one for others.
 * Not 0. To be called when the settings are as they will be. */
void mirror_limit_settings_identify(mirror_settings_t *settings);

#endif
