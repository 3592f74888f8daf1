/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_frames.c - which streams of a client's connection of HTTP/2 have ended, wherever its bytes
 * are cut.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "capture/frames.h"
#include "suite.h"

enum { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, CONTINUATION = 9 };
enum { END_STREAM = 1, PADDED = 8, PRIORITY_FLAG = 0x20 };

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
static mirror_frames_t frames;
static char bytes[200000];
static apr_size_t filled;

static void setup(void)
{
    memset(&frames, 0, sizeof(frames));
    filled = sizeof(preface) - 1;
    memcpy(bytes, preface, filled);
}

/* Append a frame; the first byte of its content is `pad`. */
static void frame(int type, int flags, apr_uint32_t id, apr_size_t len, int pad)
{
    const unsigned char head[] = { (unsigned char)(len >> 16), (unsigned char)(len >> 8),
                                   (unsigned char)len,         (unsigned char)type,
                                   (unsigned char)flags,       (unsigned char)(id >> 24),
                                   (unsigned char)(id >> 16),  (unsigned char)(id >> 8),
                                   (unsigned char)id };

    ck_assert_uint_lt(filled + sizeof(head) + len, sizeof(bytes));
    memcpy(bytes + filled, head, sizeof(head));
    memset(bytes + filled + sizeof(head), pad, len);
    filled += sizeof(head) + len;
}

/* Pass the bytes on in pieces of `piece`, each in a block of its own size. */
static void pass(apr_size_t piece)
{
    apr_size_t at = 0;

    while (at < filled) {
        apr_size_t n = piece < filled - at ? piece : filled - at;
        char *copy = malloc(n);

        memcpy(copy, bytes + at, n);
        mirror_frames_read(&frames, copy, n);
        free(copy);
        at += n;
    }
    filled = 0;
}

static mirror_frames_body_e body(apr_uint32_t id)
{
    apr_uint64_t length = 0;

    return mirror_frames_body(&frames, id, &length);
}

static void ck_assert_whole(apr_uint32_t id, apr_uint64_t expected)
{
    apr_uint64_t length = 0;

    ck_assert_int_eq(mirror_frames_body(&frames, id, &length), MIRROR_FRAMES_WHOLE);
    ck_assert_uint_eq(length, expected);
}

START_TEST(ends_wherever_the_bytes_are_cut)
{
    apr_size_t piece;

    for (piece = 1; piece < 60; piece++) {
        setup();
        frame(SETTINGS, 0, 0, 12, 0);
        frame(HEADERS, 4, 1, 20, 'h');
        frame(DATA, 0, 1, 0, 0);
        frame(HEADERS, 0, 3, 5, 'h');
        frame(CONTINUATION, END_STREAM, 3, 5, 'h'); /* it has no such flag */
        frame(DATA, 0, 1, 300, 'x');
        frame(DATA, END_STREAM | PADDED, 1, 100, 9);
        frame(HEADERS, END_STREAM, 5, 7, 'h');
        frame(HEADERS, 0, 7, 7, 'h');
        frame(DATA, 0, 7, 70, 'x');
        frame(HEADERS, END_STREAM, 7, 7, 't'); /* trailers */
        frame(HEADERS, 0, 9, 7, 'h');
        frame(DATA, 0, 9, 5, 'x');
        frame(RST_STREAM, 0, 9, 4, 0);
        frame(DATA, END_STREAM, 9, 0, 0); /* too late */
        pass(piece);
        ck_assert_whole(1, 300 + 90);
        ck_assert_int_eq(body(3), MIRROR_FRAMES_CUT);
        ck_assert_whole(5, 0);
        ck_assert_whole(7, 70);
        ck_assert_int_eq(body(9), MIRROR_FRAMES_CUT);
        ck_assert_int_eq(body(11), MIRROR_FRAMES_UNKNOWN);
        ck_assert_int_eq(body(0), MIRROR_FRAMES_UNKNOWN);
    }
}
END_TEST

START_TEST(a_reset_after_the_end_changes_nothing)
{
    frame(HEADERS, 0, 1, 7, 'h');
    frame(DATA, END_STREAM, 1, 5, 'x');
    frame(RST_STREAM, 0, 1, 4, 0);
    frame(DATA, END_STREAM, 1, 5, 'x');
    frame(HEADERS, 0, 1, 7, 'h');
    pass(1000);
    ck_assert_whole(1, 5);
}
END_TEST

