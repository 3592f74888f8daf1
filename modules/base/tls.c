/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/tls.c - TLS to mirrors and to Redis, by mod_ssl. See base/tls.h.
 *
 * mod_ssl gets a connection like those of mod_proxy, but no thread blocks on it. FLUSH buckets and
 * FlushMaxThreshold, which block in httpd's core filters, do not reach those filters. During the
 * handshake our filters wait until the deadline, in slices, so that they do not delay an ending
 * child. After the handshake they never wait.
 *
 * mod_ssl's repeated allocations from the connection's pool are recycled by its bucket allocator.
 * The brigades of this file are created once.
 */
#include <httpd.h>
#include <http_config.h>
#include <http_connection.h>
#include <http_log.h>
#include <http_ssl.h>
#include <mod_proxy.h>
#include <util_filter.h>

#include <apr_fnmatch.h>
#include <apr_strings.h>

#include "base/clock.h"
#include "base/filter.h"
#include "base/tls.h"

#define MIRROR_RECEIVED 8192
/* The maximum of bytes encrypted at a time: a record (RFC 8446 5.1). */
#define MIRROR_RECORD 16384

struct mirror_tls_t {
    conn_rec *c;
    const mirror_wire_t *wire;
    apr_bucket_brigade *plain;   /* bytes to or from mod_ssl; empty between calls */
    apr_bucket_brigade *pending; /* TLS bytes that the socket did not accept */
    apr_time_t deadline;         /* of the handshake; 0 = it is over, and no call blocks */
    /* status of the ended or failed socket; the other direction may still work */
    apr_status_t in;
    apr_status_t out;
    apr_size_t start; /* offset of received bytes not yet read */
    apr_size_t end;
    apr_uint32_t portions; /* number of allocations from it */
    char received[MIRROR_RECEIVED];
};

/* The filters; set while the hooks are registered, and not changed afterwards. */
static struct {
    ap_filter_rec_t *in;
    ap_filter_rec_t *out;
} filters;

/* ---- between mod_ssl and the socket ---- */

/* During the handshake: wait until the socket is ready. APR_TIMEUP: the deadline is over, or the
 * wire is no longer needed. */
static apr_status_t wait_for(mirror_tls_t *tls, apr_int16_t event)
{
    return mirror_transport_wait(tls->wire, event, tls->deadline - mirror_clock_now());
}

static apr_status_t receive(mirror_tls_t *tls, apr_read_type_e block)
{
    apr_status_t rv = tls->in;

    while (rv == APR_SUCCESS) {
        tls->start = 0;
        tls->end = sizeof(tls->received);
        rv = apr_socket_recv(tls->wire->socket, tls->received, &tls->end);
        if (rv == APR_SUCCESS && tls->end > 0) {
            return APR_SUCCESS;
        }
        tls->end = 0;
        if (APR_STATUS_IS_EAGAIN(rv) && (block == APR_NONBLOCK_READ || !tls->deadline)) {
            return APR_EAGAIN;
        }
        rv = APR_STATUS_IS_EAGAIN(rv) ? wait_for(tls, APR_POLLIN)
             : rv == APR_SUCCESS      ? APR_EOF
                                      : rv;
    }
    tls->in = rv;
    return rv;
}

