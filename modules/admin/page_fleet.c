/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/page_fleet.c - the fleet on the page. See admin/page_fleet.h.
 */
#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>

#include "admin/page_fleet.h"
#include "admin/page_view.h"
#include "base/clock.h"
#include "fleet/fleet.h"

static void put_refused(request_rec *r, apr_uint64_t refused)
{
    if (refused) {
        ap_rvputs(r, " <b>This node refuses ", mirror_page_count(r->pool, refused),
                  refused == 1 ? " document" : " documents",
                  "</b>; the former settings remain (see the error log).", NULL);
    }
}

void mirror_page_put_fleet(request_rec *r, const mirror_registry_t *registry, const char *location)
{
    mirror_fleet_words_t *words;
    apr_uint64_t down;

    if (!registry->fleet || !registry->table) {
        return;
    }
    words = mirror_table_fleet(registry->table);
    down = apr_atomic_read64(&words->down_since);
    ap_rvputs(r, "<p class=\"fleet\">Fleet <b>", ap_escape_html(r->pool, registry->fleet->name),
              "</b>: revision ", mirror_page_count(r->pool, apr_atomic_read64(&words->revision)),
              " is in force on this node.", NULL);
    if (down) {
        ap_rvputs(r, " <b>Its store does not respond</b> since ",
                  mirror_page_time(r->pool, mirror_clock_to_wall((apr_time_t)down)),
                  "; the settings remain.", NULL);
    }
    if (apr_atomic_read64(&words->emptied)) {
        ap_rputs(" <b>Its store was emptied</b>; the settings remain, and changes need a restore.",
                 r);
    }
    put_refused(r, apr_atomic_read64(&words->refused));
    ap_rvputs(r, " <a href=\"", location, "/fleet\">All nodes</a>, <a href=\"", location,
              "/fleet/log\">changes</a>.</p>\n", NULL);
}
