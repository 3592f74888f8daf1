/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * attributes/relations.h - relations between attributes.
 */
#ifndef MIRROR_ATTRIBUTES_RELATIONS_H
#define MIRROR_ATTRIBUTES_RELATIONS_H

#include "attributes/attributes.h"

/* ---- any thread ---- */

/* Check the attributes together. Appends error messages to `faults` (of const char *), allocated in
 * its pool. */
void mirror_relations_check(apr_array_header_t *faults, const mirror_settings_t *settings);

/* Find attributes of `line` that have no effect in `settings`, which include `line`. Appends
 * messages to `warnings` (of const char *). */
void mirror_relations_check_effect(apr_array_header_t *warnings, const mirror_settings_t *line,
                                   const mirror_settings_t *settings);

/* Find values of `settings` that are valid, and hardly meant at `wall`, a time of the wall clock.
 * Appends messages to `warnings`. */
void mirror_relations_check_sense(apr_array_header_t *warnings, const mirror_settings_t *settings,
                                  apr_time_t wall);

#endif
