/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/date.c - see base/date.h.
 */
#include <string.h>

#include <apr_date.h>

#include "base/ascii.h"
#include "base/date.h"

/* The longest HTTP date is "Wednesday, 09-Nov-94 08:49:37 GMT". */
#define HTTP_MAX 40

/* "YYYY-MM-DDThh:mm:ss" */
#define SECONDS_LEN 19

#define DAYS_OF_400_YEARS 146097

/* Read `n` digits; -1: there are other bytes. */
static int digits(const char *text, int n)
{
    int value = 0;

    for (; n > 0; n--, text++) {
        if (!mirror_ascii_is_digit(*text)) {
            return -1;
        }
        value = value * 10 + (*text - '0');
    }
    return value;
}

static int is_between(int value, int min, int max)
{
    return value >= min && value <= max;
}

static int days_in(int year, int month)
{
    static const char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    return days[month - 1] + (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
}

/* Read date and time without fraction and offset. */
static int read_seconds(apr_time_exp_t *parts, const char *text)
{
    int year = digits(text, 4), month = digits(text + 5, 2);

    memset(parts, 0, sizeof(*parts));
    parts->tm_mday = digits(text + 8, 2);
    parts->tm_hour = digits(text + 11, 2);
    parts->tm_min = digits(text + 14, 2);
    parts->tm_sec = digits(text + 17, 2);
    if (text[4] != '-' || text[7] != '-' || !strchr("Tt ", text[10]) || !text[10] ||
        text[13] != ':' || text[16] != ':' || year < 0 || !is_between(month, 1, 12)) {
        return 0;
    }
    parts->tm_year = year - 1900;
    parts->tm_mon = month - 1;
    return is_between(parts->tm_mday, 1, days_in(year, month)) &&
           is_between(parts->tm_hour, 0, 23) && is_between(parts->tm_min, 0, 59) &&
           is_between(parts->tm_sec, 0, 60);
}

/* Read the fraction at text[*at], if there is one, and move behind it. */
static int read_fraction(apr_int32_t *usec, const char *text, apr_size_t len, apr_size_t *at)
{
    apr_size_t start = *at + 1;
    apr_int32_t unit = 100000;

    *usec = 0;
    if (*at == len || text[*at] != '.') {
        return 1;
    }
    for (*at = start; *at < len && mirror_ascii_is_digit(text[*at]); (*at)++, unit /= 10) {
        *usec += (text[*at] - '0') * unit; /* what is below a microsecond adds 0 */
    }
    return *at > start && *at - start <= 9;
}

/* Read "Z" or "+hh:mm", which must be all of `text`. */
static int read_offset(apr_int32_t *seconds, const char *text, apr_size_t len)
{
    int hours, minutes;

    *seconds = 0;
    if (len == 1) {
        return *text == 'Z' || *text == 'z';
    }
    if (len != 6 || (*text != '+' && *text != '-') || text[3] != ':') {
        return 0;
    }
    hours = digits(text + 1, 2);
    minutes = digits(text + 4, 2);
    *seconds = (hours * 60 + minutes) * 60 * (*text == '-' ? -1 : 1);
    return is_between(hours, 0, 23) && is_between(minutes, 0, 59);
}

int mirror_date_read_rfc3339(apr_time_t *time, const char *text, apr_size_t len)
{
    apr_time_exp_t parts;
    apr_size_t at = SECONDS_LEN;
    apr_time_t seconds;
    apr_int32_t usec, offset;

    if (len <= SECONDS_LEN || !read_seconds(&parts, text) ||
        !read_fraction(&usec, text, len, &at) || !read_offset(&offset, text + at, len - at) ||
        apr_time_exp_get(&seconds, &parts) != APR_SUCCESS) {
        return 0;
    }
    *time = seconds + usec - apr_time_from_sec(offset);
    return 1;
}

int mirror_date_read(apr_time_t *time, const char *text, apr_size_t len)
{
    char ended[HTTP_MAX + 1];
    apr_time_t value;

    if (mirror_date_read_rfc3339(time, text, len)) {
        return 1;
    }
    if (len == 0 || len > HTTP_MAX || memchr(text, '\0', len)) {
        return 0;
    }
    memcpy(ended, text, len);
    ended[len] = '\0';
    value = apr_date_parse_http(ended);
    if (value == APR_DATE_BAD) {
        return 0;
    }
    *time = value;
    return 1;
}

/* ---- printing ---- */

void mirror_date_to_utc(apr_time_exp_t *parts, apr_time_t time)
{
    apr_int64_t seconds = apr_time_sec(time), days = seconds / 86400;
    int of_day = (int)(seconds % 86400), year = 1970, month = 1, length;

    memset(parts, 0, sizeof(*parts));
    parts->tm_usec = (apr_int32_t)apr_time_usec(time);
    parts->tm_hour = of_day / 3600;
    parts->tm_min = of_day / 60 % 60;
    parts->tm_sec = of_day % 60;
    year += 400 * (int)(days / DAYS_OF_400_YEARS);
    for (days %= DAYS_OF_400_YEARS; (length = 337 + days_in(year, 2)) <= days; days -= length) {
        year++;
    }
    for (; (length = days_in(year, month)) <= days; days -= length) {
        month++;
    }
    parts->tm_year = year - 1900;
    parts->tm_mon = month - 1;
    parts->tm_mday = (int)days + 1;
}
