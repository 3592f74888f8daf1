/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * tables.c - print the tables that the documentation is generated from, as JSON. Not installed.
 *
 * docs/generate.py reads the output. Every name, type, default and range in it is an entry of a
 * table of the module: mirror_attributes, mirror_directives_commands, the outcomes, the
 * vocabulary of the comparison, and the metrics as mirror_metrics_respond() prints them.
 *
 * The program links the module's objects without httpd. The functions of httpd that the output
 * needs are below; all others stay unresolved (Makefile.am) and are never called.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <httpd.h>
#include <http_config.h>
#include <http_protocol.h>
#include <apr_general.h>
#include <apr_strings.h>

#include "admin/metrics.h"
#include "attributes/attributes.h"
#include "base/comparison.h"
#include "base/mirror.h"
#include "config/directives.h"

static yajl_gen json;

/* ---- httpd's part ---- */

module AP_MODULE_DECLARE_DATA proxy_mirror_module = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, NULL, 0
};

/* Add what mirror_metrics_respond() prints to the JSON: one string for each call. */
AP_DECLARE_NONSTD(int) ap_rprintf(request_rec *r, const char *format, ...)
{
    va_list args;
    const char *text;

    va_start(args, format);
    text = apr_pvsprintf(r->pool, format, args);
    va_end(args);
    yajl_gen_string(json, (const unsigned char *)text, strlen(text));
    return (int)strlen(text);
}

AP_DECLARE(void) ap_set_content_type(request_rec *r, const char *type)
{
    (void)r;
    (void)type;
}

/* ---- JSON ---- */

static void put(const char *text)
{
    if (text) {
        yajl_gen_string(json, (const unsigned char *)text, strlen(text));
    }
    else {
        yajl_gen_null(json);
    }
}

static void put_member(const char *key, const char *text)
{
    put(key);
    put(text);
}

static void put_flag(const char *key, int flag)
{
    put(key);
    yajl_gen_bool(json, flag);
}

static const char *type_name(const mirror_value_type_t *type)
{
    static const struct {
        const mirror_value_type_t *type;
        const char *name;
    } types[] = {
        { &mirror_value_bool, "boolean" },  { &mirror_value_number, "number" },
        { &mirror_value_size, "size" },     { &mirror_value_time, "time" },
        { &mirror_value_choice, "choice" }, { &mirror_value_string, "string" },
        { &mirror_value_target, "target" }, { &mirror_value_list, "list" },
        { &mirror_value_secret, "secret" }, { &mirror_value_ratio, "ratio" },
        { &mirror_value_host, "host" },     { &mirror_value_set, "set" },
        { &mirror_value_texts, "texts" },   { &mirror_value_file_choice, "choice" },
        { &mirror_value_date, "date" },     { &mirror_value_servers, "servers" },
    };
    size_t i;

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (types[i].type == type) {
            return types[i].name;
        }
    }
    return "unknown";
}

/* ---- the tables ---- */

static void put_attribute(const mirror_attribute_t *row)
{
    const char *const *word;

    yajl_gen_map_open(json);
    put_member("name", row->name);
    put_member("type", type_name(row->rule.type));
    put_member("default", row->initial);
    put("min");
    yajl_gen_integer(json, row->rule.min);
    put("max");
    yajl_gen_integer(json, row->rule.max);
    put("choices");
    yajl_gen_array_open(json);
    for (word = row->rule.choices; word && *word; word++) {
        put(*word);
    }
    yajl_gen_array_close(json);
    put_member("needs", row->effective);
    put_flag("word", !(row->flags & MIRROR_ATTRIBUTE_NO_WORD));
    put_flag("defaults", !(row->flags & MIRROR_ATTRIBUTE_NO_DEFAULT));
    put_flag("json", !(row->flags & MIRROR_ATTRIBUTE_NO_JSON));
    yajl_gen_map_close(json);
}

static void put_directive(const command_rec *row)
{
    yajl_gen_map_open(json);
    put_member("name", row->name);
    put_member("help", row->errmsg);
    put_flag("server", (row->req_override & RSRC_CONF) != 0);
    put_flag("directory", (row->req_override & ACCESS_CONF) != 0);
    yajl_gen_map_close(json);
}

/* The heads of all metrics: without a mirror there is nothing else. */
static void put_metrics(apr_pool_t *pool)
{
    mirror_registry_t *registry = apr_pcalloc(pool, sizeof(*registry));
    request_rec *r = apr_pcalloc(pool, sizeof(*r));

    registry->mirrors = apr_array_make(pool, 1, sizeof(mirror_t *));
    r->pool = pool;
    r->headers_out = apr_table_make(pool, 2);
    mirror_metrics_respond(r, registry);
}

typedef const char *name_fn(int n);

static const char *outcome_name(int n)
{
    return mirror_outcome_name((mirror_outcome_e)n);
}

static const char *verdict_name(int n)
{
    return mirror_verdict_name((mirror_verdict_e)n);
}

static const char *skip_name(int n)
{
    return mirror_skip_name((mirror_skip_e)n);
}

static const char *kind_name(int n)
{
    return mirror_kind_name((mirror_kind_e)n);
}

static void put_names(const char *key, name_fn *name, int count)
{
    int i;

    put(key);
    yajl_gen_array_open(json);
    for (i = 0; i < count; i++) {
        put(name(i));
    }
    yajl_gen_array_close(json);
}

static void put_tables(apr_pool_t *pool)
{
    const mirror_attribute_t *attribute;
    const command_rec *directive;

    yajl_gen_map_open(json);
    put("attributes");
    yajl_gen_array_open(json);
    for (attribute = mirror_attributes; attribute->name; attribute++) {
        put_attribute(attribute);
    }
    yajl_gen_array_close(json);
    put("directives");
    yajl_gen_array_open(json);
    for (directive = mirror_directives_commands; directive->name; directive++) {
        put_directive(directive);
    }
    yajl_gen_array_close(json);
    put_names("outcomes", outcome_name, MIRROR_OUTCOME_COUNT);
    put_names("verdicts", verdict_name, MIRROR_VERDICT_COUNT);
    put_names("skips", skip_name, MIRROR_SKIP_COUNT);
    put_names("kinds", kind_name, MIRROR_KIND_COUNT);
    put("metrics");
    yajl_gen_array_open(json);
    put_metrics(pool);
    yajl_gen_array_close(json);
    yajl_gen_map_close(json);
}

int main(void)
{
    const unsigned char *text;
    size_t length;
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    json = yajl_gen_alloc(NULL);
    yajl_gen_config(json, yajl_gen_beautify, 1);
    put_tables(pool);
    if (yajl_gen_get_buf(json, &text, &length) != yajl_gen_status_ok) {
        fprintf(stderr, "tables: the JSON is not complete\n");
        return 1;
    }
    fwrite(text, 1, length, stdout);
    yajl_gen_free(json);
    apr_terminate();
    return 0;
}
