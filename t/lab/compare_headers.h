/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * compare_headers.h - what tests of header fields have in common: compare two blocks, print the rows.
 */
#ifndef LAB_COMPARE_HEADERS_H
#define LAB_COMPARE_HEADERS_H

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>
#include <check.h>

#include "compare/headers.h"
#include "failed_rules.h"

#define NOW apr_time_from_sec(1795824000)
#define D1  "Sun, 06 Nov 1994 08:49:37 GMT"
#define D2  "Sun, 06 Nov 1994 08:49:47 GMT"

static apr_pool_t *pool;
static mirror_rows_t rows;

static void setup(void)
{
    apr_pool_create(&pool, NULL);
}

static void teardown(void)
{
    apr_pool_destroy(pool);
}

/* Compare from blocks of their exact size, so that a sanitizer sees one byte read too many. */
static void compare(const mirror_headers_options_t *options, const char *a, apr_size_t a_len,
                    const char *b, apr_size_t b_len)
{
    char *block_a = malloc(a_len ? a_len : 1), *block_b = malloc(b_len ? b_len : 1);

    memcpy(block_a, a, a_len);
    memcpy(block_b, b, b_len);
    mirror_rows_clear(&rows);
    mirror_headers_compare(&rows, options, block_a, a_len, block_b, b_len, pool);
    free(block_a);
    free(block_b);
}

/* The rows as text: "name kind", with '~' before noise and "volatile" behind a volatile shape,
 * joined by ", ". */
static const char *rows_text(void)
{
    const char *text = "";
    int i;

    for (i = 0; i < rows.count; i++) {
        const mirror_row_t *row = &rows.list[i];

        ck_assert_int_eq(row->part, MIRROR_PART_HEADER);
        ck_assert_int_eq(strncmp(row->field, "header/", 7), 0);
        text =
            apr_pstrcat(pool, text, i ? ", " : "", row->built_in ? "~" : "", row->field + 7, " ",
                        mirror_kind_name(row->kind), row->volatile_shape ? " volatile" : "", NULL);
    }
    return text;
}

/* Compare two blocks, also with the sides exchanged, when missing becomes extra. */
static void check(const mirror_headers_options_t *options, const char *a, const char *b,
                  const char *expected)
{
    const char *got;

    compare(options, b, strlen(b), a, strlen(a));
    got = rows_text();
    ck_assert_int_eq(strstr(expected, "missing") != NULL, strstr(got, "extra") != NULL);
    ck_assert_int_eq(strstr(expected, "extra") != NULL, strstr(got, "missing") != NULL);
    compare(options, a, strlen(a), b, strlen(b));
    ck_assert_msg(!strcmp(rows_text(), expected), "%s---\n%s---\n%s", a, b, rows_text());
    ck_assert_int_eq(count_failed(&rows), 0);
    ck_assert_int_eq(rows.ignored, 0);
}

typedef struct row_t {
    const char *a, *b, *expected;
} row_t;

#endif
