/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare/tree_descend.c - nodes that differ, from the roots down, as rows. See
 * compare/tree_state.h.
 *
 * Each item that is popped differs, so it ends in a row, in a difference that a rule forgives, or in
 * items of children that differ. The stack never has more items than there are nodes in both texts.
 */
#include <stdlib.h>
#include <string.h>

#include <apr_cstr.h>

#include "base/clock.h"
#include "compare/tree_state.h"
#include "compare/name.h"
#include "compare/secret_name.h"

/* What rules may take of a processor in one comparison; from then on none is applied. A single
 * expression has a limit of its own, but there may be as many values as nodes. */
#define RULES_TIME apr_time_from_msec(200)

/* mirror_node_t's names_secret. */
enum { UNKNOWN, NO, YES };
/* Members of one object whose values are looked at as names; with more, it is taken for a secret one.
 * "name" and "NAME" are two. */
#define NAMING_MAX 16

/* ---- the item at hand ---- */

static const mirror_node_t *node_at(const mirror_tree_run_t *run, int side, apr_uint32_t index)
{
    return index == MIRROR_NODE_NONE ? NULL : &run->context->texts[side].nodes[index];
}

static void take_step(mirror_tree_run_t *run, const mirror_tree_item_t *item,
                      const mirror_node_t *node)
{
    mirror_step_t *step;

    run->depth = item->depth;
    if (item->depth == 0) {
        return;
    }
    step = &run->steps[item->depth - 1];
    step->name = node->name;
    step->len = node->name_len;
    step->index = node->name ? 0 : item->index;
    run->shown[item->depth - 1] = item->is_starred ? MIRROR_SHOWN_STAR : MIRROR_SHOWN_UNKNOWN;
}

const mirror_compare_rule_t *mirror_tree_descend_rule(const mirror_tree_run_t *run,
                                                      unsigned actions,
                                                      const mirror_compare_rule_t *after)
{
    return mirror_compare_rule_body(run->options->rules, actions, run->steps, run->depth, after);
}

/* The object or array that the node is in; NULL: it is the root. */
static mirror_node_t *parent_of(mirror_node_t *nodes, const mirror_node_t *node)
{
    apr_size_t at = (apr_size_t)(node - nodes), i = at;

    while (i > 0) {
        i--;
        if (nodes[i].end > at) {
            return &nodes[i];
        }
    }
    return NULL;
}

/* Whether a member says what the others of its object are, as "name" of {"name": "pin", "value": 7}. */
static int is_naming(const mirror_node_t *member)
{
    static const char *const names[] = { "name", "key",   "field", "header",    "id",
                                         "k",    "label", "param", "parameter", "property" };
    apr_size_t i;

    for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (member->kind == MIRROR_NODE_STRING && member->name_len == strlen(names[i]) &&
            !apr_cstr_casecmpn(member->name, names[i], member->name_len)) {
            return 1;
        }
    }
    return 0;
}

/* Whether a member of the object has the name of something secret as its value. The object notes it,
 * as all rows below ask for it. */
static int names_secret(const mirror_tree_text_t *text, mirror_node_t *object)
{
    apr_uint32_t i = object->names_secret == UNKNOWN ? object->first : MIRROR_NODE_NONE;
    int count = 0;

    object->names_secret = object->names_secret == UNKNOWN ? NO : object->names_secret;
    for (; i != MIRROR_NODE_NONE && object->names_secret == NO; i = text->nodes[i].next) {
        const mirror_node_t *member = &text->nodes[i];

        if (is_naming(member) &&
            (++count > NAMING_MAX || mirror_secret_name_is(member->value, member->value_len))) {
            object->names_secret = YES;
        }
    }
    return object->names_secret == YES;
}

/* Whether a member beside the node of one text, or beside one that it is in, has the name of something
 * secret as its value. */
static int is_named_secret(const mirror_tree_text_t *text, const mirror_node_t *node)
{
    mirror_node_t *parent = node ? parent_of(text->nodes, node) : NULL;

    while (parent && !(parent->kind == MIRROR_NODE_OBJECT && names_secret(text, parent))) {
        parent = parent_of(text->nodes, parent);
    }
    return parent != NULL;
}

