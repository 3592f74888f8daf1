/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_decode.c - content codings: which are undone, and which bodies are refused.
 */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <check.h>

#include "compare/decode.h"
#include "suite.h"

#define TEXT "Hello, hello, hello, mirror"
/* Window bits of deflateInit2(). */
#define GZIP (15 + 16)
#define ZLIB 15
#define RAW  (-15)

typedef struct bytes_t {
    unsigned char *data;
    apr_size_t len;
} bytes_t;

static bytes_t compress_as(int bits, const void *data, apr_size_t len)
{
    bytes_t out;
    z_stream z;

    memset(&z, 0, sizeof(z));
    ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    out.len = deflateBound(&z, len);
    out.data = malloc(out.len);
    z.next_in = (z_const Bytef *)data;
    z.avail_in = (uInt)len;
    z.next_out = out.data;
    z.avail_out = (uInt)out.len;
    ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    out.len = z.total_out;
    deflateEnd(&z);
    return out;
}

static bytes_t compress_run(int bits, apr_size_t len)
{
    char *data = malloc(len);
    bytes_t out;

    memset(data, 'a', len);
    out = compress_as(bits, data, len);
    free(data);
    return out;
}

/* Decode from a block of its exact size, so that a sanitizer sees one byte read too many. */
static mirror_decode_e decode(mirror_decoded_t *decoded, const char *codings, const void *data,
                              apr_size_t len)
{
    char *block = malloc(len ? len : 1);
    mirror_decode_e result;

    memcpy(block, data, len);
    result = mirror_decode(decoded, codings, block, len);
    free(block);
    ck_assert(result == MIRROR_DECODE_DONE ? decoded->data != NULL : decoded->data == NULL);
    return result;
}

static void check_text(const char *codings, const void *data, apr_size_t len)
{
    mirror_decoded_t decoded;

    ck_assert_int_eq(decode(&decoded, codings, data, len), MIRROR_DECODE_DONE);
    ck_assert_uint_eq(decoded.len, strlen(TEXT));
    ck_assert_int_eq(memcmp(decoded.data, TEXT, decoded.len), 0);
    free(decoded.data);
}

static void check_result(mirror_decode_e expected, const char *codings, const void *data,
                         apr_size_t len)
{
    mirror_decoded_t decoded;
    mirror_decode_e result = decode(&decoded, codings, data, len);

    free(decoded.data);
    ck_assert_msg(result == expected, "%s, %lu bytes: %d, not %d", codings, (unsigned long)len,
                  result, expected);
}

static const struct {
    const char *codings;
    int bits;
} known[] = {
    { "gzip", GZIP },
    { "GZip", GZIP },
    { "x-gzip", GZIP },
    { " ,gzip\t, ,", GZIP },
    { "deflate", ZLIB },
    { "deflate", RAW },
    { "identity, deflate", ZLIB },
    { "gzip,Identity", GZIP },
};

START_TEST(a_known_coding_is_undone)
{
    bytes_t body = compress_as(known[_i].bits, TEXT, strlen(TEXT));

    check_text(known[_i].codings, body.data, body.len);
    free(body.data);
}
END_TEST

START_TEST(each_prefix_of_a_body_is_refused)
{
    bytes_t body = compress_as(known[_i].bits, TEXT, strlen(TEXT));
    apr_size_t len;

    for (len = 1; len < body.len; len++) {
        check_result(MIRROR_DECODE_FAILED, known[_i].codings, body.data, len);
    }
    free(body.data);
}
END_TEST

START_TEST(trailing_bytes_are_refused)
{
    bytes_t body = compress_as(known[_i].bits, TEXT, strlen(TEXT));

    body.data = realloc(body.data, body.len + 1);
    body.data[body.len] = 0;
    check_result(MIRROR_DECODE_FAILED, known[_i].codings, body.data, body.len + 1);
    free(body.data);
}
END_TEST

START_TEST(no_coding_leaves_the_body_as_it_is)
{
    static const char *const none[] = { NULL, "",         " ",
                                        ",",  "identity", "Identity , identity,identity" };

    check_result(MIRROR_DECODE_IDENTITY, none[_i], TEXT, strlen(TEXT));
    check_result(MIRROR_DECODE_IDENTITY, none[_i], "", 0);
}
END_TEST

