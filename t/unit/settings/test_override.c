/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_override.c - what the manager sets of a mirror: over the file, and back; and whatever else
 * a body may be.
 */
#include <check.h>

#include "override.h"
#include "suite.h"

#define RANDOM_BODIES 100000

static apr_pool_t *pool;
static mirror_t *mirror;

static void setup(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    mirror = make_mirror("timeout=7s count=3 redis_host=h redis_password=of-defaults",
                         "timeout=1s path=/x redis_host=g redis_password=of-line", pool);
}

static void teardown(void)
{
    apr_pool_destroy(pool);
}

static void assert_text(const char *stored, int put, const char *body, const char *expected)
{
    const char *wrong, *text = change(&wrong, mirror, stored, put, body, strlen(body), pool);

    ck_assert_msg(!wrong, "%s: %s", body, wrong);
    if (expected) {
        ck_assert_ptr_ne(text, NULL);
        ck_assert_str_eq(text, expected);
    }
    else {
        ck_assert_ptr_eq(text, NULL);
    }
}

static void assert_refused(const char *stored, int put, const char *body, const char *words)
{
    const char *wrong;

    ck_assert_ptr_eq(change(&wrong, mirror, stored, put, body, strlen(body), pool), NULL);
    ck_assert_msg(wrong && strstr(wrong, words), "%s: %s", body, wrong);
}

START_TEST(patches_lie_over_the_file)
{
    assert_text(NULL, 0, "{}", NULL);
    assert_text(NULL, 0, "{\"count\": 5}", "{\"count\":5}");
    assert_text("{\"count\":5}", 0, "{\"path\": \"/y\"}", "{\"path\":\"/y\",\"count\":5}");
    assert_text("{\"count\":5}", 0, "{\"count\": 3}", NULL); /* which is what it was */
    assert_text(NULL, 0, "{\"timeout\": null}", "{\"timeout\":null}");
    assert_text(NULL, 0, "{\"path\": null}", "{\"path\":null}");
    assert_text("{\"path\":null}", 0, "{\"path\": \"/x\"}", NULL);
    assert_text("{\"count\":5}", 0, "{\"count\": null}", NULL);
    assert_text(NULL, 0, "{\"max_body\": \"1024K\", \"count\": 3}", NULL);
}
END_TEST

START_TEST(a_put_says_all)
{
    assert_text("{\"count\":5}", 1,
                "{\"host\": \"http://mirror.example.com\", \"timeout\": \"1s\", \"path\": \"/x\", "
                "\"redis_host\": \"g\", "
                "\"redis_password\": \"***\"}",
                NULL);
    assert_text(NULL, 1, "{\"host\": \"http://b\", \"redis_password\": \"n\"}",
                "{\"host\":\"http://"
                "b\",\"path\":null,\"timeout\":null,\"redis_host\":null,\"redis_password\":\"n\"}");
    assert_refused(NULL, 1, "{}", "host: ");
    assert_refused(NULL, 1, "{\"count\": 3}", "host: ");
}
END_TEST

START_TEST(passwords_stay_with_their_server)
{
    assert_refused(NULL, 0, "{\"redis_host\": \"evil\"}", "redis_password: ");
    assert_refused(NULL, 0, "{\"redis_host\": \"evil\", \"redis_password\": \"***\"}",
                   "redis_password: ");
    assert_refused(NULL, 0, "{\"redis_host\": null}", "redis_password: ");
    assert_refused(NULL, 0, "{\"redis_password\": null}", "redis_password: ");
    assert_text(NULL, 0, "{\"redis_host\": null, \"redis_password\": null}",
                "{\"redis_host\":null,\"redis_password\":null}");
    assert_text(NULL, 0, "{\"redis_host\": \"i\", \"redis_password\": \"n\"}",
                "{\"redis_host\":\"i\",\"redis_password\":\"n\"}");
    assert_text("{\"redis_host\":\"i\",\"redis_password\":\"n\"}", 0, "{\"count\": 4}",
                "{\"count\":4,\"redis_host\":\"i\",\"redis_password\":\"n\"}");
    assert_refused("{\"redis_host\":\"i\",\"redis_password\":\"n\"}", 0,
                   "{\"redis_password\": null}", "redis_password: ");
    assert_refused("{\"redis_host\":\"i\",\"redis_password\":\"n\"}", 0, "{\"redis_port\": 1}",
                   "redis_port");
    /* one that was given stays given, as the file's may change */
    assert_text(NULL, 0, "{\"redis_host\": \"i\", \"redis_password\": \"of-line\"}",
                "{\"redis_host\":\"i\",\"redis_password\":\"of-line\"}");
}
END_TEST

