/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_choose.c - whether a request is copied: the order of the questions, samples, statuses.
 */
#include <check.h>

#include "request.h"

#include "attributes/attributes.h"
#include "capture/choose.h"
#include "capture/sample.h"
#include "settings/rules.h"
#include "suite.h"

#define MANY 100000

static mirror_settings_t settings;
static mirror_child_t child;
static mirror_t mirror;
static mirror_lane_t lane;

static void setup_choose(void)
{
    setup();
    memset(&child, 0, sizeof(child));
    memset(&lane, 0, sizeof(lane));
    mirror.name = "m";
    lane.mirror = &mirror;
    lane.child = &child;
    request.method = "GET";
    request.unparsed_uri = (char *)"/";
    request.the_request = (char *)"GET / HTTP/1.1";
}

/* Settings of this line. */
static void given(const char *line)
{
    const char *wrong;

    mirror_attributes_defaults(&settings, pool);
    wrong = mirror_attributes_set_line(&settings, line, 0, pool);
    if (!wrong) {
        wrong = mirror_rules_compile(&settings, NULL, pool, pool);
    }
    ck_assert_msg(!wrong, "%s", wrong);
}

static mirror_choice_t choice;

static const char *choose(void)
{
    memset(&choice, 0, sizeof(choice));
    choice.r = &request;
    choice.first = &request;
    choice.id = "us";
    return mirror_outcome_name(mirror_choose(&choice, &lane, &settings));
}

/* ---- the order ---- */

START_TEST(first_no_is_the_outcome)
{
    static const struct {
        const char *line, *outcome;
    } cases[] = {
        { "enabled=false methods=POST expr=false sample_ratio=0", "disabled" },
        { "methods=POST expr=false sample_ratio=0", "filtered" },
        { "methods=POST,GET expr=false sample_ratio=0", "filtered" },
        { "methods=POST,GET expr=true sample_ratio=0", "sampled_out" },
        { "expr=fails", "filtered" },
        { "sample_key=fails sample_ratio=0.999999999", "sampled_out" },
    };
    unsigned i;

    apr_table_setn(request.headers_in, "Upgrade", "websocket");
    apr_table_setn(request.headers_in, "X-Proxy-Mirror", "us");
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        given(cases[i].line);
        ck_assert_str_eq(choose(), cases[i].outcome);
        ck_assert_msg(choice.head == NULL, "the head was read");
    }
    request.request_time = apr_time_from_sec(1798135200); /* 2026-12-24T18:00:00Z */
    given("until=2026-12-24T18:00:00Z methods=POST");
    ck_assert_str_eq(choose(), "disabled");
    given("until=2026-12-24T18:00:00.000001Z methods=POST");
    ck_assert_str_eq(choose(), "filtered");
    given("");
    ck_assert_str_eq(choose(), "upgrade");
    apr_table_unset(request.headers_in, "Upgrade");
    ck_assert_str_eq(choose(), "looped");
    apr_table_unset(request.headers_in, "X-Proxy-Mirror");
    ck_assert_str_eq(choose(), "captured");
    apr_table_setn(request.headers_in, "Content-Length", "1048577");
    ck_assert_str_eq(choose(), "too_large");
}
END_TEST

START_TEST(methods)
{
    static const struct {
        const char *line, *request, *outcome;
    } cases[] = {
        { "", "GET / HTTP/1.1", "captured" },
        { "", "BREW / HTTP/1.1", "captured" },
        { "", "CONNECT h:1 HTTP/1.1", "filtered" },
        { "", "TRACE / HTTP/1.1", "filtered" },
        { "methods=GET", "GET / HTTP/1.1", "captured" },
        { "methods=GET", "HEAD / HTTP/1.1", "filtered" },
        { "methods=GET", "get / HTTP/1.1", "filtered" },
        { "methods=GET", "GETS / HTTP/1.1", "filtered" },
        { "methods=GET", "GE / HTTP/1.1", "filtered" },
        { "methods=HEAD,BREW", "BREW / HTTP/1.1", "captured" },
    };
    unsigned i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        given(cases[i].line);
        request.the_request = apr_pstrdup(pool, cases[i].request);
        ck_assert_str_eq(choose(), cases[i].outcome);
    }
}
END_TEST

START_TEST(a_failure_is_logged_once)
{
    int i;

    given("expr=fails");
    for (i = 0; i < 3; i++) {
        choose();
        ck_assert_int_eq(lane.logged[MIRROR_EXPR_EXPR], 1);
    }
    ck_assert_int_eq(lane.logged[MIRROR_EXPR_SAMPLE_KEY], 0);
    ck_assert_ptr_eq(request.log, NULL);
}
END_TEST

START_TEST(what_does_not_parse_is_refused)
{
    static const struct {
        const char *line, *wrong;
    } cases[] = {
        { "expr=bad", "expr: must be an expression, got \"bad\" (syntax error)" },
        { "sample_key=bad", "sample_key: must be a string expression, got \"bad\" (syntax error)" },
        { "\"expr=a\\\\\"",
          "expr: must be an expression, got \"a\\\\\" (it ends with a backslash)" },
        { "\"sample_key=%{HTTP:it's}\"",
          "sample_key: must be a string expression, got \"%{HTTP:it's}\" (a quote in %{...:...} "
          "must be preceded by a backslash)" },
    };
    static const char *const good[] = { "%{A} == 'b' && %{HTTP:x} == \"y\"",
                                        "%{HTTP:it\\'s}",
                                        "%{f:%{REQUEST_URI}%{g:x}} 'a'",
                                        "it's } %{",
                                        "a\\\\",
                                        "%{}'" };
    unsigned i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        mirror_attributes_defaults(&settings, pool);
        ck_assert_ptr_eq(mirror_attributes_set_line(&settings, cases[i].line, 0, pool), NULL);
        ck_assert_str_eq(mirror_rules_compile(&settings, NULL, pool, pool), cases[i].wrong);
        ck_assert_ptr_eq(settings.rules, NULL);
    }
    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        mirror_attributes_defaults(&settings, pool);
        settings.expr = good[i];
        ck_assert_msg(!mirror_rules_compile(&settings, NULL, pool, pool), "%s", good[i]);
    }
}
END_TEST