START_TEST(an_unknown_coding_is_refused)
{
    static const char *const unknown[] = { "zstd",  "compress",   "gzi",
                                           "gzipp", "gzip;q=1",   "*",
                                           "br2",   "gzip, zstd", "zstd, gzip" };
    bytes_t body = compress_as(GZIP, TEXT, strlen(TEXT));

    check_result(MIRROR_DECODE_FAILED, unknown[_i], body.data, body.len);
    free(body.data);
}
END_TEST

START_TEST(a_body_that_is_not_coded_is_refused)
{
    static const char *const codings[] = { "gzip", "deflate", "br", "gzip, deflate" };

    check_result(MIRROR_DECODE_FAILED, codings[_i], TEXT, strlen(TEXT));
    check_result(MIRROR_DECODE_FAILED, codings[_i], "\0", 1);
    check_result(MIRROR_DECODE_FAILED, codings[_i], "\xff\xff\xff\xff\xff\xff", 6);
}
END_TEST

START_TEST(an_empty_body_is_empty)
{
    static const char *const codings[] = { "gzip", "deflate", "br", "gzip, gzip", "zstd" };
    mirror_decoded_t decoded;

    ck_assert_int_eq(decode(&decoded, codings[_i], "", 0), MIRROR_DECODE_DONE);
    ck_assert_uint_eq(decoded.len, 0);
    free(decoded.data);
}
END_TEST

START_TEST(two_codings_are_undone_in_reverse)
{
    bytes_t inner = compress_as(ZLIB, TEXT, strlen(TEXT));
    bytes_t outer = compress_as(GZIP, inner.data, inner.len);
    bytes_t third = compress_as(GZIP, outer.data, outer.len);

    check_text("deflate, gzip", outer.data, outer.len);
    check_text("identity, deflate, identity, gzip", outer.data, outer.len);
    check_result(MIRROR_DECODE_FAILED, "gzip, deflate", outer.data, outer.len);
    check_result(MIRROR_DECODE_FAILED, "deflate, gzip, gzip", third.data, third.len);
    free(inner.data);
    free(outer.data);
    free(third.data);
}
END_TEST

START_TEST(an_empty_inner_body_is_refused)
{
    bytes_t body = compress_as(GZIP, "", 0);
    mirror_decoded_t decoded;

    ck_assert_int_eq(decode(&decoded, "gzip", body.data, body.len), MIRROR_DECODE_DONE);
    ck_assert_uint_eq(decoded.len, 0);
    free(decoded.data);
    check_result(MIRROR_DECODE_FAILED, "gzip, gzip", body.data, body.len);
    free(body.data);
}
END_TEST

START_TEST(checksums_and_lengths_are_checked)
{
    bytes_t body = compress_as(known[_i].bits, TEXT, strlen(TEXT));
    apr_size_t i;

    if (known[_i].bits != RAW) {
        for (i = body.len - (known[_i].bits == GZIP ? 8 : 4); i < body.len; i++) {
            body.data[i] ^= 1;
            check_result(MIRROR_DECODE_FAILED, known[_i].codings, body.data, body.len);
            body.data[i] ^= 1;
        }
    }
    free(body.data);
}
END_TEST

/* `count` copies of the member of `text`. */
static bytes_t repeat_member(const char *text, int count)
{
    bytes_t one = compress_as(GZIP, text, strlen(text));
    bytes_t all = { malloc(one.len * count), one.len * count };
    int i;

    for (i = 0; i < count; i++) {
        memcpy(all.data + i * one.len, one.data, one.len);
    }
    free(one.data);
    return all;
}

START_TEST(members_are_joined)
{
    bytes_t all = repeat_member("abc", 3);
    mirror_decoded_t decoded;

    ck_assert_int_eq(decode(&decoded, "gzip", all.data, all.len), MIRROR_DECODE_DONE);
    ck_assert_uint_eq(decoded.len, 9);
    ck_assert_int_eq(memcmp(decoded.data, "abcabcabc", 9), 0);
    free(decoded.data);
    check_result(MIRROR_DECODE_FAILED, "gzip", all.data, all.len - 1);
    free(all.data);
}
END_TEST

