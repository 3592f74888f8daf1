/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/name.c - see compare/name.h.
 */
#include <string.h>

#include "base/ascii.h"
#include "base/date.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "compare/name.h"

#define NAME_MAX_LEN 64
#define METHOD_MAX   40
#define SEGMENTS_MAX 8
#define UUID_LEN     36
#define ULID_LEN     26
#define DATE_LEN     10
#define HEX_MIN      16
#define HEX_DIGITS   32 /* so many digits without a letter are no number */
#define BASE64_MIN   20
#define JWT_MIN      20
#define NEAR         apr_time_from_sec(5 * 60)
#define CUT          "..."

/* ---- characters ---- */

static int is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static int is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static int is_hex_digit(char c)
{
    return mirror_ascii_hex_digit(c) >= 0;
}

static int is_base64url_char(char c)
{
    return is_lower(c) || is_upper(c) || mirror_ascii_is_digit(c) || c == '-' || c == '_';
}

/* Return how many bytes at the beginning are of one class. */
static apr_size_t count_while(int (*is)(char c), const char *text, apr_size_t len)
{
    apr_size_t n = 0;

    while (n < len && is(text[n])) {
        n++;
    }
    return n;
}

static apr_size_t count_hex(const char *text, apr_size_t len)
{
    return count_while(is_hex_digit, text, len);
}

static apr_size_t count_base64url(const char *text, apr_size_t len)
{
    return count_while(is_base64url_char, text, len);
}

/* The bytes of the character at `text`, of which there is at least one byte. *inert is 0 if it must
 * not be printed. */
static apr_size_t next_character(int *inert, const char *text, apr_size_t len)
{
    const unsigned char *c = (const unsigned char *)text;
    apr_size_t n = mirror_utf8_length(c, len);

    *inert = n > 0 && c[0] && !mirror_utf8_control(c, n);
    return n > 0 ? n : 1;
}

static int is_inert(const char *text, apr_size_t len)
{
    apr_size_t at = 0;
    int inert = 1;

    while (inert && at < len) {
        at += next_character(&inert, text + at, len - at);
    }
    return inert;
}

/* ---- ids ---- */

static int is_uuid(const char *text, apr_size_t len)
{
    apr_size_t i;

    if (len != UUID_LEN) {
        return 0;
    }
    for (i = 0; i < UUID_LEN; i++) {
        int dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? text[i] != '-' : mirror_ascii_hex_digit(text[i]) < 0) {
            return 0;
        }
    }
    return 1;
}

/* YYYY-MM-DD */
static int is_date(const char *text, apr_size_t len)
{
    return len == DATE_LEN && mirror_ascii_count_digits(text, 4) == 4 && text[4] == '-' &&
           mirror_ascii_count_digits(text + 5, 2) == 2 && text[7] == '-' &&
           mirror_ascii_count_digits(text + 8, 2) == 2 && text[5] <= '1' && text[8] <= '3';
}

int mirror_name_is_id(const char *name, apr_size_t len)
{
    if (len == 0) {
        return 0;
    }
    return len > NAME_MAX_LEN || mirror_ascii_count_digits(name, len) == len ||
           is_uuid(name, len) || (len >= HEX_MIN && count_hex(name, len) == len) ||
           is_date(name, len) || memchr(name, '@', len) || memchr(name, '/', len) ||
           !is_inert(name, len);
}

/* ---- groups ---- */

/* Append what is inert of `text`, '?' for each other character. Returns the new end. */
static char *append_inert(char *to, const char *text, apr_size_t len)
{
    apr_size_t at, n;
    int inert;

    for (at = 0; at < len; at += n) {
        n = next_character(&inert, text + at, len - at);
        if (inert) {
            memcpy(to, text + at, n);
            to += n;
        }
        else {
            *to++ = '?';
        }
    }
    return to;
}

