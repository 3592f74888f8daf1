/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/comparison_json.c - the results of comparing as JSON. See admin/comparison_json.h.
 */
#include <string.h>

#include <apr_sha1.h>
#include <apr_strings.h>
#include <httpd.h>
#include <http_protocol.h>

#include "admin/comparison_view.h"
#include "admin/comparison_json.h"
#include "admin/json.h"
#include "settings/rules.h"
#include "settings/scope.h"
#include "settings/settings.h"
#include "shared/table.h"

#define ETAG_BYTES 8

static void put_texts(yajl_gen gen, const char *key, const char *text, apr_pool_t *pool)
{
    mirror_json_put_key(gen, key);
    if (text) {
        mirror_json_put_text(gen, text, pool);
    }
    else {
        yajl_gen_null(gen);
    }
}

static void put_verdicts(yajl_gen gen, const mirror_findings_view_t *view)
{
    int i;

    mirror_json_put_count(gen, "compared", view->compared);
    mirror_json_put_key(gen, "verdicts");
    yajl_gen_map_open(gen);
    for (i = 0; i < MIRROR_VERDICT_COUNT; i++) {
        mirror_json_put_count(gen, mirror_verdict_name((mirror_verdict_e)i), view->verdicts[i]);
    }
    yajl_gen_map_close(gen);
    mirror_json_put_key(gen, "skipped");
    yajl_gen_map_open(gen);
    for (i = 0; i < MIRROR_SKIP_COUNT; i++) {
        mirror_json_put_count(gen, mirror_skip_name((mirror_skip_e)i), view->skips[i]);
    }
    yajl_gen_map_close(gen);
}

static void put_pairs(yajl_gen gen, const mirror_findings_view_t *view)
{
    int i;

    mirror_json_put_key(gen, "status");
    yajl_gen_array_open(gen);
    for (i = 0; i < view->pair_count; i++) {
        yajl_gen_map_open(gen);
        mirror_json_put_count(gen, "primary", (apr_uint64_t)view->pairs[i].primary);
        mirror_json_put_count(gen, "mirror", (apr_uint64_t)view->pairs[i].mirror);
        mirror_json_put_count(gen, "count", view->pairs[i].count);
        yajl_gen_map_close(gen);
    }
    yajl_gen_array_close(gen);
}

static void put_quantiles(yajl_gen gen, const char *key, const apr_uint64_t *buckets)
{
    mirror_json_put_key(gen, key);
    yajl_gen_map_open(gen);
    mirror_json_put_ms(gen, "p50", mirror_cell_quantile(buckets, 0.5));
    mirror_json_put_ms(gen, "p90", mirror_cell_quantile(buckets, 0.9));
    mirror_json_put_ms(gen, "p99", mirror_cell_quantile(buckets, 0.99));
    yajl_gen_map_close(gen);
}

/* Mirror less primary; negative if the mirror was faster, which put_ms() would print as null. */
static void put_difference(yajl_gen gen, const char *key, const mirror_found_latency_t *latency,
                           double q)
{
    double ms = 0;
    char text[32];

    mirror_json_put_key(gen, key);
    if (!mirror_comparison_view_difference(&ms, latency, q)) {
        yajl_gen_null(gen);
        return;
    }
    apr_snprintf(text, sizeof(text), "%.3f", ms);
    yajl_gen_number(gen, text, strlen(text));
}

static void put_latency(yajl_gen gen, const mirror_found_latency_t *latency)
{
    mirror_json_put_key(gen, "latency_ms");
    yajl_gen_map_open(gen);
    put_quantiles(gen, "primary", latency->primary);
    put_quantiles(gen, "mirror", latency->mirror);
    mirror_json_put_key(gen, "difference");
    yajl_gen_map_open(gen);
    put_difference(gen, "p50", latency, 0.5);
    put_difference(gen, "p90", latency, 0.9);
    put_difference(gen, "p99", latency, 0.99);
    yajl_gen_map_close(gen);
    yajl_gen_map_close(gen);
}

static void put_groups(yajl_gen gen, const mirror_findings_view_t *view, apr_pool_t *pool)
{
    int i;

    mirror_json_put_key(gen, "groups");
    yajl_gen_array_open(gen);
    for (i = 0; i < view->group_count; i++) {
        yajl_gen_map_open(gen);
        put_texts(gen, "group", view->groups[i].group, pool);
        mirror_json_put_count(gen, "compared", view->groups[i].compared);
        mirror_json_put_count(gen, "different", view->groups[i].different);
        yajl_gen_map_close(gen);
    }
    yajl_gen_array_close(gen);
}

