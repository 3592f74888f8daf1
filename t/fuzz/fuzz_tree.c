/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * fuzz_compare_json.c - two JSON texts, as a primary and a mirror send them.
 *
 * The first byte chooses options, the rest is two texts with a NUL between. A text equals itself; the
 * sides can be exchanged; what differs is in a row or forgiven; and the field of each row, put into
 * a rule, forgives it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_pools.h>
#include <apr_strings.h>

#include "compare/tree.h"
#include "failed_rules.h"
#include "settings/compare_rule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct text_t {
    const char *bytes;
    apr_size_t len;
} text_t;

typedef struct result_t {
    mirror_tree_e done;
    mirror_rows_t rows;
    int same;
} result_t;

static apr_pool_t *whole;
static mirror_tree_context_t *context;

static void demand(int is_so)
{
    if (!is_so) {
        abort();
    }
}

static void compare(result_t *result, const mirror_tree_options_t *options, const text_t *a,
                    const text_t *b)
{
    static mirror_values_t values;

    values.mode = a->len % 2 ? MIRROR_VALUES_MODE_MASKED : MIRROR_VALUES_MODE_FULL;
    mirror_rows_clear(&result->rows);
    result->rows.values = &values;
    result->done = mirror_tree_compare(&result->rows, &result->same, context, options, a->bytes,
                                       a->len, b->bytes, b->len);
    demand(count_failed(&result->rows) == 0);
    demand(result->done == MIRROR_TREE_DONE || result->rows.count == 0);
}

static void check_itself(const mirror_tree_options_t *options, const text_t *a)
{
    result_t result;

    compare(&result, options, a, a);
    if (result.done == MIRROR_TREE_DONE) {
        demand(result.same && result.rows.count == 0 && result.rows.ignored == 0);
    }
}

static mirror_kind_e exchanged(mirror_kind_e kind)
{
    return kind == MIRROR_KIND_MISSING ? MIRROR_KIND_EXTRA
           : kind == MIRROR_KIND_EXTRA ? MIRROR_KIND_MISSING
                                       : kind;
}

static void check_exchanged(const result_t *first, const mirror_tree_options_t *options,
                            const text_t *a, const text_t *b)
{
    result_t result;
    int i;

    compare(&result, options, b, a);
    demand(result.done == first->done && result.same == first->same);
    if (first->rows.more > 0) {
        return; /* which rows are left depends on their order */
    }
    demand(result.rows.count == first->rows.count && result.rows.ignored == first->rows.ignored);
    for (i = 0; i < result.rows.count; i++) {
        const mirror_row_t *row = &first->rows.list[i];

        demand(mirror_rows_find(&result.rows, exchanged((mirror_kind_e)row->kind), row->field) !=
               NULL);
    }
}

static void add_rule(apr_array_header_t *rules, const char *text, apr_pool_t *pool)
{
    mirror_compare_rule_t *rule = NULL;

    demand(mirror_compare_rule_parse(&rule, text, pool) == NULL);
    APR_ARRAY_PUSH(rules, const mirror_compare_rule_t *) = rule;
}

/* Forgive each row by a rule: then there is none. */
static void check_fields(const result_t *first, const mirror_tree_options_t *options,
                         const text_t *a, const text_t *b, apr_pool_t *pool)
{
    mirror_tree_options_t forgiving = *options;
    apr_array_header_t *rules =
        options->rules ? apr_array_copy(pool, options->rules)
                       : apr_array_make(pool, first->rows.count, sizeof(mirror_compare_rule_t *));
    result_t result;
    int i;

    for (i = 0; i < first->rows.count; i++) {
        add_rule(rules, apr_pstrcat(pool, first->rows.list[i].field, " ignore", NULL), pool);
    }
    forgiving.rules = rules;
    compare(&result, &forgiving, a, b);
    demand(first->rows.more > 0 || result.rows.count == 0);
}

static const apr_array_header_t *some_rules(int set, apr_pool_t *pool)
{
    static const char *const texts[] = { "body/a ignore",      "body/**/b presence",
                                         "body/* within 2",    "body/**/c unordered",
                                         "body key /id",       "body/*/* key /id",
                                         "body/x/** unordered" };
    apr_array_header_t *rules = apr_array_make(pool, 8, sizeof(mirror_compare_rule_t *));
    int i;

    for (i = 0; i < 7; i++) {
        if (set & 1 << i) {
            add_rule(rules, texts[i], pool);
        }
    }
    return rules->nelts ? rules : NULL;
}

static void check(int choice, const text_t *a, const text_t *b, apr_pool_t *pool)
{
    mirror_tree_options_t options;
    result_t result;

    options.unordered = choice & 1;
    options.rules = some_rules(choice >> 1, pool);
    options.now = apr_time_from_sec(1795824000);
    options.side = MIRROR_TREE_SIDE_NONE;
    check_itself(&options, a);
    check_itself(&options, b);
    compare(&result, &options, a, b);
    if (result.done == MIRROR_TREE_DONE) {
        demand(result.same || result.rows.count + result.rows.ignored > 0);
        check_fields(&result, &options, a, b, pool);
    }
    check_exchanged(&result, &options, a, b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned char seed[16] = { 1, 2, 3 };
    const uint8_t *end;
    text_t a, b;
    apr_pool_t *once;

    if (size < 2 || size > 65536 || !(end = memchr(data + 1, '\0', size - 1))) {
        return 0;
    }
    if (!whole) {
        apr_initialize();
        apr_pool_create(&whole, NULL);
        context = mirror_tree_context_create(seed);
    }
    a.bytes = (const char *)data + 1;
    a.len = (apr_size_t)(end - data - 1);
    b.bytes = (const char *)end + 1;
    b.len = size - a.len - 2;
    apr_pool_create(&once, whole);
    check(data[0], &a, &b, once);
    apr_pool_destroy(once);
    return 0;
}
