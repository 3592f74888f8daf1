/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_compare_rule.c - rules of ProxyMirrorCompare: what is read, what is refused.
 */
#include "compare_rules.h"

static const char *const accepted[][2] = {
    { "status ignore", "status ignore" },
    { " \t status\t ignore \t", "status ignore" },
    { "header/a match ^(200|204)$", "header/a match ^(200|204)$" },
    { "header/X-Foo presence", "header/x-foo presence" },
    { "\"header/X-Foo\" presence", "header/x-foo presence" },
    { "header/ETag compare", "header/etag compare" },
    { "header/a'!#$%&*+-.^_`|~z secret", "header/a'!#$%&*+-.^_`|~z secret" },
    { "body ignore", "body ignore" },
    { "body/ ignore", "body/ ignore" },
    { "body/a/*/b ignore", "body/a/*/b ignore" },
    { "body/**/b compare", "body/**/b compare" },
    { "body/~0~1~2 ignore", "body/~0~1~2 ignore" },
    { "\"body/a b\" ignore", "\"body/a b\" ignore" },
    { "\"body/ab\" ignore", "body/ab ignore" },
    { "\"body/a\\\"b\" ignore", "\"body/a\\\"b\" ignore" },
    { "body/a\"b ignore", "\"body/a\\\"b\" ignore" },
    { "body/a\\b ignore", "body/a\\b ignore" },
    { "body/caf\xc3\xa9 ignore", "body/caf\xc3\xa9 ignore" },
    { "body match a b", "body match a b" },
    { "body match \"a b\"", "body match a b" },
    { "body match \" a\"  ", "body match \" a\"" },
    { "body match \"\\\"a\\\"\"", "body match \"\\\"a\\\"\"" },
    { "body match a\"b", "body match a\"b" },
    { "body match \"\\d\\\\\\\"\"", "body match \\d\\\"" },
    { "body mask (*UTF)(*UCP)\\w+", "body mask (*UTF)(*UCP)\\w+" },
    { "body within 0.5", "body within 0.5" },
    { "body/a within 0", "body/a within 0" },
    { "body/a within 12345678901234567890", "body/a within 12345678901234567890" },
    { "header/date within 2s", "header/date within 2s" },
    { "header/date within 1.5min", "header/date within 1.5min" },
    { "body/items unordered", "body/items unordered" },
    { "body/items key /id", "body/items key /id" },
    { "body/items key /", "body/items key /" },
    { "body/items key /~2~1", "body/items key /~2~1" },
    { "\"body/a \\\\\" ignore", "\"body/a \\\\\" ignore" }, /* the last one closes */
    { "body/a\"\\ ignore", "\"body/a\\\"\\\\\" ignore" },
    { "body/a match \"\\d \"", "body/a match \"\\\\d \"" }
};

START_TEST(rules_have_a_canonical_text)
{
    const char *text = mirror_compare_rule_text(rule_of(accepted[_i][0]));

    ck_assert_str_eq(text, accepted[_i][1]);
    ck_assert_str_eq(mirror_compare_rule_text(rule_of(text)), text);
}
END_TEST

#define FIELD     "FIELD: must be status, header/NAME, body or body/POINTER, got "
#define STARS     "FIELD: must have * and ** as whole segments, and ~2 for each other *, got "
#define TILDES    "FIELD: must have ~0, ~1 or ~2 for each ~ (0: ~, 1: /, 2: *), got "
#define TOKEN     "FIELD: must have a token (RFC 9110 5.6.2) after header/, got "
#define QUOTE     "FIELD: must end with its closing quote, got "
#define PLAIN     "FIELD: must be UTF-8 without control characters, got "
#define OF_STATUS "ACTION: must be one of ignore or presence for status, got "
#define OF_HEADER                                                                                  \
    "ACTION: must be one of ignore, presence, match, mask, within, compare or secret for header, " \
    "got "
#define OF_BODY                                                                                    \
    "ACTION: must be one of ignore, presence, match, mask, within, unordered, key, compare or "    \
    "secret for body, got "
#define NUMBER "VALUE: must be a number such as 0.5, or a time with ms, s, min or h, got "
#define REGEX  "VALUE: must be a regular expression (PCRE), got "

