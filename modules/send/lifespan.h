/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * send/lifespan.h - how many copies a server surely processes on one connection of HTTP/2.
 *
 * A server may end each connection after a number of responses, with GOAWAY or without. All other
 * copies on the connection are then lost, or retried (send/retry.h) and lost with the next
 * connection. So such an end bounds the copies of a connection, in flight and in all:
 *
 *     the first `copies` ones    may be in flight together
 *     a later one                alone, if the server has not ended the idle connection meanwhile
 *
 * An end of a connection that was idle, before any response since, is no such end: servers close
 * idle connections.
 *
 * If the later one has a response, the server does not end connections at that number, as after its
 * restart. The bound is then doubled, and finally dropped.
 *
 * Sender thread.
 */
#ifndef MIRROR_SEND_LIFESPAN_H
#define MIRROR_SEND_LIFESPAN_H

#include <apr_time.h>

/* The time for which a connection with all its copies is idle before it gets a later one. */
#define MIRROR_LIFESPAN_REST apr_time_from_msec(100)
/* The bound that is not worth while: few copies are retried with so many. */
#define MIRROR_LIFESPAN_MAX 10000

/* What is known of a server. */
typedef struct mirror_lifespan_t {
    apr_int64_t copies; /* 0 = no bound */
} mirror_lifespan_t;

/* The server has ended a connection with copies that it did not process. `processed`: copies of the
 * connection that it has. */
static inline void mirror_lifespan_ended(mirror_lifespan_t *lifespan, apr_int64_t processed)
{
    if (processed < MIRROR_LIFESPAN_MAX) {
        lifespan->copies = processed > 0 ? processed : 1;
    }
}

/* The server has responded to a copy that was a later one when the bound was `copies`. Several
 * connections may test a bound together; that they all outlive it says nothing about its double. */
static inline void mirror_lifespan_outlived(mirror_lifespan_t *lifespan, apr_int64_t copies)
{
    if (lifespan->copies == copies) {
        lifespan->copies = 2 * copies < MIRROR_LIFESPAN_MAX ? 2 * copies : 0;
    }
}

/* Return the maximum of copies in flight on a connection; at most `streams`. */
static inline apr_int64_t mirror_lifespan_most(const mirror_lifespan_t *lifespan,
                                               apr_int64_t streams)
{
    return lifespan->copies && lifespan->copies < streams ? lifespan->copies : streams;
}

/* Return whether the next copy of a connection that has had `started` ones is a later one. */
static inline int mirror_lifespan_is_over(const mirror_lifespan_t *lifespan, apr_int64_t started)
{
    return lifespan->copies && started >= lifespan->copies;
}

#endif
