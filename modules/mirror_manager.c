/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * mirror_manager.c - what an administrator asks. See mirror_manager.h.
 *
 * An answer is written into one yajl_gen, then sent as a whole; faults are answered the same way, as
 * {"error": "..."}. Which resource is meant is what the URI has below the location, as path_info depends on which
 * folders there are below DocumentRoot.
 */
#include <string.h>

#include <ap_expr.h>
#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>
#include <http_protocol.h>
#include <yajl/yajl_gen.h>

#include "mirror_attributes.h"
#include "mirror_config.h"
#include "mirror_limit.h"
#include "mirror_manager.h"
#include "mirror_metrics.h"
#include "mirror_slotmem.h"

#define HANDLER  "proxy-mirror-status"
#define RESOURCE "/mirrors"
#define METRICS  "/metrics"
#define ALLOWED  "GET, HEAD"

/* ---- JSON ---- */

static apr_status_t free_json(void *gen)
{
    yajl_gen_free(gen);
    return APR_SUCCESS;
}

static yajl_gen json_create(request_rec *r)
{
    yajl_gen gen = yajl_gen_alloc(NULL);

    yajl_gen_config(gen, yajl_gen_beautify, 1);
    yajl_gen_config(gen, yajl_gen_indent_string, "  ");
    apr_pool_cleanup_register(r->pool, gen, free_json, apr_pool_cleanup_null);
    return gen;
}

/* What comes from a URI or a configuration file may be in any encoding; JSON is in UTF-8 (RFC 8259 8.1). */
static void put_text(yajl_gen gen, apr_pool_t *p, const char *text)
{
    apr_size_t len = strlen(text);

    yajl_gen_config(gen, yajl_gen_validate_utf8, 1);
    if (yajl_gen_string(gen, (const unsigned char *)text, len) == yajl_gen_invalid_string) {
        char *ascii = apr_pstrmemdup(p, text, len);
        char *c;

        for (c = ascii; *c != '\0'; c++) {
            *c = (*c & 0x80) != 0 ? '?' : *c;
        }
        yajl_gen_string(gen, (const unsigned char *)ascii, len);
    }
    yajl_gen_config(gen, yajl_gen_validate_utf8, 0);
}

static void put_key(yajl_gen gen, const char *key)
{
    yajl_gen_string(gen, (const unsigned char *)key, strlen(key));
}

static void put_count(yajl_gen gen, const char *key, apr_uint64_t n)
{
    put_key(gen, key);
    yajl_gen_integer(gen, (long long)n);
}

/* ---- one mirror ---- */

static void put_time(yajl_gen gen, const char *key, apr_time_t t)
{
    char iso[32];
    apr_time_exp_t x;

    put_key(gen, key);
    if (t == 0 || apr_time_exp_gmt(&x, t) != APR_SUCCESS) {
        yajl_gen_null(gen);
        return;
    }
    apr_snprintf(iso, sizeof(iso), "%04d-%02d-%02dT%02d:%02d:%02dZ", x.tm_year + 1900, x.tm_mon + 1, x.tm_mday,
                 x.tm_hour, x.tm_min, x.tm_sec);
    put_key(gen, iso);
}

static void put_limit(yajl_gen gen, const mirror_t *mirror)
{
    mirror_limit_state_t state;

    put_key(gen, "limit");
    if (!mirror->settings->enable_limit_count || mirror->slot == NULL) {
        yajl_gen_null(gen);
        return;
    }
    mirror_limit_state(&state, mirror);
    yajl_gen_map_open(gen);
    put_count(gen, "used", (apr_uint64_t)state.used);
    put_time(gen, "closed_until", state.closed_until);
    put_key(gen, "fallback");
    yajl_gen_bool(gen, state.fallback);
    yajl_gen_map_close(gen);
}

static void put_state(yajl_gen gen, const mirror_t *mirror, const mirror_totals_t *totals)
{
    apr_time_t down_until = mirror->slot != NULL ? (apr_time_t)apr_atomic_read64(&mirror->slot->down_until) : 0;

    put_key(gen, "state");
    yajl_gen_map_open(gen);
    put_count(gen, "queued", totals->queued);
    put_count(gen, "in_flight", totals->sum.in_flight);
    put_count(gen, "connections", totals->sum.connections);
    put_count(gen, "bytes", totals->sum.bytes);
    put_time(gen, "down_until", down_until > apr_time_now() ? down_until : 0);
    put_limit(gen, mirror);
    yajl_gen_map_close(gen);
}

static void put_outcomes(yajl_gen gen, const mirror_cell_t *sum)
{
    int i;

    put_key(gen, "outcomes");
    yajl_gen_map_open(gen);
    for (i = 0; i < MIRROR_OUTCOME_COUNT; i++) {
        put_count(gen, mirror_outcome_name((mirror_outcome_e)i), sum->outcomes[i]);
    }
    yajl_gen_map_close(gen);
}

