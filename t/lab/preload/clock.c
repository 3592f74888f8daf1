/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * clock.c - a wall clock that a test sets: preloaded into httpd, it moves CLOCK_REALTIME for
 * gettimeofday(2), time(2) and clock_gettime(2).
 *
 * The file $TEST_CLOCK has 8 bytes: by how many microseconds, a signed number of the machine's
 * order. All processes have it mapped, so what is written there is in force at once.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define MILLION 1000000

static const int64_t *shift;

__attribute__((constructor)) static void map(void)
{
    const char *path = getenv("TEST_CLOCK");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *at = fd >= 0 ? mmap(NULL, sizeof(*shift), PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;

    if (path && at == MAP_FAILED) {
        abort();
    }
    if (fd >= 0) {
        close(fd);
        shift = at;
    }
}

int clock_gettime(clockid_t id, struct timespec *now)
{
    int rv = (int)syscall(SYS_clock_gettime, id, now);
    int64_t by = shift ? __atomic_load_n(shift, __ATOMIC_RELAXED) : 0;

    if (rv == 0 && by && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        now->tv_sec += by / MILLION;
        now->tv_nsec += by % MILLION * 1000;
        if (now->tv_nsec < 0) {
            now->tv_sec--;
            now->tv_nsec += 1000L * MILLION;
        }
        else if (now->tv_nsec >= 1000L * MILLION) {
            now->tv_sec++;
            now->tv_nsec -= 1000L * MILLION;
        }
    }
    return rv;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec precise;
    int rv = clock_gettime(CLOCK_REALTIME, &precise);

    (void)zone;
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return rv;
}

time_t time(time_t *out)
{
    struct timespec now;

    if (clock_gettime(CLOCK_REALTIME, &now) != 0) {
        return (time_t)-1;
    }
    if (out) {
        *out = now.tv_sec;
    }
    return now.tv_sec;
}
