/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/http1.c - writing copies, reading responses. See send/http1.h.
 *
 * A write is tried at once, and the socket is watched for writing only while it is full. A response
 * that arrives before everything was written is accepted, because a server may respond early (RFC
 * 9112 9.3). The connection is then not reused.
 *
 * The copies of a batch are written consecutively. Their responses arrive in the same order (RFC
 * 9112 9.3.2).
 */
#include <string.h>

#include "copy/spool.h"
#include "send/connection.h"
#include "send/http1.h"
#include "send/response.h"

#define MIRROR_IOVECS 64
/* The maximum of reads per event, so that an endless response does not starve other connections. */
#define MIRROR_READS 4
/* The maximum of writes per event, for the same reason; and the maximum of bytes of a file per
 * write. */
#define MIRROR_WRITES 16
#define MIRROR_PIECE  65536
/* The maximum of bytes that one call discards. */
#define MIRROR_DISCARDED (1 << 20)

enum { PART_HEAD, PART_START, PART_SPOOL, PART_REST, PART_NONE };

typedef struct mirror_http1_t {
    mirror_connection_t *c;
    /* copy whose response is pending; the rest of the batch follows by `next`; NULL = idle */
    mirror_copy_t *copy;
    mirror_response_t response;
    apr_time_t began;            /* time of the first read of the response (mirror_loop_now()) */
    mirror_copy_t *sending;      /* copy that is being written, or the last written one */
    int part;                    /* current part of that copy */
    const mirror_block_t *block; /* current block, if the part is a block */
    apr_off_t offset;            /* offset in the part or block, bytes */
    unsigned writing : 1;        /* not everything was written yet */
    unsigned wrote : 1;          /* at least one byte was written */
    unsigned unreadable : 1;     /* the rest of this copy cannot be read from its file */
    unsigned no_sendfile : 1;    /* read files instead of sendfile */
    unsigned surplus : 1;        /* bytes followed the response; they belong to no response */
} mirror_http1_t;

/* ---- the end of a copy, or of an idle connection ---- */

/* End the copy whose response was pending. The next one of the batch is pending now. */
static void end_copy(mirror_http1_t *h1, mirror_connection_end_e how)
{
    mirror_copy_t *copy = h1->copy;
    mirror_result_t result;

    result.how = how;
    result.status = mirror_response_status(&h1->response);
    result.interim = mirror_response_interim(&h1->response);
    result.fault = mirror_response_fault(&h1->response);
    result.began = h1->began;
    result.grpc_status = -1;
    result.wrote = h1->wrote;
    result.reset = 0;
    h1->copy = copy->next;
    mirror_connection_end_copy(h1->c, copy, &result);
}

/* End all copies of the batch. */
static void end(mirror_http1_t *h1, mirror_connection_end_e how)
{
    mirror_connection_t *c = h1->c;
    int reusable = how == MIRROR_RESPONDED && !h1->writing && !h1->surplus &&
                   mirror_response_keepalive(&h1->response);

    mirror_loop_timer_stop(&c->timer);
    mirror_loop_timer_stop(&c->more);
    c->used = 1;
    end_copy(h1, how);
    if (h1->copy) {
        mirror_copy_t *batch = h1->copy;

        h1->copy = NULL;
        mirror_connection_strand(c, batch, how);
    }
    if (reusable) {
        c->shared->changed(c->shared->baton, c);
    }
    else {
        c->shared->closed(c->shared->baton, c);
    }
}

/* Handle a close or reset by the mirror. */
static void break_off(mirror_http1_t *h1)
{
    const mirror_connection_t *c = h1->c;

    if (mirror_response_begun(&h1->response) || h1->unreadable) {
        end(h1, MIRROR_BROKEN);
    }
    else if (c->used) {
        end(h1, MIRROR_STALE);
    }
    else {
        end(h1, c->wire.transport->tls && mirror_response_bytes(&h1->response) == 0
                    ? MIRROR_REFUSED
                    : MIRROR_BROKEN);
    }
}

/* The response to the first copy of the batch is awaited. */
static void await(mirror_http1_t *h1)
{
    mirror_response_init(&h1->response, h1->copy->no_response_body);
    mirror_response_watch(&h1->response, mirror_connection_keep_response(h1->copy, 0),
                          h1->copy->half);
}

