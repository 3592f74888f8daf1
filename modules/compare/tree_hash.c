/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/tree_hash.c - hashes of JSON values, SipHash-2-4. See compare/tree_state.h.
 *
 * Each kind of thing is hashed with a key of its own, so a string never equals a number that is
 * written alike. A container's hash is that of its children's hashes; what it takes is linear in
 * the bytes of the text, but for the sorting of members.
 */
#include <stdlib.h>
#include <string.h>

#include <apr_siphash.h>

#include "compare/tree_state.h"

void mirror_tree_hash_seed(mirror_tree_context_t *context, const unsigned char seed[16])
{
    unsigned char what[2];
    int i, half;

    for (i = 0; i < MIRROR_HASH_COUNT; i++) {
        for (half = 0; half < 2; half++) {
            what[0] = (unsigned char)i;
            what[1] = (unsigned char)half;
            apr_siphash24_auth(context->keys[i] + 8 * half, what, sizeof(what), seed);
        }
    }
}

apr_uint64_t mirror_tree_hash_bytes(const mirror_tree_context_t *context, mirror_hash_e what,
                                    const void *bytes, apr_size_t len)
{
    return apr_siphash24(bytes, len, context->keys[what]);
}

static apr_uint64_t hash_number(const mirror_tree_context_t *context, const mirror_node_t *node)
{
    unsigned char form[MIRROR_NUMBER_MAX];
    apr_size_t len = mirror_tree_number_form(form, node->value, node->value_len);

    return len ? mirror_tree_hash_bytes(context, MIRROR_HASH_NUMBER, form, len)
               : mirror_tree_hash_bytes(context, MIRROR_HASH_NUMBER_TEXT, node->value,
                                        node->value_len);
}

void mirror_tree_hash_scalar(const mirror_tree_context_t *context, mirror_node_t *node)
{
    mirror_hash_e what = node->kind == MIRROR_NODE_NULL   ? MIRROR_HASH_NULL
                         : node->kind == MIRROR_NODE_BOOL ? MIRROR_HASH_BOOL
                         : node->is_text                  ? MIRROR_HASH_STRING_TEXT
                                                          : MIRROR_HASH_STRING;

    node->hash = node->kind == MIRROR_NODE_NUMBER
                     ? hash_number(context, node)
                     : mirror_tree_hash_bytes(context, what, node->value, node->value_len);
}

/* What a child adds to the repeats of its container; `place` distinguishes children. */
static apr_uint64_t repeats_of(const mirror_tree_context_t *context, const mirror_node_t *child,
                               apr_uint64_t place)
{
    apr_uint64_t words[3];

    if (!child->repeats && !child->is_repeated) {
        return 0;
    }
    words[0] = place;
    words[1] = child->repeats;
    words[2] = child->is_repeated;
    return mirror_tree_hash_bytes(context, MIRROR_HASH_REPEATS, words, sizeof(words));
}

int mirror_tree_hash_array(mirror_tree_context_t *context, mirror_tree_text_t *text,
                           mirror_node_t *node, int unordered)
{
    apr_size_t n = 0;
    apr_uint32_t i;

    if (!mirror_tree_grow((void **)&context->words, &context->words_room, 2 + node->count,
                          sizeof(*context->words))) {
        return 0;
    }
    for (i = node->first; i != MIRROR_NODE_NONE; i = text->nodes[i].next) {
        context->words[n++] = text->nodes[i].hash;
        node->sum += text->nodes[i].hash;
        node->repeats += repeats_of(context, &text->nodes[i], text->nodes[i].hash);
    }
    if (unordered) {
        context->words[0] = node->sum;
        context->words[1] = node->count;
        n = 2;
    }
    node->hash = mirror_tree_hash_bytes(context, MIRROR_HASH_ARRAY, context->words,
                                        n * sizeof(*context->words));
    return 1;
}

int mirror_tree_hash_order(const mirror_node_t *a, const mirror_node_t *b)
{
    if (a->name_hash != b->name_hash) {
        return a->name_hash < b->name_hash ? -1 : 1;
    }
    if (a->name_len != b->name_len || a->name_is_text != b->name_is_text) {
        return a->name_len != b->name_len ? (a->name_len < b->name_len ? -1 : 1)
                                          : a->name_is_text - b->name_is_text;
    }
    return a->name_len ? memcmp(a->name, b->name, a->name_len) : 0;
}

/* By name; of one name in the order of the text. */
static int by_name(const void *x, const void *y)
{
    const mirror_tree_entry_t *a = x, *b = y;
    int order = mirror_tree_hash_order(a->node, b->node);

    return order ? order : (a->node > b->node) - (a->node < b->node);
}

/* Link the sorted members anew, of each name the last. */
static void link_members(mirror_tree_text_t *text, mirror_node_t *node,
                         const mirror_tree_entry_t *entries, apr_size_t n)
{
    apr_uint32_t *link = &node->first;
    unsigned char is_repeated = 0;
    apr_size_t i;

    node->count = 0;
    for (i = 0; i < n; i++) {
        apr_uint32_t index = (apr_uint32_t)(entries[i].node - text->nodes);

        if (i + 1 < n && !mirror_tree_hash_order(entries[i].node, entries[i + 1].node)) {
            is_repeated = 1;
            continue;
        }
        text->nodes[index].is_repeated = is_repeated;
        is_repeated = 0;
        *link = index;
        link = &text->nodes[index].next;
        node->count++;
    }
    *link = MIRROR_NODE_NONE;
}

int mirror_tree_hash_object(mirror_tree_context_t *context, mirror_tree_text_t *text,
                            mirror_node_t *node)
{
    apr_size_t n = 0;
    apr_uint32_t i;

    if (!mirror_tree_grow((void **)&context->words, &context->words_room,
                          2 * (apr_size_t)node->count, sizeof(*context->words)) ||
        !mirror_tree_grow((void **)&context->entries[0], &context->entries_room[0], node->count,
                          sizeof(*context->entries[0]))) {
        return 0;
    }
    for (i = node->first; i != MIRROR_NODE_NONE; i = text->nodes[i].next) {
        context->entries[0][n++].node = &text->nodes[i];
    }
    qsort(context->entries[0], n, sizeof(*context->entries[0]), by_name);
    link_members(text, node, context->entries[0], n);
    n = 0;
    for (i = node->first; i != MIRROR_NODE_NONE; i = text->nodes[i].next) {
        context->words[n++] = text->nodes[i].name_hash;
        context->words[n++] = text->nodes[i].hash;
        node->repeats += repeats_of(context, &text->nodes[i], text->nodes[i].name_hash);
    }
    node->hash = mirror_tree_hash_bytes(context, MIRROR_HASH_OBJECT, context->words,
                                        n * sizeof(*context->words));
    return 1;
}
