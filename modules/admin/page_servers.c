/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/page_servers.c - the servers of a mirror on the page; page.js makes the same rows. See
 * admin/page_servers.h.
 */
#include <apr_strings.h>
#include <http_protocol.h>

#include "admin/page_servers.h"
#include "admin/page_view.h"

static void put_row(request_rec *r, const mirror_servers_view_t *view)
{
    apr_pool_t *p = r->pool;

    ap_rvputs(r, "<tr><th scope=\"row\"><code>", ap_escape_html(p, view->address),
              "</code></th><td>", view->down_until ? "Down" : "Up", "</td><td>",
              mirror_page_count(p, view->sum.connections), "</td><td>",
              mirror_page_count(p, view->sum.in_flight), "</td><td>",
              mirror_page_count(p, view->sum.mirrored), "</td><td>",
              mirror_page_count(p, view->sum.failed), "</td></tr>\n", NULL);
}

void mirror_page_put_servers(request_rec *r, const apr_array_header_t *servers)
{
    int i, count = servers ? servers->nelts : 0, up = servers ? mirror_servers_view_up(servers) : 0;

    ap_rvputs(r, "<section class=\"servers\" data-field=\"servers\"", servers ? "" : " hidden",
              up < count ? " data-partly=\"\"" : "",
              "><h3>Servers: <span data-field=\"servers:up\">",
              apr_psprintf(r->pool, "%d of %d up", up, count),
              "</span></h3>\n<table><thead><tr><th scope=\"col\">Server</th><th scope=\"col\">State"
              "</th><th scope=\"col\">Connections</th><th scope=\"col\">In flight</th><th "
              "scope=\"col\">Mirrored</th><th scope=\"col\">Failed</th></tr></thead><tbody>\n",
              NULL);
    for (i = 0; i < count; i++) {
        put_row(r, &APR_ARRAY_IDX(servers, i, mirror_servers_view_t));
    }
    ap_rputs("</tbody></table></section>\n", r);
}