/* ---- writing ---- */

static int add_iovec(struct iovec *iov, int n, const char *data, apr_size_t len)
{
    iov[n].iov_base = (void *)data;
    iov[n].iov_len = len;
    return len > 0 ? n + 1 : n;
}

/* Collect the next bytes in memory to write. Further copies of the batch have only heads. */
static int gather(mirror_http1_t *h1, struct iovec *iov)
{
    const mirror_copy_t *copy = h1->sending;
    const mirror_block_t *block = h1->part == PART_REST ? h1->block : mirror_copy_first_block(copy);
    apr_size_t offset = (apr_size_t)h1->offset;
    int n = 0;

    if (h1->part == PART_HEAD) {
        n = add_iovec(iov, n, copy->head + offset, copy->head_len - offset);
        offset = 0;
    }
    if (h1->part <= PART_START) {
        n = add_iovec(iov, n, copy->start + offset, copy->start_len - offset);
        offset = 0;
    }
    if (h1->part <= PART_START && mirror_copy_spool(copy)) {
        return n;
    }
    for (; block && n < MIRROR_IOVECS; block = block->next) {
        n = add_iovec(iov, n, block->data + offset, block->len - offset);
        offset = 0;
    }
    for (copy = copy->next; copy && n < MIRROR_IOVECS; copy = copy->next) {
        n = add_iovec(iov, n, copy->head, copy->head_len);
    }
    return n;
}

/* Return the length of the current part or block. */
static apr_off_t part_length(const mirror_http1_t *h1)
{
    switch (h1->part) {
    case PART_HEAD:
        return (apr_off_t)h1->sending->head_len;
    case PART_START:
        return (apr_off_t)h1->sending->start_len;
    case PART_SPOOL:
        return mirror_spool_length(mirror_copy_spool(h1->sending));
    default:
        return (apr_off_t)h1->block->len;
    }
}

/* Advance to the next part, block or copy. */
static void next_part(mirror_http1_t *h1)
{
    const mirror_copy_t *copy = h1->sending;

    h1->offset = 0;
    if (h1->part == PART_HEAD && copy->start_len > 0) {
        h1->part = PART_START;
        return;
    }
    if (h1->part < PART_SPOOL && mirror_copy_spool(copy)) {
        h1->part = PART_SPOOL;
        return;
    }
    h1->block = h1->part == PART_REST ? h1->block->next : mirror_copy_first_block(copy);
    if (!h1->block && copy->next) {
        h1->sending = copy->next;
        h1->part = PART_HEAD;
        return;
    }
    h1->part = h1->block ? PART_REST : PART_NONE;
}

static void advance(mirror_http1_t *h1, apr_size_t written)
{
    while (h1->part != PART_NONE && (apr_off_t)written >= part_length(h1) - h1->offset) {
        written -= (apr_size_t)(part_length(h1) - h1->offset);
        next_part(h1);
    }
    h1->offset += (apr_off_t)written;
}

/* Write a piece of the file, without it coming through our memory if that is possible. */
static apr_status_t write_spool(mirror_http1_t *h1, apr_size_t *written)
{
    apr_off_t left = part_length(h1) - h1->offset;
    apr_size_t len = left < MIRROR_PIECE ? (apr_size_t)left : MIRROR_PIECE;
    struct iovec iov;
    apr_status_t rv;

    if (!h1->c->wire.transport->tls && !h1->no_sendfile) {
        *written = len;
        rv = mirror_spool_send(mirror_copy_spool(h1->sending), h1->c->wire.socket, h1->offset,
                               written);
        if (rv != APR_ENOTIMPL) {
            return rv;
        }
        *written = 0;
        h1->no_sendfile = 1;
    }
    len = len < h1->c->shared->buffer_size ? len : h1->c->shared->buffer_size;
    rv = mirror_spool_read(mirror_copy_spool(h1->sending), h1->offset, h1->c->shared->buffer, &len);
    if (rv != APR_SUCCESS) {
        h1->unreadable = 1;
        return APR_EGENERAL;
    }
    iov.iov_base = h1->c->shared->buffer;
    iov.iov_len = len;
    return mirror_connection_write(h1->c, &iov, 1, written);
}

