/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * shared/findings_rules.c - how often each rule had an effect. See shared/findings_state.h.
 *
 * All here is called by who has the lock, as in findings_rows.c.
 */
#include "shared/findings_state.h"

#define GET MIRROR_WORD_GET
#define SET MIRROR_WORD_SET
#define ADD MIRROR_WORD_ADD

/* The entry of a rule; a new one if there is room. NULL: there is none. */
static mirror_findings_rule_t *enter_rule(mirror_findings_tables_t *tables, apr_uint64_t id)
{
    int i;

    for (i = 0; i < MIRROR_FINDINGS_RULES; i++) {
        mirror_findings_rule_t *rule = &tables->rules[(id + (unsigned)i) % MIRROR_FINDINGS_RULES];
        apr_uint64_t other = GET(rule->id);

        if (other == 0) {
            mirror_findings_empty(rule, sizeof(*rule));
            SET(rule->id, id);
            return rule;
        }
        if (other == id) {
            return rule;
        }
    }
    return NULL;
}

void mirror_findings_rules_count(mirror_findings_tables_t *tables, const mirror_noted_t *noted)
{
    apr_uint64_t response;
    int i;

    if (noted->rule_count > 0) {
        ADD(tables->responses, 1);
    }
    response = GET(tables->responses);
    for (i = 0; i < noted->rule_count && i < MIRROR_FINDINGS_RULES; i++) {
        const mirror_noted_rule_t *noted_rule = &noted->rules[i];
        mirror_findings_rule_t *rule = noted_rule->id ? enter_rule(tables, noted_rule->id) : NULL;

        if (rule && GET(rule->response) != response) {
            SET(rule->response, response);
            ADD(rule->compared, 1);
            ADD(rule->hits, noted_rule->has_hit != 0);
            ADD(rule->failures, noted_rule->has_failed != 0);
        }
    }
}
