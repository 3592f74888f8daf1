/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/manager.c - the handlers of manager and status. See admin/manager.h.
 *
 * A response is written into one yajl_gen and then sent as a whole. Errors have the form {"error":
 * "..."}. The part of the URI after the location selects the resource. path_info is not used,
 * because it depends on the folders below DocumentRoot.
 */
#include <string.h>

#include <ap_expr.h>
#include <apr_cstr.h>
#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>
#include <http_protocol.h>

#include "admin/access.h"
#include "admin/access_file.h"
#include "admin/change.h"
#include "admin/change_all.h"
#include "admin/comparison.h"
#include "admin/fleet.h"
#include "admin/json.h"
#include "admin/losses.h"
#include "admin/manager.h"
#include "admin/metrics.h"
#include "admin/page.h"
#include "attributes/line.h"
#include "attributes/value.h"
#include "settings/scope.h"
#include "settings/settings.h"
#include "shared/table.h"

#define MANAGER    "proxy-mirror-manager"
#define STATUS     "proxy-mirror-status" /* the same, read-only */
#define RESOURCE   "/mirrors"
#define METRICS    "/metrics"
#define COMPARISON "/comparison"
#define LOSSES     "/losses"
#define READ       "GET, HEAD"

/* ---- responses ---- */

static int respond_page(request_rec *r, const mirror_registry_t *registry, const char *location,
                        int may_change)
{
    mirror_page_visit_t visit = { location, NULL, NULL, NULL, 0, 0 };

    return may_change ? mirror_change_send_page(r, registry, location, NULL)
                      : mirror_page_send(r, registry, &visit);
}

static int respond_list(request_rec *r, const mirror_registry_t *registry)
{
    yajl_gen gen = mirror_json_create(r->pool);
    int i;

    yajl_gen_map_open(gen);
    yajl_gen_string(gen, (const unsigned char *)"mirrors", 7);
    yajl_gen_array_open(gen);
    for (i = 0; i < registry->mirrors->nelts; i++) {
        const mirror_t *mirror = APR_ARRAY_IDX(registry->mirrors, i, const mirror_t *);

        mirror_json_mirror(gen, registry, mirror, mirror_settings_borrow(registry, mirror, r->pool),
                           r->pool);
    }
    yajl_gen_array_close(gen);
    yajl_gen_map_close(gen);
    return mirror_json_send(r, HTTP_OK, gen);
}

/* Send the mirror as a line for the configuration file. */
static int respond_directive(request_rec *r, const mirror_registry_t *registry,
                             const mirror_t *mirror)
{
    const mirror_settings_t *settings = mirror_settings_borrow(registry, mirror, r->pool);

    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    ap_set_content_type(r, "text/plain; charset=utf-8");
    ap_rvputs(r, mirror_line_print(settings, mirror->defaults, mirror->name, r->pool), "\n", NULL);
    return OK;
}

static int respond_mirror(request_rec *r, const mirror_registry_t *registry, const mirror_t *mirror)
{
    const mirror_settings_t *settings = mirror_settings_borrow(registry, mirror, r->pool);
    yajl_gen gen = mirror_json_create(r->pool);

    mirror_json_mirror(gen, registry, mirror, settings, r->pool);
    apr_table_setn(r->headers_out, "ETag", mirror_json_etag(registry, settings, r->pool));
    return mirror_json_send(r, HTTP_OK, gen);
}

static int respond_losses(request_rec *r, const mirror_registry_t *registry, const mirror_t *mirror)
{
    mirror_view_t view;

    if (r->method_number != M_GET) {
        return mirror_json_refuse_method(r, READ);
    }
    mirror_view_make(&view, registry, mirror, NULL, r->pool);
    return mirror_losses_send(r, &view);
}

/* ---- which resource ---- */

static int begins_with_path(const char *uri, const char *path, apr_size_t len)
{
    return strncmp(uri, path, len) == 0 && (uri[len] == '/' || uri[len] == '\0');
}

static int sets_our_handler(request_rec *r, const core_dir_config *section)
{
    const char *error = NULL;
    const char *handler =
        section->expr_handler != NULL ? ap_expr_str_exec(r, section->expr_handler, &error) : NULL;

    return handler != NULL && error == NULL && ap_cstr_casecmp(handler, r->handler) == 0;
}

/* Return the length of the longest <Location> that sets the handler and contains this URI; -1 if
 * there is none. */
static int plain_location(request_rec *r)
{
    core_server_config *server = ap_get_core_module_config(r->server->module_config);
    int longest = -1;
    int i;

    for (i = 0; i < server->sec_url->nelts; i++) {
        const core_dir_config *section =
            ap_get_core_module_config(APR_ARRAY_IDX(server->sec_url, i, ap_conf_vector_t *));
        apr_size_t len = strlen(section->d);

        while (len > 0 && section->d[len - 1] == '/') {
            len--;
        }
        if (section->r == NULL && !section->d_is_fnmatch && (int)len > longest &&
            begins_with_path(r->uri, section->d, len) && sets_our_handler(r, section)) {
            longest = (int)len;
        }
    }
    return longest;
}

