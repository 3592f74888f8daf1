/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_header_list.c - values of header fields: what is equal, what is noise, what differs.
 */
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>
#include <check.h>

#include "compare/headers.h"
#include "compare_headers.h"
#include "suite.h"

#define LATER "Sun, 06 Nov 2044 08:49:37 GMT"

#define UUID_A "0b8ce4a0-3c9c-4b39-9a5d-0d7d0a9d3c11"
#define UUID_B "5f0c6b1e-7a51-4d7e-8f0b-3e1c2b4a5d66"

static const row_t listed[] = {
    /* not compared */
    { "Connection: close\nVia: 1.1 a\nContent-Length: 3\nDigest: x\nTE: x\n", "", "" },
    { "Proxy-Connection: close\nProxy-Anything: 1\n", "Transfer-Encoding: chunked\n", "" },
    { "X-Proxy-Anything: 1\n", "", "x-proxy-anything missing" },
    /* presence only */
    { "Date: " D1 "\n", "Date: " D2 "\n", "~date value" },
    { "Date: " D1 "\n", "Date: Sunday, 06-Nov-94 08:49:37 GMT\n", "~date value" },
    { "Date: " D1 "\n", "", "date missing" },
    { "", "X-Request-Id: 1\n", "x-request-id extra" },
    { "Server: a\nX-B3-TraceId: 1\nNEL: 1\n", "Server: b\nX-B3-TraceId: 2\nNEL: 2\n",
      "~nel value, ~server value, ~x-b3-traceid value" },
    { "X-Candidate-Id: 1\n", "X-Candidate-Id: 2\n", "x-candidate-id value" },
    { "X-CSRF-Token: 1\n", "X-CSRF-Token: 2\n", "x-csrf-token value" },
    /* ETag */
    { "ETag: \"a\"\n", "ETag: \"b\"\n", "~etag value" },
    { "ETag: W/\"a\"\n", "ETag: W/\"b\"\n", "~etag value" },
    { "ETag: W/\"a\"\n", "ETag: \"a\"\n", "etag value" },
    { "ETag: \"a\"\n", "", "etag missing" },
    /* lists */
    { "Vary: Accept, Origin\n", "Vary: origin,accept\n", "" },
    { "Vary: Accept\nVary: Origin\n", "Vary: origin, accept, , Accept\n", "" },
    { "Vary: Accept\n", "Vary: Accept, Accept-Encoding\n", "vary value" },
    { "Vary: Accept\n", "Vary: *\n", "vary value" },
    { "Allow: GET, POST\n", "Allow: POST,GET\n", "" },
    { "Allow: GET\n", "Allow: get\n", "allow value" },
    { "Cache-Control: No-Cache, max-age=0\n", "Cache-Control: max-age=0,no-cache\n", "" },
    { "Cache-Control: max-age=0\n", "Cache-Control: max-age=1\n", "cache-control value" },
    { "Cache-Control: private=\"b, a\", x\n", "Cache-Control: x, private=\"b, a\"\n", "" },
    { "Cache-Control: private=\"a, b\"\n", "Cache-Control: private=\"b, a\"\n",
      "cache-control value" },
    { "Cache-Control: x=\"\n", "Cache-Control: x=\"\\\n", "cache-control value" },
    { "Accept-Ranges: Bytes\n", "Accept-Ranges: bytes\n", "" },
    /* dates */
    { "Last-Modified: " D1 "\n", "Last-Modified: Sunday, 06-Nov-94 08:49:37 GMT\n", "" },
    { "Last-Modified: " D1 "\n", "Last-Modified: Sun Nov  6 08:49:37 1994\n", "" },
    { "Last-Modified: " D1 "\n", "Last-Modified: Sun, 06 Nov 1994 08:49:37 +0200\n",
      "last-modified value" },
    { "Last-Modified: " D1 "\n", "Last-Modified: " D2 "\n", "last-modified value" },
    { "Last-Modified: \n", "Last-Modified: 0\n", "last-modified value" },
    { "Retry-After: 60\n", "Retry-After: 61\n", "retry-after value" },
    /* Expires */
    { "Date: " D1 "\nExpires: " D1 "\n", "Date: " D2 "\nExpires: " D2 "\n",
      "~date value, ~expires value" },
    { "Date: " D1 "\nExpires: " D1 "\n", "Date: " D2 "\nExpires: Sun, 06 Nov 1994 08:49:49 GMT\n",
      "~date value, ~expires value" },
    { "Date: " D1 "\nExpires: " D1 "\n", "Date: " D2 "\nExpires: Sun, 06 Nov 1994 08:49:50 GMT\n",
      "~date value, expires value" },
    { "Expires: " D1 "\n", "Expires: Sun, 06 Nov 1994 08:49:38 GMT\n", "~expires value" },
    { "Expires: " D1 "\n", "Expires: " D2 "\n", "expires value" },
    { "Expires: 0\n", "Expires: -1\n", "expires value" },
    { "Expires: " D1 "\n", "", "expires missing" },
    /* Location */
    { "Location: http://a/x?y\n", "Location: https://b:8080/x?y\n", "~location value" },
    { "Location: http://a/x\n", "Location: /x\n", "~location value" },
    { "Location: //a/x\n", "Location: /x\n", "~location value" },
    { "Location: http://a\n", "Location: /\n", "~location value" },
    { "Location: http://a?x\n", "Location: /?x\n", "~location value" },
    { "Location: http://a/x\n", "Location: http://a/y\n", "location value" },
    { "Location: http://a/x\n", "Location: x\n", "location value" },
    { "Location: mailto:a\n", "Location: mailto:b\n", "location value" },
    { "Content-Location: http://a/x\n", "Content-Location: http://b/x\n",
      "~content-location value" },
    /* nonces */
    { "Content-Security-Policy: script-src 'nonce-aaa' 'self'; x\n",
      "Content-Security-Policy: script-src 'NONCE-bb' 'self'; x\n",
      "content-security-policy value" },
    { "Content-Security-Policy: script-src 'nonce-aaa' 'self'; x\n",
      "Content-Security-Policy: script-src 'nonce-bb' 'self'; x\n",
      "~content-security-policy value" },
    { "Content-Security-Policy: script-src 'nonce-aaa' 'self'\n",
      "Content-Security-Policy: script-src 'nonce-bb'\n", "content-security-policy value" },
    { "Content-Security-Policy: 'nonce-\n", "Content-Security-Policy: 'nonce-a; x\n",
      "content-security-policy value" },
    { "WWW-Authenticate: Digest realm=\"a\", nonce=\"x,y\", qop=auth\n",
      "WWW-Authenticate: Digest realm=\"a\", nonce=\"z\", qop=auth\n", "~www-authenticate value" },
    { "WWW-Authenticate: Digest realm=\"a\", nonce=x\n",
      "WWW-Authenticate: Digest realm=\"b\", nonce=y\n", "www-authenticate value" },
    { "WWW-Authenticate: Digest cnonce=x\n", "WWW-Authenticate: Digest cnonce=y\n",
      "www-authenticate value" },
    { "WWW-Authenticate: Basic realm=\"nonce=x\"\n", "WWW-Authenticate: Basic realm=\"nonce=y\"\n",
      "www-authenticate value" },
    /* Content-Type */
    { "Content-Type: Text/HTML; charset=UTF-8; a=b\n",
      "Content-Type: text/html;A=b;Charset=utf-8\n", "" },
    { "Content-Type: text/html; charset=\"utf-8\"\n", "Content-Type: text/html;charset=utf-8;\n",
      "" },
    { "Content-Type: text/html\n", "Content-Type: text/plain\n", "content-type value" },
    { "Content-Type: text/html\n", "Content-Type: text/html; charset=utf-8\n",
      "content-type value" },
    { "Content-Type: a/b; c=\"D;\\\"\"\n", "Content-Type: a/b; c=\"d;\\\"\"\n",
      "content-type value" },
    { "Content-Type: text/html\n", "", "content-type missing" },
    /* shapes */
    { "X-A: " UUID_A "\n", "X-A: " UUID_B "\n", "x-a value volatile" },
    { "X-A: " UUID_A "\n", "X-A: none\n", "x-a value" },
    { "X-A: " UUID_A "\n", "", "x-a missing" },
};

