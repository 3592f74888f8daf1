/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/response.c - the parser of responses. See send/response.h.
 *
 * Lines are consumed in pieces: every byte is checked, the first bytes are kept, and a line is
 * interpreted at its end. A header field is interpreted after the first byte of the next line,
 * which may continue it (RFC 9112 5.2). Bodies are counted, not parsed. Each fault belongs to one
 * byte, so the pieces make no difference.
 */
#include <stddef.h>
#include <string.h>

#include "base/ascii.h"
#include "send/response.h"

enum { STATUS, HEADER, BODY, UNTIL_CLOSE, CHUNK_SIZE, CHUNK, CHUNK_END, TRAILER, COMPLETE, FAULT };

static apr_status_t fail(mirror_response_t *r, const char *fault)
{
    r->fault = fault;
    r->state = FAULT;
    return APR_EGENERAL;
}

/* `close` stays: an interim response that announces it applies to the connection. */
static void begin_head(mirror_response_t *r)
{
    r->state = STATUS;
    r->length = -1;
    r->status = 0;
    r->coded = r->chunked = r->chunking = r->keep = 0;
}

void mirror_response_init(mirror_response_t *r, int no_body)
{
    memset(r, 0, offsetof(mirror_response_t, line));
    r->no_body = no_body != 0;
    begin_head(r);
}

/* ---- lines ---- */

/* Return the number of bytes that the line may still have. *wrong: message if it has more. */
static apr_size_t room(const mirror_response_t *r, const char **wrong)
{
    switch (r->state) {
    case CHUNK_SIZE:
        *wrong = "a chunk size line that is too long";
        return MIRROR_RESPONSE_CHUNK_LINE_MAX - r->line_size;
    case CHUNK_END:
        *wrong = "a chunk that is longer than its size";
        return 2 - r->line_size;
    case TRAILER:
        *wrong = "trailers that are too long";
        return MIRROR_RESPONSE_TRAILER_MAX - r->head;
    default:
        if (MIRROR_RESPONSE_HEAD_MAX - r->head < MIRROR_RESPONSE_LINE_MAX - r->line_size) {
            *wrong = "a head that is too long";
            return MIRROR_RESPONSE_HEAD_MAX - r->head;
        }
        *wrong = "a line that is too long";
        return MIRROR_RESPONSE_LINE_MAX - r->line_size;
    }
}

/* Return the number of bytes before the first control character, including CR and LF. */
static apr_size_t text_len(const char *data, apr_size_t len)
{
    apr_size_t i;

    for (i = 0; i < len; i++) {
        unsigned char c = (unsigned char)data[i];

        if ((c < ' ' && c != '\t') || c == 0x7f) {
            break;
        }
    }
    return i;
}

static void keep_text(mirror_response_t *r, const char *data, apr_size_t len)
{
    apr_size_t most = sizeof(r->line) - 1 - r->line_kept;

    if (len > most) {
        len = most;
        r->cut = 1;
    }
    memcpy(r->line + r->line_kept, data, len);
    r->line_kept += (apr_uint16_t)len;
}

/* Consume bytes of a line; `data` has at least one byte. LF ends a line like CRLF. CR is not
 * allowed elsewhere (RFC 9112 2.2). Returns the number of consumed bytes; *whole: 1 if the last one
 * ends the line. */
static apr_size_t take_line(mirror_response_t *r, const char *data, apr_size_t len, int *whole)
{
    const char *wrong;
    apr_size_t taken = 0, most = room(r, &wrong);

    *whole = 0;
    if (most == 0) {
        fail(r, wrong);
        return 1;
    }
    if (len > most) {
        len = most;
    }
    if (!r->cr) {
        taken = text_len(data, len);
        keep_text(r, data, taken);
        if (taken < len && data[taken] == '\r') {
            r->cr = 1;
            taken++;
        }
    }
    if (taken < len) {
        *whole = data[taken] == '\n';
        if (!*whole) {
            fail(r, r->cr ? "a CR without LF" : "a control character");
        }
        r->cr = 0;
        taken++;
    }
    r->line_size += (apr_uint32_t)taken;
    r->head += (apr_uint32_t)taken;
    return taken;
}

