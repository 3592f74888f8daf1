/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_tree_hash.c - hashes of the reference, and names made to collide.
 */
#include <string.h>

#include <apr_siphash.h>
#include <apr_strings.h>
#include <check.h>

#include "json_pair.h"
#include "suite.h"

/* The vectors of the reference code for messages of 0, 15 and 63 bytes; that of 15 is also in
 * appendix A of the paper. */
START_TEST(hashes_are_siphash)
{
    unsigned char message[63];
    int i;

    for (i = 0; i < 63; i++) {
        message[i] = (unsigned char)i;
    }
    ck_assert(apr_siphash24(message, 0, seed) == APR_UINT64_C(0x726fdb47dd0e0e31));
    ck_assert(apr_siphash24(message, 15, seed) == APR_UINT64_C(0xa129ca6149be45e5));
    ck_assert(apr_siphash24(message, 63, seed) == APR_UINT64_C(0x958a324ceb064572));
}
END_TEST

/* An object whose 4096 names have one hash in all tables that multiply by 33 and add. */
static char *colliding(int is_reversed, int value)
{
    char *text = apr_palloc(pool, 4096 * 32 + 3), *p = text;
    int i, bit;

    for (i = 0; i < 4096; i++) {
        int name = is_reversed ? 4095 - i : i;

        *p++ = i == 0 ? '{' : ',';
        *p++ = '"';
        for (bit = 0; bit < 12; bit++) {
            memcpy(p, name & 1 << bit ? "Ez" : "FY", 2);
            p += 2;
        }
        p += apr_snprintf(p, 8, "\":%d", name == 7 ? value : 1);
    }
    memcpy(p, "}", 2);
    return text;
}

START_TEST(names_that_collide_elsewhere_are_distinguished)
{
    ck_assert_int_eq(compare(colliding(0, 1), colliding(1, 1)), MIRROR_TREE_DONE);
    ck_assert_int_eq(same, 1);
    ck_assert_int_eq(compare(colliding(0, 1), colliding(1, 2)), MIRROR_TREE_DONE);
    ck_assert_str_eq(all_rows(), "body/* value");
}
END_TEST

START_TEST(a_seed_changes_nothing_that_is_seen)
{
    static const unsigned char other[16] = { 255, 1 };

    mirror_tree_context_destroy(context);
    context = mirror_tree_context_create(other);
    ck_assert_int_eq(compare("{\"a\":1,\"b\":{\"c\":[1],\"d\":2}}", "{\"b\":{\"e\":0,\"c\":[2]}}"),
                     MIRROR_TREE_DONE);
    ck_assert_str_eq(all_rows(),
                     "body/a missing, body/b/c/* value, body/b/d missing, body/b/e extra");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json_hash");
    TCase *tcase = tcase_create("json_hash");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, hashes_are_siphash);
    tcase_add_test(tcase, names_that_collide_elsewhere_are_distinguished);
    tcase_add_test(tcase, a_seed_changes_nothing_that_is_seen);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