static int is_inside_character(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

void mirror_name_cut(char *group, const char *text, apr_size_t len)
{
    const apr_size_t room = MIRROR_GROUP_MAX - (sizeof(CUT) - 1);
    apr_size_t head = room / 2, tail = len - (room - head);
    int i;

    if (len <= MIRROR_GROUP_MAX) {
        *append_inert(group, text, len) = '\0';
        return;
    }
    for (i = 0; i < 3 && is_inside_character(text[head]); i++) {
        head--;
    }
    for (i = 0; i < 3 && is_inside_character(text[tail]); i++) {
        tail++;
    }
    group = append_inert(group, text, head);
    memcpy(group, CUT, sizeof(CUT) - 1);
    *append_inert(group + sizeof(CUT) - 1, text + tail, len - tail) = '\0';
}

/* The segment as it is meant: %XX decoded, anything else as it is. `to` has room for `len` bytes. */
static apr_size_t percent_decode(char *to, const char *text, apr_size_t len)
{
    apr_size_t at, n = 0;

    for (at = 0; at < len; at++) {
        if (text[at] == '%' && len - at > 2 && count_hex(text + at + 1, 2) == 2) {
            to[n++] = (char)(mirror_ascii_hex_digit(text[at + 1]) * 16 +
                             mirror_ascii_hex_digit(text[at + 2]));
            at += 2;
        }
        else {
            to[n++] = text[at];
        }
    }
    return n;
}

static int is_id_segment(const char *segment, apr_size_t len)
{
    char decoded[NAME_MAX_LEN * 3];

    if (len > sizeof(decoded)) {
        return 1;
    }
    return mirror_name_is_id(decoded, percent_decode(decoded, segment, len));
}

static int is_segment_end(char c)
{
    return c == '/' || c == '?' || c == '#';
}

/* Bytes of the parameters at `at` (RFC 3986 3.3), such as ";jsessionid=7", up to the end of the segment; 0:
 * there are none. */
static apr_size_t parameters_length(const char *path, apr_size_t len, apr_size_t at)
{
    apr_size_t end = at;

    while (end < len && path[at] == ';' && !is_segment_end(path[end])) {
        end++;
    }
    return end - at;
}

void mirror_name_path(char *to, apr_size_t max, const char *path, apr_size_t len)
{
    apr_size_t at = 0, n = 0, skipped;

    while (at < len && n < max) {
        to[n++] = path[at];
        skipped = parameters_length(path, len, at);
        if (skipped > 0 && n < max) {
            to[n++] = '*';
        }
        at += skipped > 0 ? skipped : 1;
    }
    to[n] = '\0';
}

void mirror_name_group(char *group, const char *method, apr_size_t method_len, const char *path,
                       apr_size_t path_len)
{
    char text[METHOD_MAX + 1 + SEGMENTS_MAX * (3 + NAME_MAX_LEN * 3) + sizeof("/**")];
    apr_size_t n = method_len < METHOD_MAX ? method_len : METHOD_MAX, at = 0, end;
    int segments = 0;

    memcpy(text, method, n);
    text[n++] = ' ';
    while (at < path_len && path[at] != '?' && path[at] != '#') {
        if (path[at] == '/') {
            text[n++] = '/';
            at++;
        }
        if (segments++ == SEGMENTS_MAX) {
            text[n++] = '*';
            text[n++] = '*';
            break;
        }
        for (end = at; end < path_len && !is_segment_end(path[end]) && path[end] != ';'; end++) {
        }
        if (is_id_segment(path + at, end - at)) {
            text[n++] = '*';
        }
        else {
            memcpy(text + n, path + at, end - at);
            n += end - at;
        }
        at = end + parameters_length(path, path_len, end);
        if (at > end) {
            text[n++] = ';';
            text[n++] = '*';
        }
    }
    mirror_name_cut(group, text, n);
}

/* ---- shapes ---- */

/* A UUID, also in braces or with urn:uuid: before it. */
static int is_uuid_text(const char *value, apr_size_t len)
{
    static const char urn[] = "urn:uuid:";
    apr_size_t i;

    if (len == UUID_LEN + 2 && value[0] == '{' && value[len - 1] == '}') {
        return is_uuid(value + 1, len - 2);
    }
    if (len == UUID_LEN + sizeof(urn) - 1) {
        for (i = 0; i < sizeof(urn) - 1; i++) {
            if (mirror_ascii_lower(value[i]) != urn[i]) {
                return 0;
            }
        }
        return is_uuid(value + i, len - i);
    }
    return is_uuid(value, len);
}

static int is_ulid(const char *value, apr_size_t len)
{
    apr_size_t i;

    if (len != ULID_LEN || value[0] < '0' || value[0] > '7') {
        return 0;
    }
    for (i = 0; i < len; i++) {
        char c = mirror_ascii_lower(value[i]);

        if (!mirror_ascii_is_digit(c) && (!is_lower(c) || strchr("ilou", c))) {
            return 0;
        }
    }
    return 1;
}

static int is_hex(const char *value, apr_size_t len)
{
    return len >= HEX_MIN && count_hex(value, len) == len &&
           (len >= HEX_DIGITS || mirror_ascii_count_digits(value, len) < len);
}

/* Header and claims are JSON objects, so their base64url begins with "ey". The signature may be
 * empty. */
static int is_jwt(const char *value, apr_size_t len)
{
    apr_size_t head, claims;

    if (len < JWT_MIN || value[0] != 'e' || value[1] != 'y') {
        return 0;
    }
    head = count_base64url(value, len);
    if (len - head < 4 || memcmp(value + head, ".ey", 3)) {
        return 0;
    }
    claims = head + 1 + count_base64url(value + head + 1, len - head - 1);
    return claims < len && value[claims] == '.' &&
           count_base64url(value + claims + 1, len - claims - 1) == len - claims - 1;
}

static int is_base64(const char *value, apr_size_t len)
{
    int lower = 0, upper = 0, digit = 0, plain = 0, url = 0;
    apr_size_t i, end = len;

    if (len < BASE64_MIN) {
        return 0;
    }
    while (len - end < 2 && value[end - 1] == '=') {
        end--;
    }
    for (i = 0; i < end; i++) {
        char c = value[i];

        lower |= is_lower(c);
        upper |= is_upper(c);
        digit |= mirror_ascii_is_digit(c);
        plain |= c == '+' || c == '/';
        url |= c == '-' || c == '_';
        if (c != '+' && c != '/' && !is_base64url_char(c)) {
            return 0;
        }
    }
    return lower && upper && digit && !(plain && url);
}

static int is_near(apr_time_t time, apr_time_t now)
{
    return time >= now - NEAR && time <= now + NEAR;
}

/* Seconds or milliseconds since 1970. */
static int is_number_time(const char *value, apr_size_t len, apr_time_t now)
{
    apr_int64_t number = 0;
    apr_size_t i;

    if (len == 0 || len > 15 || mirror_ascii_count_digits(value, len) < len) {
        return 0;
    }
    for (i = 0; i < len; i++) {
        number = number * 10 + (value[i] - '0');
    }
    return (number <= APR_INT64_MAX / APR_USEC_PER_SEC &&
            is_near(apr_time_from_sec(number), now)) ||
           is_near(number * 1000, now);
}

static int is_time(const char *value, apr_size_t len, apr_time_t now)
{
    apr_time_t time;

    return is_number_time(value, len, now) ||
           (mirror_date_read(&time, value, len) && is_near(time, now));
}

mirror_shape_e mirror_name_shape(const char *value, apr_size_t len, apr_time_t now)
{
    return is_time(value, len, now)   ? MIRROR_SHAPE_TIME
           : is_uuid_text(value, len) ? MIRROR_SHAPE_UUID
           : is_ulid(value, len)      ? MIRROR_SHAPE_ULID
           : is_hex(value, len)       ? MIRROR_SHAPE_HEX
           : is_jwt(value, len)       ? MIRROR_SHAPE_JWT
           : is_base64(value, len)    ? MIRROR_SHAPE_BASE64
                                      : MIRROR_SHAPE_NONE;
}

/* Whether at least half of the bytes of the longer one differ from the other one's. */
static int differ_in_half(const char *a, apr_size_t a_len, const char *b, apr_size_t b_len)
{
    apr_size_t most = a_len > b_len ? a_len : b_len, least = a_len + b_len - most;
    apr_size_t i, differ = most - least;

    for (i = 0; i < least; i++) {
        differ += a[i] != b[i];
    }
    return differ >= most - differ;
}

int mirror_name_are_volatile(apr_uint64_t marks[2], const char *a, apr_size_t a_len, const char *b,
                             apr_size_t b_len, apr_time_t now)
{
    mirror_shape_e shape = mirror_name_shape(a, a_len, now);

    if (shape == MIRROR_SHAPE_NONE || shape != mirror_name_shape(b, b_len, now) ||
        (shape == MIRROR_SHAPE_BASE64 && !differ_in_half(a, a_len, b, b_len))) {
        return 0;
    }
    marks[0] = mirror_hash_bytes(MIRROR_HASH_START, a, a_len);
    marks[1] = mirror_hash_bytes(MIRROR_HASH_START, b, b_len);
    return 1;
}
