/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/comparison_view.h - the findings of a mirror as a whole: the one source of JSON and page.
 */
#ifndef MIRROR_ADMIN_COMPARISON_VIEW_H
#define MIRROR_ADMIN_COMPARISON_VIEW_H

#include <httpd.h>

#include "settings/compare_rule.h"
#include "shared/findings.h"

/* What is known of a rule: it has had an effect; it has had none in MIRROR_FINDINGS_RULE_MIN
 * comparisons; neither. */
typedef enum {
    MIRROR_COMPARISON_RULE_COLLECTING,
    MIRROR_COMPARISON_RULE_USED,
    MIRROR_COMPARISON_RULE_MATCHES_NOTHING
} mirror_comparison_rule_e;

/* ---- request threads ---- */

/* Return the findings of a mirror in shared memory; NULL if nothing was ever compared. */
mirror_findings_t *mirror_comparison_view_findings(const mirror_registry_t *registry,
                                                   const mirror_t *mirror);

/* Copy what was found about a mirror to r->pool. If its settings keep no values, those of before are
 * forgotten. */
void mirror_comparison_view_look(mirror_findings_view_t *view, request_rec *r,
                                 const mirror_registry_t *registry, const mirror_t *mirror);

/* Return whether these settings keep values of examples. */
int mirror_comparison_view_keeps_values(const mirror_settings_t *settings);

/* Return the name of the reference of a mirror: that of its settings, or else the first one of its
 * section. NULL = none. */
const char *mirror_comparison_view_reference(request_rec *r, const mirror_registry_t *registry,
                                             const mirror_t *of);

/* ---- any thread ---- */

/* Return what is known of a rule in force, and set *counted to its counts. A rule `secret` has an effect
 * only if the settings keep values. */
mirror_comparison_rule_e mirror_comparison_view_rule(mirror_found_rule_t *counted,
                                                     const mirror_findings_view_t *view,
                                                     const mirror_compare_rule_t *rule,
                                                     const mirror_settings_t *settings);

/* Return whether a list of rules, which may be NULL, has one of this text. */
int mirror_comparison_view_has_rule(const apr_array_header_t *rules, const char *text);

/* Set *ms to the difference in ms, mirror less primary, at rank `q` (0 to 1): the upper bound of its
 * bucket. Returns 0 if there are none. */
int mirror_comparison_view_difference(double *ms, const mirror_found_latency_t *latency, double q);

#endif
