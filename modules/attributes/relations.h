/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * attributes/relations.h - what attributes need of each other.
 */
#ifndef MIRROR_ATTRIBUTES_RELATIONS_H
#define MIRROR_ATTRIBUTES_RELATIONS_H

#include "attributes/attributes.h"

/* ---- any thread ---- */

/* Append what is wrong with the attributes taken together to `faults` (of const char *, in its
 * pool). */
void mirror_relations_check(apr_array_header_t *faults, const mirror_settings_t *settings);

/* Append to `warnings` (of const char *) what `line` gives that has no effect in `settings`, the
 * whole with it. */
void mirror_relations_check_effect(apr_array_header_t *warnings, const mirror_settings_t *line,
                                   const mirror_settings_t *settings);

#endif
