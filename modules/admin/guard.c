/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * admin/guard.c - authorization of changes. See admin/guard.h.
 */
#include <string.h>

#include <apr_cstr.h>
#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>
#include <http_protocol.h>

#include "admin/guard.h"

#define SIGN "mod_proxy_mirror:sign" /* note of the client's own request: name of a header */

/* ---- the client ---- */

static int is_loopback_address(const unsigned char *bytes, int len)
{
    static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
    static const unsigned char v6[16] = { [15] = 1 };

    if (len == 16 && !memcmp(bytes, mapped, sizeof(mapped))) {
        bytes += sizeof(mapped);
        len = 4;
    }
    return len == 4 ? bytes[0] == 127 : len == 16 && !memcmp(bytes, v6, sizeof(v6));
}

static int is_loopback(const apr_sockaddr_t *address)
{
    return address && (address->family == APR_INET || address->family == APR_INET6) &&
           is_loopback_address(address->ipaddr_ptr, address->ipaddr_len);
}

/* ---- the page ---- */

/* Split host and port of an origin (RFC 6454 6.2), or of a Host header, which has the scheme of the
 * request. *port is 0 if it is malformed. */
static const char *split(apr_port_t *port, const char *authority, apr_port_t default_port,
                         apr_pool_t *pool)
{
    char *host, *scope;

    if (apr_parse_addr_port(&host, &scope, port, authority, pool) != APR_SUCCESS || !host) {
        *port = 0;
        return "";
    }
    *port = *port ? *port : default_port;
    return host;
}

/* Return the authority of an http or https origin, and the default port of its scheme; NULL = another
 * scheme. Pages of programs have origins such as capacitor://localhost, which no server sent. */
static const char *authority_of(const char *origin, apr_port_t *default_port)
{
    if (!ap_cstr_casecmpn(origin, "https://", 8)) {
        *default_port = 443;
        return origin + 8;
    }
    *default_port = 80;
    return !ap_cstr_casecmpn(origin, "http://", 7) ? origin + 7 : NULL;
}

static int is_same_origin(request_rec *r, const char *origin)
{
    const char *own = apr_table_get(r->headers_in, "Host"), *scheme = ap_http_scheme(r);
    apr_port_t default_port, port, own_port;
    const char *rest = authority_of(origin, &default_port), *host;

    if (!rest || !own) {
        return 0;
    }
    /* If TLS ends in front of httpd, the schemes may differ. */
    host = split(&port, rest, default_port, r->pool);
    own = split(&own_port, own, !ap_cstr_casecmp(scheme, "https") ? 443 : default_port, r->pool);
    return port && port == own_port && !ap_cstr_casecmp(host, own);
}

/* Return the header that marks a request as forwarded by a proxy, or as a copy from a mirror; NULL
 * = none. mod_remoteip removes the header that it trusts. */
static const char *find_sign_of_proxy(const request_rec *r)
{
    static const char *const signs[] = { "X-Proxy-Mirror", "X-Forwarded-For", "X-Real-IP",
                                         "Forwarded", "Via" };
    apr_size_t i;

    for (i = 0; i < sizeof(signs) / sizeof(*signs); i++) {
        if (apr_table_get(r->headers_in, signs[i])) {
            return signs[i];
        }
    }
    return NULL;
}

/* Record such headers before access files are read, because those can remove headers (RequestHeader
 * unset). The hook runs after mod_remoteip and after early RequestHeader directives. Only loopback
 * connections are relevant, because others need a user for changes. */
static int note_sign_of_proxy(request_rec *r)
{
    const char *sign;

    if (!r->prev && !r->main && is_loopback(r->connection->client_addr)) {
        sign = find_sign_of_proxy(r);
        if (sign) {
            apr_table_setn(r->notes, SIGN, sign);
        }
    }
    return DECLINED;
}

/* Return the header recorded for the client's own request. */
static const char *sign_of_client(const request_rec *r)
{
    while (r->main || r->prev) {
        r = r->main ? r->main : r->prev;
    }
    return apr_table_get(r->notes, SIGN);
}

void mirror_guard_register_hooks(void)
{
    ap_hook_post_read_request(note_sign_of_proxy, NULL, NULL, APR_HOOK_LAST);
}

const char *mirror_guard_refuse_client(request_rec *r)
{
    const char *sign;

    if (r->user) {
        return NULL;
    }
    /* both the connection and mod_remoteip's address of the client, which a local proxy reports,
     * must be loopback */
    if (!is_loopback(r->connection->client_addr) || !is_loopback(r->useragent_addr)) {
        return "change: must come from an authenticated user or a loopback connection, got neither";
    }
    sign = sign_of_client(r);
    return sign ? apr_psprintf(r->pool,
                               "change: must come from an authenticated user or a client on this "
                               "machine, got a forwarded request (it has the header %s)",
                               sign)
                : NULL;
}

const char *mirror_guard_refuse(request_rec *r)
{
    const char *origin = apr_table_get(r->headers_in, "Origin");
    const char *site = apr_table_get(r->headers_in, "Sec-Fetch-Site");
    const char *why = mirror_guard_refuse_client(r);

    if (why) {
        return why;
    }
    if ((origin && !is_same_origin(r, origin)) ||
        (site && ap_cstr_casecmp(site, "same-origin") && ap_cstr_casecmp(site, "none"))) {
        return "Origin: must be this server, got another one";
    }
    return NULL;
}

int mirror_guard_is_nonce(const char *given, const char *nonce)
{
    apr_size_t len = strlen(nonce), i;
    unsigned differs = 0;

    if (!given || strlen(given) != len) {
        return 0;
    }
    for (i = 0; i < len; i++) {
        differs |= (unsigned char)given[i] ^ (unsigned char)nonce[i];
    }
    return differs == 0;
}
