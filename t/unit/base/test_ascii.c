/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_ascii.c - which characters a token has (RFC 9110 5.6.2), and their lower case.
 */
#include <string.h>

#include <check.h>

#include "base/ascii.h"
#include "suite.h"

static const char tokens[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz";
static const char upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

START_TEST(characters_of_tokens)
{
    int c;

    for (c = 0; c < 256; c++) {
        char expected = c && strchr(tokens, c)  ? (char)c
                        : c && strchr(upper, c) ? (char)(c + 'a' - 'A')
                                                : '\0';

        ck_assert_int_eq(mirror_ascii_token_lower((char)c), expected);
        ck_assert_int_eq(mirror_ascii_is_token_char((char)c), expected != '\0');
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ascii");
    TCase *tcase = tcase_create("ascii");

    tcase_add_test(tcase, characters_of_tokens);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
