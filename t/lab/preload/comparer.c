/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * comparer.c - a comparer that stands still, for tests: preloaded into httpd, setpriority(2) opens
 * the FIFO $TEST_COMPARER, and does not return before the test has opened it as well. The comparer
 * calls it as it starts.
 *
 * With $TEST_COMPARER_COST, a thread has used so many times its processor time: the comparer's budget
 * is spent, whatever the machine is busy with.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int setpriority(__priority_which_t which, id_t who, int priority)
{
    const char *fifo = getenv("TEST_COMPARER");
    int fd = fifo ? open(fifo, O_RDONLY | O_CLOEXEC) : -1;

    (void)which;
    (void)who;
    (void)priority;
    if (fd >= 0) { /* else it is not there: nobody wants to hold the thread */
        close(fd);
    }
    return 0;
}

int clock_gettime(clockid_t id, struct timespec *time)
{
    const char *cost = id == CLOCK_THREAD_CPUTIME_ID ? getenv("TEST_COMPARER_COST") : NULL;
    int rv = (int)syscall(SYS_clock_gettime, id, time);

    if (cost && rv == 0) {
        long long ns = (time->tv_sec * 1000000000LL + time->tv_nsec) * strtol(cost, NULL, 10);

        time->tv_sec = (time_t)(ns / 1000000000);
        time->tv_nsec = (long)(ns % 1000000000);
    }
    return rv;
}
