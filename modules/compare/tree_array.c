/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/tree_array.c - which element of one array is compared with which of the other. See
 * compare/tree_state.h.
 *
 * Nothing is aligned at more than the cost of sorting: a longest common subsequence would be
 * quadratic in what a mirror sends.
 */
#include <stdlib.h>
#include <string.h>

#include "compare/tree_state.h"

typedef struct list_t {
    mirror_tree_entry_t *entries;
    unsigned count;
} list_t;

/* List the elements of an array in their order. Returns 0 if there is no memory. */
static int list_elements(list_t *list, mirror_tree_run_t *run, int side, const mirror_node_t *array)
{
    mirror_tree_context_t *context = run->context;
    const mirror_node_t *nodes = context->texts[side].nodes;
    apr_uint32_t i;

    if (!mirror_tree_grow((void **)&context->entries[side], &context->entries_room[side],
                          array->count, sizeof(*list->entries))) {
        run->out_of_memory = 1;
        return 0;
    }
    list->entries = context->entries[side];
    list->count = 0;
    for (i = array->first; i != MIRROR_NODE_NONE; i = nodes[i].next) {
        list->entries[list->count].hash = nodes[i].hash;
        list->entries[list->count].node = &nodes[i];
        list->entries[list->count].index = list->count;
        list->count++;
    }
    return 1;
}

static void push_if_different(mirror_tree_run_t *run, const mirror_tree_entry_t *a,
                              const mirror_tree_entry_t *b)
{
    if (mirror_tree_descend_differ(a->node, b->node)) {
        mirror_tree_descend_push(run, a->node, b->node, a->index, 0);
    }
}

static void pair_in_order(mirror_tree_run_t *run, const list_t *a, const list_t *b)
{
    unsigned i;

    if (a->count != b->count) {
        mirror_tree_descend_add(run, MIRROR_KIND_LENGTH);
        return;
    }
    for (i = 0; i < a->count; i++) {
        push_if_different(run, &a->entries[i], &b->entries[i]);
    }
}

static int by_hash(const void *x, const void *y)
{
    const mirror_tree_entry_t *a = x, *b = y;

    return a->hash != b->hash ? (a->hash < b->hash ? -1 : 1)
                              : (a->index > b->index) - (a->index < b->index);
}

static int by_index(const void *x, const void *y)
{
    const mirror_tree_entry_t *a = x, *b = y;

    return (a->index > b->index) - (a->index < b->index);
}

static void sort(list_t *list, int (*order)(const void *, const void *))
{
    qsort(list->entries, list->count, sizeof(*list->entries), order);
}

/* ---- in order ---- */

/* Take equal elements off both ends; the rest is paired. */
static void pair_ordered(mirror_tree_run_t *run, list_t *a, list_t *b)
{
    while (a->count > 0 && b->count > 0 && a->entries[0].hash == b->entries[0].hash) {
        push_if_different(run, a->entries++, b->entries++);
        a->count--;
        b->count--;
    }
    while (a->count > 0 && b->count > 0 &&
           a->entries[a->count - 1].hash == b->entries[b->count - 1].hash) {
        push_if_different(run, &a->entries[--a->count], &b->entries[--b->count]);
    }
    pair_in_order(run, a, b);
}

/* ---- in any order ---- */

/* Take equal elements out of both, wherever they are; the rest is paired in order. */
static void pair_unordered(mirror_tree_run_t *run, list_t *a, list_t *b)
{
    unsigned i = 0, j = 0, a_rest = 0, b_rest = 0;

    sort(a, by_hash);
    sort(b, by_hash);
    while (i < a->count || j < b->count) {
        int order = i == a->count   ? 1
                    : j == b->count ? -1
                                    : (a->entries[i].hash > b->entries[j].hash) -
                                          (a->entries[i].hash < b->entries[j].hash);

        if (order == 0) {
            push_if_different(run, &a->entries[i++], &b->entries[j++]);
        }
        else if (order < 0) {
            a->entries[a_rest++] = a->entries[i++];
        }
        else {
            b->entries[b_rest++] = b->entries[j++];
        }
    }
    a->count = a_rest;
    b->count = b_rest;
    sort(a, by_index);
    sort(b, by_index);
    pair_in_order(run, a, b);
}

/* ---- by a member ---- */