START_TEST(no_stream_begins_twice)
{
    frame(HEADERS, 0, 5, 7, 'h');
    frame(DATA, 0, 5, 5, 'x');
    frame(RST_STREAM, 0, 5, 4, 0);
    frame(HEADERS, 0, 5, 7, 'h');
    frame(DATA, END_STREAM, 5, 5, 'x');
    frame(HEADERS, 0, 3, 7, 'h'); /* lower than one that has begun */
    frame(HEADERS, 0, 8, 7, 'h'); /* a client's are odd */
    frame(DATA, END_STREAM, 8, 5, 'x');
    frame(DATA, END_STREAM, 0, 5, 'x');
    pass(1000);
    ck_assert_int_eq(body(5), MIRROR_FRAMES_CUT);
    ck_assert_int_eq(body(3), MIRROR_FRAMES_UNKNOWN);
    ck_assert_int_eq(body(8), MIRROR_FRAMES_UNKNOWN);
}
END_TEST

START_TEST(a_later_stream_takes_the_slot)
{
    apr_uint32_t id = 1 + 2 * MIRROR_FRAMES_SLOTS;

    frame(HEADERS, 0, 1, 7, 'h');
    frame(DATA, 0, 1, 5, 'x');
    frame(HEADERS, 0, id, 7, 'h');
    frame(DATA, 0, 1, 5, 'x');
    frame(DATA, END_STREAM, 1, 5, 'x');
    pass(1000);
    ck_assert_int_eq(body(1), MIRROR_FRAMES_UNKNOWN);
    ck_assert_int_eq(body(id), MIRROR_FRAMES_CUT);
    frame(DATA, END_STREAM, id, 8, 'x');
    pass(1000);
    ck_assert_whole(id, 8);
    frame(HEADERS, END_STREAM, 0x7fffffff, 7, 'h');
    pass(1);
    ck_assert_whole(0x7fffffff, 0);
    ck_assert_int_eq(body(0xffffffff), MIRROR_FRAMES_UNKNOWN);
}
END_TEST

/* The number of a stream has 31 bits; the other one is ignored (RFC 9113 4.1). */
START_TEST(the_reserved_bit_is_ignored)
{
    frame(HEADERS, 0, 0x80000001, 7, 'h');
    frame(DATA, END_STREAM, 0x80000001, 5, 'x');
    pass(3);
    ck_assert_whole(1, 5);
}
END_TEST

START_TEST(padding_that_is_too_long_ends_parsing)
{
    frame(HEADERS, 0, 1, 7, 'h');
    frame(DATA, END_STREAM | PADDED, 1, 5, 5);
    frame(DATA, END_STREAM, 1, 5, 'x');
    pass(1);
    ck_assert_int_eq(body(1), MIRROR_FRAMES_CUT);
    setup();
    frame(HEADERS, 0, 1, 7, 'h');
    frame(DATA, END_STREAM | PADDED, 1, 0, 0);
    frame(DATA, END_STREAM, 1, 5, 'x');
    pass(1000);
    ck_assert_int_eq(body(1), MIRROR_FRAMES_CUT);
    setup();
    frame(HEADERS, 0, 1, 7, 'h');
    frame(DATA, END_STREAM | PADDED, 1, 5, 4);
    pass(1);
    ck_assert_whole(1, 0);
}
END_TEST

START_TEST(other_bytes_are_no_preface)
{
    ck_assert(mirror_frames_are_there(bytes, 24));
    ck_assert(mirror_frames_are_there("P", 1));
    ck_assert(!mirror_frames_are_there("", 0));
    ck_assert(!mirror_frames_are_there("PRI * HTTP/1.0", 14));
    ck_assert(!mirror_frames_are_there("GET / HTTP/1.1\r\n", 16));
    bytes[20] = 'X';
    frame(HEADERS, END_STREAM, 1, 7, 'h');
    pass(7);
    ck_assert_int_eq(body(1), MIRROR_FRAMES_UNKNOWN);
}
END_TEST

START_TEST(nothing_is_known_after_missed_bytes)
{
    frame(HEADERS, END_STREAM, 1, 7, 'h');
    frame(HEADERS, 0, 3, 7, 'h');
    pass(1000);
    mirror_frames_lose(&frames);
    frame(HEADERS, END_STREAM, 5, 7, 'h');
    pass(1000);
    ck_assert_int_eq(body(1), MIRROR_FRAMES_UNKNOWN);
    ck_assert_int_eq(body(3), MIRROR_FRAMES_UNKNOWN);
    ck_assert_int_eq(body(5), MIRROR_FRAMES_UNKNOWN);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("frames");
    TCase *tcase = tcase_create("frames");

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, ends_wherever_the_bytes_are_cut);
    tcase_add_test(tcase, a_reset_after_the_end_changes_nothing);
    tcase_add_test(tcase, no_stream_begins_twice);
    tcase_add_test(tcase, a_later_stream_takes_the_slot);
    tcase_add_test(tcase, the_reserved_bit_is_ignored);
    tcase_add_test(tcase, padding_that_is_too_long_ends_parsing);
    tcase_add_test(tcase, other_bytes_are_no_preface);
    tcase_add_test(tcase, nothing_is_known_after_missed_bytes);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
