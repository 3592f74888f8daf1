/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * reset.c - a thread of mod_http2 that is preempted at the worst moment, for tests: preloaded into
 * httpd, it stops a thread that has passed something on while it handles received frames, as long as the
 * file $TEST_RESET is there, for a minute at most. mod_http2 has then ended the body of a stream that is reset, and has not
 * marked it as aborted.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

typedef ssize_t receive_t(void *, const uint8_t *, size_t);
typedef int condition_t(pthread_cond_t *);
typedef int mutex_t(pthread_mutex_t *);

static __thread int receives, passed_on;

ssize_t nghttp2_session_mem_recv(void *session, const uint8_t *data, size_t len)
{
    void *library = dlopen("libnghttp2.so.14", RTLD_LAZY | RTLD_NOLOAD);
    receive_t *next = (receive_t *)dlsym(library, "nghttp2_session_mem_recv");
    ssize_t n;

    receives = 1;
    n = next(session, data, len);
    receives = passed_on = 0;
    dlclose(library);
    return n;
}

int pthread_cond_broadcast(pthread_cond_t *condition)
{
    condition_t *next = (condition_t *)dlsym(RTLD_NEXT, "pthread_cond_broadcast");

    passed_on = receives;
    return next(condition);
}

int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    static mutex_t *next;
    const char *file;
    int rv, rounds;

    if (!next) {
        next = (mutex_t *)dlsym(RTLD_NEXT, "pthread_mutex_unlock");
    }
    rv = next(mutex);
    file = passed_on ? getenv("TEST_RESET") : NULL;
    for (rounds = 0; file && rounds < 60000 && access(file, F_OK) == 0; rounds++) {
        poll(NULL, 0, 1);
    }
    return rv;
}