static apr_status_t write_some(mirror_http1_t *h1, apr_size_t *written)
{
    struct iovec iov[MIRROR_IOVECS];

    *written = 0;
    return h1->part == PART_SPOOL ? write_spool(h1, written)
                                  : mirror_connection_write(h1->c, iov, gather(h1, iov), written);
}

/* Write until everything is written, the socket is full or the maximum is reached. Then watch for
 * the next event. */
static apr_status_t write_batch(mirror_http1_t *h1)
{
    apr_status_t rv = APR_SUCCESS;
    int writes;

    for (writes = 0; h1->part != PART_NONE && rv == APR_SUCCESS; writes++) {
        apr_size_t written;

        if (writes == MIRROR_WRITES) {
            rv = APR_EAGAIN;
            break;
        }
        rv = write_some(h1, &written);
        if (written > 0) {
            h1->wrote = 1;
            advance(h1, written);
        }
    }
    if (rv == APR_SUCCESS) {
        rv = mirror_connection_push(h1->c);
    }
    if (rv == APR_SUCCESS || APR_STATUS_IS_EAGAIN(rv)) {
        h1->writing = rv != APR_SUCCESS;
        rv = mirror_connection_watch(h1->c, h1->writing);
    }
    return rv;
}

/* ---- reading ---- */

/* Return whether the mirror has sent more than the response that ended with the last `len` bytes
 * read. A poll may not report such bytes: TLS may buffer them, and a read that filled the buffer
 * may have left them in the socket. */
static int has_more(mirror_http1_t *h1, apr_size_t len)
{
    apr_size_t more;

    return (h1->c->wire.transport->tls || len == h1->c->shared->buffer_size) &&
           !APR_STATUS_IS_EAGAIN(mirror_connection_read(h1->c, &more));
}

/* Return whether any byte of a copy after the first one of the batch was sent. */
static int is_begun(const mirror_http1_t *h1, const mirror_copy_t *copy)
{
    return h1->sending != copy || h1->part != PART_HEAD || h1->offset > 0;
}

/* Continue with the next copy of the batch after a response. Returns 1 if its response is now
 * pending. Returns 0 if the copy was the last one or was not fully written, or if the mirror closes
 * or has sent unexpected bytes. `at`: end of the response in the last `len` bytes read. */
static int next_copy(mirror_http1_t *h1, apr_size_t at, apr_size_t len)
{
    mirror_copy_t *copy = h1->copy;

    if (!copy->next || h1->sending == copy || !mirror_response_keepalive(&h1->response)) {
        return 0;
    }
    h1->surplus = !is_begun(h1, copy->next) && (at < len || has_more(h1, len));
    if (h1->surplus) {
        return 0;
    }
    end_copy(h1, MIRROR_RESPONDED);
    await(h1);
    return 1;
}

/* Process received bytes. Returns 1 if more bytes of this response or of further ones are
 * expected. */
static int take_responses(mirror_http1_t *h1, apr_size_t len)
{
    apr_size_t at = 0;

    do {
        apr_size_t used = 0;
        apr_status_t rv;

        if (mirror_response_bytes(&h1->response) == 0) {
            h1->began = mirror_loop_now(h1->c->shared->loop);
        }
        rv = mirror_response_read(&used, &h1->response, h1->c->shared->buffer + at, len - at);

        if (rv == APR_INCOMPLETE) {
            return 1;
        }
        if (rv != APR_SUCCESS) {
            end(h1, MIRROR_BROKEN);
            return 0;
        }
        at += used;
    } while (next_copy(h1, at, len));
    h1->surplus |= at < len || has_more(h1, len);
    end(h1, MIRROR_RESPONDED);
    return 0;
}

/* Discard received content that nobody receives. Returns as the transport's `discard` does. */
static apr_status_t discard(mirror_http1_t *h1)
{
    const mirror_transport_t *transport = h1->c->wire.transport;
    apr_int64_t most = mirror_response_ignorable(&h1->response);
    apr_size_t len, used;
    apr_status_t rv;

    if (!transport->discard || most < (apr_int64_t)h1->c->shared->buffer_size) {
        return APR_ENOTIMPL;
    }
    len = most < MIRROR_DISCARDED ? (apr_size_t)most : MIRROR_DISCARDED;
    rv = transport->discard(&h1->c->wire, &len);
    if (rv == APR_SUCCESS) {
        mirror_response_read(&used, &h1->response, NULL, len);
    }
    return rv;
}

