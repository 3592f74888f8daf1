/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * names.c - a name server in a file, for tests: preloaded into httpd, it responds for
 * getaddrinfo(3).
 *
 * The file $TEST_NAMES has a line for each name: the name, and its addresses in order; "?" instead
 * of them is a name server that does not respond while the file says so; "!" a process
 * that has no memory for it. No address: there is no such name. What is not in the file is for the
 * system. Each looked-up name is a line of the file $TEST_NAMES.queried.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_SIZE (1 << 20)

typedef int resolver_t(const char *, const char *, const struct addrinfo *, struct addrinfo **);

/* The addresses of a name into `line`; 0: it is not in the file. */
static int find(char *line, int size, const char *name)
{
    size_t len = strlen(name);
    FILE *file = fopen(getenv("TEST_NAMES"), "re");
    int found = 0;

    while (file && !found && fgets(line, size, file)) {
        found = !strncmp(line, name, len) && line[len] == ' ';
    }
    if (file) {
        fclose(file);
    }
    if (found) {
        memmove(line, line + len, strlen(line + len) + 1);
    }
    return found;
}

static void note(const char *name)
{
    char path[4096], text[512];
    int fd, len;

    snprintf(path, sizeof(path), "%s.queried", getenv("TEST_NAMES"));
    len = snprintf(text, sizeof(text), "%s\n", name);
    fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0 || write(fd, text, (size_t)len) != len) {
        abort();
    }
    close(fd);
}

/* What the file says of the name, in `line`. */
static int respond(char *line, const char *name, const char *service, const struct addrinfo *hints,
                   struct addrinfo **result)
{
    resolver_t *next = (resolver_t *)dlsym(RTLD_NEXT, "getaddrinfo");
    struct addrinfo **end = result;
    char *word;

    note(name);
    while (strchr(line, '?')) {
        poll(NULL, 0, 5);
        if (!find(line, LINE_MAX_SIZE, name)) {
            return EAI_AGAIN;
        }
    }
    if (strchr(line, '!')) {
        return EAI_MEMORY;
    }
    *result = NULL;
    for (word = line + strspn(line, " \n"); *word; word += strlen(word) + 1) {
        word[strcspn(word, " \n")] = '\0';
        if (next(word, service, hints, end) == 0) {
            for (; *end; end = &(*end)->ai_next) {
            }
        }
    }
    return *result ? 0 : EAI_NONAME;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
    resolver_t *next = (resolver_t *)dlsym(RTLD_NEXT, "getaddrinfo");
    char *line = name && getenv("TEST_NAMES") ? malloc(LINE_MAX_SIZE) : NULL;
    int rv = line && find(line, LINE_MAX_SIZE, name) ? respond(line, name, service, hints, result)
                                                     : next(name, service, hints, result);

    free(line);
    return rv;
}