static apr_status_t input_filter(ap_filter_t *f, apr_bucket_brigade *bb, ap_input_mode_t mode,
                                 apr_read_type_e block, apr_off_t readbytes)
{
    mirror_tls_t *tls = f->ctx;
    apr_size_t len;
    apr_status_t rv;

    if (!tls) { /* only this file adds the filter, with a context */
        return ap_get_brigade(f->next, bb, mode, block, readbytes);
    }
    if (mode != AP_MODE_READBYTES) {
        return APR_ENOTIMPL;
    }
    if (tls->start == tls->end) {
        rv = receive(tls, block);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    len = tls->end - tls->start;
    len = (apr_off_t)len < readbytes ? len : (apr_size_t)readbytes;
    APR_BRIGADE_INSERT_TAIL(
        bb, apr_bucket_transient_create(tls->received + tls->start, len, bb->bucket_alloc));
    tls->start += len;
    tls->portions++;
    return APR_SUCCESS;
}

/* Send as many buffered bytes as the socket accepts. APR_EAGAIN: bytes remain. */
static apr_status_t send_pending(mirror_tls_t *tls)
{
    apr_status_t rv = tls->out;

    while (rv == APR_SUCCESS && !APR_BRIGADE_EMPTY(tls->pending)) {
        apr_bucket *e = APR_BRIGADE_FIRST(tls->pending);
        const char *data;
        apr_size_t len, sent;

        if (!APR_BUCKET_IS_METADATA(e)) {
            rv = apr_bucket_read(e, &data, &len, APR_BLOCK_READ);
            sent = len;
            if (rv == APR_SUCCESS && len > 0) {
                rv = apr_socket_send(tls->wire->socket, data, &sent);
            }
            if (rv != APR_SUCCESS) {
                break;
            }
            if (sent < len) {
                apr_bucket_split(e, sent);
            }
        }
        apr_bucket_delete(e);
    }
    if (rv != APR_SUCCESS && !APR_STATUS_IS_EAGAIN(rv)) {
        tls->out = rv;
    }
    return rv;
}

static apr_status_t output_filter(ap_filter_t *f, apr_bucket_brigade *bb)
{
    mirror_tls_t *tls = f->ctx;
    apr_bucket *e;
    apr_status_t rv;

    if (!tls) { /* as above */
        return ap_pass_brigade(f->next, bb);
    }
    APR_BRIGADE_CONCAT(tls->pending, bb);
    rv = send_pending(tls);
    while (APR_STATUS_IS_EAGAIN(rv) && tls->deadline) {
        tls->out = wait_for(tls, APR_POLLOUT);
        rv = send_pending(tls);
    }
    if (!APR_STATUS_IS_EAGAIN(rv)) {
        return rv;
    }
    rv = APR_SUCCESS;
    for (e = APR_BRIGADE_FIRST(tls->pending);
         rv == APR_SUCCESS && e != APR_BRIGADE_SENTINEL(tls->pending); e = APR_BUCKET_NEXT(e)) {
        rv = apr_bucket_setaside(e, tls->c->pool);
    }
    return rv;
}

/* ---- between a wire and mod_ssl ---- */

static apr_status_t tls_read(mirror_wire_t *wire, char *buffer, apr_size_t *len)
{
    mirror_tls_t *tls = wire->tls;
    apr_uint32_t portions;
    apr_status_t rv;

    /* APR_EAGAIN may mean that only TLS's own data was read, such as a session ticket; more data
     * may follow. */
    do {
        portions = tls->portions;
        rv = ap_get_brigade(tls->c->input_filters, tls->plain, AP_MODE_READBYTES, APR_NONBLOCK_READ,
                            *len);
    } while (APR_STATUS_IS_EAGAIN(rv) && portions != tls->portions);
    if (rv == APR_SUCCESS) {
        rv = apr_brigade_flatten(tls->plain, buffer, len);
        if (rv == APR_SUCCESS && *len == 0) {
            rv = APR_EOF;
        }
    }
    apr_brigade_cleanup(tls->plain);
    /* A socket that closes before TLS does may have been truncated by an attacker (RFC 8446
     * 6.1). */
    return APR_STATUS_IS_EOF(rv) && tls->in != APR_SUCCESS ? APR_ECONNRESET : rv;
}

static apr_status_t tls_push(mirror_wire_t *wire)
{
    return send_pending(wire->tls);
}

/* Write one record at a time. The next record follows when the last one was sent. */
static apr_status_t tls_write(mirror_wire_t *wire, const struct iovec *iov, int n,
                              apr_size_t *written)
{
    mirror_tls_t *tls = wire->tls;
    apr_bucket_brigade *bb = tls->plain;
    apr_size_t total = 0;
    apr_status_t rv = tls_push(wire);
    int i;

    *written = 0;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    for (i = 0; i < n && total < MIRROR_RECORD; i++) {
        apr_size_t len =
            iov[i].iov_len < MIRROR_RECORD - total ? iov[i].iov_len : MIRROR_RECORD - total;

        APR_BRIGADE_INSERT_TAIL(
            bb, apr_bucket_transient_create(iov[i].iov_base, len, bb->bucket_alloc));
        total += len;
    }
    /* mod_ssl buffers small writes until a metadata bucket follows. */
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(bb->bucket_alloc));
    rv = ap_pass_brigade(tls->c->output_filters, bb);
    apr_brigade_cleanup(bb);
    if (rv != APR_SUCCESS) {
        return APR_ECONNRESET; /* also for APR_EAGAIN: the passed bytes are lost */
    }
    *written = total;
    return APR_SUCCESS;
}

