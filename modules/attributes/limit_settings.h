/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * attributes/limit_settings.h - rules of the limit attributes, and the identity of a limit.
 */
#ifndef MIRROR_ATTRIBUTES_LIMIT_SETTINGS_H
#define MIRROR_ATTRIBUTES_LIMIT_SETTINGS_H

#include "base/mirror.h"

/* The values of `policy`, in the order of their numbers; NULL at the end. They are the names of the
 * providers (limit/limit.h). */
extern const char *const mirror_limit_settings_policies[];

/* ---- any thread ---- */

/* Check whether `text` can be the name or address of a server, or a host:port. Returns NULL, or the
 * reason, or "" (see `refuse` in attributes/value.h). */
const char *mirror_limit_settings_refuse_host(const char *text);
const char *mirror_limit_settings_refuse_node(const char *text);

/* Set limit_id: equal for settings of the same limit, different for other limits. Never 0. Call it
 * after all other members are set. */
void mirror_limit_settings_identify(mirror_settings_t *settings);

#endif
