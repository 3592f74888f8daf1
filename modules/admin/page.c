/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/page.c - the frame of the manager's page. See admin/page.h.
 *
 * Values from the configuration file, a URI or a mirror are escaped where they are written.
 */
#include <string.h>

#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>

#include "admin/page.h"
#include "admin/page_fleet.h"
#include "admin/page_comparison.h"
#include "admin/page_mirror.h"
#include "admin/page_stop.h"
#include "admin/page_view.h"

#define POLICY                                                                                     \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src "        \
    "'self'; "                                                                                     \
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

#define LOST "Selected copies that did not arrive"

/* ---- files: which the Makefile turns into bytes ---- */

static const unsigned char page_css[] = {
#include "admin/page.css.inc"
};

static const unsigned char page_admin_css[] = {
#include "admin/page_admin.css.inc"
};

static const unsigned char page_comparison_css[] = {
#include "admin/page_comparison.css.inc"
};

static const unsigned char page_comparison_js[] = {
#include "admin/page_comparison.js.inc"
};

static const unsigned char page_js[] = {
#include "admin/page.js.inc"
};

static const unsigned char page_chart_js[] = {
#include "admin/page_chart.js.inc"
};

static const unsigned char page_svg[] = {
#include "admin/page.svg.inc"
};

static const struct {
    const char *path;
    const char *type;
    const unsigned char *text;
    apr_size_t len;
} files[] = {
    { "/page.css", "text/css; charset=utf-8", page_css, sizeof(page_css) },
    { "/page_admin.css", "text/css; charset=utf-8", page_admin_css, sizeof(page_admin_css) },
    { "/page_comparison.css", "text/css; charset=utf-8", page_comparison_css,
      sizeof(page_comparison_css) },
    { "/page_comparison.js", "text/javascript; charset=utf-8", page_comparison_js,
      sizeof(page_comparison_js) },
    { "/page.js", "text/javascript; charset=utf-8", page_js, sizeof(page_js) },
    { "/page_chart.js", "text/javascript; charset=utf-8", page_chart_js, sizeof(page_chart_js) },
    { "/page.svg", "image/svg+xml", page_svg, sizeof(page_svg) },
};

#define FILES (sizeof(files) / sizeof(*files))

static apr_size_t find_file(const char *path)
{
    apr_size_t i = 0;

    while (i < FILES && strcmp(files[i].path, path) != 0) {
        i++;
    }
    return i;
}

int mirror_page_has_file(const char *path)
{
    return find_file(path) < FILES;
}

/* ---- responses ---- */

static void set_headers(request_rec *r, const char *type)
{
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->headers_out, "Content-Security-Policy", POLICY);
    apr_table_setn(r->headers_out, "Referrer-Policy", "same-origin");
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    apr_table_setn(r->headers_out, "X-Frame-Options", "DENY");
    ap_set_content_type(r, type);
}

int mirror_page_send_file(request_rec *r, const char *path)
{
    apr_size_t i = find_file(path);

    if (i == FILES) {
        return HTTP_NOT_FOUND;
    }
    set_headers(r, files[i].type);
    ap_set_content_length(r, (apr_off_t)files[i].len);
    ap_rwrite(files[i].text, (int)files[i].len, r);
    return OK;
}

/* ---- the frame ---- */

static void put_head(request_rec *r, const char *location)
{
    const char *host = ap_escape_html(r->pool, ap_get_server_name_for_url(r));

    ap_rvputs(r,
              "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
              "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
              "<meta name=\"color-scheme\" content=\"light dark\">\n<title>Mirrors of ",
              host, "</title>\n<link rel=\"icon\" href=\"", location,
              "/page.svg\">\n<link rel=\"stylesheet\" href=\"", location,
              "/page.css\">\n<link rel=\"stylesheet\" href=\"", location,
              "/page_admin.css\">\n<link rel=\"stylesheet\" href=\"", location,
              "/page_comparison.css\">\n<script src=\"", location,
              "/page_chart.js\" defer></script>\n<script src=\"", location,
              "/page_comparison.js\" defer></script>\n<script src=\"", location,
              "/page.js\" defer></script>\n</head>\n<body data-location=\"", location,
              "\">\n<header>\n", NULL);
}

