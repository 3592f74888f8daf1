/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_pieces.c - which of three texts stands alone.
 */
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "compare/pieces.h"
#include "suite.h"

static const struct {
    const char *primary, *mirror, *reference;
    int mirror_alone, reference_alone;
    apr_size_t at;
} texts[] = {
    { "a", "b", "c", 0, 0, 1 },
    { "a", "b", "a", 1, 0, 0 },
    { "a", "a", "b", 0, 1, 1 },
    { "a", "b", "b", 0, 0, 1 },
    { "", "", "", 0, 0, 0 },
    { "", "a", "", 1, 0, 0 },
    { "", "a", "b", 0, 0, 0 },
    { "a", "", "", 0, 0, 1 },
    /* a token beside what is steady */
    { "one\n1\ntwo\n", "one\n2\ntwo\n", "one\n3\ntwo\n", 0, 0, 10 },
    { "one\n1\ntwo\n", "one\n2\nTWO\n", "one\n3\ntwo\n", 1, 0, 6 },
    { "one\n1\ntwo\n", "one\n2\ntwo\n", "one\n3\nTWO\n", 0, 1, 10 },
    { "one\n1\ntwo\n", "one\n2\nTWO\n", "ONE\n3\ntwo\n", 1, 1, 6 },
    { "<p>1<p>two", "<p>2<p>TWO", "<p>3<p>two", 1, 0, 4 },
    { "<p>1<p>two", "<p>2 and more<p>two", "<p><p>two", 0, 0, 10 },
    { "<p>1 two", "<p>2 TWO", "<p>3 two", 0, 0, 8 }, /* in one piece with it */
    /* more or fewer pieces */
    { "1\ntwo\n", "2\ntwo\nmore", "3\ntwo\n", 1, 0, 6 },
    { "1\ntwo\n", "2\n", "3\ntwo\n", 1, 0, 2 },
    { "1\ntwo\n", "2\ntwo\n", "3\n", 0, 1, 6 },
    { "1\ntwo\n", "2\n", "3\n", 0, 0, 2 },
    { "1\ntwo\n", "2\n", "3\ntwo\nmore", 0, 0, 2 },
};

/* In memory of its own, so that a sanitizer finds each byte too many. */
static const char *own(const char *text)
{
    size_t len = strlen(text);
    char *copy = malloc(len > 0 ? len : 1);

    memcpy(copy, text, len);
    return copy;
}

static void compare(mirror_pieces_t *pieces, const char *a, const char *b, const char *c)
{
    const char *const all[3] = { own(a), own(b), own(c) };
    const apr_size_t lens[3] = { strlen(a), strlen(b), strlen(c) };
    int i;

    ck_assert(mirror_pieces_compare(pieces, all, lens));
    ck_assert_uint_le(pieces->at[0], lens[0]);
    ck_assert_uint_le(pieces->at[1], lens[1]);
    for (i = 0; i < 3; i++) {
        free((void *)all[i]);
    }
}

START_TEST(the_one_that_stands_alone_is_found)
{
    mirror_pieces_t pieces, exchanged;

    compare(&pieces, texts[_i].primary, texts[_i].mirror, texts[_i].reference);
    ck_assert_int_eq(pieces.mirror_alone, texts[_i].mirror_alone);
    ck_assert_int_eq(pieces.reference_alone, texts[_i].reference_alone);
    if (pieces.mirror_alone) {
        ck_assert_uint_eq(pieces.at[0], texts[_i].at);
    }
    compare(&exchanged, texts[_i].primary, texts[_i].reference, texts[_i].mirror);
    ck_assert_int_eq(exchanged.mirror_alone, pieces.reference_alone);
    ck_assert_int_eq(exchanged.reference_alone, pieces.mirror_alone);
}
END_TEST

START_TEST(what_the_mirror_has_behind_all_is_where_it_stands_alone)
{
    mirror_pieces_t pieces;

    compare(&pieces, "1\ntwo\n", "22\ntwo\nmore\nand more\n", "3\ntwo\n");
    ck_assert(pieces.mirror_alone);
    ck_assert_uint_eq(pieces.at[0], 6);
    ck_assert_uint_eq(pieces.at[1], 7);
}
END_TEST

/* One that has too many is still another one than the other two. */
START_TEST(too_many_pieces_are_not_compared)
{
    static char text[MIRROR_PIECES_MAX + 1];
    const char *all[3] = { "a", "b", text };
    apr_size_t lens[3] = { 1, 1, MIRROR_PIECES_MAX };
    mirror_pieces_t pieces;

    memset(text, '<', sizeof(text));
    ck_assert(mirror_pieces_compare(&pieces, all, lens));
    ck_assert(pieces.reference_alone);
    lens[2]++;
    ck_assert(mirror_pieces_compare(&pieces, all, lens));
    ck_assert(pieces.reference_alone && !pieces.mirror_alone);
    all[1] = text;
    lens[1] = lens[2];
    ck_assert(!mirror_pieces_compare(&pieces, all, lens));
    all[2] = "a";
    lens[2] = 1;
    ck_assert(mirror_pieces_compare(&pieces, all, lens));
    ck_assert(pieces.mirror_alone && !pieces.reference_alone);
    all[0] = text;
    lens[0] = lens[1];
    ck_assert(!mirror_pieces_compare(&pieces, all, lens));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pieces");
    TCase *tcase = tcase_create("pieces");

    tcase_add_loop_test(tcase, the_one_that_stands_alone_is_found, 0,
                        sizeof(texts) / sizeof(*texts));
    tcase_add_test(tcase, what_the_mirror_has_behind_all_is_where_it_stands_alone);
    tcase_add_test(tcase, too_many_pieces_are_not_compared);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
