/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_http2_head.c - the fields of HTTP/2 that the head of a copy becomes.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "send/http2_head.h"
#include "suite.h"

#if MIRROR_HAVE_NGHTTP2

static mirror_http2_head_t options;
static char printed[4096];

/* The fields, as "name: value" and '|', with '!' before those that are not indexed. */
static const char *fields_of(const char *text)
{
    nghttp2_nv fields[64];
    char *copy = strdup(text);
    apr_size_t len = strlen(text), n, i;
    int at = 0;

    ck_assert_uint_le(mirror_http2_head_count(text, len), 64);
    n = mirror_http2_head_read(fields, copy, len, &options);
    ck_assert_uint_le(n, mirror_http2_head_count(text, len));
    printed[0] = '\0';
    for (i = 0; i < n; i++) {
        at += snprintf(printed + at, sizeof(printed) - (size_t)at, "%s%.*s: %.*s|",
                       fields[i].flags & NGHTTP2_NV_FLAG_NO_INDEX ? "!" : "",
                       (int)fields[i].namelen, (const char *)fields[i].name,
                       (int)fields[i].valuelen, (const char *)fields[i].value);
    }
    free(copy);
    return printed;
}

static void setup(void)
{
    memset(&options, 0, sizeof(options));
    options.scheme = "http";
}

START_TEST(pseudo_fields_are_first)
{
    ck_assert_str_eq(fields_of("GET /a?b HTTP/1.1\r\nX-A: 1\r\nHost: h:1\r\nX-B:2\r\n\r\n"),
                     ":method: GET|:scheme: http|:path: /a?b|:authority: h:1|x-a: 1|x-b: 2|");
    options.scheme = "https";
    ck_assert_str_eq(fields_of("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"),
                     ":method: OPTIONS|:scheme: https|:path: *|:authority: h|");
}
END_TEST

START_TEST(without_a_host)
{
    ck_assert_str_eq(fields_of("GET / HTTP/1.1\r\nA: b\r\n\r\n"),
                     ":method: GET|:scheme: http|:path: /|a: b|");
    ck_assert_str_eq(fields_of("GET / HTTP/1.1\r\n\r\n"), ":method: GET|:scheme: http|:path: /|");
}
END_TEST

START_TEST(the_first_host_and_the_same_for_a_second_attempt)
{
    nghttp2_nv fields[16];
    char text[] = "GET / HTTP/1.1\r\nHOST: a\r\nhost: b\r\nX-Y: Z\r\n\r\n";
    apr_size_t n = mirror_http2_head_read(fields, text, sizeof(text) - 1, &options);

    ck_assert_uint_eq(n, 5);
    ck_assert_uint_eq(mirror_http2_head_read(fields, text, sizeof(text) - 1, &options), 5);
    ck_assert(!memcmp(fields[3].value, "a", 1));
    ck_assert(!memcmp(fields[4].name, "x-y", 3));
    ck_assert(!memcmp(fields[4].value, "Z", 1));
}
END_TEST

START_TEST(what_is_of_the_connection)
{
    ck_assert_str_eq(fields_of("GET / HTTP/1.1\r\nHost: h\r\nConnection: x\r\nKeep-Alive: 1\r\n"
                               "TE: gzip\r\nTransfer-Encoding: chunked\r\nUpgrade: u\r\n"
                               "Proxy-Connection: y\r\nTest: 1\r\n\r\n"),
                     ":method: GET|:scheme: http|:path: /|:authority: h|test: 1|");
}
END_TEST

START_TEST(secrets_are_not_indexed)
{
    ck_assert_str_eq(
        fields_of("GET / HTTP/1.1\r\nHost: h\r\nCookie: c\r\nAuthorization: a\r\n\r\n"),
        ":method: GET|:scheme: http|:path: /|:authority: h|!cookie: c|!authorization: a|");
}
END_TEST

START_TEST(grpc_and_trailers)
{
    static const char text[] = "POST /s/m HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n";

    ck_assert_str_eq(fields_of(text), ":method: POST|:scheme: http|:path: /s/m|:authority: h|"
                                      "content-length: 5|");
    options.trailers = 1;
    ck_assert_str_eq(fields_of(text), ":method: POST|:scheme: http|:path: /s/m|:authority: h|"
                                      "content-length: 5|te: trailers|");
    options.grpc = 1;
    ck_assert_str_eq(fields_of(text),
                     ":method: POST|:scheme: http|:path: /s/m|:authority: h|te: trailers|");
}
END_TEST

START_TEST(white_space_and_lines_without_a_name)
{
    ck_assert_str_eq(
        fields_of("GET / HTTP/1.1\r\nHost: h\r\nA: \t b c \t\r\nB:\r\nB : 1\r\n: 2\r\nC\r\n"
                  "\r\nD: 1\r\n"),
        ":method: GET|:scheme: http|:path: /|:authority: h|a: b c|b: |");
}
END_TEST

START_TEST(characters_of_names)
{
    char text[] = "GET / HTTP/1.1\r\n?: 1\r\n\r\n";
    char *name = strchr(text, '?');
    char expected[80];
    int c;

    for (c = 1; c < 256; c++) {
        *name = (char)c;
        snprintf(expected, sizeof(expected), ":method: GET|:scheme: http|:path: /|%s",
                 mirror_ascii_is_token_char((char)c) ? "?: 1|" : "");
        if (strchr(expected, '?')) {
            *strchr(expected, '?') = mirror_ascii_lower((char)c);
        }
        ck_assert_str_eq(fields_of(text), expected);
    }
}
END_TEST

START_TEST(a_malformed_request_line)
{
    static const char *const lines[] = {
        "", "\r\n", "GET\r\n", "GET /\r\n", " / HTTP/1.1\r\n", "GET  HTTP/1.1\r\n", "GET / HTTP/1.1"
    };
    apr_size_t i;

    for (i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        ck_assert_str_eq(fields_of(lines[i]), "");
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http2_head");
    TCase *tcase = tcase_create("http2_head");

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, pseudo_fields_are_first);
    tcase_add_test(tcase, without_a_host);
    tcase_add_test(tcase, the_first_host_and_the_same_for_a_second_attempt);
    tcase_add_test(tcase, what_is_of_the_connection);
    tcase_add_test(tcase, secrets_are_not_indexed);
    tcase_add_test(tcase, grpc_and_trailers);
    tcase_add_test(tcase, white_space_and_lines_without_a_name);
    tcase_add_test(tcase, characters_of_names);
    tcase_add_test(tcase, a_malformed_request_line);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}

#else

/* This build has no HTTP/2: the test is skipped (automake's status 77). */
int main(void)
{
    return 77;
}

#endif
