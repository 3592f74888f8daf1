/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_value_http.c - ratios, methods, statuses, paths and Host headers as values of attributes.
 */
#include "attributes.h"
#include "suite.h"

static const char *set_ratio_json(const char *json)
{
    yajl_val value = yajl_tree_parse(json, NULL, 0);
    const char *wrong;

    ck_assert_msg(value != NULL, "%s", json);
    memset(&settings, 0, sizeof(settings));
    wrong = mirror_attributes_set_json(&settings, "sample_ratio", value, pool);
    yajl_tree_free(value);
    return wrong;
}

static const char *ratio_text(void)
{
    const mirror_attribute_t *row = mirror_attributes_find("sample_ratio");

    return mirror_value_to_text(&settings.sample_ratio, &row->rule, pool);
}

static const struct {
    const char *text;
    apr_int64_t billionths;
    const char *canonical;
} good_ratios[] = {
    { "0", 0, "0" },
    { "1", 1000000000, "1" },
    { "0.5", 500000000, "0.5" },
    { ".25", 250000000, "0.25" },
    { "1.", 1000000000, "1" },
    { "00.10", 100000000, "0.1" },
    { "100%", 1000000000, "1" },
    { "12.5%", 125000000, "0.125" },
    { "0%", 0, "0" },
    { "0.0000001%", 1, "0.000000001" },
    { "0.000000001", 1, "0.000000001" },
    { "0.0000000005", 1, "0.000000001" },
    { "0.333333333333333333333333333333", 333333333, "0.333333333" },
    { "0.9999999994", 999999999, "0.999999999" },
    { "0.9999999999", 1000000000, "1" },
    { "0.00000000000000000000000000", 0, "0" },
};

START_TEST(test_ratio)
{
    static const char *const bad[] = { "",
                                       ".",
                                       "%",
                                       "-0.1",
                                       "1.1",
                                       "101%",
                                       "1.000001",
                                       "5%%",
                                       "5 %",
                                       "0,5",
                                       "x",
                                       "1e-1",
                                       "0x.1",
                                       "inf",
                                       "1.0.0",
                                       "2",
                                       "99999999999999999999",
                                       "+1" };
    apr_size_t i;

    for (i = 0; i < sizeof(good_ratios) / sizeof(*good_ratios); i++) {
        ck_assert_right(set(apr_pstrcat(pool, "sample_ratio=", good_ratios[i].text, NULL)));
        ck_assert_int_eq(settings.sample_ratio, good_ratios[i].billionths);
        ck_assert_str_eq(ratio_text(), good_ratios[i].canonical);
        ck_assert_right(set(apr_pstrcat(pool, "sample_ratio=", ratio_text(), NULL)));
        ck_assert_int_eq(settings.sample_ratio, good_ratios[i].billionths);
    }
    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        const char *wrong = set(apr_pstrcat(pool, "'sample_ratio=", bad[i], "'", NULL));

        ck_assert_msg(wrong != NULL, "%s", bad[i]);
        ck_assert_ptr_eq(strstr(wrong, "sample_ratio: must be a number from 0 to 1 (in a "
                                       "directive, also 0% to 100%), got "),
                         wrong);
        ck_assert_ptr_ne(strstr(wrong, bad[i]), NULL);
    }
    ck_assert_ptr_ne(strstr(set("sample_ratio=0.0000000001"), "(it is not 0 but rounds to 0)"),
                     NULL);
}
END_TEST

START_TEST(test_ratio_in_json)
{
    static const struct {
        const char *json;
        apr_int64_t billionths;
    } good[] = { { "0", 0 },
                 { "1", 1000000000 },
                 { "1.0", 1000000000 },
                 { "0.1", 100000000 },
                 { "1e-3", 1000000 },
                 { "1E-9", 1 },
                 { "0e99999", 0 },
                 { "0.01e+2", 1000000000 },
                 { "10e-1", 1000000000 },
                 { "0.30000000000000004", 300000000 } };
    static const char *const bad[] = { "\"0.5\"", "\"50%\"", "-0",   "-0.1", "2",
                                       "1e1",     "true",    "null", "[1]",  "1e400" };
    apr_size_t i;

    for (i = 0; i < sizeof(good) / sizeof(*good); i++) {
        ck_assert_right(set_ratio_json(good[i].json));
        ck_assert_msg(settings.sample_ratio == good[i].billionths, "%s", good[i].json);
    }
    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        ck_assert_msg(set_ratio_json(bad[i]) != NULL, "%s", bad[i]);
        ck_assert(settings.set == 0);
    }
}
END_TEST

