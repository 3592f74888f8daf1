/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_log.c - ProxyMirrorLog: what a line looks like, how long it is, and a descriptor that takes
 * nothing.
 */
#include <apr_general.h>
#include <apr_strings.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yajl/yajl_tree.h>

#include "copy/log.h"
#include "copy/log_writer.h"
#include "suite.h"

#define FULL_LINE "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n"

static apr_pool_t *pool;
static mirror_log_t the_log;
static mirror_registry_t registry;
static mirror_child_t child;
static mirror_lane_t lane;
static mirror_t mirror;
static int wakes;
static char text[MIRROR_LOG_LINE_MAX + 1];
static int ends[2]; /* of a pipe */

static int count_wake(void *baton)
{
    (void)baton;
    wakes++;
    return 1;
}

static void setup(void)
{
    signal(SIGPIPE, SIG_IGN);
    apr_pool_create(&pool, NULL);
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    ck_assert_int_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    memset(&the_log, 0, sizeof(the_log));
    the_log.name = "log";
    the_log.fd = ends[1];
    registry.logs = apr_array_make(pool, 1, sizeof(mirror_log_t *));
    APR_ARRAY_PUSH(registry.logs, mirror_log_t *) = &the_log;
    memset(&child, 0, sizeof(child));
    child.registry = &registry;
    mirror.name = "m";
    lane.mirror = &mirror;
    lane.child = &child;
    wakes = 0;
    child.logs = mirror_log_create_all(&child, count_wake, NULL, NULL, pool);
}

static void teardown(void)
{
    close(ends[0]);
    close(ends[1]);
    apr_pool_destroy(pool);
}

static mirror_log_subject_t subject_of(const char *method, const char *uri, const char *request_id)
{
    mirror_log_subject_t subject = { &the_log, 0, method, strlen(method), uri, request_id };

    subject.time = apr_time_from_sec(1769860800) + 123456; /* 2026-01-31T12:00:00Z */
    return subject;
}

/* The line of a request as it is printed, in `text`. */
static apr_size_t print(const char *method, const char *uri, const char *request_id)
{
    mirror_log_subject_t subject = subject_of(method, uri, request_id);
    mirror_log_line_t *line = mirror_log_line_create(&subject, "limited");
    apr_size_t len;

    ck_assert_ptr_nonnull(line);
    line->primary_status = 200;
    line->primary_took = 1200;
    line->outcome = MIRROR_OUTCOME_MIRRORED;
    line->status = 503;
    line->took = 3400001;
    line->bytes = 512;
    len = mirror_log_line_print(text, line);
    free(line);
    ck_assert_uint_le(len, MIRROR_LOG_LINE_MAX);
    text[len] = '\0';
    return len;
}

/* A string of the line that was printed last, read by yajl. */
static const char *string_of(const char *name)
{
    const char *path[] = { name, NULL };
    char error[256];
    yajl_val tree = yajl_tree_parse(text, error, sizeof(error));
    yajl_val value;
    const char *copy;

    ck_assert_msg(tree != NULL, "%s: %s", error, text);
    value = yajl_tree_get(tree, path, yajl_t_any);
    ck_assert_ptr_nonnull(value);
    copy = YAJL_IS_STRING(value) ? apr_pstrdup(pool, YAJL_GET_STRING(value)) : NULL;
    yajl_tree_free(tree);
    return copy;
}

START_TEST(a_line)
{
    print("GET", "/x", "id-1");
    ck_assert_str_eq(
        text,
        "{\"time\": \"2026-01-31T12:00:00.123456Z\", \"mirror\": \"limited\", \"method\": \"GET\", "
        "\"uri\": \"/x\", \"request_id\": \"id-1\", \"primary\": {\"status\": 200, \"ms\": 1.200}, "
        "\"outcome\": \"mirrored\", \"response\": {\"status\": 503, \"ms\": 3400.001}, "
        "\"bytes\": 512}\n");
}
END_TEST

