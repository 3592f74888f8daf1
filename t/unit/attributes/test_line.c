/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_line.c - settings as a line that is read back as the same settings.
 */
#include "attributes.h"
#include "attributes/line.h"
#include "suite.h"

static mirror_settings_t defaults;

/* The line of settings that `line` gives, over defaults that `of_server` gives. */
static const char *printed(const char *of_server, const char *line)
{
    mirror_settings_t given = { 0 };

    mirror_attributes_defaults(&defaults, pool);
    ck_assert_right(mirror_attributes_set_line(&given, of_server, 0, pool));
    mirror_attributes_merge(&defaults, &given);
    settings = defaults;
    memset(&given, 0, sizeof(given));
    ck_assert_right(mirror_attributes_set_url(&given, "http://mirror:81", pool));
    ck_assert_right(mirror_attributes_set_line(&given, line, MIRROR_ATTRIBUTE_NO_WORD, pool));
    mirror_attributes_merge(&settings, &given);
    return mirror_line_print(&settings, &defaults, "m", pool);
}

/* The settings that a printed line makes, over the same defaults. */
static void read_back(mirror_settings_t *made, const char *line)
{
    mirror_settings_t given = { 0 };
    const char *word;

    *made = defaults;
    ck_assert_right(mirror_attributes_next_word(&word, &line, pool));
    ck_assert_str_eq(word, "ProxyMirror");
    ck_assert_right(mirror_attributes_next_word(&word, &line, pool));
    ck_assert_right(mirror_attributes_set_url(&given, word, pool));
    ck_assert_right(mirror_attributes_set_line(&given, line, MIRROR_ATTRIBUTE_NO_WORD, pool));
    ck_assert_str_eq(given.name, "m");
    mirror_attributes_merge(made, &given);
}

static void assert_returns(const char *of_server, const char *line)
{
    const char *text = printed(of_server, line);
    const mirror_attribute_t *row;
    mirror_settings_t made;

    read_back(&made, text);
    for (row = mirror_attributes; row->name; row++) {
        ck_assert_msg(!strcmp(row->name, "name") ||
                          mirror_attributes_same(&settings, &made, row, pool),
                      "%s: %s", row->name, text);
    }
}

START_TEST(test_only_what_differs)
{
    ck_assert_str_eq(printed("", ""), "ProxyMirror \"http://mirror:81\" name=m");
    ck_assert_str_eq(printed("", "count=1 timeout=10s body=true"),
                     "ProxyMirror \"http://mirror:81\" name=m");
    ck_assert_str_eq(printed("timeout=3s", "timeout=10s sample_ratio=12.5% methods=GET,POST"),
                     "ProxyMirror \"http://mirror:81\" name=m sample_ratio=0.125 "
                     "methods=GET,POST timeout=10s");
}
END_TEST

START_TEST(test_quotes)
{
    ck_assert_str_eq(printed("", "expr=\"%{REQUEST_URI} =~ m#a\\.b#\" path=/a redis_key_prefix="),
                     "ProxyMirror \"http://mirror:81\" name=m expr=\"%{REQUEST_URI} =~ "
                     "m#a\\\\.b#\" path=/a redis_key_prefix=\"\"");
}
END_TEST

START_TEST(test_round_trip)
{
    static const char *const lines[] = {
        "",
        "enabled=off path=/x path_concat_mode=prefix host_header=target when=request",
        "\"expr=%{REQUEST_URI} =~ m#\\\\.\\\"x'#\" 'sample_key=a \"b\\\\' sample_ratio=0.1%",
        "status=2xx,404 max_body=1025 retry=1500ms ttl=0 keepalive=90min copies=3",
        ("'compare_rules=[\"body/a\\\\\\\\b \\\\\"x\\\\\" ignore\",\"header/x match ^a b$\"]' "
         "compare=all"),
        "redis_key_prefix= 'redis_username=\xc3\xa9 \\\\'",
        "redis_key_prefix='#not a comment'",
        "sample_key='${NAME}%{b}'",
        "redis_username=a\\\\"
    };
    static const char *const servers[] = {
        "", "compare=all compare_rules='[\"body/now ignore\"]' enabled=false redis_key_prefix=p",
        "expr=true methods=PUT status=500 sample_ratio=0"
    };
    apr_size_t i, j;

    for (i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        for (j = 0; j < sizeof(servers) / sizeof(*servers); j++) {
            const char *text = printed(servers[j], lines[i]);

            ck_assert_msg(text[strlen(text) - 1] != '\\', "%s", text);
            if (strncmp(text, "Define ", 7) != 0) { /* httpd is needed to read it */
                assert_returns(servers[j], lines[i]);
            }
        }
    }
    assert_returns("compare_rules='[\"body/now ignore\"]'", "compare_rules=[] compare=body");
    assert_returns("compare=all", "compare=off");
}
END_TEST

START_TEST(test_secrets)
{
    const char *text = printed("", "redis_password=hush-hush redis_host=h");

    ck_assert_ptr_eq(strstr(text, "hush"), NULL);
    ck_assert_ptr_ne(strstr(text, " redis_password=" MIRROR_LINE_SECRET), NULL);
    ck_assert_begins(text, "# redis_password is not shown: replace ");
    ck_assert_ptr_ne(strstr(text, "\nProxyMirror \"http://mirror:81\""), NULL);
    ck_assert_ptr_ne(strstr(printed("", "redis_password=a sentinel_password=b"),
                            "\n# sentinel_password is not shown: "),
                     NULL);
    ck_assert_str_eq(printed("redis_password=hush-hush", ""),
                     "ProxyMirror \"http://mirror:81\" name=m");
}
END_TEST

/* httpd replaces only the variable that the line itself defines. */
START_TEST(test_variables)
{
    ck_assert_str_eq(printed("", "sample_key=${NAME}-${{$$${N}"),
                     "Define PROXY_MIRROR_DOLLAR $\n"
                     "ProxyMirror \"http://mirror:81\" name=m sample_key=\""
                     "${PROXY_MIRROR_DOLLAR}{NAME}-${PROXY_MIRROR_DOLLAR}{{$$"
                     "${PROXY_MIRROR_DOLLAR}{N}\"");
    ck_assert_begins(printed("", "sample_key=%{NAME}$"), "ProxyMirror ");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("line");
    TCase *test = tcase_create("all");

    apr_initialize();
    tcase_add_checked_fixture(test, setup, teardown);
    tcase_add_test(test, test_only_what_differs);
    tcase_add_test(test, test_quotes);
    tcase_add_test(test, test_round_trip);
    tcase_add_test(test, test_secrets);
    tcase_add_test(test, test_variables);
    suite_add_tcase(suite, test);
    return suite_run(suite);
}
