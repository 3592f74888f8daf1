/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * connect.c - a host without a free port: preloaded into httpd, it lets connect(2) to IP addresses
 * fail.
 *
 * The file $TEST_CONNECT has four numbers: a port, an errno for connecting there, of how many of
 * the next calls it is for stream sockets, and the same for datagram sockets. It is rewritten with
 * what is left of them; one child at a time may use it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

typedef int connect_t(int, const struct sockaddr *, socklen_t);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* The errno of this call, of a socket of `type` to `port`; 0: none. */
static int take(const char *path, int type, int port)
{
    FILE *file = fopen(path, "r+e");
    int at = 0, error = 0, streams = 0, datagrams = 0, taken = 0;
    int *left = type == SOCK_STREAM ? &streams : &datagrams;

    if (file && fscanf(file, "%d %d %d %d", &at, &error, &streams, &datagrams) == 4 && at == port &&
        *left > 0) {
        taken = error;
        --*left;
        rewind(file);
        fprintf(file, "%d %d %d %d \n", at, error, streams, datagrams);
    }
    if (file) {
        fclose(file);
    }
    return taken;
}

int connect(int fd, const struct sockaddr *address, socklen_t len)
{
    /* both kinds of addresses have the port in the same place */
    int port = ntohs(((const struct sockaddr_in *)address)->sin_port);
    connect_t *next = (connect_t *)dlsym(RTLD_NEXT, "connect");
    int type = 0, error;
    socklen_t size = sizeof(type);

    if (getenv("TEST_CONNECT") &&
        (address->sa_family == AF_INET || address->sa_family == AF_INET6) &&
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0) {
        pthread_mutex_lock(&lock);
        error = take(getenv("TEST_CONNECT"), type, port);
        pthread_mutex_unlock(&lock);
        if (error) {
            errno = error;
            return -1;
        }
    }
    return next(fd, address, len);
}