static const char *const refused[][2] = {
    { "", FIELD "\"\"" },
    { "   ", FIELD "\"\"" },
    { "Status ignore", FIELD "\"Status\"" },
    { "statuses ignore", FIELD "\"statuses\"" },
    { "header ignore", FIELD "\"header\"" },
    { "bodyx ignore", FIELD "\"bodyx\"" },
    { "/a ignore", FIELD "\"/a\"" },
    { "header/ ignore", TOKEN "\"header/\"" },
    { "header/a/b ignore", TOKEN "\"header/a/b\"" },
    { "header/a: ignore", TOKEN "\"header/a:\"" },
    { "\"header/a b\" ignore", TOKEN "\"header/a b\"" },
    { "body/~ ignore", TILDES "\"body/~\"" },
    { "body/~3 ignore", TILDES "\"body/~3\"" },
    { "body/~/0 ignore", TILDES "\"body/~/0\"" },
    { "body/a* ignore", STARS "\"body/a*\"" },
    { "body/*** ignore", STARS "\"body/***\"" },
    { "\"body ignore", QUOTE "\"\\\"body ignore\"" },
    { "\"body\"ignore", QUOTE "\"\\\"body\\\"ignore\"" },
    { "body/\x1b ignore", PLAIN "\"body/\\x1b\"" },
    { "body/\xff ignore", PLAIN "\"body/\\xff\"" },
    { "status", OF_STATUS "\"\"" },
    { "status compare", OF_STATUS "\"compare\"" },
    { "status unordered", OF_STATUS "\"unordered\"" },
    { "status within 1", OF_STATUS "\"within\"" },
    { "status match ^2", OF_STATUS "\"match\"" },
    { "header/a key /id", OF_HEADER "\"key\"" },
    { "header/a Ignore", OF_HEADER "\"Ignore\"" },
    { "body \"ignore\"", OF_BODY "\"\\\"ignore\\\"\"" },
    { "body/a ignored", OF_BODY "\"ignored\"" },
    { "body ignore x", "VALUE: must not be given with ignore, got \"x\"" },
    { "body compare \"x\"", "VALUE: must not be given with compare, got \"x\"" },
    { "body match", "VALUE: must be given with match, got \"\"" },
    { "body match \"\"", "VALUE: must be given with match, got \"\"" },
    { "body key", "VALUE: must be given with key, got \"\"" },
    { "body match \"a", "VALUE: must end with its closing quote, got \"\\\"a\"" },
    { "body match \"a\" b", "VALUE: must end with its closing quote, got \"\\\"a\\\" b\"" },
    { "body match \"a\\\"", "VALUE: must end with its closing quote, got \"\\\"a\\\\\\\"\"" },
    { "body match a\nb", "VALUE: must be UTF-8 without control characters, got \"a\\x0ab\"" },
    { "body match (", REGEX "\"(\"" },
    { "body match a)|(?:b", REGEX "\"a)|(?:b\"" },
    { "body mask [a", REGEX "\"[a\"" },
    { "body match (?x)a #",
      "VALUE: must be a regular expression that can be in parentheses, got \"(?x)a #\"" },
    { "body match \\((?R)?\\)",
      "VALUE: must be a regular expression without recursion into all of it, got "
      "\"\\\\((?R)?\\\\)\"" },
    { "body within x", NUMBER "\"x\"" },
    { "body within -1", NUMBER "\"-1\"" },
    { "body within 1e3", NUMBER "\"1e3\"" },
    { "body within .5", NUMBER "\".5\"" },
    { "body within 5.", NUMBER "\"5.\"" },
    { "body within 5.s", NUMBER "\"5.s\"" },
    { "body within s", NUMBER "\"s\"" },
    { "body within 2 s", NUMBER "\"2 s\"" },
    { "body within 2d", NUMBER "\"2d\"" },
    { "body within 1.2345s", NUMBER "\"1.2345s\"" },
    { "body within 123456789h", NUMBER "\"123456789h\"" },
    { "body key id", "VALUE: must be a slash and the name of a member, got \"id\"" },
    { "body key /a/b", "VALUE: must be a slash and the name of a member, got \"/a/b\"" },
    { "body key /*", "VALUE: must be a slash and the name of a member, got \"/*\"" },
    { "body key /~", "VALUE: must be a slash and the name of a member, got \"/~\"" },
};

START_TEST(errors_name_the_fault)
{
    mirror_compare_rule_t *rule = NULL;

    ck_assert_str_eq(mirror_compare_rule_parse(&rule, refused[_i][0], pool), refused[_i][1]);
    ck_assert_ptr_null(rule);
}
END_TEST

static char *repeated(const char *begin, char c, int n)
{
    char *text = apr_palloc(pool, strlen(begin) + (apr_size_t)n + 1);

    memcpy(text, begin, strlen(begin));
    memset(text + strlen(begin), c, (apr_size_t)n);
    text[strlen(begin) + (apr_size_t)n] = '\0';
    return text;
}

START_TEST(lengths_are_bounded)
{
    mirror_compare_rule_t *rule;

    rule_of(apr_pstrcat(pool, repeated("body/", 'a', 251), " ignore", NULL));
    ck_assert_str_eq(
        mirror_compare_rule_parse(
            &rule, apr_pstrcat(pool, repeated("body/", 'a', 252), " ignore", NULL), pool),
        "FIELD: must have at most 256 bytes, got 257");
    rule_of(apr_pstrcat(pool, repeated("body", '/', 128), " ignore", NULL));
    ck_assert_ptr_nonnull(
        strstr(mirror_compare_rule_parse(
                   &rule, apr_pstrcat(pool, repeated("body", '/', 129), " ignore", NULL), pool),
               "FIELD: must have at most 128 segments, got "));
    rule_of(repeated("body match ", 'a', 1024));
    ck_assert_str_eq(mirror_compare_rule_parse(&rule, repeated("body match ", 'a', 1025), pool),
                     "VALUE: must have at most 1024 bytes, got 1025");
}
END_TEST

START_TEST(a_key_is_unescaped)
{
    apr_size_t len;
    const char *key = mirror_compare_rule_key(&len, rule_of("body/x key /a~1b~0~2"));

    ck_assert_uint_eq(len, 5);
    ck_assert_int_eq(memcmp(key, "a/b~*", 5), 0);
}
END_TEST

static const value_row_t values[] = {
    { "body ignore", "1", "2", 1 },  { "body presence", "1", "2", 1 },
    { "body secret", "1", "2", 0 },  { "body unordered", "1", "2", 0 },
    { "body compare", "1", "2", 0 },
};

START_TEST(actions_without_value_need_no_look_at_values)
{
    check_values(&values[_i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("compare_rule");
    TCase *tcase = tcase_create("compare_rule");

    apr_initialize();
    tcase_add_checked_fixture(tcase, setup, teardown);
    ADD(rules_have_a_canonical_text, accepted);
    ADD(errors_name_the_fault, refused);
    tcase_add_test(tcase, lengths_are_bounded);
    tcase_add_test(tcase, a_key_is_unescaped);
    ADD(actions_without_value_need_no_look_at_values, values);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
