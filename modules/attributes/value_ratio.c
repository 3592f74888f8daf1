/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * attributes/value_ratio.c - the type ratio: 0 to 1, in billionths.
 *
 * In a directive a ratio is a decimal number, optionally with a percent sign; in JSON it is a
 * number. The parser reads digit by digit, because the C library's functions depend on the locale
 * and accept words such as "inf".
 */
#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "attributes/value.h"

#define REFUSED  "" /* see the rule's `allowed` */
#define DECIMALS 9  /* 1 is 10^9 */
#define EXPONENT 99 /* maximum; beyond it, any value but 0 is too large or too small */

typedef struct decimal_t {
    apr_int64_t digits; /* the first 18 significant ones */
    int exponent;       /* the number is digits * 10^exponent */
} decimal_t;

/* Parse digits with an optional point, and advance *text. Returns 0 if there are no digits. */
static int read_decimal(decimal_t *number, const char **text)
{
    int any = 0, point = 0;

    number->digits = 0;
    number->exponent = 0;
    for (;; (*text)++) {
        if (**text == '.' && !point) {
            point = 1;
            continue;
        }
        if (!apr_isdigit(**text)) {
            return any;
        }
        any = 1;
        if (number->digits < APR_INT64_C(100000000000000000)) {
            number->digits = number->digits * 10 + (**text - '0');
            number->exponent -= point;
        }
        else {
            number->exponent += !point;
        }
    }
}

/* Parse an exponent as in JSON: "e-7". */
static int read_exponent(decimal_t *number, const char **text)
{
    int negative, value = 0;

    if ((**text | 0x20) != 'e') {
        return 1;
    }
    (*text)++;
    negative = **text == '-';
    *text += negative || **text == '+';
    if (!apr_isdigit(**text)) {
        return 0;
    }
    for (; apr_isdigit(**text); (*text)++) {
        value = value > EXPONENT ? value : value * 10 + (**text - '0');
    }
    number->exponent += negative ? -value : value;
    return 1;
}

/* Store the ratio in billionths, rounded. Returns NULL, or the reason of a rejection. */
static const char *finish(void *variable, const mirror_value_rule_t *rule, const decimal_t *number)
{
    apr_int64_t value = number->digits, half = 0;
    int exponent = number->exponent + DECIMALS;

    for (; value && exponent > 0; exponent--) {
        if (value > rule->max) {
            return REFUSED;
        }
        value *= 10;
    }
    for (; value && exponent < 0; exponent++) {
        half = value % 10;
        value /= 10;
    }
    value += half >= 5;
    if (value > rule->max || value < rule->min) {
        return REFUSED;
    }
    if (!value && number->digits) {
        return "it is not 0 but rounds to 0";
    }
    *(apr_int64_t *)variable = value;
    return NULL;
}

static const char *ratio_read(void *variable, const mirror_value_rule_t *rule, const char *text,
                              apr_pool_t *pool)
{
    decimal_t number;

    (void)pool;
    if (!read_decimal(&number, &text)) {
        return REFUSED;
    }
    if (*text == '%') {
        number.exponent -= 2;
        text++;
    }
    return *text ? REFUSED : finish(variable, rule, &number);
}

static const char *ratio_read_json(void *variable, const mirror_value_rule_t *rule, yajl_val json,
                                   apr_pool_t *pool)
{
    const char *text = YAJL_IS_NUMBER(json) ? YAJL_GET_NUMBER(json) : "";
    decimal_t number;

    (void)pool;
    if (!read_decimal(&number, &text) || !read_exponent(&number, &text) || *text) {
        return REFUSED;
    }
    return finish(variable, rule, &number);
}

/* Print the shortest decimal number: 1, 0.5, 0.000000001. */
static const char *print(char *text, apr_size_t size, apr_int64_t value)
{
    int len =
        apr_snprintf(text, size, "%d.%09d", (int)(value / 1000000000), (int)(value % 1000000000));

    while (text[len - 1] == '0') {
        len--;
    }
    text[text[len - 1] == '.' ? len - 1 : len] = '\0';
    return text;
}

static const char *ratio_print(const void *variable, const mirror_value_rule_t *rule,
                               apr_pool_t *pool)
{
    char text[24];

    (void)rule;
    return apr_pstrdup(pool, print(text, sizeof(text), *(const apr_int64_t *)variable));
}

static void ratio_print_json(yajl_gen json, const void *variable, const mirror_value_rule_t *rule)
{
    char text[24];

    (void)rule;
    print(text, sizeof(text), *(const apr_int64_t *)variable);
    yajl_gen_number(json, text, strlen(text));
}

const mirror_value_type_t mirror_value_ratio = {
    sizeof(apr_int64_t), 1, ratio_read, ratio_read_json, ratio_print, ratio_print_json, NULL
};
