/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/comparison_view.c - the findings of a mirror as a whole. See admin/comparison_view.h.
 */
#include <string.h>

#include "admin/comparison_view.h"
#include "settings/settings.h"
#include "shared/table.h"

int mirror_comparison_view_difference(double *ms, const mirror_found_latency_t *latency, double q)
{
    apr_uint64_t all = 0, before = 0;
    int i;

    for (i = 0; i < MIRROR_CELL_BUCKETS; i++) {
        all += latency->faster[i] + latency->slower[i];
    }
    for (i = -MIRROR_CELL_BUCKETS; all > 0 && i < MIRROR_CELL_BUCKETS; i++) {
        int bucket = i < 0 ? -i - 1 : i;
        int bound = bucket < MIRROR_CELL_BUCKETS - 1 ? bucket : MIRROR_CELL_BUCKETS - 2;

        before += i < 0 ? latency->faster[bucket] : latency->slower[bucket];
        if ((double)before >= q * (double)all) {
            *ms = i < 0 ? -mirror_cell_latency_ms[bound] : mirror_cell_latency_ms[bound];
            return 1;
        }
    }
    return 0;
}

int mirror_comparison_view_keeps_values(const mirror_settings_t *settings)
{
    return settings->compare && settings->compare_values != MIRROR_VALUES_MODE_OFF;
}

mirror_comparison_rule_e mirror_comparison_view_rule(mirror_found_rule_t *counted,
                                                     const mirror_findings_view_t *view,
                                                     const mirror_compare_rule_t *rule,
                                                     const mirror_settings_t *settings)
{
    int is_idle = mirror_compare_rule_action(rule) == MIRROR_RULE_SECRET &&
                  !mirror_comparison_view_keeps_values(settings);
    const mirror_found_rule_t *found = mirror_findings_rule(view, mirror_compare_rule_id(rule));

    memset(counted, 0, sizeof(*counted));
    if (found) {
        *counted = *found;
    }
    if (counted->hits > 0) {
        return MIRROR_COMPARISON_RULE_USED;
    }
    return !is_idle && counted->compared >= MIRROR_FINDINGS_RULE_MIN
               ? MIRROR_COMPARISON_RULE_MATCHES_NOTHING
               : MIRROR_COMPARISON_RULE_COLLECTING;
}

int mirror_comparison_view_has_rule(const apr_array_header_t *rules, const char *text)
{
    int i;

    for (i = 0; rules && i < rules->nelts; i++) {
        const mirror_compare_rule_t *rule = APR_ARRAY_IDX(rules, i, const mirror_compare_rule_t *);

        if (!strcmp(mirror_compare_rule_text(rule), text)) {
            return 1;
        }
    }
    return 0;
}

mirror_findings_t *mirror_comparison_view_findings(const mirror_registry_t *registry,
                                                   const mirror_t *mirror)
{
    return registry->table && mirror->slot
               ? mirror_table_findings_used(registry->table, mirror->slot)
               : NULL;
}

void mirror_comparison_view_look(mirror_findings_view_t *view, request_rec *r,
                                 const mirror_registry_t *registry, const mirror_t *mirror)
{
    const mirror_settings_t *settings = mirror_settings_borrow(registry, mirror, r->pool);
    mirror_findings_t *findings = mirror_comparison_view_findings(registry, mirror);

    if (findings && !mirror_comparison_view_keeps_values(settings)) {
        mirror_findings_forget_values(findings);
    }
    mirror_findings_view(view, findings, r->pool);
}

const char *mirror_comparison_view_reference(request_rec *r, const mirror_registry_t *registry,
                                             const mirror_t *of)
{
    const mirror_settings_t *settings = mirror_settings_borrow(registry, of, r->pool);
    int i;

    for (i = 0; i < registry->mirrors->nelts && !settings->compare_reference; i++) {
        const mirror_t *mirror = APR_ARRAY_IDX(registry->mirrors, i, const mirror_t *);

        if (mirror->vhost == of->vhost && !strcmp(mirror->scope, of->scope) &&
            mirror_settings_borrow(registry, mirror, r->pool)->role == MIRROR_ROLE_REFERENCE) {
            return mirror->name;
        }
    }
    return settings->compare_reference;
}
