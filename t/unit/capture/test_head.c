/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_head.c - the head of a copy, from request lines and headers as httpd gives them.
 */
#include <check.h>

#include "request.h"

#include "capture/header_edit.h"
#include "suite.h"

static mirror_head_t *head;
static mirror_copy_t copy;
static mirror_settings_t settings;
static apr_array_header_t *edits;

static void setup_head(void)
{
    setup();
    memset(&settings, 0, sizeof(settings));
    settings.host_header = "preserve";
    edits = NULL;
}

static void teardown_head(void)
{
    free(copy.head);
    copy.head = NULL;
    teardown();
}

static void add(const char *name, const char *value)
{
    apr_table_addn(request.headers_in, name, value);
}

/* What is written for the request. */
static const char *written(const char *method, const char *uri)
{
    mirror_shape_targets_t targets = { { NULL } };
    mirror_shape_t shape;

    request.method = method;
    request.unparsed_uri = apr_pstrdup(pool, uri);
    request.the_request = apr_psprintf(pool, "%s %s HTTP/1.1", method, uri);
    head = mirror_head_read(&request, &request, "us");
    if (edits) {
        mirror_head_edit(head, &request, edits, NULL);
    }
    mirror_shape_make(&shape, &targets, &head->method, &settings, &request, &request);
    free(copy.head);
    memset(&copy, 0, sizeof(copy));
    /* so that a sanitizer sees what is written beyond it */
    copy.head = malloc(head->size + shape.size);
    mirror_head_write(&copy, head, &shape);
    ck_assert_uint_le(copy.head_len, head->size + shape.size);
    return apr_pstrmemdup(pool, copy.head, copy.head_len);
}

#define US "X-Proxy-Mirror: us\r\n"

START_TEST(order_and_case_are_kept)
{
    add("uSER-agent", "x");
    add("hOST", "h:81");
    add("Empty", "");
    add("A", "1");
    add("a", "2");
    ck_assert_str_eq(written("GET", "/p%2f?q=1&r"),
                     "GET /p%2f?q=1&r HTTP/1.1\r\nuSER-agent: x\r\nhOST: h:81\r\n"
                     "Empty: \r\nA: 1\r\na: 2\r\n" US);
}
END_TEST

START_TEST(hop_by_hop_is_dropped)
{
    static const char *const names[] = { "Connection",
                                         "Keep-Alive",
                                         "Proxy-Authenticate",
                                         "Proxy-Authorization",
                                         "Proxy-Connection",
                                         "TE",
                                         "Trailer",
                                         "Upgrade",
                                         "HTTP2-Settings",
                                         "Transfer-Encoding",
                                         "Expect",
                                         "Content-Length" };
    unsigned i;

    add("Host", "h");
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        add(names[i], "7");
    }
    add("last", "kept");
    ck_assert_str_eq(written("GET", "/"), "GET / HTTP/1.1\r\nHost: h\r\nlast: kept\r\n" US);
}
END_TEST

START_TEST(what_connection_lists_is_dropped)
{
    add("X-One", "1");
    add("Connection", "x-one,, close ,\tX-Two,host,X-Proxy-Mirror, X-Forwarded-For");
    add("Connection", "x-three");
    add("Host", "h");
    add("X-Two", "2");
    add("X-Three", "3");
    add("X-Four", "4");
    add("X-Proxy-Mirror", "them");
    add("X-Forwarded-For", "spoofed");
    proxy_conf.add_forwarded_headers = 1;
    ck_assert_str_eq(written("GET", "/"),
                     "GET / HTTP/1.1\r\nHost: h\r\nX-Four: 4\r\nX-Proxy-Mirror: them, us\r\n"
                     "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Host: h\r\n"
                     "X-Forwarded-Server: www.example.com\r\n");
}
END_TEST

