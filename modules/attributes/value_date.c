/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * attributes/value_date.c - the type date: a date and time of RFC 3339 5.6, with its offset.
 */
#include <apr_strings.h>
#include <string.h>

#include "attributes/value.h"
#include "base/date.h"

#define YEAR_10000 apr_time_from_sec(APR_INT64_C(253402300800))
#define REFUSED    "" /* see the rule's `allowed` */

static const char *date_read(void *variable, const mirror_value_rule_t *rule, const char *text,
                             apr_pool_t *pool)
{
    apr_time_t value;

    (void)rule;
    (void)pool;
    if (!mirror_date_read_rfc3339(&value, text, strlen(text))) {
        return REFUSED;
    }
    if (value <= 0) {
        return "it is not after 1970";
    }
    if (value >= YEAR_10000) {
        return "it is after 9999"; /* a year of five digits could not be read back */
    }
    *(apr_time_t *)variable = value;
    return NULL;
}

/* Print in UTC, with a fraction only if there is one. */
static const char *date_print(const void *variable, const mirror_value_rule_t *rule,
                              apr_pool_t *pool)
{
    apr_time_t value = *(const apr_time_t *)variable;
    apr_time_exp_t t;

    (void)rule;
    if (value == 0) {
        return NULL;
    }
    mirror_date_to_utc(&t, value);
    return apr_psprintf(
        pool, t.tm_usec ? "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ" : "%04d-%02d-%02dT%02d:%02d:%02dZ",
        t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, t.tm_usec);
}

const mirror_value_type_t mirror_value_date = { sizeof(apr_time_t), 0,    date_read, NULL,
                                                date_print,         NULL, NULL };
