/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/status.c - the mirrors on mod_status's page. See admin/status.h.
 *
 * The hook is optional: without mod_status it is never called, and no symbol of mod_status is
 * needed. An access file can assign mod_status's handler to a folder; such a page does not list
 * mirrors. For a page of the server configuration, httpd controls access.
 */
#include <httpd.h>
#include <http_config.h>
#include <http_protocol.h>
#include <mod_status.h>
#include <apr_optional_hooks.h>

#include "admin/access.h"
#include "admin/status.h"
#include "admin/view.h"
#include "settings/scope.h"
#include "shared/table.h"

/* mod_status has fewer states than the page. */
static const char *state_of(const mirror_view_t *view)
{
    return view->state == MIRROR_VIEW_READY || view->state == MIRROR_VIEW_LIMITED
               ? mirror_view_state_name(MIRROR_VIEW_UP)
               : mirror_view_state_name(view->state);
}

/* ---- ?auto ---- */

static void put_lines(request_rec *r, int i, const mirror_t *mirror, const char *state,
                      const mirror_view_t *view)
{
    const mirror_totals_t *totals = &view->totals;
    const mirror_cell_t *sum = &totals->sum;
    int n;

    ap_rprintf(r, "ProxyMirror[%d]Name: %s\nProxyMirror[%d]Status: %s\n", i, mirror->name, i,
               state);
    ap_rprintf(r, "ProxyMirror[%d]Seen: %" APR_UINT64_T_FMT "\n", i, sum->seen);
    ap_rprintf(r, "ProxyMirror[%d]Queued: %" APR_UINT64_T_FMT "\n", i, totals->queued);
    ap_rprintf(r, "ProxyMirror[%d]InFlight: %" APR_UINT64_T_FMT "\n", i, sum->in_flight);
    ap_rprintf(r, "ProxyMirror[%d]Connections: %" APR_UINT64_T_FMT "\n", i, sum->connections);
    ap_rprintf(r, "ProxyMirror[%d]Bytes: %" APR_UINT64_T_FMT "\n", i, sum->bytes);
    ap_rprintf(r, "ProxyMirror[%d]MaxChildren: %d\n", i, view->bounds.children);
    ap_rprintf(r, "ProxyMirror[%d]MaxConnections: %" APR_UINT64_T_FMT "\n", i,
               view->bounds.connections);
    ap_rprintf(r, "ProxyMirror[%d]MaxCopies: %" APR_UINT64_T_FMT "\n", i, view->bounds.copies);
    for (n = 0; n < MIRROR_OUTCOME_COUNT; n++) {
        ap_rprintf(r, "ProxyMirror[%d]Outcome[%s]: %" APR_UINT64_T_FMT "\n", i,
                   mirror_outcome_name((mirror_outcome_e)n), sum->outcomes[n]);
    }
    for (n = 0; n < 5; n++) {
        ap_rprintf(r, "ProxyMirror[%d]Response[%dxx]: %" APR_UINT64_T_FMT "\n", i, n + 1,
                   sum->responses[n]);
    }
}

/* ---- the page ---- */

/* Print all outcomes with a count, as "limited 5, unreachable 2". */
static void put_outcomes(request_rec *r, const mirror_cell_t *sum)
{
    const char *before = "";
    int n;

    for (n = MIRROR_OUTCOME_MIRRORED + 1; n < MIRROR_OUTCOME_COUNT; n++) {
        if (sum->outcomes[n]) {
            ap_rprintf(r, "%s%s %" APR_UINT64_T_FMT, before,
                       mirror_outcome_name((mirror_outcome_e)n), sum->outcomes[n]);
            before = ", ";
        }
    }
    ap_rputs(*before ? "" : "-", r);
}

static void put_quantile(request_rec *r, const mirror_cell_t *sum, double q)
{
    double ms = mirror_cell_quantile(sum->latency, q);

    if (ms < 0) {
        ap_rputs("-", r);
    }
    else {
        ap_rprintf(r, "%.1f", ms);
    }
}

