/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * shared/texts.h - where the texts of a segment are: by mirror, the text of the manager and that of
 * the fleet.
 *
 * What the manager has changed survives a module with another layout of shared memory: a mirror that
 * was stopped in an emergency remains stopped. So this list does not depend on the layout of the
 * segment, and a module of another version reads it: never change these structures or their meaning
 * without MIRROR_TEXTS_LAYOUT. It is private memory of the parent, kept with the pool of the
 * segment; what it points to is shared memory, and nothing there is trusted (shared/store.h).
 */
#ifndef MIRROR_SHARED_TEXTS_H
#define MIRROR_SHARED_TEXTS_H

#include "shared/store.h"

/* Layout of these structures, and of mirror_store_t and its words. Another one discards all texts at
 * the next reload, so that mirrors that were stopped copy again. */
#define MIRROR_TEXTS_LAYOUT 1

/* The texts of one slot. The pointers point into shared memory. */
typedef struct mirror_texts_place_t {
    char name[68];        /* NUL-terminated name of its mirror */
    apr_uint64_t *config; /* of the newest load; children of another one store nothing */
    apr_uint64_t *version;
    mirror_store_t *store;
    apr_uint64_t *fleet_version;
    mirror_store_t *fleet_store;
} mirror_texts_place_t;

/* The words of mirror_fleet_words_t that say what the texts of the fleet are of: name, epoch,
 * revision, id, emptied. */
#define MIRROR_TEXTS_FLEET 5

typedef struct mirror_texts_t {
    apr_uint32_t layout[4];
    apr_uint32_t used; /* number of slots with a mirror */
    apr_pool_t *pool;  /* pool of this structure and of the shared memory */
    mirror_texts_place_t *places;
    apr_uint64_t *fleet[MIRROR_TEXTS_FLEET];
    apr_uint32_t *load; /* number of the newest load */
} mirror_texts_t;

/* All functions: parent, startup. */

/* Create the list of a segment with `slots` slots in its pool, where mirror_texts_find() finds it. */
mirror_texts_t *mirror_texts_create(apr_pool_t *pool, apr_uint32_t slots);

/* Return the list of the segment of this pool, which a module of another version may have created.
 * NULL: it has none, or one of another layout. */
mirror_texts_t *mirror_texts_find(apr_pool_t *pool);

/* Return the index of the mirror's slot; `used` if it has none. */
apr_uint32_t mirror_texts_index(const mirror_texts_t *texts, const char *name);

/* Return whether the place has a text of the manager or of the fleet. */
int mirror_texts_are_any(const mirror_texts_place_t *place);

/* Children that still use the segment are not of the newest load any more, and store no changes, which
 * would be lost. */
void mirror_texts_close(const mirror_texts_t *texts);

/* Copy what is known of the fleet that the texts are of. Without it, the poller would take them for
 * those of another fleet, and drop them. */
void mirror_texts_copy_fleet(const mirror_texts_t *texts, const mirror_texts_t *former);

/* Move the texts of a slot to another one, which has none yet. */
void mirror_texts_move(const mirror_texts_place_t *place, const mirror_texts_place_t *former);

#endif
