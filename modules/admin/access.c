/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/access.c - which requests get a response from manager and status. See admin/access.h.
 *
 * Handler. An access file (.htaccess) can assign a handler in many ways, and its author is not the
 * administrator. So the handler is accepted only if the SetHandler in force is an object of a
 * section of the server configuration. Directives of an access file are parsed for each request,
 * and so are never such an object.
 *
 * Host. With DNS rebinding, the name of another site resolves to this server. To a browser, this
 * server then has the same origin as a page of that site, which can read all responses. The Host of
 * such requests is the name of that site.
 */
#include <arpa/inet.h>
#include <string.h>

#include <ap_expr.h>
#include <apr_cstr.h>
#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>

#include "admin/access.h"
#include "attributes/value.h"

APLOG_USE_MODULE(proxy_mirror);

#define FILE_MAX 1024 /* maximum length of a file name in the log */

/* Return the client for the log: user and address, and the address of the proxy that mod_remoteip
 * trusts. */
static const char *client_of(request_rec *r)
{
    int proxied = strcmp(r->useragent_ip, r->connection->client_ip) != 0;

    return apr_pstrcat(r->pool,
                       r->user ? mirror_value_quote(r->user, r->pool) : "a client without a user",
                       " from ", r->useragent_ip, proxied ? " through " : "",
                       proxied ? r->connection->client_ip : "", NULL);
}

/* ---- the handler ---- */

static int is_in_sections(const apr_array_header_t *sections, const ap_expr_info_t *handler);

/* Return whether this section, or a nested one, has that SetHandler. */
static int is_in_section(const ap_conf_vector_t *section, const ap_expr_info_t *handler)
{
    const core_dir_config *core = ap_get_core_module_config(section);

    return core->expr_handler == handler || is_in_sections(core->sec_file, handler) ||
           is_in_sections(core->sec_if, handler);
}

static int is_in_sections(const apr_array_header_t *sections, const ap_expr_info_t *handler)
{
    int i;

    for (i = 0; sections && i < sections->nelts; i++) {
        if (is_in_section(APR_ARRAY_IDX(sections, i, const ap_conf_vector_t *), handler)) {
            return 1;
        }
    }
    return 0;
}

/* Return whether `handler` was parsed with the server configuration: merging keeps the pointer. */
static int is_of_server(const server_rec *server, const ap_expr_info_t *handler)
{
    const core_server_config *core = ap_get_core_module_config(server->module_config);

    return is_in_section(server->lookup_defaults, handler) ||
           is_in_sections(core->sec_dir, handler) || is_in_sections(core->sec_url, handler);
}

/* Return whether that SetHandler assigns the handler of the request. httpd compares handlers
 * without case. */
static int gives_handler(request_rec *r, const ap_expr_info_t *handler)
{
    const char *error = NULL;
    const char *name = handler ? ap_expr_str_exec(r, handler, &error) : NULL;

    return name && !error && !ap_cstr_casecmp(name, r->handler);
}

/* Return the SetHandler in force; NULL = none. */
static const ap_expr_info_t *handler_of(const request_rec *r)
{
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);

    return core->expr_handler;
}

int mirror_access_is_handler(const char *name)
{
    return !ap_cstr_casecmp(name, "proxy-mirror-manager") ||
           !ap_cstr_casecmp(name, "proxy-mirror-status");
}

int mirror_access_is_ours(request_rec *r)
{
    const ap_expr_info_t *handler = handler_of(r);
    const char *error = NULL;
    const char *name = handler ? ap_expr_str_exec(r, handler, &error) : NULL;

    return name && !error && mirror_access_is_handler(name) && is_of_server(r->server, handler);
}

int mirror_access_is_configured(request_rec *r)
{
    const ap_expr_info_t *handler = handler_of(r);

    return handler && is_of_server(r->server, handler) && gives_handler(r, handler);
}

const char *mirror_access_refuse_handler(request_rec *r)
{
    const ap_expr_info_t *handler = handler_of(r);
    const char *how = "by AddHandler, AddType, ForceType, RewriteRule or a similar directive";

    if (mirror_access_is_configured(r)) {
        return NULL;
    }
    if (gives_handler(r, handler)) {
        how = apr_psprintf(r->pool, "by SetHandler in %.*s, line %u", FILE_MAX,
                           ap_escape_logitem(r->pool, handler->filename ? handler->filename : "?"),
                           handler->line_number);
    }
    ap_log_rerror(
        APLOG_MARK, APLOG_ERR, 0, r,
        "PM0921: %s of %s by %s was rejected: the handler %s was set %s; it must be set by "
        "SetHandler in the server configuration, in <Location>, <Directory>, <Files> or <If>",
        mirror_value_quote(r->method, r->pool), mirror_value_quote(r->uri, r->pool), client_of(r),
        r->handler, how);
    return "SetHandler: must be in the server configuration for this handler (the error log names "
           "the actual source)";
}

/* ---- the Host ---- */

static int is_address(const char *host)
{
    unsigned char bytes[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

static int is_in_names(const apr_array_header_t *names, const char *host)
{
    int i;

    for (i = 0; names && i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);

        if (name && !ap_cstr_casecmp(name, host)) {
            return 1;
        }
    }
    return 0;
}

/* Return whether the name is ServerName, a ServerAlias without wildcards, or the name in
 * <VirtualHost name:port>. */
static int is_name_of(const server_rec *server, const char *host)
{
    const server_addr_rec *address;

    if ((server->server_hostname && !ap_cstr_casecmp(server->server_hostname, host)) ||
        is_in_names(server->names, host)) {
        return 1;
    }
    for (address = server->addrs; address; address = address->next) {
        if (!ap_cstr_casecmp(address->virthost, host)) {
            return 1;
        }
    }
    return 0;
}

/* Browsers always send a Host. An address cannot be rebound: the requesting page has the same
 * address. */
const char *mirror_access_refuse_host(request_rec *r)
{
    const char *host = r->hostname;

    if (r->user || !host || !*host || !ap_cstr_casecmp(host, "localhost") || is_address(host) ||
        is_name_of(r->server, host)) {
        return NULL;
    }
    return apr_psprintf(r->pool,
                        "Host: must be localhost, an address, ServerName or a ServerAlias without "
                        "wildcards for a client without a user, got %s",
                        mirror_value_quote(host, r->pool));
}

/* ---- ErrorDocument ---- */

/* httpd does not check Require for a document of ErrorDocument that has the same sections as the
 * rejected request: a client without access would receive it. */
const char *mirror_access_refuse_error(const request_rec *r, int *status)
{
    const request_rec *prev;

    for (prev = r->prev; prev; prev = prev->prev) {
        if (prev->status != HTTP_OK) {
            *status = prev->status;
            return "ErrorDocument: must be no page of manager or status";
        }
    }
    return NULL;
}

/* ---- the log ---- */

void mirror_access_log(request_rec *r, const char *mirror, const char *why)
{
    ap_log_rerror(APLOG_MARK, APLOG_NOTICE, 0, r, "PM0920: %s of %s%s by %s was rejected: %s",
                  mirror_value_quote(r->method, r->pool), mirror ? "mirror " : "",
                  mirror ? mirror : mirror_value_quote(r->uri, r->pool), client_of(r), why);
}
