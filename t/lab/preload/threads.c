/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * threads.c - threads that cannot be started, for tests: preloaded into httpd, its
 * pthread_create(3) fails with EAGAIN.
 *
 * It is about the threads that mod_proxy_mirror starts, and no others: a "helper" if the sender
 * starts it, else the "sender". The file $TEST_THREADS has one line: a kind, and how many of it
 * fail in a process, counted from its start. Each such thread is a line of the file
 * $TEST_THREADS.log: its kind, and "failed" or "started".
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int create_t(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

/* Whether the module is among the callers. (Of a sanitizer's own pthread_create, that is not the
 * one that calls us, and its start routine is not the module's.) */
static int is_called_by_module(void)
{
    void *callers[32];
    int n = backtrace(callers, 32);
    Dl_info info;

    while (n-- > 0) {
        if (dladdr(callers[n], &info) && info.dli_fname &&
            strstr(info.dli_fname, "mod_proxy_mirror")) {
            return 1;
        }
    }
    return 0;
}

/* How many of `kind` fail. */
static int read_limit(const char *kind)
{
    FILE *file = fopen(getenv("TEST_THREADS"), "re");
    char word[32];
    int n = 0;

    if (!file || fscanf(file, "%31s %d", word, &n) != 2 || strcmp(word, kind)) {
        n = 0;
    }
    if (file) {
        fclose(file);
    }
    return n;
}

static void note(const char *kind, const char *what)
{
    char path[4096], text[64];
    int fd, len;

    snprintf(path, sizeof(path), "%s.log", getenv("TEST_THREADS"));
    len = snprintf(text, sizeof(text), "%s %s\n", kind, what);
    fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0 || write(fd, text, (size_t)len) != len) {
        abort();
    }
    close(fd);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *baton)
{
    static int failed[2];
    create_t *next = (create_t *)dlsym(RTLD_NEXT, "pthread_create");
    char name[16] = "";
    int helper;

    if (!getenv("TEST_THREADS") || !is_called_by_module()) {
        return next(thread, attr, run, baton);
    }
    pthread_getname_np(pthread_self(), name, sizeof(name));
    helper = !strcmp(name, "mirror-sender");
    if (failed[helper] < read_limit(helper ? "helper" : "sender")) {
        failed[helper]++; /* one thread at a time starts threads of a kind */
        note(helper ? "helper" : "sender", "failed");
        return EAGAIN;
    }
    note(helper ? "helper" : "sender", "started");
    return next(thread, attr, run, baton);
}
