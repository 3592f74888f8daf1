/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_document.c - documents of a fleet: printed and read back; and whatever else a store has.
 */
#include <apr_general.h>
#include <apr_strings.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "fleet/document.h"
#include "suite.h"

#define ID    "00000000000000ab"
#define FRAME "{\"format\":1,\"rev\":7,\"id\":\"" ID "\",\"attributes\":"

static apr_pool_t *pool;

static void setup(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
}

static void teardown(void)
{
    apr_pool_destroy(pool);
}

START_TEST(versions)
{
    static const char *const bad[] = { "",
                                       "7",
                                       "7-",
                                       "-" ID,
                                       "0-" ID,
                                       "7-" ID "0",
                                       "7-" ID "!!",
                                       "7-00000000000000A8",
                                       "7-00000000000000g8",
                                       "+7-" ID,
                                       " 7-" ID,
                                       "1234567890123456-" ID };
    mirror_document_version_t version;
    apr_size_t i;

    ck_assert_int_eq(mirror_document_read_version(&version, "7-" ID), 1);
    ck_assert_int_eq(version.revision, 7);
    ck_assert_uint_eq(version.id, 0xab);
    ck_assert_int_eq(version.is_deleted, 0);
    ck_assert_str_eq(mirror_document_print_version(&version, pool), "7-" ID);
    ck_assert_int_eq(mirror_document_read_version(&version, "7-" ID "!"), 1);
    ck_assert_int_eq(version.is_deleted, 1);
    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        ck_assert_msg(!mirror_document_read_version(&version, bad[i]), "%s", bad[i]);
    }
}
END_TEST

/* In the store, in shared memory, and back, a document is the same. */
START_TEST(a_document_is_read_back)
{
    mirror_document_t document = { { 7, 0xab, 0 }, "ann \"x\"\n", "::1", "n1:80-ab", "2026", NULL };
    const char *before, *after, *text;
    mirror_document_t again;

    document.attributes =
        "{\"count\":5,\"path\":\"/a\\nb\",\"methods\":[\"GET\"],\"timeout\":null}";
    mirror_document_print(&before, &after, &document, pool);
    text = apr_pstrcat(pool, before, "7", after, NULL);
    ck_assert_ptr_null(mirror_document_parse(&again, text, pool));
    ck_assert(mirror_document_is_same(&document.version, &again.version));
    ck_assert_str_eq(again.attributes, document.attributes);
    ck_assert_str_eq(again.by, document.by);
    text = mirror_document_to_store(&again, pool);
    ck_assert_int_eq(mirror_document_of_store(&document, text, pool), 1);
    ck_assert_str_eq(document.attributes, again.attributes);
    ck_assert_str_eq(document.by, again.by);
    ck_assert_str_eq(document.at, "2026");
    ck_assert_int_eq(document.version.is_deleted, 0);
}
END_TEST

START_TEST(a_deleted_document_has_no_text)
{
    mirror_document_t document;

    ck_assert_ptr_null(mirror_document_parse(&document, FRAME "null}", pool));
    ck_assert_int_eq(document.version.is_deleted, 1);
    ck_assert_ptr_null(mirror_document_to_store(&document, pool));
    ck_assert_int_eq(mirror_document_of_store(&document, NULL, pool), 0);
    ck_assert_int_eq(document.version.revision, 0);
}
END_TEST

START_TEST(documents_that_are_refused)
{
    static const char *const bad[][2] = {
        { "", "JSON object" },
        { "{", "JSON object" },
        { "[]", "JSON object" },
        { "{}", "format 1" },
        { "{\"format\":2,\"rev\":7,\"id\":\"" ID "\",\"attributes\":{}}", "format 1" },
        { "{\"format\":\"1\",\"rev\":7,\"id\":\"" ID "\",\"attributes\":{}}", "format 1" },
        { "{\"format\":1,\"rev\":\"7\",\"id\":\"" ID "\",\"attributes\":{}}", "rev" },
        { "{\"format\":1,\"rev\":0,\"id\":\"" ID "\",\"attributes\":{}}", "rev" },
        { "{\"format\":1,\"rev\":-1,\"id\":\"" ID "\",\"attributes\":{}}", "rev" },
        { "{\"format\":1,\"rev\":1e99,\"id\":\"" ID "\",\"attributes\":{}}", "rev" },
        { "{\"format\":1,\"rev\":7,\"id\":\"x\",\"attributes\":{}}", "id" },
        { "{\"format\":1,\"rev\":7,\"id\":7,\"attributes\":{}}", "id" },
        { "{\"format\":1,\"rev\":7,\"id\":\"" ID "\"}", "attributes" },
        { FRAME "[]}", "attributes" },
        { FRAME "\"x\"}", "attributes" },
        { FRAME "{\"redis_host\":\"x\"}}", "redis_host" },
        { FRAME "{\"sentinel_password\":\"x\"}}", "sentinel_password" },
        { FRAME "{\"streams\\u0001\":1}}", "attributes: must be those of version" },
        { FRAME "{\"host\":\"unix:/x|http://y\"}}", "host" },
        { FRAME "{},\"by\":7}", "by" },
        { FRAME "{},\"rev\":8}", "JSON object" },
        { FRAME "[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]}", "JSON object" },
    };
    mirror_document_t document;
    apr_size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        const char *why = mirror_document_parse(&document, bad[i][0], pool);

        ck_assert_msg(why && strstr(why, bad[i][1]), "%s: %s", bad[i][0], why);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("document");
    TCase *tcase = tcase_create("document");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, versions);
    tcase_add_test(tcase, a_document_is_read_back);
    tcase_add_test(tcase, a_deleted_document_has_no_text);
    tcase_add_test(tcase, documents_that_are_refused);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
