/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * copy/log_line.c - the log line of one copy. See copy/log_line.h.
 */
#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "copy/log_line.h"
#include "base/utf8.h"

/* The maximum of bytes of client values in a line. */
#define METHOD_MAX     32
#define REQUEST_ID_MAX 128
#define URI_MAX        MIRROR_LOG_LINE_MAX
/* room for everything after the URI: numbers, and an id with each byte escaped */
#define TAIL_MAX 2832
/* Bytes of an escaped id, and of escaped texts of differences. */
#define ESCAPED_ID_MAX     960
#define ESCAPED_FIELDS_MAX 1024

/* ---- request threads ---- */

static apr_size_t capped(apr_size_t len, apr_size_t max)
{
    return len < max ? len : max;
}

mirror_log_line_t *mirror_log_line_create(const mirror_log_subject_t *subject, const char *mirror)
{
    apr_size_t method_len = capped(subject->method_len, METHOD_MAX);
    apr_size_t uri_len = capped(strlen(subject->uri), URI_MAX);
    apr_size_t request_id_len =
        subject->request_id ? capped(strlen(subject->request_id), REQUEST_ID_MAX) : 0;
    apr_size_t size = sizeof(mirror_log_line_t) + method_len + uri_len + request_id_len;
    mirror_log_line_t *line = malloc(size);

    if (!line) {
        return NULL;
    }
    memset(line, 0, sizeof(*line));
    line->log = subject->log;
    line->grpc_status = -1;
    line->verdict = MIRROR_VERDICT_COUNT;
    line->skip = MIRROR_SKIP_NONE;
    line->mirror = mirror;
    line->size = size;
    line->time = subject->time;
    line->method_len = method_len;
    line->uri_len = uri_len;
    line->request_id_len = request_id_len;
    memcpy(line->text, subject->method, method_len);
    memcpy(line->text + method_len, subject->uri, uri_len);
    if (request_id_len > 0) {
        memcpy(line->text + method_len + uri_len, subject->request_id, request_id_len);
    }
    return line;
}

void mirror_log_line_set_server(mirror_log_line_t *line, const char *address)
{
    free(line->server);
    line->server = strdup(address);
}

void mirror_log_line_free(mirror_log_line_t *line)
{
    free(line->server);
    free(line->fields);
    free(line);
}

/* ---- printing ---- */

/* Print one character of `text` as JSON into `out` (8 bytes are enough). *used: consumed bytes of
 * the text. Returns the printed length. */
static apr_size_t escape_one(char *out, apr_size_t *used, const char *text, apr_size_t len)
{
    unsigned char c = (unsigned char)*text;
    unsigned control;

    *used = mirror_utf8_length((const unsigned char *)text, len);
    if (*used == 0) {
        *used = 1;
        return (apr_size_t)apr_snprintf(out, 8, "\\\\x%02x", c);
    }
    control = mirror_utf8_control((const unsigned char *)text, *used);
    if (control) {
        return (apr_size_t)apr_snprintf(out, 8, "\\u%04x", control);
    }
    if (c == '"' || c == '\\') {
        out[0] = '\\';
        out[1] = (char)c;
        return 2;
    }
    memcpy(out, text, *used);
    return *used;
}

/* Print as much of `text` as fits into `room` bytes, escaped for a JSON string. Returns the
 * length. */
static apr_size_t escape(char *out, apr_size_t room, const char *text, apr_size_t len)
{
    apr_size_t n = 0, used, piece;
    char one[8];

    for (; len > 0; text += used, len -= used) {
        piece = escape_one(one, &used, text, len);
        if (n + piece > room) {
            break;
        }
        memcpy(out + n, one, piece);
        n += piece;
    }
    return n;
}

/* Print {"status": 200, "ms": 1.234}, or null without a status. Returns the length. */
static apr_size_t print_response(char *out, apr_size_t room, int status, apr_interval_time_t took)
{
    took = took > 0 ? took : 0;
    return (apr_size_t)(status
                            ? apr_snprintf(out, room,
                                           "{\"status\": %d, \"ms\": %" APR_INT64_T_FMT ".%03d}",
                                           status, (apr_int64_t)(took / 1000), (int)(took % 1000))
                            : apr_snprintf(out, room, "null"));
}

