/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * settings/rules.h - what follows from the attributes expr, sample_key and status: compiled
 * expressions and a table of statuses.
 */
#ifndef MIRROR_SETTINGS_RULES_H
#define MIRROR_SETTINGS_RULES_H

#include <httpd.h>
#include <ap_expr.h>

#include "base/mirror.h"

#define MIRROR_RULES_STATUS_MIN   200
#define MIRROR_RULES_STATUS_COUNT 400

typedef struct mirror_rules_t {
    const ap_expr_info_t *expr;       /* a condition; NULL: none */
    const ap_expr_info_t *sample_key; /* a string; NULL: none */
    int has_status;
    /* by status less MIRROR_RULES_STATUS_MIN: 1 if a copy is wanted */
    char status[MIRROR_RULES_STATUS_COUNT];
} mirror_rules_t;

/* ---- startup, or whenever settings are made ---- */

/* Set settings->rules to what follows from expr, sample_key and status, in `pool`. `trusted` are
 * settings of the administrator's: an expression that differs from theirs is a restricted one
 * (AP_EXPR_FLAG_RESTRICTED); NULL: the settings are the administrator's. Returns NULL, or what is
 * wrong. */
const char *mirror_rules_compile(mirror_settings_t *settings, const mirror_settings_t *trusted,
                                 apr_pool_t *pool, apr_pool_t *ptemp);

/* ---- request threads ---- */

/* Whether a copy is wanted of what the client was answered with `status`; 0: it was not answered.
 * */
int mirror_rules_status(const mirror_settings_t *settings, int status);

#endif