START_TEST(the_built_in_list_is_followed)
{
    const mirror_headers_options_t options = { NULL, 0, NOW };

    check(&options, listed[_i].a, listed[_i].b, listed[_i].expected);
}
END_TEST

static const row_t cookies[] = {
    { "Set-Cookie: a=1\nSet-Cookie: b=2\n", "Set-Cookie: b=2\nSet-Cookie: a=1\n", "" },
    { "Set-Cookie: a=1; Path=/; Secure\n", "Set-Cookie: a=1; secure ;path=/;\n", "" },
    { "Set-Cookie: a=1; SameSite=Lax; Domain=A.b\n", "Set-Cookie: a=1; domain=a.B; samesite=lax\n",
      "" },
    { "Set-Cookie: a=1\n", "Set-Cookie: a=2\n", "~set-cookie value" },
    { "Set-Cookie: a=1; Expires=" D1 "\nSet-Cookie: b=1; Max-Age=1\n",
      "Set-Cookie: b=2; max-age = 2\nSet-Cookie: a=2; Expires=" D2 "\n", "~set-cookie value" },
    { "Set-Cookie: a=1; Max-Age=1\n", "Set-Cookie: a=1\n", "set-cookie value" },
    { "Set-Cookie: a=1; HttpOnly\n", "Set-Cookie: a=1\n", "set-cookie value" },
    { "Set-Cookie: a=1; Path=/x\n", "Set-Cookie: a=1; Path=/y\n", "set-cookie value" },
    { "Set-Cookie: a=1; SameSite=None\n", "Set-Cookie: a=1; SameSite=Lax\n", "set-cookie value" },
    { "Set-Cookie: a=1\n", "Set-Cookie: b=1\n", "set-cookie value" },
    { "Set-Cookie: a=1\n", "Set-Cookie: A=1\n", "set-cookie value" },
    { "Set-Cookie: a=1\nSet-Cookie: b=1\n", "Set-Cookie: a=1\n", "set-cookie value" },
    { "Set-Cookie: a=1, 2\n", "Set-Cookie: a=\"3;\n", "~set-cookie value" },
    { "Set-Cookie: a=1\n", "", "set-cookie missing" },
    { "Set-Cookie: a=1\nSet-Cookie: b=2\n", "Set-Cookie: a=1, b=2\n", "set-cookie value" },
    { "Set-Cookie: a=1; Secure\nSet-Cookie: b=2\n", "Set-Cookie: a=1; Secure, b=2\n",
      "set-cookie value" },
    { "Set-Cookie: a=1; Max-Age=60\n", "Set-Cookie: a=; Max-Age=0\n", "set-cookie value" },
    { "Set-Cookie: a=1; Max-Age=60\n", "Set-Cookie: a=; max-age = -1\n", "set-cookie value" },
    { "Set-Cookie: a=1; Max-Age=60\n", "Set-Cookie: a=; Max-Age=060\n", "~set-cookie value" },
    { "Set-Cookie: a=; Max-Age=0\n", "Set-Cookie: a=; Max-Age=00\n", "~set-cookie value" },
    { "Set-Cookie: a=1; Expires=" LATER "\n",
      "Set-Cookie: a=; Expires=Thu, 01-Jan-1970 00:00:10 GMT\n", "set-cookie value" },
    { "Set-Cookie: a=1; Expires=" LATER "\n",
      "Set-Cookie: a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT\n", "set-cookie value" },
    { "Set-Cookie: a=1; Expires=" LATER "\n",
      "Set-Cookie: a=; Expires=Thursday, 01-Jan-70 00:00:00 GMT\n", "set-cookie value" },
    { "Set-Cookie: a=1; Expires=" LATER "\n",
      "Set-Cookie: a=; Expires=Sat, 01 Jan 2000 00:00:00 GMT\n", "set-cookie value" },
    { "Set-Cookie: a=1; Expires=" LATER "\n",
      "Set-Cookie: a=; Expires=Sat, 01-Jan-00 00:00:00 GMT\n", "set-cookie value" },
    { "Set-Cookie: a=1; Expires=" LATER "\n",
      "Set-Cookie: a=; Expires=Tue, 31 Dec 2019 23:59:59 GMT\n", "set-cookie value" },
    { "Set-Cookie: a=1; Expires=" LATER "\n",
      "Set-Cookie: a=1; Expires=Wed, 01-Jan-20 19:00:19 GMT\n", "~set-cookie value" },
    { "Set-Cookie: a=1; Expires=" LATER "\n", "Set-Cookie: a=1; Expires=2031-01-19T10:11:12-0100\n",
      "~set-cookie value" },
    { "Set-Cookie: a=; Max-Age=0; Expires=" LATER "\n",
      "Set-Cookie: a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0\n", "~set-cookie value" },
    { "Set-Cookie: a=; Max-Age=9; Expires=Thu, 01 Jan 1970 00:00:00 GMT\n",
      "Set-Cookie: a=; Expires=" LATER "; Max-Age=9\n", "~set-cookie value" },
    { "Set-Cookie: ;\n", "Set-Cookie: =\n", "~set-cookie value" },
};

START_TEST(cookies_are_compared_by_name_and_attributes)
{
    const mirror_headers_options_t options = { NULL, 0, NOW };

    check(&options, cookies[_i].a, cookies[_i].b, cookies[_i].expected);
}
END_TEST

#define COUNT(list) (sizeof(list) / sizeof(*(list)))

int main(void)
{
    Suite *suite = suite_create("header_list");
    TCase *tcase = tcase_create("header_list");

    apr_initialize();
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, the_built_in_list_is_followed, 0, COUNT(listed));
    tcase_add_loop_test(tcase, cookies_are_compared_by_name_and_attributes, 0, COUNT(cookies));
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
