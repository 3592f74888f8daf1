/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_compare_rule_regex.c - the actions match and mask; values that make regular expressions slow.
 */
#include "base/clock.h"
#include "compare_rules.h"

static const value_row_t values[] = {
    { "body match ^[0-9]+$", "1", "23", 1 },
    { "body match ^[0-9]+$", "1", "x", 0 },
    { "body match ^[0-9]+$", "x", "1", 0 },
    { "body match b", "abc", "xxbxx", 1 },
    { "body match ^b|c$", "ba", "ac", 1 },
    { "body match ^b|c$", "ab", "ca", 0 },
    { "body match (?i)ABC", "abc", "xAbC", 1 },
    { "body match (a)(b)?\\1", "aba", "aa", 1 },
    { "body match \\bfoo\\b", "a foo b", "foo", 1 },
    { "body match \\bfoo\\b", "afoo", "foo", 0 },
    { "body match (?<=a)b", "xab", "ab", 1 },
    { "body match a\\Kb", "ab", "xab", 1 },
    { "body match a.c", "a\nc", "abc", 1 },
    { "body match ^$", "", "", 1 },
    { "body match (*UTF)^.$", "\xc3\xa9", "e", 1 },
    { "body match ^.$", "\xc3\xa9", "e", 0 },

    { "body mask [0-9]+", "a1b22c", "a3b4c", 1 },
    { "body mask [0-9]+", "a1b22c", "a3b4d", 0 },
    { "body mask [0-9]+", "1", "", 1 },
    { "body mask [0-9]+", "", "", 1 },
    { "body mask x*", "axxb", "ab", 1 },
    { "body mask x*", "axxb", "axyb", 0 },
    { "body mask x*", "\xc3\xa9xx", "\xc3\xa9", 1 },
    { "body mask ^a", "aab", "ab", 0 }, /* only the first */
    { "body mask $", "a", "a", 1 },
    { "body mask a\\Kb", "abc", "ac", 1 },
    { "body mask (*UTF)\\x{e9}", "a\xc3\xa9", "a", 1 },
    { "body mask .*", "any", "thing", 1 },
};

START_TEST(expressions_make_values_equal)
{
    check_values(&values[_i]);
}
END_TEST

START_TEST(bytes_after_a_nul_count)
{
    int failed = 0;

    ck_assert_int_eq(
        mirror_compare_rule_equal(&failed, rule_of("body mask b"), "a\0bc", 4, "a\0c", 3), 1);
    ck_assert_int_eq(
        mirror_compare_rule_equal(&failed, rule_of("body mask b"), "a\0bc", 4, "a\0d", 3), 0);
    ck_assert_int_eq(
        mirror_compare_rule_equal(&failed, rule_of("header/date within 2s"), "1\0", 2, "1", 1), 0);
    ck_assert_int_eq(failed, 0);
}
END_TEST

static const struct {
    const char *rule;
    apr_size_t len;
    int failed, equal;
} hostile[] = {
    { "body match (a+)+$", 200 * 1024, 0, 1 },
    { "body match ^(a+)+[0-9]", 200 * 1024, 1, 0 },
    { "body match (a|aa)+[0-9]", 200 * 1024, 1, 0 },
    { "body match [a-z]+[0-9]", 256 * 1024, 1, 0 },
    { "body match .*?[0-9]", 256 * 1024, 1, 0 },
    { "body match [0-9]", 256 * 1024, 0, 0 },
    { "body match a", 256 * 1024, 0, 1 },
    { "body match a", 256 * 1024 + 1, 1, 0 },
    { "body match [a-z]++[0-9]", 8 * 1024, 0, 0 },
    { "body match [a-z]++[0-9]", 8 * 1024 + 1, 1, 0 },
    { "body match (?=[a-z]*)[0-9]", 8 * 1024 + 1, 1, 0 },
    { "body match (a+)\\1[0-9]", 8 * 1024 + 1, 1, 0 },
    { "body match [a-z]{200}[0-9]", 8 * 1024 + 1, 1, 0 },
    { "body match (?:[a-z]{15}){15}[0-9]", 8 * 1024 + 1, 1, 0 },
    { "body match [a-z]{99}[0-9]", 256 * 1024, 0, 0 },
    { "body mask [a-z]+[0-9]", 256 * 1024, 1, 0 },
    { "body mask a", 1000, 0, 1 },
    { "body mask a", 1001, 1, 0 },
    { "body mask a+", 256 * 1024, 0, 1 },
    { "body mask a", 256 * 1024 + 1, 1, 0 },
    { "body within 1", 256 * 1024, 0, 0 },
    { "body within 1s", 256 * 1024, 0, 0 },
};

START_TEST(hostile_values_fail_fast)
{
    const mirror_compare_rule_t *rule = rule_of(hostile[_i].rule);
    char *value = malloc(hostile[_i].len);
    int failed = 0, equal;
    apr_time_t begin;

    ck_assert_ptr_nonnull(value);
    memset(value, 'a', hostile[_i].len);
    begin = mirror_clock_now();
    equal =
        mirror_compare_rule_equal(&failed, rule, value, hostile[_i].len, value, hostile[_i].len);
    ck_assert_msg(equal == hostile[_i].equal && failed == hostile[_i].failed,
                  "%s: equal %d, failed %d", hostile[_i].rule, equal, failed);
    /* some milliseconds, and a busy machine's, or a sanitizer's, share */
    ck_assert_int_lt(mirror_clock_now() - begin, apr_time_from_sec(2));
    free(value);
}
END_TEST

START_TEST(what_is_not_utf8_fails_where_the_rule_wants_it)
{
    int failed = 0;

    ck_assert_int_eq(
        mirror_compare_rule_equal(&failed, rule_of("body match (*UTF)."), "\xff", 1, "a", 1), 0);
    ck_assert_int_eq(failed, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("compare_rule_regex");
    TCase *tcase = tcase_create("compare_rule_regex");

    apr_initialize();
    tcase_add_checked_fixture(tcase, setup, teardown);
    ADD(expressions_make_values_equal, values);
    tcase_add_test(tcase, bytes_after_a_nul_count);
    ADD(hostile_values_fail_fast, hostile);
    tcase_add_test(tcase, what_is_not_utf8_fails_where_the_rule_wants_it);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