START_TEST(bodies_that_are_none)
{
    static const char *const bodies[][2] = {
        { "", "invalid JSON" },
        { "{\"count\": 1, \"count\": 1}", "twice" },
        { "{\"path\": \"/\\u0000\"}", "NUL" },
        { "{\"\\\\\\u0000\": 1}", "NUL" },
        { "{\"x\": [[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}", "16" },
        { "{\"x\": [[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]}", "unknown attribute \"x\"" },
        { "{\"x\": \"[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[[[[[[[[[\"}", "unknown attribute \"x\"" },
        { "[1]", "not an object" },
        { "{\"count\": 5} x", "invalid JSON" },
        { "{\"count\": 5} // five", "invalid JSON" },
        { "{/*\"*/\"x\": [[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]}", "invalid JSON" },
        { "{/*\"*/\"path\": \"/a\\u0000b\"}", "invalid JSON" },
    };
    unsigned i;

    for (i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
        assert_refused(NULL, 0, bodies[i][0], bodies[i][1]);
    }
}
END_TEST

static unsigned next(unsigned *state, unsigned below)
{
    *state = *state * 1664525 + 1013904223;
    return (*state >> 8) % below;
}

/* Words of JSON and of attributes in any order: most are refused, some are not. */
START_TEST(random_bodies)
{
    static const char *const words[] = { "{",
                                         "}",
                                         "[",
                                         "]",
                                         ":",
                                         ",",
                                         "\"",
                                         "\\",
                                         "null",
                                         "true",
                                         "5",
                                         "-1",
                                         "1e9",
                                         "0.5",
                                         "{\"count\":",
                                         "{\"path\":",
                                         "\"/a\"",
                                         "\"methods\":[",
                                         "\"GET\"",
                                         "\"***\"",
                                         "}",
                                         "{\"redis_password\":",
                                         "{\"timeout\":",
                                         "\"5s\"",
                                         "}",
                                         "\xff",
                                         "\\u0000",
                                         " " };
    unsigned state = 1, taken = 0, n;
    char body[256];

    for (n = 0; n < RANDOM_BODIES; n++) {
        apr_pool_t *once;
        const char *wrong;
        apr_size_t len = 0;
        unsigned parts = next(&state, 12);

        while (parts-- > 0) {
            if (next(&state, 8) == 0) {
                body[len++] = (char)next(&state, 256);
            }
            else {
                const char *word = words[next(&state, sizeof(words) / sizeof(*words))];

                memcpy(body + len, word, strlen(word));
                len += strlen(word);
            }
        }
        apr_pool_create(&once, pool);
        change(&wrong, mirror, NULL, n % 2, body, len, once);
        taken += wrong == NULL;
        apr_pool_destroy(once);
    }
    ck_assert_uint_gt(taken, 10);
}
END_TEST

START_TEST(a_stop_remains_of_what_is_not_valid)
{
    static const char *const stop = "{\"enabled\":false}";

    ck_assert_pstr_eq(mirror_override_rest("{\"enabled\":false,\"novel\":1}", mirror, pool), stop);
    ck_assert_pstr_eq(mirror_override_rest("{\"count\":0,\"enabled\":false}", mirror, pool), stop);
    ck_assert_pstr_eq(mirror_override_rest("{\"enabled\":true,\"novel\":1}", mirror, pool), NULL);
    ck_assert_pstr_eq(mirror_override_rest("{\"enabled\":null}", mirror, pool), NULL);
    ck_assert_pstr_eq(mirror_override_rest("{\"novel\":{\"enabled\":false}}", mirror, pool), NULL);
    ck_assert_pstr_eq(mirror_override_rest("[false]", mirror, pool), NULL);
    ck_assert_pstr_eq(mirror_override_rest("{\"enabled\":false", mirror, pool), NULL);
    ck_assert_pstr_eq(mirror_override_rest("", mirror, pool), NULL);
}
END_TEST

/* `until` stops a mirror, too, and so does a default; but nothing lets it run longer than the file. */
START_TEST(an_end_and_a_default_that_stops_remain)
{
    static const char *const end = "{\"until\":\"2026-01-02T00:00:00Z\"}";
    mirror_t *off = make_mirror("enabled=false", "enabled=true until=2026-01-02T00:00:00Z", pool);

    ck_assert_pstr_eq(
        mirror_override_rest("{\"until\":\"2026-01-02T00:00:00Z\",\"novel\":1}", mirror, pool),
        end);
    ck_assert_pstr_eq(
        mirror_override_rest("{\"until\":\"2026-01-03T00:00:00Z\",\"novel\":1}", off, pool), NULL);
    ck_assert_pstr_eq(mirror_override_rest("{\"until\":null,\"novel\":1}", off, pool), NULL);
    ck_assert_pstr_eq(mirror_override_rest("{\"until\":\"soon\",\"enabled\":false}", mirror, pool),
                      "{\"enabled\":false}");
    ck_assert_pstr_eq(mirror_override_rest("{\"enabled\":null,\"novel\":1}", off, pool),
                      "{\"enabled\":null}");
    ck_assert_pstr_eq(mirror_override_rest("{\"enabled\":\"no\"}", mirror, pool), NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("override");
    TCase *tcase = tcase_create("override");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, patches_lie_over_the_file);
    tcase_add_test(tcase, a_put_says_all);
    tcase_add_test(tcase, passwords_stay_with_their_server);
    tcase_add_test(tcase, a_stop_remains_of_what_is_not_valid);
    tcase_add_test(tcase, an_end_and_a_default_that_stops_remain);
    tcase_add_test(tcase, bodies_that_are_none);
    tcase_add_test(tcase, random_bodies);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
