/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * capture/primary.c - the response of the primary. See capture/primary.h.
 */
#include <apr_atomic.h>
#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_protocol.h>
#include <util_filter.h>

#include "base/clock.h"
#include "base/filter.h"
#include "capture/primary.h"
#include "compare/pair.h"

/* Set while the hooks are registered, and not changed afterwards. */
static ap_filter_rec_t *primary_filter;

/* ---- pairs ---- */

/* Take the pair out of its entry; as for copies, nothing that is given away may be there still. */
static mirror_pair_t *take(mirror_entries_t *entries, mirror_entry_t *entry)
{
    mirror_pair_t *pair = apr_atomic_xchgptr((void *)&entry->pair, NULL);

    entries->pairs -= pair != NULL;
    return pair;
}

static void end_all(mirror_entries_t *entries, mirror_skip_e skip)
{
    int i;

    for (i = 0; entries->pairs > 0 && i < entries->count; i++) {
        mirror_pair_t *pair = take(entries, &entries->list[i]);

        if (pair) {
            mirror_pair_end_primary(pair, skip);
        }
    }
}

/* What is done to the half of each pair. */
typedef void primary_fn(mirror_half_t *half, const void *data, apr_size_t len);

/* Call `change` for each pair. The pair is out of its entry meanwhile: under prefork a signal handler
 * may end the child on top of this thread, and would end a half whose memory just grows. */
static void change_all(mirror_entries_t *entries, primary_fn *change, const void *data,
                       apr_size_t len)
{
    int i;

    for (i = 0; i < entries->count; i++) {
        void *place = &entries->list[i].pair;
        mirror_pair_t *pair = apr_atomic_xchgptr(place, NULL);

        if (pair) {
            change(&pair->primary, data, len);
            apr_atomic_xchgptr(place, pair);
        }
    }
}

static void add_to_head(mirror_half_t *half, const void *data, apr_size_t len)
{
    mirror_half_head(half, data, len);
}

static void add_trailer(mirror_half_t *half, const void *data, apr_size_t len)
{
    mirror_half_trailer(half, data, len);
}

static void add_to_body(mirror_half_t *half, const void *data, apr_size_t len)
{
    mirror_half_body(half, data, len);
}

/* `data`: a mirror_skip_e. */
static void drop_body(mirror_half_t *half, const void *data, apr_size_t len)
{
    (void)len;
    mirror_half_skip_body(half, *(const mirror_skip_e *)data);
}

static void skip_body(mirror_entries_t *entries, mirror_skip_e why)
{
    change_all(entries, drop_body, &why, 0);
}

/* ---- the head ---- */

typedef struct fields_t {
    mirror_entries_t *entries;
    apr_pool_t *pool;
    int skip_type;
} fields_t;

static void add_field(fields_t *fields, const char *name, const char *value)
{
    const char *line = apr_pstrcat(fields->pool, name, ": ", value, "\n", NULL);

    change_all(fields->entries, add_to_head, line, strlen(line));
}

static int add_row(void *baton, const char *name, const char *value)
{
    fields_t *fields = baton;

    if (!fields->skip_type || ap_cstr_casecmp(name, "Content-Type")) {
        add_field(fields, name, value);
    }
    return 1;
}

/* The fields that httpd sends for this handler's response. What httpd writes itself, further below,
 * is there by name: of Date and Server the values are not compared. */
static void see_head(mirror_entries_t *entries, request_rec *r)
{
    fields_t fields;
    int i;

    fields.entries = entries;
    fields.pool = r->pool;
    fields.skip_type = r->content_type != NULL;
    for (i = 0; i < entries->count; i++) {
        if (entries->list[i].pair) {
            entries->list[i].pair->primary.status = r->status;
        }
    }
    if (!r->proxyreq) {
        add_field(&fields, "Date", "-");
        add_field(&fields, "Server", "-");
    }
    if (r->content_type) {
        add_field(&fields, "Content-Type", r->content_type);
    }
    if (r->content_encoding && !apr_table_get(r->headers_out, "Content-Encoding")) {
        add_field(&fields, "Content-Encoding", r->content_encoding);
    }
    for (i = 0; r->content_languages && i < r->content_languages->nelts; i++) {
        add_field(&fields, "Content-Language",
                  APR_ARRAY_IDX(r->content_languages, i, const char *));
    }
    apr_table_do(add_row, &fields, r->err_headers_out, NULL);
    apr_table_do(add_row, &fields, r->headers_out, NULL);
}

