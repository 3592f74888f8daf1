/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * mirror_store.c - a text in shared memory. See mirror_store.h.
 *
 * Texts are moved in atomic words, as one that is being read may be written to: then the version has moved on twice, and
 * what was read is thrown away.
 */
#include <errno.h>
#include <string.h>

#include <apr_atomic.h>

#include "mirror_clock.h"
#include "mirror_store.h"

#define WORD     sizeof(apr_uint64_t)
#define PATIENCE apr_time_from_sec(5)
#define NAP      apr_time_from_msec(1)

apr_status_t mirror_store_lock_init(mirror_store_lock_t *lock)
{
    pthread_mutexattr_t attributes;
    int rv = pthread_mutexattr_init(&attributes);

    if (rv == 0) {
        rv = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
        rv = rv ? rv : pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
        rv = rv ? rv : pthread_mutex_init(lock, &attributes);
        pthread_mutexattr_destroy(&attributes);
    }
    return rv;
}

/* Copy the text of a place, which may be written to meanwhile. */
static void copy_place(mirror_store_text_t *text, mirror_store_place_t *place, apr_pool_t *pool)
{
    apr_uint64_t size = apr_atomic_read64(&place->size);
    apr_uint64_t *words;
    apr_size_t i, n;

    size = size < MIRROR_STORE_SIZE ? size : MIRROR_STORE_SIZE;
    n = (apr_size_t)(size + WORD - 1) / WORD;
    text->config = apr_atomic_read64(&place->config);
    text->text = NULL;
    if (size > 0) {
        words = apr_palloc(pool, n * WORD);
        for (i = 0; i < n; i++) {
            words[i] = apr_atomic_read64(&place->words[i]);
        }
        ((char *)words)[size - 1] = '\0';
        text->text = (const char *)words;
    }
}

void mirror_store_read(mirror_store_text_t *text, apr_uint64_t *version, mirror_store_t *store, apr_pool_t *pool)
{
    do {
        text->version = apr_atomic_read64(version);
        if (text->version == 0) {
            text->text = NULL;
            text->config = 0;
            return;
        }
        copy_place(text, &store->places[text->version & 1], pool);
    } while (apr_atomic_read64(version) != text->version);
}

static apr_status_t lock_up(mirror_store_lock_t *lock)
{
    apr_time_t end = mirror_clock_now() + PATIENCE;
    int rv;

    /* pthread_mutex_timedlock() follows the wall clock. */
    while ((rv = pthread_mutex_trylock(lock)) == EBUSY && mirror_clock_now() < end) {
        apr_sleep(NAP);
    }
    if (rv == EOWNERDEAD) { /* what it was writing to does not hold */
        rv = pthread_mutex_consistent(lock);
    }
    return rv == EBUSY ? APR_TIMEUP : rv;
}

static void fill_place(mirror_store_place_t *place, apr_uint64_t config, const char *text)
{
    apr_size_t size = text ? strlen(text) + 1 : 0, done, part;

    apr_atomic_set64(&place->size, size);
    apr_atomic_set64(&place->config, config);
    for (done = 0; done < size; done += WORD) {
        apr_uint64_t word = 0;

        part = size - done < WORD ? size - done : WORD;
        memcpy(&word, text + done, part);
        apr_atomic_set64(&place->words[done / WORD], word);
    }
}

apr_status_t mirror_store_write(apr_uint64_t *version, mirror_store_t *store, mirror_store_lock_t *lock,
                                apr_uint64_t expected, apr_uint64_t config, const char *text)
{
    apr_status_t rv;

    if (text && strlen(text) >= MIRROR_STORE_SIZE) {
        return APR_ENOSPC;
    }
    rv = lock_up(lock);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (apr_atomic_read64(version) != expected) {
        rv = APR_EAGAIN;
    }
    else {
        fill_place(&store->places[(expected + 1) & 1], config, text);
        apr_atomic_set64(version, expected + 1);
    }
    pthread_mutex_unlock(lock);
    return rv;
}
