/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * behind.c - whether a child leaves threads behind: preloaded into httpd, it writes a line to the
 * file $TEST_BEHIND when the module asks dlopen(3) to keep its code loaded for them.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef void *dlopen_t(const char *, int);

void *dlopen(const char *file, int flags)
{
    dlopen_t *next = (dlopen_t *)dlsym(RTLD_NEXT, "dlopen");
    static const char line[] = "left behind\n";
    int fd;

    if (file && (flags & RTLD_NODELETE) && (flags & RTLD_NOLOAD) &&
        strstr(file, "mod_proxy_mirror") && getenv("TEST_BEHIND")) {
        fd = open(getenv("TEST_BEHIND"), O_WRONLY | O_APPEND | O_CLOEXEC);
        if (fd < 0 || write(fd, line, sizeof(line) - 1) != sizeof(line) - 1) {
            abort();
        }
        close(fd);
    }
    return next(file, flags);
}