/* Whether the item at hand is secret by its name, or by a rule, or below one that is. */
static int is_secret(mirror_tree_run_t *run)
{
    const mirror_compare_rule_t *rule;
    int i;

    for (i = 0; i <= run->depth; i++) {
        const mirror_step_t *step = i > 0 ? &run->steps[i - 1] : NULL;

        rule =
            mirror_compare_rule_body(run->options->rules, MIRROR_RULE_SECRET, run->steps, i, NULL);
        if (rule) {
            mirror_rows_hit(run->rows, rule);
        }
        if (rule || (step && step->name && mirror_secret_name_is(step->name, step->len))) {
            return 1;
        }
    }
    return 0;
}

/* Keep the values of the item at hand for a row; -1: none are wanted. */
static void keep_values(mirror_tree_run_t *run, int row)
{
    int side, hidden = row >= 0 && is_secret(run);

    for (side = 0; row >= 0 && !hidden && side < 2; side++) {
        hidden = is_named_secret(&run->context->texts[side], run->at[side]);
    }
    for (side = 0; row >= 0 && side < 2; side++) {
        const mirror_node_t *node = run->at[side];

        if (!node || node->kind == MIRROR_NODE_ARRAY || node->kind == MIRROR_NODE_OBJECT) {
            continue;
        }
        if (hidden) {
            mirror_values_hide(run->rows->values, row, side);
        }
        else if (node->kind == MIRROR_NODE_NULL) {
            mirror_values_keep(run->rows->values, row, side, "null", 4, 0);
        }
        else {
            mirror_values_keep(run->rows->values, row, side, node->value, node->value_len,
                               node->kind == MIRROR_NODE_STRING);
        }
    }
}

static void add(mirror_tree_run_t *run, mirror_kind_e kind, const apr_uint64_t marks[2])
{
    const mirror_compare_rule_t *rule = mirror_tree_descend_rule(run, MIRROR_RULE_COMPARE, NULL);
    char field[MIRROR_FIELD_MAX + 1];

    mirror_tree_path(field, run);
    keep_values(run, mirror_rows_add(run->rows, MIRROR_PART_BODY, kind, field, marks, 0));
    if (run->options->side != MIRROR_TREE_SIDE_NONE) {
        mirror_tree_marks_add(run, kind, mirror_rows_find(run->rows, kind, field));
    }
    if (rule) {
        mirror_rows_matter(run->rows, kind, field);
        mirror_rows_hit(run->rows, rule);
    }
}

void mirror_tree_descend_add(mirror_tree_run_t *run, mirror_kind_e kind)
{
    add(run, kind, NULL);
}

void mirror_tree_descend_forgive(mirror_tree_run_t *run, mirror_kind_e kind,
                                 const mirror_compare_rule_t *rule)
{
    char field[MIRROR_FIELD_MAX + 1];

    mirror_tree_path(field, run);
    mirror_rows_forgive(run->rows, MIRROR_PART_BODY, kind, field, rule);
}

int mirror_tree_descend_differ(const mirror_node_t *a, const mirror_node_t *b)
{
    return a->hash != b->hash || a->repeats != b->repeats || a->is_repeated != b->is_repeated;
}

/* ---- items ---- */

void mirror_tree_descend_push(mirror_tree_run_t *run, const mirror_node_t *a,
                              const mirror_node_t *b, apr_uint32_t index, int is_starred)
{
    mirror_tree_context_t *context = run->context;
    mirror_tree_item_t *item;

    if (!mirror_tree_grow((void **)&context->items, &context->item_room, context->item_count + 1,
                          sizeof(*item))) {
        run->out_of_memory = 1;
        return;
    }
    item = &context->items[context->item_count++];
    item->a = a ? (apr_uint32_t)(a - context->texts[0].nodes) : MIRROR_NODE_NONE;
    item->b = b ? (apr_uint32_t)(b - context->texts[1].nodes) : MIRROR_NODE_NONE;
    item->index = index;
    item->depth = (unsigned char)(run->depth + 1);
    item->is_starred = is_starred != 0;
}

static apr_uint32_t place_of(const mirror_tree_item_t *item)
{
    return item->a != MIRROR_NODE_NONE ? item->a : MIRROR_TREE_NODES_MAX + item->b;
}

