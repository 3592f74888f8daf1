/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_authority.c - host:port: what is split, and what is refused.
 */
#include <string.h>

#include <apr_general.h>
#include <check.h>

#include "base/authority.h"
#include "suite.h"

typedef struct row_t {
    const char *text, *host;
    int is_bracketed;
    apr_port_t port;
} row_t;

static const row_t rows[] = {
    { "a", "a", 0, 0 },
    { "a.example.com:8080", "a.example.com", 0, 8080 },
    { "127.0.0.1:1", "127.0.0.1", 0, 1 },
    { "a:65535", "a", 0, 65535 },
    { "a:00080", "a", 0, 80 },
    { "[::1]", "::1", 1, 0 },
    { "[::1]:6379", "::1", 1, 6379 },
    { "[]:1", "", 1, 1 },
    { "", "", 0, 0 },
    { ":80", "", 0, 80 },
};

static const char *const refused[][2] = {
    { "a:", "the port is malformed" },
    { "a:x", "the port is malformed" },
    { "a:1x", "the port is malformed" },
    { "a:-1", "the port is malformed" },
    { "a: 1", "the port is malformed" },
    { "a:000001", "the port is malformed" },
    { "a:123456789012345678901234567890", "the port is malformed" },
    { "a:0", "the port is out of range" },
    { "a:65536", "the port is out of range" },
    { "a:99999", "the port is out of range" },
    { "::1", "an IPv6 address must be in brackets" },
    { "a:1:2", "an IPv6 address must be in brackets" },
    { "[::1", "the bracket is not closed" },
    { "[::1]6379", "the port is malformed" },
    { "[::1]:", "the port is malformed" },
    { "[::1]:1:2", "the port is malformed" },
};

static const row_t last[] = {
    { "10.0.0.1:6379", "10.0.0.1", 0, 6379 },
    { "2001:db8::1:6379", "2001:db8::1", 0, 6379 },
    { ":6379", "", 0, 6379 },
    { "a", "a", 0, 0 },
};

static void check_row(const char *why, const mirror_authority_t *authority, const row_t *row)
{
    ck_assert_msg(why == NULL, "%s: %s", row->text, why ? why : "");
    ck_assert_uint_eq(authority->length, strlen(row->host));
    ck_assert_int_eq(memcmp(authority->host, row->host, authority->length), 0);
    ck_assert_int_eq(authority->is_bracketed, row->is_bracketed);
    ck_assert_uint_eq(authority->port, row->port);
}

START_TEST(host_and_port_are_split)
{
    mirror_authority_t authority;

    check_row(mirror_authority_split(&authority, rows[_i].text), &authority, &rows[_i]);
}
END_TEST

START_TEST(the_last_colon_is_before_the_port)
{
    mirror_authority_t authority;

    check_row(mirror_authority_split_last(&authority, last[_i].text), &authority, &last[_i]);
}
END_TEST

START_TEST(all_else_is_refused_with_a_reason)
{
    mirror_authority_t authority;

    ck_assert_str_eq(mirror_authority_split(&authority, refused[_i][0]), refused[_i][1]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("authority");
    TCase *tcase = tcase_create("authority");

    tcase_add_loop_test(tcase, host_and_port_are_split, 0, sizeof(rows) / sizeof(*rows));
    tcase_add_loop_test(tcase, the_last_colon_is_before_the_port, 0, sizeof(last) / sizeof(*last));
    tcase_add_loop_test(tcase, all_else_is_refused_with_a_reason, 0,
                        sizeof(refused) / sizeof(*refused));
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
