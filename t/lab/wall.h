/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * wall.h - a wall clock that a unit test sets: APR's apr_time_now() calls this gettimeofday(2).
 */
#ifndef WALL_H
#define WALL_H

#include <sys/time.h>
#include <time.h>

#include <apr_time.h>

static apr_interval_time_t wall_ahead; /* of the true one */

__attribute__((visibility("default"))) int gettimeofday(struct timeval *restrict now,
                                                        void *restrict zone)
{
    struct timespec precise;
    apr_time_t time;

    (void)zone;
    clock_gettime(CLOCK_REALTIME, &precise);
    time = (apr_time_t)precise.tv_sec * APR_USEC_PER_SEC + precise.tv_nsec / 1000 + wall_ahead;
    now->tv_sec = (time_t)(time / APR_USEC_PER_SEC);
    now->tv_usec = (suseconds_t)(time % APR_USEC_PER_SEC);
    return 0;
}

/* Set it; it is set for sure. */
static void step_wall(apr_interval_time_t by)
{
    apr_time_t before = apr_time_now();

    wall_ahead += by;
    ck_assert_int_ge(apr_time_now() - before, by);
    ck_assert_int_lt(apr_time_now() - before, by + apr_time_from_sec(60));
}

#endif
