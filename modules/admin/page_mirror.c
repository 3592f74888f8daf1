/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/page_mirror.c - one mirror on the page. See admin/page_mirror.h.
 */
#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>

#include "admin/losses.h"
#include "admin/page_comparison.h"
#include "admin/page_mirror.h"
#include "admin/page_servers.h"
#include "attributes/attributes.h"
#include "attributes/line.h"

#define HIDDEN(hidden) ((hidden) ? " hidden" : "")

/* ---- state ---- */

void mirror_page_put_state(request_rec *r, mirror_view_state_e state)
{
    int i;

    ap_rputs("<span class=\"state\">", r);
    for (i = 0; i < MIRROR_VIEW_STATES; i++) {
        const mirror_page_state_t *words = &mirror_page_states[i];
        const char *name = mirror_view_state_name((mirror_view_state_e)i);

        ap_rvputs(r, "<span class=\"", name, "\" data-when=\"", name, "\"", HIDDEN(i != (int)state),
                  "><span aria-hidden=\"true\">", words->sign, "</span> ", words->label, "</span>",
                  NULL);
    }
    ap_rputs("</span>", r);
}

static void put_time(request_rec *r, const char *field, apr_time_t t)
{
    const char *text = t ? mirror_page_time(r->pool, t) : "";

    ap_rvputs(r, "<time data-field=\"", field, "\"", NULL);
    if (t) {
        ap_rvputs(r, " datetime=\"", text, "\"", NULL);
    }
    ap_rvputs(r, ">", text, "</time>", NULL);
}

/* Print the meaning of the state, and the time of its next change. */
static void put_meaning(request_rec *r, const mirror_view_t *view)
{
    int i;

    ap_rputs("<p class=\"meaning\">", r);
    for (i = 0; i < MIRROR_VIEW_STATES; i++) {
        ap_rvputs(r, "<span data-when=\"", mirror_view_state_name((mirror_view_state_e)i), "\"",
                  HIDDEN(i != (int)view->state), ">", mirror_page_states[i].meaning, NULL);
        if (i == MIRROR_VIEW_UP) {
            ap_rputs("<strong data-field=\"losing\" hidden> More copies are lost than mirrored; "
                     "the outcomes below have the reasons.</strong>",
                     r);
        }
        if (i == MIRROR_VIEW_DOWN) {
            ap_rputs(" Next retry: ", r);
            put_time(r, "down_until", view->down_until);
        }
        ap_rputs("</span>", r);
    }
    ap_rputs("</p>\n", r);
}

static void put_heading(request_rec *r, const mirror_view_t *view)
{
    apr_pool_t *p = r->pool;
    const mirror_t *mirror = view->mirror;
    const char *host =
        mirror_value_to_text(&view->settings->target, &mirror_attributes_find("host")->rule, p);

    ap_rvputs(r, "<div class=\"heading\"><h2>", ap_escape_html(p, mirror->name), "</h2>", NULL);
    mirror_page_put_state(r, view->state);
    ap_rvputs(r, "<span class=\"changed\" data-field=\"overridden\"",
              HIDDEN(!view->settings->overridden), ">Changed by the manager</span></div>\n", NULL);
    put_meaning(r, view);
    ap_rvputs(r, "<p class=\"route\">Requests for <code>",
              ap_escape_html(p, mirror->scope[0] ? mirror->scope : "/"), "</code> on <code>",
              ap_escape_html(p, mirror->server),
              "</code> <span aria-hidden=\"true\">\xe2\x86\x92</span>"
              "<span class=\"unseen\">are copied to</span> <code data-field=\"host\">",
              host != NULL ? ap_escape_html(p, host) : "", "</code></p>\n", NULL);
}

/* ---- figures ---- */

/* `value` needs no escaping. */
static void put_figure(request_rec *r, const char *field, const char *label, const char *hint,
                       const char *value)
{
    ap_rvputs(r, "<div title=\"", hint, "\"><dt>", label, "</dt><dd data-field=\"", field, "\">",
              value, "</dd></div>\n", NULL);
}