START_TEST(the_status_of_a_grpc_call)
{
    mirror_log_subject_t subject = subject_of("POST", "/s/m", NULL);
    mirror_log_line_t *line = mirror_log_line_create(&subject, "m");

    line->outcome = MIRROR_OUTCOME_MIRRORED;
    line->status = 200;
    line->took = 1500;
    text[mirror_log_line_print(text, line)] = '\0';
    ck_assert_ptr_nonnull(strstr(text, "\"response\": {\"status\": 200, \"ms\": 1.500}, "));
    line->grpc_status = 16;
    text[mirror_log_line_print(text, line)] = '\0';
    ck_assert_ptr_nonnull(
        strstr(text, "\"response\": {\"status\": 200, \"ms\": 1.500, \"grpc_status\": 16}, "));
    free(line);
}
END_TEST

START_TEST(what_is_not_known_is_null)
{
    mirror_log_subject_t subject = subject_of("GET", "/x", NULL);
    mirror_log_line_t *line = mirror_log_line_create(&subject, "m");

    line->outcome = MIRROR_OUTCOME_UNREACHABLE;
    text[mirror_log_line_print(text, line)] = '\0';
    free(line);
    ck_assert_ptr_nonnull(
        strstr(text, "\"request_id\": null, \"primary\": null, \"outcome\": \"unreachable\", "
                     "\"response\": null, \"bytes\": 0}\n"));
    string_of("uri");
}
END_TEST

/* what a client sent; what of it a reader of the line gets */
static const struct {
    const char *sent, *read;
} escapes[] = {
    { "/a\"b\\c", "/a\"b\\c" },
    { "/\x01\x1f\x7f\t", "/\x01\x1f\x7f\t" },
    { "/\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80", "/\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80" },
    { "/\xfc", "/\\xfc" },
    { "/\xc3", "/\\xc3" },
    { "/\xc3(", "/\\xc3(" },
    { "/\xc0\xaf", "/\\xc0\\xaf" }, /* too long a form */
    { "/\xe0\x80\xaf", "/\\xe0\\x80\\xaf" },
    { "/\xed\xa0\x80", "/\\xed\\xa0\\x80" }, /* half of a pair */
    { "/\xf4\x90\x80\x80", "/\\xf4\\x90\\x80\\x80" },
    { "/\xf0\x8f\xbf\xbf", "/\\xf0\\x8f\\xbf\\xbf" },
    { "/\xff\xfe", "/\\xff\\xfe" },
    { "/\xe2\x82", "/\\xe2\\x82" },
};

START_TEST(what_is_not_utf8_is_escaped)
{
    print("GET", escapes[_i].sent, escapes[_i].sent);
    ck_assert_str_eq(string_of("uri"), escapes[_i].read);
    ck_assert_str_eq(string_of("request_id"), escapes[_i].read);
}
END_TEST

/* What a terminal, or a reader of lines, would act on is not there as it is; a reader of JSON gets
 * it. */
START_TEST(controls_are_escaped)
{
    static const char sent[] = "/\xc2\x80\xc2\x9b\xc2\x85\xe2\x80\xa8\xe2\x80\xae\xe2\x81\xa6\x7f"
                               "\xc2\xa0\xe2\x80\xa7\xef\xbf\xbd";

    print("GET", sent, sent);
    ck_assert_str_eq(string_of("uri"), sent);
    ck_assert_ptr_nonnull(strstr(
        text,
        "\"/\\u0080\\u009b\\u0085\\u2028\\u202e\\u2066\\u007f\xc2\xa0\xe2\x80\xa7\xef\xbf\xbd\""));
}
END_TEST

/* Characters of one to six bytes in the line, at each offset: the line is never too long, and
 * always JSON. */
START_TEST(a_line_is_bounded)
{
    static const char *const characters[] = {
        "a", "\"", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xff", "\x01"
    };
    const char *character = characters[_i];
    apr_size_t len = strlen(character);
    int shift, n;

    for (shift = 0; shift < 8; shift++) {
        char *uri = apr_palloc(pool, 20000 * len + 16);
        char *end = uri;

        *end++ = '/';
        for (n = 0; n < shift; n++) {
            *end++ = 'x';
        }
        for (n = 0; n < 20000; n++, end += len) {
            memcpy(end, character, len);
        }
        *end = '\0';
        n = (int)print(uri, uri, uri);
        ck_assert_int_gt(n, MIRROR_LOG_LINE_MAX - 1500);
        ck_assert_int_eq(text[n - 1], '\n');
        ck_assert_ptr_eq(strchr(text, '\n'), text + n - 1);
        string_of("uri");
        string_of("request_id");
    }
}
END_TEST

