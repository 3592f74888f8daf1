/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * capture/shape.c - request target and Host of a copy. Request threads only; see capture/shape.h.
 */
#include <string.h>

#include <apr_cstr.h>
#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <mod_proxy.h>

#include "capture/shape.h"

/* ---- the client's target ---- */

/* Return the origin form of an absolute URI (RFC 9112 3.2.2). */
static const char *origin_form(const mirror_method_t *method, apr_pool_t *pool, const char *uri)
{
    const char *path =
        uri + strspn(uri, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");

    if (path == uri || strncmp(path, "://", 3)) {
        return apr_pstrcat(pool, "/", uri, NULL);
    }
    path += 3;
    path += strcspn(path, "/?#");
    if (*path == '/') {
        return path;
    }
    if (*path == '?') {
        return apr_pstrcat(pool, "/", path, NULL);
    }
    return mirror_method_is(method, "OPTIONS") ? "*" : "/"; /* RFC 9112 3.2.4 */
}

/* Percent-encode characters of `uri` that are not allowed in a request line; httpd accepts such
 * characters with HttpProtocolOptions Unsafe. */
static const char *encoded(apr_pool_t *pool, const char *uri)
{
    static const char hex[] = "0123456789ABCDEF";
    char *target = apr_palloc(pool, strlen(uri) * 3 + 1), *p = target;

    for (; *uri; uri++) {
        unsigned char c = (unsigned char)*uri;

        if (c > ' ' && c != 0x7f) {
            *p++ = (char)c;
        }
        else {
            *p++ = '%';
            *p++ = hex[c >> 4];
            *p++ = hex[c & 15];
        }
    }
    *p = '\0';
    return target;
}

static const char *in_request_line(apr_pool_t *pool, const char *uri)
{
    return *ap_scan_vchar_obstext(uri) ? encoded(pool, uri) : uri;
}

/* ---- the backend's ---- */

/* Return whether mod_proxy sends a request target to backends of this scheme; the others get CGI
 * variables. */
static int sends_target(const char *url)
{
    static const char *const schemes[] = { "http", "https", "balancer", "h2",
                                           "h2c",  "ws",    "wss",      "ajp" };
    apr_size_t len = strcspn(url, ":"), i;

    for (i = 0; i < sizeof(schemes) / sizeof(*schemes); i++) {
        if (strlen(schemes[i]) == len && !apr_cstr_casecmpn(schemes[i], url, len)) {
            return 1;
        }
    }
    return 0;
}

static const char *with_query(apr_pool_t *pool, const char *path, const char *args)
{
    return args ? apr_pstrcat(pool, path, "?", args, NULL) : path;
}

/* Return the backend's URL. When the handler begins, it is mod_proxy's file name, canonical and
 * with its query. The URL of a SetHandler is composed in the handler, and since 2.4.62 a balancer's
 * URL is made canonical for the chosen member. *raw: 1 if the URL is not yet canonical. */
static const char *proxied_url(request_rec *r, int *raw)
{
    static const char proxy[] = "proxy:";
    const char *url = NULL;
    ap_version_t version;

    *raw = !r->proxyreq;
    if (r->proxyreq && r->filename && !strncmp(r->filename, proxy, sizeof(proxy) - 1)) {
        url = r->filename + sizeof(proxy) - 1;
        if (!apr_cstr_casecmpn(url, "balancer:", 9)) {
            ap_get_server_revision(&version);
            *raw = version.major > 2 || version.minor > 4 || version.patch >= 62;
        }
    }
    else if (!r->proxyreq && r->filename && r->handler &&
             !strncmp(r->handler, proxy, sizeof(proxy) - 1)) {
        url = apr_pstrcat(r->pool, r->handler + sizeof(proxy) - 1, r->filename, NULL);
    }
    if (url && !apr_cstr_casecmpn(url, "unix:", 5) && strchr(url, '|')) {
        url = strchr(url, '|') + 1;
    }
    return url && sends_target(url) ? url : NULL;
}

/* Make a path canonical as mod_proxy_http does. */
static const char *canonical(request_rec *r, const char *path)
{
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);
    const char *encoded_path = path;
    int flags = 0;

    if (apr_table_get(r->notes, "proxy-nocanon")) {
        return path;
    }
    if (!apr_table_get(r->notes, "proxy-noencode")) {
        if (core->allow_encoded_slashes && !core->decode_encoded_slashes) {
            flags = PROXY_CANONENC_NOENCODEDSLASHENCODING;
        }
        encoded_path = ap_proxy_canonenc_ex(r->pool, path, (int)strlen(path), enc_path, flags,
                                            PROXYREQ_REVERSE);
    }
    return encoded_path ? with_query(r->pool, encoded_path, r->args) : path;
}

static const char *backend_target(const mirror_method_t *method, request_rec *r)
{
    int raw;
    const char *url = proxied_url(r, &raw), *path;

    if (url && raw) {
        path = strstr(url, "://");
        path = path ? strchr(path + 3, '/') : NULL;
        return path ? canonical(r, path) : "/";
    }
    if (url) {
        return origin_form(method, r->pool, url);
    }
    if (!strcmp(r->uri, "*")) {
        return r->uri;
    }
    return with_query(r->pool, ap_escape_uri(r->pool, r->uri), r->args);
}

/* ---- the shape ---- */

static const char *client_target(const mirror_method_t *method, request_rec *r,
                                 const request_rec *first)
{
    const char *uri = first->unparsed_uri ? first->unparsed_uri : "/";

    return uri[0] == '/' || !strcmp(uri, "*") ? uri : origin_form(method, r->pool, uri);
}

static const char *target_of(mirror_shape_targets_t *targets, int uri,
                             const mirror_method_t *method, request_rec *r,
                             const request_rec *first)
{
    const char *target = targets->made[uri];

    if (!target) {
        target =
            uri == MIRROR_URI_BACKEND ? backend_target(method, r) : client_target(method, r, first);
        target = in_request_line(r->pool, target);
        targets->made[uri] = target;
    }
    return target;
}

static const char *host_of(const mirror_settings_t *settings)
{
    if (!strcmp(settings->host_header, "preserve")) {
        return NULL;
    }
    return strcmp(settings->host_header, "target") ? settings->host_header
                                                   : settings->target.authority;
}

void mirror_shape_make(mirror_shape_t *shape, mirror_shape_targets_t *targets,
                       const mirror_method_t *method, const mirror_settings_t *settings,
                       request_rec *r, const request_rec *first)
{
    const char *target = target_of(targets, settings->uri, method, r, first);

    shape->path = "";
    if (settings->path && strcmp(target, "*")) {
        shape->path = in_request_line(r->pool, settings->path);
        if (settings->path_concat_mode == MIRROR_PATH_REPLACE) {
            target += strcspn(target, "?#");
        }
    }
    shape->path_len = strlen(shape->path);
    shape->target = target;
    shape->target_len = strcspn(target, "#");
    shape->host = host_of(settings);
    shape->size = shape->path_len + shape->target_len + (shape->host ? strlen(shape->host) : 0);
}