static void put_row(request_rec *r, const mirror_t *mirror, const char *state,
                    const mirror_view_t *view, int table)
{
    const mirror_totals_t *totals = &view->totals;
    const char *cell = table ? "</td><td>" : " | ";
    const mirror_cell_t *sum = &totals->sum;
    const char *url = view->settings->target.url;

    ap_rvputs(r, table ? "<tr><td>" : "<li>", ap_escape_html(r->pool, mirror->name), cell,
              ap_escape_html(r->pool, mirror->server), cell, ap_escape_html(r->pool, mirror->scope),
              cell, ap_escape_html(r->pool, url ? url : ""), cell, state, cell, NULL);
    ap_rprintf(r, "%" APR_UINT64_T_FMT "%s%" APR_UINT64_T_FMT "%s", sum->seen, cell,
               sum->outcomes[MIRROR_OUTCOME_MIRRORED], cell);
    put_outcomes(r, sum);
    ap_rprintf(r, "%s%" APR_UINT64_T_FMT "%s%" APR_UINT64_T_FMT "%s%" APR_UINT64_T_FMT "%s", cell,
               totals->queued, cell, sum->in_flight, cell, sum->connections, cell);
    put_quantile(r, sum, 0.5);
    ap_rputs(cell, r);
    put_quantile(r, sum, 0.99);
    ap_rprintf(r, "%s%d x %" APR_INT64_T_FMT " = %" APR_UINT64_T_FMT, cell, view->bounds.children,
               view->settings->max_connections, view->bounds.connections);
    ap_rputs(table ? "</td></tr>\n" : "</li>\n", r);
}

static void put_begin(request_rec *r, int table)
{
    ap_rputs("<hr />\n<h1>Proxy Mirror Status</h1>\n\n", r);
    ap_rputs(
        table ? "<table border=\"0\">\n<tr><th>Mirror</th><th>Server</th><th>Scope</th><th>Host"
                "</th><th>State</th><th>Seen</th><th>Mirrored</th><th>Other outcomes</th><th>Queued"
                "</th><th>In flight</th><th>Connections</th><th>p50 ms</th><th>p99 ms</th><th>At "
                "most, children x connections</th></tr>\n"
              : "<p>Mirror | server | scope | host | state | seen | mirrored | other outcomes | "
                "queued | in flight | connections | p50 ms | p99 ms | at most, children x "
                "connections</p>\n<ul>\n",
        r);
}

/* ---- mod_status's hook ---- */

static int status_hook(request_rec *r, int flags)
{
    const mirror_registry_t *registry = mirror_scope_registry(r->server);
    int table = !(flags & AP_STATUS_NOTABLE);
    int i;

    if (registry->mirrors->nelts == 0 || !mirror_access_is_configured(r)) {
        return OK;
    }
    if (registry->table) {
        mirror_table_reap_ended(registry->table);
    }
    if (!(flags & AP_STATUS_SHORT)) {
        put_begin(r, table);
    }
    for (i = 0; i < registry->mirrors->nelts; i++) {
        const mirror_t *mirror = APR_ARRAY_IDX(registry->mirrors, i, const mirror_t *);
        mirror_view_t view;

        mirror_view_make(&view, registry, mirror, NULL, r->pool);
        if (flags & AP_STATUS_SHORT) {
            put_lines(r, i, mirror, state_of(&view), &view);
        }
        else {
            put_row(r, mirror, state_of(&view), &view, table);
        }
    }
    if (!(flags & AP_STATUS_SHORT)) {
        ap_rputs(table ? "</table>\n" : "</ul>\n", r);
    }
    return OK;
}

void mirror_status_register_hooks(void)
{
    APR_OPTIONAL_HOOK(ap, status_hook, status_hook, NULL, NULL, APR_HOOK_MIDDLE);
}
