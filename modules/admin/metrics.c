/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/metrics.c - metrics for Prometheus. See admin/metrics.h.
 *
 * The format requires all samples of a metric together below its HELP and TYPE. So the mirrors are
 * summed up first, and then printed once per metric.
 */
#include <http_protocol.h>
#include <apr_strings.h>

#include "admin/comparison_view.h"
#include "admin/metrics.h"
#include "admin/view.h"
#include "base/clock.h"
#include "fleet/fleet.h"
#include "fleet/poller.h"

/* A mirror at the time of the request. */
typedef struct metrics_t {
    const char *label; /* mirror="name" */
    int up;
    mirror_totals_t totals;
    apr_array_header_t *servers; /* of mirror_servers_view_t; NULL = one */
    int compares;                /* its responses were compared at some time; then: */
    mirror_findings_counts_t findings;
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

static void collect_findings(metrics_t *one, const mirror_registry_t *registry,
                             const mirror_t *mirror)
{
    mirror_findings_t *findings = mirror_comparison_view_findings(registry, mirror);

    one->compares = findings != NULL;
    mirror_findings_counts(&one->findings, findings);
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
        all[i].servers = view.servers;
        collect_findings(&all[i], registry, mirror);
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

/* Only the codes that have occurred, so mirrors without gRPC have none. */
static void put_grpc(request_rec *r, const metrics_t *all, int count)
{
    static const char grpc[] = "proxy_mirror_grpc_total";
    int i, n;

    put_head(r, grpc, "counter", "Responses of the mirror to gRPC calls, by grpc-status.");
    for (i = 0; i < count; i++) {
        for (n = 0; n < MIRROR_CELL_GRPC; n++) {
            if (all[i].totals.sum.grpc[n] > 0) {
                put_value(r, grpc, &all[i], "code", apr_itoa(r->pool, n),
                          all[i].totals.sum.grpc[n]);
            }
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

static apr_uint64_t server_up(const mirror_servers_view_t *view)
{
    return view->down_until == 0;
}

static apr_uint64_t server_connections(const mirror_servers_view_t *view)
{
    return view->sum.connections;
}

/* Only of mirrors with several servers, at most 16 each. */
static void put_servers(request_rec *r, const metrics_t *all, int count, const char *name,
                        const char *help, apr_uint64_t (*value)(const mirror_servers_view_t *view))
{
    int i, n;

    put_head(r, name, "gauge", help);
    for (i = 0; i < count; i++) {
        for (n = 0; all[i].servers && n < all[i].servers->nelts; n++) {
            const mirror_servers_view_t *view =
                &APR_ARRAY_IDX(all[i].servers, n, mirror_servers_view_t);

            put_value(r, name, &all[i], "server", view->address, value(view));
        }
    }
}

/* Return the number of times in the histogram that are at most `ms`, which is a bound of its buckets. */
static apr_uint64_t count_until(const apr_uint64_t *latency, double ms)
{
    apr_uint64_t n = 0;
    int i;

    for (i = 0; i < MIRROR_CELL_BUCKETS - 1 && mirror_cell_latency_ms[i] <= ms; i++) {
        n += latency[i];
    }
    return n;
}

static apr_uint64_t count_all(const apr_uint64_t *latency)
{
    apr_uint64_t n = 0;
    int i;

    for (i = 0; i < MIRROR_CELL_BUCKETS; i++) {
        n += latency[i];
    }
    return n;
}

/* Print a histogram of one mirror; `us` is the sum of its times. */
static void put_buckets(request_rec *r, const char *name, const metrics_t *one,
                        const apr_uint64_t *latency, apr_uint64_t us)
{
    const char *bucket = apr_pstrcat(r->pool, name, "_bucket", NULL);
    apr_uint64_t total = count_all(latency);
    unsigned n;

    for (n = 0; n < sizeof(buckets) / sizeof(buckets[0]); n++) {
        put_value(r, bucket, one, "le", buckets[n].le, count_until(latency, buckets[n].ms));
    }
    put_value(r, bucket, one, "le", "+Inf", total);
    ap_rprintf(r, "%s_sum{%s} %" APR_UINT64_T_FMT ".%06d\n", name, one->label, us / 1000000,
               (int)(us % 1000000));
    ap_rprintf(r, "%s_count{%s} %" APR_UINT64_T_FMT "\n", name, one->label, total);
}

static void put_histogram(request_rec *r, const metrics_t *all, int count)
{
    static const char name[] = "proxy_mirror_duration_seconds";
    int i;

    put_head(r, name, "histogram",
             "Time from the connection to the end of the response, for mirrored copies.");
    for (i = 0; i < count; i++) {
        put_buckets(r, name, &all[i], all[i].totals.sum.latency, all[i].totals.sum.latency_us);
    }
}

/* ---- comparison: only of mirrors whose responses were compared ---- */

static void put_comparisons(request_rec *r, const metrics_t *all, int count)
{
    static const char compared[] = "proxy_mirror_comparisons_total",
                      skipped[] = "proxy_mirror_comparisons_skipped_total";
    int i, n;

    put_head(r, compared, "counter", "Compared pairs of responses, by their verdict.");
    for (i = 0; i < count; i++) {
        for (n = 0; all[i].compares && n < MIRROR_VERDICT_COUNT; n++) {
            put_value(r, compared, &all[i], "verdict", mirror_verdict_name((mirror_verdict_e)n),
                      all[i].findings.verdicts[n]);
        }
    }
    put_head(r, skipped, "counter", "Pairs of responses that were not compared, by the reason.");
    for (i = 0; i < count; i++) {
        for (n = 0; all[i].compares && n < MIRROR_SKIP_COUNT; n++) {
            put_value(r, skipped, &all[i], "reason", mirror_skip_name((mirror_skip_e)n),
                      all[i].findings.skips[n]);
        }
    }
}

/* Only those that there were: most parts have few kinds. */
static void put_differences(request_rec *r, const metrics_t *all, int count)
{
    static const char name[] = "proxy_mirror_differences_total";
    int i, part, kind;

    put_head(r, name, "counter", "Responses that differ, by part and kind of the difference.");
    for (i = 0; i < count; i++) {
        for (part = 0; all[i].compares && part < MIRROR_PART_COUNT; part++) {
            for (kind = 0; kind < MIRROR_KIND_COUNT; kind++) {
                apr_uint64_t n = all[i].findings.kinds[part][kind];

                if (n > 0) {
                    ap_rprintf(r, "%s{%s,part=\"%s\",kind=\"%s\"} %" APR_UINT64_T_FMT "\n", name,
                               all[i].label, mirror_part_name((mirror_part_e)part),
                               mirror_kind_name((mirror_kind_e)kind), n);
                }
            }
        }
    }
}

static void put_primary(request_rec *r, const metrics_t *all, int count)
{
    static const char name[] = "proxy_mirror_primary_duration_seconds";
    int i;

    put_head(r, name, "histogram",
             "How long the primary took for a compared request, to the end of its response.");
    for (i = 0; i < count; i++) {
        if (all[i].compares) {
            put_buckets(r, name, &all[i], all[i].findings.primary, all[i].findings.primary_us);
        }
    }
}

/* ---- the fleet: only of a node of one ---- */

static void put_fleet_value(request_rec *r, const mirror_registry_t *registry, const char *name,
                            const char *help, apr_uint64_t value)
{
    put_head(r, name, "gauge", help);
    if (registry->fleet && registry->table) {
        ap_rprintf(r, "%s{fleet=\"%s\"} %" APR_UINT64_T_FMT "\n", name, registry->fleet->name,
                   value);
    }
}

static void put_fleet(request_rec *r, const mirror_registry_t *registry)
{
    mirror_fleet_words_t none = { 0 }, *words = &none;
    apr_uint64_t checked, down;

    if (registry->fleet && registry->table) {
        words = mirror_table_fleet(registry->table);
    }
    checked = apr_atomic_read64(&words->checked);
    down = apr_atomic_read64(&words->down_since);
    put_fleet_value(r, registry, "proxy_mirror_fleet_up",
                    "1 if the store of the fleet responds as it should, otherwise 0.",
                    checked != 0 && down == 0);
    put_fleet_value(r, registry, "proxy_mirror_fleet_revision",
                    "Revision of the fleet that is in force on this node.",
                    apr_atomic_read64(&words->revision));
    put_fleet_value(r, registry, "proxy_mirror_fleet_age_seconds",
                    "Time since the store of the fleet last responded.",
                    checked ? (apr_uint64_t)apr_time_sec(mirror_clock_now() - (apr_time_t)checked)
                            : 0);
    put_fleet_value(r, registry, "proxy_mirror_fleet_refused",
                    "Documents of the fleet that this node refuses.",
                    apr_atomic_read64(&words->refused));
    put_fleet_value(r, registry, "proxy_mirror_fleet_leader",
                    "1 if a child process of this node polls the store of the fleet, otherwise 0.",
                    words != &none && mirror_poller_leads(registry));
}

int mirror_metrics_respond(request_rec *r, const mirror_registry_t *registry)
{
    const metrics_t *all = collect(r, registry);

    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    ap_set_content_type(r, "text/plain; version=0.0.4; charset=utf-8");
    put_counters(r, all, registry->mirrors->nelts);
    put_grpc(r, all, registry->mirrors->nelts);
    put_gauges(r, all, registry->mirrors->nelts);
    put_servers(r, all, registry->mirrors->nelts, "proxy_mirror_server_up",
                "0 while a server of the mirror counts as down or is ejected, otherwise 1.",
                server_up);
    put_servers(r, all, registry->mirrors->nelts, "proxy_mirror_server_connections",
                "Open connections to a server of the mirror.", server_connections);
    put_histogram(r, all, registry->mirrors->nelts);
    put_comparisons(r, all, registry->mirrors->nelts);
    put_differences(r, all, registry->mirrors->nelts);
    put_primary(r, all, registry->mirrors->nelts);
    put_fleet(r, registry);
    return OK;
}