/* ---- the status line (RFC 9112 4) ---- */

static apr_status_t status_line(mirror_response_t *r)
{
    const char *line = r->line;
    int status;

    if (r->line_kept == 0 && !r->blank && r->interim == 0) {
        /* one empty line before a response is skipped, as RFC 9112 2.2 requires of servers */
        r->blank = 1;
        return APR_SUCCESS;
    }
    if (strncmp(line, "HTTP/1.", 7) || (line[7] != '0' && line[7] != '1') || line[8] != ' ' ||
        !mirror_ascii_is_digit(line[9]) || !mirror_ascii_is_digit(line[10]) ||
        !mirror_ascii_is_digit(line[11]) || (line[12] != ' ' && line[12] != '\0')) {
        return fail(r, "no HTTP/1.1 or HTTP/1.0 status line");
    }
    r->http10 = line[7] == '0';
    status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
    if (status == 101) {
        return fail(r, "a status 101 without an Upgrade request");
    }
    if (status < 100 || status > 599) {
        return fail(r, "a status outside 100 to 599");
    }
    r->status = (apr_uint16_t)status;
    r->state = HEADER;
    return APR_SUCCESS;
}

/* ---- headers ---- */

/* Find the next element of a comma separated list, without surrounding white space, skipping empty
 * ones (RFC 9110 5.6.1.2). Returns 0 at the end. */
static int next_element(const char **list, const char **element, apr_size_t *len)
{
    const char *end;

    *list += strspn(*list, ", \t");
    if (!**list) {
        return 0;
    }
    *element = *list;
    *list += strcspn(*list, ",");
    for (end = *list; end[-1] == ' ' || end[-1] == '\t'; end--) {
        ;
    }
    *len = (apr_size_t)(end - *element);
    return 1;
}

/* Compare without case. `word`: in lower case. */
static int is_word(const char *text, apr_size_t len, const char *word)
{
    apr_size_t i;

    for (i = 0; i < len && word[i] && mirror_ascii_lower(text[i]) == word[i]; i++) {
        ;
    }
    return i == len && !word[i];
}

/* Multiple values must be equal (RFC 9112 6.3, 5). */
static apr_status_t content_length(mirror_response_t *r, const char *value)
{
    const char *element;
    apr_size_t len, i;
    int n = 0;

    for (; next_element(&value, &element, &len); n++) {
        apr_int64_t length = 0;

        for (i = 0; i < len; i++) {
            if (!mirror_ascii_is_digit(element[i]) || length > MIRROR_RESPONSE_LENGTH_MAX / 10) {
                return fail(r, "an invalid Content-Length");
            }
            length = length * 10 + (element[i] - '0');
        }
        if (length > MIRROR_RESPONSE_LENGTH_MAX) {
            return fail(r, "an invalid Content-Length");
        }
        if (r->length >= 0 && r->length != length) {
            return fail(r, "two different Content-Length values");
        }
        r->length = length;
    }
    return n ? APR_SUCCESS : fail(r, "an invalid Content-Length");
}

/* RFC 9112 6.1: chunked at most once; 7.1: without parameters. If chunked is not the last coding,
 * see end_of_head(). */
static apr_status_t transfer_encoding(mirror_response_t *r, const char *value)
{
    const char *element;
    apr_size_t len;

    r->coded = 1;
    while (next_element(&value, &element, &len)) {
        if (len > 7 && is_word(element, 7, "chunked") && strchr("; \t", element[7])) {
            return fail(r, "chunked with a parameter");
        }
        r->chunked = is_word(element, len, "chunked");
        if (r->chunked && r->chunking) {
            return fail(r, "chunked twice");
        }
        r->chunking |= r->chunked;
    }
    return APR_SUCCESS;
}