static void put_responses(yajl_gen gen, const mirror_cell_t *sum)
{
    static const char *const names[] = { "1xx", "2xx", "3xx", "4xx", "5xx" };
    int i;

    put_key(gen, "responses");
    yajl_gen_map_open(gen);
    for (i = 0; i < 5; i++) {
        put_count(gen, names[i], sum->responses[i]);
    }
    yajl_gen_map_close(gen);
}

/* As a number that people like to read, with at most three decimals; null if nothing was measured. */
static void put_ms(yajl_gen gen, const char *key, double ms)
{
    apr_int64_t us = (apr_int64_t)(ms * 1000 + 0.5);
    char number[32];
    int len;

    put_key(gen, key);
    if (ms < 0) {
        yajl_gen_null(gen);
        return;
    }
    len = apr_snprintf(number, sizeof(number), "%" APR_INT64_T_FMT ".%03d", us / 1000, (int)(us % 1000));
    while (number[len - 1] == '0') {
        len--;
    }
    yajl_gen_number(gen, number, (size_t)(number[len - 1] == '.' ? len - 1 : len));
}

static void put_latency(yajl_gen gen, const mirror_cell_t *sum)
{
    put_key(gen, "latency_ms");
    yajl_gen_map_open(gen);
    put_ms(gen, "p50", mirror_slotmem_quantile(sum, 0.5));
    put_ms(gen, "p90", mirror_slotmem_quantile(sum, 0.9));
    put_ms(gen, "p99", mirror_slotmem_quantile(sum, 0.99));
    yajl_gen_map_close(gen);
}

static void put_mirror(yajl_gen gen, request_rec *r, mirror_table_t *table, const mirror_t *mirror)
{
    mirror_totals_t totals;

    memset(&totals, 0, sizeof(totals));
    if (table != NULL && mirror->slot != NULL) {
        mirror_slotmem_sum(&totals, table, mirror->slot);
    }
    yajl_gen_map_open(gen);
    put_key(gen, "name");
    put_text(gen, r->pool, mirror->name);
    put_key(gen, "server");
    put_text(gen, r->pool, mirror->server);
    put_key(gen, "scope");
    put_text(gen, r->pool, mirror->scope);
    put_key(gen, "overridden");
    yajl_gen_bool(gen, 0);
    put_key(gen, "attributes");
    mirror_attributes_print(gen, mirror->settings, r->pool);
    put_state(gen, mirror, &totals);
    put_count(gen, "seen", totals.sum.seen);
    put_outcomes(gen, &totals.sum);
    put_responses(gen, &totals.sum);
    put_latency(gen, &totals.sum);
    yajl_gen_map_close(gen);
}

/* It changes with the settings and with nothing else, as it is what a change is conditional on (RFC 9110 13.1.1). */
static const char *etag_of(request_rec *r, const mirror_t *mirror)
{
    apr_uint64_t hash = APR_UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    yajl_gen gen = json_create(r);
    const unsigned char *text;
    size_t len;

    mirror_attributes_print(gen, mirror->settings, r->pool);
    yajl_gen_get_buf(gen, &text, &len);
    while (len-- > 0) {
        hash = (hash ^ *text++) * APR_UINT64_C(0x100000001b3);
    }
    return apr_psprintf(r->pool, "\"%016" APR_UINT64_T_HEX_FMT "\"", hash);
}

/* ---- answers ---- */

static int send_json(request_rec *r, int status, yajl_gen gen)
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

static int send_error(request_rec *r, int status, const char *text)
{
    yajl_gen gen = json_create(r);

    yajl_gen_map_open(gen);
    put_key(gen, "error");
    put_text(gen, r->pool, text);
    yajl_gen_map_close(gen);
    return send_json(r, status, gen);
}

static int answer_index(request_rec *r, const char *location)
{
    yajl_gen gen = json_create(r);

    yajl_gen_map_open(gen);
    put_key(gen, "mirrors");
    put_text(gen, r->pool, apr_pstrcat(r->pool, ap_escape_uri(r->pool, location), RESOURCE, NULL));
    yajl_gen_map_close(gen);
    return send_json(r, HTTP_OK, gen);
}

static int answer_list(request_rec *r, const mirror_registry_t *registry)
{
    yajl_gen gen = json_create(r);
    int i;

    yajl_gen_map_open(gen);
    put_key(gen, "mirrors");
    yajl_gen_array_open(gen);
    for (i = 0; i < registry->mirrors->nelts; i++) {
        put_mirror(gen, r, registry->table, APR_ARRAY_IDX(registry->mirrors, i, const mirror_t *));
    }
    yajl_gen_array_close(gen);
    yajl_gen_map_close(gen);
    return send_json(r, HTTP_OK, gen);
}