START_TEST(test_methods)
{
    ck_assert_right(set("methods=GET,M-SEARCH,X_1"));
    ck_assert_int_eq(settings.methods->nelts, 3);
    ck_assert_str_eq(APR_ARRAY_IDX(settings.methods, 1, const char *), "M-SEARCH");
    ck_assert_wrong(set("methods="),
                    "methods: must be a list of methods in upper case, such as GET,POST, got \"\"");
    ck_assert_wrong(set("methods=GET,post"),
                    "methods: must be a list of methods in upper case, such as GET,POST, got "
                    "\"GET,post\" (methods are case-sensitive)");
    ck_assert_wrong(set("methods=TRACE"),
                    "methods: must be a list of methods in upper case, such as GET,POST, got "
                    "\"TRACE\" (CONNECT and TRACE are never copied)");
    ck_assert_wrong(
        set("'methods=GET POST'"),
        "methods: must be a list of methods in upper case, such as GET,POST, got \"GET POST\"");
    ck_assert_ptr_ne(set("'methods=GET, POST'"), NULL);
    ck_assert_ptr_ne(set("methods=A/B"), NULL);
}
END_TEST

START_TEST(test_statuses)
{
    static const char *const bad[] = { "",   "1xx", "6xx", "199", "600",  "2XX", "xx",
                                       "2x", "20",  "2x0", "20x", "2000", "abc" };
    apr_size_t i;

    ck_assert_right(set("status=2xx,404,599,200"));
    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        ck_assert_wrong(
            set(apr_pstrcat(pool, "status=", bad[i], NULL)),
            apr_pstrcat(
                pool, "status: must be a list of statuses from 200 to 599, such as 2xx,404, got \"",
                bad[i], "\"", NULL));
    }
}
END_TEST

START_TEST(test_path)
{
    ck_assert_right(set("path=/"));
    ck_assert_right(set("'path=/a b/%41/\xc3\xa4'"));
    ck_assert_wrong(set("path="), "path: must be a path that starts with /, got \"\"");
    ck_assert_wrong(set("path=a"), "path: must be a path that starts with /, got \"a\"");
    ck_assert_wrong(set("path=/a?b#c"),
                    "path: must be a path that starts with /, got \"/a?b#c\" (it has a query)");
    ck_assert_wrong(set("path=/a#b?c"),
                    "path: must be a path that starts with /, got \"/a#b?c\" (it has a fragment)");
    ck_assert_wrong(
        set("'path=/a\tb'"),
        "path: must be a path that starts with /, got \"/a\\x09b\" (it has a control character)");
}
END_TEST

START_TEST(test_host_header)
{
    static const char *const good[] = { "preserve",  "target", "h",          "H.Example.:0080",
                                        "1.2.3.4:1", "[::1]",  "[::1]:65535" };
    static const char *const bad[] = { "",    "h:",  "h:0",      "h/",  "u@h",
                                       "h h", "::1", "http://h", "h,g", "h?q" };
    apr_size_t i;

    ck_assert_right(set_url("http://h"));
    ck_assert_right(mirror_attributes_set_line(&settings, "host_header=target", 0, pool));
    ck_assert_str_eq(settings.target.authority, "h");
    for (i = 0; i < sizeof(good) / sizeof(*good); i++) {
        ck_assert_right(set(apr_pstrcat(pool, "host_header=", good[i], NULL)));
        ck_assert_str_eq(settings.host_header, good[i]);
    }
    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        const char *wrong = set(apr_pstrcat(pool, "'host_header=", bad[i], "'", NULL));

        ck_assert_msg(wrong != NULL, "%s", bad[i]);
        ck_assert_ptr_eq(strstr(wrong, "host_header: must be preserve, target, or a host name or "
                                       "address with an optional port, got \""),
                         wrong);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("value_http");
    TCase *test = tcase_create("all");

    apr_initialize();
    tcase_add_checked_fixture(test, setup, teardown);
    tcase_add_test(test, test_ratio);
    tcase_add_test(test, test_ratio_in_json);
    tcase_add_test(test, test_methods);
    tcase_add_test(test, test_statuses);
    tcase_add_test(test, test_path);
    tcase_add_test(test, test_host_header);
    suite_add_tcase(suite, test);
    return suite_run(suite);
}
