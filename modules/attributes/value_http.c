/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * attributes/value_http.c - values of HTTP's syntax: methods, statuses, paths and Host headers.
 */
#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "attributes/value.h"
#include "base/mirror.h"

#define REFUSED "" /* see the rule's `allowed` */

const char *mirror_value_refuse_method(const char *text)
{
    const char *p;

    if (!strcmp(text, "CONNECT") || !strcmp(text, "TRACE")) {
        return "CONNECT and TRACE are never copied";
    }
    for (p = text; apr_isalnum(*p) || (*p && strchr("!#$%&'*+-.^_`|~", *p)); p++) {
        if (apr_islower(*p)) {
            return "methods are case-sensitive";
        }
    }
    return *p || p == text ? REFUSED : NULL;
}

const char *mirror_value_refuse_status(const char *text)
{
    if (strlen(text) != 3 || *text < '2' || *text > '5') {
        return REFUSED;
    }
    return !strcmp(text + 1, "xx") || (apr_isdigit(text[1]) && apr_isdigit(text[2])) ? NULL
                                                                                     : REFUSED;
}

const char *mirror_value_refuse_path(const char *text)
{
    if (*text != '/') {
        return REFUSED;
    }
    switch (text[strcspn(text, "?#")]) {
    case '?':
        return "it has a query";
    case '#':
        return "it has a fragment";
    default:
        return NULL;
    }
}

/* ---- host: one of the rule's words, or a valid Host header (RFC 9110 7.2) ---- */

static const char *host_read(void *variable, const mirror_value_rule_t *rule, const char *text,
                             apr_pool_t *pool)
{
    mirror_target_t target;
    const char *why;
    int i;

    for (i = 0; rule->choices[i]; i++) {
        if (!strcmp(text, rule->choices[i])) {
            *(const char **)variable = rule->choices[i];
            return NULL;
        }
    }
    why = mirror_value_target.read(&target, rule, apr_pstrcat(pool, "http://", text, NULL), pool);
    if (!why) {
        *(const char **)variable = apr_pstrdup(pool, text);
    }
    return why;
}

static const char *host_print(const void *variable, const mirror_value_rule_t *rule,
                              apr_pool_t *pool)
{
    (void)rule;
    (void)pool;
    return *(const char *const *)variable;
}

const mirror_value_type_t mirror_value_host = { sizeof(const char *), 0,    host_read, NULL,
                                                host_print,           NULL, NULL };