static int answer_mirror(request_rec *r, const mirror_registry_t *registry, const char *name)
{
    int i;

    for (i = 0; i < registry->mirrors->nelts; i++) {
        const mirror_t *mirror = APR_ARRAY_IDX(registry->mirrors, i, const mirror_t *);

        if (strcmp(mirror->name, name) == 0) {
            yajl_gen gen = json_create(r);

            put_mirror(gen, r, registry->table, mirror);
            apr_table_setn(r->headers_out, "ETag", etag_of(r, mirror));
            return send_json(r, HTTP_OK, gen);
        }
    }
    return send_error(r, HTTP_NOT_FOUND, apr_psprintf(r->pool, "%s: no such mirror", name));
}

/* ---- which resource ---- */

static int begins_with_path(const char *uri, const char *path, apr_size_t len)
{
    return strncmp(uri, path, len) == 0 && (uri[len] == '/' || uri[len] == '\0');
}

static int sets_our_handler(request_rec *r, const core_dir_config *section)
{
    const char *error = NULL;
    const char *handler = section->expr_handler != NULL ? ap_expr_str_exec(r, section->expr_handler, &error) : NULL;

    return handler != NULL && error == NULL && strcmp(handler, r->handler) == 0;
}

/* Length of the longest <Location> that sets the handler and has this URI in it; -1 if there is none. */
static int plain_location(request_rec *r)
{
    core_server_config *server = ap_get_core_module_config(r->server->module_config);
    int longest = -1;
    int i;

    for (i = 0; i < server->sec_url->nelts; i++) {
        const core_dir_config *section =
            ap_get_core_module_config(APR_ARRAY_IDX(server->sec_url, i, ap_conf_vector_t *));
        apr_size_t len = strlen(section->d);

        while (len > 0 && section->d[len - 1] == '/') {
            len--;
        }
        if (section->r == NULL && !section->d_is_fnmatch && (int)len > longest &&
            begins_with_path(r->uri, section->d, len) && sets_our_handler(r, section)) {
            longest = (int)len;
        }
    }
    return longest;
}

/* For other sections the resource tells where the location ends: at the last "/mirrors" that has one name after it, or
 * none; it is the whole URI otherwise. */
static int guessed_location(request_rec *r)
{
    const char *name = ap_strrchr_c(r->uri, '/');
    apr_size_t before = name != NULL ? (apr_size_t)(name - r->uri) : 0;
    const apr_size_t len = sizeof(RESOURCE) - 1;

    if (name != NULL && (strcmp(name, RESOURCE) == 0 || strcmp(name, METRICS) == 0)) {
        return (int)before;
    }
    if (before >= len && memcmp(r->uri + before - len, RESOURCE, len) == 0) {
        return (int)(before - len);
    }
    return (int)(name != NULL && name[1] == '\0' ? before : strlen(r->uri));
}

static int answer(request_rec *r)
{
    const mirror_registry_t *registry = mirror_config_registry(r->server);
    int len = plain_location(r);
    const char *rest;

    if (len < 0) {
        len = guessed_location(r);
    }
    rest = r->uri + len;
    if (*rest == '\0' || strcmp(rest, "/") == 0) {
        return answer_index(r, apr_pstrmemdup(r->pool, r->uri, (apr_size_t)len));
    }
    if (strcmp(rest, METRICS) == 0) {
        return mirror_metrics_answer(r, registry);
    }
    if (!begins_with_path(rest, RESOURCE, sizeof(RESOURCE) - 1)) {
        return send_error(r, HTTP_NOT_FOUND,
                          apr_psprintf(r->pool, "%s: no such resource; there are " RESOURCE " and " METRICS, rest));
    }
    if (registry->table != NULL) {
        mirror_slotmem_settle_ended(registry->table);
    }
    rest += sizeof(RESOURCE) - 1;
    return *rest == '\0' || strcmp(rest, "/") == 0 ? answer_list(r, registry) : answer_mirror(r, registry, rest + 1);
}

int mirror_manager_handler(request_rec *r)
{
    int rv;

    if (r->handler == NULL || strcmp(r->handler, HANDLER) != 0) {
        return DECLINED;
    }
    rv = ap_discard_request_body(r);
    if (rv != OK) {
        return rv;
    }
    if (r->method_number == M_GET) {
        return answer(r);
    }
    apr_table_setn(r->headers_out, "Allow", ALLOWED);
    if (r->method_number == M_OPTIONS) {
        ap_set_content_length(r, 0);
        return OK;
    }
    return send_error(r, HTTP_METHOD_NOT_ALLOWED,
                      apr_psprintf(r->pool, "method: one of " ALLOWED " is needed; got %s", r->method));
}
