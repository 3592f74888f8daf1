/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_value_servers.c - the attribute servers: its items, their canonical form, its relations.
 */
#include "attributes.h"
#include "attributes/relations.h"
#include "suite.h"

#define ALLOWED                                                                                    \
    "servers: must be 2 to 16 servers host[:port][*weight], with weights from 1 to 100, got "

static const char *text_of(void)
{
    return mirror_value_to_text(&settings.servers, &mirror_attributes_find("servers")->rule, pool);
}

static const mirror_server_t *server(int i)
{
    return &APR_ARRAY_IDX(settings.servers, i, mirror_server_t);
}

static const struct {
    const char *text, *printed;
} lists[] = {
    { "a,b", "a,b" },
    { "A.example.:080,b:65535", "a.example.:80,b:65535" },
    { "10.0.0.1:9797,10.0.0.2:9797*2,[2001:DB8:0::3]:9797",
      "10.0.0.1:9797,10.0.0.2:9797*2,[2001:db8::3]:9797" },
    { "a*1,b*100,c*007", "a,b*100,c*7" },
    { "[::1]*3,[::1]:1", "[::1]*3,[::1]:1" },
    { "a:1,a:2,a:3,a:4,a:5,a:6,a:7,a:8,a:9,a:10,a:11,a:12,a:13,a:14,a:15,a:16",
      "a:1,a:2,a:3,a:4,a:5,a:6,a:7,a:8,a:9,a:10,a:11,a:12,a:13,a:14,a:15,a:16" },
};

/* A list is read, from a directive and from JSON, and what is printed is read back as the same. */
START_TEST(test_list)
{
    const char *json = "\"", *p;

    ck_assert_right(set(apr_pstrcat(pool, "servers=", lists[_i].text, NULL)));
    ck_assert_str_eq(text_of(), lists[_i].printed);
    ck_assert_right(set(apr_pstrcat(pool, "servers=", lists[_i].printed, NULL)));
    ck_assert_str_eq(text_of(), lists[_i].printed);
    for (p = lists[_i].text; *p; p++) {
        json = *p == ',' ? apr_pstrcat(pool, json, "\",\"", NULL)
                         : apr_psprintf(pool, "%s%c", json, *p);
    }
    ck_assert_right(set_json("servers", apr_pstrcat(pool, "[", json, "\"]", NULL)));
    ck_assert_str_eq(text_of(), lists[_i].printed);
}
END_TEST

START_TEST(test_parts)
{
    ck_assert_right(set("servers=A:81,10.0.0.1*3,[::1]:82"));
    ck_assert_int_eq(settings.servers->nelts, 3);
    ck_assert_str_eq(server(0)->hostname, "a");
    ck_assert(server(0)->named && server(0)->port == 81 && server(0)->weight == 1);
    ck_assert_str_eq(server(1)->hostname, "10.0.0.1");
    ck_assert(!server(1)->named && server(1)->port == 0 && server(1)->weight == 3);
    ck_assert_str_eq(server(2)->hostname, "::1");
    ck_assert(!server(2)->named && server(2)->port == 82 && server(2)->weight == 1);
}
END_TEST

START_TEST(test_refused)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        { "a", "" },
        { "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", " (the IPv4 address is malformed)" },
        { "", " (an item is empty)" },
        { "a,", " (an item is empty)" },
        { ",a", " (an item is empty)" },
        { "a,,b", " (an item is empty)" },
        { "a,b:0", " (the port is out of range)" },
        { "a,b:65536", " (the port is out of range)" },
        { "a,b:", " (the port is malformed)" },
        { "a,:80", " (it has no host)" },
        { "a,b*0", " (a weight is not an integer from 1 to 100)" },
        { "a,b*101", " (a weight is not an integer from 1 to 100)" },
        { "a,b*", " (a weight is not an integer from 1 to 100)" },
        { "a,b*1.5", " (a weight is not an integer from 1 to 100)" },
        { "a,b*-1", " (a weight is not an integer from 1 to 100)" },
        { "a,b*0001", " (a weight is not an integer from 1 to 100)" },
        { "a,b*1*1", " (the host name is malformed)" },
        { "a,b/path", " (the host name is malformed)" },
        { "a,http://b", " (the port is malformed)" },
        { "a,u@b", " (the host name is malformed)" },
        { "a,::1", " (an IPv6 address must be in brackets)" },
        { "a,[::1", " (the bracket is not closed)" },
        { "a,[b]", " (the text in brackets is not an IPv6 address)" },
        { "a,1.2.3", " (the IPv4 address is malformed)" },
        { "a, b", " (the host name is malformed)" },
        { "a,unix:/s", " (the port is malformed)" },
    };
    static const char *const bad_json[] = { "\"a,b\"", "[]",    "[\"a\"]",      "[1,2]",
                                            "{}",      "\"a\"", "[\"a\",null]", "[[\"a\",\"b\"]]" };
    apr_size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        ck_assert_wrong(set(apr_pstrcat(pool, "servers='", bad[i].text, "'", NULL)),
                        apr_pstrcat(pool, ALLOWED "\"", bad[i].text, "\"", bad[i].why, NULL));
    }
    for (i = 0; i < sizeof(bad_json) / sizeof(*bad_json); i++) {
        ck_assert_begins(set_json("servers", bad_json[i]), ALLOWED);
    }
    ck_assert_wrong(set_json("servers", "[\"a\",\"b/c\",\"d\"]"),
                    ALLOWED "a list (\"b/c\": the host name is malformed)");
    ck_assert_wrong(set_json("servers", "[\"a\",\"\"]"), ALLOWED "a list (\"\": an item is empty)");
    ck_assert_begins(set("servers=a:1,a:2,a:3,a:4,a:5,a:6,a:7,a:8,a:9,a:10,a:11,a:12,a:13,a:14,"
                         "a:15,a:16,a:17"),
                     ALLOWED);
}
END_TEST