START_TEST(forwarded_headers_are_appended)
{
    proxy_conf.add_forwarded_headers = 1;
    add("x-forwarded-for", "198.51.100.1");
    add("Host", "h");
    add("X-Forwarded-Server", "s");
    ck_assert_str_eq(written("GET", "/"),
                     "GET / HTTP/1.1\r\nx-forwarded-for: 198.51.100.1, 192.0.2.1\r\nHost: h\r\n"
                     "X-Forwarded-Server: s, www.example.com\r\n"
                     "X-Forwarded-Host: h\r\n" US);
}
END_TEST

START_TEST(forwarded_headers_only_where_mod_proxy_adds_them)
{
    add("Host", "h");
    request.proxyreq = PROXYREQ_PROXY;
    proxy_conf.add_forwarded_headers = 1;
    ck_assert_str_eq(written("GET", "/"), "GET / HTTP/1.1\r\nHost: h\r\n" US);
    request.proxyreq = PROXYREQ_REVERSE;
    proxy_conf.add_forwarded_headers = 0;
    ck_assert_str_eq(written("GET", "/"), "GET / HTTP/1.1\r\nHost: h\r\n" US);
}
END_TEST

START_TEST(exactly_one_host)
{
    add("Host", "first");
    add("Host", "second");
    ck_assert_str_eq(written("GET", "/"), "GET / HTTP/1.1\r\nHost: first\r\n" US);
    apr_table_clear(request.headers_in);
    ck_assert_str_eq(written("GET", "/"), "GET / HTTP/1.1\r\nHost: www.example.com\r\n" US);
    apr_uri_parse(pool, "http://u:p@[2001:db8::1]:8080/x", &request.parsed_uri);
    ck_assert_str_eq(written("GET", "/"), "GET / HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\n" US);
}
END_TEST

START_TEST(target_is_in_origin_form)
{
    static const struct {
        const char *method, *uri, *target;
    } cases[] = {
        { "GET", "http://h/a/b?c#d", "/a/b?c" },
        { "GET", "http://u:p@h:80", "/" },
        { "GET", "http://h?x=http://y/", "/?x=http://y/" },
        { "GET", "/x?u=http://y", "/x?u=http://y" },
        { "GET", "//x//y", "//x//y" },
        { "OPTIONS", "*", "*" },
        { "OPTIONS", "https://h", "*" },
        { "OPTIONS", "https://h/", "/" },
        { "GET", "x", "/x" },
        { "GET", "", "/" },
        { "GET", "/x#y", "/x" },
        { "GET", "/\xc3\xa4", "/\xc3\xa4" },
        { "GET", "/a b\tc\r\nd\x7f\x01", "/a%20b%09c%0D%0Ad%7F%01" },
    };
    unsigned i;

    add("Host", "h");
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_str_eq(written(cases[i].method, cases[i].uri),
                         apr_pstrcat(pool, cases[i].method, " ", cases[i].target,
                                     " HTTP/1.1\r\nHost: h\r\n" US, NULL));
    }
}
END_TEST

START_TEST(nothing_ends_a_line_but_its_end)
{
    add("Host", "h");
    add("Folded", "a\r\n b\nc\rd\r\n");
    add("Not a token", "x");
    add("Nor:this", "x");
    add("", "x");
    add("X\r\nY", "x");
    ck_assert_str_eq(written("GET", "/"),
                     "GET / HTTP/1.1\r\nHost: h\r\nFolded: a   b c d  \r\n" US);
}
END_TEST

START_TEST(loop_guard)
{
    static const struct {
        const char *value;
        int looped;
    } cases[] = { { "us", 1 },   { "a, us", 1 }, { "us ,b", 1 }, { " ,\tus\t,", 1 }, { "US", 0 },
                  { "us-2", 0 }, { "xus", 0 },   { "us;x", 0 },  { "", 0 },          { ", ,", 0 } };
    unsigned i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        apr_table_clear(request.headers_in);
        add("Host", "h");
        add("x-proxy-mirror", cases[i].value);
        ck_assert_str_eq(written("GET", "/"),
                         apr_pstrcat(pool, "GET / HTTP/1.1\r\nHost: h\r\nx-proxy-mirror: ",
                                     cases[i].value, ", us\r\n", NULL));
        ck_assert_int_eq(head->looped, cases[i].looped);
    }
}
END_TEST

