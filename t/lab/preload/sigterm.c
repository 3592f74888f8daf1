/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * sigterm.c - SIGTERM at the worst moment, for tests: preloaded into httpd, it is raised once by
 * the main thread of a child, right after a byte was written to wake another thread (through a
 * pipe, or an eventfd), if the file $TEST_SIGTERM is there. The file is removed before.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef ssize_t writer_t(int, const void *, size_t);

/* Whether what the descriptor is has `word` in its name. */
static int is(int fd, const char *word)
{
    char path[64], name[4096];
    ssize_t len;

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    len = readlink(path, name, sizeof(name) - 1);
    name[len > 0 ? len : 0] = '\0';
    return strstr(name, word) != NULL;
}

ssize_t write(int fd, const void *data, size_t len)
{
    writer_t *next = (writer_t *)dlsym(RTLD_NEXT, "write");
    ssize_t written = next(fd, data, len);
    const char *file = getenv("TEST_SIGTERM");

    if (file && len <= 8 && syscall(SYS_gettid) == getpid() &&
        (is(fd, "pipe:") || is(fd, "eventfd")) && unlink(file) == 0) {
        raise(SIGTERM);
    }
    return written;
}