/* ---- relations ---- */

/* What is wrong with this host and these words; NULL = nothing. */
static const char *wrong_with(const char *url, const char *words)
{
    apr_array_header_t *faults = apr_array_make(pool, 1, sizeof(const char *));

    mirror_attributes_defaults(&settings, pool);
    ck_assert_right(mirror_attributes_set_url(&settings, url, pool));
    ck_assert_right(mirror_attributes_set_line(&settings, words, 0, pool));
    mirror_relations_check(faults, &settings);
    return faults->nelts ? APR_ARRAY_IDX(faults, 0, const char *) : NULL;
}

START_TEST(test_relations)
{
    ck_assert_right(wrong_with("http://m", "servers=a,b,a:81"));
    ck_assert_wrong(wrong_with("http://m", "servers=a,b,A:80*2"),
                    "servers: must be different servers, got \"a:80*2\" twice");
    ck_assert_wrong(wrong_with("http://m", "servers=a.test,b,A.test.:80"),
                    "servers: must be different servers, got \"a.test.:80\" twice");
    ck_assert_wrong(wrong_with("https://m:81", "servers=a:81,b,a"),
                    "servers: must be different servers, got \"a\" twice");
    ck_assert_wrong(wrong_with("http://m", "servers=[::1],[0::1]"),
                    "servers: must be different servers, got \"[::1]\" twice");
    ck_assert_wrong(wrong_with("unix:/s|http://m", "servers=a,b"),
                    "servers: must be used with a host that is no Unix socket");
}
END_TEST

/* The warning about these words; "" = none. */
static const char *warned(const char *url, const char *words)
{
    apr_array_header_t *warnings = apr_array_make(pool, 1, sizeof(const char *));

    ck_assert_right(wrong_with(url, words));
    mirror_relations_check_effect(warnings, &settings, &settings);
    return warnings->nelts ? APR_ARRAY_IDX(warnings, 0, const char *) : "";
}

START_TEST(test_resolve_without_effect)
{
    ck_assert_str_eq(warned("http://m", "resolve=all"), "");
    ck_assert_str_eq(warned("http://1.2.3.4", "resolve=first"), "");
    ck_assert_str_eq(warned("http://m", "resolve=all servers=a,b"),
                     "resolve: has no effect with servers");
    ck_assert_str_eq(warned("http://1.2.3.4", "resolve=all"),
                     "resolve: has no effect with an address or a Unix socket");
    ck_assert_str_eq(warned("unix:/s|http://m", "resolve=all"),
                     "resolve: has no effect with an address or a Unix socket");
    ck_assert_wrong(set("resolve=any"), "resolve: must be first or all, got \"any\"");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("value_servers");
    TCase *test = tcase_create("all");

    apr_initialize();
    tcase_add_checked_fixture(test, setup, teardown);
    tcase_add_loop_test(test, test_list, 0, (int)(sizeof(lists) / sizeof(*lists)));
    tcase_add_test(test, test_parts);
    tcase_add_test(test, test_refused);
    tcase_add_test(test, test_relations);
    tcase_add_test(test, test_resolve_without_effect);
    suite_add_tcase(suite, test);
    return suite_run(suite);
}