START_TEST(websocket)
{
    static const struct {
        const char *value;
        int websocket;
    } cases[] = {
        { "websocket", 1 }, { "h2c, WebSocket/13", 1 }, { "h2c", 0 }, { "websockets", 0 }, { "", 0 }
    };
    unsigned i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        apr_table_clear(request.headers_in);
        add("Upgrade", cases[i].value);
        written("GET", "/");
        ck_assert_int_eq(head->websocket, cases[i].websocket);
    }
}
END_TEST

START_TEST(body_is_announced)
{
    written("POST", "/");
    ck_assert(head->content_length == -1 && !head->chunked && !head->encoded);
    add("Content-Length", "0");
    written("POST", "/");
    ck_assert(head->content_length == 0 && !head->chunked);
    apr_table_setn(request.headers_in, "Content-Length", "9223372036854775807");
    written("POST", "/");
    ck_assert(head->content_length == APR_INT64_C(9223372036854775807) && !head->chunked);
    apr_table_setn(request.headers_in, "Content-Length", "9223372036854775808");
    written("POST", "/");
    ck_assert(head->content_length == -1 && head->chunked);
    apr_table_setn(request.headers_in, "Content-Length", "+5");
    written("POST", "/");
    ck_assert(head->content_length == -1 && head->chunked);
    apr_table_clear(request.headers_in);
    add("Transfer-Encoding", "chunked");
    add("Content-Encoding", "gzip");
    written("POST", "/");
    ck_assert(head->content_length == -1 && head->chunked && head->encoded);
}
END_TEST

START_TEST(methods)
{
    written("HEAD", "/");
    ck_assert(copy.no_response_body && copy.idempotent && mirror_method_is(&head->method, "HEAD"));
    ck_assert(!mirror_method_is(&head->method, "HEA") && !mirror_method_is(&head->method, "HEADS"));
    written("PUT", "/");
    ck_assert(!copy.no_response_body && copy.idempotent);
}
END_TEST

START_TEST(who_may_be_sent_twice)
{
    static const char *const yes[] = { "GET",    "HEAD",   "OPTIONS",  "PUT",       "DELETE",
                                       "COPY",   "MOVE",   "PROPFIND", "PROPPATCH", "MKCOL",
                                       "UNLOCK", "REPORT", "SEARCH" };
    static const char *const no[] = { "POST", "PATCH", "LOCK", "get", "GETS", "GE", "WHATEVER" };
    apr_size_t i;

    for (i = 0; i < sizeof(yes) / sizeof(*yes); i++) {
        written(yes[i], "/");
        ck_assert_msg(copy.idempotent, "%s", yes[i]);
    }
    for (i = 0; i < sizeof(no) / sizeof(*no); i++) {
        written(no[i], "/");
        ck_assert_msg(!copy.idempotent, "%s", no[i]);
    }
}
END_TEST

START_TEST(method_is_the_clients)
{
    add("Host", "h");
    request.method = "GET"; /* as mod_cgi leaves it */
    request.unparsed_uri = (char *)"/";
    request.the_request = (char *)"POST / HTTP/1.1";
    head = mirror_head_read(&request, &request, "us");
    ck_assert(mirror_method_is(&head->method, "POST"));
    request.the_request = NULL;
    head = mirror_head_read(&request, &request, "us");
    ck_assert(mirror_method_is(&head->method, "GET"));
}
END_TEST

/* ---- shapes ---- */

