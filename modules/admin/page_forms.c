/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/page_forms.c - the forms that change a mirror. See admin/page_mirror.h.
 *
 * Each form is a plain HTML form. It posts attributes in the syntax of a directive, and the nonce.
 * page.js posts the same fields without leaving the page.
 */
#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>

#include "admin/page_mirror.h"

#define HIDDEN(hidden) ((hidden) ? " hidden" : "")

typedef struct form_t {
    request_rec *r;
    const mirror_view_t *view;
    const char *begin; /* start tag of the form, open for more attributes */
    const char *nonce; /* its hidden field */
    const char *layer; /* its choice of fleet or node; "" without a fleet */
} form_t;

static void open_form(const form_t *form, const char *attributes, const char *action)
{
    ap_rvputs(form->r, form->begin, attributes, ">", form->nonce,
              "<input type=\"hidden\" name=\"action\" value=\"", action, "\">", form->layer, NULL);
}

/* Only the matching one is visible. */
static void put_switch(const form_t *form)
{
    int enabled = form->view->settings->enabled;

    open_form(form, apr_pstrcat(form->r->pool, " data-field=\"enabled\"", HIDDEN(!enabled), NULL),
              "set");
    ap_rputs(
        "<button name=\"enabled\" value=\"false\" title=\"Stop copying\">Disable</button></form>\n",
        form->r);
    open_form(form, apr_pstrcat(form->r->pool, " data-field=\"disabled\"", HIDDEN(enabled), NULL),
              "set");
    ap_rputs(
        "<button name=\"enabled\" value=\"true\" title=\"Resume copying\">Enable</button></form>\n",
        form->r);
}

static void put_sample(const form_t *form)
{
    open_form(form, "", "set");
    ap_rvputs(
        form->r,
        "<label>Share of requests to copy <input name=\"sample_ratio\" data-field=\"sample_ratio\" "
        "size=\"6\" "
        "maxlength=\"12\" required autocomplete=\"off\" pattern=\"[0-9]{1,3}([.][0-9]{1,7})?%\" "
        "title=\"A percentage, such as 12.5%; 0% copies nothing\" value=\"",
        mirror_page_percent(form->r->pool, form->view->settings->sample_ratio),
        "\"></label><button>Set share</button></form>\n", NULL);
}

/* The count that the form offers for a limit that nobody has set. The default of the attribute,
 * APISIX's, would be one copy in a minute. */
#define OFFER      1000
#define OFFER_TEXT "1000"

static apr_int64_t offered_count(const mirror_settings_t *settings)
{
    return settings->enable_limit_count || settings->count > 1 ? settings->count : OFFER;
}

static void put_limit(const form_t *form)
{
    const mirror_settings_t *settings = form->view->settings;

    open_form(form, "", "set");
    ap_rvputs(form->r,
              "<input type=\"hidden\" name=\"enable_limit_count\" value=\"true\"><label>At most "
              "<input type=\"number\" "
              "name=\"count\" data-field=\"count\" data-offer=\"" OFFER_TEXT
              "\" min=\"1\" max=\"2147483647\" required value=\"",
              apr_psprintf(form->r->pool, "%" APR_INT64_T_FMT, offered_count(settings)),
              "\"> copies</label><label>in each <input type=\"number\" name=\"time_window\" "
              "data-field=\"time_window\" "
              "min=\"1\" max=\"31536000\" required value=\"",
              apr_psprintf(form->r->pool, "%" APR_INT64_T_FMT, settings->time_window),
              "\"> seconds</label><button>Set limit</button></form>\n", NULL);
    open_form(form,
              apr_pstrcat(form->r->pool, " data-field=\"limited\"",
                          HIDDEN(!settings->enable_limit_count), NULL),
              "set");
    ap_rputs("<button name=\"enable_limit_count\" value=\"false\">Remove limit</button></form>\n",
             form->r);
}

static void put_reset(const form_t *form)
{
    open_form(form,
              apr_pstrcat(form->r->pool, " data-field=\"overridden\"",
                          HIDDEN(!form->view->settings->overridden), NULL),
              "reset");
    ap_rvputs(form->r, "<button>Reset</button><small>to ",
              *form->layer ? "the layer beneath" : "the configuration file", "</small></form>\n",
              NULL);
}

void mirror_page_put_forms(request_rec *r, const mirror_view_t *view, const char *nonce,
                           const char *location)
{
    const char *name = ap_escape_html(r->pool, view->mirror->name);
    form_t form;

    form.r = r;
    form.view = view;
    form.begin = apr_pstrcat(r->pool, "<form method=\"post\" action=\"", location, "/mirrors/",
                             name, "\"", NULL);
    form.layer = view->has_fleet ? MIRROR_PAGE_LAYERS : "";
    form.nonce = apr_pstrcat(r->pool, "<input type=\"hidden\" name=\"nonce\" value=\"",
                             ap_escape_html(r->pool, nonce), "\">", NULL);
    ap_rvputs(r, "<section class=\"change\" aria-label=\"Change ", name,
              "\">\n<h3>Change <small>applies to the next request, without a restart; ",
              view->has_fleet ? "of all nodes it stays, of this node it " : "",
              "ends when httpd stops</small></h3>\n<div>\n", NULL);
    put_switch(&form);
    put_sample(&form);
    put_limit(&form);
    put_reset(&form);
    ap_rputs("</div>\n<p role=\"status\" data-field=\"result\"></p>\n</section>\n", r);
}
