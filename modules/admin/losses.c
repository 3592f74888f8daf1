/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/losses.c - the last copies of a mirror that did not arrive. See admin/losses.h.
 *
 * shared/lost.h bounds and cleans all values; texts are escaped here. page.js replaces the rows of
 * the table by those of the JSON.
 */
#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>

#include "admin/json.h"
#include "admin/losses.h"
#include "admin/page_view.h"

int mirror_losses_send(request_rec *r, const mirror_view_t *view)
{
    mirror_loss_view_t losses[MIRROR_LOST_MAX];
    int count = mirror_lost_read(losses, view->lost, r->pool), i;
    yajl_gen gen = mirror_json_create(r->pool);

    yajl_gen_map_open(gen);
    mirror_json_put_key(gen, "losses");
    yajl_gen_array_open(gen);
    for (i = 0; i < count; i++) {
        yajl_gen_map_open(gen);
        mirror_json_put_time(gen, "time", losses[i].time);
        mirror_json_put_key(gen, "method");
        mirror_json_put_text(gen, losses[i].method, r->pool);
        mirror_json_put_key(gen, "path");
        mirror_json_put_text(gen, losses[i].path, r->pool);
        mirror_json_put_key(gen, "outcome");
        mirror_json_put_key(gen, mirror_outcome_name(losses[i].outcome));
        mirror_json_put_key(gen, "why");
        mirror_json_put_text(gen, losses[i].why, r->pool);
        yajl_gen_map_close(gen);
    }
    yajl_gen_array_close(gen);
    yajl_gen_map_close(gen);
    return mirror_json_send(r, HTTP_OK, gen);
}

static void put_row(request_rec *r, const mirror_loss_view_t *loss)
{
    apr_pool_t *p = r->pool;
    const char *time = mirror_page_time(p, loss->time);

    ap_rvputs(r, "<tr><td><time datetime=\"", time, "\">", time, "</time></td><td><code>",
              mirror_page_text(p, loss->method), " ", mirror_page_text(p, loss->path),
              "</code></td><td><code>", mirror_outcome_name(loss->outcome), "</code></td><td>",
              ap_escape_html(p, loss->why), "</td></tr>\n", NULL);
}

void mirror_losses_put(request_rec *r, const mirror_view_t *view)
{
    mirror_loss_view_t losses[MIRROR_LOST_MAX];
    int count = mirror_lost_read(losses, view->lost, r->pool), i;

    ap_rvputs(
        r, "<details class=\"lost\"", count > 0 ? "" : " hidden",
        "><summary>Last losses</summary>\n<table class=\"losses\"><caption class=\"unseen\">Last "
        "copies that did not arrive</caption>\n<thead><tr><th scope=\"col\">Time</th><th "
        "scope=\"col\">Copy</th><th scope=\"col\">Outcome</th><th "
        "scope=\"col\">Reason</th></tr></thead>\n<tbody>\n",
        NULL);
    for (i = 0; i < count; i++) {
        put_row(r, &losses[i]);
    }
    ap_rputs("</tbody></table></details>\n", r);
}