/* RFC 9112 9.3, 9.6. */
static apr_status_t connection(mirror_response_t *r, const char *value)
{
    const char *element;
    apr_size_t len;

    while (next_element(&value, &element, &len)) {
        r->close |= is_word(element, len, "close");
        r->keep |= is_word(element, len, "keep-alive");
    }
    r->close |= r->cut; /* the truncated part may list close */
    return APR_SUCCESS;
}

/* Interpret a header field or trailer, with its continuation lines. Each line end was replaced by
 * the white space of the next line (RFC 9112 5, 5.2). */
static apr_status_t field(mirror_response_t *r)
{
    const char *value;
    apr_size_t name_len = 0;

    if (++r->headers > MIRROR_RESPONSE_HEADERS_MAX) {
        return fail(r, "too many headers");
    }
    while (mirror_ascii_is_token_char(r->line[name_len])) {
        name_len++;
    }
    if (r->cut && name_len == r->line_kept) {
        return APR_SUCCESS; /* the name is longer than the kept bytes, so it is irrelevant */
    }
    if (name_len == 0 || r->line[name_len] != ':') {
        return fail(r, "an invalid header line");
    }
    value = r->line + name_len + 1;
    if (r->state == TRAILER) {
        return APR_SUCCESS; /* framing fields in a trailer are ignored (RFC 9110 6.5.1) */
    }
    if (is_word(r->line, name_len, "connection")) {
        return connection(r, value);
    }
    if (is_word(r->line, name_len, "content-length")) {
        return r->cut ? fail(r, "a Content-Length that is too long") : content_length(r, value);
    }
    if (is_word(r->line, name_len, "transfer-encoding")) {
        return r->cut ? fail(r, "a Transfer-Encoding that is too long")
                      : transfer_encoding(r, value);
    }
    return APR_SUCCESS;
}

/* Determine the framing of the body after the head is complete (RFC 9112 6.3). */
static apr_status_t end_of_head(mirror_response_t *r)
{
    if (r->coded && (r->length >= 0 || r->http10)) {
        /* RFC 9112 6.1, 6.3: either may be an attempt at response splitting */
        return fail(r, r->http10 ? "Transfer-Encoding in HTTP/1.0"
                                 : "Transfer-Encoding and Content-Length");
    }
    if (r->status < 200) {
        if (r->interim == MIRROR_RESPONSE_INTERIM_MAX) {
            return fail(r, "too many interim responses");
        }
        r->interim++;
        begin_head(r);
        if (r->sink) {
            r->sink->restart(r->baton);
        }
        return APR_SUCCESS;
    }
    if (r->no_body || r->status == 204 || r->status == 304 || r->length == 0) {
        r->state = COMPLETE;
    }
    else if (r->chunked) {
        r->state = CHUNK_SIZE;
    }
    else if (r->coded || r->length < 0) {
        r->state = UNTIL_CLOSE;
    }
    else {
        r->state = BODY;
        r->left = r->length;
    }
    return APR_SUCCESS;
}

/* ---- chunks (RFC 9112 7.1) ---- */

static apr_status_t chunk_line(mirror_response_t *r)
{
    const char *p = r->line;
    apr_int64_t size = 0;

    for (; mirror_ascii_hex_digit(*p) >= 0; p++) {
        if (size > MIRROR_RESPONSE_LENGTH_MAX / 16) {
            return fail(r, "a chunk that is too large");
        }
        size = size * 16 + mirror_ascii_hex_digit(*p);
    }
    if (size > MIRROR_RESPONSE_LENGTH_MAX) {
        return fail(r, "a chunk that is too large");
    }
    if (p == r->line) {
        return fail(r, "a chunk without a size");
    }
    p += strspn(p, " \t"); /* some servers pad the size */
    if (*p ? *p != ';' : r->cut) {
        return fail(r, "an invalid chunk size");
    }
    r->left = size;
    r->state = size > 0 ? CHUNK : TRAILER;
    r->head = 0;
    return APR_SUCCESS;
}