/* ---- the writer ---- */

static void put_many(mirror_log_writer_t *writer, int n)
{
    while (n-- > 0) {
        mirror_log_writer_put(writer, FULL_LINE, sizeof(FULL_LINE) - 1);
    }
}

/* Read what is there. Returns the number of whole lines, each of which must be as it was put. */
static int read_lines(void)
{
    static char data[1 << 20];
    apr_size_t len = 0;
    ssize_t n;
    const char *c;
    int lines = 0;

    while ((n = read(ends[0], data + len, sizeof(data) - len)) > 0) {
        len += (apr_size_t)n;
    }
    for (c = data; c < data + len; c += sizeof(FULL_LINE) - 1, lines++) {
        ck_assert_int_eq(memcmp(c, FULL_LINE, sizeof(FULL_LINE) - 1), 0);
    }
    return lines;
}

START_TEST(lines_are_written_when_a_piece_is_full_or_at_a_flush)
{
    mirror_log_writer_t writer = { ends[1], NULL, 0, 0, 0, 0 };

    put_many(&writer, 4096 / 64);
    ck_assert_int_eq(read_lines(), 0);
    put_many(&writer, 1);
    ck_assert_int_eq(read_lines(), 4096 / 64);
    ck_assert_int_eq(mirror_log_writer_flush(&writer), 1);
    ck_assert_int_eq(read_lines(), 1);
    mirror_log_writer_close(&writer);
    ck_assert_uint_eq(writer.lost, 0);
}
END_TEST

START_TEST(a_full_pipe_loses_the_newest_lines_and_counts_them)
{
    mirror_log_writer_t writer = { ends[1], NULL, 0, 0, 0, 0 };
    int put = 10000, got, buffered = MIRROR_LOG_BUFFER / (int)(sizeof(FULL_LINE) - 1);

    put_many(&writer, put);
    ck_assert_uint_ge(writer.lost, put - buffered - 65536 / 64);
    ck_assert_int_eq(mirror_log_writer_flush(&writer), 0);
    got = read_lines();
    while (!mirror_log_writer_flush(&writer)) {
        got += read_lines();
    }
    got += read_lines();
    ck_assert_int_eq(got, put - (int)writer.lost);
    put_many(&writer, 1);
    mirror_log_writer_flush(&writer);
    ck_assert_int_eq(read_lines(), 1);
    mirror_log_writer_close(&writer);
}
END_TEST

START_TEST(a_reader_that_is_gone_loses_what_there_is)
{
    mirror_log_writer_t writer = { ends[1], NULL, 0, 0, 0, 0 };

    close(ends[0]);
    put_many(&writer, 3);
    ck_assert_int_eq(mirror_log_writer_flush(&writer), 1);
    ck_assert_uint_eq(writer.lost, 3);
    ck_assert_int_eq(writer.rv, EPIPE);
    mirror_log_writer_close(&writer);
    ends[0] = dup(ends[1]);
}
END_TEST

START_TEST(what_is_left_at_the_end_is_lost)
{
    mirror_log_writer_t writer = { ends[1], NULL, 0, 0, 0, 0 };

    put_many(&writer, 2);
    mirror_log_writer_close(&writer);
    ck_assert_uint_eq(writer.lost, 2);
    ck_assert_ptr_null(writer.buffer);
    mirror_log_writer_close(&writer);
    ck_assert_uint_eq(writer.lost, 2);
}
END_TEST

/* ---- the way to the sender ---- */

static int count_lines(void)
{
    char data[65536];
    ssize_t len, i;
    int n = 0;

    while ((len = read(ends[0], data, sizeof(data))) > 0) {
        for (i = 0; i < len; i++) {
            n += data[i] == '\n';
        }
    }
    return n;
}