static void put_header(request_rec *r, const mirror_page_visit_t *visit, const char *location)
{
    ap_rvputs(r, "<h1>Mirrors of <span class=\"host\">",
              ap_escape_html(r->pool, ap_get_server_name_for_url(r)), "</span></h1>\n", NULL);
    ap_rputs("<p>This server sends copies of requests to the mirrors below. Clients receive "
             "nothing of their responses, and never wait for a mirror.</p>\n<p "
             "class=\"pulse\"><noscript>The "
             "figures are those of the time when the page was loaded. </noscript><span "
             "id=\"pulse\"></span> <a id=\"reload\" href=\"",
             r);
    ap_rvputs(r, location,
              "/\">Reload the page</a></p>\n<p id=\"news\" class=\"unseen\" role=\"status\"></p>\n",
              NULL);
    if (visit->refusal != NULL) {
        ap_rvputs(r, "<p class=\"refusal\">You cannot change mirrors from here. ",
                  ap_escape_html(r->pool, visit->refusal), ".</p>\n", NULL);
    }
    if (visit->failed != NULL) {
        ap_rvputs(r, "<p class=\"refusal\" role=\"alert\">",
                  visit->partly ? "Only a part was changed. " : "Nothing was changed. ",
                  ap_escape_html(r->pool, visit->failed), ".</p>\n", NULL);
    }
    ap_rputs("</header>\n", r);
}

static void put_overview_row(request_rec *r, const mirror_view_t *view)
{
    apr_pool_t *p = r->pool;
    const mirror_cell_t *sum = &view->totals.sum;
    const char *name = ap_escape_html(p, view->mirror->name);

    ap_rvputs(r, "<tr data-mirror=\"", name, "\"><th scope=\"row\"><a href=\"#m-", name, "\">",
              name, "</a></th><td>", NULL);
    mirror_page_put_state(r, view->state);
    ap_rvputs(r,
              "</td>\n<td class=\"n live\" data-field=\"rate:mirrored\"></td>"
              "<td class=\"n live\" data-field=\"rate:lost\"></td><td class=\"n wide\" "
              "data-field=\"outcome:mirrored\">",
              mirror_page_count(p, sum->outcomes[MIRROR_OUTCOME_MIRRORED]),
              "</td><td class=\"n wide\" data-field=\"lost\">",
              mirror_page_count(p, mirror_page_lost(view)),
              "</td><td class=\"n wide\" data-field=\"p50\">",
              mirror_page_ms(p, mirror_cell_quantile(sum->latency, 0.5)), "</td></tr>\n", NULL);
}

static void put_overview(request_rec *r, const mirror_view_t *views, int count)
{
    int i;

    ap_rputs(
        "<table class=\"overview\">\n<caption class=\"unseen\">All mirrors</caption>\n<thead><tr>"
        "<th scope=\"col\">Mirror</th><th scope=\"col\">State</th>"
        "<th scope=\"col\" class=\"n live\">Mirrored /&nbsp;s</th>"
        "<th scope=\"col\" class=\"n live\" title=\"" LOST "\">Lost /&nbsp;s</th>"
        "<th scope=\"col\" class=\"n wide\">Mirrored</th>"
        "<th scope=\"col\" class=\"n wide\" title=\"" LOST
        "\">Lost</th><th scope=\"col\" class=\"n wide\" title=\"Half of all copies had a response "
        "within this time (median)\">Typical response</th></tr></thead>\n<tbody>\n",
        r);
    for (i = 0; i < count; i++) {
        put_overview_row(r, &views[i]);
    }
    ap_rputs("</tbody>\n</table>\n", r);
}

/* Print the textures of charts and legends. Each has a background and a foreground, with the colors
 * of page.css. */
static void put_textures(request_rec *r)
{
    int i;

    ap_rputs("<svg class=\"textures\" width=\"0\" height=\"0\" aria-hidden=\"true\" "
             "focusable=\"false\"><defs>\n",
             r);
    for (i = 0; i < MIRROR_OUTCOME_COUNT; i++) {
        const mirror_page_outcome_t *words = &mirror_page_outcomes[i];

        ap_rvputs(r, "<pattern id=\"t-", mirror_outcome_name((mirror_outcome_e)i), "\" class=\"",
                  words->group,
                  "\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\"><rect "
                  "class=\"ground\" width=\"8\" "
                  "height=\"8\"/><path class=\"ink\" d=\"",
                  words->texture, "\"/></pattern>\n", NULL);
    }
    ap_rputs("</defs></svg>\n", r);
}

/* Print what memory and disk of all child processes come to. */
static void put_bounds(request_rec *r, const mirror_registry_t *registry,
                       const mirror_bounds_t *bounds)
{
    apr_pool_t *p = r->pool;
    const char *children = mirror_page_count(p, (apr_uint64_t)bounds->children);

    ap_rvputs(r, "<p>At most ", children,
              bounds->children == 1 ? " child process serves" : " child processes serve",
              " requests, and some more while they end after a reload. Copies to "
              "all mirrors use at most ",
              children, " \xc3\x97 ", mirror_page_bytes(p, (apr_uint64_t)registry->memory), " = ",
              mirror_page_bytes(p, bounds->memory),
              " of memory (<code>ProxyMirrorMemory</code>) and ", children, " \xc3\x97 ",
              mirror_page_bytes(p, (apr_uint64_t)registry->spool_size), " = ",
              mirror_page_bytes(p, bounds->spool),
              " of disk (<code>ProxyMirrorSpool</code>).</p>\n", NULL);
}

