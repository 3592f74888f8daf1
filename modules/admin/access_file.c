/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/access_file.c - a request as it would be without access files. See admin/access_file.h.
 *
 * What an access file can do to a request is not listed. If a <Location> gives manager or status,
 * httpd finds no access file for the request. Else the request is looked up once more, as a
 * subrequest for which httpd finds no access file: with the same method, path and headers, through
 * all hooks of httpd up to the handler.
 */
#include <string.h>

#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_request.h>

#include "admin/access.h"
#include "admin/access_file.h"

#define LOOKUP "mod_proxy_mirror:lookup" /* a note of the request that is looked up */
#define CLOSED "mod_proxy_mirror:closed" /* a note: the URI for which no access file is read */
#define WALKS  4

/* What httpd has found for a request, and would use for a subrequest. */
typedef struct found_t {
    const struct htaccess_result *htaccess;
    char *user;
    char *auth_type;
    void *walks[WALKS];
} found_t;

static const apr_size_t walks[WALKS] = { AP_NOTE_DIRECTORY_WALK, AP_NOTE_LOCATION_WALK,
                                         AP_NOTE_FILE_WALK, AP_NOTE_IF_WALK };

static void hide(found_t *found, request_rec *r)
{
    int i;

    found->htaccess = r->htaccess;
    r->htaccess = NULL;
    found->user = r->user; /* which a module may take over for a subrequest */
    r->user = NULL;
    found->auth_type = r->ap_auth_type;
    r->ap_auth_type = NULL;
    for (i = 0; i < WALKS; i++) {
        void **note = ap_get_request_note(r, walks[i]);

        found->walks[i] = *note;
        *note = NULL;
    }
    apr_table_setn(r->notes, LOOKUP, "1");
}

static void restore(request_rec *r, const found_t *found)
{
    int i;

    apr_table_unset(r->notes, LOOKUP);
    for (i = 0; i < WALKS; i++) {
        *ap_get_request_note(r, walks[i]) = found->walks[i];
    }
    r->htaccess = found->htaccess;
    r->user = found->user;
    r->ap_auth_type = found->auth_type;
}

/* Called for each folder in which httpd looks for one. */
static apr_status_t open_access_file(request_rec *r, const char *folder, const char *name,
                                     ap_configfile_t **file, const char **path)
{
    const request_rec *outer;
    const char *closed = apr_table_get(r->notes, CLOSED);

    if (closed &&
        !strcmp(closed, r->uri)) { /* not if it was rewritten: no <Location> of ours then */
        *path = apr_pstrcat(r->pool, folder, "/", name, NULL);
        return APR_ENOENT;
    }
    for (outer = r->main; outer; outer = outer->main) {
        if (apr_table_get(outer->notes, LOOKUP)) {
            *path = apr_pstrcat(r->pool, folder, "/", name, NULL);
            return APR_ENOENT;
        }
    }
    (void)file;
    return AP_DECLINED;
}

/* translate_name, when the sections of the URI are merged and no access file was read yet: if one
 * of them gives manager or status, no access file is read at all. */
static int close_location(request_rec *r)
{
    if (mirror_access_is_ours(r)) {
        apr_table_set(r->notes, CLOSED, r->uri);
    }
    return DECLINED;
}

/* Whether httpd has read an access file for this request, or for one that was redirected to it. */
static int has_access_file(const request_rec *r)
{
    const struct htaccess_result *one = r->htaccess;

    while (one && !one->htaccess) {
        one = one->next;
    }
    return one != NULL;
}

const char *mirror_access_file_refuse(char **user, request_rec *r)
{
    const char *path = r->parsed_uri.path ? r->parsed_uri.path : "/", *why = NULL;
    request_rec *alone;
    found_t found;

    *user = r->user;
    if (!has_access_file(r)) {
        return NULL;
    }
    hide(&found, r);
    alone = ap_sub_req_method_uri(
        r->method, r->args ? apr_pstrcat(r->pool, path, "?", r->args, NULL) : path, r, NULL);
    restore(r, &found);
    if (alone->status != HTTP_OK || !alone->handler || strcmp(alone->handler, r->handler)) {
        why = apr_psprintf(r->pool,
                           "access: a request that the server configuration alone allows is "
                           "needed; got one that it "
                           "answers with %d without what .htaccess files say",
                           alone->status != HTTP_OK ? alone->status : HTTP_NOT_FOUND);
    }
    *user = alone->user ? apr_pstrdup(r->pool, alone->user) : NULL;
    ap_destroy_sub_req(alone);
    return why;
}

void mirror_access_file_register_hooks(void)
{
    ap_hook_translate_name(close_location, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_open_htaccess(open_access_file, NULL, NULL, APR_HOOK_FIRST);
}
