/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * capture/capture.c - the hooks and filters of request threads: choose mirrors, clone the request,
 * push the copies.
 *
 *     type_checker     records the scope of the request, before a fast redirect hides it
 *     handler hook     decides, once per client request: a copy or an outcome for each mirror;
 *                      writes the heads
 *     input filter     clones the body while a handler reads it, below all filters that change it
 *     output filter    detects the begin of the response
 *     log_transaction  ends or pushes the remaining copies; sets PROXY_MIRROR
 *
 * A copy is pushed when its body is complete and the response has begun (when=request: when its
 * body is complete). The handler of the request is not affected: the hook declines, and the filters
 * change nothing.
 *
 * The state belongs to the client's request, the first of a chain of internal redirects, which
 * share its pool. An internal redirect drops the input filter, like all filters below the
 * protocol's. The state remains, and the filter is added to the new request. One thread at a time
 * works on a request, so there is no lock.
 */
#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <util_filter.h>

#include "base/clock.h"
#include "base/filter.h"
#include "capture/candidates.h"
#include "capture/choose.h"
#include "capture/entries.h"
#include "capture/primary.h"
#include "capture/stream.h"
#include "copy/log.h"
#include "settings/scope.h"
#include "settings/settings.h"

extern module AP_MODULE_DECLARE_DATA proxy_mirror_module;

/* A client's request. */
typedef struct capture_t {
    mirror_entries_t entries;
    ap_filter_rec_t *body_filter; /* filter that reads the body; valid while entries wait for it */
    int reading;                  /* 1 while the body filter reads */
} capture_t;

/* The data of a request, the client's or the target of an internal redirect; in its
 * request_config. */
typedef struct note_t {
    const mirror_scope_t *scope; /* scope before redirects; NULL = no mirror directives */
    capture_t *capture;          /* of the client's request; NULL = no decision yet */
} note_t;

/* The filters; set while the hooks are registered, and not changed afterwards. */
static struct {
    ap_filter_rec_t *body;     /* above httpd's own, below all filters that can change the body */
    ap_filter_rec_t *replay;   /* above all others */
    ap_filter_rec_t *response; /* errors and internal redirects pass this filter, too */
    ap_filter_rec_t *nothing;  /* discards output; topmost filter while read_rest() reads */
} filters;

/* ---- the state ---- */

static request_rec *first_of(request_rec *r)
{
    while (r->prev) {
        r = r->prev;
    }
    return r;
}

static note_t *note_of(const request_rec *r)
{
    return ap_get_module_config(r->request_config, &proxy_mirror_module);
}

/* Return the note of a request; create it if it is missing. */
static note_t *make_note(request_rec *r)
{
    note_t *note = note_of(r);

    if (!note) {
        note = apr_pcalloc(r->pool, sizeof(*note));
        ap_set_module_config(r->request_config, &proxy_mirror_module, note);
    }
    return note;
}

static capture_t *capture_of(const request_rec *first)
{
    const note_t *note = note_of(first);

    return note ? note->capture : NULL;
}

/* Return the scope in force: the first one with mirror directives, from the client's request to
 * `r`. NULL = none. */
static const mirror_scope_t *scope_of(const request_rec *r)
{
    const mirror_scope_t *first = NULL;

    for (; r; r = r->prev) {
        const note_t *note = note_of(r);
        const mirror_scope_t *scope = note && note->scope ? note->scope : mirror_scope_of(r);

        first = scope ? scope : first;
    }
    return first;
}

/* ---- the body ---- */

/* Return whether the end of the body is not its real end. With Expect, httpd does not read the body
 * of a rejected request, and reports an end of the body. */
static int end_is_false(const request_rec *r)
{
    return r->expecting_100 && !ap_is_HTTP_SUCCESS(r->status);
}

/* Return whether the end of a body of HTTP/2 without a length is that of a stream that was reset, or
 * ended in another way but by its END_STREAM. If that is known, and the body is not cut, its length
 * is that of the frames. */
static int is_cut(capture_t *capture, const request_rec *r)
{
    mirror_entries_t *entries = &capture->entries;
    apr_off_t length;
    mirror_frames_body_e body =
        entries->doubtful ? mirror_stream_body(r, &length) : MIRROR_FRAMES_UNKNOWN;

    if (body == MIRROR_FRAMES_WHOLE) {
        entries->doubtful = 0;
        if (capture->body_filter == filters.body) { /* filters may have changed a replayed body */
            entries->length = length;
        }
    }
    return body == MIRROR_FRAMES_CUT;
}