/* ---- samples ---- */

/* At most four standard deviations off. */
static void ck_assert_share(int count, int total, double ratio)
{
    double off = count - total * ratio;

    ck_assert_msg(off * off <= 16 * total * ratio * (1 - ratio) + 0.01, "%d of %d with %g", count,
                  total, ratio);
}

static int sampled(int total)
{
    int i, count = 0;

    for (i = 0; i < total; i++) {
        count += !strcmp(choose(), "captured");
        if (i % 100 == 0) {
            apr_pool_t *old = request.pool;

            if (old != pool) {
                apr_pool_destroy(old);
            }
            apr_pool_create(&request.pool, pool);
        }
    }
    return count;
}

START_TEST(share_is_the_ratio)
{
    static const struct {
        const char *line;
        double ratio;
    } cases[] = { { "sample_ratio=0.5", 0.5 },     { "sample_ratio=1%", 0.01 },
                  { "sample_ratio=0.999", 0.999 }, { "sample_ratio=0.0001", 0.0001 },
                  { "sample_ratio=0", 0 },         { "sample_ratio=1", 1 } };
    unsigned i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        given(cases[i].line);
        child.sample = i * 12345;
        ck_assert_share(sampled(MANY / 5), MANY / 5, cases[i].ratio);
    }
}
END_TEST

START_TEST(what_follows_is_independent)
{
    apr_uint64_t state = 0;
    int i, before = 0, pairs = 0;

    for (i = 0; i < MANY; i++) {
        int now = mirror_sample_random(&state, MIRROR_RATIO_ALL / 2);

        pairs += now && before;
        before = now;
    }
    ck_assert_share(pairs, MANY, 0.25);
}
END_TEST

/* Keys that are alike are spread as any, and the numbers are those that the manual gives. */
START_TEST(keys_are_spread_evenly)
{
    static const char *const forms[] = { "%d",        "user-%d", "%d@example.com",
                                         "10.0.0.%d", "%08x",    "session=%d; path=/" };
    static const double ratios[] = { 0.5, 0.1, 0.01 };
    unsigned form, r;
    int i;

    for (form = 0; form < sizeof(forms) / sizeof(forms[0]); form++) {
        for (r = 0; r < sizeof(ratios) / sizeof(ratios[0]); r++) {
            int count = 0;

            for (i = 0; i < MANY; i++) {
                char key[64];

                apr_snprintf(key, sizeof(key), forms[form], i);
                count += mirror_sample_key(key, (apr_int64_t)(ratios[r] * MIRROR_RATIO_ALL));
            }
            ck_assert_share(count, MANY, ratios[r]);
        }
    }
}
END_TEST

START_TEST(numbers_of_keys_stay_as_they_are)
{
    static const struct {
        const char *key;
        apr_int64_t first; /* the lowest ratio at which it is in, in billionths */
    } cases[] = {
        { "", 957673426 }, { "alice", 772725429 }, { "bob", 431723763 }, { "\xc3\xa4", 898594060 }
    };
    unsigned i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert(!mirror_sample_key(cases[i].key, cases[i].first - 1));
        ck_assert(mirror_sample_key(cases[i].key, cases[i].first));
        ck_assert(mirror_sample_key(cases[i].key, cases[i].first + 1));
    }
}
END_TEST

START_TEST(key_decides)
{
    int i;

    given("sample_ratio=0.5 sample_key=key");
    for (i = 0; i < 100; i++) {
        const char *key = apr_itoa(pool, i), *outcome;

        apr_table_setn(request.headers_in, "Key", key);
        outcome = choose();
        ck_assert_str_eq(outcome, mirror_sample_key(key, settings.sample_ratio) ? "captured"
                                                                                : "sampled_out");
        ck_assert_str_eq(outcome, choose());
    }
    ck_assert_uint_eq(child.sample, 0);
}
END_TEST

/* ---- statuses ---- */

START_TEST(statuses)
{
    int status;

    given("");
    ck_assert(mirror_rules_status(&settings, 500) && mirror_rules_status(&settings, 0));
    given("status=2xx,404,599");
    for (status = -1; status < 1000; status++) {
        int methods = (status >= 200 && status <= 299) || status == 404 || status == 599;

        ck_assert_msg(mirror_rules_status(&settings, status) == methods, "%d", status);
    }
    given("status=5xx,200");
    ck_assert(mirror_rules_status(&settings, 500) && mirror_rules_status(&settings, 599));
    ck_assert(!mirror_rules_status(&settings, 201) && !mirror_rules_status(&settings, 499));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("choose");
    TCase *tcase = tcase_create("choose");

    apr_initialize();
    tcase_add_checked_fixture(tcase, setup_choose, teardown);
    tcase_add_test(tcase, first_no_is_the_outcome);
    tcase_add_test(tcase, methods);
    tcase_add_test(tcase, a_failure_is_logged_once);
    tcase_add_test(tcase, what_does_not_parse_is_refused);
    tcase_add_test(tcase, share_is_the_ratio);
    tcase_add_test(tcase, what_follows_is_independent);
    tcase_add_test(tcase, keys_are_spread_evenly);
    tcase_add_test(tcase, numbers_of_keys_stay_as_they_are);
    tcase_add_test(tcase, key_decides);
    tcase_add_test(tcase, statuses);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
