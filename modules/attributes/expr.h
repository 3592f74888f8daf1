/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * attributes/expr.h - httpd's expressions (ap_expr): conditions and strings.
 *
 * They are parsed at startup and evaluated for requests. What the client gets must not depend on
 * them: they add nothing to Vary. One that fails is logged once for each mirror and child, and
 * httpd's own line for each request is kept out of the log.
 */
#ifndef MIRROR_ATTRIBUTES_EXPR_H
#define MIRROR_ATTRIBUTES_EXPR_H

#include <httpd.h>
#include <ap_expr.h>

#include "base/mirror.h"

/* ---- startup ---- */

/* Parse `text`, a condition (`flags` 0) or a string (AP_EXPR_FLAG_STRING_RESULT), with
 * AP_EXPR_FLAG_RESTRICTED if it is not the administrator's: then it can read no files and look up
 * no subrequests. *expr is in `pool`. Returns NULL, or why it is refused. */
const char *mirror_expr_parse(const ap_expr_info_t **expr, const char *text, unsigned flags,
                              apr_pool_t *pool, apr_pool_t *ptemp);

/* ---- request threads; `lane` is that of the mirror the expression is evaluated for, `which` what
 * is told in the log ---- */

/* Whether the condition holds; one that fails does not. */
int mirror_expr_holds(request_rec *r, const ap_expr_info_t *expr, mirror_lane_t *lane,
                      mirror_expr_e which);

/* The string, in the request's pool or static; NULL if it fails. If `match` is not NULL, $0 to $9
 * in it are what these matches (AP_MAX_REG_MATCH of them) found in `source`. */
const char *mirror_expr_string(request_rec *r, const ap_expr_info_t *expr, ap_regmatch_t *match,
                               const char *source, mirror_lane_t *lane, mirror_expr_e which);

#endif