/* What the primary has is popped first, in its order, then what the mirror alone has. */
static int by_place(const void *x, const void *y)
{
    apr_uint32_t a = place_of(x), b = place_of(y);

    return (a < b) - (a > b);
}

/* ---- values ---- */

static int has_text(const mirror_node_t *node)
{
    return node->value && node->kind != MIRROR_NODE_NULL;
}

/* Two texts that rules are applied to: of two values of one type that are no containers, or of the
 * bodies as a whole. Returns 0 if there are none. */
static int texts_of(mirror_tree_text_t texts[2], const mirror_tree_run_t *run,
                    const mirror_node_t *a, const mirror_node_t *b)
{
    int are_values = a->kind == b->kind && has_text(a) && has_text(b);

    texts[0].text = are_values ? a->value : run->context->texts[0].text;
    texts[0].len = are_values ? a->value_len : run->context->texts[0].len;
    texts[1].text = are_values ? b->value : run->context->texts[1].text;
    texts[1].len = are_values ? b->value_len : run->context->texts[1].len;
    return are_values || run->depth == 0;
}

/* Count a rule that has failed, and stop applying rules when they have taken their time. */
static void end_rule(mirror_tree_run_t *run, const mirror_compare_rule_t *failed)
{
    if (failed) {
        run->failed++;
        mirror_rows_fail(run->rows, failed);
    }
    if (mirror_clock_thread() - run->begun > RULES_TIME) {
        run->failed = MIRROR_TREE_FAILED_MAX;
    }
}

static const mirror_compare_rule_t *apply_masks(mirror_tree_run_t *run,
                                                const mirror_rule_masks_t *masks,
                                                const mirror_tree_text_t texts[2])
{
    const mirror_compare_rule_t *failed = NULL;
    int i;

    if (masks->count == 0 ||
        !mirror_compare_rule_masked(&failed, masks, texts[0].text, texts[0].len, texts[1].text,
                                    texts[1].len)) {
        end_rule(run, failed);
        return NULL;
    }
    for (i = 1; i < masks->count; i++) {
        mirror_rows_hit(run->rows, masks->list[i]);
    }
    return masks->list[0];
}

/* The rule that makes two values equal that differ; NULL: there is none. */
static const mirror_compare_rule_t *rule_for(mirror_tree_run_t *run, const mirror_node_t *a,
                                             const mirror_node_t *b)
{
    const unsigned actions = MIRROR_RULE_MATCH | MIRROR_RULE_MASK | MIRROR_RULE_WITHIN;
    const mirror_compare_rule_t *rule = NULL;
    mirror_rule_masks_t masks = { { NULL }, 0 };
    mirror_tree_text_t texts[2];

    if (!texts_of(texts, run, a, b)) {
        return NULL;
    }
    while (run->failed < MIRROR_TREE_FAILED_MAX &&
           (rule = mirror_tree_descend_rule(run, actions, rule)) != NULL) {
        int failed = 0;

        if (mirror_compare_rule_add_mask(&masks, rule)) {
            continue;
        }
        if (mirror_compare_rule_equal(&failed, rule, texts[0].text, texts[0].len, texts[1].text,
                                      texts[1].len)) {
            return rule;
        }
        end_rule(run, failed ? rule : NULL);
    }
    return run->failed < MIRROR_TREE_FAILED_MAX ? apply_masks(run, &masks, texts) : NULL;
}

static int is_volatile(apr_uint64_t marks[2], const mirror_tree_run_t *run, const mirror_node_t *a,
                       const mirror_node_t *b)
{
    if (a->kind == MIRROR_NODE_NUMBER ? !mirror_tree_number_is_integer(a->value, a->value_len) ||
                                            !mirror_tree_number_is_integer(b->value, b->value_len)
                                      : a->kind != MIRROR_NODE_STRING) {
        return 0;
    }
    return mirror_name_are_volatile(marks, a->value, a->value_len, b->value, b->value_len,
                                    run->options->now) &&
           !mirror_tree_descend_rule(run, MIRROR_RULE_COMPARE, NULL);
}