/* Process the brigade that the reader of the body is about to get. The brigade stays the same.
 * Bytes of buckets are in memory, or are read as the reader would do next; without blocking if the
 * reader does not block. */
static void body_seen(capture_t *capture, const request_rec *r, apr_bucket_brigade *bb,
                      apr_read_type_e block)
{
    apr_bucket *e;

    for (e = APR_BRIGADE_FIRST(bb); capture->entries.waiting && e != APR_BRIGADE_SENTINEL(bb);
         e = APR_BUCKET_NEXT(e)) {
        const char *data;
        apr_size_t len;

        if (APR_BUCKET_IS_EOS(e)) {
            if (end_is_false(r) || is_cut(capture, r)) {
                mirror_entries_body_broken(&capture->entries);
            }
            else {
                mirror_entries_body_complete(&capture->entries);
            }
        }
        else if (AP_BUCKET_IS_ERROR(e)) {
            mirror_entries_body_broken(&capture->entries);
        }
        else if (!APR_BUCKET_IS_METADATA(e)) {
            if (apr_bucket_read(e, &data, &len, block) == APR_SUCCESS) {
                mirror_entries_body_append(&capture->entries, data, len);
            }
            else {
                mirror_entries_body_broken(&capture->entries);
            }
        }
    }
}

static apr_status_t input_filter(ap_filter_t *f, apr_bucket_brigade *bb, ap_input_mode_t mode,
                                 apr_read_type_e block, apr_off_t readbytes)
{
    capture_t *capture = f->ctx;
    apr_status_t rv;
    int within;

    if (!capture) { /* only this module adds the filter, with a context */
        ap_remove_input_filter(f);
        return ap_get_brigade(f->next, bb, mode, block, readbytes);
    }
    within = capture->reading;
    capture->reading = 1;
    rv = ap_get_brigade(f->next, bb, mode, block, readbytes);
    capture->reading = within;
    /* httpd reads the lines of chunks and trailers through this filter, recursively */
    if (within || (mode != AP_MODE_READBYTES && mode != AP_MODE_GETLINE)) {
        return rv;
    }
    if (rv == APR_SUCCESS) {
        body_seen(capture, f->r, bb, block);
    }
    else if (!APR_STATUS_IS_EAGAIN(rv)) {
        mirror_entries_body_broken(&capture->entries);
    }
    if (!capture->entries.waiting) {
        ap_remove_input_filter(f);
    }
    return rv;
}

/* ---- the response ---- */

/* Return whether the brigade has an error of the client. If the response has begun, only this
 * brigade shows a malformed or oversized body: httpd sends an error bucket to the output filters,
 * and an end of the body to the input filters. */
static int has_client_error(apr_bucket_brigade *bb)
{
    apr_bucket *e;

    for (e = APR_BRIGADE_FIRST(bb); e != APR_BRIGADE_SENTINEL(bb); e = APR_BUCKET_NEXT(e)) {
        if (AP_BUCKET_IS_ERROR(e) &&
            ap_is_HTTP_CLIENT_ERROR(((ap_bucket_error *)e->data)->status)) {
            return 1;
        }
    }
    return 0;
}

static int has_end(apr_bucket_brigade *bb)
{
    apr_bucket *e = APR_BRIGADE_FIRST(bb);

    while (e != APR_BRIGADE_SENTINEL(bb) && !APR_BUCKET_IS_EOS(e)) {
        e = APR_BUCKET_NEXT(e);
    }
    return e != APR_BRIGADE_SENTINEL(bb);
}

/* Discard the output that httpd would send in place of the response while read_rest() reads. */
static apr_status_t swallow(ap_filter_t *f, apr_bucket_brigade *bb)
{
    (void)f;
    apr_brigade_cleanup(bb);
    return APR_EGENERAL;
}

/* Read the received rest of a body that no handler has read, without blocking: on HTTP/2 it
 * cannot be read later. If httpd detects an invalid body (LimitRequestBody, a malformed chunk),
 * it sends an error through the output filters. The response has ended by then, so the error is
 * discarded. */
static void read_rest(capture_t *capture, request_rec *r)
{
    ap_filter_t *f = mirror_filter_find(r->input_filters, capture->body_filter);
    ap_filter_t *nothing;
    apr_bucket_brigade *bb = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    apr_off_t limit = ap_get_limit_req_body(r);
    int more = f != NULL;

    if (limit > 0 && capture->entries.length > limit) { /* httpd logs it at level info */
        mirror_entries_body_broken(&capture->entries);
    }
    nothing = ap_add_output_filter_handle(filters.nothing, NULL, r, r->connection);
    while (more && capture->entries.waiting) {
        more = ap_get_brigade(f, bb, AP_MODE_READBYTES, APR_NONBLOCK_READ, HUGE_STRING_LEN) ==
                   APR_SUCCESS &&
               !APR_BRIGADE_EMPTY(bb);
        apr_brigade_cleanup(bb);
    }
    ap_remove_output_filter(nothing);
    apr_brigade_destroy(bb);
}

