/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * base/clock.c - the monotonic clock. See base/clock.h.
 */
#include <time.h>

#include "base/clock.h"

apr_time_t mirror_clock_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (apr_time_t)now.tv_sec * APR_USEC_PER_SEC + now.tv_nsec / 1000;
}

apr_time_t mirror_clock_thread(void)
{
    struct timespec had = { 0, 0 };

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &had);
    return (apr_time_t)had.tv_sec * APR_USEC_PER_SEC + had.tv_nsec / 1000;
}

apr_time_t mirror_clock_to_wall(apr_time_t then)
{
    return apr_time_now() + (then - mirror_clock_now());
}

apr_time_t mirror_clock_from_wall(apr_time_t wall)
{
    apr_time_t now = mirror_clock_now();
    apr_interval_time_t ago = apr_time_now() - wall;

    return ago > 0 && ago < now ? now - ago : now;
}
