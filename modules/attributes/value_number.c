/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * attributes/value_number.c - the types number, size and time. See attributes/value.h.
 */
#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_time.h>
#include <string.h>

#include "base/utf8.h"
#include "attributes/value.h"

#define REFUSED "" /* see the rule's `allowed` */

static int is_within(apr_int64_t value, const mirror_value_rule_t *rule)
{
    return value >= rule->min && value <= rule->max;
}

/* Parse the digits at *text, one or more, and advance *text. Returns 0 if there are no digits or
 * too many. */
static int read_digits(apr_int64_t *value, const char **text)
{
    const char *p = *text;
    apr_int64_t sum = 0;

    if (!apr_isdigit(*p)) {
        return 0;
    }
    for (; apr_isdigit(*p); p++) {
        if (sum > (APR_INT64_MAX - (*p - '0')) / 10) {
            return 0;
        }
        sum = sum * 10 + (*p - '0');
    }
    *value = sum;
    *text = p;
    return 1;
}

/* ---- number ---- */

static const char *number_read(void *variable, const mirror_value_rule_t *rule, const char *text,
                               apr_pool_t *pool)
{
    int negative = *text == '-';
    apr_int64_t value;

    (void)pool;
    text += negative;
    if (!read_digits(&value, &text) || *text || !is_within(negative ? -value : value, rule)) {
        return REFUSED;
    }
    *(apr_int64_t *)variable = negative ? -value : value;
    return NULL;
}

static const char *number_read_json(void *variable, const mirror_value_rule_t *rule, yajl_val json,
                                    apr_pool_t *pool)
{
    return YAJL_IS_NUMBER(json) ? number_read(variable, rule, YAJL_GET_NUMBER(json), pool)
                                : REFUSED;
}

static const char *number_print(const void *variable, const mirror_value_rule_t *rule,
                                apr_pool_t *pool)
{
    (void)rule;
    return apr_psprintf(pool, "%" APR_INT64_T_FMT, *(const apr_int64_t *)variable);
}

static void number_print_json(yajl_gen json, const void *variable, const mirror_value_rule_t *rule)
{
    (void)rule;
    yajl_gen_integer(json, *(const apr_int64_t *)variable);
}

const mirror_value_type_t mirror_value_number = {
    sizeof(apr_int64_t), 1, number_read, number_read_json, number_print, number_print_json, NULL
};

/* ---- size ---- */

static const char size_units[] = "KMG"; /* each unit is 1024 times the previous one */

static const char *size_read(void *variable, const mirror_value_rule_t *rule, const char *text,
                             apr_pool_t *pool)
{
    const char *unit;
    apr_int64_t value;
    int shift = 0;

    (void)pool;
    if (!read_digits(&value, &text)) {
        return REFUSED;
    }
    if (*text) {
        unit = strchr(size_units, *text++);
        if (!unit || *text) {
            return REFUSED;
        }
        shift = 10 * ((int)(unit - size_units) + 1);
    }
    if (value > APR_INT64_MAX >> shift || !is_within(value << shift, rule)) {
        return REFUSED;
    }
    *(apr_int64_t *)variable = value << shift;
    return NULL;
}

static const char *size_print(const void *variable, const mirror_value_rule_t *rule,
                              apr_pool_t *pool)
{
    apr_int64_t value = *(const apr_int64_t *)variable;
    int unit = 0;

    (void)rule;
    while (value && value % 1024 == 0 && size_units[unit]) {
        value /= 1024;
        unit++;
    }
    return apr_psprintf(pool, "%" APR_INT64_T_FMT "%.*s", value, unit != 0,
                        size_units + (unit ? unit - 1 : 0));
}

const mirror_value_type_t mirror_value_size = { sizeof(apr_int64_t), 0,    size_read, NULL,
                                                size_print,          NULL, NULL };

/* ---- time ---- */

#define MILLISECOND 1000

static const struct {
    const char *name;
    apr_int64_t length; /* microseconds */
} time_units[] = { { "", APR_USEC_PER_SEC },
                   { "ms", MILLISECOND },
                   { "s", APR_USEC_PER_SEC },
                   { "min", 60 * (apr_int64_t)APR_USEC_PER_SEC },
                   { "h", 3600 * (apr_int64_t)APR_USEC_PER_SEC } };

/* Parse an optional ".25" at *text as 25 of 100. */
static int read_fraction(apr_int64_t *fraction, apr_int64_t *of, const char **text)
{
    const char *start = *text + 1;

    *fraction = 0;
    *of = 1;
    if (**text != '.') {
        return 1;
    }
    *text = start;
    if (!read_digits(fraction, text) || *text - start > 9) { /* prevents an overflow with hours */
        return 0;
    }
    while (start++ < *text) {
        *of *= 10;
    }
    return 1;
}

static const char *time_read(void *variable, const mirror_value_rule_t *rule, const char *text,
                             apr_pool_t *pool)
{
    apr_int64_t whole, fraction, of, unit = 0;
    apr_size_t i;

    (void)pool;
    if (!read_digits(&whole, &text) || !read_fraction(&fraction, &of, &text)) {
        return REFUSED;
    }
    for (i = 0; i < sizeof(time_units) / sizeof(*time_units); i++) {
        if (!strcmp(text, time_units[i].name)) {
            unit = time_units[i].length;
        }
    }
    if (!unit || whole >= APR_INT64_MAX / unit) {
        return REFUSED;
    }
    if (fraction * unit % of || fraction * unit / of % MILLISECOND) {
        return "it is not a whole number of milliseconds";
    }
    whole = whole * unit + fraction * unit / of;
    if (!is_within(whole, rule)) {
        return REFUSED;
    }
    *(apr_interval_time_t *)variable = whole;
    return NULL;
}

static const char *time_print(const void *variable, const mirror_value_rule_t *rule,
                              apr_pool_t *pool)
{
    apr_int64_t value = *(const apr_interval_time_t *)variable;

    (void)rule;
    return value % APR_USEC_PER_SEC
               ? apr_psprintf(pool, "%" APR_INT64_T_FMT "ms", value / MILLISECOND)
               : apr_psprintf(pool, "%" APR_INT64_T_FMT "s", value / APR_USEC_PER_SEC);
}

const mirror_value_type_t mirror_value_time = {
    sizeof(apr_interval_time_t), 0, time_read, NULL, time_print, NULL, NULL
};
