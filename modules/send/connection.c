/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/connection.c - writing copies, reading responses. See send/connection.h.
 *
 * The socket is always watched for reading: if an idle connection becomes readable, the mirror has
 * closed it. A write is tried at once, and the socket is watched for writing only while it is full.
 * A response that arrives before everything was written is accepted, because a server may respond
 * early (RFC 9112 9.3). The connection is then not reused.
 *
 * The copies of a batch are written consecutively. Their responses arrive in the same order (RFC
 * 9112 9.3.2).
 */
#include <string.h>

#include "compare/answer.h"
#include "copy/spool.h"
#include "send/connection.h"

#define MIRROR_IOVECS 64
/* The maximum of reads per event, so that an endless response does not starve other connections. */
#define MIRROR_READS 4
/* The maximum of writes per event, for the same reason; and the maximum of bytes of a file per
 * write. */
#define MIRROR_WRITES 16
#define MIRROR_PIECE  65536
/* the next round of the loop */
#define MIRROR_SOON 1

enum { PART_HEAD, PART_START, PART_SPOOL, PART_REST, PART_NONE };

/* ---- the end of a copy, or of an idle connection ---- */

static void end(mirror_connection_t *c, mirror_connection_end_e how)
{
    mirror_loop_timer_stop(&c->timer);
    mirror_loop_timer_stop(&c->more);
    c->reusable = how == MIRROR_RESPONDED && !c->writing && !c->surplus &&
                  mirror_response_keepalive(&c->response);
    c->used = 1;
    c->shared->ended(c->shared->baton, c, how);
}

/* Handle a close or reset by the mirror. */
static void break_off(mirror_connection_t *c)
{
    if (mirror_response_begun(&c->response) || c->unreadable) {
        end(c, MIRROR_BROKEN);
    }
    else if (c->used) {
        end(c, MIRROR_STALE);
    }
    else {
        end(c, c->wire.transport->tls && mirror_response_bytes(&c->response) == 0 ? MIRROR_REFUSED
                                                                                  : MIRROR_BROKEN);
    }
}

/* ---- responses that are compared ---- */

static void keep_head(void *baton, const char *data, apr_size_t len)
{
    mirror_answer_head(baton, data, len);
}

static void keep_body(void *baton, const char *data, apr_size_t len)
{
    mirror_answer_body(baton, data, len);
}

static void clear(void *baton)
{
    mirror_answer_clear(baton);
}

/* The response to the first copy of the batch is awaited. */
static void await(mirror_connection_t *c)
{
    static const mirror_response_sink_t sink = { keep_head, keep_body, clear };

    mirror_response_init(&c->response, c->copy->no_response_body);
    if (c->copy->answer) {
        clear(c->copy->answer); /* of an attempt before */
        mirror_response_watch(&c->response, &sink, c->copy->answer);
    }
}

/* ---- writing ---- */

static int add_iovec(struct iovec *iov, int n, const char *data, apr_size_t len)
{
    iov[n].iov_base = (void *)data;
    iov[n].iov_len = len;
    return len > 0 ? n + 1 : n;
}

