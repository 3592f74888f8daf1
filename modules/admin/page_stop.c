/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/page_stop.c - the form "Stop all" and its question. See admin/page_stop.h.
 *
 * The question is a page of its own, so it works without JavaScript; page.js does not handle these
 * forms.
 */
#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>

#include "admin/page_stop.h"

static void open_form(request_rec *r, const char *nonce, const char *location,
                      const char *attributes, const char *action)
{
    ap_rvputs(r, "<form method=\"post\" action=\"", location, "/mirrors\"", attributes,
              "><input type=\"hidden\" name=\"nonce\" value=\"", ap_escape_html(r->pool, nonce),
              "\"><input type=\"hidden\" name=\"action\" value=\"", action, "\">", NULL);
}

/* Return whether a mirror was disabled by the manager. */
static int is_stopped(const mirror_view_t *views, int count)
{
    int i = 0;

    while (i < count && (views[i].settings->enabled || !views[i].settings->overridden)) {
        i++;
    }
    return i < count;
}

static void put_forms(request_rec *r, const char *nonce, int stopped, int has_fleet,
                      const char *location)
{
    ap_rputs("<div class=\"all\">\n", r);
    open_form(r, nonce, location, "", "stop");
    ap_rvputs(r, "<button class=\"stop\" title=\"Stop copying to all mirrors",
              has_fleet ? ", on all nodes or on this one" : "", "; asks before\">Stop ",
              "all</button></form>\n", NULL);
    open_form(r, nonce, location, stopped ? " id=\"resume\"" : " id=\"resume\" hidden", "resume");
    ap_rvputs(r, has_fleet ? MIRROR_PAGE_LAYERS : "",
              "<button title=\"Each mirror is enabled or disabled as in the configuration file ",
              has_fleet ? "of each node again, or for this node as in the fleet's settings"
                        : "again",
              "\">Resume all</button></form>\n</div>\n", NULL);
}

/* Print the form that stops all mirrors of a layer; NULL = there is one only. */
static void put_button(request_rec *r, const char *nonce, const char *location, const char *layer,
                       const char *label)
{
    open_form(r, nonce, location, "", "stop");
    if (layer) {
        ap_rvputs(r, "<input type=\"hidden\" name=\"layer\" value=\"", layer, "\">", NULL);
    }
    ap_rvputs(r, "<input type=\"hidden\" name=\"confirm\" value=\"yes\"><button class=\"stop\">",
              label, "</button></form>\n", NULL);
}

static void put_question(request_rec *r, const char *nonce, int count, int has_fleet,
                         const char *location)
{
    ap_rvputs(r,
              "<section class=\"question\" role=\"alert\" aria-labelledby=\"question\">\n<h2 "
              "id=\"question\">",
              count == 1 ? "Stop copying to the mirror?"
                         : apr_psprintf(r->pool, "Stop copying to all %d mirrors?", count),
              "</h2>\n<p>From the next request on, nothing is copied. Copies that are queued are "
              "still sent. Clients notice nothing. <b>Resume all</b> starts the mirrors again that "
              "the configuration file enables.",
              has_fleet ? " This server is a node of a fleet." : "", "</p>\n", NULL);
    if (has_fleet) {
        put_button(r, nonce, location, "fleet", "Stop all mirrors on all nodes");
        put_button(r, nonce, location, "node", "Stop all mirrors on this node only");
    }
    else {
        put_button(r, nonce, location, NULL, "Stop all mirrors");
    }
    ap_rvputs(r, "<a href=\"", location, "/\">Cancel</a>\n</section>\n", NULL);
}

void mirror_page_put_stop(request_rec *r, const mirror_view_t *views, int count, const char *nonce,
                          int confirms, const char *location)
{
    if (count == 0) {
        return;
    }
    if (confirms) {
        put_question(r, nonce, count, views[0].has_fleet, location);
    }
    else {
        put_forms(r, nonce, is_stopped(views, count), views[0].has_fleet, location);
    }
}