START_TEST(path)
{
    static const struct {
        const char *path, *uri, *replaced, *prefixed;
    } cases[] = {
        { "/p", "/a/b?c", "/p?c", "/p/a/b?c" },  { "/p", "/a/b", "/p", "/p/a/b" },
        { "/p/", "/a?", "/p/?", "/p//a?" },      { "/p", "http://h/a?b", "/p?b", "/p/a?b" },
        { "/p", "http://h?b", "/p?b", "/p/?b" }, { "/a b", "/x#y?z", "/a%20b", "/a%20b/x" },
        { "/p", "/a?b#c?d", "/p?b", "/p/a?b" },
    };
    unsigned i;

    add("Host", "h");
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        settings.path = cases[i].path;
        settings.path_concat_mode = MIRROR_PATH_REPLACE;
        ck_assert_str_eq(
            written("GET", cases[i].uri),
            apr_pstrcat(pool, "GET ", cases[i].replaced, " HTTP/1.1\r\nHost: h\r\n" US, NULL));
        settings.path_concat_mode = MIRROR_PATH_PREFIX;
        ck_assert_str_eq(
            written("GET", cases[i].uri),
            apr_pstrcat(pool, "GET ", cases[i].prefixed, " HTTP/1.1\r\nHost: h\r\n" US, NULL));
        ck_assert_str_eq(written("OPTIONS", "*"), "OPTIONS * HTTP/1.1\r\nHost: h\r\n" US);
    }
}
END_TEST

START_TEST(host)
{
    settings.host_header = "literal:81";
    ck_assert_str_eq(written("GET", "/"), "GET / HTTP/1.1\r\nHost: literal:81\r\n" US);
    add("A", "1");
    add("hOST", "h");
    add("B", "2");
    ck_assert_str_eq(written("GET", "/"),
                     "GET / HTTP/1.1\r\nA: 1\r\nhOST: literal:81\r\nB: 2\r\n" US);
    settings.host_header = "target";
    settings.target.authority = "[::1]:82";
    ck_assert_str_eq(written("GET", "/"),
                     "GET / HTTP/1.1\r\nA: 1\r\nhOST: [::1]:82\r\nB: 2\r\n" US);
}
END_TEST

START_TEST(uri_of_the_backend)
{
    static const struct {
        const char *filename, *target;
        int proxyreq;
    } cases[] = {
        { "proxy:http://b:80/x%20y?q", "/x%20y?q", PROXYREQ_REVERSE },
        { "proxy:HTTPS://b", "/", PROXYREQ_REVERSE },
        { "proxy:http://b?q", "/?q", PROXYREQ_PROXY },
        { "proxy:unix:/run/x.sock|http://b/x", "/x", PROXYREQ_REVERSE },
        { "proxy:ajp://b/x?q", "/x?q", PROXYREQ_REVERSE },
        { "proxy:fcgi://b/srv/x.php", "/uri?args", PROXYREQ_REVERSE },
        { "/srv/x", "/uri?args", 0 },
        { NULL, "/uri?args", 0 },
    };
    unsigned i;

    add("Host", "h");
    settings.uri = MIRROR_URI_BACKEND;
    request.uri = (char *)"/uri";
    request.args = (char *)"args";
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        request.filename = cases[i].filename ? apr_pstrdup(pool, cases[i].filename) : NULL;
        request.proxyreq = cases[i].proxyreq;
        ck_assert_str_eq(
            written("GET", "/client"),
            apr_pstrcat(pool, "GET ", cases[i].target, " HTTP/1.1\r\nHost: h\r\n" US, NULL));
    }
    request.uri = (char *)"*";
    ck_assert_str_eq(written("OPTIONS", "*"), "OPTIONS * HTTP/1.1\r\nHost: h\r\n" US);
}
END_TEST

/* ---- edits ---- */

static void edit(const char *line)
{
    mirror_header_edit_t *one = NULL;
    const char *wrong = mirror_header_edit_parse(&one, line, pool, pool);

    ck_assert_msg(!wrong, "%s", wrong);
    if (!edits) {
        edits = apr_array_make(pool, 4, sizeof(mirror_header_edit_t *));
    }
    APR_ARRAY_PUSH(edits, mirror_header_edit_t *) = one;
}