/* The texts of what differs, with commas, as many of them as have room whole. Returns the length. */
static apr_size_t print_fields(char *out, const mirror_log_line_t *line)
{
    char one[ESCAPED_FIELDS_MAX];
    apr_size_t n = 0, at = 0, len;

    while (at < line->fields_len) {
        len = escape(one, sizeof(one), line->fields + at, strlen(line->fields + at));
        if (n + len + 4 > ESCAPED_FIELDS_MAX) {
            break;
        }
        n += (apr_size_t)apr_snprintf(out + n, ESCAPED_FIELDS_MAX - n, "%s\"%.*s\"", n ? ", " : "",
                                      (int)len, one);
        at += strlen(line->fields + at) + 1;
    }
    return n;
}

/* What comparing the responses has found; nothing if they were not to be compared. */
static apr_size_t print_comparison(char *out, apr_size_t room, const mirror_log_line_t *line)
{
    apr_size_t n;

    if (line->skip != MIRROR_SKIP_NONE) {
        return (apr_size_t)apr_snprintf(out, room, ", \"compare\": {\"skipped\": \"%s\"}",
                                        mirror_skip_name(line->skip));
    }
    if (line->verdict == MIRROR_VERDICT_COUNT) {
        return 0;
    }
    n = (apr_size_t)apr_snprintf(out, room, ", \"compare\": {\"verdict\": \"%s\"",
                                 mirror_verdict_name(line->verdict));
    if (line->fields) {
        n += (apr_size_t)apr_snprintf(out + n, room - n, ", \"fields\": [");
        n += print_fields(out + n, line);
        out[n++] = ']';
    }
    out[n++] = '}';
    return n;
}

/* Print everything after the URI. */
static apr_size_t print_tail(char *out, const mirror_log_line_t *line)
{
    apr_size_t n = 0;

    if (line->request_id_len > 0) {
        n += (apr_size_t)apr_snprintf(out, TAIL_MAX, "\", \"request_id\": \"");
        n += escape(out + n, ESCAPED_ID_MAX, line->text + line->method_len + line->uri_len,
                    line->request_id_len);
        out[n++] = '"';
    }
    else {
        n += (apr_size_t)apr_snprintf(out, TAIL_MAX, "\", \"request_id\": null");
    }
    n += (apr_size_t)apr_snprintf(out + n, TAIL_MAX - n, ", \"primary\": ");
    n += print_response(out + n, TAIL_MAX - n, line->primary_status, line->primary_took);
    n += (apr_size_t)apr_snprintf(out + n, TAIL_MAX - n, ", \"outcome\": \"%s\", \"response\": ",
                                  mirror_outcome_name(line->outcome));
    n += print_response(out + n, TAIL_MAX - n, line->status, line->took);
    if (line->status && line->grpc_status >= 0) {
        n--; /* the closing brace */
        n += (apr_size_t)apr_snprintf(out + n, TAIL_MAX - n, ", \"grpc_status\": %d}",
                                      line->grpc_status);
    }
    if (line->server) {
        n += (apr_size_t)apr_snprintf(out + n, TAIL_MAX - n, ", \"server\": \"%s\"", line->server);
    }
    n += print_comparison(out + n, TAIL_MAX - n, line);
    n += (apr_size_t)apr_snprintf(out + n, TAIL_MAX - n, ", \"bytes\": %" APR_OFF_T_FMT "}\n",
                                  line->bytes);
    return n;
}

apr_size_t mirror_log_line_print(char *buffer, const mirror_log_line_t *line)
{
    char tail[TAIL_MAX];
    apr_size_t tail_len = print_tail(tail, line);
    apr_size_t room = MIRROR_LOG_LINE_MAX - tail_len;
    apr_size_t n;
    apr_time_exp_t t = { 0 };

    apr_time_exp_gmt(&t, line->time);
    n = (apr_size_t)apr_snprintf(
        buffer, room,
        "{\"time\": \"%04d-%02d-%02dT%02d:%02d:%02d.%06dZ\", \"mirror\": \"%s\", \"method\": \"",
        t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, t.tm_usec,
        line->mirror);
    n += escape(buffer + n, room - n, line->text, line->method_len);
    n += (apr_size_t)apr_snprintf(buffer + n, room - n, "\", \"uri\": \"");
    n += escape(buffer + n, room - n, line->text + line->method_len, line->uri_len);
    memcpy(buffer + n, tail, tail_len);
    return n + tail_len;
}
