/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/json.c - mirrors and errors as JSON. See admin/json.h.
 */
#include <string.h>

#include <apr_sha1.h>
#include <apr_strings.h>
#include <http_protocol.h>

#include "admin/json.h"
#include "admin/view.h"
#include "attributes/attributes.h"
#include "attributes/line.h"
#include "attributes/value.h"
#include "base/utf8.h"

#define ETAG_BYTES 8

/* ---- JSON ---- */

static apr_status_t free_json(void *gen)
{
    yajl_gen_free(gen);
    return APR_SUCCESS;
}

yajl_gen mirror_json_create(apr_pool_t *pool)
{
    yajl_gen gen = yajl_gen_alloc(NULL);

    yajl_gen_config(gen, yajl_gen_beautify, 1);
    yajl_gen_config(gen, yajl_gen_indent_string, "  ");
    apr_pool_cleanup_register(pool, gen, free_json, apr_pool_cleanup_null);
    return gen;
}

void mirror_json_put_key(yajl_gen gen, const char *key)
{
    yajl_gen_string(gen, (const unsigned char *)key, strlen(key));
}

/* Print a text in UTF-8 (RFC 8259 8.1). Values from a URI or a configuration file may have any
 * encoding. */
void mirror_json_put_text(yajl_gen gen, const char *text, apr_pool_t *pool)
{
    if (!mirror_utf8_is_valid(text)) {
        char *ascii = apr_pstrdup(pool, text);
        char *c;

        for (c = ascii; *c != '\0'; c++) {
            *c = (*c & 0x80) != 0 ? '?' : *c;
        }
        text = ascii;
    }
    mirror_json_put_key(gen, text);
}

void mirror_json_put_count(yajl_gen gen, const char *key, apr_uint64_t n)
{
    mirror_json_put_key(gen, key);
    yajl_gen_integer(gen, (long long)n);
}

/* ---- one mirror ---- */

void mirror_json_put_time(yajl_gen gen, const char *key, apr_time_t t)
{
    char iso[32];
    apr_time_exp_t x;

    mirror_json_put_key(gen, key);
    if (t == 0 || apr_time_exp_gmt(&x, t) != APR_SUCCESS) {
        yajl_gen_null(gen);
        return;
    }
    apr_snprintf(iso, sizeof(iso), "%04d-%02d-%02dT%02d:%02d:%02dZ", x.tm_year + 1900, x.tm_mon + 1,
                 x.tm_mday, x.tm_hour, x.tm_min, x.tm_sec);
    mirror_json_put_key(gen, iso);
}

static void put_limit(yajl_gen gen, const mirror_view_t *view)
{
    mirror_json_put_key(gen, "limit");
    if (!view->has_limit) {
        yajl_gen_null(gen);
        return;
    }
    yajl_gen_map_open(gen);
    mirror_json_put_count(gen, "used", (apr_uint64_t)view->limit.used);
    mirror_json_put_time(gen, "closed_until", view->limit.closed_until);
    mirror_json_put_key(gen, "fallback");
    yajl_gen_bool(gen, view->limit.fallback);
    yajl_gen_map_close(gen);
}

static void put_servers(yajl_gen gen, const apr_array_header_t *servers)
{
    int i;

    mirror_json_put_key(gen, "servers");
    if (!servers) {
        yajl_gen_null(gen);
        return;
    }
    yajl_gen_array_open(gen);
    for (i = 0; i < servers->nelts; i++) {
        const mirror_servers_view_t *view = &APR_ARRAY_IDX(servers, i, mirror_servers_view_t);

        yajl_gen_map_open(gen);
        mirror_json_put_key(gen, "address");
        mirror_json_put_key(gen, view->address);
        mirror_json_put_time(gen, "down_until", view->down_until);
        mirror_json_put_count(gen, "connections", view->sum.connections);
        mirror_json_put_count(gen, "in_flight", view->sum.in_flight);
        mirror_json_put_count(gen, "mirrored", view->sum.mirrored);
        mirror_json_put_count(gen, "failed", view->sum.failed);
        yajl_gen_map_close(gen);
    }
    yajl_gen_array_close(gen);
}

static void put_state(yajl_gen gen, const mirror_view_t *view)
{
    const mirror_totals_t *totals = &view->totals;

    mirror_json_put_key(gen, "state");
    yajl_gen_map_open(gen);
    mirror_json_put_key(gen, "name");
    mirror_json_put_key(gen, mirror_view_state_name(view->state));
    mirror_json_put_count(gen, "queued", totals->queued);
    mirror_json_put_count(gen, "in_flight", totals->sum.in_flight);
    mirror_json_put_count(gen, "connections", totals->sum.connections);
    mirror_json_put_count(gen, "bytes", totals->sum.bytes);
    mirror_json_put_time(gen, "down_until", view->down_until);
    put_limit(gen, view);
    put_servers(gen, view->servers);
    yajl_gen_map_close(gen);
}

static void put_bounds(yajl_gen gen, const mirror_bounds_t *bounds)
{
    mirror_json_put_key(gen, "bounds");
    yajl_gen_map_open(gen);
    mirror_json_put_count(gen, "children", (apr_uint64_t)bounds->children);
    mirror_json_put_count(gen, "connections", bounds->connections);
    mirror_json_put_count(gen, "copies", bounds->copies);
    mirror_json_put_count(gen, "memory", bounds->memory);
    mirror_json_put_count(gen, "spool", bounds->spool);
    yajl_gen_map_close(gen);
}