static void read_responses(mirror_http1_t *h1)
{
    int reads;

    for (reads = 0; reads < MIRROR_READS; reads++) {
        apr_size_t len = 0;
        apr_status_t rv = discard(h1);

        if (rv == APR_SUCCESS) {
            continue;
        }
        if (rv == APR_ENOTIMPL) {
            rv = mirror_connection_read(h1->c, &len);
        }
        if (rv == APR_SUCCESS) {
            if (!take_responses(h1, len) ||
                (len < h1->c->shared->buffer_size && !h1->c->wire.transport->tls)) {
                return;
            }
        }
        else if (APR_STATUS_IS_EAGAIN(rv)) {
            return;
        }
        else if (APR_STATUS_IS_EOF(rv) && mirror_response_end(&h1->response) == APR_SUCCESS) {
            end(h1, MIRROR_RESPONDED);
            return;
        }
        else {
            break_off(h1);
            return;
        }
    }
    if (h1->c->wire.transport->tls) {
        mirror_connection_read_more(h1->c);
    }
}

/* Handle a write error. The mirror may have sent a response before, so received bytes are read
 * first. */
static void write_failed(mirror_http1_t *h1)
{
    read_responses(h1);
    if (h1->copy && !mirror_connection_is_closed(h1->c) && h1->writing) {
        break_off(h1);
    }
}

/* Handle a readable idle connection: the mirror has closed it or sent unexpected bytes, or TLS has
 * received data of its own. */
static void read_idle(mirror_http1_t *h1)
{
    apr_size_t len;

    if (!APR_STATUS_IS_EAGAIN(mirror_connection_read(h1->c, &len))) {
        h1->c->shared->closed(h1->c->shared->baton, h1->c);
    }
}

/* ---- the connection's calls ---- */

static apr_status_t http1_open(mirror_connection_t *c)
{
    mirror_http1_t *h1 = apr_pcalloc(c->pool, sizeof(*h1));

    h1->c = c;
    c->state = h1;
    return APR_SUCCESS;
}

static int http1_has_room(const mirror_connection_t *c, int most)
{
    (void)most;
    return c->copies == 0;
}

static void http1_start(mirror_connection_t *c, mirror_copy_t *batch, apr_interval_time_t taken)
{
    mirror_http1_t *h1 = c->state;
    apr_time_t now = mirror_loop_now(c->shared->loop);

    h1->copy = batch;
    await(h1);
    h1->sending = batch;
    h1->part = PART_HEAD;
    h1->offset = 0;
    h1->writing = 1;
    h1->wrote = 0;
    h1->unreadable = 0;
    h1->surplus = 0;
    mirror_loop_timer_start(c->shared->loop, &c->timer, now - taken, batch->settings->timeout);
    if (write_batch(h1) != APR_SUCCESS) {
        write_failed(h1);
    }
}

static void http1_ready(mirror_connection_t *c, apr_int16_t events)
{
    mirror_http1_t *h1 = c->state;

    if (!h1->copy) {
        read_idle(h1);
        return;
    }
    if (events & ~APR_POLLOUT) {
        read_responses(h1);
    }
    /* The copy may have ended and another one may have started, which was then written as far as
     * possible. */
    if ((events & APR_POLLOUT) && h1->copy && h1->writing && !mirror_connection_is_closed(c) &&
        write_batch(h1) != APR_SUCCESS) {
        write_failed(h1);
    }
}

static void http1_expire(mirror_connection_t *c)
{
    end(c->state, MIRROR_TIMED_OUT);
}

static mirror_copy_t *http1_abandon(mirror_connection_t *c)
{
    mirror_http1_t *h1 = c->state;
    mirror_copy_t *batch = h1->copy;

    h1->copy = NULL;
    return batch;
}

const mirror_protocol_t mirror_http1_protocol = {
    NULL,          1,    0,   http1_open, http1_has_room, http1_start, http1_ready, http1_expire,
    http1_abandon, NULL, NULL
};