/* Return whether the first `len` bytes of a path end with "/mirrors/" and a name. */
static int ends_with_mirror(const char *uri, apr_size_t len)
{
    const apr_size_t resource = sizeof(RESOURCE) - 1;

    while (len > 0 && uri[len - 1] != '/') {
        len--;
    }
    return len > resource && memcmp(uri + len - 1 - resource, RESOURCE, resource) == 0;
}

/* The path without "/comparison", "/comparison/verdict" or "/losses" behind the name of a mirror. */
static const char *without_part(const char *uri, apr_pool_t *pool)
{
    static const char *const ends[] = { COMPARISON, COMPARISON "/verdict", LOSSES };
    apr_size_t len = strlen(uri), i;

    for (i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
        apr_size_t end = strlen(ends[i]);

        if (len > end && strcmp(uri + len - end, ends[i]) == 0 &&
            ends_with_mirror(uri, len - end)) {
            return apr_pstrmemdup(pool, uri, len - end);
        }
    }
    return uri;
}

/* Return whether the first `len` bytes of a path end with "/mirrors". */
static int ends_with_resource(const char *uri, apr_size_t len)
{
    const apr_size_t resource = sizeof(RESOURCE) - 1;

    return len >= resource && memcmp(uri + len - resource, RESOURCE, resource) == 0;
}

/* The path without "/fleet" and what follows it, up to a slash that is kept. */
static const char *without_fleet(const char *uri, apr_pool_t *pool)
{
    static const char *const ends[] = { "/log", "/restore" };
    const char *fleet = ap_strstr_c(uri, MIRROR_FLEET_RESOURCE);
    const char *rest = fleet ? fleet + sizeof(MIRROR_FLEET_RESOURCE) - 1 : "";
    apr_size_t i;

    if (!fleet || ends_with_resource(uri, (apr_size_t)(fleet - uri))) {
        return uri; /* none, or a mirror of this name */
    }
    for (i = 0; i < sizeof(ends) / sizeof(*ends) && *rest; i++) {
        rest = strcmp(rest, ends[i]) ? rest : "";
    }
    if (*rest && !begins_with_path(rest, RESOURCE, sizeof(RESOURCE) - 1)) {
        return uri;
    }
    return apr_pstrcat(pool, apr_pstrmemdup(pool, uri, (apr_size_t)(fleet - uri)), "/", NULL);
}

/* Return the end of the location for other sections: the last "/mirrors" that is followed by one
 * name or nothing; otherwise the whole URI. */
static int guessed_location(request_rec *r)
{
    const char *uri = without_fleet(without_part(r->uri, r->pool), r->pool);
    const char *name = ap_strrchr_c(uri, '/');
    apr_size_t before = name != NULL ? (apr_size_t)(name - uri) : 0;
    const apr_size_t len = sizeof(RESOURCE) - 1;

    if (name != NULL && (strcmp(name, RESOURCE) == 0 || strcmp(name, METRICS) == 0)) {
        return (int)before;
    }
    if (before >= len && memcmp(uri + before - len, RESOURCE, len) == 0) {
        return (int)(before - len);
    }
    return (int)(name != NULL && (name[1] == '\0' || mirror_page_has_file(name)) ? before
                                                                                 : strlen(uri));
}

static const mirror_t *find_mirror(const mirror_registry_t *registry, const char *name)
{
    int i;

    for (i = 0; i < registry->mirrors->nelts; i++) {
        const mirror_t *mirror = APR_ARRAY_IDX(registry->mirrors, i, const mirror_t *);

        if (strcmp(mirror->name, name) == 0) {
            return mirror;
        }
    }
    return NULL;
}

static int is_change(const request_rec *r)
{
    return r->method_number == M_PUT || r->method_number == M_PATCH ||
           r->method_number == M_DELETE || r->method_number == M_POST;
}

/* Handle a request for one mirror. */
static int handle_mirror(request_rec *r, const mirror_registry_t *registry, const char *location,
                         const char *name, int may_change)
{
    const char *rest = ap_strchr_c(name, '/');
    int losses = rest != NULL && strcmp(rest, LOSSES) == 0;
    const mirror_t *mirror;

    if (rest != NULL && begins_with_path(rest, COMPARISON, sizeof(COMPARISON) - 1)) {
        name = apr_pstrmemdup(r->pool, name, (apr_size_t)(rest - name));
        rest += sizeof(COMPARISON) - 1;
    }
    else {
        name = losses ? apr_pstrmemdup(r->pool, name, (apr_size_t)(rest - name)) : name;
        rest = NULL;
    }
    mirror = find_mirror(registry, name);

    if (mirror == NULL) {
        return mirror_json_error(r, HTTP_NOT_FOUND,
                                 apr_psprintf(r->pool, "%s: no such mirror", name));
    }
    if (losses) {
        return respond_losses(r, registry, mirror);
    }
    if (rest != NULL) {
        return mirror_comparison_handle(r, registry, mirror, rest, may_change);
    }
    if (may_change && is_change(r)) {
        return mirror_change_handle(r, registry, mirror, location);
    }
    if (r->method_number == M_GET && r->args && !strncmp(r->args, "as=", 3)) {
        return strcmp(r->args, "as=directive")
                   ? mirror_json_error(r, HTTP_BAD_REQUEST,
                                       apr_pstrcat(r->pool, "as: must be directive, got ",
                                                   mirror_value_quote(r->args + 3, r->pool), NULL))
                   : respond_directive(r, registry, mirror);
    }
    if (r->method_number == M_GET) {
        return respond_mirror(r, registry, mirror);
    }
    return mirror_json_refuse_method(r, may_change ? READ ", PUT, PATCH, DELETE, POST" : READ);
}