START_TEST(only_copies_of_chosen_requests_have_a_line)
{
    mirror_log_subject_t subject = subject_of("GET", "/x", NULL);
    int outcome, with_line = 0;

    for (outcome = 0; outcome < MIRROR_OUTCOME_COUNT; outcome++) {
        mirror_log_refused(&lane, &subject, (mirror_outcome_e)outcome);
        with_line += mirror_log_has_line((mirror_outcome_e)outcome);
    }
    ck_assert_int_eq(with_line, MIRROR_OUTCOME_COUNT - 5);
    mirror_log_close(child.logs, 0);
    ck_assert_int_eq(count_lines(), with_line);
}
END_TEST

START_TEST(without_a_log_nothing_happens)
{
    mirror_log_subject_t subject = { 0 };

    mirror_log_refused(&lane, &subject, MIRROR_OUTCOME_LIMITED);
    registry.logs = apr_array_make(pool, 1, sizeof(mirror_log_t *));
    ck_assert_ptr_null(mirror_log_create_all(&child, count_wake, NULL, NULL, pool));
    mirror_log_take(NULL, NULL);
    ck_assert_int_eq(mirror_log_sleep(NULL), 1);
    mirror_log_awake(NULL);
    mirror_log_close(NULL, 0);
    ck_assert_int_eq(wakes, 0);
}
END_TEST

/* The sender is woken once when it sleeps, and not again before it has taken the lines; then when much
 * is waiting. */
START_TEST(lines_wake_the_sender_seldom)
{
    mirror_log_subject_t subject = subject_of("GET", "/x", NULL);
    mirror_loop_t *loop;
    int i;

    ck_assert_int_eq(mirror_loop_create(&loop, pool), APR_SUCCESS);
    ck_assert_int_eq(mirror_log_sleep(child.logs), 1);
    for (i = 0; i < 10; i++) {
        mirror_log_refused(&lane, &subject, MIRROR_OUTCOME_LIMITED);
    }
    ck_assert_int_eq(wakes, 1);
    mirror_log_awake(child.logs);
    mirror_log_take(child.logs, loop);
    ck_assert_int_eq(mirror_log_sleep(child.logs), 1);
    for (i = 0; i < 10; i++) {
        mirror_log_refused(&lane, &subject, MIRROR_OUTCOME_LIMITED);
    }
    ck_assert_int_eq(wakes, 1);
    while (wakes == 1 && i++ < 100000) {
        mirror_log_refused(&lane, &subject, MIRROR_OUTCOME_LIMITED);
    }
    ck_assert_int_eq(wakes, 2);
    mirror_log_close(child.logs, 0);
}
END_TEST

START_TEST(lines_that_wait_are_bounded)
{
    mirror_log_subject_t subject = subject_of("GET", "/x", NULL);
    int i, n;

    for (i = 0; i < 100000; i++) {
        mirror_log_refused(&lane, &subject, MIRROR_OUTCOME_LIMITED);
    }
    mirror_log_close(child.logs, 0);
    n = count_lines();
    ck_assert_int_gt(n, 100);
    ck_assert_int_lt(n, 1024 * 1024 / 100);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log");
    TCase *tc = tcase_create("log");

    apr_initialize();
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_line);
    tcase_add_test(tc, the_status_of_a_grpc_call);
    tcase_add_test(tc, what_is_not_known_is_null);
    tcase_add_loop_test(tc, what_is_not_utf8_is_escaped, 0, sizeof(escapes) / sizeof(escapes[0]));
    tcase_add_test(tc, controls_are_escaped);
    tcase_add_loop_test(tc, a_line_is_bounded, 0, 7);
    tcase_add_test(tc, lines_are_written_when_a_piece_is_full_or_at_a_flush);
    tcase_add_test(tc, a_full_pipe_loses_the_newest_lines_and_counts_them);
    tcase_add_test(tc, a_reader_that_is_gone_loses_what_there_is);
    tcase_add_test(tc, what_is_left_at_the_end_is_lost);
    tcase_add_test(tc, only_copies_of_chosen_requests_have_a_line);
    tcase_add_test(tc, without_a_log_nothing_happens);
    tcase_add_test(tc, lines_wake_the_sender_seldom);
    tcase_add_test(tc, lines_that_wait_are_bounded);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