/* ---- reading ---- */

/* Clear `line` for the next line. */
static void clear_line(mirror_response_t *r)
{
    r->line_kept = 0;
    r->cut = 0;
    r->pending = 0;
}

static void whole_line(mirror_response_t *r)
{
    r->line[r->line_kept] = '\0';
    r->line_size = 0;
    switch (r->state) {
    case STATUS:
        status_line(r);
        break;
    case CHUNK_SIZE:
        chunk_line(r);
        break;
    case CHUNK_END:
        r->state = CHUNK_SIZE;
        if (r->line_kept) {
            fail(r, "a chunk that is longer than its size");
        }
        break;
    default: /* HEADER, TRAILER */
        if (r->line_kept) {
            r->pending = 1;
            return;
        }
        if (r->state == HEADER) {
            end_of_head(r);
        }
        else {
            r->state = COMPLETE;
        }
    }
    clear_line(r);
}

/* Consume bytes of a line; `data` has at least one byte. Returns the number of consumed bytes. */
static apr_size_t read_line(mirror_response_t *r, const char *data, apr_size_t len)
{
    apr_size_t taken;
    int whole, is_head;

    if (r->pending && r->line_size == 0 && *data != ' ' && *data != '\t') {
        if (field(r) != APR_SUCCESS) {
            return 0;
        }
        clear_line(r);
    }
    is_head = r->state == HEADER;
    taken = take_line(r, data, len, &whole);
    if (r->sink && is_head) {
        r->sink->head(r->baton, data, taken);
    }
    if (whole) {
        whole_line(r);
    }
    return taken;
}

static apr_size_t skip(mirror_response_t *r, apr_size_t len)
{
    if (r->state == UNTIL_CLOSE) {
        return len;
    }
    if ((apr_uint64_t)len > (apr_uint64_t)r->left) {
        len = (apr_size_t)r->left;
    }
    r->left -= (apr_int64_t)len;
    if (r->left == 0) {
        r->state = r->state == BODY ? COMPLETE : CHUNK_END;
    }
    return len;
}

apr_status_t mirror_response_read(apr_size_t *used, mirror_response_t *r, const char *data,
                                  apr_size_t len)
{
    apr_size_t n = 0;

    while (n < len && r->state != COMPLETE && r->state != FAULT) {
        int counted = r->state == BODY || r->state == UNTIL_CLOSE || r->state == CHUNK;

        apr_size_t taken = counted ? skip(r, len - n) : read_line(r, data + n, len - n);

        if (counted && r->sink) {
            r->sink->body(r->baton, data + n, taken);
        }
        n += taken;
    }
    r->bytes += (apr_int64_t)n;
    *used = n;
    return r->state == COMPLETE ? APR_SUCCESS : r->state == FAULT ? APR_EGENERAL : APR_INCOMPLETE;
}

apr_int64_t mirror_response_ignorable(const mirror_response_t *r)
{
    if (r->sink) {
        return 0;
    }
    return r->state == BODY || r->state == CHUNK ? r->left - 1
           : r->state == UNTIL_CLOSE             ? MIRROR_RESPONSE_LENGTH_MAX
                                                 : 0;
}

apr_status_t mirror_response_end(mirror_response_t *r)
{
    if (r->state == COMPLETE || r->state == UNTIL_CLOSE) {
        r->close = 1;
        r->state = COMPLETE;
        return APR_SUCCESS;
    }
    if (!mirror_response_begun(r)) {
        return APR_EOF;
    }
    return r->state == FAULT ? APR_EGENERAL : fail(r, "an incomplete response");
}

int mirror_response_begun(const mirror_response_t *r)
{
    return r->state != STATUS || r->interim > 0 || r->line_kept > 0;
}

int mirror_response_status(const mirror_response_t *r)
{
    return r->status >= 200 ? r->status : 0;
}

int mirror_response_keepalive(const mirror_response_t *r)
{
    return r->state == COMPLETE && !r->close && (!r->http10 || r->keep);
}
