/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * grow.c - SIGTERM while memory grows, for tests: preloaded into httpd, it is raised once by the
 * main thread of a child before a realloc(3) of the module returns, if the file $TEST_GROW is
 * there. The file is removed before.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef void *realloc_t(void *, size_t);

/* Whether the child is to be struck now. */
static int is_time(const void *caller)
{
    const char *file = getenv("TEST_GROW");
    Dl_info info;

    return file && syscall(SYS_gettid) == getpid() && dladdr(caller, &info) && info.dli_fname &&
           strstr(info.dli_fname, "mod_proxy_mirror") && unlink(file) == 0;
}

void *realloc(void *data, size_t size)
{
    static realloc_t *next;
    size_t before = data ? malloc_usable_size(data) : 0;
    void *moved;

    if (!next) {
        next = (realloc_t *)dlsym(RTLD_NEXT, "realloc");
    }
    if (!data || !is_time(__builtin_return_address(0)) || !(moved = malloc(size))) {
        return next(data, size);
    }
    memcpy(moved, data, before < size ? before : size);
    free(data); /* the caller has its address still */
    raise(SIGTERM);
    return moved;
}
