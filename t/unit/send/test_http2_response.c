/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_http2_response.c - responses of HTTP/2: what is kept of them, and their caps.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "send/http2_response.h"
#include "suite.h"

static mirror_http2_response_t response;
static char kept[8192]; /* what the sink has got since the last restart */
static apr_size_t kept_len;
static char kept_trailers[64];

static void keep(void *baton, const char *data, apr_size_t len)
{
    ck_assert_ptr_eq(baton, kept);
    ck_assert_uint_lt(kept_len + len, sizeof(kept));
    memcpy(kept + kept_len, data, len);
    kept_len += len;
    kept[kept_len] = '\0';
}

static void keep_trailer(void *baton, const char *data, apr_size_t len)
{
    ck_assert_ptr_eq(baton, kept);
    ck_assert_uint_lt(strlen(kept_trailers) + len, sizeof(kept_trailers));
    strncat(kept_trailers, data, len);
}

static void restart(void *baton)
{
    (void)baton;
    kept[kept_len = 0] = '\0';
}

static void setup(void)
{
    static const mirror_response_sink_t sink = { keep, keep, restart, keep_trailer };

    mirror_http2_response_init(&response);
    response.sink = &sink;
    response.baton = kept;
    restart(NULL);
    kept_trailers[0] = '\0';
}

static apr_status_t field(const char *name, const char *value)
{
    return mirror_http2_response_field(&response, name, strlen(name), value, strlen(value));
}

/* A header block with a status, or none, and a field, or none. */
static apr_status_t block(const char *status, const char *name, const char *value)
{
    apr_status_t rv = APR_SUCCESS;

    mirror_http2_response_block(&response);
    if (status) {
        rv = field(":status", status);
    }
    if (rv == APR_SUCCESS && name) {
        rv = field(name, value);
    }
    return rv == APR_SUCCESS ? mirror_http2_response_block_end(&response) : rv;
}

START_TEST(a_whole_response)
{
    ck_assert(!response.begun);
    ck_assert_int_eq(block("200", "a", "b"), APR_SUCCESS);
    ck_assert(response.begun && response.final && !response.complete);
    mirror_http2_response_body(&response, "body", 4);
    ck_assert_int_eq(block(NULL, "x-trailer", "1"), APR_SUCCESS);
    mirror_http2_response_end(&response);
    ck_assert(response.complete);
    ck_assert_int_eq(response.status, 200);
    ck_assert_int_eq(response.grpc_status, MIRROR_HTTP2_GRPC_NONE);
    ck_assert_str_eq(kept, "a: b\r\nbody");
    ck_assert_str_eq(kept_trailers, "");
}
END_TEST

START_TEST(trailers_of_grpc)
{
    ck_assert_int_eq(block("200", "grpc-encoding", "gzip"), APR_SUCCESS);
    mirror_http2_response_body(&response, "body", 4);
    ck_assert_int_eq(block(NULL, "grpc-status", "13"), APR_SUCCESS);
    ck_assert_str_eq(kept, "grpc-encoding: gzip\r\nbody");
    ck_assert_str_eq(kept_trailers, "grpc-status: 13\r\n");
}
END_TEST

START_TEST(interim_responses)
{
    int i;

    for (i = 0; i < MIRROR_RESPONSE_INTERIM_MAX; i++) {
        ck_assert_int_eq(block("103", "link", "x"), APR_SUCCESS);
        ck_assert(!response.final);
    }
    ck_assert_str_eq(kept, "");
    ck_assert_int_eq(block("200", "a", "b"), APR_SUCCESS);
    ck_assert_int_eq(response.interim, MIRROR_RESPONSE_INTERIM_MAX);
    ck_assert_str_eq(kept, "a: b\r\n");
    setup();
    for (i = 0; i < MIRROR_RESPONSE_INTERIM_MAX; i++) {
        ck_assert_int_eq(block("100", NULL, NULL), APR_SUCCESS);
    }
    ck_assert_int_eq(block("100", NULL, NULL), APR_EGENERAL);
    ck_assert_str_eq(response.fault, "too many interim responses");
}
END_TEST

START_TEST(statuses)
{
    static const char *const wrong[] = { "", "1", "20", "2000", "2a0", "099", "101", "600", "-20" };
    apr_size_t i;

    for (i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        setup();
        ck_assert_int_eq(block(wrong[i], NULL, NULL), APR_EGENERAL);
        ck_assert_ptr_nonnull(response.fault);
        mirror_http2_response_end(&response);
        ck_assert(!response.complete);
    }
    setup();
    ck_assert_int_eq(block(NULL, "a", "b"), APR_EGENERAL);
    ck_assert_str_eq(response.fault, "a head without a status");
    setup();
    ck_assert_int_eq(block("200", ":path", "/"), APR_EGENERAL);
    setup();
    ck_assert_int_eq(block("200", NULL, NULL), APR_SUCCESS);
    ck_assert_int_eq(block("500", NULL, NULL), APR_EGENERAL); /* in trailers */
}
END_TEST

START_TEST(an_end_before_the_final_head)
{
    ck_assert_int_eq(block("100", NULL, NULL), APR_SUCCESS);
    mirror_http2_response_end(&response);
    ck_assert(!response.complete);
    ck_assert_str_eq(response.fault, "an incomplete response");
}
END_TEST

START_TEST(grpc_status)
{
    static const struct {
        const char *value;
        int status;
    } cases[] = { { "0", 0 },  { "12", 12 }, { "16", 16 },
                  { "17", 2 }, { "", 2 },    { "x", 2 },
                  { "1x", 2 }, { "-1", 2 },  { "99999999999999999999", 2 } };
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        setup(); /* trailers */
        ck_assert_int_eq(block("200", "grpc-status", "5"), APR_SUCCESS);
        ck_assert_int_eq(block(NULL, "grpc-status", cases[i].value), APR_SUCCESS);
        ck_assert_int_eq(response.grpc_status, cases[i].status);
        setup(); /* trailers only */
        ck_assert_int_eq(block("200", "grpc-status", cases[i].value), APR_SUCCESS);
        mirror_http2_response_end(&response);
        ck_assert(response.complete);
        ck_assert_int_eq(response.grpc_status, cases[i].status);
    }
}
END_TEST

START_TEST(caps)
{
    static char value[MIRROR_RESPONSE_HEAD_MAX];
    apr_status_t rv = APR_SUCCESS;
    int n = 0;

    response.sink = NULL;
    ck_assert_int_eq(block("200", NULL, NULL), APR_SUCCESS);
    for (; rv == APR_SUCCESS; n++) {
        rv = field("a", "b");
    }
    ck_assert_int_eq(n, MIRROR_RESPONSE_HEADERS_MAX); /* with the status */
    ck_assert_str_eq(response.fault, "too many headers");
    setup();
    response.sink = NULL;
    memset(value, 'x', sizeof(value) - 1);
    ck_assert_int_eq(block("200", NULL, NULL), APR_SUCCESS);
    ck_assert_int_eq(field("a", value), APR_EGENERAL);
    ck_assert_str_eq(response.fault, "a head that is too long");
    ck_assert_int_eq(mirror_http2_response_block_end(&response), APR_EGENERAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http2_response");
    TCase *tcase = tcase_create("http2_response");

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, a_whole_response);
    tcase_add_test(tcase, trailers_of_grpc);
    tcase_add_test(tcase, interim_responses);
    tcase_add_test(tcase, statuses);
    tcase_add_test(tcase, an_end_before_the_final_head);
    tcase_add_test(tcase, grpc_status);
    tcase_add_test(tcase, caps);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