START_TEST(members_have_a_limit)
{
    bytes_t all = repeat_member("", 1025);

    check_result(MIRROR_DECODE_FAILED, "gzip", all.data, all.len);
    check_result(MIRROR_DECODE_DONE, "gzip", all.data, all.len / 1025 * 1024);
    free(all.data);
}
END_TEST

START_TEST(a_dictionary_is_refused)
{
    check_result(MIRROR_DECODE_FAILED, "deflate", "\x78\xbb\x00\x00\x00\x01\x03\x00\x00\x00", 10);
}
END_TEST

/* Hard to compress, so that the ratio does not matter. */
static bytes_t compress_noise(apr_size_t len)
{
    unsigned char *data = malloc(len);
    unsigned seed = 1;
    apr_size_t i;
    bytes_t out;

    for (i = 0; i < len; i++) {
        seed = seed * 1664525u + 1013904223u;
        data[i] = (unsigned char)(seed >> 24);
    }
    out = compress_as(GZIP, data, len);
    free(data);
    return out;
}

START_TEST(the_decoded_length_has_a_limit)
{
    bytes_t most = compress_noise(MIRROR_DECODED_MAX);
    bytes_t over = compress_noise(MIRROR_DECODED_MAX + 1);
    mirror_decoded_t decoded;

    ck_assert_int_eq(decode(&decoded, "gzip", most.data, most.len), MIRROR_DECODE_DONE);
    ck_assert_uint_eq(decoded.len, MIRROR_DECODED_MAX);
    free(decoded.data);
    check_result(MIRROR_DECODE_TOO_LARGE, "gzip", over.data, over.len);
    free(most.data);
    free(over.data);
}
END_TEST

static const struct {
    int bits;
    apr_size_t len;
    mirror_decode_e result;
} runs[] = {
    /* about 1 : 1000 */
    { GZIP, 65536, MIRROR_DECODE_DONE },          { GZIP, 1000000, MIRROR_DECODE_DONE },
    { RAW, 1020000, MIRROR_DECODE_TOO_LARGE },    { GZIP, 1048577, MIRROR_DECODE_TOO_LARGE },
    { ZLIB, 100000000, MIRROR_DECODE_TOO_LARGE },
};

START_TEST(a_bomb_is_given_up)
{
    bytes_t body = compress_run(runs[_i].bits, runs[_i].len);

    check_result(runs[_i].result, runs[_i].bits == GZIP ? "gzip" : "deflate", body.data, body.len);
    free(body.data);
}
END_TEST

START_TEST(a_bomb_in_a_coding_is_given_up)
{
    bytes_t inner = compress_run(GZIP, 1000000);
    bytes_t outer = compress_as(GZIP, inner.data, inner.len);

    ck_assert_uint_lt(outer.len, 200);
    check_result(MIRROR_DECODE_TOO_LARGE, "gzip, gzip", outer.data, outer.len);
    free(inner.data);
    free(outer.data);
}
END_TEST

#ifdef MIRROR_HAVE_BROTLI
/* TEXT, and runs of 'a' of 64 KiB, one byte more and 1 MiB, by brotli's own encoder. */
static const unsigned char br_text[] = { 0x0b, 0x0d, 0x80, 0x48, 0x65, 0x6c, 0x6c, 0x6f,
                                         0x2c, 0x20, 0x68, 0x65, 0x6c, 0x6c, 0x6f, 0x2c,
                                         0x20, 0x68, 0x65, 0x6c, 0x6c, 0x6f, 0x2c, 0x20,
                                         0x6d, 0x69, 0x72, 0x72, 0x6f, 0x72, 0x03 };
static const unsigned char br_64k[] = { 0x1b, 0xff, 0xff, 0xf8, 0x25, 0xc2, 0xe2,
                                        0xb1, 0x40, 0x20, 0xf7, 0x1e, 0x00 };
