/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * shared/store.c - a text in shared memory. See shared/store.h.
 *
 * Texts are copied in atomic words, because a writer may change the text during a read. In that
 * case the version has changed, and the reader discards its copy.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <apr_atomic.h>

#include "shared/store.h"

#define WORD        sizeof(apr_uint64_t)
#define NAP         1000 /* microseconds */
#define WAIT        apr_time_from_sec(5)
#define SHORT       (10 * NAP)
#define ATTEMPTS    1000 /* maximum attempts of a reader */
#define FEW         10   /* maximum attempts of the parent */
#define LOWER(word) ((apr_uint32_t)(word))
#define UPPER(word) ((apr_uint32_t)((word) >> 32))

/* ---- versions ---- */

static mirror_store_place_t *place_of(mirror_store_t *store, apr_uint64_t version)
{
    return &store->places[version >> 1 & 1];
}

/* Return the next version with a text, in the other buffer if one is in force. 0: versions are
 * exhausted. */
static apr_uint64_t after(apr_uint64_t version)
{
    return (version | 1) + 1;
}

/* Return the next version without a text; never 0. */
static apr_uint64_t dropped(apr_uint64_t version)
{
    return version & 1 ? version + 2 : version | 1;
}

/* Return a later version with the same text in the same buffer, or none either. */
static apr_uint64_t moved(apr_uint64_t version)
{
    return mirror_store_has_text(version) ? version + 4 : dropped(version);
}

int mirror_store_drop(apr_uint64_t *version, apr_uint64_t expected)
{
    return apr_atomic_cas64(version, dropped(expected), expected) == expected;
}

/* ---- places ---- */

/* Return the size in bytes of the text in the buffer, with its NUL. */
static apr_size_t size_of(mirror_store_place_t *place)
{
    apr_uint64_t size = apr_atomic_read64(&place->size);

    return size < MIRROR_STORE_SIZE ? (apr_size_t)size : MIRROR_STORE_SIZE;
}

/* The destination of a copied text. */
typedef struct buffer_t {
    apr_uint64_t *words;
    apr_size_t capacity; /* in words */
    apr_pool_t *pool;
} buffer_t;

/* Copy the text of a buffer. A writer may change it at the same time. */
static void copy_place(mirror_store_text_t *text, mirror_store_place_t *place, buffer_t *buffer)
{
    apr_size_t size = size_of(place);
    apr_size_t i, n = (size + WORD - 1) / WORD;

    text->config = apr_atomic_read64(&place->config);
    if (size == 0) {
        return;
    }
    if (n > buffer->capacity) { /* at least double, so repeated attempts allocate little */
        buffer->capacity = n > 2 * buffer->capacity ? n : 2 * buffer->capacity;
        buffer->words = apr_palloc(buffer->pool, buffer->capacity * WORD);
    }
    for (i = 0; i < n; i++) {
        buffer->words[i] = apr_atomic_read64(&place->words[i]);
    }
    ((char *)buffer->words)[size - 1] = '\0';
    text->text = (const char *)buffer->words;
}

static void fill_place(mirror_store_place_t *place, apr_uint64_t config, const char *text)
{
    apr_size_t size = strlen(text) + 1, done, part;

    apr_atomic_set64(&place->size, size);
    apr_atomic_set64(&place->config, config);
    for (done = 0; done < size; done += WORD) {
        apr_uint64_t word = 0;

        part = size - done < WORD ? size - done : WORD;
        memcpy(&word, text + done, part);
        apr_atomic_set64(&place->words[done / WORD], word);
    }
}

void mirror_store_read(mirror_store_text_t *text, apr_uint64_t *version, mirror_store_t *store,
                       apr_pool_t *pool)
{
    buffer_t buffer = { NULL, 0, pool };
    int attempt;

    for (attempt = 0; attempt < ATTEMPTS; attempt++) {
        text->text = NULL;
        text->config = 0;
        text->version = apr_atomic_read64(version);
        if (mirror_store_has_text(text->version)) {
            copy_place(text, place_of(store, text->version), &buffer);
        }
        if (apr_atomic_read64(version) == text->version) {
            return;
        }
    }
    text->text = NULL;
}

/* ---- parent ---- */

