/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * attributes/expr.h - httpd's expressions (ap_expr): conditions and strings.
 *
 * Expressions are parsed at startup and evaluated for requests. They do not add to Vary, because
 * the client's response does not depend on them. A failing expression is logged once per mirror and
 * child; httpd's own message for each request is suppressed.
 */
#ifndef MIRROR_ATTRIBUTES_EXPR_H
#define MIRROR_ATTRIBUTES_EXPR_H

#include <httpd.h>
#include <ap_expr.h>

#include "base/mirror.h"

/* ---- startup ---- */

/* Parse `text`, a condition (`flags` 0) or a string (AP_EXPR_FLAG_STRING_RESULT). Use
 * AP_EXPR_FLAG_RESTRICTED if the administrator did not write `text`: it can then neither read files
 * nor run subrequests. *expr is allocated in `pool`. Returns NULL or an error message. */
const char *mirror_expr_parse(const ap_expr_info_t **expr, const char *text, unsigned flags,
                              apr_pool_t *pool, apr_pool_t *ptemp);

/* ---- request threads; `lane`: lane of the evaluating mirror; `which`: for the log ---- */

/* Return whether the condition is true. If evaluation fails, the result is 0. */
int mirror_expr_matches(request_rec *r, const ap_expr_info_t *expr, mirror_lane_t *lane,
                        mirror_expr_e which);

/* Evaluate the string. Returns a string in the request's pool or a static one; NULL if evaluation
 * fails. `match`: AP_MAX_REG_MATCH matches in `source`, available as $0 to $9; NULL = none. */
const char *mirror_expr_string(request_rec *r, const ap_expr_info_t *expr, ap_regmatch_t *match,
                               const char *source, mirror_lane_t *lane, mirror_expr_e which);

#endif