static void put_footer(request_rec *r, const mirror_page_visit_t *visit,
                       const mirror_registry_t *registry, const mirror_view_t *views, int count,
                       const char *location)
{
    ap_rputs("<footer>\n", r);
    if (count > 0) {
        put_bounds(r, registry, &views[0].bounds);
    }
    if (visit->nonce == NULL && visit->refusal == NULL) {
        ap_rputs("<p>This page is read only. To change mirrors, use the location with "
                 "<code>SetHandler proxy-mirror-manager</code>.</p>\n",
                 r);
    }
    ap_rvputs(r,
              "<p>Totals are counted since the start of httpd, for all child processes. For "
              "programs: <a href=\"",
              location, "/mirrors\">JSON</a>, <a href=\"", location,
              "/metrics\">metrics</a>. mod_proxy_mirror " PROXY_MIRROR_VERSION
              ".</p>\n</footer>\n</body>\n</html>\n",
              NULL);
}

/* Print the frame of a page with some sections only, up to its body. */
static void begin_part(request_rec *r, const char *title, const char *location)
{
    ap_rvputs(r, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>",
              title, "</title>\n</head>\n<body data-location=\"", location, "\">\n", NULL);
}

/* Send only the section of the fleet. */
static int send_fleet(request_rec *r, const mirror_registry_t *registry,
                      const mirror_page_visit_t *visit, const char *location)
{
    begin_part(r, "Fleet", location);
    mirror_page_put_fleet(r, registry, visit->nonce, location);
    ap_rputs("</body>\n</html>\n", r);
    return OK;
}

/* Send only the sections about comparing, each in an article of its mirror. */
static int send_comparisons(request_rec *r, const mirror_view_t *views, int count,
                            const mirror_page_visit_t *visit, const char *location)
{
    int i;

    begin_part(r, "Comparison", location);
    for (i = 0; i < count; i++) {
        ap_rvputs(r, "<article data-mirror=\"", ap_escape_html(r->pool, views[i].mirror->name),
                  "\">\n", NULL);
        mirror_page_put_comparison(r, &views[i], visit->nonce, location);
        ap_rputs("</article>\n", r);
    }
    ap_rputs("</body>\n</html>\n", r);
    return OK;
}

int mirror_page_send(request_rec *r, const mirror_registry_t *registry,
                     const mirror_page_visit_t *visit)
{
    int count = registry->mirrors->nelts;
    mirror_view_t *views = apr_pcalloc(r->pool, sizeof(*views) * (apr_size_t)(count + 1));
    const char *location;
    int i;

    location = ap_escape_html(r->pool, ap_os_escape_path(r->pool, visit->location, 1));
    for (i = 0; i < count; i++) {
        mirror_view_make(&views[i], registry, APR_ARRAY_IDX(registry->mirrors, i, const mirror_t *),
                         NULL, r->pool);
    }
    set_headers(r, "text/html; charset=utf-8");
    if (!visit->failed && r->args && !strcmp(r->args, "comparison")) {
        return send_comparisons(r, views, count, visit, location);
    }
    if (!visit->failed && r->args && !strcmp(r->args, "fleet")) {
        return send_fleet(r, registry, visit, location);
    }
    put_head(r, location);
    if (visit->nonce) {
        mirror_page_put_stop(r, views, count, visit->nonce,
                             visit->question == MIRROR_PAGE_QUESTION_STOP, location);
    }
    if (visit->nonce && visit->question == MIRROR_PAGE_QUESTION_RESTORE) {
        mirror_page_put_question(r, registry, visit->nonce, location);
    }
    put_header(r, visit, location);
    put_textures(r);
    ap_rputs("<main>\n", r);
    mirror_page_put_fleet(r, registry, visit->nonce, location);
    if (count > 0) {
        put_overview(r, views, count);
    }
    else {
        ap_rputs("<p>No mirror is configured. Add a <code>ProxyMirror</code> line.</p>\n", r);
    }
    for (i = 0; i < count; i++) {
        mirror_page_put_mirror(r, &views[i], visit->nonce, location);
    }
    ap_rputs("</main>\n", r);
    put_footer(r, visit, registry, views, count, location);
    return OK;
}
