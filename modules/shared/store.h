/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * shared/store.h - a text in shared memory that is exchanged as a whole: what the manager has set
 * of a mirror.
 *
 * There are two places for a text, and a word, the version, that tells which of them is in force: a
 * writer fills the other one and then moves the version on. So a reader never waits and never gets
 * half a text, whenever a writer is killed: it takes a copy and then compares the version. An even
 * version has a text; an odd one has none, so that a text is dropped by one exchange of the word,
 * without the lock. Versions only grow. A text may be a secret: it is never logged.
 *
 * Any process that has the memory may write anything to it, at any time. So sizes are read once and
 * bounded, no loop goes on because a word changes, and the lock is a word that holds a process id
 * and nothing that an address is made of. The parent, which is root, neither takes the lock nor
 * parses a text.
 */
#ifndef MIRROR_SHARED_STORE_H
#define MIRROR_SHARED_STORE_H

#include <apr.h>
#include <apr_errno.h>
#include <apr_pools.h>

/* The longest text, with its NUL. */
#define MIRROR_STORE_SIZE 65536

/* Of those who write to stores, in memory that is zero at first. Atomic: a count, and the process
 * that has it or 0. */
typedef apr_uint64_t mirror_store_lock_t;

typedef struct mirror_store_place_t {
    apr_uint64_t config; /* atomic, as all here */
    apr_uint64_t size;   /* of the text, with its NUL; 0: there is none */
    apr_uint64_t words[MIRROR_STORE_SIZE / sizeof(apr_uint64_t)];
} mirror_store_place_t;

typedef struct mirror_store_t {
    mirror_store_place_t places[2]; /* by the last bit but one of the version */
} mirror_store_t;

typedef struct mirror_store_text_t {
    const char *text;     /* NULL: there is none */
    apr_uint64_t config;  /* what was given with it */
    apr_uint64_t version; /* 0: nothing was ever written */
} mirror_store_text_t;

/* ---- parent; nothing here waits, and no text is looked at ---- */

/* Drop what is stored if it was stored with another `config`. Returns 1 if it was. */
int mirror_store_drop_others(apr_uint64_t *version, mirror_store_t *store, apr_uint64_t config);

/* Move what is stored from one store to another, which is empty and which no other process has yet.
 * Whoever changes the former one afterwards gets APR_EAGAIN. Nothing is moved if its version does
 * not stand still. */
void mirror_store_move(apr_uint64_t *version, mirror_store_t *store, apr_uint64_t *former_version,
                       mirror_store_t *former);

/* The process `pid` has ended: what it held is free. */
void mirror_store_lock_release(mirror_store_lock_t *lock, apr_uint32_t pid);

/* ---- any thread of any process ---- */

/* Whether a process has this number, which may be any; 0 and what is no process id: 0. */
int mirror_store_is_alive(apr_uint32_t pid);

/* ---- the same; `version` is that of this store ---- */

/* Copy what is stored to `pool`. Never waits. If versions follow each other too fast, there is
 * none. */
void mirror_store_read(mirror_store_text_t *text, apr_uint64_t *version, mirror_store_t *store,
                       apr_pool_t *pool);

/* Drop what is stored if the version is still `expected`. Returns 1 if that was done by this call.
 * Never waits. */
int mirror_store_drop(apr_uint64_t *version, apr_uint64_t expected);

/* ---- any thread of a child ---- */

/* Store `text` (NULL: none) and `config`, if the version is still `expected`. APR_EAGAIN: it is
 * not, and nothing was done. APR_ENOSPC: the text is too long. APR_TIMEUP: the lock could not be
 * had within seconds. */
apr_status_t mirror_store_write(apr_uint64_t *version, mirror_store_t *store,
                                mirror_store_lock_t *lock, apr_uint64_t expected,
                                apr_uint64_t config, const char *text);

#endif
