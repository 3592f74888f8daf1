/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * mirror_page_view.h - what the page tells of a mirror, and in which words.
 *
 * The page is for people who have not read the manual: a state and an outcome have a name to read, a sentence that says
 * what it means, and, so that colour is never alone, a sign or a texture. page.js shows and hides what is written in
 * these words; it has none of its own for them.
 */
#ifndef MIRROR_PAGE_VIEW_H
#define MIRROR_PAGE_VIEW_H

#include <httpd.h>

#include "mirror_limit.h"
#include "mirror_slotmem.h"

/* ---- words: const ---- */

typedef struct mirror_page_outcome_t {
    const char *group;   /* whose colour it has: "sent", "chosen", "limit", "room", "failed" */
    const char *texture; /* path data in a square of 8 by 8; "" for none */
    const char *label;
    const char *meaning;
} mirror_page_outcome_t;

extern const mirror_page_outcome_t mirror_page_outcomes[MIRROR_OUTCOME_COUNT];

/* Whether an outcome says that a copy was wanted and is lost. */
int mirror_page_is_loss(mirror_outcome_e outcome);

typedef enum {
    MIRROR_PAGE_UP,
    MIRROR_PAGE_READY,
    MIRROR_PAGE_LIMITED,
    MIRROR_PAGE_DOWN,
    MIRROR_PAGE_OFF,
    MIRROR_PAGE_STATES
} mirror_page_state_e;

typedef struct mirror_page_state_t {
    const char *name; /* for page.css and page.js */
    const char *sign; /* UTF-8 */
    const char *label;
    const char *meaning;
} mirror_page_state_t;

extern const mirror_page_state_t mirror_page_states[MIRROR_PAGE_STATES];

/* ---- request threads ---- */

/* A mirror as it is when it is asked for. */
typedef struct mirror_page_view_t {
    const mirror_t *mirror;
    const mirror_settings_t *settings;
    mirror_totals_t totals;
    mirror_page_state_e state;
    int overridden;        /* it differs from the configuration file */
    apr_time_t down_until; /* 0: it is up */
    int has_limit;         /* with it, `limit` is filled in */
    mirror_limit_state_t limit;
    apr_uint64_t lost; /* the sum of the outcomes that are a loss */
} mirror_page_view_t;

/* It holds until `pool` ends. */
void mirror_page_view(mirror_page_view_t *view, const mirror_registry_t *registry, const mirror_t *mirror,
                      apr_pool_t *pool);

/* All in `p`: a number with commas, "12,345"; milliseconds for people, "0.42 ms", a dash if less than 0; bytes, "1.5 MB";
 * a share in billionths as a percentage, "12.5%"; a time in UTC, "2026-01-31T12:00:00Z". */
const char *mirror_page_count(apr_pool_t *p, apr_uint64_t n);
const char *mirror_page_ms(apr_pool_t *p, double ms);
const char *mirror_page_bytes(apr_pool_t *p, apr_uint64_t bytes);
const char *mirror_page_percent(apr_pool_t *p, apr_int64_t billionths);
const char *mirror_page_time(apr_pool_t *p, apr_time_t t);

#endif
