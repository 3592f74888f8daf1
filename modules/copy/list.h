/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * copy/list.h - a list of copies with its length.
 *
 * The owner of a list owns the copies in it. A list belongs to one thread, the sender.
 */
#ifndef MIRROR_COPY_LIST_H
#define MIRROR_COPY_LIST_H

#include "copy/copy.h"

/* Copies, linked by `next`. */
typedef struct mirror_list_t {
    mirror_copy_t *first; /* NULL: the list is empty */
    mirror_copy_t **end;  /* where the next copy is linked */
    int count;
} mirror_list_t;

/* ---- sender thread; mirror_list_init() also at child start, main thread ---- */

/* Make the list empty. */
void mirror_list_init(mirror_list_t *list);

/* Append `copy`. The list owns it from here. */
void mirror_list_add(mirror_list_t *list, mirror_copy_t *copy);

/* Prepend `copy`. The list owns it from here. */
void mirror_list_add_first(mirror_list_t *list, mirror_copy_t *copy);

/* Remove the copy at *place, a link of the list, and return it. */
mirror_copy_t *mirror_list_take_at(mirror_list_t *list, mirror_copy_t **place);

/* Remove the first copy and return it; the caller owns it. NULL = the list is empty. */
mirror_copy_t *mirror_list_take(mirror_list_t *list);

#endif
