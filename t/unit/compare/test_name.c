/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_name.c - names that look like ids, groups of requests, shapes of values.
 */
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <check.h>

#include "base/utf8.h"
#include "compare/name.h"
#include "suite.h"

/* 2026-11-27T12:00:00Z */
#define NOW (APR_USEC_PER_SEC * APR_INT64_C(1795780800))

#define X16 "xxxxxxxxxxxxxxxx"
#define X64 X16 X16 X16 X16

/* A copy of its exact size, so that a sanitizer sees a byte read too many. The caller frees it. */
static char *exact(const char *text, apr_size_t len)
{
    char *block = malloc(len ? len : 1);

    ck_assert_ptr_nonnull(block);
    memcpy(block, text, len);
    return block;
}

/* ---- ids ---- */

static const struct {
    const char *name;
    int is_id;
} names[] = {
    { "", 0 },
    { "a", 0 },
    { "items", 0 },
    { "first-name", 0 },
    { "a.b_c", 0 },
    { "v1", 0 },
    { "0", 1 },
    { "123456789012345678901234567890", 1 },
    { "1a", 0 },
    { "123e4567-e89b-12d3-a456-426614174000", 1 },
    { "123E4567-E89B-12D3-A456-426614174000", 1 },
    { "123e4567-e89b-12d3-a456-42661417400g", 0 },
    { "123e4567-e89b-12d3-a456_426614174000", 0 },
    { "deadbeef", 0 },
    { "deadbeefdeadbee", 0 },
    { "deadbeefdeadbeef", 1 },
    { "DEADBEEF00000000ffff", 1 },
    { "deadbeefdeadbeeg", 0 },
    { "2026-11-27", 1 },
    { "20261127", 1 },
    { "2026-21-27", 0 },
    { "2026-11-2x", 0 },
    { "2026-11-27T", 0 },
    { "someone@example.com", 1 },
    { "a/b", 1 },
    { "~", 0 },
    { "*", 0 },
    { "a b", 0 },
    { "<script>", 0 },
    { "caf\xc3\xa9", 0 },
    { X64, 0 },
    { X64 "x", 1 },
    { "a\nb", 1 },
    { "\x1b[31m", 1 },
    { "a\x7f", 1 },
    { "\xc2\x9b", 1 }, /* U+009B: CSI */
    { "\xe2\x80\xae"
      "x",
      1 },                 /* U+202E: right-to-left override */
    { "\xe2\x81\xa6", 1 }, /* U+2066 */
    { "\xd8\x9c", 1 },     /* U+061C */
    { "\xe2\x82\xac", 0 }, /* a euro */
    { "\xff", 1 },
    { "\xc3", 1 },
    { "\xed\xa0\x80", 1 }, /* half of a surrogate pair */
};

START_TEST(ids_and_personal_names_are_known)
{
    apr_size_t len = strlen(names[_i].name);
    char *name = exact(names[_i].name, len);

    ck_assert_msg(!mirror_name_is_id(name, len) == !names[_i].is_id, "\"%s\"", names[_i].name);
    free(name);
}
END_TEST

START_TEST(a_name_with_nul_is_an_id)
{
    ck_assert_int_ne(mirror_name_is_id("a\0b", 3), 0);
}
END_TEST

/* ---- groups ---- */

