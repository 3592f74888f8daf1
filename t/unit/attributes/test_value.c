/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_value.c - the types of values, each in the attributes that have it: what is read, and what
 * is refused how.
 */
#include "attributes.h"
#include "suite.h"

/* ---- values ---- */

START_TEST(test_bool)
{
    static const char *const yes[] = { "true", "on", "On", "TRUE" }, *const no[] = { "false", "off",
                                                                                     "OFF",
                                                                                     "False" };
    apr_size_t i;

    for (i = 0; i < 4; i++) {
        ck_assert_right(set(apr_pstrcat(pool, "body=", yes[i], NULL)));
        ck_assert_int_eq(settings.body, 1);
        ck_assert_right(set(apr_pstrcat(pool, "body=", no[i], NULL)));
        ck_assert_int_eq(settings.body, 0);
    }
    ck_assert_wrong(set("body=1"),
                    "body: must be true or false (in a directive, also on or off), got \"1\"");
    ck_assert_wrong(set("body="),
                    "body: must be true or false (in a directive, also on or off), got \"\"");
    ck_assert_wrong(set("body=truee"),
                    "body: must be true or false (in a directive, also on or off), got \"truee\"");
}
END_TEST

START_TEST(test_number)
{
    static const char *const bad[] = {
        "0", "65536", "-1", "1.5", "1e2", "99999999999999999999", "-9223372036854775808"
    };
    static const char *const odd[] = { "", "a", "+1", "1x", "0x10", "1 ", "-", "\xc2\xb2" };
    static const char *const quoted[] = { "", "a", "+1", "1x", "0x10", "1 ", "-", "\\xc2\\xb2" };
    apr_size_t i;

    ck_assert_right(set("max_connections=1"));
    ck_assert_right(set("max_connections=00065535"));
    ck_assert_int_eq(settings.max_connections, 65535);
    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        ck_assert_wrong(set(apr_pstrcat(pool, "max_connections=", bad[i], NULL)),
                        apr_pstrcat(pool,
                                    "max_connections: must be an integer from 1 to 65535, got ",
                                    bad[i], NULL));
        ck_assert(settings.set == 0 && settings.max_connections == 0);
    }
    for (i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
        ck_assert_wrong(set(apr_pstrcat(pool, "max_connections='", odd[i], "'", NULL)),
                        apr_pstrcat(pool,
                                    "max_connections: must be an integer from 1 to 65535, got \"",
                                    quoted[i], "\"", NULL));
    }
}
END_TEST

START_TEST(test_size)
{
    static const struct {
        const char *text;
        apr_int64_t size;
        const char *canonical;
    } good[] = { { "0", 0, "0" },
                 { "1023", 1023, "1023" },
                 { "1024", 1024, "1K" },
                 { "1536K", 1572864, "1536K" },
                 { "2048K", 2097152, "2M" },
                 { "1024M", 1073741824, "1G" },
                 { "1024G", APR_INT64_C(1) << 40, "1024G" } };
    static const char *const bad[] = { "",
                                       "K",
                                       "1.5M",
                                       "1k",
                                       "1KB",
                                       "1T",
                                       "1 M",
                                       "-1",
                                       "+1",
                                       "1M ",
                                       "1025G",
                                       "1099511627777",
                                       "9223372036854775808",
                                       "9007199254740992G" };
    apr_size_t i;

    for (i = 0; i < sizeof(good) / sizeof(*good); i++) {
        ck_assert_right(set(apr_pstrcat(pool, "max_body=", good[i].text, NULL)));
        ck_assert_int_eq(settings.max_body, good[i].size);
        ck_assert_str_eq(mirror_value_to_text(&settings.max_body,
                                              &mirror_attributes_find("max_body")->rule, pool),
                         good[i].canonical);
    }
    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        ck_assert_wrong(
            set(apr_pstrcat(pool, "max_body='", bad[i], "'", NULL)),
            apr_pstrcat(pool, "max_body: must be a size such as 64K or 1M, at most 1024G, got \"",
                        bad[i], "\"", NULL));
    }
}
END_TEST

