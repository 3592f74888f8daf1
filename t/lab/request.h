/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * request.h - a request to try out, and what the rooms of request threads want of httpd, for a
 * program without httpd.
 *
 * Of expressions there are as many as the tests need: a condition is true, false, or fails, a
 * string is itself, the value of the request's header Key, or fails. Regular expressions are the C
 * library's.
 */
#ifndef REQUEST_H
#define REQUEST_H

#include <apr_general.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <ap_expr.h>
#include <mod_core.h>
#include <mod_proxy.h>

#include "capture/head.h"

/* ---- httpd ---- */

module AP_MODULE_DECLARE_DATA proxy_module = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, NULL, 0
};
ap_filter_rec_t *ap_http_input_filter_handle;

const char *ap_scan_http_token(const char *p)
{
    while (*p && (apr_isalnum(*p) || strchr("!#$%&'*+-.^_`|~", *p))) {
        p++;
    }
    return p;
}

const char *ap_scan_vchar_obstext(const char *p)
{
    while ((unsigned char)*p > ' ' && *p != 0x7f) {
        p++;
    }
    return p;
}

/* A word, or one in double quotes with backslashes before quotes. */
char *ap_getword_conf(apr_pool_t *p, const char **line)
{
    char *word = apr_pstrdup(p, *line), *end = word;
    int quoted = **line == '"';

    for (*line += quoted; **line && (quoted ? **line != '"' : !apr_isspace(**line)); (*line)++) {
        *line += **line == '\\' && (*line)[1] == '"';
        *end++ = **line;
    }
    *end = '\0';
    for (*line += quoted && **line; apr_isspace(**line); (*line)++) {
    }
    return word;
}

char *ap_os_escape_path(apr_pool_t *p, const char *path, int partial)
{
    (void)partial;
    return apr_pstrdup(p, path);
}

void ap_get_server_revision(ap_version_t *version)
{
    memset(version, 0, sizeof(*version));
}

char *ap_proxy_canonenc_ex(apr_pool_t *p, const char *path, int len, enum enctype type, int flags,
                           int proxyreq)
{
    (void)type;
    (void)flags;
    (void)proxyreq;
    return apr_pstrmemdup(p, path, (apr_size_t)len);
}

/* ---- its expressions ---- */

const char *ap_expr_parse(apr_pool_t *p, apr_pool_t *ptemp, ap_expr_info_t *info, const char *text,
                          ap_expr_lookup_fn_t *lookup)
{
    (void)ptemp;
    (void)lookup;
    info->root_node = (void *)apr_pstrdup(p, text);
    return strcmp(text, "bad") ? NULL : "syntax error";
}

int ap_expr_lookup_default(ap_expr_lookup_parms *parms)
{
    (void)parms;
    return DECLINED;
}

int ap_expr_exec(request_rec *r, const ap_expr_info_t *info, const char **error)
{
    const char *text = (const void *)info->root_node;

    (void)r;
    *error = strcmp(text, "fails") ? NULL : "it fails";
    return *error ? -1 : !strcmp(text, "true");
}

const char *ap_expr_str_exec(request_rec *r, const ap_expr_info_t *info, const char **error)
{
    const char *text = (const void *)info->root_node;

    *error = strcmp(text, "fails") ? NULL : "it fails";
    return *error ? NULL : strcmp(text, "key") ? text : apr_table_get(r->headers_in, "Key");
}

const char *ap_expr_str_exec_re(request_rec *r, const ap_expr_info_t *info, apr_size_t count,
                                ap_regmatch_t *match, const char **source, const char **error)
{
    (void)count;
    (void)match;
    (void)source;
    return ap_expr_str_exec(r, info, error);
}

ap_regex_t *ap_pregcomp(apr_pool_t *p, const char *pattern, int flags)
{
    ap_regex_t *regex = apr_pcalloc(p, sizeof(*regex));

    (void)flags;
    regex->re_pcre = apr_pstrdup(p, pattern);
    return regex;
}

int ap_regexec(const ap_regex_t *regex, const char *text, apr_size_t count, ap_regmatch_t *match,
               int flags)
{
    regmatch_t found[AP_MAX_REG_MATCH];
    regex_t compiled;
    apr_size_t i;
    int rv;

    (void)flags;
    if (regcomp(&compiled, regex->re_pcre, REG_EXTENDED)) {
        abort();
    }
    rv = regexec(&compiled, text, AP_MAX_REG_MATCH, found, 0);
    regfree(&compiled);
    for (i = 0; i < count; i++) {
        match[i].rm_so = found[i].rm_so;
        match[i].rm_eo = found[i].rm_eo;
    }
    return rv;
}

/* ---- a request ---- */

static apr_pool_t *pool;
static server_rec server;
static conn_rec connection;
static proxy_dir_conf proxy_conf;
static core_dir_config core_conf;
static void *config[2];
static request_rec request;

static void setup(void)
{
    apr_pool_create(&pool, NULL);
    proxy_module.module_index = 1;
    memset(&proxy_conf, 0, sizeof(proxy_conf));
    proxy_conf.add_forwarded_headers = 0;
    config[AP_CORE_MODULE_INDEX] = &core_conf;
    config[1] = &proxy_conf;
    server.server_hostname = (char *)"www.example.com";
    memset(&request, 0, sizeof(request));
    request.pool = pool;
    request.server = &server;
    request.connection = &connection;
    request.per_dir_config = (ap_conf_vector_t *)config;
    request.headers_in = apr_table_make(pool, 8);
    request.notes = apr_table_make(pool, 2);
    request.subprocess_env = apr_table_make(pool, 2);
    request.uri = (char *)"/";
    request.useragent_ip = (char *)"192.0.2.1";
    request.proxyreq = PROXYREQ_REVERSE;
}

static void teardown(void)
{
    apr_pool_destroy(pool);
}

#endif