static const char *const groups[][3] = {
    { "GET", "/", "GET /" },
    { "GET", "", "GET " },
    { "OPTIONS", "*", "OPTIONS *" },
    { "GET", "/items/17", "GET /items/*" },
    { "GET", "/items/17/", "GET /items/*/" },
    { "GET", "/items/17/parts/123e4567-e89b-12d3-a456-426614174000/x", "GET /items/*/parts/*/x" },
    { "GET", "/a?b=/c/d", "GET /a" },
    { "GET", "/a#b", "GET /a" },
    { "GET", "/a/1?b", "GET /a/*" },
    { "GET", "//a//1", "GET //a//*" },
    { "GET", "/a%20b/%31%32", "GET /a%20b/*" },
    { "GET", "/%40", "GET /*" },
    { "GET", "/a%2fb", "GET /*" },
    { "GET", "/a%2", "GET /a%2" },
    { "GET", "/a%zz", "GET /a%zz" },
    { "GET", "/a%00b", "GET /*" },
    { "GET", "/a%ffb", "GET /*" },
    { "GET", "/1/2/3/4/5/6/7/8", "GET /*/*/*/*/*/*/*/*" },
    { "GET", "/a/b/c/d/e/f/g/h", "GET /a/b/c/d/e/f/g/h" },
    { "GET", "/a/b/c/d/e/f/g/h/", "GET /a/b/c/d/e/f/g/h/**" },
    { "GET", "/a/b/c/d/e/f/g/h/i/j/k/l", "GET /a/b/c/d/e/f/g/h/**" },
    { "GET", "/" X64, "GET /" X64 },
    { "GET", "/" X64 "x", "GET /*" },
    { "GET", "/a\x1b[1m", "GET /*" },
    { "G\x1bT", "/a", "G?T /a" },
    { "GET", "/2026-11-27/20261127", "GET /*/*" },
    { "GET", "/caf\xc3\xa9", "GET /caf\xc3\xa9" },
    { "GET", "/a;jsessionid=7F/17;v=1/x;y", "GET /a;*/*;*/x;*" },
    { "GET", "/;a=1;b=2?c=/d", "GET /;*" },
    { "GET", "/;", "GET /;*" },
};

START_TEST(a_group_is_method_and_path_without_ids)
{
    const char *const *row = groups[_i];
    char group[MIRROR_GROUP_MAX + 1];
    char *method = exact(row[0], strlen(row[0])), *path = exact(row[1], strlen(row[1]));

    mirror_name_group(group, method, strlen(row[0]), path, strlen(row[1]));
    ck_assert_str_eq(group, row[2]);
    free(method);
    free(path);
}
END_TEST

START_TEST(a_path_has_no_parameters)
{
    char path[8];

    mirror_name_path(path, 7, "/a;b=1/c", 8);
    ck_assert_str_eq(path, "/a;*/c");
    mirror_name_path(path, 3, "/a;b=1/c", 8);
    ck_assert_str_eq(path, "/a;");
    mirror_name_path(path, 7, "/a;/c=;", 7);
    ck_assert_str_eq(path, "/a;*/c=");
    mirror_name_path(path, 7, "", 0);
    ck_assert_str_eq(path, "");
}
END_TEST

/* Whatever comes: ended, not too long, UTF-8, and nothing that controls a terminal. */
static void check_inert(const char *group)
{
    const char *p;

    ck_assert_uint_le(strlen(group), MIRROR_GROUP_MAX);
    ck_assert_int_ne(mirror_utf8_is_valid(group), 0);
    for (p = group; *p; p++) {
        ck_assert_int_ge((unsigned char)*p, 0x20);
    }
}

START_TEST(a_group_is_bounded_and_inert_whatever_comes)
{
    static const char *const parts[] = {
        "/", "a", "%", "%41", "/\xff", "/\xe2\x82", "\xe2\x82\xac", "/\x01", "/x\xc2\x80", X64 "/"
    };
    char text[4096], group[MIRROR_GROUP_MAX + 2];
    apr_size_t part = strlen(parts[_i]), len;

    for (len = 0; len + part <= sizeof(text); len += part) {
        memcpy(text + len, parts[_i], part);
    }
    for (; len > 0; len = len > 300 ? len / 2 : len - 1) {
        char *block = exact(text, len);

        memset(group, 'Z', sizeof(group));
        mirror_name_group(group, block, len, block, len);
        check_inert(group);
        memset(group, 'Z', sizeof(group));
        mirror_name_cut(group, block, len);
        check_inert(group);
        ck_assert_int_eq(group[MIRROR_GROUP_MAX + 1], 'Z');
        free(block);
    }
}
END_TEST

