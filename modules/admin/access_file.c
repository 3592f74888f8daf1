/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/access_file.c - detection of requests that access files can influence. See
 * admin/access_file.h.
 *
 * The effects of an access file are neither listed nor undone. If a <Location> assigns manager or
 * status, httpd finds no access file for the request. Otherwise the request is rejected if httpd
 * found one. A request for which none is read is served by manager or status, or not at all.
 */
#include <string.h>

#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_request.h>

#include "admin/access.h"
#include "admin/access_file.h"
#include "attributes/value.h"

/* Notes of a request. A fast redirect keeps the notes of both requests. */
#define CLOSED "mod_proxy_mirror:closed" /* the URI for which no access file is read */
#define FOUND  "mod_proxy_mirror:found"  /* the path of the first access file found */

/* Whether no access file is read for the request. Not if its URI was rewritten: no <Location>
 * applies then. */
static int is_closed(const request_rec *r)
{
    const char *closed = apr_table_get(r->notes, CLOSED);

    return closed && !strcmp(closed, r->uri);
}

/* Record a search: httpd calls this hook first for each folder that may have an access file. The
 * file counts as found, unless open_found() below reports that it is missing: a hook of another
 * module may open it. */
static apr_status_t search(request_rec *r, const char *folder, const char *name,
                           ap_configfile_t **file, const char **path)
{
    (void)file;
    if (is_closed(r)) {
        *path = ap_make_full_path(r->pool, folder, name);
        return APR_ENOENT;
    }
    if (!apr_table_get(r->notes, FOUND)) {
        apr_table_setn(r->notes, FOUND, ap_make_full_path(r->pool, folder, name));
    }
    return AP_DECLINED;
}

/* Called last, in place of httpd's own function. It does the same, and records the result. */
static apr_status_t open_found(request_rec *r, const char *folder, const char *name,
                               ap_configfile_t **file, const char **path)
{
    const char *found = apr_table_get(r->notes, FOUND);
    apr_status_t rv;

    *path = ap_make_full_path(r->pool, folder, name);
    rv = ap_pcfg_openfile(file, r->pool, *path);
    if ((APR_STATUS_IS_ENOENT(rv) || APR_STATUS_IS_ENOTDIR(rv)) && found && !strcmp(found, *path)) {
        apr_table_unset(r->notes, FOUND);
    }
    return rv;
}

/* The translate_name hook: the sections of the URI are merged, and no access file was read yet. If
 * one of the sections assigns manager or status, no access file is read. */
static int close_location(request_rec *r)
{
    if (mirror_access_is_ours(r)) {
        apr_table_set(r->notes, CLOSED, r->uri);
    }
    return DECLINED;
}

/* Forget the result of the directory walk of a request. */
static void forget_walk(request_rec *r)
{
    void **walk = r ? ap_get_request_note(r, AP_NOTE_DIRECTORY_WALK) : NULL;

    if (walk) {
        *walk = NULL;
    }
}

/* The map_to_storage hook, before the folders of the path are searched. httpd remembers what it has
 * found, and a redirected or included request inherits that, over any number of steps. A request
 * that a closed one leads to must not inherit the absence of access files: it would be served
 * without its own. */
static int search_anew(request_rec *r)
{
    const request_rec *from = r;

    if (is_closed(r)) {
        if (r->proxyreq) { /* a URL is requested: httpd searches no folders at all */
            apr_table_unset(r->notes, CLOSED);
        }
        return DECLINED;
    }
    do {
        from = from->prev ? from->prev : from->main;
    } while (from && !apr_table_get(from->notes, CLOSED));
    if (from) {
        r->htaccess = NULL;
        forget_walk(r->prev);
        forget_walk(r->main);
    }
    return DECLINED;
}

/* The fixups hook before mod_dir and mod_speling. Manager and status serve no file. What is in the
 * folder of a closed request is hidden: mod_dir and mod_speling would redirect to its names, and
 * mod_include would insert size and time of a file. */
static int hide_file(request_rec *r)
{
    if (is_closed(r)) {
        memset(&r->finfo, 0, sizeof(r->finfo));
        r->finfo.filetype = APR_UNKFILE; /* neither missing, nor a file or folder */
    }
    return DECLINED;
}

/* Let the handler that SetHandler assigns serve the request, if another module has replaced it. */
static int restore_handler(request_rec *r)
{
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);
    const char *error = NULL, *name;
    char *handler;

    if (!mirror_access_is_ours(r)) {
        return 0;
    }
    name = ap_expr_str_exec(r, core->expr_handler, &error);
    if (!name || error) {
        return 0;
    }
    handler = apr_pstrdup(r->pool, name);
    ap_str_tolower(handler);
    r->handler = handler;
    r->proxyreq = PROXYREQ_NONE;
    return 1;
}

/* The fixups hook, when all sections and modules have set the handler. Nothing but manager and status
 * may serve a closed request: the access files that were not read may protect what another handler
 * (mod_dav, SetHandler None in a <Directory>, RewriteRule with [P] there) would serve, or lead to
 * (RewriteRule there). mod_dav looks up the target of a copy by a subrequest, and writes to its file
 * if it is not rejected. */
static int reject_other_handlers(request_rec *r)
{
    if (!is_closed(r) || (!r->proxyreq && r->handler && mirror_access_is_handler(r->handler)) ||
        (!r->main && restore_handler(r))) {
        return DECLINED;
    }
    mirror_access_log(r, NULL,
                      apr_psprintf(r->pool,
                                   "SetHandler: must be proxy-mirror-manager or "
                                   "proxy-mirror-status for all requests of its section, got %s; "
                                   "no .htaccess file was read for this request",
                                   r->handler ? mirror_value_quote(r->handler, r->pool) : "none"));
    return HTTP_FORBIDDEN;
}

/* An access file also influences requests that are redirected from, or included by, its request. */
const char *mirror_access_file_refuse(const request_rec *r)
{
    const char *path = NULL;

    while (r && !path) {
        path = apr_table_get(r->notes, FOUND);
        if (!path) {
            r = r->prev ? r->prev : r->main;
        }
    }
    return path ? apr_psprintf(r->pool,
                               "SetHandler: must be in a <Location> for the requested path, or "
                               "AllowOverride must be None for each folder of the path, got a "
                               "request for which httpd found %s",
                               path)
                : NULL;
}

void mirror_access_file_register_hooks(void)
{
    static const char *const before_folders[] = { "mod_dir.c", "mod_speling.c", NULL };

    ap_hook_translate_name(close_location, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_map_to_storage(search_anew, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_fixups(hide_file, NULL, before_folders, APR_HOOK_MIDDLE);
    ap_hook_fixups(reject_other_handlers, NULL, NULL, APR_HOOK_REALLY_LAST);
    ap_hook_open_htaccess(search, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_open_htaccess(open_found, NULL, NULL, APR_HOOK_LAST);
}
