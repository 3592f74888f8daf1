/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * mirror_config_rules.c - what values the directives for the whole server take. See mirror_config_rules.h.
 */
#include <apr_time.h>
#include <string.h>

#include "mirror_config_rules.h"

#define MEGABYTE (1024 * (apr_int64_t)1024)

static const char *refuse_id(const char *text)
{
    return text[strspn(text, "!#$%&'*+-.^_`|~0123456789"
                             "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")]
               ? ""
               : NULL;
}

const mirror_value_rule_t mirror_config_rules_memory = {
    &mirror_value_size, MEGABYTE, 1024 * 1024 * MEGABYTE, "a size such as 64M, 1M to 1024G, is needed", NULL, NULL
};
const mirror_value_rule_t mirror_config_rules_spool_size = {
    &mirror_value_size, MEGABYTE, 1024 * 1024 * MEGABYTE, "a size such as 256M, 1M to 1024G, is needed", NULL, NULL
};
const mirror_value_rule_t mirror_config_rules_threads = {
    &mirror_value_number, 4, 256, "a whole number, 4 to 256, is needed", NULL, NULL
};
const mirror_value_rule_t mirror_config_rules_slots = {
    &mirror_value_number, 1, 65536, "a whole number, 1 to 65536, is needed", NULL, NULL
};
const mirror_value_rule_t mirror_config_rules_drain = { &mirror_value_time,
                                                        0,
                                                        3600 * (apr_int64_t)APR_USEC_PER_SEC,
                                                        "a time such as 500ms or 5s, 0 to 1h, is needed",
                                                        NULL,
                                                        NULL };
const mirror_value_rule_t mirror_config_rules_id = {
    &mirror_value_string, 1, 64, "1 to 64 letters, digits or !#$%&'*+-.^_`|~ are needed", NULL, refuse_id
};