/* Send close_notify if the socket accepts it. */
static void tls_close(mirror_wire_t *wire)
{
    mirror_tls_t *tls = wire->tls;

    if (tls->out == APR_SUCCESS && !tls->c->aborted && APR_BRIGADE_EMPTY(tls->pending)) {
        APR_BRIGADE_INSERT_TAIL(tls->plain, ap_bucket_eoc_create(tls->plain->bucket_alloc));
        ap_pass_brigade(tls->c->output_filters, tls->plain);
        apr_brigade_cleanup(tls->plain);
    }
}

/* ---- the directives in force ---- */

static int section_is_for(const proxy_dir_conf *section, const char *url)
{
    if (section->r) {
        return ap_regexec(section->r, url, 0, NULL, 0) == 0;
    }
    return section->p_is_fnmatch ? apr_fnmatch(section->p, url, 0) == APR_SUCCESS
                                 : !strncmp(url, section->p, strlen(section->p));
}

/* Return the configuration that mod_ssl uses: the one that mod_proxy would select for a request to
 * `url`. It lives as long as this load of the configuration. */
static ap_conf_vector_t *find_directives(const server_rec *s, const char *url, apr_pool_t *pool)
{
    const proxy_server_conf *proxy = ap_get_module_config(s->module_config, &proxy_module);
    module *ssl = ap_find_linked_module("mod_ssl.c");
    int i;

    url = apr_pstrcat(pool, url, "/", NULL);
    for (i = proxy && ssl ? proxy->sec_proxy->nelts : 0; i-- > 0;) {
        ap_conf_vector_t *section = APR_ARRAY_IDX(proxy->sec_proxy, i, ap_conf_vector_t *);

        if (ap_get_module_config(section, ssl) &&
            section_is_for(ap_get_module_config(section, &proxy_module), url)) {
            return section;
        }
    }
    return s->lookup_defaults;
}

/* Return whether a line "SSLProxyEngine on" is anywhere in this part of the configuration. */
static int has_engine(const ap_directive_t *line)
{
    for (; line != NULL; line = line->next) {
        if (ap_cstr_casecmp(line->directive, "SSLProxyEngine") == 0 &&
            ap_cstr_casecmpn(line->args, "on", 2) == 0) {
            return 1;
        }
        if (has_engine(line->first_child)) {
            return 1;
        }
    }
    return 0;
}

/* `httpd -t` does not run post_config, and until then mod_ssl does not distinguish a missing
 * SSLProxyEngine from one that is on. Without any such line it is off everywhere. */
static int is_off_in_test(void)
{
    return ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST && !has_engine(ap_conftree);
}

