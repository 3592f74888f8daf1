/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/metrics.c - metrics for Prometheus. See admin/metrics.h.
 *
 * The format requires all samples of a metric together below its HELP and TYPE. So the mirrors are
 * summed up first, and then printed once per metric.
 */
#include <http_protocol.h>
#include <apr_strings.h>

#include "admin/metrics.h"
#include "admin/view.h"

/* A mirror at the time of the request. */
typedef struct metrics_t {
    const char *label; /* mirror="name" */
    int up;
    mirror_totals_t totals;
} metrics_t;

/* The bounds of the histogram's buckets in seconds, as printed; each is one of
 * mirror_cell_latency_ms. */
static const struct {
    const char *le;
    double ms;
} buckets[] = {
    { "0.001", 1 }, { "0.005", 5 }, { "0.01", 10 }, { "0.05", 50 },  { "0.1", 100 },
    { "0.5", 500 }, { "1", 1000 },  { "5", 5000 },  { "10", 10000 },
};

/* ---- the metrics ---- */

/* Return the label mirror="name"; backslash, quote and newline are escaped. */
static const char *label_of(const char *name, apr_pool_t *pool)
{
    char *label = apr_palloc(pool, 2 * strlen(name) + sizeof("mirror=\"\""));
    char *out = apr_cpystrn(label, "mirror=\"", sizeof("mirror=\""));

    for (; *name; name++) {
        if (*name == '\\' || *name == '"' || *name == '\n') {
            *out++ = '\\';
        }
        *out++ = *name == '\n' ? 'n' : *name;
    }
    *out++ = '"';
    *out = '\0';
    return label;
}

static metrics_t *collect(request_rec *r, const mirror_registry_t *registry)
{
    metrics_t *all = apr_pcalloc(r->pool, (apr_size_t)registry->mirrors->nelts * sizeof(*all));
    mirror_view_t view;
    int i;

    if (registry->table) {
        mirror_table_reap_ended(registry->table);
    }
    for (i = 0; i < registry->mirrors->nelts; i++) {
        const mirror_t *mirror = APR_ARRAY_IDX(registry->mirrors, i, const mirror_t *);

        all[i].label = label_of(mirror->name, r->pool);
        mirror_view_make(&view, registry, mirror, NULL, r->pool);
        all[i].totals = view.totals;
        all[i].up = view.state != MIRROR_VIEW_OFF && !view.down_until;
    }
    return all;
}

/* ---- printing ---- */

