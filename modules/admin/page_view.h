/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/page_view.h - the texts and figures of the page.
 *
 * The page is for readers without the manual: each state and outcome has a label, a sentence that
 * explains it, and a sign or a texture besides its color. page.js shows and hides these texts; it
 * contains none of its own.
 */
#ifndef MIRROR_ADMIN_PAGE_VIEW_H
#define MIRROR_ADMIN_PAGE_VIEW_H

#include <httpd.h>

#include "admin/view.h"

/* ---- texts: const ---- */

#define MIRROR_PAGE_LAYER_FLEET "<option value=\"fleet\">all nodes</option>"
#define MIRROR_PAGE_LAYER_NODE  "<option value=\"node\">this node</option>"
#define MIRROR_PAGE_LAYER_BEGIN "<select name=\"layer\" aria-label=\"Where\">"

/* The choice of a form on a node of a fleet. The fleet comes first: a change of one node is the
 * exception. */
#define MIRROR_PAGE_LAYERS                                                                         \
    MIRROR_PAGE_LAYER_BEGIN MIRROR_PAGE_LAYER_FLEET MIRROR_PAGE_LAYER_NODE "</select>"

/* The same where the node has settings of its own, which a change of the fleet leaves. */
#define MIRROR_PAGE_LAYERS_NODE_FIRST                                                              \
    MIRROR_PAGE_LAYER_BEGIN MIRROR_PAGE_LAYER_NODE MIRROR_PAGE_LAYER_FLEET "</select>"

typedef struct mirror_page_outcome_t {
    /* group that defines the color: "sent", "chosen", "limit", "room", "failed" */
    const char *group;
    const char *texture; /* path data in an 8 by 8 square; "" = none */
    const char *label;
    const char *meaning;
} mirror_page_outcome_t;

extern const mirror_page_outcome_t mirror_page_outcomes[MIRROR_OUTCOME_COUNT];

typedef struct mirror_page_state_t {
    const char *sign; /* UTF-8 */
    const char *label;
    const char *meaning;
} mirror_page_state_t;

extern const mirror_page_state_t mirror_page_states[MIRROR_VIEW_STATES];

/* ---- request threads ---- */

/* Return the number of lost copies. */
apr_uint64_t mirror_page_lost(const mirror_view_t *view);

/* Return a text of anybody for HTML, in `p`: escaped, and characters that are invisible or change how
 * others are shown in hexadecimal digits. */
const char *mirror_page_text(apr_pool_t *p, const char *text);

/* Return "98.7%", in `p`: the share of `n` in `all`, rounded down, so only all of them are 100%. */
const char *mirror_page_share(apr_pool_t *p, apr_uint64_t n, apr_uint64_t all);

/* Format for display, in `p`: a number with commas, "12,345"; milliseconds, "0.42 ms", a dash if
 * negative; bytes, "1.5 MB"; billionths as a percentage, "12.5%"; a time in UTC,
 * "2026-01-31T12:00:00Z". */
const char *mirror_page_count(apr_pool_t *p, apr_uint64_t n);
/* Return "16 x 64 = 1,024": so many in each of `children`, and in all of them. */
const char *mirror_page_product(apr_pool_t *p, int children, apr_uint64_t all);
const char *mirror_page_ms(apr_pool_t *p, double ms);
const char *mirror_page_bytes(apr_pool_t *p, apr_uint64_t bytes);
const char *mirror_page_percent(apr_pool_t *p, apr_int64_t billionths);
const char *mirror_page_time(apr_pool_t *p, apr_time_t t);

#endif
