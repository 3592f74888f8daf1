/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * settings/compare_rule_within.c - the action `within`: numbers and times that may differ by a
 * little. See settings/compare_rule.h.
 *
 * Numbers are decimal digits, added and subtracted as on paper: exact, and the same in any locale.
 */
#include <string.h>

#include "base/ascii.h"
#include "base/date.h"
#include "settings/compare_rule_state.h"

#define HALF   MIRROR_DECIMAL_HALF
#define DIGITS MIRROR_DECIMAL_DIGITS

#define NUMBER_MAX   256    /* bytes of a number */
#define EXPONENT_MAX 100000 /* beyond any place there is */
#define WHOLE_MAX    8      /* digits of a limit that is a time, before the point */
#define FRACTION_MAX 3      /* and after it */
/* Seconds since 1970 have fewer digits before the point, for 3,000 years; milliseconds have more. */
#define SECONDS_PLACES 11

/* ---- decimal numbers ---- */

/* Read "e-5" as -5; "" is 0. Returns 0 if it is something else. */
static int read_exponent(int *exponent, const char *text, apr_size_t len)
{
    int is_negative;

    *exponent = 0;
    if (len == 0) {
        return 1;
    }
    if (mirror_ascii_lower(*text) != 'e') {
        return 0;
    }
    text++, len--;
    is_negative = len > 0 && *text == '-';
    if (len > 0 && (*text == '-' || *text == '+')) {
        text++, len--;
    }
    if (len == 0 || mirror_ascii_count_digits(text, len) < len) {
        return 0;
    }
    for (; len > 0; text++, len--) {
        *exponent = *exponent > EXPONENT_MAX ? *exponent : *exponent * 10 + (*text - '0');
    }
    *exponent = is_negative ? -*exponent : *exponent;
    return 1;
}

/* Add the digits at `text`, the first of which is of 10^place. Returns 0 if one that is not 0 has no
 * room. */
static int place_digits(mirror_decimal_t *number, const char *text, apr_size_t len, int place)
{
    for (; len > 0; text++, len--, place--) {
        if (*text == '0') {
            continue;
        }
        if (place < -HALF || place >= HALF) {
            return 0;
        }
        number->digits[place + HALF] = (unsigned char)(*text - '0');
    }
    return 1;
}

/* Read a number as JSON has it (RFC 8259 6), with needless zeros allowed. Returns 0 if it is none,
 * or has digits where there is no room. */
static int read_decimal(mirror_decimal_t *number, const char *text, apr_size_t len)
{
    apr_size_t whole, fraction = 0, at;
    int exponent;

    memset(number, 0, sizeof(*number));
    if (len == 0 || len > NUMBER_MAX) {
        return 0;
    }
    number->is_negative = *text == '-';
    text += number->is_negative;
    len -= (apr_size_t)number->is_negative;
    at = whole = mirror_ascii_count_digits(text, len);
    if (at < len && text[at] == '.') {
        fraction = mirror_ascii_count_digits(text + at + 1, len - at - 1);
        at += 1 + fraction;
        if (fraction == 0) {
            return 0;
        }
    }
    return whole > 0 && read_exponent(&exponent, text + at, len - at) &&
           place_digits(number, text, whole, (int)whole - 1 + exponent) &&
           place_digits(number, text + at - fraction, fraction, exponent - 1);
}

/* As if neither had a sign: less than 0, 0, or more than 0. */
static int compare_digits(const mirror_decimal_t *a, const mirror_decimal_t *b)
{
    int i;

    for (i = DIGITS - 1; i > 0 && a->digits[i] == b->digits[i]; i--) {
    }
    return a->digits[i] - b->digits[i];
}

/* Set `sum` to |a| + |b|. Returns 0 if it has no room. */
static int add_digits(mirror_decimal_t *sum, const mirror_decimal_t *a, const mirror_decimal_t *b)
{
    int i, carry = 0;

    for (i = 0; i < DIGITS; i++) {
        carry += a->digits[i] + b->digits[i];
        sum->digits[i] = (unsigned char)(carry % 10);
        carry /= 10;
    }
    return carry == 0;
}

/* Set `rest` to |a| - |b|, of which |a| is not the lesser one. */
static void subtract_digits(mirror_decimal_t *rest, const mirror_decimal_t *a,
                            const mirror_decimal_t *b)
{
    int i, borrow = 0;

    for (i = 0; i < DIGITS; i++) {
        int digit = a->digits[i] - b->digits[i] - borrow;

        borrow = digit < 0;
        rest->digits[i] = (unsigned char)(digit + 10 * borrow);
    }
}

