/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_attributes.c - the table of attributes: its rows, the words of a directive, JSON, layers,
 * relations.
 */
#include "attributes.h"
#include "attributes/relations.h"
#include "suite.h"

/* The settings as JSON. */
static const char *print(void)
{
    yajl_gen json = yajl_gen_alloc(NULL);
    const unsigned char *text;
    size_t len;
    const char *copy;

    mirror_attributes_print(json, &settings, pool);
    ck_assert_int_eq(yajl_gen_get_buf(json, &text, &len), yajl_gen_status_ok);
    copy = apr_pstrmemdup(pool, (const char *)text, len);
    yajl_gen_free(json);
    return copy;
}

/* ---- the table ---- */

START_TEST(test_defaults)
{
    mirror_attributes_defaults(&settings, pool);
    ck_assert(settings.set == 0);
    ck_assert_str_eq(
        print(),
        "{\"enabled\":true,\"sample_ratio\":1,\"body\":true,\"max_body\":\"1M\","
        "\"path_concat_mode\":\"replace\",\"host_header\":\"preserve\",\"uri\":\"client\",\"when\":"
        "\"response\","
        "\"copies\":1,\"connect_timeout\":\"2s\",\"timeout\":\"10s\",\"keepalive\":\"60s\","
        "\"max_connections\":64,\"pipeline\":1,\"streams\":100,\"max_queue\":1024,\"retry\":"
        "\"10s\",\"ttl\":"
        "\"60s\",\"resolve\":\"first\",\"enable_limit_count\":false,"
        "\"count\":1,\"time_window\":60,\"policy\":\"local\",\"limit_fallback\":\"local\",\"redis_"
        "port\":6379,"
        "\"redis_database\":0,\"redis_timeout\":1000,\"redis_ssl\":false,\"redis_key_prefix\":"
        "\"proxy-mirror:v1:\","
        "\"compare\":[],\"compare_ratio\":1,\"compare_max_body\":\"256K\",\"compare_timeout\":"
        "\"30s\",\"compare_arrays\":\"ordered\",\"compare_examples\":3,\"compare_values\":\"off\","
        "\"role\":\"mirror\"}");
}
END_TEST

START_TEST(test_rows)
{
    const mirror_attribute_t *row, *other;

    for (row = mirror_attributes; row->name; row++) {
        ck_assert_ptr_eq(mirror_attributes_find(row->name), row);
        ck_assert_ptr_ne(row->rule.allowed, NULL);
        ck_assert_msg(row->rule.min <= row->rule.max, "%s: min and max", row->name);
        for (other = mirror_attributes; other < row; other++) {
            ck_assert_msg(other->offset + other->rule.type->size <= row->offset ||
                              row->offset + row->rule.type->size <= other->offset,
                          "%s and %s overlap", row->name, other->name);
        }
        if (row->initial) {
            ck_assert_right(mirror_value_from_text((char *)&settings + row->offset, &row->rule,
                                                   row->name, row->initial, pool));
        }
        if (row->effective) {
            const char *name = apr_pstrmemdup(pool, row->effective, strcspn(row->effective, "="));

            ck_assert_msg(mirror_attributes_find(name) != NULL, "%s: %s", row->name,
                          row->effective);
        }
    }
    ck_assert_ptr_eq(mirror_attributes_find("Enabled"), NULL);
    ck_assert_ptr_eq(mirror_attributes_find(""), NULL);
}
END_TEST

/* What is printed is read back as the same. */
START_TEST(test_canonical_text)
{
    const mirror_attribute_t *row;
    mirror_settings_t again = { 0 };

    mirror_attributes_defaults(&settings, pool);
    ck_assert_right(mirror_attributes_set_url(&settings, "HTTP://Mirror.example:0080", pool));
    ck_assert_right(mirror_attributes_set_line(
        &settings,
        "name=a retry=0.5h ttl=1ms max_body=1025 sample_ratio=2.50% methods=A,B "
        "status=2xx,404 path=/p host_header=h:1 'expr=a b'",
        1, pool));
    for (row = mirror_attributes; row->name; row++) {
        const char *text = mirror_value_to_text((char *)&settings + row->offset, &row->rule, pool);
        const char *twice;

        if (!text) {
            continue;
        }
        ck_assert_right(mirror_value_from_text((char *)&again + row->offset, &row->rule, row->name,
                                               text, pool));
        twice = mirror_value_to_text((char *)&again + row->offset, &row->rule, pool);
        ck_assert_str_eq(text, twice);
    }
    ck_assert_str_eq(again.target.url, "http://mirror.example");
}
END_TEST