/* Replace the hashes by those of the member that is the key; elements without it have 0. */
static void take_keys(mirror_tree_run_t *run, int side, list_t *list, const char *name,
                      apr_size_t len)
{
    const mirror_node_t *nodes = run->context->texts[side].nodes;
    apr_uint64_t hash = mirror_tree_hash_bytes(run->context, MIRROR_HASH_NAME, name, len);
    apr_uint32_t i;
    unsigned k;

    for (k = 0; k < list->count; k++) {
        const mirror_node_t *element = list->entries[k].node;

        list->entries[k].hash = 0;
        i = element->kind == MIRROR_NODE_OBJECT ? element->first : MIRROR_NODE_NONE;
        for (; i != MIRROR_NODE_NONE && nodes[i].name_hash <= hash; i = nodes[i].next) {
            if (nodes[i].name_hash == hash) {
                list->entries[k].hash = nodes[i].hash;
                break;
            }
        }
    }
}

/* Pair the elements with equal keys. partners[index in a]: 1 + the index in b, 0 without one. */
static void pair_keys(mirror_tree_run_t *run, const list_t *a, const list_t *b,
                      apr_uint64_t *partners)
{
    unsigned i = 0, j = 0;

    while (i < a->count || j < b->count) {
        const mirror_tree_entry_t *x = &a->entries[i], *y = &b->entries[j];
        int order = i == a->count   ? 1
                    : j == b->count ? -1
                                    : (x->hash > y->hash) - (x->hash < y->hash);

        if (order == 0) {
            partners[x->index] = 1 + (apr_uint64_t)y->index;
            push_if_different(run, x, y);
        }
        else {
            mirror_tree_descend_push(run, order < 0 ? x->node : NULL, order < 0 ? NULL : y->node,
                                     order < 0 ? x->index : y->index, 0);
        }
        i += order <= 0;
        j += order >= 0;
    }
}

static int is_in_order(const apr_uint64_t *partners, unsigned count)
{
    apr_uint64_t last = 0;
    unsigned i;

    for (i = 0; i < count; i++) {
        if (partners[i] != 0 && partners[i] < last) {
            return 0;
        }
        last = partners[i] ? partners[i] : last;
    }
    return 1;
}

static void pair_by_key(mirror_tree_run_t *run, list_t *a, list_t *b,
                        const mirror_compare_rule_t *rule)
{
    mirror_tree_context_t *context = run->context;
    apr_size_t len;
    const char *name = mirror_compare_rule_key(&len, rule);

    if (!mirror_tree_grow((void **)&context->words, &context->words_room, a->count,
                          sizeof(*context->words))) {
        run->out_of_memory = 1;
        return;
    }
    memset(context->words, 0, a->count * sizeof(*context->words));
    take_keys(run, 0, a, name, len);
    take_keys(run, 1, b, name, len);
    sort(a, by_hash);
    sort(b, by_hash);
    pair_keys(run, a, b, context->words);
    if (!is_in_order(context->words, a->count)) {
        mirror_tree_descend_forgive(run, MIRROR_KIND_ORDER, rule);
    }
    mirror_rows_hit(run->rows, rule);
}

void mirror_tree_array(mirror_tree_run_t *run, const mirror_node_t *a, const mirror_node_t *b)
{
    const mirror_compare_rule_t *key = mirror_tree_descend_rule(run, MIRROR_RULE_KEY, NULL);
    const mirror_compare_rule_t *by_rule =
        key ? key : mirror_tree_descend_rule(run, MIRROR_RULE_UNORDERED, NULL);
    list_t of_a, of_b;

    if (a->hash != b->hash && a->sum == b->sum && a->count == b->count) {
        if (by_rule) {
            mirror_tree_descend_forgive(run, MIRROR_KIND_ORDER, by_rule);
        }
        else {
            mirror_tree_descend_add(run, MIRROR_KIND_ORDER);
        }
        return;
    }
    if (!list_elements(&of_a, run, 0, a) || !list_elements(&of_b, run, 1, b)) {
        return;
    }
    if (key) {
        pair_by_key(run, &of_a, &of_b, key);
    }
    else if (by_rule || run->options->unordered) {
        if (by_rule) {
            mirror_rows_hit(run->rows, by_rule);
        }
        pair_unordered(run, &of_a, &of_b);
    }
    else {
        pair_ordered(run, &of_a, &of_b);
    }
}
