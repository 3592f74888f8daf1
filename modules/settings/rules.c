/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * settings/rules.c - compiled forms of expr, sample_key and status. See settings/rules.h.
 */
#include <string.h>

#include <apr_strings.h>

#include "attributes/expr.h"
#include "attributes/value.h"
#include "settings/compare_rule.h"
#include "settings/rules.h"

static void read_statuses(mirror_rules_t *rules, const apr_array_header_t *list)
{
    int i, n;

    rules->has_status = list != NULL;
    for (i = 0; list && i < list->nelts; i++) {
        const char *text = APR_ARRAY_IDX(list, i, const char *);

        n = (text[0] - '0') * 100 - MIRROR_RULES_STATUS_MIN;
        if (text[1] == 'x') {
            memset(rules->status + n, 1, 100);
        }
        else {
            rules->status[n + (text[1] - '0') * 10 + (text[2] - '0')] = 1;
        }
    }
}

static const char *parse(const ap_expr_info_t **expr, const char *name, const char *allowed,
                         const char *text, unsigned flags, apr_pool_t *pool, apr_pool_t *ptemp)
{
    const char *why = text ? mirror_expr_parse(expr, text, flags, pool, ptemp) : NULL;

    return why ? apr_psprintf(pool, "%s: must be %s, got %s (%s)", name, allowed,
                              mirror_value_quote(text, pool), why)
               : NULL;
}

static unsigned restriction(const char *text, const mirror_settings_t *trusted,
                            const char *trusted_text)
{
    return !trusted || (text && trusted_text && !strcmp(text, trusted_text))
               ? 0
               : AP_EXPR_FLAG_RESTRICTED;
}

static const char *read_compare(mirror_rules_t *rules, const apr_array_header_t *texts,
                                apr_pool_t *pool)
{
    int i;

    if (!texts) {
        return NULL;
    }
    rules->compare = apr_array_make(pool, texts->nelts, sizeof(mirror_compare_rule_t *));
    for (i = 0; i < texts->nelts; i++) {
        const char *wrong =
            mirror_compare_rule_parse(&APR_ARRAY_PUSH(rules->compare, mirror_compare_rule_t *),
                                      APR_ARRAY_IDX(texts, i, const char *), pool);

        if (wrong) {
            return apr_pstrcat(pool, "compare_rules: ", wrong, NULL);
        }
    }
    return NULL;
}

const char *mirror_rules_compile(mirror_settings_t *settings, const mirror_settings_t *trusted,
                                 apr_pool_t *pool, apr_pool_t *ptemp)
{
    mirror_rules_t *rules;
    const char *wrong;

    settings->rules = NULL;
    if (!settings->expr && !settings->sample_key && !settings->status && !settings->compare_group &&
        !settings->compare_rules) {
        return NULL;
    }
    rules = apr_pcalloc(pool, sizeof(*rules));
    wrong =
        parse(&rules->expr, "expr", "an expression", settings->expr,
              restriction(settings->expr, trusted, trusted ? trusted->expr : NULL), pool, ptemp);
    if (!wrong) {
        wrong =
            parse(&rules->sample_key, "sample_key", "a string expression", settings->sample_key,
                  restriction(settings->sample_key, trusted, trusted ? trusted->sample_key : NULL) |
                      AP_EXPR_FLAG_STRING_RESULT,
                  pool, ptemp);
    }
    if (!wrong) {
        wrong = parse(
            &rules->compare_group, "compare_group", "a string expression", settings->compare_group,
            restriction(settings->compare_group, trusted, trusted ? trusted->compare_group : NULL) |
                AP_EXPR_FLAG_STRING_RESULT,
            pool, ptemp);
    }
    if (!wrong) {
        wrong = read_compare(rules, settings->compare_rules, pool);
    }
    if (!wrong) {
        read_statuses(rules, settings->status);
        settings->rules = rules;
    }
    return wrong;
}

int mirror_rules_status(const mirror_settings_t *settings, int status)
{
    int n = status - MIRROR_RULES_STATUS_MIN;

    if (!settings->rules || !settings->rules->has_status) {
        return 1;
    }
    return n >= 0 && n < MIRROR_RULES_STATUS_COUNT && settings->rules->status[n];
}