/* Collect the next bytes in memory to write. Further copies of the batch have only heads. */
static int gather(mirror_connection_t *c, struct iovec *iov)
{
    const mirror_copy_t *copy = c->sending;
    const mirror_block_t *block = c->part == PART_REST ? c->block : copy->rest;
    apr_size_t offset = (apr_size_t)c->offset;
    int n = 0;

    if (c->part == PART_HEAD) {
        n = add_iovec(iov, n, copy->head + offset, copy->head_len - offset);
        offset = 0;
    }
    if (c->part <= PART_START) {
        n = add_iovec(iov, n, copy->start + offset, copy->start_len - offset);
        offset = 0;
    }
    if (c->part <= PART_START && copy->spool) {
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
static apr_off_t part_length(const mirror_connection_t *c)
{
    switch (c->part) {
    case PART_HEAD:
        return (apr_off_t)c->sending->head_len;
    case PART_START:
        return (apr_off_t)c->sending->start_len;
    case PART_SPOOL:
        return mirror_spool_length(c->sending->spool);
    default:
        return (apr_off_t)c->block->len;
    }
}

/* Advance to the next part, block or copy. */
static void next_part(mirror_connection_t *c)
{
    const mirror_copy_t *copy = c->sending;

    c->offset = 0;
    if (c->part == PART_HEAD && copy->start_len > 0) {
        c->part = PART_START;
        return;
    }
    if (c->part < PART_SPOOL && copy->spool) {
        c->part = PART_SPOOL;
        return;
    }
    c->block = c->part == PART_REST ? c->block->next : copy->rest;
    if (!c->block && copy->next) {
        c->sending = copy->next;
        c->part = PART_HEAD;
        return;
    }
    c->part = c->block ? PART_REST : PART_NONE;
}

static void advance(mirror_connection_t *c, apr_size_t written)
{
    while (c->part != PART_NONE && (apr_off_t)written >= part_length(c) - c->offset) {
        written -= (apr_size_t)(part_length(c) - c->offset);
        next_part(c);
    }
    c->offset += (apr_off_t)written;
}

/* Write a piece of the file, without it coming through our memory if that is possible. */
static apr_status_t write_spool(mirror_connection_t *c, apr_size_t *written)
{
    apr_off_t left = part_length(c) - c->offset;
    apr_size_t len = left < MIRROR_PIECE ? (apr_size_t)left : MIRROR_PIECE;
    struct iovec iov;
    apr_status_t rv;

    if (!c->wire.transport->tls && !c->no_sendfile) {
        *written = len;
        rv = mirror_spool_send(c->sending->spool, c->wire.socket, c->offset, written);
        if (rv != APR_ENOTIMPL) {
            return rv;
        }
        *written = 0;
        c->no_sendfile = 1;
    }
    len = len < c->shared->buffer_size ? len : c->shared->buffer_size;
    rv = mirror_spool_read(c->sending->spool, c->offset, c->shared->buffer, &len);
    if (rv != APR_SUCCESS) {
        c->unreadable = 1;
        return APR_EGENERAL;
    }
    iov.iov_base = c->shared->buffer;
    iov.iov_len = len;
    return c->wire.transport->write(&c->wire, &iov, 1, written);
}

static apr_status_t write_some(mirror_connection_t *c, apr_size_t *written)
{
    struct iovec iov[MIRROR_IOVECS];

    *written = 0;
    return c->part == PART_SPOOL ? write_spool(c, written)
                                 : c->wire.transport->write(&c->wire, iov, gather(c, iov), written);
}

/* Write until everything is written, the socket is full or the maximum is reached. Then watch for
 * the next event. */
static apr_status_t write_batch(mirror_connection_t *c)
{
    apr_status_t rv = APR_SUCCESS;
    int writes;

    for (writes = 0; c->part != PART_NONE && rv == APR_SUCCESS; writes++) {
        apr_size_t written;

        if (writes == MIRROR_WRITES) {
            rv = APR_EAGAIN;
            break;
        }
        rv = write_some(c, &written);
        if (written > 0) {
            c->wrote = 1;
            advance(c, written);
        }
    }
    if (rv == APR_SUCCESS && c->wire.transport->push) {
        rv = c->wire.transport->push(&c->wire);
    }
    if (rv == APR_SUCCESS || APR_STATUS_IS_EAGAIN(rv)) {
        c->writing = rv != APR_SUCCESS;
        rv = mirror_loop_change(c->shared->loop, &c->io,
                                c->writing ? APR_POLLIN | APR_POLLOUT : APR_POLLIN);
    }
    return rv;
}

/* ---- reading ---- */

/* Return whether the mirror has sent more than the response that ended with the last `len` bytes
 * read. A poll may not report such bytes: TLS may buffer them, and a read that filled the buffer
 * may have left them in the socket. */
static int has_more(mirror_connection_t *c, apr_size_t len)
{
    apr_size_t more = c->shared->buffer_size;

    return (c->wire.transport->tls || len == c->shared->buffer_size) &&
           !APR_STATUS_IS_EAGAIN(c->wire.transport->read(&c->wire, c->shared->buffer, &more));
}

/* Return whether any byte of a copy after the first one of the batch was sent. */
static int is_begun(const mirror_connection_t *c, const mirror_copy_t *copy)
{
    return c->sending != copy || c->part != PART_HEAD || c->offset > 0;
}

/* Continue with the next copy of the batch after a response. Returns 1 if its response is now
 * pending. Returns 0 if the copy was the last one or was not fully written, or if the mirror closes
 * or has sent unexpected bytes. `at`: end of the response in the last `len` bytes read. */
static int next_copy(mirror_connection_t *c, apr_size_t at, apr_size_t len)
{
    mirror_copy_t *copy = c->copy;

    if (!copy->next || c->sending == copy || !mirror_response_keepalive(&c->response)) {
        return 0;
    }
    c->surplus = !is_begun(c, copy->next) && (at < len || has_more(c, len));
    if (c->surplus) {
        return 0;
    }
    c->copy = copy->next;
    c->shared->responded(c->shared->baton, c, copy);
    await(c);
    return 1;
}

/* Process received bytes. Returns 1 if more bytes of this response or of further ones are
 * expected. */
static int take_responses(mirror_connection_t *c, apr_size_t len)
{
    apr_size_t at = 0;

    do {
        apr_size_t used = 0;
        apr_status_t rv;

        if (mirror_response_bytes(&c->response) == 0) {
            c->began = mirror_loop_now(c->shared->loop);
        }
        rv = mirror_response_read(&used, &c->response, c->shared->buffer + at, len - at);

        if (rv == APR_INCOMPLETE) {
            return 1;
        }
        if (rv != APR_SUCCESS) {
            end(c, MIRROR_BROKEN);
            return 0;
        }
        at += used;
    } while (next_copy(c, at, len));
    c->surplus |= at < len || has_more(c, len);
    end(c, MIRROR_RESPONDED);
    return 0;
}

static void read_responses(mirror_connection_t *c)
{
    int reads;

    for (reads = 0; reads < MIRROR_READS; reads++) {
        apr_size_t len = c->shared->buffer_size;
        apr_status_t rv = c->wire.transport->read(&c->wire, c->shared->buffer, &len);

        if (rv == APR_SUCCESS) {
            if (!take_responses(c, len) ||
                (len < c->shared->buffer_size && !c->wire.transport->tls)) {
                return;
            }
        }
        else if (APR_STATUS_IS_EAGAIN(rv)) {
            return;
        }
        else if (APR_STATUS_IS_EOF(rv) && mirror_response_end(&c->response) == APR_SUCCESS) {
            end(c, MIRROR_RESPONDED);
            return;
        }
        else {
            break_off(c);
            return;
        }
    }
    if (c->wire.transport->tls) {
        mirror_loop_timer_start(c->shared->loop, &c->more, mirror_loop_now(c->shared->loop),
                                MIRROR_SOON);
    }
}

/* Handle a write error. The mirror may have sent a response before, so received bytes are read
 * first. */
static void write_failed(mirror_connection_t *c)
{
    read_responses(c);
    if (c->copy && c->io.ready && c->writing) {
        break_off(c);
    }
}

/* Handle a readable idle connection: the mirror has closed it or sent unexpected bytes, or TLS has
 * received data of its own. */
static void read_idle(mirror_connection_t *c)
{
    apr_size_t len = c->shared->buffer_size;

    if (!APR_STATUS_IS_EAGAIN(c->wire.transport->read(&c->wire, c->shared->buffer, &len))) {
        end(c, MIRROR_CLOSED);
    }
}

/* ---- the loop's calls ---- */

static void on_ready(void *baton, apr_int16_t events)
{
    mirror_connection_t *c = baton;

    if (!c->copy) {
        read_idle(c);
        return;
    }
    if (events & ~APR_POLLOUT) {
        read_responses(c);
    }
    /* The copy may have ended and another one may have started, which was then written as far as
     * possible. */
    if ((events & APR_POLLOUT) && c->copy && c->writing && c->io.ready &&
        write_batch(c) != APR_SUCCESS) {
        write_failed(c);
    }
}

static void on_more(void *baton)
{
    on_ready(baton, APR_POLLIN);
}

static void on_timer(void *baton)
{
    mirror_connection_t *c = baton;

    end(c, c->copy ? MIRROR_TIMED_OUT : MIRROR_CLOSED);
}

/* ---- the sender's calls ---- */

apr_status_t mirror_connection_adopt(mirror_connection_t *c, mirror_connections_t *shared)
{
    c->shared = shared;
    c->timer.fire = on_timer;
    c->timer.baton = c;
    c->more.fire = on_more;
    c->more.baton = c;
    return mirror_loop_add(shared->loop, &c->io, c->wire.socket, APR_POLLIN, on_ready, c, c->pool);
}

void mirror_connection_start(mirror_connection_t *c, mirror_copy_t *batch,
                             apr_interval_time_t taken)
{
    apr_time_t now = mirror_loop_now(c->shared->loop);

    c->copy = batch;
    await(c);
    c->sending = batch;
    c->part = PART_HEAD;
    c->offset = 0;
    c->writing = 1;
    c->wrote = 0;
    c->unreadable = 0;
    c->surplus = 0;
    mirror_loop_timer_start(c->shared->loop, &c->timer, now - taken, batch->settings->timeout);
    if (write_batch(c) != APR_SUCCESS) {
        write_failed(c);
    }
}

void mirror_connection_rest(mirror_connection_t *c, apr_interval_time_t keepalive)
{
    c->copy = NULL;
    c->rested = mirror_loop_now(c->shared->loop);
    mirror_loop_timer_start(c->shared->loop, &c->timer, c->rested, keepalive);
}

void mirror_connection_close(mirror_connection_t *c)
{
    mirror_loop_timer_stop(&c->timer);
    mirror_loop_timer_stop(&c->more);
    if (c->wire.transport->close) {
        c->wire.transport->close(&c->wire);
    }
    mirror_loop_close(c->shared->loop, &c->io);
}
