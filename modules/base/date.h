/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/date.h - times in texts of clients and mirrors (any bytes, not ended by a NUL); times as UTC.
 */
#ifndef MIRROR_BASE_DATE_H
#define MIRROR_BASE_DATE_H

#include <apr_time.h>

/* ---- any thread ---- */

/* Read a date and time of RFC 3339 5.6 (a blank may stand for the T; up to 9 digits of a fraction),
 * or an HTTP date (RFC 9110 5.6.7), as microseconds since 1970. Returns 0 if `text` is neither:
 * then *time is unchanged. */
int mirror_date_read(apr_time_t *time, const char *text, apr_size_t len);

/* The same for a time of RFC 3339 alone. */
int mirror_date_read_rfc3339(apr_time_t *time, const char *text, apr_size_t len);

/* Convert a time from 1970 on to UTC: to year, month, day, hours, minutes, seconds and microseconds;
 * the other members are 0. apr_time_exp_gmt() is wrong after 2038 if time_t has 32 bits. */
void mirror_date_to_utc(apr_time_exp_t *parts, apr_time_t time);

#endif
