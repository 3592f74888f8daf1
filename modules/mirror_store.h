/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * mirror_store.h - a text in shared memory that is exchanged as a whole: what the manager has set of a mirror.
 *
 * There are two places for a text, and a word, the version, that says which of them holds: a writer fills the other one and
 * then moves the version on. So a reader never waits and never sees half a text, whenever a writer is killed: it takes a
 * copy and looks whether the version is still the same. Writers are kept apart by a lock that falls to the next one when
 * its owner is killed. A text may be a secret: it is never logged.
 */
#ifndef MIRROR_STORE_H
#define MIRROR_STORE_H

#include <apr.h>
#include <apr_errno.h>
#include <apr_pools.h>
#include <pthread.h>

/* The longest text, with its NUL. */
#define MIRROR_STORE_SIZE 65536

typedef pthread_mutex_t mirror_store_lock_t; /* in shared memory */

typedef struct mirror_store_place_t {
    apr_uint64_t config; /* atomic, as all here */
    apr_uint64_t size;   /* of the text, with its NUL; 0: there is none */
    apr_uint64_t words[MIRROR_STORE_SIZE / sizeof(apr_uint64_t)];
} mirror_store_place_t;

typedef struct mirror_store_t {
    mirror_store_place_t places[2]; /* by the last bit of the version */
} mirror_store_t;

typedef struct mirror_store_text_t {
    const char *text; /* NULL: there is none */
    apr_uint64_t config;  /* what was given with it */
    apr_uint64_t version; /* 0: nothing was ever written */
} mirror_store_text_t;

/* ---- startup ---- */

/* Make a lock in shared memory that is zero. Errors: pthread_mutex_init's. */
apr_status_t mirror_store_lock_init(mirror_store_lock_t *lock);

/* ---- any thread of any process; `version` is that of this store ---- */

/* What is stored, in `pool`. Never waits. */
void mirror_store_read(mirror_store_text_t *text, apr_uint64_t *version, mirror_store_t *store, apr_pool_t *pool);

/* Store `text` (NULL: none) and `config`, if the version is still `expected`. APR_EAGAIN: it is not, and nothing was
 * done. APR_ENOSPC: the text is too long. APR_TIMEUP: the lock could not be had within seconds. */
apr_status_t mirror_store_write(apr_uint64_t *version, mirror_store_t *store, mirror_store_lock_t *lock,
                                apr_uint64_t expected, apr_uint64_t config, const char *text);

#endif
