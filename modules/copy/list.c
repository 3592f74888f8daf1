/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * copy/list.c - a list of copies with its length. See copy/list.h.
 */
#include "copy/list.h"

void mirror_list_init(mirror_list_t *list)
{
    list->first = NULL;
    list->end = &list->first;
    list->count = 0;
}

static void insert(mirror_list_t *list, mirror_copy_t **place, mirror_copy_t *copy)
{
    copy->next = *place;
    *place = copy;
    if (!copy->next) {
        list->end = &copy->next;
    }
    list->count++;
}

void mirror_list_add(mirror_list_t *list, mirror_copy_t *copy)
{
    insert(list, list->end, copy);
}

void mirror_list_add_first(mirror_list_t *list, mirror_copy_t *copy)
{
    insert(list, &list->first, copy);
}

mirror_copy_t *mirror_list_take_at(mirror_list_t *list, mirror_copy_t **place)
{
    mirror_copy_t *copy = *place;

    *place = copy->next;
    if (!*place) {
        list->end = place;
    }
    copy->next = NULL;
    list->count--;
    return copy;
}

mirror_copy_t *mirror_list_take(mirror_list_t *list)
{
    return list->first ? mirror_list_take_at(list, &list->first) : NULL;
}
