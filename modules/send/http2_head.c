/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/http2_head.c - the head of a copy as fields of HTTP/2. See send/http2_head.h.
 */
#include "send/http2_head.h"

#if MIRROR_HAVE_NGHTTP2

#include <string.h>

#include "base/ascii.h"

/* the pseudo fields, and te */
#define MIRROR_FIELDS_MORE 5
#define MIRROR_NO_COPY     (NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE)

/* Treatment of a field by its name. */
typedef enum { KIND_KEEP, KIND_DROP, KIND_HOST, KIND_LENGTH, KIND_SECRET } kind_e;

#define KNOWN(name, kind)                                                                          \
    {                                                                                              \
        name, sizeof(name) - 1, kind                                                               \
    }
static const struct {
    const char *name; /* in lower case */
    apr_size_t len;
    kind_e kind;
} known[] = { KNOWN("host", KIND_HOST), KNOWN("content-length", KIND_LENGTH),
              KNOWN("authorization", KIND_SECRET), KNOWN("cookie", KIND_SECRET),
              /* RFC 9113 8.2.2 */
              KNOWN("connection", KIND_DROP), KNOWN("keep-alive", KIND_DROP),
              KNOWN("proxy-connection", KIND_DROP), KNOWN("te", KIND_DROP),
              KNOWN("transfer-encoding", KIND_DROP), KNOWN("upgrade", KIND_DROP) };

/* A part of the text. */
typedef struct mirror_text_t {
    char *data;
    apr_size_t len;
} mirror_text_t;

apr_size_t mirror_http2_head_count(const char *text, apr_size_t len)
{
    const char *end = text + len;
    apr_size_t count = MIRROR_FIELDS_MORE;

    while ((text = memchr(text, '\n', (apr_size_t)(end - text)))) {
        text++;
        count++;
    }
    return count;
}

static void put(nghttp2_nv *field, const char *name, apr_size_t name_len, const char *value,
                apr_size_t value_len, uint8_t flags)
{
    field->name = (uint8_t *)name;
    field->namelen = name_len;
    field->value = (uint8_t *)value;
    field->valuelen = value_len;
    field->flags = MIRROR_NO_COPY | flags;
}

/* Remove the next line from `text`, without its line end. Returns 0 at the end of the head. */
static int next_line(mirror_text_t *line, mirror_text_t *text)
{
    char *end = text->len > 0 ? memchr(text->data, '\n', text->len) : NULL;

    if (!end) {
        return 0;
    }
    line->data = text->data;
    line->len = (apr_size_t)(end - text->data);
    text->data += line->len + 1;
    text->len -= line->len + 1;
    line->len -= line->len > 0 && line->data[line->len - 1] == '\r';
    return line->len > 0;
}

/* Parse "METHOD TARGET HTTP/1.1". Returns 0 if it is malformed. */
static int read_request(mirror_text_t *method, mirror_text_t *target, const mirror_text_t *line)
{
    char *end = line->data + line->len;
    char *space = memchr(line->data, ' ', line->len), *last;

    if (!space || space == line->data) {
        return 0;
    }
    method->data = line->data;
    method->len = (apr_size_t)(space - line->data);
    target->data = space + 1;
    last = memchr(target->data, ' ', (apr_size_t)(end - target->data));
    if (!last || last == target->data) {
        return 0;
    }
    target->len = (apr_size_t)(last - target->data);
    return 1;
}

/* Parse "Name: value"; the name becomes lower case. Returns 0 if the line has no name. */
static int read_field(mirror_text_t *name, mirror_text_t *value, const mirror_text_t *line)
{
    char *end = line->data + line->len, *p = line->data, lower;

    for (; p < end && (lower = mirror_ascii_token_lower(*p)) != '\0'; p++) {
        *p = lower;
    }
    if (p == line->data || p == end || *p != ':') {
        return 0;
    }
    name->data = line->data;
    name->len = (apr_size_t)(p - line->data);
    for (p++; p < end && mirror_ascii_is_blank(*p); p++) {
        ;
    }
    while (end > p && mirror_ascii_is_blank(end[-1])) {
        end--;
    }
    value->data = p;
    value->len = (apr_size_t)(end - p);
    return 1;
}

static kind_e kind_of(const mirror_text_t *name)
{
    apr_size_t i;

    for (i = 0; i < sizeof(known) / sizeof(*known); i++) {
        if (known[i].len == name->len && !memcmp(known[i].name, name->data, name->len)) {
            return known[i].kind;
        }
    }
    return KIND_KEEP;
}

/* Parse the header lines into `fields`. Returns their number. *host: the first Host. */
static apr_size_t read_fields(nghttp2_nv *fields, mirror_text_t *host, mirror_text_t *text,
                              const mirror_http2_head_t *options)
{
    mirror_text_t line, name, value;
    apr_size_t n = 0;

    while (next_line(&line, text)) {
        kind_e kind;

        if (!read_field(&name, &value, &line)) {
            continue;
        }
        kind = kind_of(&name);
        if (kind == KIND_HOST && !host->data) {
            *host = value;
        }
        if (kind == KIND_KEEP || kind == KIND_SECRET || (kind == KIND_LENGTH && !options->grpc)) {
            put(&fields[n++], name.data, name.len, value.data, value.len,
                kind == KIND_SECRET ? NGHTTP2_NV_FLAG_NO_INDEX : 0);
        }
    }
    return n;
}

#define PUT(field, name, value, len) put(field, name, sizeof(name) - 1, value, len, 0)

apr_size_t mirror_http2_head_read(nghttp2_nv *fields, char *text, apr_size_t len,
                                  const mirror_http2_head_t *options)
{
    mirror_text_t rest, line, method, target, host = { NULL, 0 };
    apr_size_t n;

    rest.data = text;
    rest.len = len;
    if (!next_line(&line, &rest) || !read_request(&method, &target, &line)) {
        return 0;
    }
    PUT(&fields[0], ":method", method.data, method.len);
    PUT(&fields[1], ":scheme", options->scheme, strlen(options->scheme));
    PUT(&fields[2], ":path", target.data, target.len);
    n = 4 + read_fields(&fields[4], &host, &rest, options);
    if (host.len > 0) {
        PUT(&fields[3], ":authority", host.data, host.len);
    }
    else {
        memmove(&fields[3], &fields[4], (n - 4) * sizeof(*fields));
        n--;
    }
    if (options->grpc || options->trailers) {
        PUT(&fields[n], "te", "trailers", sizeof("trailers") - 1);
        n++;
    }
    return n;
}

#endif