const char *mirror_tls_missing(const char *what, struct server_rec *server, const char *url,
                               apr_pool_t *pool)
{
    server_rec *s = server;
    conn_rec *c;

    if (!ap_ssl_has_outgoing_handlers()) {
        return apr_psprintf(pool, "%s requires mod_ssl; LoadModule ssl_module is missing", what);
    }
    /* Only mod_ssl can report whether TLS is on, and only for a connection; an unconnected one is
     * sufficient. */
    c = apr_pcalloc(pool, sizeof(*c));
    c->pool = pool;
    c->base_server = s;
    c->conn_config = ap_create_conn_config(pool);
    c->notes = apr_table_make(pool, 1);
    c->outgoing = 1;
    c->client_ip = c->local_ip = apr_pstrdup(pool, "0.0.0.0");
    if (apr_sockaddr_info_get(&c->client_addr, "0.0.0.0", APR_INET, 0, 0, pool) != APR_SUCCESS) {
        return NULL; /* then the handshake decides */
    }
    c->local_addr = c->client_addr;
    if (ap_run_ssl_bind_outgoing(c, find_directives(s, url, pool), 1) != OK || is_off_in_test()) {
        return apr_psprintf(
            pool, "%s requires SSLProxyEngine on, in its server or in a <Proxy \"%s\"> section",
            what, url);
    }
    return NULL;
}

/* ---- the handshake ---- */

/* Create the connection for mod_ssl, as mod_proxy does. */
static apr_status_t create(mirror_wire_t *wire)
{
    mirror_tls_t *tls = apr_pcalloc(wire->pool, sizeof(*tls));
    server_rec *s = wire->server;
    apr_bucket_alloc_t *alloc = apr_bucket_alloc_create(wire->pool);
    conn_rec *c = ap_run_create_connection(wire->pool, s, wire->socket, 0, NULL, alloc);
    int rc;

    wire->tls = tls;
    if (!c) {
        return APR_ECONNRESET; /* the socket has no addresses any more */
    }
    tls->c = c;
    tls->wire = wire;
    tls->plain = apr_brigade_create(wire->pool, alloc);
    tls->pending = apr_brigade_create(wire->pool, alloc);
    /* mod_ssl writes here if the mirror renegotiates */
    c->cs = apr_pcalloc(wire->pool, sizeof(*c->cs));
    if (ap_ssl_bind_outgoing(c, find_directives(s, wire->url, wire->pool), 1) != OK) {
        return APR_ENOTIMPL;
    }
    apr_table_setn(c->notes, "proxy-request-hostname", wire->hostname);
    if (wire->alpn) {
        /* mod_ssl offers it, and fails the handshake if the peer does not select it; see
         * ssl_io_filter_handshake() and mod_proxy_http2 */
        apr_table_setn(c->notes, "proxy-request-alpn-protos", wire->alpn);
    }
    rc = ap_run_pre_connection(c, wire->socket);
    if ((rc != OK && rc != DONE) || c->aborted) {
        return APR_EGENERAL;
    }
    ap_add_input_filter_handle(filters.in, tls, NULL, c);
    ap_add_output_filter_handle(filters.out, tls, NULL, c);
    return apr_socket_timeout_set(wire->socket, 0);
}

static apr_status_t tls_open(mirror_wire_t *wire, apr_time_t deadline)
{
    apr_status_t rv = create(wire);
    mirror_tls_t *tls = wire->tls;

    if (rv == APR_SUCCESS) {
        tls->deadline = deadline;
        rv = ap_get_brigade(tls->c->input_filters, tls->plain, AP_MODE_INIT, APR_BLOCK_READ, 0);
        apr_brigade_cleanup(tls->plain);
        tls->deadline = 0;
        /* The error of the socket is more specific than mod_ssl's. */
        if (rv != APR_SUCCESS && (tls->in != APR_SUCCESS || tls->out != APR_SUCCESS)) {
            rv = tls->in != APR_SUCCESS ? tls->in : tls->out;
        }
    }
    return rv;
}

const mirror_transport_t mirror_tls_transport = { tls_open,  tls_read, tls_write, tls_push,
                                                  tls_close, 1,        NULL };

void mirror_tls_register(apr_pool_t *p)
{
    filters.in = mirror_filter_input("proxy_mirror_tls_in", input_filter, AP_FTYPE_NETWORK - 2, p);
    filters.out =
        mirror_filter_output("proxy_mirror_tls_out", output_filter, AP_FTYPE_NETWORK - 2, p);
}