/* Whether |a - b| <= limit. */
static int is_near(const mirror_decimal_t *a, const mirror_decimal_t *b,
                   const mirror_decimal_t *limit)
{
    mirror_decimal_t distance = { 0, { 0 } };

    if (a->is_negative != b->is_negative) {
        return add_digits(&distance, a, b) && compare_digits(&distance, limit) <= 0;
    }
    if (compare_digits(a, b) < 0) {
        subtract_digits(&distance, b, a);
    }
    else {
        subtract_digits(&distance, a, b);
    }
    return compare_digits(&distance, limit) <= 0;
}

/* ---- the limit ---- */

static const struct {
    const char *name;
    apr_time_t length; /* microseconds */
} units[] = { { "ms", 1000 },
              { "s", APR_USEC_PER_SEC },
              { "min", 60 * (apr_time_t)APR_USEC_PER_SEC },
              { "h", 3600 * (apr_time_t)APR_USEC_PER_SEC } };

/* Set `number` to `time` microseconds in a unit of 10^places microseconds. */
static void set_decimal(mirror_decimal_t *number, apr_time_t time, int places)
{
    int i;

    memset(number, 0, sizeof(*number));
    for (i = HALF - places; time > 0; i++, time /= 10) {
        number->digits[i] = (unsigned char)(time % 10);
    }
}

/* `whole` and `fraction` digits, with a point between if there is a fraction, of a unit; as
 * microseconds. */
static apr_time_t as_time(const char *text, apr_size_t whole, apr_size_t fraction, apr_time_t unit)
{
    apr_time_t time = 0, part = unit;
    apr_size_t i;

    for (i = 0; i < whole; i++) {
        time = time * 10 + (text[i] - '0');
    }
    time *= unit;
    for (i = 0; i < fraction; i++) {
        part /= 10;
        time += (text[whole + 1 + i] - '0') * part;
    }
    return time;
}

int mirror_compare_rule_within_read(mirror_within_t *within, const char *text)
{
    apr_size_t len = strlen(text), whole = mirror_ascii_count_digits(text, len), fraction = 0,
               at = whole, i;

    memset(within, 0, sizeof(*within));
    if (at < len && text[at] == '.') {
        fraction = mirror_ascii_count_digits(text + at + 1, len - at - 1);
        at += 1 + fraction;
    }
    if (at == len) {
        return read_decimal(&within->number, text, len);
    }
    for (i = 0; i < sizeof(units) / sizeof(*units); i++) {
        if (!strcmp(text + at, units[i].name)) {
            break;
        }
    }
    if (i == sizeof(units) / sizeof(*units) || whole == 0 || whole > WHOLE_MAX ||
        fraction > FRACTION_MAX || text[at - 1] == '.') {
        return 0;
    }
    within->is_time = 1;
    within->time = as_time(text, whole, fraction, units[i].length);
    set_decimal(&within->number, within->time, 6);
    set_decimal(&within->milliseconds, within->time, 3);
    return 1;
}

/* ---- values ---- */

/* Whether it is milliseconds since 1970, and not seconds. */
static int is_milliseconds(const mirror_decimal_t *number)
{
    int i;

    for (i = HALF + SECONDS_PLACES; i < DIGITS && number->digits[i] == 0; i++) {
    }
    return i < DIGITS;
}

static int are_dates_near(int *are_dates, const mirror_within_t *within, const char *a,
                          apr_size_t a_len, const char *b, apr_size_t b_len)
{
    apr_time_t first, second;

    *are_dates = mirror_date_read(&first, a, a_len) && mirror_date_read(&second, b, b_len);
    if (!*are_dates) {
        return 0;
    }
    return (first > second ? first - second : second - first) <= within->time;
}

int mirror_compare_rule_within_matches(const mirror_within_t *within, const char *a,
                                       apr_size_t a_len, const char *b, apr_size_t b_len)
{
    mirror_decimal_t first, second;
    int are_dates = 0, is_ms;

    if (within->is_time) {
        int near = are_dates_near(&are_dates, within, a, a_len, b, b_len);

        if (are_dates) {
            return near;
        }
    }
    if (!read_decimal(&first, a, a_len) || !read_decimal(&second, b, b_len)) {
        return 0;
    }
    if (!within->is_time) {
        return is_near(&first, &second, &within->number);
    }
    is_ms = is_milliseconds(&first);
    return is_ms == is_milliseconds(&second) &&
           is_near(&first, &second, is_ms ? &within->milliseconds : &within->number);
}