/* ---- words of a directive ---- */

START_TEST(test_line)
{
    ck_assert_right(
        set("name=limited enabled=off\tmax_body=2K  when=request timeout=1.5min max_queue=0 "));
    ck_assert_str_eq(settings.name, "limited");
    ck_assert_int_eq(settings.enabled, 0);
    ck_assert_int_eq(settings.max_body, 2048);
    ck_assert_int_eq(settings.when, MIRROR_WHEN_REQUEST);
    ck_assert_int_eq(settings.timeout, 90 * SECOND);
    ck_assert_int_eq(settings.max_queue, 0);
    ck_assert(mirror_attributes_is_set(&settings, mirror_attributes_find("max_queue")));
    ck_assert(!mirror_attributes_is_set(&settings, mirror_attributes_find("retry")));
    ck_assert_right(set(""));
    ck_assert(settings.set == 0);
}
END_TEST

START_TEST(test_words)
{
    ck_assert_wrong(set("enabled"), "attributes: must be attribute=value, got \"enabled\"");
    ck_assert_begins(set("=1"),
                     "unknown attribute \"\". Allowed attributes: name, enabled, until, expr, ");
    ck_assert_ptr_ne(strstr(set("=1"), ", retry, ttl, resolve, servers, "), NULL);
    ck_assert_wrong(set("host=http://b"),
                    "host: must be set by the URL, the first argument, not as an attribute");
    ck_assert_wrong(set("retry=1 ttl=1 retry=1"), "retry: must be set once, got it twice");
    ck_assert_wrong(
        mirror_attributes_set_line(&settings, "name=b", MIRROR_ATTRIBUTE_NO_DEFAULT, pool),
        "name: must be set for each mirror, not as a default");
    /* no value is repeated where it may be that of a password */
    ck_assert_ptr_eq(strstr(set("word=secret"), "secret"), NULL);
    ck_assert_ptr_eq(strstr(set("word='secret"), "secret"), NULL);
    ck_assert_ptr_eq(strstr(set("word='secret'secret"), "secret"), NULL);
}
END_TEST

/* What is meant by a mistyped name comes first, then the list; what is not allowed is neither
 * proposed nor listed. */
START_TEST(test_mistyped)
{
    static const char *const words[][2] = {
        { "sampel_ratio", "sample_ratio" }, /* swapped */
        { "sample-ratio", "sample_ratio" },
        { "Sample_Ratio", "sample_ratio" },
        { "sampleratio", "sample_ratio" },   /* missing */
        { "samplle_ratio", "sample_ratio" }, /* one too many */
        { "sanple_ratio", "sample_ratio" },  /* a wrong one */
        { "coutn", "count" },
        { "timout", "timeout" },
        { "bdy", "body" },
        { "max_conections", "max_connections" },
        { "redis_clusternodes", "redis_cluster_nodes" },
    };
    static const char *const strange[] = {
        "",
        "x",
        "hos",
        "quality",
        "=",
        "\xff\xff",
        "sample_ratio_of_all_that_there_is_in_the_world_and_more"
    };
    apr_size_t i;

    for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
        ck_assert_begins(set(apr_pstrcat(pool, words[i][0], "=1", NULL)),
                         apr_pstrcat(pool, "unknown attribute \"", words[i][0],
                                     "\"; did you mean \"", words[i][1],
                                     "\"? Allowed attributes: name, ", NULL));
    }
    for (i = 0; i < sizeof(strange) / sizeof(*strange); i++) {
        ck_assert_ptr_eq(strstr(set(apr_pstrcat(pool, strange[i], "=1", NULL)), "did you"), NULL);
    }
    ck_assert_begins(set_json("hots", "1"), "unknown attribute \"hots\"; did you mean \"host\"?");
    for (i = 0; i < 200; i++) { /* any length */
        char *word = apr_pcalloc(pool, i + 2);

        memset(word, "e_t"[i % 3], i);
        word[i] = '=';
        ck_assert_begins(set(word), "unknown attribute \"");
    }
}
END_TEST