static void put_head(request_rec *r, const char *name, const char *type, const char *help)
{
    ap_rprintf(r, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_value(request_rec *r, const char *name, const metrics_t *one, const char *label,
                      const char *value, apr_uint64_t n)
{
    ap_rprintf(r, "%s{%s", name, one->label);
    if (label) {
        ap_rprintf(r, ",%s=\"%s\"", label, value);
    }
    ap_rprintf(r, "} %" APR_UINT64_T_FMT "\n", n);
}

static void put_counters(request_rec *r, const metrics_t *all, int count)
{
    static const char requests[] = "proxy_mirror_requests_total",
                      responses[] = "proxy_mirror_responses_total";
    static const char *const classes[] = { "1xx", "2xx", "3xx", "4xx", "5xx" };
    int i, n;

    put_head(r, requests, "counter", "Requests in the scope of the mirror, by outcome.");
    for (i = 0; i < count; i++) {
        for (n = 0; n < MIRROR_OUTCOME_COUNT; n++) {
            put_value(r, requests, &all[i], "outcome", mirror_outcome_name((mirror_outcome_e)n),
                      all[i].totals.sum.outcomes[n]);
        }
    }
    put_head(r, responses, "counter",
             "Responses of the mirror, by status class; 1xx are interim responses.");
    for (i = 0; i < count; i++) {
        for (n = 0; n < 5; n++) {
            put_value(r, responses, &all[i], "class", classes[n], all[i].totals.sum.responses[n]);
        }
    }
}

static apr_uint64_t queued(const metrics_t *one)
{
    return one->totals.queued;
}

static apr_uint64_t in_flight(const metrics_t *one)
{
    return one->totals.sum.in_flight;
}

static apr_uint64_t connections(const metrics_t *one)
{
    return one->totals.sum.connections;
}

static apr_uint64_t memory(const metrics_t *one)
{
    return one->totals.sum.bytes;
}

static apr_uint64_t up(const metrics_t *one)
{
    return (apr_uint64_t)one->up;
}

static const struct {
    const char *name, *help;
    apr_uint64_t (*value)(const metrics_t *one);
} gauges[] = {
    { "proxy_mirror_queued", "Copies that wait for a connection.", queued },
    { "proxy_mirror_in_flight", "Copies that were sent and have no complete response yet.",
      in_flight },
    { "proxy_mirror_connections", "Open connections to the mirror.", connections },
    { "proxy_mirror_memory_bytes", "Memory of copies.", memory },
    { "proxy_mirror_up",
      "0 while the mirror counts as down or has no slot of shared memory, otherwise 1.", up },
};

static void put_gauges(request_rec *r, const metrics_t *all, int count)
{
    unsigned n;
    int i;

    for (n = 0; n < sizeof(gauges) / sizeof(gauges[0]); n++) {
        put_head(r, gauges[n].name, "gauge", gauges[n].help);
        for (i = 0; i < count; i++) {
            put_value(r, gauges[n].name, &all[i], NULL, NULL, gauges[n].value(&all[i]));
        }
    }
}

/* Return the number of copies that took at most `ms`. All buckets have bounds of the histogram in
 * shared memory. */
static apr_uint64_t count_until(const mirror_cell_t *sum, double ms)
{
    apr_uint64_t n = 0;
    int i;

    for (i = 0; i < MIRROR_CELL_BUCKETS - 1 && mirror_cell_latency_ms[i] <= ms; i++) {
        n += sum->latency[i];
    }
    return n;
}

static apr_uint64_t count_all(const mirror_cell_t *sum)
{
    apr_uint64_t n = 0;
    int i;

    for (i = 0; i < MIRROR_CELL_BUCKETS; i++) {
        n += sum->latency[i];
    }
    return n;
}

static void put_histogram(request_rec *r, const metrics_t *all, int count)
{
    static const char name[] = "proxy_mirror_duration_seconds",
                      bucket[] = "proxy_mirror_duration_seconds_bucket";
    unsigned n;
    int i;

    put_head(r, name, "histogram",
             "Time from the connection to the end of the response, for mirrored copies.");
    for (i = 0; i < count; i++) {
        const mirror_cell_t *sum = &all[i].totals.sum;
        apr_uint64_t total = count_all(sum);

        for (n = 0; n < sizeof(buckets) / sizeof(buckets[0]); n++) {
            put_value(r, bucket, &all[i], "le", buckets[n].le, count_until(sum, buckets[n].ms));
        }
        put_value(r, bucket, &all[i], "le", "+Inf", total);
        ap_rprintf(r, "%s_sum{%s} %" APR_UINT64_T_FMT ".%06d\n", name, all[i].label,
                   sum->latency_us / 1000000, (int)(sum->latency_us % 1000000));
        ap_rprintf(r, "%s_count{%s} %" APR_UINT64_T_FMT "\n", name, all[i].label, total);
    }
}

int mirror_metrics_answer(request_rec *r, const mirror_registry_t *registry)
{
    const metrics_t *all = collect(r, registry);

    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    ap_set_content_type(r, "text/plain; version=0.0.4; charset=utf-8");
    put_counters(r, all, registry->mirrors->nelts);
    put_gauges(r, all, registry->mirrors->nelts);
    put_histogram(r, all, registry->mirrors->nelts);
    return OK;
}