static const unsigned char br_64k_1[] = { 0x5b, 0x00, 0x00, 0x81, 0x5f, 0x22, 0x2c,
                                          0x1e, 0x0b, 0x04, 0x74, 0xef, 0x01, 0x00 };
static const unsigned char br_1m[] = { 0x5b, 0xff, 0xff, 0x8f, 0x5f, 0x22, 0x2c,
                                       0x1e, 0x0b, 0x04, 0x72, 0xef, 0x1f, 0x00 };

START_TEST(brotli_is_undone)
{
    unsigned char more[sizeof(br_text) + 1] = { 0 };
    apr_size_t len;

    check_text("br", br_text, sizeof(br_text));
    check_text(" BR", br_text, sizeof(br_text));
    for (len = 1; len < sizeof(br_text); len++) {
        check_result(MIRROR_DECODE_FAILED, "br", br_text, len);
    }
    memcpy(more, br_text, sizeof(br_text));
    check_result(MIRROR_DECODE_FAILED, "br", more, sizeof(more));
}
END_TEST

START_TEST(a_bomb_of_brotli_is_given_up)
{
    check_result(MIRROR_DECODE_DONE, "br", br_64k, sizeof(br_64k));
    check_result(MIRROR_DECODE_TOO_LARGE, "br", br_64k_1, sizeof(br_64k_1));
    check_result(MIRROR_DECODE_TOO_LARGE, "br", br_1m, sizeof(br_1m));
}
END_TEST

START_TEST(brotli_may_be_one_of_two_codings)
{
    bytes_t outer = compress_as(GZIP, br_text, sizeof(br_text));

    check_text("br, gzip", outer.data, outer.len);
    check_result(MIRROR_DECODE_FAILED, "gzip, br", outer.data, outer.len);
    check_result(MIRROR_DECODE_FAILED, "gzip, br, gzip", outer.data, outer.len);
    free(outer.data);
}
END_TEST
#else
START_TEST(brotli_is_unknown)
{
    check_result(MIRROR_DECODE_FAILED, "br", "\x3b", 1);
}
END_TEST
#endif

static void add_brotli(TCase *tcase)
{
#ifdef MIRROR_HAVE_BROTLI
    tcase_add_test(tcase, brotli_is_undone);
    tcase_add_test(tcase, a_bomb_of_brotli_is_given_up);
    tcase_add_test(tcase, brotli_may_be_one_of_two_codings);
#else
    tcase_add_test(tcase, brotli_is_unknown);
#endif
}

int main(void)
{
    const int codings = sizeof(known) / sizeof(*known);
    Suite *suite = suite_create("decode");
    TCase *tcase = tcase_create("decode");

    tcase_add_loop_test(tcase, a_known_coding_is_undone, 0, codings);
    tcase_add_loop_test(tcase, each_prefix_of_a_body_is_refused, 0, codings);
    tcase_add_loop_test(tcase, trailing_bytes_are_refused, 0, codings);
    tcase_add_loop_test(tcase, no_coding_leaves_the_body_as_it_is, 0, 6);
    tcase_add_loop_test(tcase, an_unknown_coding_is_refused, 0, 9);
    tcase_add_loop_test(tcase, a_body_that_is_not_coded_is_refused, 0, 4);
    tcase_add_loop_test(tcase, an_empty_body_is_empty, 0, 5);
    tcase_add_test(tcase, two_codings_are_undone_in_reverse);
    tcase_add_test(tcase, an_empty_inner_body_is_refused);
    tcase_add_loop_test(tcase, checksums_and_lengths_are_checked, 0, codings);
    tcase_add_test(tcase, members_are_joined);
    tcase_add_test(tcase, members_have_a_limit);
    tcase_add_test(tcase, a_dictionary_is_refused);
    tcase_add_test(tcase, the_decoded_length_has_a_limit);
    tcase_add_loop_test(tcase, a_bomb_is_given_up, 0, sizeof(runs) / sizeof(*runs));
    tcase_add_test(tcase, a_bomb_in_a_coding_is_given_up);
    add_brotli(tcase);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