START_TEST(the_middle_is_cut)
{
    char text[300], group[MIRROR_GROUP_MAX + 1];

    memset(text, 'a', sizeof(text));
    memcpy(text + sizeof(text) - 4, "last", 4);
    mirror_name_cut(group, text, sizeof(text));
    ck_assert_uint_eq(strlen(group), MIRROR_GROUP_MAX);
    ck_assert_ptr_nonnull(strstr(group, "aaa...aaa"));
    ck_assert_str_eq(group + MIRROR_GROUP_MAX - 4, "last");
    mirror_name_cut(group, text, MIRROR_GROUP_MAX);
    ck_assert_ptr_null(strstr(group, "..."));
    ck_assert_uint_eq(strlen(group), MIRROR_GROUP_MAX);
    mirror_name_cut(group, "", 0);
    ck_assert_str_eq(group, "");
}
END_TEST

/* ---- shapes ---- */

static const struct {
    const char *value;
    mirror_shape_e shape;
} shapes[] = {
    { "", MIRROR_SHAPE_NONE },
    { "x", MIRROR_SHAPE_NONE },
    { "12", MIRROR_SHAPE_NONE },
    { "hello world, this is text", MIRROR_SHAPE_NONE },
    { "123e4567-e89b-12d3-a456-426614174000", MIRROR_SHAPE_UUID },
    { "{123e4567-e89b-12d3-a456-426614174000}", MIRROR_SHAPE_UUID },
    { "URN:uuid:123E4567-E89B-12D3-A456-426614174000", MIRROR_SHAPE_UUID },
    { "urn:xxid:123e4567-e89b-12d3-a456-426614174000", MIRROR_SHAPE_NONE },
    { "(123e4567-e89b-12d3-a456-426614174000)", MIRROR_SHAPE_NONE },
    { "01ARZ3NDEKTSV4RRFFQ69G5FAV", MIRROR_SHAPE_ULID },
    { "01arz3ndektsv4rrffq69g5fav", MIRROR_SHAPE_ULID },
    { "81ARZ3NDEKTSV4RRFFQ69G5FAV", MIRROR_SHAPE_NONE }, /* over 128 bits */
    { "01ARZ3NDEKTSV4RRFFQ69G5FAU", MIRROR_SHAPE_NONE }, /* no U */
    { "deadbeefdeadbeef", MIRROR_SHAPE_HEX },
    { "deadbeefdeadbee", MIRROR_SHAPE_NONE },
    { "1234567890123456", MIRROR_SHAPE_NONE },                /* a number */
    { "12345678901234567890123456789012", MIRROR_SHAPE_HEX }, /* none */
    { "1234567890123456789012345678901", MIRROR_SHAPE_NONE },
    { "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", MIRROR_SHAPE_JWT },
    { "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.", MIRROR_SHAPE_JWT },
    { "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0", MIRROR_SHAPE_NONE },
    { "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.a.b", MIRROR_SHAPE_NONE },
    { "eyJhbGciOiJub25lIn0.eyJ", MIRROR_SHAPE_NONE },
    { "eyJhbGciOiJub25lIn0.ey", MIRROR_SHAPE_NONE },
    { "www.example-of-a-name.com", MIRROR_SHAPE_NONE },
    { "dGhpcyBpcyBhIHRlc3Q1Cg==", MIRROR_SHAPE_BASE64 },
    { "dGhpcyBpcyB-IHRlc3Q1Cg", MIRROR_SHAPE_BASE64 },
    { "dGhpcy+pcyB-IHRlc3Q1Cg", MIRROR_SHAPE_NONE }, /* both alphabets */
    { "dGhpcyBpcyBhIHR=c3Q1Cg", MIRROR_SHAPE_NONE },
    { "dGhpcyBpcyBhIHRlc3Q1C===", MIRROR_SHAPE_NONE },
    { "aaaaaaaaaaaaaaaaaaaaaaaa", MIRROR_SHAPE_HEX },
    { "zzzzzzzzzzzzzzzzzzzzzzzz", MIRROR_SHAPE_NONE },
    { "dGhpcyBpcyBhIH1", MIRROR_SHAPE_NONE }, /* too short */
    { "====================", MIRROR_SHAPE_NONE },
    { "2026-11-27T12:00:00Z", MIRROR_SHAPE_TIME },
    { "2026-11-27t12:04:59.999999999z", MIRROR_SHAPE_TIME },
    { "2026-11-27 13:30:00+01:30", MIRROR_SHAPE_TIME },
    { "2026-11-27T12:06:00Z", MIRROR_SHAPE_NONE }, /* not near */
    { "2026-11-27T12:00:00", MIRROR_SHAPE_NONE },
    { "2026-02-30T12:00:00Z", MIRROR_SHAPE_NONE },
    { "Fri, 27 Nov 2026 12:00:30 GMT", MIRROR_SHAPE_TIME },
    { "Fri, 27 Nov 2026 11:00:30 GMT", MIRROR_SHAPE_NONE },
    { "1795780800", MIRROR_SHAPE_TIME },
    { "1795781101", MIRROR_SHAPE_NONE },
    { "1795780800123", MIRROR_SHAPE_TIME },
    { "1795780800123456", MIRROR_SHAPE_NONE }, /* microseconds */
    { "-1795780800", MIRROR_SHAPE_NONE },
};