START_TEST(test_time)
{
    static const struct {
        const char *text;
        apr_int64_t ms;
        const char *canonical;
    } good[] = { { "1", 1000, "1s" },
                 { "1ms", 1, "1ms" },
                 { "0.5", 500, "500ms" },
                 { "0.5s", 500, "500ms" },
                 { "1.5min", 90000, "90s" },
                 { "2h", 7200000, "7200s" },
                 { "0.001", 1, "1ms" },
                 { "1000ms", 1000, "1s" },
                 { "1.500000000s", 1500, "1500ms" },
                 { "168h", 604800000, "604800s" } };
    static const char *const bad[] = { "",
                                       "0",
                                       "0ms",
                                       "s",
                                       ".5s",
                                       "1.s",
                                       "1..5s",
                                       "1m",
                                       "1S",
                                       "1 s",
                                       "-1s",
                                       "1s ",
                                       "1sec",
                                       "169h",
                                       "9223372036854775807h",
                                       "9223372036854775808",
                                       "1.0000000000s" };
    static const char *const fine[] = { "0.1ms", "0.0005s", "0.123456789h" };
    const char *allowed =
        "timeout: must be a time such as 500ms, 2s or 1.5min, from 1ms to 168h, got \"";
    apr_size_t i;

    for (i = 0; i < sizeof(good) / sizeof(*good); i++) {
        ck_assert_right(set(apr_pstrcat(pool, "timeout=", good[i].text, NULL)));
        ck_assert_int_eq(settings.timeout, good[i].ms * 1000);
        ck_assert_str_eq(
            mirror_value_to_text(&settings.timeout, &mirror_attributes_find("timeout")->rule, pool),
            good[i].canonical);
    }
    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        ck_assert_wrong(set(apr_pstrcat(pool, "timeout='", bad[i], "'", NULL)),
                        apr_pstrcat(pool, allowed, bad[i], "\"", NULL));
    }
    for (i = 0; i < sizeof(fine) / sizeof(*fine); i++) {
        ck_assert_wrong(set(apr_pstrcat(pool, "timeout=", fine[i], NULL)),
                        apr_pstrcat(pool, allowed, fine[i],
                                    "\" (it is not a whole number of milliseconds)", NULL));
    }
    ck_assert_right(set("keepalive=0 retry=0 ttl=0"));
}
END_TEST

START_TEST(test_date)
{
    static const struct {
        const char *text;
        apr_int64_t us;
        const char *canonical;
    } good[] = {
        { "1970-01-01T00:00:01Z", 1000000, "1970-01-01T00:00:01Z" },
        { "2026-12-24T18:00:00Z", 1798135200000000, "2026-12-24T18:00:00Z" },
        { "2026-12-24t19:00:00+01:00", 1798135200000000, "2026-12-24T18:00:00Z" },
        { "2026-12-24 17:00:00.250-01:00", 1798135200250000, "2026-12-24T18:00:00.250000Z" },
        { "2000-02-29T23:59:59Z", 951868799000000, "2000-02-29T23:59:59Z" },
        { "2099-12-31T23:59:60Z", 4102444800000000, "2100-01-01T00:00:00Z" },
        { "9999-12-31T23:59:59Z", 253402300799000000, "9999-12-31T23:59:59Z" },
    };
    static const char *const bad[] = { "",
                                       "tomorrow",
                                       "0",
                                       "2026-12-24",
                                       "2026-12-24T18:00Z",
                                       "2026-12-24T18:00:00",
                                       "1h",
                                       "2026-02-30T00:00:00Z" };
    apr_size_t i;

    for (i = 0; i < sizeof(good) / sizeof(*good); i++) {
        ck_assert_right(set(apr_pstrcat(pool, "until='", good[i].text, "'", NULL)));
        ck_assert_int_eq(settings.until, good[i].us);
        ck_assert_str_eq(
            mirror_value_to_text(&settings.until, &mirror_attributes_find("until")->rule, pool),
            good[i].canonical);
    }
    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        ck_assert_wrong(set(apr_pstrcat(pool, "until='", bad[i], "'", NULL)),
                        apr_pstrcat(pool,
                                    "until: must be a date and time of RFC 3339 such as "
                                    "2026-12-24T18:00:00Z, got \"",
                                    bad[i], "\"", NULL));
    }
    ck_assert_wrong(set("until=1970-01-01T00:00:00Z"),
                    "until: must be a date and time of RFC 3339 such as 2026-12-24T18:00:00Z, got "
                    "\"1970-01-01T00:00:00Z\" (it is not after 1970)");
    ck_assert_wrong(set("until=9999-12-31T23:00:00-01:00"),
                    "until: must be a date and time of RFC 3339 such as 2026-12-24T18:00:00Z, got "
                    "\"9999-12-31T23:00:00-01:00\" (it is after 9999)");
}
END_TEST

