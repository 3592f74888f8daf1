/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/page_comparison.h - what comparing has found about one mirror, on the page.
 *
 * The section stands in the mirror's article if it compares, or has compared. page_comparison.js
 * requests the sections each second (LOCATION/?comparison), and makes those of the page like them;
 * elements with data-key keep their identity then.
 *
 * Fields, groups, methods, paths and request ids come from clients and mirrors; they are printed by
 * mirror_page_text().
 */
#ifndef MIRROR_ADMIN_PAGE_COMPARISON_H
#define MIRROR_ADMIN_PAGE_COMPARISON_H

#include <httpd.h>

#include "admin/page_view.h"
#include "shared/findings.h"

/* What the functions below print from. */
typedef struct mirror_page_compared_t {
    request_rec *r;
    const mirror_view_t *view;
    const mirror_findings_view_t *found;
    const char *reference; /* name of the mirror with this role; NULL = none */
    /* lines of the file, of mirror_compare_rule_t *; NULL = none */
    const apr_array_header_t *lines;
    /* by finding: 1 if rules ignore all that differs in it by now */
    char ignored[MIRROR_FINDINGS_FINDINGS];
    int with_values;  /* values of examples are printed */
    const char *form; /* start tag of each form, and its nonce; NULL = no forms */
} mirror_page_compared_t;

/* ---- request threads ---- */

/* Print the section; nothing if the mirror does not compare and never has. `nonce` and `location` as
 * for mirror_page_put_mirror(). */
void mirror_page_put_comparison(request_rec *r, const mirror_view_t *view, const char *nonce,
                                const char *location);

/* Fill in `ignored`. In admin/page_findings.c. */
void mirror_page_mark_findings(mirror_page_compared_t *compared);

/* Print the findings that no rule ignores by now, and those that one does. In
 * admin/page_findings.c. */
void mirror_page_put_findings(const mirror_page_compared_t *compared);

/* Return the number of findings that are no noise, those that a rule ignores by now, or those that
 * none does. In admin/page_findings.c. */
int mirror_page_count_findings(const mirror_page_compared_t *compared, int ignored);

/* Print what is taken for noise. In admin/page_noise.c. */
void mirror_page_put_noise(const mirror_page_compared_t *compared);

/* Return the words for a kind of difference, "another value". In admin/page_noise.c. */
const char *mirror_page_kind(mirror_kind_e kind);

/* The functions below are in admin/page_rules.c. */

/* Print the rules in force, with forms to remove those set at run time. */
void mirror_page_put_rules(const mirror_page_compared_t *compared);

/* Return the rule by which a field is ignored; NULL = none. */
const char *mirror_page_rule_ignoring(const mirror_page_compared_t *compared, const char *field);

typedef enum { MIRROR_PAGE_IGNORE = 1, MIRROR_PAGE_MATTERS = 2 } mirror_page_offer_e;

/* Print the buttons that a field has (mirror_page_offer_e), and the lines for the configuration.
 * `key`: data-key of what it prints, unique in its parent. */
void mirror_page_put_offers(const mirror_page_compared_t *compared, const char *field,
                            unsigned offers, const char *key);

/* Print a form with one button, `label`, that posts `action` and, if it is not NULL, `rule`. */
void mirror_page_put_button(const mirror_page_compared_t *compared, const char *action,
                            const char *rule, const char *label, const char *title);

#endif
