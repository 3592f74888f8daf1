/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * capture/head.c - the head of a copy. Request threads only. See capture/head.h.
 *
 * Every mirrored request passes this code. So it makes two allocations for any number of headers,
 * and performs no table lookup. LimitRequestFields and LimitRequestFieldSize bound the client's
 * input.
 */
#include <string.h>

#include <apr_cstr.h>
#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>
#include <mod_proxy.h>

#include "capture/head.h"
#include "capture/header_edit.h"
#include "capture/header_name.h"

struct mirror_head_line_t {
    mirror_header_name_e kind;
    apr_uint32_t name_len;
    apr_uint32_t value_len;
    const char *name;
    const char *value;
};

/* Find the next element of a comma separated list (RFC 9110 5.6.1), skipping empty ones. Returns 0
 * at the end. */
static int next_element(const char **rest, const char **element, apr_size_t *len)
{
    const char *end;

    *rest += strspn(*rest, ", \t");
    if (!**rest) {
        return 0;
    }
    *element = *rest;
    *rest += strcspn(*rest, ",");
    for (end = *rest; end > *element && apr_isspace(end[-1]); end--) {
        ;
    }
    *len = end - *element;
    return 1;
}

/* Return a number of bytes (RFC 9110 8.6); -1 if `value` is malformed. */
static apr_off_t length_of(const char *value)
{
    char *end;
    apr_off_t length;

    if (!apr_isdigit(*value) || apr_strtoff(&length, value, &end, 10) != APR_SUCCESS || *end) {
        return -1;
    }
    return length;
}

/* Return whether a list has `word`, perhaps followed by `after` and more. */
static int lists(const char *value, const char *word, char after)
{
    apr_size_t len, word_len = strlen(word);
    const char *element;

    while (next_element(&value, &element, &len)) {
        if (len >= word_len && !apr_cstr_casecmpn(element, word, word_len) &&
            (len == word_len || element[word_len] == after)) {
            return 1;
        }
    }
    return 0;
}

static int has_id(const char *value, const char *id)
{
    const char *element;
    apr_size_t len, id_len = strlen(id);

    while (next_element(&value, &element, &len)) {
        if (len == id_len && !memcmp(element, id, len)) {
            return 1;
        }
    }
    return 0;
}

/* Drop the lines that a Connection header lists, except those that a copy requires. */
static void drop_listed(mirror_head_t *head, const char *value)
{
    const char *element;
    apr_size_t len;
    int i;

    while (next_element(&value, &element, &len)) {
        for (i = 0; i < head->line_count; i++) {
            mirror_head_line_t *line = &head->lines[i];

            if (line->name_len == len && line->kind < MIRROR_HEADER_DROP &&
                line->kind != MIRROR_HEADER_HOST && line->kind != MIRROR_HEADER_MIRROR &&
                !apr_cstr_casecmpn(line->name, element, len)) {
                line->kind = MIRROR_HEADER_DROP;
            }
        }
    }
}

/* Note in `head` what this field says about the request. Returns 0 if the copy must not have it. */
static int note_field(mirror_head_t *head, const mirror_head_line_t *line, const char *id)
{
    switch (line->kind) {
    case MIRROR_HEADER_HOST:
        if (head->append[MIRROR_HEADER_FORWARDED_HOST]) {
            return 0; /* exactly one Host: the first */
        }
        head->append[MIRROR_HEADER_FORWARDED_HOST] = line->value;
        break;
    case MIRROR_HEADER_LENGTH:
        head->content_length = length_of(line->value);
        /* httpd rejects it, but only when it reads the body */
        head->chunked |= head->content_length < 0;
        break;
    case MIRROR_HEADER_TRANSFER:
        head->chunked = 1;
        break;
    case MIRROR_HEADER_ENCODING:
        head->encoded = 1;
        break;
    case MIRROR_HEADER_UPGRADE:
        head->websocket |= lists(line->value, "websocket", '/');
        break;
    case MIRROR_HEADER_TE:
        head->te_trailers |= lists(line->value, "trailers", ';');
        break;
    case MIRROR_HEADER_MIRROR:
        head->looped |= has_id(line->value, id);
        break;
    default:
        break;
    }
    return 1;
}

/* Parse a line into `head`. Returns 0 if the line is not allowed in any head. */
static int read_line(mirror_head_t *head, mirror_head_line_t *line, const apr_table_entry_t *entry,
                     const char *id)
{
    const char *end;

    if (!entry->key || !entry->val) {
        return 0;
    }
    end = ap_scan_http_token(entry->key);
    if (end == entry->key || *end) {
        return 0;
    }
    line->name = entry->key;
    line->name_len = (apr_uint32_t)(end - entry->key);
    line->value = entry->val;
    line->value_len = (apr_uint32_t)strlen(entry->val);
    line->kind = mirror_header_name_kind(line->name, line->name_len);
    return note_field(head, line, id);
}