static void put_outcomes(yajl_gen gen, const mirror_cell_t *sum)
{
    int i;

    mirror_json_put_key(gen, "outcomes");
    yajl_gen_map_open(gen);
    for (i = 0; i < MIRROR_OUTCOME_COUNT; i++) {
        mirror_json_put_count(gen, mirror_outcome_name((mirror_outcome_e)i), sum->outcomes[i]);
    }
    yajl_gen_map_close(gen);
}

static void put_responses(yajl_gen gen, const mirror_cell_t *sum)
{
    static const char *const names[] = { "1xx", "2xx", "3xx", "4xx", "5xx" };
    int i;

    mirror_json_put_key(gen, "responses");
    yajl_gen_map_open(gen);
    for (i = 0; i < 5; i++) {
        mirror_json_put_count(gen, names[i], sum->responses[i]);
    }
    yajl_gen_map_close(gen);
}

/* Print milliseconds with at most three decimals; null if there is no measurement. */
void mirror_json_put_ms(yajl_gen gen, const char *key, double ms)
{
    apr_int64_t us = (apr_int64_t)(ms * 1000 + 0.5);
    char number[32];
    int len;

    mirror_json_put_key(gen, key);
    if (ms < 0) {
        yajl_gen_null(gen);
        return;
    }
    len = apr_snprintf(number, sizeof(number), "%" APR_INT64_T_FMT ".%03d", us / 1000,
                       (int)(us % 1000));
    while (number[len - 1] == '0') {
        len--;
    }
    yajl_gen_number(gen, number, (size_t)(number[len - 1] == '.' ? len - 1 : len));
}

static void put_latency(yajl_gen gen, const mirror_cell_t *sum)
{
    mirror_json_put_key(gen, "latency_ms");
    yajl_gen_map_open(gen);
    mirror_json_put_ms(gen, "p50", mirror_cell_quantile(sum->latency, 0.5));
    mirror_json_put_ms(gen, "p90", mirror_cell_quantile(sum->latency, 0.9));
    mirror_json_put_ms(gen, "p99", mirror_cell_quantile(sum->latency, 0.99));
    yajl_gen_map_close(gen);
}

void mirror_json_mirror(yajl_gen gen, const mirror_registry_t *registry, const mirror_t *mirror,
                        const mirror_settings_t *settings, apr_pool_t *pool)
{
    static const char *const layers[] = { "file", "fleet", "node" }; /* mirror_layer_e */
    mirror_view_t view;
    const mirror_cell_t *sum = &view.totals.sum;

    mirror_view_make(&view, registry, mirror, settings, pool);
    yajl_gen_map_open(gen);
    mirror_json_put_key(gen, "name");
    mirror_json_put_text(gen, mirror->name, pool);
    mirror_json_put_key(gen, "server");
    mirror_json_put_text(gen, mirror->server, pool);
    mirror_json_put_key(gen, "scope");
    mirror_json_put_text(gen, mirror->scope, pool);
    mirror_json_put_key(gen, "overridden");
    yajl_gen_bool(gen, settings->overridden);
    mirror_json_put_key(gen, "layer");
    mirror_json_put_key(gen, layers[settings->layer]);
    mirror_json_put_key(gen, "attributes");
    mirror_attributes_print(gen, settings, pool);
    mirror_json_put_key(gen, "directive");
    mirror_json_put_text(gen, mirror_line_print(settings, mirror->defaults, mirror->name, pool),
                         pool);
    put_bounds(gen, &view.bounds);
    put_state(gen, &view);
    mirror_json_put_count(gen, "seen", sum->seen);
    put_outcomes(gen, sum);
    put_responses(gen, sum);
    put_latency(gen, sum);
    yajl_gen_map_close(gen);
}

const char *mirror_json_etag(const mirror_registry_t *registry, const mirror_settings_t *settings,
                             apr_pool_t *pool)
{
    apr_uint64_t hash = mirror_attributes_hash(settings, pool);
    unsigned char digest[APR_SHA1_DIGESTSIZE];
    char hex[2 * ETAG_BYTES + 1];
    apr_sha1_ctx_t sha1;

    apr_sha1_init(&sha1);
    apr_sha1_update(&sha1, registry->secret, (unsigned)strlen(registry->secret));
    apr_sha1_update_binary(&sha1, (const unsigned char *)&hash, sizeof(hash));
    apr_sha1_final(digest, &sha1);
    ap_bin2hex(digest, ETAG_BYTES, hex);
    return apr_pstrcat(pool, "\"", hex, "\"", NULL);
}

/* ---- responses ---- */

int mirror_json_send(request_rec *r, int status, yajl_gen gen)
{
    const unsigned char *text;
    size_t len;

    yajl_gen_get_buf(gen, &text, &len);
    r->status = status;
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    ap_set_content_type(r, "application/json");
    ap_set_content_length(r, (apr_off_t)len);
    ap_rwrite(text, (int)len, r);
    return OK;
}

int mirror_json_error(request_rec *r, int status, const char *text)
{
    yajl_gen gen = mirror_json_create(r->pool);

    yajl_gen_map_open(gen);
    mirror_json_put_key(gen, "error");
    mirror_json_put_text(gen, text, r->pool);
    yajl_gen_map_close(gen);
    return mirror_json_send(r, status, gen);
}

int mirror_json_refuse_method(request_rec *r, const char *allowed)
{
    apr_table_setn(r->headers_out, "Allow", allowed);
    if (r->method_number == M_OPTIONS) {
        ap_set_content_length(r, 0);
        return OK;
    }
    return mirror_json_error(r, HTTP_METHOD_NOT_ALLOWED,
                             apr_psprintf(r->pool, "method: must be one of %s, got %s", allowed,
                                          mirror_value_quote(r->method, r->pool)));
}