static void put_row(yajl_gen gen, const mirror_found_row_t *row, apr_pool_t *pool)
{
    yajl_gen_map_open(gen);
    put_texts(gen, "field", row->field, pool);
    put_texts(gen, "kind", mirror_kind_name(row->kind), pool);
    mirror_json_put_count(gen, "count", row->count);
    mirror_json_put_count(gen, "mirror_alone", row->sides[MIRROR_SIDE_MIRROR_ALONE]);
    mirror_json_put_count(gen, "reference_alone", row->sides[MIRROR_SIDE_REFERENCE_ALONE]);
    yajl_gen_map_close(gen);
}

static void put_values(yajl_gen gen, const mirror_found_example_t *example, apr_pool_t *pool)
{
    int i;

    mirror_json_put_key(gen, "values");
    yajl_gen_array_open(gen);
    for (i = 0; i < example->value_count; i++) {
        const mirror_found_value_t *value = &example->values[i];

        yajl_gen_map_open(gen);
        put_texts(gen, "field", value->row->field, pool);
        put_texts(gen, "kind", mirror_kind_name(value->row->kind), pool);
        put_texts(gen, "primary", value->sides[0], pool);
        put_texts(gen, "mirror", value->sides[1], pool);
        yajl_gen_map_close(gen);
    }
    yajl_gen_array_close(gen);
}

static void put_examples(yajl_gen gen, const mirror_found_t *found, int with_values,
                         apr_pool_t *pool)
{
    int i;

    mirror_json_put_key(gen, "examples");
    yajl_gen_array_open(gen);
    for (i = 0; i < found->example_count; i++) {
        const mirror_found_example_t *example = &found->examples[i];

        yajl_gen_map_open(gen);
        mirror_json_put_time(gen, "time", example->time);
        put_texts(gen, "request_id", example->request_id, pool);
        put_texts(gen, "method", example->method, pool);
        put_texts(gen, "path", example->path, pool);
        mirror_json_put_key(gen, "status");
        yajl_gen_array_open(gen);
        yajl_gen_integer(gen, example->status[0]);
        yajl_gen_integer(gen, example->status[1]);
        yajl_gen_array_close(gen);
        if (with_values && example->value_count > 0) {
            put_values(gen, example, pool);
        }
        yajl_gen_map_close(gen);
    }
    yajl_gen_array_close(gen);
}

static void put_findings(yajl_gen gen, const mirror_findings_view_t *view, int with_values,
                         apr_pool_t *pool)
{
    int i, n;

    mirror_json_put_key(gen, "findings");
    yajl_gen_array_open(gen);
    for (i = 0; i < view->finding_count; i++) {
        const mirror_found_t *found = &view->findings[i];

        if (found->noise) {
            continue;
        }
        yajl_gen_map_open(gen);
        put_texts(gen, "group", found->group, pool);
        mirror_json_put_count(gen, "count", found->count);
        mirror_json_put_time(gen, "first", found->first);
        mirror_json_put_time(gen, "last", found->last);
        mirror_json_put_key(gen, "rows");
        yajl_gen_array_open(gen);
        for (n = 0; n < found->row_count; n++) {
            put_row(gen, found->rows[n], pool);
        }
        yajl_gen_array_close(gen);
        put_examples(gen, found, with_values, pool);
        yajl_gen_map_close(gen);
    }
    yajl_gen_array_close(gen);
}

static void put_noise(yajl_gen gen, const mirror_findings_view_t *view, apr_pool_t *pool)
{
    int i;

    mirror_json_put_key(gen, "noise");
    yajl_gen_array_open(gen);
    for (i = 0; i < view->row_count; i++) {
        const mirror_found_row_t *row = &view->rows[i];

        if (row->noise && row->count > 0) {
            yajl_gen_map_open(gen);
            put_texts(gen, "group", row->group, pool);
            put_texts(gen, "field", row->field, pool);
            put_texts(gen, "kind", mirror_kind_name(row->kind), pool);
            mirror_json_put_count(gen, "count", row->count);
            put_texts(gen, "why", row->noise, pool);
            yajl_gen_map_close(gen);
        }
    }
    yajl_gen_array_close(gen);
}

static void put_rule(yajl_gen gen, const mirror_findings_view_t *view,
                     const mirror_settings_t *settings, const mirror_compare_rule_t *rule,
                     int of_file, apr_pool_t *pool)
{
    static const char *const states[] = { "collecting", "used", "matches_nothing" };
    mirror_found_rule_t counted;
    mirror_comparison_rule_e state = mirror_comparison_view_rule(&counted, view, rule, settings);

    yajl_gen_map_open(gen);
    put_texts(gen, "rule", mirror_compare_rule_text(rule), pool);
    put_texts(gen, "source", of_file ? "file" : "manager", pool);
    mirror_json_put_count(gen, "compared", counted.compared);
    mirror_json_put_count(gen, "hits", counted.hits);
    mirror_json_put_count(gen, "failed", counted.failures);
    put_texts(gen, "state", states[state], pool);
    yajl_gen_map_close(gen);
}

