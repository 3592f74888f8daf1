/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/page_fleet.c - the fleet on the page. See admin/page_fleet.h.
 */
#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>

#include "admin/fleet_report.h"
#include "admin/fleet_store.h"
#include "admin/page_fleet.h"
#include "admin/page_view.h"
#include "base/clock.h"
#include "settings/change.h"
#include "settings/layers.h"
#include "settings/settings.h"

#define PAGE_MAX apr_time_from_sec(2) /* of all commands */

typedef struct fleet_page_t {
    request_rec *r;
    const mirror_registry_t *registry;
    mirror_fleet_words_t *words;
    const char *nonce; /* of the forms; NULL = no forms */
    const char *location;
} fleet_page_t;

/* ---- the restore of the store ---- */

static void open_restore(request_rec *r, const char *nonce, const char *location)
{
    ap_rvputs(r, "<form method=\"post\" action=\"", location,
              "/fleet/restore\"><input type=\"hidden\" name=\"nonce\" value=\"",
              ap_escape_html(r->pool, nonce), "\">", NULL);
}

/* Return how many documents this node has. */
static int count_documents(const mirror_registry_t *registry, apr_pool_t *pool)
{
    int i, count = 0;

    for (i = 0; i < registry->mirrors->nelts; i++) {
        const mirror_t *mirror = APR_ARRAY_IDX(registry->mirrors, i, const mirror_t *);
        mirror_document_t document;
        mirror_store_text_t text;

        if (mirror->slot) {
            mirror_store_read(&text, &mirror->slot->fleet_version,
                              mirror_table_fleet_store(registry->table, mirror->slot), pool);
            count += mirror_document_of_store(&document, text.text, pool);
        }
    }
    return count;
}

void mirror_page_put_question(request_rec *r, const mirror_registry_t *registry, const char *nonce,
                              const char *location)
{
    int count = count_documents(registry, r->pool);

    ap_rvputs(r,
              "<section class=\"question\" role=\"alert\" aria-labelledby=\"question\">\n<h2 "
              "id=\"question\">Restore the store of the fleet ",
              ap_escape_html(r->pool, registry->fleet->name), "?</h2>\n<p>This node has ",
              count == 1 ? "1 document" : apr_psprintf(r->pool, "%d documents", count),
              ". They are written to the store and apply to all nodes. A mirror of which this node "
              "has no document returns to the configuration file of each node. If the store is "
              "about to be restored from a backup, cancel.</p>\n",
              NULL);
    open_restore(r, nonce, location);
    ap_rvputs(r,
              "<input type=\"hidden\" name=\"confirm\" value=\"yes\"><button "
              "class=\"stop\">Restore from this node</button></form>\n<a href=\"",
              location, "/\">Cancel</a>\n</section>\n", NULL);
}

/* ---- this node ---- */

static void put_refused(request_rec *r, apr_uint64_t refused)
{
    if (refused) {
        ap_rvputs(r, " <b>This node refuses ", mirror_page_count(r->pool, refused),
                  refused == 1 ? " document" : " documents",
                  "</b>; the former settings remain (see the error log).", NULL);
    }
}

static void put_this_node(const fleet_page_t *page)
{
    apr_uint64_t down = apr_atomic_read64(&page->words->down_since);
    request_rec *r = page->r;
    int has_form = 0;

    ap_rvputs(r, "<p>Fleet <b>", ap_escape_html(r->pool, page->registry->fleet->name),
              "</b>: revision ",
              mirror_page_count(r->pool, apr_atomic_read64(&page->words->revision)),
              " is in force on this node.", NULL);
    if (down) {
        ap_rvputs(r, " <b>Its store does not respond</b> since ",
                  mirror_page_time(r->pool, mirror_clock_to_wall((apr_time_t)down)),
                  "; the settings remain.", NULL);
    }
    if (apr_atomic_read64(&page->words->emptied)) {
        ap_rputs(" <b>Its store was emptied</b>; the settings remain, and changes need a restore.",
                 r);
        has_form = page->nonce != NULL;
    }
    put_refused(r, apr_atomic_read64(&page->words->refused));
    ap_rvputs(r, " For programs: <a href=\"", page->location, "/fleet\">nodes</a>, <a href=\"",
              page->location, "/fleet/mirrors\">documents</a>, <a href=\"", page->location,
              "/fleet/log\">changes</a>.</p>\n", NULL);
    if (has_form) {
        open_restore(r, page->nonce, page->location);
        ap_rputs("<button title=\"Write the settings of this node to the store again; asks "
                 "before\">Restore the store</button></form>\n",
                 r);
    }
}