/* Respond for all mirrors, or for the one whose name follows a slash in `name`. */
static int handle_mirrors(request_rec *r, const mirror_registry_t *registry, const char *location,
                          const char *name, int may_change)
{
    if (*name != '\0' && strcmp(name, "/") != 0) {
        return handle_mirror(r, registry, location, name + 1, may_change);
    }
    if (may_change && is_change(r) && r->method_number != M_PUT) {
        return mirror_change_all_handle(r, registry, location);
    }
    return r->method_number == M_GET
               ? respond_list(r, registry)
               : mirror_json_refuse_method(r, may_change ? READ ", PATCH, DELETE, POST" : READ);
}

static int handle(request_rec *r, int may_change)
{
    const mirror_registry_t *registry = mirror_scope_registry(r->server);
    int len = plain_location(r);
    const char *location, *rest;

    if (len < 0) {
        len = guessed_location(r);
    }
    rest = r->uri + len;
    location = apr_pstrmemdup(r->pool, r->uri, (apr_size_t)len);
    while (location[0] == '/' && location[1] == '/') {
        location++; /* two slashes would make the rest a host, in links and in Location */
    }
    if (mirror_page_has_file(rest)) {
        return r->method_number == M_GET ? mirror_page_send_file(r, rest)
                                         : mirror_json_refuse_method(r, READ);
    }
    if (strcmp(rest, METRICS) == 0) {
        return r->method_number == M_GET ? mirror_metrics_respond(r, registry)
                                         : mirror_json_refuse_method(r, READ);
    }
    if (begins_with_path(rest, MIRROR_FLEET_RESOURCE, sizeof(MIRROR_FLEET_RESOURCE) - 1)) {
        return mirror_fleet_handle(r, registry, location, rest + sizeof(MIRROR_FLEET_RESOURCE) - 1,
                                   may_change);
    }
    if (*rest != '\0' && strcmp(rest, "/") != 0 &&
        !begins_with_path(rest, RESOURCE, sizeof(RESOURCE) - 1)) {
        return mirror_json_error(r, HTTP_NOT_FOUND,
                                 apr_psprintf(r->pool,
                                              "%s: no such resource; the resources are " RESOURCE
                                              " and " METRICS,
                                              rest));
    }
    if (registry->table != NULL) {
        mirror_table_reap_ended(registry->table);
    }
    if (*rest == '\0' || strcmp(rest, "/") == 0) {
        return r->method_number == M_GET ? respond_page(r, registry, location, may_change)
                                         : mirror_json_refuse_method(r, READ);
    }
    return handle_mirrors(r, registry, location, rest + sizeof(RESOURCE) - 1, may_change);
}

/* Send 403, or the status for which this is an ErrorDocument, if the request is rejected; return
 * DECLINED if it is accepted. */
static int refuse(request_rec *r)
{
    const char *why = mirror_access_refuse_handler(r);
    int status = HTTP_FORBIDDEN;

    if (why == NULL) {
        why = mirror_access_file_refuse(r);
        if (why == NULL) {
            why = mirror_access_refuse_error(r, &status);
        }
        if (why == NULL) {
            why = mirror_access_refuse_host(r);
        }
        if (why == NULL) {
            return DECLINED;
        }
        mirror_access_log(r, NULL, why);
    }
    return mirror_json_error(r, status, why);
}

/* Disable compression. It would reveal the nonce of a page through its length (BREACH), and change
 * the ETag that If-Match requires. */
static void forbid_compression(request_rec *r)
{
    apr_table_setn(r->subprocess_env, "no-gzip", "1");
    apr_table_setn(r->subprocess_env, "no-brotli", "1");
}

int mirror_manager_handler(request_rec *r)
{
    int may_change, rv;

    if (r->handler == NULL ||
        (strcmp(r->handler, MANAGER) != 0 && strcmp(r->handler, STATUS) != 0)) {
        return DECLINED;
    }
    may_change = strcmp(r->handler, MANAGER) == 0;
    forbid_compression(r);
    rv = refuse(r);
    if (rv != DECLINED) {
        return rv;
    }
    if (may_change && is_change(r)) {
        return handle(r, may_change); /* reads the body, or leaves it to httpd */
    }
    rv = ap_discard_request_body(r);
    if (rv != OK) {
        return rv;
    }
    return may_change || r->method_number == M_GET ? handle(r, may_change)
                                                   : mirror_json_refuse_method(r, READ);
}
