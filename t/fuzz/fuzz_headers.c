/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * fuzz_headers.c - two blocks of header fields, as a primary and a mirror send them.
 *
 * The first byte has the options, the next two the length of the primary's block; the rest are both
 * blocks. A block is equal to itself; with the sides exchanged the rows are the same, but for
 * missing and extra; a row's field is the text of a rule.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "compare/glance.h"
#include "compare/headers.h"
#include "failed_rules.h"
#include "settings/compare_rule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition) ((condition) ? (void)0 : abort())
#define NOW                apr_time_from_sec(1795824000)

static const char *const texts[] = {
    "header/date compare",           "header/a ignore",      "header/b presence",
    "header/c match ^[0-9]+$",       "header/d mask [0-9]+", "header/expires within 10s",
    "header/location mask /[0-9]+$", "header/via compare",   "header/set-cookie mask path=[^;]*",
};

static apr_pool_t *whole;
static apr_array_header_t *rules;

/* Expressions are not of APR, which would look like a leak at the end. */
static void drop_rules(void)
{
    apr_pool_destroy(whole);
}

static void make_rules(void)
{
    apr_size_t i;

    apr_initialize();
    apr_pool_create(&whole, NULL);
    atexit(drop_rules);
    rules = apr_array_make(whole, 16, sizeof(mirror_compare_rule_t *));
    for (i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        REQUIRE(!mirror_compare_rule_parse(apr_array_push(rules), texts[i], whole));
    }
}

static void look(const mirror_rows_t *rows)
{
    int i;

    REQUIRE(rows->ignored >= 0 && rows->more >= 0);
    for (i = 0; i < rows->count; i++) {
        const mirror_row_t *row = &rows->list[i];

        REQUIRE(row->part == MIRROR_PART_HEADER && !strncmp(row->field, "header/", 7));
        REQUIRE(row->field[7] && !strpbrk(row->field + 7, " /:\"ABCDEFGHIJKLMNOPQRSTUVWXYZ"));
        REQUIRE(row->kind == MIRROR_KIND_VALUE || (!row->volatile_shape && !row->built_in));
    }
}

static void require_mirrored(const mirror_rows_t *a, const mirror_rows_t *b)
{
    int i;

    REQUIRE(a->count == b->count && a->more == b->more && a->ignored == b->ignored);
    for (i = 0; i < a->count; i++) {
        int kind = a->list[i].kind;
        const mirror_row_t *row;

        kind = kind == MIRROR_KIND_MISSING ? MIRROR_KIND_EXTRA
               : kind == MIRROR_KIND_EXTRA ? MIRROR_KIND_MISSING
                                           : kind;
        row = mirror_rows_find(b, kind, a->list[i].field);
        REQUIRE(row && row->built_in == a->list[i].built_in);
    }
}

/* If a glance is enough, it has the rows of the comparison. */
static void require_glance(const mirror_headers_options_t *options, const mirror_rows_t *rows,
                           const char *a, apr_size_t a_len, const char *b, apr_size_t b_len)
{
    mirror_rows_t glanced;
    int i;

    mirror_rows_clear(&glanced);
    if (!mirror_glance_heads(&glanced, options->rules, a, a_len, b, b_len)) {
        return;
    }
    REQUIRE(glanced.count == rows->count && rows->ignored == 0 && rows->more == 0);
    for (i = 0; i < rows->count; i++) {
        const mirror_row_t *row =
            mirror_rows_find(&glanced, MIRROR_KIND_VALUE, rows->list[i].field);

        REQUIRE(row && row->built_in && rows->list[i].built_in);
    }
}

/* A block of its exact size. */
static char *block_of(const uint8_t *data, size_t size)
{
    char *block = malloc(size ? size : 1);

    REQUIRE(block != NULL);
    memcpy(block, data, size);
    return block;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mirror_headers_options_t options = { NULL, 0, NOW };
    static mirror_values_t values;
    mirror_rows_t forth, back;
    apr_pool_t *once;
    char *a, *b;
    size_t a_len;

    if (size < 3 || size > 65536) {
        return 0;
    }
    if (!whole) {
        make_rules();
    }
    options.rules = data[0] & 1 ? rules : NULL;
    options.decoded = data[0] >> 1 & 1;
    a_len = (data[1] * 256u + data[2]) % (size - 2);
    apr_pool_create(&once, whole);
    a = block_of(data + 3, a_len);
    b = block_of(data + 3 + a_len, size - 3 - a_len);
    mirror_rows_clear(&forth);
    values.mode = data[0] & 4 ? MIRROR_VALUES_MODE_MASKED : MIRROR_VALUES_MODE_FULL;
    forth.values = &values;
    mirror_headers_compare(&forth, &options, a, a_len, a, a_len, once);
    REQUIRE(forth.count == 0 && forth.ignored == 0 && count_failed(&forth) == 0);
    mirror_headers_compare(&forth, &options, a, a_len, b, size - 3 - a_len, once);
    look(&forth);
    require_glance(&options, &forth, a, a_len, b, size - 3 - a_len);
    mirror_rows_clear(&back);
    mirror_headers_compare(&back, &options, b, size - 3 - a_len, a, a_len, once);
    look(&back);
    require_mirrored(&forth, &back);
    mirror_headers_find(b, size - 3 - a_len, "Content-Encoding", once);
    free(a);
    free(b);
    apr_pool_destroy(once);
    return 0;
}