/* ---- the documents in force on this node ---- */

static void open_table(request_rec *r, const char *caption, const char *const *heads)
{
    ap_rvputs(r, "<table>\n<caption>", caption, "</caption>\n<thead><tr>", NULL);
    for (; *heads; heads++) {
        ap_rvputs(r, "<th scope=\"col\">", *heads, "</th>", NULL);
    }
    ap_rputs("</tr></thead>\n<tbody>\n", r);
}

static void put_row_of(const fleet_page_t *page, const mirror_t *mirror,
                       const mirror_document_t *document, const char *text)
{
    request_rec *r = page->r;
    apr_pool_t *p = r->pool;
    const mirror_settings_t *settings = mirror_settings_borrow(page->registry, mirror, p);

    ap_rvputs(r, "<tr data-key=\"", ap_escape_html(p, mirror->name), "\"><th scope=\"row\">",
              ap_escape_html(p, mirror->name), "</th><td>",
              mirror_page_count(p, (apr_uint64_t)document->version.revision), "</td><td>",
              *document->by ? mirror_page_text(p, document->by) : "without a user", "</td><td>",
              mirror_page_text(p, document->node), "</td><td>", mirror_page_text(p, document->at),
              "</td><td>",
              mirror_settings_change_refuse_fleet(page->registry, mirror, text, p)
                  ? "<b>refused, as it is not valid here any more</b>"
              : settings->layer == MIRROR_LAYER_NODE ? "<b>covered by settings of this node</b>"
                                                     : "",
              "</td></tr>\n", NULL);
}

static void put_documents(const fleet_page_t *page)
{
    static const char *const heads[] = { "Mirror", "Revision", "By", "On", "At", "Here", NULL };
    const apr_array_header_t *mirrors = page->registry->mirrors;
    mirror_document_t document;
    mirror_store_text_t text;
    int i, rows = 0;

    for (i = 0; i < mirrors->nelts; i++) {
        const mirror_t *mirror = APR_ARRAY_IDX(mirrors, i, const mirror_t *);

        if (!mirror->slot) {
            continue;
        }
        mirror_store_read(&text, &mirror->slot->fleet_version,
                          mirror_table_fleet_store(page->registry->table, mirror->slot),
                          page->r->pool);
        if (!mirror_document_of_store(&document, text.text, page->r->pool)) {
            continue;
        }
        if (rows++ == 0) {
            open_table(page->r, "Mirrors that the fleet sets, as this node has them", heads);
        }
        put_row_of(page, mirror, &document, text.text);
    }
    if (rows) {
        ap_rputs("</tbody>\n</table>\n", page->r);
    }
}

/* ---- all nodes, as the store has them ---- */

/* Print the reasons of a node, which comes from the store. */
static void put_reasons(request_rec *r, yajl_val refused)
{
    apr_size_t i;

    for (i = 0; refused && i < refused->u.object.len; i++) {
        const char *path[] = { "why", NULL };
        yajl_val why = yajl_tree_get(refused->u.object.values[i], path, yajl_t_string);

        ap_rvputs(r, i ? "<br>" : "", mirror_page_text(r->pool, refused->u.object.keys[i]), ": ",
                  why ? mirror_page_text(r->pool, YAJL_GET_STRING(why)) : "", NULL);
    }
}

