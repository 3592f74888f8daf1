/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/name.h - names, path segments and values that look like ids or times.
 *
 * Sans I/O; everything comes from clients and mirrors, any bytes, not ended by a NUL.
 */
#ifndef MIRROR_COMPARE_NAME_H
#define MIRROR_COMPARE_NAME_H

#include <apr.h>
#include <apr_time.h>

/* The longest group. */
#define MIRROR_GROUP_MAX 120

/* Shapes of values that differ by nature. */
typedef enum {
    MIRROR_SHAPE_NONE,
    MIRROR_SHAPE_UUID,   /* RFC 9562 4, any version; also in braces or with urn:uuid: */
    MIRROR_SHAPE_ULID,   /* 26 characters of Crockford's base 32 */
    MIRROR_SHAPE_HEX,    /* 16 or more hexadecimal digits, with at least one letter or 32 digits */
    MIRROR_SHAPE_BASE64, /* 20 or more characters of base64 or base64url, mixed case and digits */
    MIRROR_SHAPE_JWT,    /* three base64url parts with dots (RFC 7519), two begin with "ey" */
    /* RFC 3339, an HTTP date (RFC 9110 5.6.7), or an integer that is seconds or milliseconds since
     * 1970; all within 5 minutes of `now` */
    MIRROR_SHAPE_TIME
} mirror_shape_e;

/* ---- any thread ---- */

/* Whether a segment of a path, or the name of a member, looks like an id or may be personal: all
 * digits, a UUID, 16 or more hexadecimal digits, a date (2026-11-27, 20261127), more than 64 bytes,
 * or with '@' or '/' in it; also one that is no UTF-8, or has characters that control a terminal or
 * the direction of text. So what is left may be printed as it is. */
int mirror_name_is_id(const char *name, apr_size_t len);

/* Write the default group of a request, "METHOD path", to `group` (MIRROR_GROUP_MAX + 1 bytes): the
 * path without query, its segments that look like ids, and parameters, as '*', at most 8 segments and then "**"; the
 * middle is cut if it is too long. Bytes that are no UTF-8 and control characters become '?'. Path
 * segments are percent-decoded for the test only. */
void mirror_name_group(char *group, const char *method, apr_size_t method_len, const char *path,
                       apr_size_t path_len);

/* Copy a path to `to`, at most `max` bytes and a NUL, with ";*" for the parameters of each segment: they may
 * be the id of a session. */
void mirror_name_path(char *to, apr_size_t max, const char *path, apr_size_t len);

/* The same end for a text that compare_group has given: cut, and inert. */
void mirror_name_cut(char *group, const char *text, apr_size_t len);

/* The shape of a value. `now` is apr_time_now()'s. */
mirror_shape_e mirror_name_shape(const char *value, apr_size_t len, apr_time_t now);

/* Whether two different values have the same volatile shape; of MIRROR_SHAPE_BASE64 they must differ
 * in at least half of their bytes. If so, marks[] has the hashes of `a` and `b`, which tell whether the
 * values of further responses are others. */
int mirror_name_are_volatile(apr_uint64_t marks[2], const char *a, apr_size_t a_len, const char *b,
                             apr_size_t b_len, apr_time_t now);

#endif