static void add_value(mirror_tree_run_t *run, const mirror_node_t *a, const mirror_node_t *b)
{
    apr_uint64_t marks[2];

    add(run, MIRROR_KIND_VALUE, is_volatile(marks, run, a, b) ? marks : NULL);
}

/* ---- containers ---- */

static void look_at_objects(mirror_tree_run_t *run, const mirror_node_t *a, const mirror_node_t *b)
{
    int is_map = a->count > MIRROR_TREE_MEMBERS_NAMED || b->count > MIRROR_TREE_MEMBERS_NAMED;
    const mirror_node_t *x = node_at(run, 0, a->first), *y = node_at(run, 1, b->first);

    while (x || y) {
        int order = !x ? 1 : !y ? -1 : mirror_tree_hash_order(x, y);

        if (order != 0 || mirror_tree_descend_differ(x, y)) {
            mirror_tree_descend_push(run, order <= 0 ? x : NULL, order >= 0 ? y : NULL, 0, is_map);
        }
        x = order <= 0 ? node_at(run, 0, x->next) : x;
        y = order >= 0 ? node_at(run, 1, y->next) : y;
    }
}

static mirror_kind_e kind_of(const mirror_node_t *a, const mirror_node_t *b)
{
    if (!a || !b) {
        return a ? MIRROR_KIND_MISSING : MIRROR_KIND_EXTRA;
    }
    return a->kind == b->kind                                           ? MIRROR_KIND_VALUE
           : a->kind == MIRROR_NODE_NULL || b->kind == MIRROR_NODE_NULL ? MIRROR_KIND_NULL
                                                                        : MIRROR_KIND_TYPE;
}

static void look_at_pair(mirror_tree_run_t *run, const mirror_node_t *a, const mirror_node_t *b)
{
    const mirror_compare_rule_t *rule = NULL;

    if (a->is_repeated != b->is_repeated) {
        mirror_tree_descend_add(run, MIRROR_KIND_DUPLICATE);
    }
    if (a->hash == b->hash && a->repeats == b->repeats) {
        return;
    }
    if (a->hash != b->hash) {
        rule = rule_for(run, a, b);
    }
    if (rule) {
        mirror_tree_descend_forgive(run, kind_of(a, b), rule);
    }
    else if (a->kind != b->kind) {
        mirror_tree_descend_add(run, kind_of(a, b));
    }
    else if (a->kind == MIRROR_NODE_OBJECT) {
        look_at_objects(run, a, b);
    }
    else if (a->kind == MIRROR_NODE_ARRAY) {
        mirror_tree_array(run, a, b);
    }
    else {
        add_value(run, a, b);
    }
}

static void look_at(mirror_tree_run_t *run, const mirror_tree_item_t *item)
{
    const mirror_node_t *a = node_at(run, 0, item->a), *b = node_at(run, 1, item->b);
    unsigned forgiving = MIRROR_RULE_IGNORE | (a && b ? MIRROR_RULE_PRESENCE : 0);
    const mirror_compare_rule_t *rule;

    take_step(run, item, a ? a : b);
    run->at[0] = a;
    run->at[1] = b;
    rule = mirror_tree_descend_rule(run, forgiving, NULL);
    if (rule) {
        mirror_tree_descend_forgive(run, kind_of(a, b), rule);
    }
    else if (!a || !b) {
        mirror_tree_descend_add(run, kind_of(a, b));
    }
    else {
        look_at_pair(run, a, b);
    }
}

void mirror_tree_descend(mirror_tree_run_t *run)
{
    mirror_tree_context_t *context = run->context;
    mirror_tree_item_t item = { 0, 0, 0, 0, 0 };
    unsigned before = 0;

    context->item_count = 0;
    run->begun = mirror_clock_thread();
    if (!mirror_tree_descend_differ(node_at(run, 0, 0), node_at(run, 1, 0))) {
        return;
    }
    for (;;) {
        look_at(run, &item);
        if (context->item_count > before + 1) {
            qsort(context->items + before, context->item_count - before, sizeof(item), by_place);
        }
        if (context->item_count == 0 || run->out_of_memory) {
            return;
        }
        before = --context->item_count;
        item = context->items[before];
    }
}