static void put_nodes(request_rec *r, const apr_array_header_t *nodes)
{
    static const char *const states[MIRROR_NODE_STATES] = { "in force", "<b>behind</b>",
                                                            "<b>refuses</b>", "<b>silent</b>" };
    int i;

    for (i = 0; i < nodes->nelts; i++) {
        const mirror_node_t *node = &APR_ARRAY_IDX(nodes, i, mirror_node_t);
        const char *name = mirror_page_text(r->pool, node->name);

        ap_rvputs(r, "<tr data-key=\"", name, "\"><th scope=\"row\">", name, "</th><td>",
                  states[node->state], "</td><td>",
                  mirror_page_count(r->pool, (apr_uint64_t)node->revision), "</td><td>",
                  mirror_page_text(r->pool, node->module), "</td><td>", NULL);
        put_reasons(r, node->refused);
        ap_rputs("</td></tr>\n", r);
    }
}

static void put_summary(request_rec *r, const mirror_nodes_t *nodes)
{
    apr_pool_t *p = r->pool;
    apr_uint64_t all = 0;
    int i;

    for (i = 0; i < MIRROR_NODE_STATES; i++) {
        all += nodes->count[i];
    }
    ap_rvputs(r, "<p>Nodes: the newest revision is in force on ",
              mirror_page_count(p, nodes->count[MIRROR_NODE_IN_FORCE]), " of ",
              mirror_page_count(p, all), "; ",
              mirror_page_count(p, nodes->count[MIRROR_NODE_BEHIND]), " behind, ",
              mirror_page_count(p, nodes->count[MIRROR_NODE_REFUSED]), " refuse, ",
              mirror_page_count(p, nodes->count[MIRROR_NODE_SILENT]),
              " silent for over 30 seconds.</p>\n", NULL);
}

static void put_warnings(request_rec *r, const mirror_nodes_t *nodes)
{
    const apr_array_header_t *texts = mirror_fleet_report_warnings(nodes, r->pool);
    int i;

    for (i = 0; i < texts->nelts; i++) {
        ap_rvputs(r, "<p class=\"warning\">",
                  mirror_page_text(r->pool, APR_ARRAY_IDX(texts, i, const char *)), ".</p>\n",
                  NULL);
    }
}

/* The page must be there in an emergency: it does not wait for a store that is known to be down. */
static void put_all_nodes(const fleet_page_t *page)
{
    static const char *const heads[] = { "Node", "State", "Revision", "Module", "Refused", NULL };
    request_rec *r = page->r;
    mirror_remote_head_t head;
    mirror_remote_t *remote;
    mirror_nodes_t nodes;

    if (!mirror_fleet_edit_is_possible(page->registry) ||
        apr_atomic_read64(&page->words->down_since)) {
        return;
    }
    remote = mirror_fleet_store_open(r, page->registry);
    remote->deadline = mirror_clock_now() + PAGE_MAX;
    if (mirror_remote_head(&head, remote) != APR_SUCCESS ||
        mirror_nodes_read(&nodes, remote, &head, NULL, NULL, r->pool) != APR_SUCCESS) {
        ap_rvputs(r, "<p><b>The store did not list the nodes</b>: ",
                  mirror_page_text(r->pool, remote->fault), ".</p>\n", NULL);
        return;
    }
    put_summary(r, &nodes);
    put_warnings(r, &nodes);
    open_table(r, "Nodes that are not in force, and some others", heads);
    put_nodes(r, nodes.others);
    put_nodes(r, nodes.fine);
    ap_rputs("</tbody>\n</table>\n", r);
}

void mirror_page_put_fleet(request_rec *r, const mirror_registry_t *registry, const char *nonce,
                           const char *location)
{
    fleet_page_t page = { r, registry, NULL, nonce, location };

    if (!registry->fleet || !registry->table) {
        return;
    }
    page.words = mirror_table_fleet(registry->table);
    ap_rputs("<section class=\"fleet\" aria-label=\"Fleet\">\n", r);
    put_this_node(&page);
    put_documents(&page);
    put_all_nodes(&page);
    ap_rputs("</section>\n", r);
}