START_TEST(test_quotes)
{
    const char *word,
        *line =
            " plain \"a b\" 'c \"d' e=\"f \\\" g\" h='i\\'' \"j=k l\" m=n=\"o\" p\\q \\\\r \"\" s=";
    static const char *const words[] = { "plain",     "a b",  "c \"d", "e=f \" g", "h=i'", "j=k l",
                                         "m=n=\"o\"", "p\\q", "\\r",   "",         "s=" };
    apr_size_t i;

    for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
        ck_assert_right(mirror_attributes_next_word(&word, &line, pool));
        ck_assert_str_eq(word, words[i]);
    }
    ck_assert_right(mirror_attributes_next_word(&word, &line, pool));
    ck_assert_ptr_eq(word, NULL);
    ck_assert_wrong(set("name=\"a"), "quotes: must be closed, got \"name\"");
    ck_assert_wrong(set("\"name=a"), "quotes: must be closed, got \"\\\"name\"");
    ck_assert_wrong(set("\"name=a\\\""), "quotes: must be closed, got \"\\\"name\"");
    ck_assert_wrong(set("name='a'b"), "quotes: must be followed by a space, got \"name\"");
}
END_TEST

/* ---- JSON ---- */

START_TEST(test_json)
{
    ck_assert_right(set_json("enabled", "false"));
    ck_assert_right(set_json("body", "true"));
    ck_assert_int_eq(settings.body, 1);
    ck_assert_right(set_json("max_connections", "7"));
    ck_assert_int_eq(settings.max_connections, 7);
    ck_assert_right(set_json("timeout", "\"250ms\""));
    ck_assert_int_eq(settings.timeout, 250000);
    ck_assert_right(set_json("max_body", "\"1K\""));
    ck_assert_right(set_json("when", "\"request\""));
    ck_assert_right(set_json("host", "\"http://B:81\""));
    ck_assert_ptr_ne(
        strstr(print(),
               "{\"host\":\"http://b:81\",\"enabled\":false,\"sample_ratio\":0,\"body\":false,"
               "\"max_body\":\"0\",\"path_concat_mode\":\"replace\",\"uri\":\"client\",\"when\":"
               "\"response\",\"copies\":0,\"connect_timeout\":\"0s\",\"timeout\":\"0s\","),
        NULL);
    ck_assert_right(set_json("methods", "[\"GET\", \"POST\"]"));
    ck_assert_ptr_ne(strstr(print(), "\"methods\":[\"GET\",\"POST\"]"), NULL);
}
END_TEST

START_TEST(test_json_is_strict)
{
    static const char *const number[] = {
        "\"5\"", "1.5", "5.0", "1e2", "0", "65536", "99999999999999999999", "true", "null"
    };
    apr_size_t i;

    for (i = 0; i < sizeof(number) / sizeof(*number); i++) {
        ck_assert_wrong(set_json("max_connections", number[i]),
                        apr_pstrcat(pool,
                                    "max_connections: must be an integer from 1 to 65535, got ",
                                    number[i], NULL));
        ck_assert(settings.set == 0);
    }
    ck_assert_wrong(set_json("max_connections", "[1]"),
                    "max_connections: must be an integer from 1 to 65535, got a list");
    ck_assert_wrong(set_json("max_connections", "{}"),
                    "max_connections: must be an integer from 1 to 65535, got an object");
    ck_assert_wrong(
        set_json("host", "\"unix:/run/m.sock|http://h\""),
        "host: must be http://, https://, h2c://, h2://, grpc:// or grpcs:// with a host name, "
        "IPv4 address or [IPv6 address] and an "
        "optional port from 1 to 65535, or in a directive unix:/path|http://name, got "
        "\"unix:/run/m.sock|http://h\" (a socket can be set only in the configuration file)");
    ck_assert_wrong(set_json("body", "\"on\""),
                    "body: must be true or false (in a directive, also on or off), got \"on\"");
    ck_assert_wrong(set_json("body", "1"),
                    "body: must be true or false (in a directive, also on or off), got 1");
    ck_assert_wrong(set_json("ttl", "5"),
                    "ttl: must be a time such as 500ms, 2s or 1.5min, from 0 to 168h, got 5");
    ck_assert_wrong(set_json("max_body", "5"),
                    "max_body: must be a size such as 64K or 1M, at most 1024G, got 5");
    ck_assert_wrong(set_json("when", "\"a\\nb\""),
                    "when: must be response or request, got \"a\\x0ab\"");
    ck_assert_wrong(set_json("name", "\"a\""), "name: must be set in the configuration file");
    ck_assert_begins(set_json("nam", "\"a\""),
                     "unknown attribute \"nam\". Allowed attributes: host, enabled, ");
}
END_TEST