static void put_figures(request_rec *r, const mirror_view_t *view)
{
    apr_pool_t *p = r->pool;
    const mirror_cell_t *sum = &view->totals.sum;

    ap_rputs("<dl class=\"figures\">\n", r);
    put_figure(r, "p50", "Typical response",
               "Half of all copies had a response within this time (median)",
               mirror_page_ms(p, mirror_cell_quantile(sum->latency, 0.5)));
    put_figure(r, "p90", "90% within", "Nine of ten copies had a response within this time",
               mirror_page_ms(p, mirror_cell_quantile(sum->latency, 0.9)));
    put_figure(r, "p99", "99% within", "99 of 100 copies had a response within this time",
               mirror_page_ms(p, mirror_cell_quantile(sum->latency, 0.99)));
    put_figure(r, "queued", "Queued", "Copies that wait for a connection",
               mirror_page_count(p, view->totals.queued));
    put_figure(r, "in_flight", "In flight",
               "Copies that were sent and have no complete response yet",
               mirror_page_count(p, sum->in_flight));
    put_figure(r, "connections", "Connections", "Open connections to the mirror",
               mirror_page_count(p, sum->connections));
    put_figure(r, "bytes", "Memory", "Current memory of copies", mirror_page_bytes(p, sum->bytes));
    ap_rputs("</dl>\n", r);
}

/* Print what the bounds of all child processes come to. */
static void put_bounds(request_rec *r, const mirror_view_t *view)
{
    const mirror_bounds_t *bounds = &view->bounds;

    ap_rvputs(r,
              "<p class=\"bounds\">All child processes together: at most <span "
              "data-field=\"bounds:connections\">",
              mirror_page_product(r->pool, bounds->children, bounds->connections),
              "</span> connections to the mirror, and <span data-field=\"bounds:copies\">",
              mirror_page_product(r->pool, bounds->children, bounds->copies),
              "</span> pending copies</p>\n", NULL);
}

/* ---- the limit ---- */

/* Return the width of the bar, 0 to 1000. */
static int bar_width(const mirror_view_t *view)
{
    apr_int64_t used = view->limit.used;

    return used >= view->settings->count
               ? 1000
               : (int)((double)used * 1000 / (double)view->settings->count);
}

static void put_limit(request_rec *r, const mirror_view_t *view)
{
    apr_pool_t *p = r->pool;
    const mirror_settings_t *settings = view->settings;

    ap_rvputs(r, "<section class=\"limit\" data-field=\"limit\"", HIDDEN(!view->has_limit),
              ">\n<h3>Limit <small><span data-field=\"used\">",
              mirror_page_count(p, (apr_uint64_t)view->limit.used),
              "</span> of <span data-field=\"count\">",
              mirror_page_count(p, (apr_uint64_t)settings->count),
              "</span> copies used in this window of <span data-field=\"time_window\">",
              mirror_page_count(p, (apr_uint64_t)settings->time_window),
              "</span>&nbsp;seconds</small></h3>\n", NULL);
    ap_rvputs(r,
              "<svg class=\"bar\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" "
              "aria-hidden=\"true\" "
              "focusable=\"false\"><rect class=\"empty\" width=\"1000\" height=\"10\"/><rect "
              "class=\"full\" "
              "data-field=\"bar\" height=\"10\" width=\"",
              apr_psprintf(p, "%d", view->has_limit ? bar_width(view) : 0), "\"/></svg>\n", NULL);
    ap_rvputs(r, "<p><span data-field=\"closed\"", HIDDEN(!view->limit.closed_until),
              ">Used up. The next window opens: ", NULL);
    put_time(r, "closed_until", view->limit.closed_until);
    ap_rvputs(r, "</span> <span data-field=\"fallback\"", HIDDEN(!view->limit.fallback),
              ">Redis does not respond: limit_fallback applies.</span></p>\n</section>\n", NULL);
}

/* ---- outcomes ---- */

static void put_outcome(request_rec *r, const mirror_view_t *view, mirror_outcome_e outcome)
{
    const mirror_page_outcome_t *words = &mirror_page_outcomes[outcome];
    const char *name = mirror_outcome_name(outcome);
    apr_uint64_t count = view->totals.sum.outcomes[outcome];

    ap_rvputs(
        r, "<tr data-outcome=\"", name, "\" data-group=\"", words->group, "\"",
        HIDDEN(count == 0 && outcome != MIRROR_OUTCOME_MIRRORED),
        "><th scope=\"row\"><span class=\"key\"><svg class=\"swatch\" width=\"16\" height=\"16\" "
        "aria-hidden=\"true\" focusable=\"false\"><rect width=\"16\" height=\"16\" rx=\"3\" "
        "fill=\"url(#t-",
        name, ")\"/></svg><span><b title=\"", words->meaning, "\">", words->label, "</b> <small>",
        words->meaning, " <code>", name,
        "</code></small></span></span></th><td class=\"n live\" data-field=\"rate:", name,
        "\"></td><td class=\"n\" data-field=\"outcome:", name, "\">",
        mirror_page_count(r->pool, count), "</td></tr>\n", NULL);
}

