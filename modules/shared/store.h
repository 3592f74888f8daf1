/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * shared/store.h - the manager's override of a mirror as a text in shared memory, replaced as a
 * whole.
 *
 * A store has two buffers and a word, the version, that selects the current buffer. A writer fills
 * the other buffer and then increments the version. A reader copies the text and then compares the
 * version. So a reader never waits and never returns a partial text, even if a writer is killed. An
 * even version has a text; an odd one has none, so one exchange of the word drops a text without
 * the lock. Versions only grow. A text may contain a secret and is never logged.
 *
 * Any process that maps the memory may write anything to it at any time. So sizes are read once and
 * bounded, and no loop depends on a changing word. The lock is a word with a process id, from which
 * no address is derived. The parent, which is root, neither takes the lock nor parses a text.
 */
#ifndef MIRROR_SHARED_STORE_H
#define MIRROR_SHARED_STORE_H

#include <apr.h>
#include <apr_errno.h>
#include <apr_pools.h>
#include <apr_time.h>

/* The maximum size of a text, with its NUL, in bytes. */
#define MIRROR_STORE_SIZE 65536

/* The lock of writers, in memory that is initially zero. Atomic: a count, and the process id of the
 * owner or 0. */
typedef apr_uint64_t mirror_store_lock_t;

typedef struct mirror_store_place_t {
    apr_uint64_t config; /* atomic, like all members */
    apr_uint64_t size;   /* size of the text with its NUL, bytes; 0 = no text */
    apr_uint64_t words[MIRROR_STORE_SIZE / sizeof(apr_uint64_t)];
} mirror_store_place_t;

typedef struct mirror_store_t {
    mirror_store_place_t places[2]; /* the second lowest bit of the version is the index */
} mirror_store_t;

typedef struct mirror_store_text_t {
    const char *text;     /* NULL = no text */
    apr_uint64_t config;  /* `config` stored with the text */
    apr_uint64_t version; /* 0 = never written */
} mirror_store_text_t;

/* Return whether a store with this version has a text. Any thread. */
static inline int mirror_store_has_text(apr_uint64_t version)
{
    return version != 0 && (version & 1) == 0;
}

/* ---- parent; these functions do not wait and do not parse a text ---- */

/* Drop the stored text if it was stored with another `config`. Returns 1 if it was. */
int mirror_store_drop_others(apr_uint64_t *version, mirror_store_t *store, apr_uint64_t config);

/* Move the stored text to another store, which is empty and not yet visible to other processes.
 * The former store keeps it for the children that still read it; writes that expect its version from
 * before return APR_EAGAIN. If the former version keeps changing, nothing is moved. */
void mirror_store_move(apr_uint64_t *version, mirror_store_t *store, apr_uint64_t *former_version,
                       mirror_store_t *former);

/* Release the lock if the ended process `pid` owns it. */
void mirror_store_lock_release(mirror_store_lock_t *lock, apr_uint32_t pid);

/* ---- any thread of any process ---- */

/* Return whether a process with this id exists. `pid` may be any number; the result is 0 for 0 and
 * for invalid ids. */
int mirror_store_is_alive(apr_uint32_t pid);

/* ---- any thread of any process; `version`: the version of this store ---- */

/* Copy the stored text to `pool`. Never waits. If the version changes too fast, the result has no
 * text. */
void mirror_store_read(mirror_store_text_t *text, apr_uint64_t *version, mirror_store_t *store,
                       apr_pool_t *pool);

/* Drop the stored text if the version is still `expected`. Returns 1 if this call dropped it. Never
 * waits. */
int mirror_store_drop(apr_uint64_t *version, apr_uint64_t expected);

/* ---- any thread of a child ---- */

/* Take the lock, also from another thread of this process; *mine is for giving it back. Waits at
 * most about `wait`. APR_TIMEUP: another process or thread has it. */
apr_status_t mirror_store_lock_take(apr_uint64_t *mine, mirror_store_lock_t *lock,
                                    apr_interval_time_t wait);

/* Give the lock back; nothing happens if it is another's by now. */
void mirror_store_lock_give(mirror_store_lock_t *lock, apr_uint64_t mine);

/* As mirror_store_write(), for a text that no client waits for: waits at most about 10 ms for the
 * lock. */
apr_status_t mirror_store_try_write(apr_uint64_t *version, mirror_store_t *store,
                                    mirror_store_lock_t *lock, apr_uint64_t expected,
                                    apr_uint64_t config, const char *text);

/* Store `text` (NULL = none) and `config` if the version is still `expected`. Errors: APR_EAGAIN if
 * it is not; APR_ENOSPC if the text is too long; APR_TIMEUP if the lock was not available within
 * seconds. On error nothing is stored. */
apr_status_t mirror_store_write(apr_uint64_t *version, mirror_store_t *store,
                                mirror_store_lock_t *lock, apr_uint64_t expected,
                                apr_uint64_t config, const char *text);

#endif
