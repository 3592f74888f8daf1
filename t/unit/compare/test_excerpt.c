/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_excerpt.c - where two texts differ first.
 */
#include <string.h>

#include <apr_strings.h>
#include <check.h>

#include "compare/excerpt.h"
#include "suite.h"

#define TEN     "0123456789"
#define SIXTY   TEN TEN TEN TEN TEN TEN
#define HUNDRED SIXTY TEN TEN TEN TEN
#define LINES   SIXTY "\r\n" HUNDRED "\r\n"
#define SHARP_S "\xc3\x9f"

static mirror_values_t values;

static void prepare(void)
{
    memset(&values, 0xaa, sizeof(values));
    values.mode = MIRROR_VALUES_MODE_FULL;
}

static const struct {
    mirror_values_e mode;
    const char *a, *b;
    const char *kept[2];
} texts[] = {
    { MIRROR_VALUES_MODE_FULL, "a", "b", { "line 1: a", "line 1: b" } },
    { MIRROR_VALUES_MODE_FULL, "", "b", { "line 1: ", "line 1: b" } },
    { MIRROR_VALUES_MODE_FULL, "one\ntwo\n", "one\ntwo\nmore", { "line 3: ", "line 3: more" } },
    { MIRROR_VALUES_MODE_FULL,
      "one\r\ntwo 2 x\r\nsame\r\n",
      "one\r\ntwo 3\r\nsame\r\n",
      { "line 2: two 2 x", "line 2: two 3" } },
    { MIRROR_VALUES_MODE_FULL, "one\ntwo", "one", { "line 1: one", "line 1: one" } },
    { MIRROR_VALUES_MODE_FULL,
      TEN SIXTY "a",
      TEN SIXTY "b",
      { "line 1: " SIXTY "a", "line 1: " SIXTY "b" } },
    /* a character is not cut */
    { MIRROR_VALUES_MODE_FULL,
      "x" SHARP_S TEN TEN TEN TEN TEN "012345678a",
      "x" SHARP_S TEN TEN TEN TEN TEN "012345678b",
      { "line 1: " SHARP_S TEN TEN TEN TEN TEN "012345678a",
        "line 1: " SHARP_S TEN TEN TEN TEN TEN "012345678b" } },
    { MIRROR_VALUES_MODE_FULL,
      "a" HUNDRED HUNDRED,
      "b",
      { "line 1: a" HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN "012345678", "line 1: b" } },
    { MIRROR_VALUES_MODE_MASKED,
      "Order 17 of Alice",
      "Order 18 of Alice",
      { "line 1: aaaaa 99 aa aaaaa", "line 1: aaaaa 99 aa aaaaa" } },
    /* what may be secret */
    { MIRROR_VALUES_MODE_FULL,
      "<input name=\"csrf_token\" value=\"17\">",
      "<input name=\"csrf_token\" value=\"18\">",
      { "line 1: ***", "line 1: ***" } },
    { MIRROR_VALUES_MODE_FULL,
      "<password>\n17\n</password>",
      "<password>\n18\n</password>",
      { "line 2: ***", "line 2: ***" } },
    { MIRROR_VALUES_MODE_FULL, "17", "18 password=a", { "line 1: ***", "line 1: ***" } },
    { MIRROR_VALUES_MODE_FULL,
      "token=" HUNDRED HUNDRED SIXTY "a",
      "token=" HUNDRED HUNDRED SIXTY "b",
      { "line 1: ***", "line 1: ***" } },
    /* ... also if the name is behind it in a tag */
    { MIRROR_VALUES_MODE_FULL,
      "<input value=\"17\"\n name=\"pin\">",
      "<input value=\"18\"\n name=\"pin\">",
      { "line 1: ***", "line 1: ***" } },
    { MIRROR_VALUES_MODE_FULL,
      "<input value=\"a" HUNDRED HUNDRED HUNDRED HUNDRED "\" name=\"csrf\">",
      "<input value=\"b" HUNDRED HUNDRED HUNDRED HUNDRED "\" name=\"csrf\">",
      { "line 1: ***", "line 1: ***" } },
    { MIRROR_VALUES_MODE_FULL,
      "<p>17</p>\n<p>pin=1</p>",
      "<p>18</p>\n<p>pin=1</p>",
      { "line 1: <p>17</p>", "line 1: <p>18</p>" } },
    { MIRROR_VALUES_MODE_FULL, "17\npin=1", "18\npin=1", { "line 1: 17", "line 1: 18" } },
    /* ... however long it is: a JWT, a block of PEM */
    { MIRROR_VALUES_MODE_FULL,
      "token=" HUNDRED HUNDRED HUNDRED "." HUNDRED HUNDRED HUNDRED "_-+/=%a",
      "token=" HUNDRED HUNDRED HUNDRED "." HUNDRED HUNDRED HUNDRED "_-+/=%b",
      { "line 1: ***", "line 1: ***" } },
    { MIRROR_VALUES_MODE_FULL,
      "-----BEGIN RSA PRIVATE KEY-----\r\n" LINES LINES LINES "a",
      "-----BEGIN RSA PRIVATE KEY-----\r\n" LINES LINES LINES "b",
      { "line 8: ***", "line 8: ***" } },
    { MIRROR_VALUES_MODE_FULL,
      "token=" HUNDRED HUNDRED " " HUNDRED TEN TEN TEN TEN TEN TEN "a",
      "token=" HUNDRED HUNDRED " " HUNDRED TEN TEN TEN TEN TEN TEN "b",
      { "line 1: ***", "line 1: ***" } },
    { MIRROR_VALUES_MODE_FULL,
      "token=7 " HUNDRED " " HUNDRED TEN TEN TEN TEN TEN " " TEN "a",
      "token=7 " HUNDRED " " HUNDRED TEN TEN TEN TEN TEN " " TEN "b",
      { "line 1: ***", "line 1: ***" } },
    { MIRROR_VALUES_MODE_FULL,
      "token=7 " HUNDRED " " HUNDRED " " HUNDRED " " HUNDRED " " TEN "a",
      "token=7 " HUNDRED " " HUNDRED " " HUNDRED " " HUNDRED " " TEN "b",
      { "line 1: "
        "123456789" TEN TEN TEN TEN " " TEN "a",
        "line 1: "
        "123456789" TEN TEN TEN TEN " " TEN "b" } },
};

