/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * comparer.c - a comparer that stands still, for tests: preloaded into httpd, setpriority(2) opens
 * the FIFO $TEST_COMPARER, and does not return before the test has opened it as well. The comparer
 * calls it as it starts.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
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
