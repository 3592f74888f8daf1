/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * copy/log_open.c - the logs of the configuration; opening them in the parent. See copy/log.h.
 *
 * Piped logs are httpd's, as in mod_log_config: httpd starts a program at its own start, restarts
 * it when it ends, and replaces it at each restart.
 */
#include <fcntl.h>
#include <string.h>

#include <httpd.h>
#include <http_config.h>
#include <http_log.h>
#include <apr_portable.h>
#include <apr_strings.h>

#include "attributes/value.h"
#include "copy/log.h"

APLOG_USE_MODULE(proxy_mirror);

/* ---- the directive ---- */

/* Return an error message about a name, or NULL. */
static const char *refuse_name(const char *name, const char *path)
{
    if (*name == '|') {
        return name[1 + strspn(name + 1, "|$ ")] ? NULL : "";
    }
    return *name && path ? NULL : "";
}

/* Return an error message about a file that cannot be opened because of its folder, or NULL. */
static const char *refuse_folder(const char *path, apr_pool_t *ptemp)
{
    apr_finfo_t info;

    if (apr_stat(&info, path, APR_FINFO_TYPE, ptemp) == APR_SUCCESS && info.filetype == APR_DIR) {
        return " (it is a folder)";
    }
    if (apr_stat(&info, ap_make_dirstr_parent(ptemp, path), APR_FINFO_TYPE, ptemp) != APR_SUCCESS ||
        info.filetype != APR_DIR) {
        return " (its folder does not exist)";
    }
    return NULL;
}

const char *mirror_log_make(mirror_log_t **log, mirror_registry_t *registry, const char *name,
                            int reload, apr_pool_t *pconf, apr_pool_t *ptemp)
{
    const char *path = *name == '|' ? NULL : ap_server_root_relative(pconf, name);
    const char *wrong = refuse_name(name, path);
    int i;

    if (!wrong && path && !reload) {
        wrong = refuse_folder(path, ptemp);
    }
    if (wrong) {
        return apr_psprintf(pconf,
                            "file: must be a file in an existing folder or \"|program\", got %s%s",
                            mirror_value_quote(name, pconf), wrong);
    }
    for (i = 0; i < registry->logs->nelts; i++) {
        *log = APR_ARRAY_IDX(registry->logs, i, mirror_log_t *);
        if (path ? (*log)->path && !strcmp((*log)->path, path) : !strcmp((*log)->name, name)) {
            return NULL;
        }
    }
    *log = apr_pcalloc(pconf, sizeof(**log));
    (*log)->name = apr_pstrdup(pconf, name);
    (*log)->path = path;
    (*log)->program = path ? NULL : (*log)->name + 1;
    (*log)->index = i;
    (*log)->fd = -1;
    APR_ARRAY_PUSH(registry->logs, mirror_log_t *) = *log;
    return NULL;
}

/* ---- opening ---- */

static apr_status_t open_one(mirror_log_t *log, apr_pool_t *pconf)
{
    apr_file_t *file = NULL;
    apr_status_t rv;
    int fd, flags;

    if (log->program) {
        piped_log *piped = ap_open_piped_log(pconf, log->program); /* logs its own errors */

        file = piped ? ap_piped_log_write_fd(piped) : NULL;
        rv = file ? APR_SUCCESS : APR_EGENERAL;
    }
    else {
        rv = apr_file_open(&file, log->path,
                           APR_FOPEN_WRITE | APR_FOPEN_APPEND | APR_FOPEN_CREATE |
                               APR_FOPEN_LARGEFILE,
                           APR_FPROT_OS_DEFAULT, pconf);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_os_file_get(&fd, file);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    /* O_NONBLOCK is for the sender; only this module's children write here. The path may also be a
     * named pipe. */
    flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        return APR_FROM_OS_ERROR(apr_get_os_error());
    }
    log->fd = fd;
    return APR_SUCCESS;
}

int mirror_log_open(mirror_registry_t *registry, apr_pool_t *pconf, struct server_rec *server)
{
    int ok = 1, i;

    for (i = 0; i < registry->logs->nelts; i++) {
        mirror_log_t *log = APR_ARRAY_IDX(registry->logs, i, mirror_log_t *);
        apr_status_t rv = open_one(log, pconf);

        if (rv != APR_SUCCESS) {
            ap_log_error(APLOG_MARK, APLOG_ERR, rv, server,
                         "PM0810: ProxyMirrorLog %s cannot be opened", log->name);
            ok = 0;
        }
    }
    return ok;
}
