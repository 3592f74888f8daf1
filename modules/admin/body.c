/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/body.c - the body of a request. See admin/body.h.
 */
#include <string.h>

#include <apr_cstr.h>
#include <apr_strings.h>
#include <http_protocol.h>
#include <util_filter.h>

#include "admin/body.h"
#include "base/utf8.h"

#define PART 8192

int mirror_body_is(const request_rec *r, const char *type)
{
    const char *given = apr_table_get(r->headers_in, "Content-Type");
    apr_size_t len = strlen(type);

    return given && !ap_cstr_casecmpn(given, type, len) &&
           strspn(given + len, " \t") == strcspn(given + len, ";");
}

/* ---- bytes ---- */

/* Append the next part to `whole`, of which *size bytes are there. Returns OK, DONE with the last
 * one, or a status. */
static int read_part(char *whole, apr_size_t *size, request_rec *r, apr_bucket_brigade *bb)
{
    apr_status_t rv = ap_get_brigade(r->input_filters, bb, AP_MODE_READBYTES, APR_BLOCK_READ, PART);
    int status = OK;
    apr_bucket *b;

    if (rv != APR_SUCCESS) {
        return ap_map_http_request_error(rv, HTTP_BAD_REQUEST);
    }
    for (b = APR_BRIGADE_FIRST(bb); b != APR_BRIGADE_SENTINEL(bb) && status == OK;
         b = APR_BUCKET_NEXT(b)) {
        const char *data;
        apr_size_t len;

        if (APR_BUCKET_IS_EOS(b)) {
            status = DONE;
        }
        else if (!APR_BUCKET_IS_METADATA(b)) {
            rv = apr_bucket_read(b, &data, &len, APR_BLOCK_READ);
            if (rv != APR_SUCCESS) {
                status = HTTP_BAD_REQUEST;
            }
            else if (len > MIRROR_CHANGE_BODY_MAX - *size) {
                status = HTTP_REQUEST_ENTITY_TOO_LARGE;
            }
            else {
                memcpy(whole + *size, data, len);
                *size += len;
            }
        }
    }
    apr_brigade_cleanup(bb);
    return status;
}

int mirror_body_read(const char **text, apr_size_t *size, request_rec *r)
{
    const char *length = apr_table_get(r->headers_in, "Content-Length");
    apr_bucket_brigade *bb;
    char *whole;
    int status;

    *size = 0;
    if (length && apr_atoi64(length) > MIRROR_CHANGE_BODY_MAX) {
        return HTTP_REQUEST_ENTITY_TOO_LARGE;
    }
    whole = apr_palloc(r->pool, MIRROR_CHANGE_BODY_MAX + 1);
    bb = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    while ((status = read_part(whole, size, r, bb)) == OK) {
    }
    apr_brigade_destroy(bb);
    whole[*size] = '\0';
    *text = whole;
    return status == DONE ? OK : status;
}

/* ---- forms ---- */

apr_table_t *mirror_body_fields(request_rec *r, const char *text, apr_size_t size)
{
    apr_table_t *fields = apr_table_make(r->pool, 16);
    char *copy = apr_pstrmemdup(r->pool, text, size), *name, *value, *last;

    if (strlen(copy) != size) {
        return NULL;
    }
    for (name = apr_strtok(copy, "&", &last); name; name = apr_strtok(NULL, "&", &last)) {
        value = strchr(name, '=');
        if (!value) {
            return NULL;
        }
        *value++ = '\0';
        if (ap_unescape_urlencoded(name) != OK || ap_unescape_urlencoded(value) != OK ||
            !mirror_utf8_is_valid(value) || apr_table_get(fields, name)) {
            return NULL;
        }
        apr_table_setn(fields, name, value);
    }
    return fields;
}