static void put_outcomes(request_rec *r, const mirror_view_t *view)
{
    int i;

    ap_rvputs(
        r,
        "<div class=\"what\">\n<figure class=\"chart live\"><figcaption>Requests per second, by "
        "outcome</figcaption><div data-field=\"chart\"></div></figure>\n<table "
        "class=\"outcomes\">\n<caption class=\"unseen\">Outcomes of the "
        "copies</caption>\n<thead><tr><th scope=\"col\">Outcome</th><th scope=\"col\" class=\"n "
        "live\">per second</th><th scope=\"col\" class=\"n\">total</th></tr></thead>\n<tbody>\n",
        NULL);
    for (i = 0; i < MIRROR_OUTCOME_COUNT; i++) {
        put_outcome(r, view, (mirror_outcome_e)i);
    }
    ap_rputs("</tbody>\n</table>\n</div>\n", r);
}

/* Print the mirror's responses by class of status, in one line. */
static void put_responses(request_rec *r, const mirror_view_t *view)
{
    static const char *const classes[] = { "1xx", "2xx", "3xx", "4xx", "5xx" };
    int i;

    ap_rputs("<p class=\"responses\">Statuses of the mirror's responses:", r);
    for (i = 0; i < 5; i++) {
        apr_uint64_t n = view->totals.sum.responses[i];

        ap_rvputs(r, " <span data-response=\"", classes[i], "\"", HIDDEN(n == 0 && i != 1), ">",
                  classes[i], " <b>", mirror_page_count(r->pool, n), "</b></span>", NULL);
    }
    ap_rputs("</p>\n", r);
}

/* ---- settings ---- */

static void put_settings(request_rec *r, const mirror_settings_t *settings)
{
    const mirror_attribute_t *row;

    ap_rputs("<details><summary>All settings</summary>\n<table class=\"settings\"><caption "
             "class=\"unseen\">Current settings</caption>\n<thead class=\"unseen\"><tr><th "
             "scope=\"col\">Attribute</th><th scope=\"col\">Value</th></tr></thead>\n<tbody>\n",
             r);
    for (row = mirror_attributes; row->name != NULL; row++) {
        const char *value;

        if (row->flags & MIRROR_ATTRIBUTE_NO_JSON) {
            continue;
        }
        value = mirror_value_to_text((const char *)settings + row->offset, &row->rule, r->pool);
        ap_rvputs(r, "<tr data-attribute=\"", row->name, "\"", HIDDEN(value == NULL),
                  "><th scope=\"row\"><code>", row->name, "</code></th><td>",
                  value != NULL ? ap_escape_html(r->pool, value) : "", "</td></tr>\n", NULL);
    }
    ap_rputs("</tbody></table></details>\n", r);
}

/* Print the line that keeps what the manager has changed. */
static void put_line(request_rec *r, const mirror_view_t *view)
{
    const mirror_t *mirror = view->mirror;

    ap_rvputs(r, "<details class=\"keep\" data-field=\"overridden\"",
              HIDDEN(!view->settings->overridden),
              "><summary>Keep these settings</summary>\n<p>What the manager has changed ",
              view->has_fleet ? "on this node alone " : "",
              "ends when httpd stops. To keep it, put this in place of the "
              "<code>ProxyMirror</code> line of "
              "this mirror in the configuration file, and reload httpd:</p>\n<pre><code "
              "data-field=\"directive\">",
              ap_escape_html(r->pool, mirror_line_print(view->settings, mirror->defaults,
                                                        mirror->name, r->pool)),
              "</code></pre></details>\n", NULL);
}

/* ---- all of it ---- */

void mirror_page_put_mirror(request_rec *r, const mirror_view_t *view, const char *nonce,
                            const char *location)
{
    const char *name = ap_escape_html(r->pool, view->mirror->name);

    ap_rvputs(r, "<article id=\"m-", name, "\" data-mirror=\"", name, "\" data-state=\"",
              mirror_view_state_name(view->state), "\">\n", NULL);
    put_heading(r, view);
    put_figures(r, view);
    put_bounds(r, view);
    mirror_page_put_servers(r, view->servers);
    put_limit(r, view);
    put_outcomes(r, view);
    put_responses(r, view);
    mirror_losses_put(r, view);
    mirror_page_put_comparison(r, view, nonce, location);
    if (nonce != NULL) {
        mirror_page_put_forms(r, view, nonce, location);
    }
    put_line(r, view);
    put_settings(r, view->settings);
    ap_rputs("</article>\n", r);
}
