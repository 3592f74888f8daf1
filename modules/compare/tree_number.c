/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/tree_number.c - JSON numbers by value, on their digits: no number is converted. See
 * compare/tree_state.h.
 *
 * The form of a number is its sign, the power of ten of its last digit that is not 0, and its digits
 * without 0s at either end: 1.50e3 is + 2 15. All zeros are one, whatever their sign.
 */
#include <string.h>

#include "base/ascii.h"
#include "compare/tree_state.h"

#define DIGITS_MAX   64
#define EXPONENT_MAX 1000000

typedef struct number_t {
    unsigned char digits[DIGITS_MAX];
    int count;
    apr_int64_t zeros;    /* 0s behind the digits so far, which count if another digit comes */
    apr_int64_t exponent; /* of the last digit, 0s included */
    int is_too_long;
} number_t;

static void put_digit(number_t *number, char digit)
{
    if (digit == '0') {
        number->zeros += number->count > 0;
        return;
    }
    if (number->is_too_long || number->count + number->zeros >= DIGITS_MAX) {
        number->is_too_long = 1;
        return;
    }
    memset(number->digits + number->count, '0', (size_t)number->zeros);
    number->count += (int)number->zeros;
    number->zeros = 0;
    number->digits[number->count++] = (unsigned char)digit;
}

/* Digits, of a fraction or not. Returns where they end. */
static const char *take_digits(number_t *number, const char *c, const char *end, int is_fraction)
{
    for (; c < end && mirror_ascii_is_digit(*c); c++) {
        put_digit(number, *c);
        number->exponent -= is_fraction;
    }
    return c;
}

/* What is behind the 'e'; a long one is cut at a value that is beyond all bounds. */
static apr_int64_t take_exponent(const char *c, const char *end)
{
    const apr_int64_t beyond = APR_INT64_C(1) << 40;
    int is_negative = c < end && *c == '-';
    apr_int64_t exponent = 0;

    for (c += c < end && (*c == '-' || *c == '+'); c < end && mirror_ascii_is_digit(*c); c++) {
        exponent = exponent < beyond ? 10 * exponent + (*c - '0') : beyond;
    }
    return is_negative ? -exponent : exponent;
}

apr_size_t mirror_tree_number_form(unsigned char *form, const char *text, apr_size_t len)
{
    number_t number = { { 0 }, 0, 0, 0, 0 };
    const char *c = text, *end = text + len;
    int is_negative = c < end && *c == '-';

    c = take_digits(&number, c + is_negative, end, 0);
    if (c < end && *c == '.') {
        c = take_digits(&number, c + 1, end, 1);
    }
    if (c < end && (*c == 'e' || *c == 'E')) {
        number.exponent += take_exponent(c + 1, end);
    }
    if (number.is_too_long) {
        return 0;
    }
    if (number.count == 0) {
        number.exponent = is_negative = 0;
    }
    number.exponent += number.zeros;
    if (number.exponent > EXPONENT_MAX || number.exponent < -EXPONENT_MAX) {
        return 0;
    }
    form[0] = is_negative ? '-' : '+';
    memcpy(form + 1, &number.exponent, 8);
    memcpy(form + 9, number.digits, (size_t)number.count);
    return 9 + (apr_size_t)number.count;
}

int mirror_tree_number_is_integer(const char *text, apr_size_t len)
{
    apr_size_t i;

    for (i = len > 0 && text[0] == '-'; i < len && mirror_ascii_is_digit(text[i]); i++) {
    }
    return i == len;
}