static void read_lines(mirror_head_t *head, const request_rec *r, const char *id)
{
    const apr_array_header_t *table = apr_table_elts(r->headers_in);
    const apr_table_entry_t *entries = (const apr_table_entry_t *)table->elts;
    int i, connections = 0;

    head->lines = apr_palloc(r->pool, (table->nelts + 1) * sizeof(*head->lines));
    for (i = 0; i < table->nelts; i++) {
        mirror_head_line_t *line = &head->lines[head->line_count];

        if (read_line(head, line, &entries[i], id)) {
            connections += line->kind == MIRROR_HEADER_CONNECTION;
            head->line_count++;
        }
    }
    for (i = 0; connections; i++) {
        if (head->lines[i].kind == MIRROR_HEADER_CONNECTION) {
            drop_listed(head, head->lines[i].value);
            connections--;
        }
    }
}

/* Return the Host of a request without that header: HTTP/1.0, perhaps with an absolute URI. */
static const char *host_without_header(const request_rec *r, const request_rec *first)
{
    const apr_uri_t *uri = &first->parsed_uri;

    if (!uri->hostname || !*uri->hostname || *ap_scan_vchar_obstext(uri->hostname)) {
        return r->server->server_hostname;
    }
    return apr_pstrcat(r->pool, strchr(uri->hostname, ':') ? "[" : "", uri->hostname,
                       strchr(uri->hostname, ':') ? "]" : "",
                       uri->port_str && *uri->port_str ? ":" : "",
                       uri->port_str ? uri->port_str : "", NULL);
}

/* Set the elements that are appended to lists: X-Forwarded-* under the conditions of
 * ap_proxy_create_hdrbrgd(). A request that is not proxied is treated like a reverse proxied one,
 * because the mirror is a backend of this server in both cases. */
static void read_appended(mirror_head_t *head, request_rec *r, const request_rec *first,
                          const char *id)
{
    const proxy_dir_conf *conf = ap_get_module_config(r->per_dir_config, &proxy_module);

    if (!head->append[MIRROR_HEADER_FORWARDED_HOST]) {
        head->host = host_without_header(r, first);
    }
    if (conf->add_forwarded_headers && r->proxyreq != PROXYREQ_PROXY) {
        head->append[MIRROR_HEADER_FORWARDED_FOR] = r->useragent_ip;
        head->append[MIRROR_HEADER_FORWARDED_SERVER] = r->server->server_hostname;
    }
    else {
        head->append[MIRROR_HEADER_FORWARDED_HOST] = NULL;
    }
    head->append[MIRROR_HEADER_MIRROR] = id;
}

static apr_size_t size_of(const mirror_head_t *head)
{
    apr_size_t size = head->method.len + sizeof("  HTTP/1.1\r\n");
    int i;

    if (head->host) {
        size += sizeof("Host: \r\n") + strlen(head->host);
    }
    for (i = 0; i < head->line_count; i++) {
        if (head->lines[i].kind < MIRROR_HEADER_DROP) {
            size += head->lines[i].name_len + head->lines[i].value_len + sizeof(": \r\n");
        }
    }
    for (i = 0; i < MIRROR_HEADER_LISTS; i++) {
        if (head->append[i]) {
            size += strlen(mirror_header_name_list(i)) + strlen(head->append[i]) + sizeof(": \r\n");
        }
    }
    return size;
}

mirror_head_t *mirror_head_read(request_rec *r, const request_rec *first, const char *id)
{
    mirror_head_t *head = apr_pcalloc(r->pool, sizeof(*head));

    head->content_length = -1;
    mirror_method_read(&head->method, first);
    read_lines(head, r, id);
    read_appended(head, r, first, id);
    head->size = size_of(head);
    return head;
}

/* ---- edits ---- */

/* Return the headers of a copy as sent, except Host and X-Proxy-Mirror. */
static apr_table_t *table_of(const mirror_head_t *head, apr_pool_t *pool)
{
    apr_table_t *table = apr_table_make(pool, head->line_count + MIRROR_HEADER_LISTS);
    unsigned appended = 0;
    int i;

    for (i = 0; i < head->line_count; i++) {
        const mirror_head_line_t *line = &head->lines[i];
        const char *value = line->value;

        if (line->kind >= MIRROR_HEADER_HOST || line->kind == MIRROR_HEADER_MIRROR) {
            continue;
        }
        if (line->kind < MIRROR_HEADER_MIRROR && head->append[line->kind] &&
            !(appended & (1u << line->kind))) {
            appended |= 1u << line->kind;
            value = apr_pstrcat(pool, value, ", ", head->append[line->kind], NULL);
        }
        apr_table_addn(table, line->name, value);
    }
    for (i = 0; i < MIRROR_HEADER_MIRROR; i++) {
        if (head->append[i] && !(appended & (1u << i))) {
            apr_table_addn(table, mirror_header_name_list(i), head->append[i]);
        }
    }
    return table;
}

