/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/tree.c - contexts, and the way of one comparison. See compare/tree.h.
 */
#include <stdlib.h>
#include <string.h>

#include "compare/tree_state.h"

/* ---- memory ---- */

int mirror_tree_grow(void **list, unsigned *room, apr_size_t needed, apr_size_t size)
{
    const apr_size_t least = 64;
    apr_size_t more = needed > 2 * (apr_size_t)*room ? needed : 2 * (apr_size_t)*room;
    void *grown;

    if (*list && needed <= *room) {
        return 1;
    }
    more = more > least ? more : least;
    grown = realloc(*list, more * size);
    if (!grown) {
        return 0;
    }
    *list = grown;
    *room = (unsigned)more;
    return 1;
}

mirror_tree_context_t *mirror_tree_context_create(const unsigned char seed[16])
{
    mirror_tree_context_t *context = calloc(1, sizeof(*context));

    if (context) {
        mirror_tree_hash_seed(context, seed);
    }
    return context;
}

void mirror_tree_context_destroy(mirror_tree_context_t *context)
{
    mirror_tree_context_trim(context);
    free(context);
}

void mirror_tree_context_trim(mirror_tree_context_t *context)
{
    int side;

    for (side = 0; side < 2; side++) {
        free(context->texts[side].nodes);
        free(context->texts[side].decoded);
        memset(&context->texts[side], 0, sizeof(context->texts[side]));
        free(context->marks[side].list);
        memset(&context->marks[side], 0, sizeof(context->marks[side]));
        free(context->entries[side]);
        context->entries[side] = NULL;
        context->entries_room[side] = 0;
    }
    free(context->words);
    context->words = NULL;
    context->words_room = 0;
    free(context->items);
    context->items = NULL;
    context->item_count = context->item_room = 0;
}

/* ---- one comparison ---- */

static mirror_tree_e read_side(mirror_tree_context_t *context, int side,
                               const mirror_tree_options_t *options, const char *text,
                               apr_size_t len)
{
    context->texts[side].text = text;
    context->texts[side].len = len;
    return mirror_tree_read(&context->texts[side], context, options->unordered);
}

/* What was read of both: the worst, whichever side has it. */
static mirror_tree_e worst(mirror_tree_e a, mirror_tree_e b)
{
    return a > b ? a : b;
}

static void compare_roots(mirror_tree_run_t *run, int *same, mirror_tree_e a, mirror_tree_e b)
{
    if (a != b) {
        const mirror_compare_rule_t *rule =
            mirror_tree_descend_rule(run, MIRROR_RULE_IGNORE | MIRROR_RULE_PRESENCE, NULL);

        if (rule) {
            mirror_tree_descend_forgive(run, MIRROR_KIND_SYNTAX, rule);
        }
        else {
            mirror_tree_descend_add(run, MIRROR_KIND_SYNTAX);
        }
        return;
    }
    if (same) {
        *same = run->context->texts[0].nodes[0].hash == run->context->texts[1].nodes[0].hash;
    }
    mirror_tree_descend(run);
}

mirror_tree_e mirror_tree_compare(mirror_rows_t *rows, int *same, mirror_tree_context_t *context,
                                  const mirror_tree_options_t *options, const char *a,
                                  apr_size_t a_len, const char *b, apr_size_t b_len)
{
    mirror_tree_run_t run;
    mirror_tree_e of_a = read_side(context, 0, options, a, a_len);
    mirror_tree_e of_b = read_side(context, 1, options, b, b_len);

    if (same) {
        *same = 0;
    }
    if (worst(of_a, of_b) > MIRROR_TREE_NONE) {
        return worst(of_a, of_b);
    }
    if (of_a == MIRROR_TREE_NONE && of_b == MIRROR_TREE_NONE) {
        return MIRROR_TREE_NONE;
    }
    memset(&run, 0, sizeof(run));
    run.context = context;
    run.options = options;
    run.rows = rows;
    mirror_tree_marks_begin(&run);
    compare_roots(&run, same, of_a, of_b);
    return run.out_of_memory ? MIRROR_TREE_NO_MEMORY : MIRROR_TREE_DONE;
}
