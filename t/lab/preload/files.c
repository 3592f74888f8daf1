/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * files.c - how a large file is read, for tests: preloaded into httpd, each call that reads or maps
 * a regular file of $TEST_FILES_SIZE bytes is a line of the file $TEST_FILES: its name.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

static void note(int fd, const char *call)
{
    const char *size = getenv("TEST_FILES_SIZE");
    struct stat info;
    char text[32];
    int log;

    if (!size || fd < 0 || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        return;
    }
    snprintf(text, sizeof(text), "%lld", (long long)info.st_size);
    if (strcmp(text, size) != 0) {
        return;
    }
    log = open(getenv("TEST_FILES"), O_WRONLY | O_APPEND | O_CLOEXEC);
    if (log < 0 || write(log, call, strlen(call)) < 0) {
        abort();
    }
    close(log);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t read(int fd, void *data, size_t len)
{
    note(fd, "read\n");
    return NEXT(read)(fd, data, len);
}

ssize_t pread(int fd, void *data, size_t len, off_t offset)
{
    note(fd, "pread\n");
    return NEXT(pread)(fd, data, len, offset);
}

ssize_t pread64(int fd, void *data, size_t len, off64_t offset)
{
    note(fd, "pread\n");
    return NEXT(pread64)(fd, data, len, offset);
}

void *mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
    note(fd, "mmap\n");
    return NEXT(mmap)(at, len, protection, flags, fd, offset);
}

void *mmap64(void *at, size_t len, int protection, int flags, int fd, off64_t offset)
{
    note(fd, "mmap\n");
    return NEXT(mmap64)(at, len, protection, flags, fd, offset);
}

ssize_t sendfile(int to, int fd, off_t *offset, size_t len)
{
    note(fd, "sendfile\n");
    return NEXT(sendfile)(to, fd, offset, len);
}

ssize_t sendfile64(int to, int fd, off64_t *offset, size_t len)
{
    note(fd, "sendfile\n");
    return NEXT(sendfile64)(to, fd, offset, len);
}
