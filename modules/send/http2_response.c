/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/http2_response.c - the response of one stream. See send/http2_response.h.
 */
#include <string.h>

#include "base/ascii.h"
#include "compare/half.h"
#include "send/http2_response.h"

static apr_status_t fail(mirror_http2_response_t *r, const char *fault)
{
    r->fault = r->fault ? r->fault : fault;
    return APR_EGENERAL;
}

void mirror_http2_response_init(mirror_http2_response_t *r)
{
    memset(r, 0, sizeof(*r));
    r->grpc_status = MIRROR_HTTP2_GRPC_NONE;
}

void mirror_http2_response_block(mirror_http2_response_t *r)
{
    r->begun = 1;
    if (!r->final) {
        r->status = 0;
    }
}

static int is_name(const char *name, apr_size_t len, const char *expected)
{
    return len == strlen(expected) && !memcmp(name, expected, len);
}

/* RFC 9113 8.3.2. A 101 has no meaning in HTTP/2 (8.6). */
static apr_status_t status_field(mirror_http2_response_t *r, const char *value, apr_size_t len)
{
    int status;

    if (r->final) {
        return fail(r, "a status in trailers");
    }
    if (len != 3 || !mirror_ascii_is_digit(value[0]) || !mirror_ascii_is_digit(value[1]) ||
        !mirror_ascii_is_digit(value[2])) {
        return fail(r, "an invalid status");
    }
    status = (value[0] - '0') * 100 + (value[1] - '0') * 10 + (value[2] - '0');
    if (status < 100 || status > 599 || status == 101) {
        return fail(r, "a status outside 100 to 599, or 101");
    }
    r->status = (apr_uint16_t)status;
    return APR_SUCCESS;
}

/* The numbers of gRPC are 0 to 16. */
static void grpc_field(mirror_http2_response_t *r, const char *value, apr_size_t len)
{
    int status = 0;
    apr_size_t i;

    for (i = 0; i < len && mirror_ascii_is_digit(value[i]) && status <= MIRROR_HTTP2_GRPC_MAX;
         i++) {
        status = status * 10 + (value[i] - '0');
    }
    r->grpc_status =
        (short)(len > 0 && i == len && status <= MIRROR_HTTP2_GRPC_MAX ? status
                                                                       : MIRROR_HTTP2_GRPC_UNKNOWN);
}

static void keep(const mirror_http2_response_t *r, const char *name, apr_size_t name_len,
                 const char *value, apr_size_t value_len)
{
    void (*add)(void *, const char *, apr_size_t) = r->final ? r->sink->trailer : r->sink->head;

    add(r->baton, name, name_len);
    add(r->baton, ": ", 2);
    add(r->baton, value, value_len);
    add(r->baton, "\r\n", 2);
}

apr_status_t mirror_http2_response_field(mirror_http2_response_t *r, const char *name,
                                         apr_size_t name_len, const char *value,
                                         apr_size_t value_len)
{
    /* with ": " and the line end, as in HTTP/1.1 */
    apr_size_t len = name_len + value_len + 4;

    if (r->fault) {
        return APR_EGENERAL;
    }
    if (len > MIRROR_RESPONSE_HEAD_MAX - r->head) {
        return fail(r, "a head that is too long");
    }
    if (r->fields == MIRROR_RESPONSE_HEADERS_MAX) {
        return fail(r, "too many headers");
    }
    r->head += (apr_uint32_t)len;
    r->fields++;
    if (name_len > 0 && name[0] == ':') {
        return is_name(name, name_len, ":status") ? status_field(r, value, value_len)
                                                  : fail(r, "an unknown pseudo field");
    }
    if (is_name(name, name_len, "grpc-status")) {
        grpc_field(r, value, value_len);
    }
    if (r->sink && (!r->final || mirror_half_wants_trailer(name, name_len))) {
        keep(r, name, name_len, value, value_len);
    }
    return APR_SUCCESS;
}

apr_status_t mirror_http2_response_block_end(mirror_http2_response_t *r)
{
    if (r->fault) {
        return APR_EGENERAL;
    }
    if (r->final) {
        return APR_SUCCESS; /* trailers */
    }
    if (r->status == 0) {
        return fail(r, "a head without a status");
    }
    r->final = r->status >= 200;
    if (r->final) {
        return APR_SUCCESS;
    }
    if (r->interim == MIRROR_RESPONSE_INTERIM_MAX) {
        return fail(r, "too many interim responses");
    }
    r->interim++;
    r->grpc_status = MIRROR_HTTP2_GRPC_NONE;
    if (r->sink) {
        r->sink->restart(r->baton);
    }
    return APR_SUCCESS;
}

void mirror_http2_response_body(mirror_http2_response_t *r, const char *data, apr_size_t len)
{
    if (r->sink && r->final && !r->fault) {
        r->sink->body(r->baton, data, len);
    }
}

void mirror_http2_response_end(mirror_http2_response_t *r)
{
    if (!r->final) {
        fail(r, "an incomplete response");
    }
    r->complete = !r->fault;
}