/* Before complete copies are pushed: end those whose body ended perhaps only because the client
 * reset the stream, and whose frames are not known. Once the response has been sent, mod_http2
 * aborts each stream whose body was not read. */
static void find_reset(capture_t *capture, const conn_rec *c)
{
    if (c->aborted) {
        mirror_entries_reset(&capture->entries);
    }
}

/* Interim responses bypass this filter: httpd writes them to the connection's filters. */
static apr_status_t output_filter(ap_filter_t *f, apr_bucket_brigade *bb)
{
    capture_t *capture = f->ctx;

    if (!capture) { /* as in the input filter */
        ap_remove_output_filter(f);
        return ap_pass_brigade(f->next, bb);
    }
    if (capture->entries.waiting && has_client_error(bb)) {
        mirror_entries_body_broken(&capture->entries);
    }
    find_reset(capture, f->c);
    if (!capture->entries.response_begun && !APR_BRIGADE_EMPTY(bb)) {
        mirror_entries_response_begun(&capture->entries, f->r->status);
    }
    if (capture->entries.waiting && f->c->master && !capture->reading && has_end(bb)) {
        read_rest(capture, f->r);
        find_reset(capture, f->c);
    }
    mirror_entries_ready(&capture->entries);
    if (capture->entries.response_begun && !capture->entries.waiting) {
        ap_remove_output_filter(f);
    }
    return ap_pass_brigade(f->next, bb);
}

/* ---- the decision ---- */

/* Put the filters that are still needed, and not there, on the way of `r`. */
static void add_filters(capture_t *capture, request_rec *r)
{
    if (capture->entries.waiting && !mirror_filter_find(r->input_filters, capture->body_filter)) {
        ap_filter_t *f =
            ap_add_input_filter_handle(capture->body_filter, capture, r, r->connection);

        /* mod_proxy assumes that any filter above the protocol's may change the length of the body.
         * It then reads the whole body, to a file if it is long, before it connects. Our filter
         * changes nothing, so it becomes one of the protocol's. */
        if (f->next == r->proto_input_filters) {
            r->proto_input_filters = f;
        }
    }
    if (capture->entries.live && !mirror_filter_find(r->output_filters, filters.response)) {
        ap_add_output_filter_handle(filters.response, capture, r, r->connection);
    }
    mirror_primary_add(&capture->entries, r);
}

/* A cleanup: the pool of a request without log_transaction is destroyed. */
static apr_status_t abandon(void *data)
{
    mirror_primary_abandon(&((capture_t *)data)->entries);
    mirror_entries_abandon(&((capture_t *)data)->entries);
    return APR_SUCCESS;
}

/* Return whether the request has no body if no byte of one arrives before the response ends. On
 * HTTP/2 the end of a stream may arrive after its HEADERS; mod_http2 then announces a body to
 * httpd, whatever the method is. A handler that does not read the body does not detect its end.
 * Content of GET or HEAD has no meaning (RFC 9110 9.3.1, 9.3.2). Content of DELETE has none either,
 * but some servers interpret it. */
static int is_bodiless(const request_rec *first, const mirror_head_t *head)
{
    return first->connection->master && head->chunked &&
           (mirror_method_is(&head->method, "GET") || mirror_method_is(&head->method, "HEAD"));
}