void mirror_head_edit(mirror_head_t *head, request_rec *r, const apr_array_header_t *edits,
                      mirror_lane_t *lane)
{
    apr_table_t *table = table_of(head, r->pool);
    const apr_array_header_t *result;
    mirror_head_line_t *lines;
    int i, count = 0;

    mirror_header_edit_apply(table, edits, r, lane);
    result = apr_table_elts(table);
    lines = apr_palloc(r->pool, (head->line_count + result->nelts) * sizeof(*lines));
    for (i = 0; i < head->line_count; i++) {
        if (head->lines[i].kind == MIRROR_HEADER_HOST ||
            head->lines[i].kind == MIRROR_HEADER_MIRROR) {
            lines[count++] = head->lines[i];
        }
    }
    for (i = 0; i < result->nelts; i++) {
        const apr_table_entry_t *entry = &APR_ARRAY_IDX(result, i, const apr_table_entry_t);
        mirror_head_line_t *line = &lines[count++];

        line->kind = MIRROR_HEADER_KEEP;
        line->name = entry->key;
        line->name_len = (apr_uint32_t)strlen(entry->key);
        line->value = entry->val;
        line->value_len = (apr_uint32_t)strlen(entry->val);
    }
    for (i = 0; i < MIRROR_HEADER_MIRROR; i++) {
        head->append[i] = NULL;
    }
    head->lines = lines;
    head->line_count = count;
    head->size = size_of(head);
}

/* ---- writing ---- */

static char *put(char *p, const char *bytes, apr_size_t len)
{
    memcpy(p, bytes, len);
    return p + len;
}

static char *put_string(char *p, const char *s)
{
    return put(p, s, strlen(s));
}

/* Write a value. Bytes that would end the line are replaced. */
static char *put_value(char *p, const char *value, apr_size_t len)
{
    char *start = p, *c;

    p = put(p, value, len);
    for (c = start; (c = memchr(c, '\r', p - c)) != NULL; c++) {
        *c = ' ';
    }
    for (c = start; (c = memchr(c, '\n', p - c)) != NULL; c++) {
        *c = ' ';
    }
    return p;
}

static char *put_name(char *p, const char *name, apr_size_t len)
{
    p = put(p, name, len);
    *p++ = ':';
    *p++ = ' ';
    return p;
}

static char *put_end(char *p)
{
    *p++ = '\r';
    *p++ = '\n';
    return p;
}

static char *put_lines(char *p, const mirror_head_t *head, const mirror_shape_t *shape)
{
    unsigned appended = 0;
    int i;

    for (i = 0; i < head->line_count; i++) {
        const mirror_head_line_t *line = &head->lines[i];

        if (line->kind >= MIRROR_HEADER_DROP) {
            continue;
        }
        p = put_name(p, line->name, line->name_len);
        if (line->kind == MIRROR_HEADER_HOST && shape->host) {
            p = put_string(p, shape->host);
        }
        else {
            p = put_value(p, line->value, line->value_len);
        }
        if (line->kind < MIRROR_HEADER_LISTS && head->append[line->kind] &&
            !(appended & (1u << line->kind))) {
            appended |= 1u << line->kind;
            p = put(p, ", ", 2);
            p = put_value(p, head->append[line->kind], strlen(head->append[line->kind]));
        }
        p = put_end(p);
    }
    for (i = 0; i < MIRROR_HEADER_LISTS; i++) {
        if (head->append[i] && !(appended & (1u << i))) {
            p = put_name(p, mirror_header_name_list(i), strlen(mirror_header_name_list(i)));
            p = put_value(p, head->append[i], strlen(head->append[i]));
            p = put_end(p);
        }
    }
    return p;
}

void mirror_head_write(mirror_copy_t *copy, const mirror_head_t *head, const mirror_shape_t *shape)
{
    const char *host = shape->host ? shape->host : head->host;
    char *p = copy->head;

    p = put(p, head->method.name, head->method.len);
    *p++ = ' ';
    p = put(p, shape->path, shape->path_len);
    p = put(p, shape->target, shape->target_len);
    p = put_string(p, " HTTP/1.1\r\n");
    if (head->host) {
        p = put_string(p, "Host: ");
        p = put_value(p, host, strlen(host));
        p = put_end(p);
    }
    copy->head_len = put_lines(p, head, shape) - copy->head;
    copy->no_response_body = mirror_method_is(&head->method, "HEAD");
    copy->te_trailers = head->te_trailers;
    copy->idempotent = mirror_method_is_idempotent(&head->method);
}
