/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/connection.c - the life of a socket to a mirror, apart from its protocol. See
 * send/connection.h.
 *
 * The socket is always watched for reading: if an idle connection becomes readable, the mirror may
 * have closed it.
 */
#include <stddef.h> /* before APR, whose rings then use offsetof() */

#include "compare/half.h"
#include "send/connection.h"

/* the next round of the loop */
#define MIRROR_SOON 1

/* ---- the loop's calls ---- */

static void on_ready(void *baton, apr_int16_t events)
{
    mirror_connection_t *c = baton;

    c->protocol->ready(c, events);
}

static void on_more(void *baton)
{
    on_ready(baton, APR_POLLIN);
}

static void on_timer(void *baton)
{
    mirror_connection_t *c = baton;

    if (c->copies > 0) {
        c->protocol->expire(c);
    }
    else {
        c->expired = 1;
        c->shared->closed(c->shared->baton, c);
    }
}

static void forget_flush(mirror_connection_t *c)
{
    if (c->unflushed) {
        APR_RING_REMOVE(c, unflushed_link);
        c->unflushed = 0;
    }
}

/* ---- the sender's calls ---- */

apr_status_t mirror_connection_adopt(mirror_connection_t *c, mirror_connections_t *shared)
{
    apr_status_t rv;

    c->shared = shared;
    c->adopted = mirror_loop_now(shared->loop);
    c->confirmed = !c->protocol->confirms;
    c->timer.fire = on_timer;
    c->timer.baton = c;
    c->more.fire = on_more;
    c->more.baton = c;
    rv = c->protocol->open(c);
    if (rv == APR_SUCCESS) {
        rv =
            mirror_loop_add(shared->loop, &c->io, c->wire.socket, APR_POLLIN, on_ready, c, c->pool);
    }
    if (rv != APR_SUCCESS) {
        forget_flush(c);
    }
    return rv;
}

int mirror_connection_has_room(const mirror_connection_t *c, int most)
{
    return c->protocol->has_room(c, most);
}

void mirror_connection_flush_all(mirror_connections_t *shared)
{
    while (!APR_RING_EMPTY(&shared->unflushed, mirror_connection_t, unflushed_link)) {
        mirror_connection_t *c = APR_RING_FIRST(&shared->unflushed);

        forget_flush(c);
        c->protocol->flush(c);
    }
}

void mirror_connection_start(mirror_connection_t *c, mirror_copy_t *batch,
                             apr_interval_time_t taken)
{
    mirror_copy_t *copy;

    if (c->resting) {
        c->resting = 0;
        mirror_loop_timer_stop(&c->timer);
    }
    for (copy = batch; copy; copy = copy->next) {
        c->copies++;
        c->started++;
    }
    c->protocol->start(c, batch, taken);
}

void mirror_connection_rest(mirror_connection_t *c, apr_interval_time_t keepalive)
{
    c->resting = 1;
    c->rested = mirror_loop_now(c->shared->loop);
    mirror_loop_timer_start(c->shared->loop, &c->timer, c->rested, keepalive);
}

mirror_copy_t *mirror_connection_abandon(mirror_connection_t *c)
{
    c->copies = 0;
    return c->protocol->abandon(c);
}

void mirror_connection_close(mirror_connection_t *c)
{
    mirror_loop_timer_stop(&c->timer);
    mirror_loop_timer_stop(&c->more);
    forget_flush(c);
    if (c->protocol->leave) {
        c->protocol->leave(c);
    }
    if (c->wire.transport->close) {
        c->wire.transport->close(&c->wire);
    }
    mirror_loop_close(c->shared->loop, &c->io);
}

/* ---- the protocols' calls ---- */

int mirror_connection_is_closed(const mirror_connection_t *c)
{
    return c->io.ready == NULL;
}

void mirror_connection_end_copy(mirror_connection_t *c, mirror_copy_t *copy,
                                const mirror_result_t *result)
{
    c->copies--;
    c->shared->ended(c->shared->baton, c, copy, result);
}

void mirror_connection_strand(mirror_connection_t *c, mirror_copy_t *batch,
                              mirror_connection_end_e how)
{
    const mirror_copy_t *copy;

    for (copy = batch; copy; copy = copy->next) {
        c->copies--;
    }
    c->shared->stranded(c->shared->baton, c, batch, how);
}

apr_status_t mirror_connection_watch(mirror_connection_t *c, int writing)
{
    return mirror_loop_change(c->shared->loop, &c->io,
                              writing ? APR_POLLIN | APR_POLLOUT : APR_POLLIN);
}

void mirror_connection_flush_later(mirror_connection_t *c)
{
    if (!c->unflushed) {
        c->unflushed = 1;
        APR_RING_INSERT_TAIL(&c->shared->unflushed, c, mirror_connection_t, unflushed_link);
    }
}

void mirror_connection_confirm(mirror_connection_t *c)
{
    if (!c->confirmed) {
        c->confirmed = 1;
        c->shared->confirmed(c->shared->baton, c);
    }
}

void mirror_connection_read_more(mirror_connection_t *c)
{
    mirror_loop_timer_start(c->shared->loop, &c->more, mirror_loop_now(c->shared->loop),
                            MIRROR_SOON);
}

/* ---- responses that are compared ---- */

static void keep_head(void *baton, const char *data, apr_size_t len)
{
    mirror_half_head(baton, data, len);
}

static void keep_body(void *baton, const char *data, apr_size_t len)
{
    mirror_half_body(baton, data, len);
}

static void keep_trailer(void *baton, const char *data, apr_size_t len)
{
    mirror_half_trailer(baton, data, len);
}

static void clear(void *baton)
{
    mirror_half_clear(baton);
}

const mirror_response_sink_t *mirror_connection_keep_response(const mirror_copy_t *copy,
                                                              int with_trailers)
{
    static const mirror_response_sink_t sink = { keep_head, keep_body, clear, keep_trailer };

    if (!copy->half) {
        return NULL;
    }
    mirror_half_clear(copy->half);
    copy->half->knows_trailers = with_trailers;
    return &sink;
}
