/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/page_view.h - what the page tells of a mirror, and in which words.
 *
 * The page is for people who have not read the manual: a state and an outcome have a name to read,
 * a sentence that says what it means, and, so that colour is never alone, a sign or a texture.
 * page.js shows and hides what is written in these words; it has none of its own for them.
 */
#ifndef MIRROR_ADMIN_PAGE_VIEW_H
#define MIRROR_ADMIN_PAGE_VIEW_H

#include <httpd.h>

#include "admin/view.h"

/* ---- words: const ---- */

typedef struct mirror_page_outcome_t {
    const char *group;   /* whose colour it has: "sent", "chosen", "limit", "room", "failed" */
    const char *texture; /* path data in a square of 8 by 8; "" for none */
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

/* Return the number of copies that were wanted and are lost. */
apr_uint64_t mirror_page_lost(const mirror_view_t *view);

/* All in `p`: a number with commas, "12,345"; milliseconds for people, "0.42 ms", a dash if less
 * than 0; bytes, "1.5 MB"; a share in billionths as a percentage, "12.5%"; a time in UTC,
 * "2026-01-31T12:00:00Z". */
const char *mirror_page_count(apr_pool_t *p, apr_uint64_t n);
const char *mirror_page_ms(apr_pool_t *p, double ms);
const char *mirror_page_bytes(apr_pool_t *p, apr_uint64_t bytes);
const char *mirror_page_percent(apr_pool_t *p, apr_int64_t billionths);
const char *mirror_page_time(apr_pool_t *p, apr_time_t t);

#endif