START_TEST(test_choice_and_string)
{
    ck_assert_right(set("when=response"));
    ck_assert_int_eq(settings.when, MIRROR_WHEN_RESPONSE);
    ck_assert_wrong(set("when=Request"), "when: must be response or request, got \"Request\"");
    ck_assert_right(set("name=AZaz09._-"));
    ck_assert_right(set("name=0123456789012345678901234567890123456789012345678901234567890123"));
    ck_assert_wrong(set("name=01234567890123456789012345678901234567890123456789012345678901234"),
                    "name: must be 1 to 64 letters, digits, '.', '_' or '-', got "
                    "\"0123456789012345678901234567890123456789012345678901234567890123\"...");
    ck_assert_wrong(set("name="),
                    "name: must be 1 to 64 letters, digits, '.', '_' or '-', got \"\"");
    ck_assert_wrong(set("name=a/b"),
                    "name: must be 1 to 64 letters, digits, '.', '_' or '-', got \"a/b\"");
    ck_assert_wrong(set("name=\"a\x01\x7f\xc3\xbf\\\"\""),
                    "name: must be 1 to 64 letters, digits, '.', '_' or '-', got "
                    "\"a\\x01\\x7f\\xc3\\xbf\\\"\" (it has a control character)");
}
END_TEST

/* ---- host ---- */

START_TEST(test_host)
{
    static const struct {
        const char *text, *url, *hostname;
        int port;
    } good[] = {
        { "http://127.0.0.1:9797", "http://127.0.0.1:9797", "127.0.0.1", 9797 },
        { "http://h", "http://h", "h", 80 },
        { "https://h", "https://h", "h", 443 },
        { "http://h:443", "http://h:443", "h", 443 },
        { "https://h:443", "https://h", "h", 443 },
        { "http://h:00080", "http://h", "h", 80 },
        { "HtTp://Mirror.Example.COM:1", "http://mirror.example.com:1", "mirror.example.com", 1 },
        { "http://h:65535", "http://h:65535", "h", 65535 },
        { "http://[0:0:0::1]", "http://[::1]", "::1", 80 },
        { "http://[2001:DB8::1]:81", "http://[2001:db8::1]:81", "2001:db8::1", 81 },
        { "http://[::ffff:1.2.3.4]", "http://[::ffff:1.2.3.4]", "::ffff:1.2.3.4", 80 },
        { "http://my_service-1.internal.", "http://my_service-1.internal.",
          "my_service-1.internal.", 80 },
        { "http://1host.2", NULL, NULL, 0 },
        { "unix:/run/m.sock|http://h", "unix:/run/m.sock|http://h", "h", 80 },
        { "UNIX:/run/M sock|HTTP://H:8080", "unix:/run/M sock|http://h:8080", "h", 8080 },
        { "http://0x10.example", "http://0x10.example", "0x10.example", 80 },
        { "http://xn--bcher-kva.example", "http://xn--bcher-kva.example", "xn--bcher-kva.example",
          80 },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(good) / sizeof(*good); i++) {
        const char *wrong = set_url(good[i].text);

        if (!good[i].url) {
            ck_assert_ptr_ne(wrong, NULL);
            continue;
        }
        ck_assert_msg(wrong == NULL, "%s", wrong);
        ck_assert_str_eq(settings.target.url, good[i].url);
        ck_assert_str_eq(settings.target.hostname, good[i].hostname);
        ck_assert_int_eq(settings.target.port, good[i].port);
        ck_assert_str_eq(settings.target.authority, strstr(good[i].url, "//") + 2);
        ck_assert_str_eq(
            apr_pstrcat(pool, settings.target.scheme, "://", settings.target.authority, NULL),
            strstr(good[i].url, "http"));
        ck_assert_int_eq(settings.target.socket != NULL, good[i].url[0] == 'u');
    }
}
END_TEST

