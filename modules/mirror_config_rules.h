/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * mirror_config_rules.h - what values the directives for the whole server take. Const; any thread.
 */
#ifndef MIRROR_CONFIG_RULES_H
#define MIRROR_CONFIG_RULES_H

#include "mirror_value.h"

extern const mirror_value_rule_t mirror_config_rules_memory;
extern const mirror_value_rule_t mirror_config_rules_spool_size;
extern const mirror_value_rule_t mirror_config_rules_threads;
extern const mirror_value_rule_t mirror_config_rules_slots;
extern const mirror_value_rule_t mirror_config_rules_drain;
extern const mirror_value_rule_t mirror_config_rules_id;

#endif