/* ---- layers and relations ---- */

START_TEST(test_merge)
{
    mirror_settings_t base;

    mirror_attributes_defaults(&base, pool);
    ck_assert_right(set("timeout=1s body=off"));
    mirror_attributes_merge(&base, &settings);
    ck_assert_right(set_url("http://h"));
    ck_assert_right(mirror_attributes_set_line(&settings, "timeout=2s", 0, pool));
    mirror_attributes_merge(&base, &settings);
    ck_assert_int_eq(base.timeout, 2 * SECOND);
    ck_assert_int_eq(base.body, 0);
    ck_assert_int_eq(base.ttl, 60 * SECOND);
    ck_assert_str_eq(base.target.hostname, "h");
    ck_assert(mirror_attributes_is_set(&base, mirror_attributes_find("body")));
    ck_assert(!mirror_attributes_is_set(&base, mirror_attributes_find("ttl")));
}
END_TEST

START_TEST(test_relations)
{
    apr_array_header_t *faults = apr_array_make(pool, 1, sizeof(const char *));

    mirror_attributes_defaults(&settings, pool);
    mirror_relations_check(faults, &settings);
    ck_assert_right(mirror_attributes_set_url(&settings, "http://h", pool));
    mirror_relations_check(faults, &settings);
    ck_assert_right(mirror_attributes_set_url(&settings, "https://h", pool));
    mirror_relations_check(faults, &settings);
    ck_assert_int_eq(faults->nelts, 0);
    ck_assert_right(mirror_attributes_set_line(&settings, "status=404 when=request", 0, pool));
    mirror_relations_check(faults, &settings);
    ck_assert_int_eq(faults->nelts, 1);
    ck_assert_str_eq(APR_ARRAY_IDX(faults, 0, const char *),
                     "status: must be used with when=response, got when=request");
}
END_TEST

START_TEST(test_effect)
{
    apr_array_header_t *warnings = apr_array_make(pool, 1, sizeof(const char *));
    mirror_settings_t whole;

    ck_assert_right(set("max_body=1"));
    mirror_attributes_defaults(&whole, pool);
    mirror_attributes_merge(&whole, &settings);
    mirror_relations_check_effect(warnings, &settings, &whole);
    ck_assert_int_eq(warnings->nelts, 0);
    whole.body = 0;
    mirror_relations_check_effect(warnings, &settings, &whole);
    ck_assert_int_eq(warnings->nelts, 1);
    ck_assert_str_eq(APR_ARRAY_IDX(warnings, 0, const char *),
                     "max_body: has no effect without body=true");
    settings.set = 0;
    mirror_relations_check_effect(warnings, &settings, &whole);
    ck_assert_int_eq(warnings->nelts, 1);
    ck_assert_right(set("path_concat_mode=prefix sample_key=x"));
    mirror_relations_check_effect(warnings, &settings, &whole);
    ck_assert_int_eq(warnings->nelts, 3);
    ck_assert_str_eq(APR_ARRAY_IDX(warnings, 1, const char *),
                     "sample_key: has no effect without sample_ratio");
    ck_assert_str_eq(APR_ARRAY_IDX(warnings, 2, const char *),
                     "path_concat_mode: has no effect without path");
    whole.path = "/";
    whole.sample_ratio--;
    mirror_relations_check_effect(warnings, &settings, &whole);
    ck_assert_int_eq(warnings->nelts, 3);
}
END_TEST

static int warnings_of(apr_array_header_t **warnings, const char *line)
{
    mirror_settings_t whole;

    *warnings = apr_array_make(pool, 1, sizeof(const char *));
    ck_assert_right(set(line));
    mirror_attributes_defaults(&whole, pool);
    mirror_attributes_merge(&whole, &settings);
    mirror_relations_check_sense(*warnings, &whole, apr_time_from_sec(1000000000));
    return (*warnings)->nelts;
}

