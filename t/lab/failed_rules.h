/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * failed_rules.h - the rules of one comparison whose regular expression has failed.
 */
#ifndef FAILED_RULES_H
#define FAILED_RULES_H

#include "compare/rows.h"

static inline int count_failed(const mirror_rows_t *rows)
{
    int i, n = 0;

    for (i = 0; i < rows->rule_count; i++) {
        n += rows->rules[i].has_failed;
    }
    return n;
}

#endif