int mirror_store_drop_others(apr_uint64_t *version, mirror_store_t *store, apr_uint64_t config)
{
    int attempt;

    for (attempt = 0; attempt < FEW; attempt++) {
        apr_uint64_t seen = apr_atomic_read64(version);
        mirror_store_place_t *place = place_of(store, seen);

        if (!mirror_store_has_text(seen) || apr_atomic_read64(&place->config) == config) {
            return 0;
        }
        if (mirror_store_drop(version, seen)) {
            return 1;
        }
    }
    return 0;
}

static void copy_words(mirror_store_place_t *to, mirror_store_place_t *from)
{
    apr_size_t size = size_of(from), i;

    apr_atomic_set64(&to->size, size);
    apr_atomic_set64(&to->config, apr_atomic_read64(&from->config));
    for (i = 0; i * WORD < size; i++) {
        apr_atomic_set64(&to->words[i], apr_atomic_read64(&from->words[i]));
    }
}

void mirror_store_move(apr_uint64_t *version, mirror_store_t *store, apr_uint64_t *former_version,
                       mirror_store_t *former)
{
    int attempt;

    for (attempt = 0; attempt < FEW; attempt++) {
        apr_uint64_t seen = apr_atomic_read64(former_version);

        if (mirror_store_has_text(seen)) {
            copy_words(place_of(store, after(0)), place_of(former, seen));
        }
        if (apr_atomic_cas64(former_version, moved(seen), seen) == seen) {
            apr_atomic_set64(version, mirror_store_has_text(seen) ? after(0) : 0);
            return;
        }
    }
}

/* ---- the lock ---- */

/* EPERM: the process exists, as another user. */
int mirror_store_is_alive(apr_uint32_t pid)
{
    return pid > 0 && pid <= 0x7fffffff && (kill((pid_t)pid, 0) == 0 || errno != ESRCH);
}

apr_status_t mirror_store_lock_take(apr_uint64_t *mine, mirror_store_lock_t *lock,
                                    apr_interval_time_t wait)
{
    apr_interval_time_t waited;

    for (waited = 0; waited < wait; waited += NAP) {
        apr_uint64_t seen = apr_atomic_read64(lock);

        if (!mirror_store_is_alive(LOWER(seen))) {
            *mine = (apr_uint64_t)(UPPER(seen) + 1) << 32 | (apr_uint32_t)getpid();
            if (apr_atomic_cas64(lock, *mine, seen) == seen) {
                return APR_SUCCESS;
            }
        }
        apr_sleep(NAP);
    }
    return APR_TIMEUP;
}

void mirror_store_lock_give(mirror_store_lock_t *lock, apr_uint64_t mine)
{
    apr_atomic_cas64(lock, (apr_uint64_t)UPPER(mine) << 32, mine);
}

void mirror_store_lock_release(mirror_store_lock_t *lock, apr_uint32_t pid)
{
    apr_uint64_t seen = apr_atomic_read64(lock);

    if (LOWER(seen) == pid) {
        mirror_store_lock_give(lock, seen);
    }
}

/* ---- writing ---- */

static apr_status_t write_within(apr_interval_time_t wait, apr_uint64_t *version,
                                 mirror_store_t *store, mirror_store_lock_t *lock,
                                 apr_uint64_t expected, apr_uint64_t config, const char *text)
{
    apr_uint64_t mine, next = after(expected);
    apr_status_t rv;

    if (!text) {
        return mirror_store_drop(version, expected) ? APR_SUCCESS : APR_EAGAIN;
    }
    if (strlen(text) >= MIRROR_STORE_SIZE) {
        return APR_ENOSPC;
    }
    rv = mirror_store_lock_take(&mine, lock, wait);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (next == 0 || apr_atomic_read64(version) != expected) {
        rv = APR_EAGAIN;
    }
    else {
        fill_place(place_of(store, next), config, text);
        /* a concurrent call dropped the text */
        if (apr_atomic_cas64(version, next, expected) != expected) {
            rv = APR_EAGAIN;
        }
    }
    mirror_store_lock_give(lock, mine);
    return rv;
}

apr_status_t mirror_store_write(apr_uint64_t *version, mirror_store_t *store,
                                mirror_store_lock_t *lock, apr_uint64_t expected,
                                apr_uint64_t config, const char *text)
{
    return write_within(WAIT, version, store, lock, expected, config, text);
}

apr_status_t mirror_store_try_write(apr_uint64_t *version, mirror_store_t *store,
                                    mirror_store_lock_t *lock, apr_uint64_t expected,
                                    apr_uint64_t config, const char *text)
{
    return write_within(SHORT, version, store, lock, expected, config, text);
}