START_TEST(test_sense)
{
    apr_array_header_t *warnings;

    ck_assert_int_eq(warnings_of(&warnings, "enable_limit_count=true count=1"), 0);
    ck_assert_int_eq(warnings_of(&warnings, "timeout=1h connect_timeout=60min"), 0);
    ck_assert_int_eq(warnings_of(&warnings, "enable_limit_count=true time_window=9"), 1);
    ck_assert_str_eq(APR_ARRAY_IDX(warnings, 0, const char *),
                     "enable_limit_count: sends only 1 copy in 9 seconds without count");
    ck_assert_int_eq(warnings_of(&warnings, "timeout=5000 connect_timeout=3601s"), 2);
    ck_assert_str_eq(APR_ARRAY_IDX(warnings, 1, const char *),
                     "timeout: is \"5000s\", more than an hour (a number without a unit is in "
                     "seconds)");
    ck_assert_int_eq(warnings_of(&warnings, "until=2001-09-09T01:46:41Z"), 0);
    ck_assert_int_eq(warnings_of(&warnings, "until=2001-09-09T01:46:40Z"), 1);
    ck_assert_str_eq(APR_ARRAY_IDX(warnings, 0, const char *),
                     "until: is \"2001-09-09T01:46:40Z\", which is over, so nothing is copied");
}
END_TEST

/* An upgrade is no change of the file: neither a new attribute nor another default is one. */
START_TEST(test_hash_of_what_is_given)
{
    apr_uint64_t given;

    ck_assert_ptr_null(set("timeout=7s path=/x"));
    given = mirror_attributes_hash(&settings, pool);
    settings.retry += 1;
    settings.connect_timeout += 1;
    ck_assert_uint_eq(mirror_attributes_hash(&settings, pool), given);
    ck_assert_ptr_null(set("path=/x timeout=7s"));
    ck_assert_uint_eq(mirror_attributes_hash(&settings, pool), given);
    ck_assert_ptr_null(set("timeout=8s path=/x"));
    ck_assert_uint_ne(mirror_attributes_hash(&settings, pool), given);
    ck_assert_ptr_null(set("timeout=7s path=/x retry=1s"));
    ck_assert_uint_ne(mirror_attributes_hash(&settings, pool), given);
}
END_TEST

/* Whatever the line is, it is read to its end or refused in printable words. */
START_TEST(test_any_line)
{
    static const char alphabet[] = "name=ttlbody 'x\"\\=1.5smG\t\x01\xff[]:/@";
    apr_uint32_t random = 1;
    int i, j;

    for (i = 0; i < 20000; i++) {
        char line[64];
        const char *wrong, *p;

        for (j = 0; j < 63; j++) {
            random = random * 1664525u + 1013904223u;
            line[j] = alphabet[(random >> 16) % (sizeof(alphabet) - 1)];
        }
        line[(random >> 8) % 64] = '\0';
        line[63] = '\0';
        wrong = i % 2 ? set(apr_pstrcat(pool, i % 3 ? "name=" : "ttl=", line, NULL))
                      : set_url(apr_pstrcat(pool, "http://", line, NULL));
        for (p = wrong ? wrong : ""; *p >= 0x20 && *p <= 0x7e; p++) {
        }
        ck_assert_msg(!*p, "%s", wrong);
        if (i % 100 == 0) {
            apr_pool_clear(pool);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("attributes");
    TCase *test = tcase_create("all");

    apr_initialize();
    tcase_add_checked_fixture(test, setup, teardown);
    tcase_add_test(test, test_defaults);
    tcase_add_test(test, test_rows);
    tcase_add_test(test, test_canonical_text);
    tcase_add_test(test, test_line);
    tcase_add_test(test, test_words);
    tcase_add_test(test, test_mistyped);
    tcase_add_test(test, test_quotes);
    tcase_add_test(test, test_json);
    tcase_add_test(test, test_json_is_strict);
    tcase_add_test(test, test_merge);
    tcase_add_test(test, test_relations);
    tcase_add_test(test, test_effect);
    tcase_add_test(test, test_sense);
    tcase_add_test(test, test_hash_of_what_is_given);
    tcase_add_test(test, test_any_line);
    suite_add_tcase(suite, test);
    return suite_run(suite);
}