static int add_trailer_row(void *baton, const char *name, const char *value)
{
    fields_t *fields = baton;
    const char *line;

    if (mirror_half_wants_trailer(name, strlen(name))) {
        line = apr_pstrcat(fields->pool, name, ": ", value, "\n", NULL);
        change_all(fields->entries, add_trailer, line, strlen(line));
    }
    return 1;
}

/* The response is over, so its trailers are known. */
static void see_trailers(mirror_entries_t *entries, request_rec *r)
{
    fields_t fields = { entries, r->pool, 0 };

    apr_table_do(add_trailer_row, &fields, r->trailers_out, NULL);
}

/* ---- the body ---- */

/* Whether reading it neither waits nor changes it. */
static int is_in_memory(const apr_bucket *e)
{
    return APR_BUCKET_IS_HEAP(e) || APR_BUCKET_IS_TRANSIENT(e) || APR_BUCKET_IS_IMMORTAL(e) ||
           APR_BUCKET_IS_POOL(e) || APR_BUCKET_IS_MMAP(e);
}

/* Forbid, or allow, the file of a bucket and of its copies to be mapped. Returns what it was. */
static int allow_map(apr_bucket *e, int may_map)
{
#if APR_HAS_MMAP
    apr_bucket_file *file = e->data;
    int before = file->can_mmap;

    file->can_mmap = may_map;
    return before;
#else
    (void)e;
    return may_map;
#endif
}

/* Read a copy of a file's bucket, so that the bucket itself can still be sent without reading. Not by
 * a map: if someone cuts the file meanwhile, a copy out of a map ends the process (SIGBUS), while
 * httpd's own way, which gives the map to the kernel, only fails. */
static int read_file(mirror_entries_t *entries, apr_bucket *e, const request_rec *r)
{
    apr_bucket_brigade *bb = apr_brigade_create(r->pool, e->list);
    int could_map = allow_map(e, 0);
    apr_size_t left = e->length;
    apr_bucket *copy;
    const char *data;
    apr_size_t len;
    int ok = apr_bucket_copy(e, &copy) == APR_SUCCESS;

    if (ok) {
        APR_BRIGADE_INSERT_TAIL(bb, copy);
    }
    while (ok && !APR_BRIGADE_EMPTY(bb)) {
        copy = APR_BRIGADE_FIRST(bb);
        ok = apr_bucket_read(copy, &data, &len, APR_BLOCK_READ) == APR_SUCCESS;
        if (ok) {
            change_all(entries, add_to_body, data, len);
            left -= len;
            apr_bucket_delete(copy);
        }
    }
    apr_brigade_destroy(bb);
    allow_map(e, could_map);
    return ok && left == 0;
}

static void see_data(mirror_entries_t *entries, apr_bucket *e, const request_rec *r)
{
    const char *data;
    apr_size_t len;

    if (e->length == (apr_size_t)-1) {
        skip_body(entries, MIRROR_SKIP_STREAMED);
        return;
    }
    entries->primary_bytes += (apr_off_t)e->length;
    if (entries->primary_bytes > entries->primary_max) {
        skip_body(entries, MIRROR_SKIP_TOO_LARGE);
        entries->primary_over = 1;
        return;
    }
    if (APR_BUCKET_IS_FILE(e) ? !read_file(entries, e, r) : !is_in_memory(e)) {
        skip_body(entries, MIRROR_SKIP_STREAMED);
    }
    else if (!APR_BUCKET_IS_FILE(e) &&
             apr_bucket_read(e, &data, &len, APR_NONBLOCK_READ) == APR_SUCCESS) {
        change_all(entries, add_to_body, data, len);
    }
}