START_TEST(values_have_shapes)
{
    apr_size_t len = strlen(shapes[_i].value);
    char *value = exact(shapes[_i].value, len);

    ck_assert_msg(mirror_name_shape(value, len, NOW) == shapes[_i].shape, "\"%s\" is %d",
                  shapes[_i].value, mirror_name_shape(value, len, NOW));
    free(value);
}
END_TEST

static const struct {
    const char *a, *b;
    int are_volatile;
} pairs[] = {
    { "123e4567-e89b-12d3-a456-426614174000", "{123e4567-e89b-12d3-a456-426614174001}", 1 },
    { "123e4567-e89b-12d3-a456-426614174000", "deadbeefdeadbeef", 0 },
    { "x", "y", 0 },
    { "1795780800", "2026-11-27T12:00:00Z", 1 },
    { "1795780800", "1", 0 },
    { "dGhpcyBpcyBhIHRlc3Q1Cg==", "dGhpcyBpcyBhIHRlc3Q2Cg==", 0 }, /* one byte */
    { "dGhpcyBpcyBhIHRlc3Q1Cg==", "Xk9qWm3vZt7Lw2Nc8Rb4Ya==", 1 },
    { "dGhpcyBpcyBhIHRlc3Q1", "dGhpcyBpcyBhIHRlc3Q1abcdefghijklmnopqrstuvwxyz", 1 },
};

START_TEST(volatile_values_have_the_same_shape)
{
    apr_uint64_t marks[2], turned[2];

    ck_assert_int_eq(mirror_name_are_volatile(marks, pairs[_i].a, strlen(pairs[_i].a), pairs[_i].b,
                                              strlen(pairs[_i].b), NOW),
                     pairs[_i].are_volatile);
    ck_assert_int_eq(mirror_name_are_volatile(turned, pairs[_i].b, strlen(pairs[_i].b), pairs[_i].a,
                                              strlen(pairs[_i].a), NOW),
                     pairs[_i].are_volatile);
    if (pairs[_i].are_volatile) {
        ck_assert_uint_ne(marks[0], marks[1]);
        ck_assert(marks[0] == turned[1] && marks[1] == turned[0]);
    }
}
END_TEST

#define ADD(test, rows) tcase_add_loop_test(tcase, test, 0, sizeof(rows) / sizeof(*rows))

int main(void)
{
    Suite *suite = suite_create("name");
    TCase *tcase = tcase_create("name");

    apr_initialize();
    ADD(ids_and_personal_names_are_known, names);
    tcase_add_test(tcase, a_name_with_nul_is_an_id);
    tcase_add_test(tcase, a_path_has_no_parameters);
    ADD(a_group_is_method_and_path_without_ids, groups);
    tcase_add_loop_test(tcase, a_group_is_bounded_and_inert_whatever_comes, 0, 10);
    tcase_add_test(tcase, the_middle_is_cut);
    ADD(values_have_shapes, shapes);
    ADD(volatile_values_have_the_same_shape, pairs);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
