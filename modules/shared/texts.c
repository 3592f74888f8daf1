/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * shared/texts.c - where the texts of a segment are. See shared/texts.h.
 */
#include <string.h>

#include <apr_atomic.h>

#include "shared/texts.h"

#define KEY "mod_proxy_mirror:texts"

static void layout_of(apr_uint32_t layout[4])
{
    layout[0] = MIRROR_TEXTS_LAYOUT;
    layout[1] = sizeof(mirror_texts_t);
    layout[2] = sizeof(mirror_texts_place_t);
    layout[3] = sizeof(mirror_store_t);
}

/* The pool copies the key; the module's own is gone after the next reload. */
mirror_texts_t *mirror_texts_create(apr_pool_t *pool, apr_uint32_t slots)
{
    mirror_texts_t *texts = apr_pcalloc(pool, sizeof(*texts));

    layout_of(texts->layout);
    texts->pool = pool;
    texts->places = apr_pcalloc(pool, slots * sizeof(*texts->places));
    apr_pool_userdata_set(texts, KEY, NULL, pool);
    return texts;
}

mirror_texts_t *mirror_texts_find(apr_pool_t *pool)
{
    apr_uint32_t layout[4];
    void *found = NULL;

    layout_of(layout);
    apr_pool_userdata_get(&found, KEY, pool);
    return found && memcmp(found, layout, sizeof(layout)) == 0 ? found : NULL;
}

apr_uint32_t mirror_texts_index(const mirror_texts_t *texts, const char *name)
{
    apr_uint32_t i = 0;

    while (i < texts->used && strcmp(texts->places[i].name, name) != 0) {
        i++;
    }
    return i;
}

int mirror_texts_are_any(const mirror_texts_place_t *place)
{
    return mirror_store_has_text(apr_atomic_read64(place->version)) ||
           mirror_store_has_text(apr_atomic_read64(place->fleet_version));
}

void mirror_texts_close(const mirror_texts_t *texts)
{
    apr_uint32_t i;

    apr_atomic_set32(texts->load, 0);
    for (i = 0; i < texts->used; i++) {
        apr_atomic_set64(texts->places[i].config, 0);
    }
}

void mirror_texts_copy_fleet(const mirror_texts_t *texts, const mirror_texts_t *former)
{
    int i;

    for (i = 0; i < MIRROR_TEXTS_FLEET; i++) {
        apr_atomic_set64(texts->fleet[i], apr_atomic_read64(former->fleet[i]));
    }
}

void mirror_texts_move(const mirror_texts_place_t *place, const mirror_texts_place_t *former)
{
    mirror_store_move(place->version, place->store, former->version, former->store);
    mirror_store_move(place->fleet_version, place->fleet_store, former->fleet_version,
                      former->fleet_store);
}
