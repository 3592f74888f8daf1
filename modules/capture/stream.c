/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * capture/stream.c - whether the body of a request of HTTP/2 is whole. See capture/stream.h.
 *
 * A connection begins with HTTP/2 (TLS, or prior knowledge), or is upgraded to it. So the filter is
 * added to each connection, and decides by what is read first: bytes that begin with the preface of
 * HTTP/2, or lines. An upgrade lets it decide anew. It stays, as the requests of the connection
 * refer to it.
 */
#include <httpd.h>
#include <http_config.h>
#include <http_connection.h>
#include <http_protocol.h>
#include <apr_optional.h>
#include <apr_strings.h>
#include <util_filter.h>

#include "base/filter.h"
#include "capture/stream.h"
#include "settings/scope.h"

extern module AP_MODULE_DECLARE_DATA proxy_mirror_module;

/* mod_http2's variables; declared in its mod_http2.h, which needs not be installed. */
APR_DECLARE_OPTIONAL_FN(char *, http2_var_lookup,
                        (apr_pool_t *, server_rec *, conn_rec *, request_rec *, char *));

/* A connection; in its conn_config. Only its thread uses it, but for `frames`. */
typedef struct stream_connection_t {
    mirror_frames_t *frames; /* NULL = no HTTP/2 so far; set before mod_http2 begins a request */
    int decided;             /* 1 if the protocol is known */
} stream_connection_t;

static ap_filter_rec_t *filter;                             /* set at startup */
static APR_OPTIONAL_FN_TYPE(http2_var_lookup) * lookup_var; /* NULL = no mod_http2 */

static void lose(stream_connection_t *connection)
{
    connection->decided = 1;
    if (connection->frames) {
        mirror_frames_lose(connection->frames);
    }
}

/* Read what mod_http2 is about to read. The bytes are in memory, or mod_http2 would read them in
 * the same way. */
static void look(stream_connection_t *connection, apr_pool_t *pool, apr_bucket_brigade *bb)
{
    apr_bucket *e;

    for (e = APR_BRIGADE_FIRST(bb); e != APR_BRIGADE_SENTINEL(bb); e = APR_BUCKET_NEXT(e)) {
        const char *data;
        apr_size_t len;

        if (APR_BUCKET_IS_METADATA(e)) {
            continue;
        }
        if (apr_bucket_read(e, &data, &len, APR_NONBLOCK_READ) != APR_SUCCESS) {
            lose(connection);
            return;
        }
        if (!connection->decided && len > 0) {
            connection->decided = 1;
            if (mirror_frames_are_there(data, len)) {
                connection->frames = apr_pcalloc(pool, sizeof(*connection->frames));
            }
        }
        if (connection->frames) {
            mirror_frames_read(connection->frames, data, len);
        }
    }
}

static apr_status_t read_filter(ap_filter_t *f, apr_bucket_brigade *bb, ap_input_mode_t mode,
                                apr_read_type_e block, apr_off_t readbytes)
{
    stream_connection_t *connection = f->ctx;
    apr_status_t rv = ap_get_brigade(f->next, bb, mode, block, readbytes);

    if (rv != APR_SUCCESS || mode == AP_MODE_SPECULATIVE || mode == AP_MODE_INIT) {
        return rv;
    }
    if (mode == AP_MODE_READBYTES) {
        if (!connection->decided || connection->frames) {
            look(connection, f->c->pool, bb);
        }
    }
    else {
        lose(connection); /* lines of HTTP/1.1; mod_http2 reads no lines */
    }
    return rv;
}

static stream_connection_t *connection_of(const conn_rec *c)
{
    return ap_get_module_config(c->conn_config, &proxy_mirror_module);
}

static int process_connection(conn_rec *c)
{
    const mirror_registry_t *registry = mirror_scope_registry(c->base_server);
    stream_connection_t *connection;

    if (!lookup_var || c->master || !registry || !registry->child || connection_of(c)) {
        return DECLINED;
    }
    connection = apr_pcalloc(c->pool, sizeof(*connection));
    ap_set_module_config(c->conn_config, &proxy_mirror_module, connection);
    ap_add_input_filter_handle(filter, connection, NULL, c);
    return DECLINED;
}

/* A request of HTTP/1.1 is upgraded: the preface follows. */
static int protocol_switch(conn_rec *c, request_rec *r, server_rec *s, const char *protocol)
{
    stream_connection_t *connection = c->master ? NULL : connection_of(c);

    (void)s;
    (void)protocol;
    if (r && connection && !connection->frames) {
        connection->decided = 0;
    }
    return DECLINED;
}

mirror_frames_body_e mirror_stream_body(const request_rec *r, apr_off_t *length)
{
    conn_rec *c = r->connection;
    stream_connection_t *connection = c->master && lookup_var ? connection_of(c->master) : NULL;
    apr_uint64_t bytes;
    const char *id;
    mirror_frames_body_e body;

    if (!connection || !connection->frames) {
        return MIRROR_FRAMES_UNKNOWN;
    }
    id = lookup_var(r->pool, r->server, c, (request_rec *)r, (char *)"H2_STREAM_ID");
    body = mirror_frames_body(connection->frames, id ? (apr_uint32_t)apr_atoi64(id) : 0, &bytes);
    *length = body == MIRROR_FRAMES_WHOLE ? (apr_off_t)bytes : 0;
    return body;
}

static void find_http2(void)
{
    lookup_var = APR_RETRIEVE_OPTIONAL_FN(http2_var_lookup);
}

void mirror_stream_register(apr_pool_t *p)
{
    /* below what mod_http2 reads by, above mod_ssl's filter (AP_FTYPE_CONNECTION + 5) */
    filter = mirror_filter_input("proxy_mirror_frames", read_filter, AP_FTYPE_CONNECTION + 1, p);
    ap_hook_optional_fn_retrieve(find_http2, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_process_connection(process_connection, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_protocol_switch(protocol_switch, NULL, NULL, APR_HOOK_REALLY_FIRST);
}
