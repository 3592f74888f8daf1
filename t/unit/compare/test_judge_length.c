/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_judge_length.c - two bodies, one of which is empty, or too long to be compared.
 */
#include <string.h>
#include <zlib.h>

#include <apr_strings.h>
#include <check.h>

#include "compare/judge.h"
#include "json_pair.h"
#include "suite.h"

#define BODY (1U << MIRROR_PART_BODY)
#define JSON "Content-Type: application/json\n"
#define GZIP "Content-Encoding: gzip\n"

static mirror_judgement_t judgement;
static mirror_judge_options_t how;
static mirror_half_t a, b;

static apr_status_t free_data(void *data)
{
    free(data);
    return APR_SUCCESS;
}

/* Copies of the very length, so that a tool sees each byte read beyond. Freed with the pool. */
static void fill_bytes(mirror_bytes_t *bytes, const char *data, apr_size_t len)
{
    bytes->data = len > 0 ? memcpy(malloc(len), data, len) : NULL;
    bytes->len = bytes->room = len;
    if (len > 0) {
        apr_pool_cleanup_register(pool, bytes->data, free_data, apr_pool_cleanup_null);
    }
}

static void fill(mirror_half_t *half, int status, const char *head, const char *body)
{
    memset(half, 0, sizeof(*half));
    half->status = status;
    half->skip = half->body_skip = MIRROR_SKIP_NONE;
    fill_bytes(&half->head, head, strlen(head));
    fill_bytes(&half->body, body, strlen(body));
}

static void prepare(void)
{
    setup();
    memset(&how, 0, sizeof(how));
    how.parts = BODY;
    how.may_examine = 1;
    how.now = options.now;
    how.json = context;
    how.pool = pool;
    fill(&a, 200, "", "");
    fill(&b, 200, "", "");
}

/* The verdict, or the reason to skip it, and all rows. */
static const char *judged(void)
{
    const char *text;
    int i;

    memset(&judgement, 0xaa, sizeof(judgement));
    how.rules = options.rules;
    mirror_judge(&judgement, &how, &a, &b);
    text = judgement.skip != MIRROR_SKIP_NONE ? mirror_skip_name(judgement.skip)
                                              : mirror_verdict_name(judgement.verdict);
    for (i = 0; i < judgement.rows.count; i++) {
        const mirror_row_t *row = &judgement.rows.list[i];

        text = apr_pstrcat(pool, text, i ? ", " : ": ", row->field, " ",
                           mirror_kind_name((mirror_kind_e)row->kind),
                           row->built_in ? " (built in)" : "", NULL);
    }
    return text;
}

static void gzip_body(mirror_half_t *half, const void *data, apr_size_t len)
{
    z_stream z;
    apr_size_t room;
    char *out;

    memset(&z, 0, sizeof(z));
    ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    room = deflateBound(&z, len);
    out = apr_palloc(pool, room);
    z.next_in = (z_const Bytef *)data;
    z.avail_in = (uInt)len;
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)room;
    ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    fill_bytes(&half->body, out, z.total_out);
    deflateEnd(&z);
}

START_TEST(an_empty_body_is_a_missing_one)
{
    fill(&a, 200, "Content-Type: application/pdf\n", "1");
    fill(&b, 200, "Content-Type: application/pdf\n", "");
    ck_assert_str_eq(judged(), "different: body missing");
    add_rule("body presence");
    ck_assert_str_eq(judged(), "different: body missing");
    fill(&b, 200, "Content-Type: application/pdf\n", "2");
    ck_assert_str_eq(judged(), "ignored");
    options.rules = NULL;
    fill(&a, 200, "Content-Type: text/html\n", "");
    fill(&b, 200, "Content-Type: text/html\n", "<p>");
    ck_assert_str_eq(judged(), "different: body extra");
    add_rule("body mask <p>");
    ck_assert_str_eq(judged(), "ignored");
    fill(&a, 200, JSON, "");
    fill(&b, 200, JSON, "{}");
    ck_assert_str_eq(judged(), "different: body syntax");
}
END_TEST

START_TEST(a_body_that_is_much_longer_is_another_one)
{
    fill(&a, 200, JSON GZIP, "");
    gzip_body(&a, "{\"a\":1}", 7);
    fill(&b, 200, JSON GZIP, "");
    b.body_skip = MIRROR_SKIP_TOO_LARGE;
    b.body_max = 7 * 16;
    ck_assert_str_eq(judged(), "different: body length");
    ck_assert_int_eq(judgement.primary_is_longer, 0);
    add_rule("body/b ignore");
    ck_assert_str_eq(judged(), "too_large");
    options.rules = NULL;
    add_rule("body/b within 1");
    ck_assert_str_eq(judged(), "different: body length");
    b.body_max--;
    ck_assert_str_eq(judged(), "too_large");
    fill(&a, 200, JSON GZIP, "x");
    ck_assert_str_eq(judged(), "too_large");
    a.body_skip = MIRROR_SKIP_TOO_LARGE;
    ck_assert_str_eq(judged(), "too_large");
    fill(&b, 200, JSON GZIP, "");
    gzip_body(&b, "{\"a\":1}", 7);
    a.body_max = 7 * 16;
    ck_assert_str_eq(judged(), "different: body length");
    ck_assert_int_eq(judgement.primary_is_longer, 1);
    b.body_skip = MIRROR_SKIP_STREAMED;
    ck_assert_str_eq(judged(), "too_large");
}
END_TEST

/* An array of so many ones. */
static char *ones(int n)
{
    char *text = apr_palloc(pool, 2 * (apr_size_t)n + 2);
    int i;

    text[0] = '[';
    for (i = 0; i < n; i++) {
        memcpy(text + 1 + 2 * i, i < n - 1 ? "1," : "1]", 3);
    }
    return text;
}

START_TEST(json_that_is_too_much_beside_little)
{
    char deep[2 * 200 + 1];

    fill(&a, 200, JSON, ones(40000));
    fill(&b, 200, JSON, ones(2499));
    ck_assert_str_eq(judged(), "different: body length");
    ck_assert_int_eq(judgement.primary_is_longer, 1);
    fill(&b, 200, JSON, ones(2500));
    ck_assert_str_eq(judged(), "too_many_nodes");
    memset(deep, '[', 200);
    memset(deep + 200, ']', 200);
    deep[400] = '\0';
    fill(&a, 200, JSON, "[]");
    fill(&b, 200, JSON, deep);
    ck_assert_str_eq(judged(), "different: body length");
    ck_assert_int_eq(judgement.primary_is_longer, 0);
    add_rule("body/b ignore");
    ck_assert_str_eq(judged(), "too_deep");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("judge_length");
    TCase *tcase = tcase_create("all");

    tcase_add_checked_fixture(tcase, prepare, teardown);
    tcase_add_test(tcase, an_empty_body_is_a_missing_one);
    tcase_add_test(tcase, a_body_that_is_much_longer_is_another_one);
    tcase_add_test(tcase, json_that_is_too_much_beside_little);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