/* The rules in force: lines of the file, then compare_rules. */
static void put_rules(yajl_gen gen, request_rec *r, const mirror_registry_t *registry,
                      const mirror_t *mirror, const mirror_findings_view_t *view)
{
    const apr_array_header_t *lines = mirror_scope_rules_of(mirror, r->pool);
    const mirror_settings_t *settings = mirror_settings_borrow(registry, mirror, r->pool);
    const apr_array_header_t *own = settings->rules ? settings->rules->compare : NULL;
    const mirror_rules_t *file = mirror->settings->rules;
    int i;

    mirror_json_put_key(gen, "rules");
    yajl_gen_array_open(gen);
    for (i = 0; lines && i < lines->nelts; i++) {
        put_rule(gen, view, settings, APR_ARRAY_IDX(lines, i, const mirror_compare_rule_t *), 1,
                 r->pool);
    }
    for (i = 0; own && i < own->nelts; i++) {
        const mirror_compare_rule_t *rule = APR_ARRAY_IDX(own, i, const mirror_compare_rule_t *);

        put_rule(gen, view, settings, rule,
                 file &&
                     mirror_comparison_view_has_rule(file->compare, mirror_compare_rule_text(rule)),
                 r->pool);
    }
    yajl_gen_array_close(gen);
}

/* Pairs that are chosen and have not ended. */
static apr_uint64_t pending(const mirror_registry_t *registry, const mirror_t *mirror)
{
    mirror_totals_t totals;

    if (!registry->table || !mirror->slot) {
        return 0;
    }
    mirror_totals_sum(&totals, registry->table, mirror->slot);
    return totals.sum.chosen > totals.sum.decided ? totals.sum.chosen - totals.sum.decided : 0;
}

/* Set the ETag of a document, a hash of its bytes, and check the preconditions of the request (RFC 9110
 * 13.2.2). Returns OK, or what a handler returns. */
static int check_conditions(request_rec *r, yajl_gen gen)
{
    unsigned char digest[APR_SHA1_DIGESTSIZE];
    const unsigned char *text;
    char hex[2 * ETAG_BYTES + 1];
    apr_sha1_ctx_t sha1;
    size_t len;
    int rv;

    yajl_gen_get_buf(gen, &text, &len);
    apr_sha1_init(&sha1);
    apr_sha1_update_binary(&sha1, text, (unsigned)len);
    apr_sha1_final(digest, &sha1);
    ap_bin2hex(digest, ETAG_BYTES, hex);
    apr_table_setn(r->headers_out, "ETag", apr_pstrcat(r->pool, "\"", hex, "\"", NULL));
    rv = ap_meets_conditions(r);
    return rv == HTTP_PRECONDITION_FAILED
               ? mirror_json_error(r, rv, "If-Match: must be the ETag of the results, got another")
               : rv;
}

int mirror_comparison_json_send(request_rec *r, const mirror_registry_t *registry,
                                const mirror_t *mirror, const mirror_findings_view_t *view,
                                int may_change)
{
    const mirror_settings_t *settings = mirror_settings_borrow(registry, mirror, r->pool);
    int with_values = may_change && mirror_comparison_view_keeps_values(settings);
    yajl_gen gen = mirror_json_create(r->pool);
    int rv;

    yajl_gen_map_open(gen);
    put_texts(gen, "mirror", mirror->name, r->pool);
    put_texts(gen, "reference", mirror_comparison_view_reference(r, registry, mirror), r->pool);
    mirror_json_put_count(gen, "reference_unlike", view->reference_unlike);
    mirror_json_put_time(gen, "since", view->since);
    put_texts(gen, "verdict", mirror_overall_name(mirror_findings_overall(view)), r->pool);
    put_verdicts(gen, view);
    mirror_json_put_count(gen, "pending", pending(registry, mirror));
    put_pairs(gen, view);
    put_latency(gen, &view->latency);
    put_groups(gen, view, r->pool);
    put_findings(gen, view, with_values, r->pool);
    put_noise(gen, view, r->pool);
    put_rules(gen, r, registry, mirror, view);
    mirror_json_put_key(gen, "truncated");
    yajl_gen_map_open(gen);
    mirror_json_put_count(gen, "fields", view->truncated_fields);
    mirror_json_put_count(gen, "groups", view->truncated_groups);
    yajl_gen_map_close(gen);
    yajl_gen_map_close(gen);
    rv = check_conditions(r, gen);
    return rv == OK && r->status == HTTP_OK ? mirror_json_send(r, HTTP_OK, gen) : rv;
}