static const struct {
    const char *text, *why;
} bad_hosts[] = {
    { "", "" },
    { "h", "" },
    { "h:80", "" },
    { "//h", "" },
    { "http:/h", "" },
    { "ftp://h", "" },
    { "httpss://h", "" },
    { " http://h", "" },
    { "unix:", " (the path of the socket is not absolute)" },
    { "unix:|http://h", " (the path of the socket is not absolute)" },
    { "unix:/|http://h", " (the path of the socket is not absolute)" },
    { "unix:m.sock|http://h", " (the path of the socket is not absolute)" },
    { "unix:/run/m.sock", " (the path of the socket is not followed by |http://)" },
    { "unix:/run/\nm.sock|http://h", " (the path of the socket has a control character)" },
    { "unix:/run/m.sock|", "" },
    { "unix:/run/m.sock|h", "" },
    { "unix:/run/m.sock|unix:/run/m.sock|http://h", "" },
    { "unix:/run/m.sock|http://", " (it has no host)" },
    { "unix:/run/m.sock|http://h/", " (it has a path)" },
    { "unix:/run/m.sock|https://h", " (a socket requires http://, h2c:// or grpc://)" },
    { "http://", " (it has no host)" },
    { "http://:80", " (it has no host)" },
    { "http://h/", " (it has a path)" },
    { "http://h/p", " (it has a path)" },
    { "http://h\\p", " (it has a path)" },
    { "http:///p", " (it has a path)" },
    { "http://h?q", " (it has a query)" },
    { "http://h#f", " (it has a fragment)" },
    { "http://h:0", " (the port is out of range)" },
    { "http://h:65536", " (the port is out of range)" },
    { "http://h:", " (the port is malformed)" },
    { "http://h:-1", " (the port is malformed)" },
    { "http://h:8a", " (the port is malformed)" },
    { "http://h:100000", " (the port is malformed)" },
    { "http://[::1]:", " (the port is malformed)" },
    { "http://[::1]80", " (the port is malformed)" },
    { "http://[::1", " (the bracket is not closed)" },
    { "http://[]", " (the text in brackets is not an IPv6 address)" },
    { "http://[h]", " (the text in brackets is not an IPv6 address)" },
    { "http://[1.2.3.4]", " (the text in brackets is not an IPv6 address)" },
    { "http://[fe80::1%eth0]", " (the text in brackets is not an IPv6 address)" },
    { "http://::1", " (an IPv6 address must be in brackets)" },
    { "http://h]", " (the host name is malformed)" },
    { "http://h h", " (the host name is malformed)" },
    { "http://h%41", " (the host name is malformed)" },
    { "http://a..b", " (the host name is malformed)" },
    { "http://.", " (the host name is malformed)" },
    { "http://.a", " (the host name is malformed)" },
    { "http://-a", " (the host name is malformed)" },
    { "http://a-.b", " (the host name is malformed)" },
    { "http://h,g", " (the host name is malformed)" },
    { "http://1.2.3", " (the IPv4 address is malformed)" },
    { "http://1.2.3.256", " (the IPv4 address is malformed)" },
    { "http://1.2.3.4.", " (the IPv4 address is malformed)" },
    { "http://2130706433", " (the IPv4 address is malformed)" },
    { "http://0x7f000001", " (the IPv4 address is malformed)" },
    { "http://127.0x1", " (the IPv4 address is malformed)" },
};

START_TEST(test_schemes)
{
    static const struct {
        const char *scheme;
        apr_port_t port;
        int tls, http2, grpc;
    } schemes[] = {
        { "http", 80, 0, 0, 0 },
        { "https", 443, 1, 0, 0 },
#if MIRROR_HAVE_NGHTTP2
        { "h2c", 80, 0, 1, 0 },
        { "h2", 443, 1, 1, 0 },
        { "grpc", 80, 0, 1, 1 },
        { "grpcs", 443, 1, 1, 1 },
#endif
    };
    apr_size_t i;

    for (i = 0; i < sizeof(schemes) / sizeof(*schemes); i++) {
        const char *url = apr_pstrcat(pool, schemes[i].scheme, "://h", NULL);
        const char *wrong = set_url(url);

        ck_assert_msg(wrong == NULL, "%s", wrong);
        ck_assert_str_eq(settings.target.url, url);
        ck_assert_int_eq(settings.target.port, schemes[i].port);
        ck_assert_int_eq(settings.target.tls, schemes[i].tls);
        ck_assert_int_eq(settings.target.http2, schemes[i].http2);
        ck_assert_int_eq(settings.target.grpc, schemes[i].grpc);
        wrong = set_url(apr_pstrcat(pool, "unix:/s|", url, NULL));
        ck_assert_int_eq(wrong != NULL, schemes[i].tls);
    }
#if !MIRROR_HAVE_NGHTTP2
    ck_assert_ptr_ne(strstr(set_url("grpc://h"), "this build has no libnghttp2"), NULL);
#endif
}
END_TEST