START_TEST(line_of_the_first_difference)
{
    values.mode = texts[_i].mode;
    mirror_excerpt_keep(&values, 7, texts[_i].a, strlen(texts[_i].a), texts[_i].b,
                        strlen(texts[_i].b));
    ck_assert_str_eq(values.text[7][0], texts[_i].kept[0]);
    ck_assert_str_eq(values.text[7][1], texts[_i].kept[1]);
}
END_TEST

START_TEST(number_of_a_late_line)
{
    static char a[400001], b[400001];

    memset(a, '\n', 400000);
    memset(b, '\n', 400000);
    a[399999] = 'a';
    mirror_excerpt_keep(&values, 63, a, 400000, b, 400000);
    ck_assert_str_eq(values.text[63][0], "line 400000: a");
    ck_assert_str_eq(values.text[63][1], "line 400000: ");
}
END_TEST

/* Bytes that are no text have no effect beyond their bounds. */
START_TEST(any_bytes)
{
    unsigned char a[600], b[600];
    unsigned seed = (unsigned)_i + 1;
    apr_size_t n;

    for (n = 0; n < sizeof(a); n++) {
        seed = seed * 1103515245U + 12345U;
        a[n] = b[n] = (unsigned char)(seed >> 16);
    }
    n = (seed >> 8) % sizeof(a);
    b[n] ^= 0x81;
    values.mode = _i % 2 ? MIRROR_VALUES_MODE_FULL : MIRROR_VALUES_MODE_MASKED;
    mirror_excerpt_keep(&values, 0, (const char *)a, sizeof(a), (const char *)b,
                        n + (seed >> 20) % (sizeof(b) - n));
    ck_assert_int_eq(strncmp(values.text[0][0], "line ", 5), 0);
    ck_assert_uint_le(strlen(values.text[0][0]), MIRROR_VALUES_MAX);
    ck_assert_uint_le(strlen(values.text[0][1]), MIRROR_VALUES_MAX);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("excerpt");
    TCase *tcase = tcase_create("excerpt");

    tcase_add_checked_fixture(tcase, prepare, NULL);
    tcase_add_loop_test(tcase, line_of_the_first_difference, 0, sizeof(texts) / sizeof(*texts));
    tcase_add_test(tcase, number_of_a_late_line);
    tcase_add_loop_test(tcase, any_bytes, 0, 500);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
