/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * settings/rules.h - compiled forms of the attributes expr, sample_key, status, compare_group and
 * compare_rules.
 */
#ifndef MIRROR_SETTINGS_RULES_H
#define MIRROR_SETTINGS_RULES_H

#include <httpd.h>
#include <ap_expr.h>

#include "base/mirror.h"

#define MIRROR_RULES_STATUS_MIN   200
#define MIRROR_RULES_STATUS_COUNT 400

typedef struct mirror_rules_t {
    const ap_expr_info_t *expr;          /* a condition; NULL = none */
    const ap_expr_info_t *sample_key;    /* a string; NULL = none */
    const ap_expr_info_t *compare_group; /* a string; NULL = none */
    apr_array_header_t *compare; /* of mirror_compare_rule_t *, from compare_rules; NULL = none */
    int has_status;
    /* indexed by status less MIRROR_RULES_STATUS_MIN: 1 = copy */
    char status[MIRROR_RULES_STATUS_COUNT];
} mirror_rules_t;

/* ---- startup, or whenever settings are made ---- */

/* Compile these attributes into settings->rules, in `pool`. `trusted`: settings of the
 * administrator. An expression that differs from theirs is restricted (AP_EXPR_FLAG_RESTRICTED).
 * NULL = the settings are the administrator's. Returns NULL or an error message. */
const char *mirror_rules_compile(mirror_settings_t *settings, const mirror_settings_t *trusted,
                                 apr_pool_t *pool, apr_pool_t *ptemp);

/* ---- request threads ---- */

/* Return whether requests with this response status are copied. `status`: status of the response to
 * the client; 0 = no response. */
int mirror_rules_status(const mirror_settings_t *settings, int status);

#endif