START_TEST(test_bad_host)
{
    const char *allowed =
        "host: must be http://, https://, h2c://, h2://, grpc:// or grpcs:// with a host name, "
        "IPv4 address or [IPv6 address] and an "
        "optional port from 1 to 65535, or in a directive unix:/path|http://name, got ";
    apr_size_t i;

    for (i = 0; i < sizeof(bad_hosts) / sizeof(*bad_hosts); i++) {
        ck_assert_wrong(set_url(bad_hosts[i].text),
                        apr_pstrcat(pool, allowed, mirror_value_quote(bad_hosts[i].text, pool),
                                    bad_hosts[i].why, NULL));
        ck_assert(settings.set == 0 && !settings.target.url);
    }
    ck_assert_wrong(set_url("http://me:secret@h"),
                    apr_pstrcat(pool, allowed, "\"http://***@h\" (it has user info)", NULL));
    ck_assert_wrong(set_url("me:secret@h"), apr_pstrcat(pool, allowed, "\"***@h\"", NULL));
    ck_assert_wrong(
        set_url("http://h\r\nX: y"),
        apr_pstrcat(pool, allowed, "\"http://h\\x0d\\x0aX: y\" (the port is malformed)", NULL));
}
END_TEST

START_TEST(test_long_socket)
{
    char path[109];

    memset(path, 'a', sizeof(path));
    ck_assert_right(set_url(apr_psprintf(pool, "unix:/%.*s|http://h", 106, path)));
    ck_assert_ptr_ne(set_url(apr_psprintf(pool, "unix:/%.*s|http://h", 107, path)), NULL);
}
END_TEST

START_TEST(test_long_host)
{
    char label[70], url[400] = "http://";
    int i;

    memset(label, 'a', sizeof(label));
    ck_assert_right(set_url(apr_psprintf(pool, "http://%.*s", 63, label)));
    ck_assert_ptr_ne(set_url(apr_psprintf(pool, "http://%.*s", 64, label)), NULL);
    for (i = 0; i < 84; i++) {
        memcpy(url + 7 + 3 * i, "ab.", 3);
    }
    url[7 + 253] = '\0';
    url[7 + 252] = 'c';
    ck_assert_right(set_url(url));
    memcpy(url + 7 + 253, "d", 2);
    ck_assert_ptr_ne(set_url(url), NULL);
}
END_TEST

START_TEST(test_encoding)
{
    static const char *const right[] = { "",
                                         "a",
                                         "caf\xc3\xa9",
                                         "\xe2\x82\xac",
                                         "\xf0\x9f\x98\x80",
                                         "\xed\x9f\xbf",
                                         "\xee\x80\x80",
                                         "\xf4\x8f\xbf\xbf",
                                         "\x7f\xc2\x80" };
    static const char *const wrong[] = { "caf\xe9",
                                         "\xc0\xaf",
                                         "\xc1\xbf",
                                         "\xe0\x80\xaf",
                                         "\xed\xa0\x80",
                                         "\xf0\x8f\xbf\xbf",
                                         "\xf4\x90\x80\x80",
                                         "\xf8\x88\x80\x80\x80",
                                         "a\x80",
                                         "\xe2\x82",
                                         "\xc3",
                                         "\xff" };
    mirror_value_rule_t rule = { &mirror_value_string, 0, 100, "must be a text", NULL, NULL };
    apr_size_t i;

    for (i = 0; i < sizeof(right) / sizeof(*right); i++) {
        ck_assert_right(mirror_value_refuse_encoding(&rule, "text", right[i], pool));
    }
    for (i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        ck_assert_msg(mirror_value_refuse_encoding(&rule, "text", wrong[i], pool) != NULL, "%s",
                      mirror_value_quote(wrong[i], pool));
    }
    ck_assert_str_eq(mirror_value_refuse_encoding(&rule, "text", "caf\xe9", pool),
                     "text: must be a text, got \"caf\\xe9\" (it is not UTF-8; write other bytes "
                     "as %XX in a path, or as escape sequences in a regular expression)");
    rule.type = &mirror_value_secret;
    ck_assert_right(mirror_value_refuse_encoding(&rule, "text", "caf\xe9", pool));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("value");
    TCase *test = tcase_create("all");

    apr_initialize();
    tcase_add_checked_fixture(test, setup, teardown);
    tcase_add_test(test, test_bool);
    tcase_add_test(test, test_number);
    tcase_add_test(test, test_size);
    tcase_add_test(test, test_time);
    tcase_add_test(test, test_date);
    tcase_add_test(test, test_choice_and_string);
    tcase_add_test(test, test_host);
    tcase_add_test(test, test_schemes);
    tcase_add_test(test, test_bad_host);
    tcase_add_test(test, test_long_host);
    tcase_add_test(test, test_long_socket);
    tcase_add_test(test, test_encoding);
    suite_add_tcase(suite, test);
    return suite_run(suite);
}