static void decide(request_rec *r, request_rec *first, const mirror_scope_t *scope)
{
    const apr_array_header_t *mirrors = mirror_scope_mirrors(scope);
    const mirror_registry_t *registry = mirror_scope_registry(r->server);
    mirror_child_t *child = registry->child;
    mirror_choice_t choice = { 0 };
    mirror_candidates_t candidates;
    capture_t *capture;
    apr_size_t count;

    if (!child || apr_atomic_read32(&child->closed)) {
        return;
    }
    count = mirror_candidates_acquire(&candidates, child, mirrors, r->pool);
    if (!count) {
        return;
    }
    choice.r = r;
    choice.first = first;
    choice.id = registry->id;
    choice.edits = mirror_scope_headers(scope);
    choice.rules = mirror_scope_rules(scope);
    choice.subject.log = mirror_log_if_open(mirror_scope_log(r->server));
    capture = apr_pcalloc(r->pool, sizeof(*capture) + count * sizeof(*capture->entries.list));
    capture->entries.list = (mirror_entry_t *)(capture + 1);
    capture->entries.room = (int)count;
    capture->entries.request_time =
        choice.subject.log ? mirror_clock_from_wall(first->request_time) : 0;
    make_note(first)->capture = capture;
    mirror_candidates_see(&candidates, &capture->entries, &choice);
    if (capture->entries.live) {
        capture->entries.length = choice.head->chunked ? -1 : choice.head->content_length;
        capture->entries.bodiless = is_bodiless(first, choice.head);
        capture->entries.doubtful = first->connection->master && capture->entries.length < 0;
        capture->body_filter = choice.body == MIRROR_BODY_REPLAYED ? filters.replay : filters.body;
        mirror_entries_ready(&capture->entries);
        add_filters(capture, r);
        apr_pool_cleanup_register(r->pool, capture, abandon, apr_pool_cleanup_null);
    }
}

/* ---- hooks ---- */

/* Record the scope, as all sections are merged by now. FallbackResource, DirectoryIndex and
 * MultiViews replace the request's configuration by that of their target
 * (ap_internal_fast_redirect): MultiViews in this hook, the others in fixups. */
static int type_checker(request_rec *r)
{
    const mirror_scope_t *scope = r->main ? NULL : mirror_scope_of(r);

    if (scope) {
        make_note(r)->scope = scope;
    }
    return DECLINED;
}

static int handler(request_rec *r)
{
    const mirror_scope_t *scope;
    request_rec *first;
    capture_t *capture;

    if (r->main) {
        return DECLINED;
    }
    first = first_of(r);
    capture = capture_of(first);
    if (capture) {
        add_filters(capture, r);
        return DECLINED;
    }
    scope = scope_of(r);
    if (scope && mirror_scope_mirrors(scope) && mirror_choose_sees(r)) {
        decide(r, first, scope);
    }
    return DECLINED;
}

/* If an internal redirect is rejected before its handler, httpd still discards its body. */
static int post_read_request(request_rec *r)
{
    capture_t *capture;

    if (r->prev && !r->main) {
        capture = capture_of(first_of(r));
        if (capture) {
            add_filters(capture, r);
        }
    }
    return DECLINED;
}

/* Return whether the response bypassed our filter: mod_cgi removes all filters of a request for a
 * script that writes its own head (nph-). */
static int has_bypassed(const capture_t *capture, const request_rec *last)
{
    return capture->entries.live && !capture->entries.response_begun &&
           !mirror_filter_find(last->output_filters, filters.response);
}

/* httpd logs with the first request, but %{...}e reads the last one. */
static int log_transaction(request_rec *r)
{
    request_rec *last;
    capture_t *capture;
    const char *outcomes;

    r = first_of(r);
    capture = capture_of(r);
    if (!capture) {
        return DECLINED;
    }
    for (last = r; last->next; last = last->next) {
        ;
    }
    if (has_bypassed(capture, last)) {
        mirror_entries_response_begun(&capture->entries, last->status);
    }
    mirror_primary_last_call(&capture->entries, last);
    mirror_entries_last_call(&capture->entries);
    outcomes = mirror_entries_outcomes(&capture->entries, r->pool);
    apr_table_setn(r->subprocess_env, "PROXY_MIRROR", outcomes);
    if (last != r) {
        apr_table_setn(last->subprocess_env, "PROXY_MIRROR", outcomes);
    }
    return DECLINED;
}

void mirror_capture_register_hooks(apr_pool_t *p)
{
    static const char *const before_cache[] = { "mod_cache.c", NULL };

    filters.body = mirror_filter_input("proxy_mirror_body", input_filter, AP_FTYPE_PROTOCOL - 1, p);
    filters.replay =
        mirror_filter_input("proxy_mirror_replay", input_filter, AP_FTYPE_RESOURCE - 1, p);
    filters.nothing =
        mirror_filter_output("proxy_mirror_nothing", swallow, AP_FTYPE_RESOURCE - 1, p);
    filters.response =
        mirror_filter_output("proxy_mirror_response", output_filter, AP_FTYPE_PROTOCOL, p);
    mirror_primary_register(p);
    mirror_stream_register(p);
    ap_hook_post_read_request(post_read_request, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_type_checker(type_checker, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_handler(handler, NULL, before_cache, APR_HOOK_REALLY_FIRST);
    ap_hook_log_transaction(log_transaction, NULL, NULL, APR_HOOK_REALLY_FIRST);
}