static void see(mirror_entries_t *entries, request_rec *r, apr_bucket_brigade *bb)
{
    apr_bucket *e;

    if (!entries->primary_status && !APR_BRIGADE_EMPTY(bb)) {
        entries->primary_status = r->status;
        see_head(entries, r);
    }
    for (e = APR_BRIGADE_FIRST(bb); !entries->primary_over && e != APR_BRIGADE_SENTINEL(bb);
         e = APR_BUCKET_NEXT(e)) {
        if (APR_BUCKET_IS_EOS(e)) {
            if (r->connection
                    ->aborted) { /* the handler has given up, and httpd ends the response */
                entries->primary_skip = MIRROR_SKIP_PRIMARY_INCOMPLETE;
            }
            see_trailers(entries, r);
            entries->primary_over = 1;
        }
        else if (AP_BUCKET_IS_ERROR(e)) {
            entries->primary_skip = MIRROR_SKIP_PRIMARY_BROKEN;
            entries->primary_over = 1;
        }
        else if (!APR_BUCKET_IS_METADATA(e) && !r->header_only && e->length != 0) {
            see_data(entries, e, r);
        }
    }
}

/* The response has left: what httpd's own filters have made of its status is known. */
static mirror_skip_e skip_of(const mirror_entries_t *entries)
{
    if (entries->primary_skip != MIRROR_SKIP_NONE || !entries->response_begun ||
        entries->status == entries->primary_status) {
        return entries->primary_skip;
    }
    if (entries->status == HTTP_PARTIAL_CONTENT || entries->status == HTTP_RANGE_NOT_SATISFIABLE) {
        return MIRROR_SKIP_RANGE;
    }
    return entries->primary_status == HTTP_NOT_MODIFIED ? MIRROR_SKIP_CACHED
                                                        : MIRROR_SKIP_PRIMARY_REPLACED;
}

/* The handler has produced its response. What follows is the time of the client. */
static void stop_clock(mirror_entries_t *entries)
{
    apr_time_t now = mirror_clock_now();
    int i;

    for (i = 0; i < entries->count; i++) {
        if (entries->list[i].pair) {
            entries->list[i].pair->primary.took = now - entries->list[i].pair->started;
        }
    }
}

static apr_status_t output_filter(ap_filter_t *f, apr_bucket_brigade *bb)
{
    mirror_entries_t *entries = f->ctx;
    apr_status_t rv;

    if (!entries || !entries->pairs || entries->primary_over) {
        ap_remove_output_filter(f);
        return ap_pass_brigade(f->next, bb);
    }
    see(entries, f->r, bb);
    if (entries->primary_over) {
        stop_clock(entries);
    }
    rv = ap_pass_brigade(f->next, bb);
    if (entries->primary_over) {
        end_all(entries, skip_of(entries));
        ap_remove_output_filter(f);
    }
    else if (rv != APR_SUCCESS) {
        entries->primary_skip = MIRROR_SKIP_PRIMARY_INCOMPLETE;
    }
    return rv;
}

/* ---- request threads ---- */

/* The page of an error is not what the handler has produced. */
void mirror_primary_add(mirror_entries_t *entries, request_rec *r)
{
    if (entries->pairs > 0 && !entries->primary_over &&
        !(r->prev && ap_is_HTTP_ERROR(r->prev->status)) &&
        !mirror_filter_find(r->output_filters, primary_filter)) {
        ap_add_output_filter_handle(primary_filter, entries, r, r->connection);
    }
}

/* Whether mod_cache has served what it had stored. It then removes all filters above its own, and
 * its own one removes itself; the variable remains. */
static int is_cache_hit(const request_rec *r)
{
    return apr_table_get(r->subprocess_env, "cache-hit") != NULL;
}

void mirror_primary_last_call(mirror_entries_t *entries, const request_rec *last)
{
    if (entries->pairs == 0) {
        return;
    }
    /* Not whether the connection is aborted: the client may have left after all of a page that
     * httpd has put in place. */
    if (entries->primary_status || !entries->response_begun) {
        end_all(entries, MIRROR_SKIP_PRIMARY_INCOMPLETE);
    }
    else {
        end_all(entries, is_cache_hit(last) ? MIRROR_SKIP_CACHED : MIRROR_SKIP_PRIMARY_REPLACED);
    }
}

void mirror_primary_abandon(mirror_entries_t *entries)
{
    end_all(entries, MIRROR_SKIP_PRIMARY_INCOMPLETE);
}

void mirror_primary_register(apr_pool_t *p)
{
    primary_filter = mirror_filter_output("proxy_mirror_primary", output_filter,
                                          (ap_filter_type)(AP_FTYPE_RESOURCE - 5), p);
}