START_TEST(edits_change_what_would_be_sent)
{
    proxy_conf.add_forwarded_headers = 1;
    add("X-Forwarded-For", "198.51.100.1");
    add("Host", "h");
    add("Connection", "close, X-Listed");
    add("X-Listed", "1");
    add("X-Proxy-Mirror", "them");
    add("A", "1");
    add("A", "2");
    edit("set B new");
    edit("append a 3");
    edit("unset X-Forwarded-Server");
    edit("append X-Forwarded-For last");
    edit("add X-Listed again");
    ck_assert_str_eq(written("GET", "/"),
                     "GET / HTTP/1.1\r\nHost: h\r\nX-Proxy-Mirror: them, us\r\n"
                     "X-Forwarded-For: 198.51.100.1, 192.0.2.1, last\r\nA: 1, 3\r\nA: "
                     "2\r\nX-Forwarded-Host: h\r\n"
                     "B: new\r\nX-Listed: again\r\n");
}
END_TEST

START_TEST(edit_replaces_matches)
{
    static const struct {
        const char *line, *value;
    } cases[] = {
        { "edit A b x", "axcabc" },         { "edit* A b x", "axcaxc" },
        { "edit* A b \"\"", "acac" },       { "edit* A . xy", "xyxyxyxyxyxy" },
        { "edit* A ^. x", "xxxxxx" },       { "edit* A $ x", "abcabcx" },
        { "edit* A z* -", "-a-b-c-a-b-c" }, { "edit A $ x", "abcabcx" },
        { "edit A z x", "abcabc" },         { "edit* A .* x", "x" },
        { "edit A ^ x", "xabcabc" },
    };
    unsigned i;

    add("A", "abcabc");
    add("Host", "h");
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        edits = NULL;
        edit(cases[i].line);
        ck_assert_str_eq(written("GET", "/"), apr_pstrcat(pool, "GET / HTTP/1.1\r\nHost: h\r\nA: ",
                                                          cases[i].value, "\r\n" US, NULL));
    }
}
END_TEST

START_TEST(fixed_headers)
{
    static const char *const fixed[] = { "Host",           "hOST", "x-proxy-mirror",
                                         "Content-Length", "TE",   "Trailer" };
    static const char *const free_ones[] = { "Hos", "Hosts", "X-Forwarded-For", "Content-Type",
                                             "Content-Encoding" };
    unsigned i;

    for (i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
        ck_assert(mirror_header_name_is_fixed(fixed[i]));
    }
    for (i = 0; i < sizeof(free_ones) / sizeof(free_ones[0]); i++) {
        ck_assert(!mirror_header_name_is_fixed(free_ones[i]));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("head");
    TCase *tcase = tcase_create("head");

    apr_initialize();
    tcase_add_checked_fixture(tcase, setup_head, teardown_head);
    tcase_add_test(tcase, order_and_case_are_kept);
    tcase_add_test(tcase, hop_by_hop_is_dropped);
    tcase_add_test(tcase, what_connection_lists_is_dropped);
    tcase_add_test(tcase, forwarded_headers_are_appended);
    tcase_add_test(tcase, forwarded_headers_only_where_mod_proxy_adds_them);
    tcase_add_test(tcase, exactly_one_host);
    tcase_add_test(tcase, target_is_in_origin_form);
    tcase_add_test(tcase, nothing_ends_a_line_but_its_end);
    tcase_add_test(tcase, loop_guard);
    tcase_add_test(tcase, websocket);
    tcase_add_test(tcase, body_is_announced);
    tcase_add_test(tcase, methods);
    tcase_add_test(tcase, who_may_be_sent_twice);
    tcase_add_test(tcase, method_is_the_clients);
    tcase_add_test(tcase, path);
    tcase_add_test(tcase, host);
    tcase_add_test(tcase, uri_of_the_backend);
    tcase_add_test(tcase, edits_change_what_would_be_sent);
    tcase_add_test(tcase, edit_replaces_matches);
    tcase_add_test(tcase, fixed_headers);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
