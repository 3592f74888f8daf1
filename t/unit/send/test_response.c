/* Licensed under the Apache License, Version 2.0; see LICENSE.
 *
 * test_response.c - where a response ends.
 *
 * Every row of every table is read in every way of response.h.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "response.h"
#include "suite.h"

#define OK          "HTTP/1.1 200 OK\r\n"
#define OLD         "HTTP/1.0 200 OK\r\n"
#define CHUNKED     OK "Transfer-Encoding: chunked\r\n\r\n"
#define EMPTY       OK "Content-Length: 0\r\n"
#define ROWS(table) ((int)(sizeof(table) / sizeof(*(table))))
#define BYTES(text) text, sizeof(text) - 1

/* A response that needs no close to be complete. */
typedef struct complete_t {
    const char *data;
    apr_size_t len;
    int head; /* the request was HEAD */
    int status;
    int interim;
    int keepalive;
} complete_t;

static const complete_t complete[] = {
    /* Content-Length */
    { BYTES(OK "Content-Length: 3\r\n\r\nabc"), 0, 200, 0, 1 },
    { BYTES(OK "CONTENT-LENGTH:3\r\n\r\nabc"), 0, 200, 0, 1 },
    { BYTES(OK "Content-Length: \t 3 \t \r\n\r\nabc"), 0, 200, 0, 1 },
    { BYTES(OK "Content-Length: 0003\r\n\r\nabc"), 0, 200, 0, 1 },
    { BYTES(OK "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"), 0, 200, 0, 1 },
    { BYTES(OK "Content-Length: 3, 3,\t3\r\ncontent-length: 03\r\n\r\nabc"), 0, 200, 0, 1 },
    { BYTES(OK "Content-Length: ,3,, ,3,\r\n\r\nabc"), 0, 200, 0, 1 },
    { BYTES(OK "Content-Length: 6\r\n\r\n\r\n\0\n\r\x7f"), 0, 200, 0, 1 },
    { BYTES(EMPTY "\r\n"), 0, 200, 0, 1 },
    { BYTES(OK "X-Content-Length: 9\r\nContent-Lengt: 9\r\nContent-Length: 0\r\n\r\n"), 0, 200, 0,
      1 },
    /* status lines */
    { BYTES("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"), 0, 200, 0, 1 },
    { BYTES("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"), 0, 200, 0, 1 },
    { BYTES("HTTP/1.1 404 Nicht gefunden \xe4\t!\r\nContent-Length: 0\r\n\r\n"), 0, 404, 0, 1 },
    { BYTES("HTTP/1.1 599 x\r\nContent-Length: 0\r\n\r\n"), 0, 599, 0, 1 },
    { BYTES("\r\n" EMPTY "\r\n"), 0, 200, 0, 1 },
    { BYTES("\n" EMPTY "\r\n"), 0, 200, 0, 1 },
    /* line ends */
    { BYTES("HTTP/1.1 200 OK\nContent-Length: 3\n\nabc"), 0, 200, 0, 1 },
    { BYTES("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\r\n\n3\nabc\n0\nX: y\n\n"), 0, 200, 0, 1 },
    /* no body */
    { BYTES(OK "\r\n"), 1, 200, 0, 1 },
    { BYTES(OK "Content-Length: 3\r\n\r\n"), 1, 200, 0, 1 },
    { BYTES(CHUNKED), 1, 200, 0, 1 },
    { BYTES(OK "Transfer-Encoding: gzip\r\n\r\n"), 1, 200, 0, 1 },
    { BYTES(OLD "\r\n"), 1, 200, 0, 0 },
    { BYTES("HTTP/1.1 204 No Content\r\n\r\n"), 0, 204, 0, 1 },
    { BYTES("HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n"), 0, 204, 0, 1 },
    { BYTES("HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n"), 0, 304, 0, 1 },
    { BYTES("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"), 0, 304, 0, 1 },
    { BYTES("HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n"), 0, 205, 0, 1 },
    /* chunks */
    { BYTES(CHUNKED "0\r\n\r\n"), 0, 200, 0, 1 },
    { BYTES(CHUNKED "000\r\n\r\n"), 0, 200, 0, 1 },
    { BYTES(CHUNKED "3\r\nabc\r\n0\r\n\r\n"), 0, 200, 0, 1 },
    { BYTES(CHUNKED "3\r\nabc\r\n00b\r\n0\r\n\r\n0\r\n\r\nx\r\n0\r\n\r\n"), 0, 200, 0, 1 },
    { BYTES(CHUNKED "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"), 0, 200, 0, 1 },
    { BYTES(CHUNKED "3;a\r\nabc\r\n3;a=b;c=\"d;\t\xff\"\r\nabc\r\n0;last\r\n\r\n"), 0, 200, 0, 1 },
    { BYTES(CHUNKED "3 \r\nabc\r\n3 \t;a\r\nabc\r\n0  \r\n\r\n"), 0, 200, 0, 1 },
    { BYTES(CHUNKED "1\r\n\n\r\n1\r\n\r\r\n0\r\n\r\n"), 0, 200, 0, 1 },
    { BYTES(OK "Transfer-Encoding: CHUNKED\r\n\r\n1\r\nx\r\n0\r\n\r\n"), 0, 200, 0, 1 },
    { BYTES(OK "Transfer-Encoding: , chunked ,\r\n\r\n1\r\nx\r\n0\r\n\r\n"), 0, 200, 0, 1 },
    { BYTES(OK "Transfer-Encoding: gzip;q=\"a\", chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"), 0, 200, 0,
      1 },
    { BYTES(OK "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"),
      0, 200, 0, 1 },
    { BYTES(OK "Transfer-Encoding: gzip, chunked\r\n\r\nA;x=\"y\" ;z\r\n0123456789\r\n00\r\nT: "
               "v\r\n\r\n"),
      0, 200, 0, 1 },
    /* trailers */
    { BYTES(CHUNKED "0\r\nX-T: v\r\nY:\r\n\r\n"), 0, 200, 0, 1 },
    { BYTES(CHUNKED "0\r\nX-T: v\r\n folded\r\n\r\n"), 0, 200, 0, 1 },
    { BYTES(CHUNKED "0\r\nContent-Length: x\r\nConnection: close\r\nTransfer-Encoding: y\r\n\r\n"),
      0, 200, 0, 1 },
    /* interim responses */
    { BYTES("HTTP/1.1 100 Continue\r\n\r\n" EMPTY "\r\n"), 0, 200, 1, 1 },
    { BYTES("HTTP/1.1 100\r\n\r\nHTTP/1.1 103 E\r\nLink: x\r\n\r\nHTTP/1.1 204 N\r\n\r\n"), 0, 204,
      2, 1 },
    { BYTES("HTTP/1.1 199 x\r\nContent-Length: 5\r\n\r\n" EMPTY "\r\n"), 0, 200, 1, 1 },
    { BYTES("HTTP/1.1 102 x\r\nTransfer-Encoding: chunked\r\n\r\n" EMPTY "\r\n"), 0, 200, 1, 1 },
    { BYTES("HTTP/1.1 102 x\r\nConnection: close\r\n\r\n" EMPTY "\r\n"), 0, 200, 1, 0 },
    { BYTES("HTTP/1.0 102 x\r\nConnection: keep-alive\r\n\r\nHTTP/1.0 204 N\r\n\r\n"), 0, 204, 1,
      0 },
    { BYTES("\r\nHTTP/1.1 100 Continue\r\n\r\n" OK "\r\n"), 1, 200, 1, 1 },
    { BYTES("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\nx"), 0,
      404, 1, 1 },
    /* may the connection be used again? */
    { BYTES(EMPTY "Connection: close\r\n\r\n"), 0, 200, 0, 0 },
    { BYTES(EMPTY "Connection: x, CLOSE ,y\r\n\r\n"), 0, 200, 0, 0 },
    { BYTES(EMPTY "Connection: x\r\nConnection: close\r\nConnection: keep-alive\r\n\r\n"), 0, 200,
      0, 0 },
    { BYTES(EMPTY "Connection: closed, clos, xclose\r\n\r\n"), 0, 200, 0, 1 },
    { BYTES(EMPTY "Connection:\r\n\r\n"), 0, 200, 0, 1 },
    { BYTES(EMPTY "Connection: keep-alive\r\n\r\n"), 0, 200, 0, 1 },
    { BYTES(OLD "Content-Length: 3\r\n\r\nabc"), 0, 200, 0, 0 },
    { BYTES(OLD "Content-Length: 3\r\nConnection: Keep-Alive\r\n\r\nabc"), 0, 200, 0, 1 },
    { BYTES(OLD "Content-Length: 3\r\nConnection: Keep-Alive, close\r\n\r\nabc"), 0, 200, 0, 0 },
    /* folded lines (RFC 9112 5.2) */
    { BYTES(OK "X: a\r\n b\r\n\tc\r\nContent-Length: 0\r\n\r\n"), 0, 200, 0, 1 },
    { BYTES(OK "Content-Length:\r\n 3\r\n\r\nabc"), 0, 200, 0, 1 },
    { BYTES(OK "Content-Length: 3,\r\n\t3\n \r\n\r\nabc"), 0, 200, 0, 1 },
    { BYTES(OK "X: y\r\n Content-Length: 9\r\nContent-Length: 0\r\n\r\n"), 0, 200, 0, 1 },
    { BYTES(EMPTY "Connection: x,\r\n close\r\n\r\n"), 0, 200, 0, 0 },
    { BYTES(OK "Transfer-Encoding: gzip,\r\n chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"), 0, 200, 0, 1 },
    /* other headers */
    { BYTES(EMPTY "!#$%&'*+-.^_`|~09azAZ: \x80\xff\t \"'(),:;<=>?@[]{}\r\nX:\r\nY:y\r\n\r\n"), 0,
      200, 0, 1 },
};

/* A response that is not complete until the connection is closed, or not even then. */
static const struct {
    const char *data;
    apr_size_t len;
    apr_status_t end;
    int status;
} closed[] = {
    { BYTES(""), APR_EOF, 0 },
    { BYTES("\r"), APR_EOF, 0 },
    { BYTES("\n"), APR_EOF, 0 },
    { BYTES("\r\n"), APR_EOF, 0 },
    { BYTES("\r\n\r"), APR_EOF, 0 },
    { BYTES("H"), APR_EGENERAL, 0 },
    { BYTES("\r\nH"), APR_EGENERAL, 0 },
    { BYTES("HTTP/1.1 2"), APR_EGENERAL, 0 },
    { BYTES(OK), APR_EGENERAL, 200 },
    { BYTES(OK "X-A: "), APR_EGENERAL, 200 },
    { BYTES(OK "Content-Length: x\r\n"), APR_EGENERAL, 200 }, /* may yet be continued */
    { BYTES(OK "Content-Length: 10\r\n\r\nabc"), APR_EGENERAL, 200 },
    { BYTES(OK "Content-Length: 4611686018427387904\r\n\r\nabc"), APR_EGENERAL, 200 },
    { BYTES(CHUNKED), APR_EGENERAL, 200 },
    { BYTES(CHUNKED "5\r\nabc"), APR_EGENERAL, 200 },
    { BYTES(CHUNKED "3\r\nabc\r\n"), APR_EGENERAL, 200 },
    { BYTES(CHUNKED "4000000000000000\r\nabc"), APR_EGENERAL, 200 },
    { BYTES(CHUNKED "0\r\n"), APR_EGENERAL, 200 },
    { BYTES(CHUNKED "0\r\nX-T: v\r\n"), APR_EGENERAL, 200 },
    { BYTES("HTTP/1.1 100 Continue\r\n"), APR_EGENERAL, 0 },
    { BYTES("HTTP/1.1 100 Continue\r\n\r\n"), APR_EGENERAL, 0 },
    { BYTES("\r\nHTTP/1.1 100 Continue\r\n\r\n"), APR_EGENERAL, 0 },
    { BYTES(OK "\r\n"), APR_SUCCESS, 200 },
    { BYTES(OK "\r\nabc\r\n\r\n" OK), APR_SUCCESS, 200 },
    { BYTES(OK "Connection: keep-alive\r\n\r\nabc"), APR_SUCCESS, 200 },
    { BYTES(OLD "Connection: keep-alive\r\n\r\nabc"), APR_SUCCESS, 200 },
    { BYTES("HTTP/1.1 205 Reset Content\r\n\r\n"), APR_SUCCESS, 205 },
    { BYTES(OK "Transfer-Encoding: gzip\r\n\r\nabc"), APR_SUCCESS, 200 },
    { BYTES(OK "Transfer-Encoding: chunked, gzip\r\n\r\nabc"), APR_SUCCESS, 200 },
    { BYTES(OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\nabc"), APR_SUCCESS,
      200 },
    { BYTES(OK "Transfer-Encoding: gzip;a=\"b, chunked\"\r\n\r\nabc"), APR_SUCCESS, 200 },
    { BYTES(OK "Transfer-Encoding:\r\n\r\nabc"), APR_SUCCESS, 200 },
    { BYTES("HTTP/1.1 100\r\nContent-Length: 1\r\n\r\n" OK "\r\nabc"), APR_SUCCESS, 200 },
};

static const char no_status[] = "no HTTP/1.1 or HTTP/1.0 status line";
static const char no_header[] = "an invalid header line";
static const char no_length[] = "an invalid Content-Length";
static const char control[] = "a control character";
static const char lone_cr[] = "a CR without LF";
static const char both[] = "Transfer-Encoding and Content-Length";
static const char no_size[] = "a chunk without a size";
static const char bad_size[] = "an invalid chunk size";
static const char large_chunk[] = "a chunk that is too large";
static const char long_chunk[] = "a chunk that is longer than its size";

static const struct {
    const char *data;
    apr_size_t len;
    const char *fault;
} faulty[] = {
    /* status lines */
    { BYTES("SSH-2.0-OpenSSH_9.2\r\n"), no_status },
    { BYTES("HTTP/2 200\r\n\r\n"), no_status },
    { BYTES("HTTP/2.0 200 OK\r\n"), no_status },
    { BYTES("HTTP/1.2 200 OK\r\n"), no_status },
    { BYTES("HTTP/0.9 200 OK\r\n"), no_status },
    { BYTES("HTTP/1.10 200 OK\r\n"), no_status },
    { BYTES("HTTP/11 200 OK\r\n"), no_status },
    { BYTES("http/1.1 200 OK\r\n"), no_status },
    { BYTES(" HTTP/1.1 200 OK\r\n"), no_status },
    { BYTES("HTTP/1.1  200 OK\r\n"), no_status },
    { BYTES("HTTP/1.1\t200 OK\r\n"), no_status },
    { BYTES("HTTP/1.1 \r\n\r\n"), no_status },
    { BYTES("HTTP/1.1\r\n\r\n"), no_status },
    { BYTES("HTTP/1.1 20 OK\r\n"), no_status },
    { BYTES("HTTP/1.1 2000 OK\r\n"), no_status },
    { BYTES("HTTP/1.1 -20 OK\r\n"), no_status },
    { BYTES("HTTP/1.1 20x OK\r\n"), no_status },
    { BYTES("HTTP/1.1 200\tOK\r\n"), no_status },
    { BYTES("\r\n\r\n" OK), no_status },
    { BYTES("\n\n" OK), no_status },
    { BYTES("HTTP/1.1 100 Continue\r\n\r\n\r\n" OK), no_status },
    { BYTES("\r\nHTTP/1.1 100 Continue\r\n\r\n\r\n" OK), no_status },
    { BYTES("HTTP/1.1 600 x\r\n"), "a status outside 100 to 599" },
    { BYTES("HTTP/1.1 099 x\r\n"), "a status outside 100 to 599" },
    { BYTES("<html>\n"), no_status },
    { BYTES("HTTP/1.1 101 Switching\r\n"), "a status 101 without an Upgrade request" },
    { BYTES("HTTP/1.1 100\r\n\r\nHTTP/1.1 101\r\n"), "a status 101 without an Upgrade request" },
    /* bytes that have no place in a head */
    { BYTES("\0\0\0"), control },
    { BYTES("HTTP/1.1 200 O\0K\r\n"), control },
    { BYTES(OK "X: a\0b\r\n\r\n"), control },
    { BYTES(OK "X: a\x01"
               "b\r\n\r\n"),
      control },
    { BYTES(OK "X: a\x1f"
               "b\r\n\r\n"),
      control },
    { BYTES(OK "X: a\x7f"
               "b\r\n\r\n"),
      control },
    { BYTES(CHUNKED "1;a\0b\r\nx\r\n0\r\n\r\n"), control },
    { BYTES(CHUNKED "0\r\nX: \0\r\n\r\n"), control },
    { BYTES(OK "X: a\rb\r\n\r\n"), lone_cr },
    { BYTES(OK "X: a\r\r\n\r\n"), lone_cr },
    { BYTES(OK "X: a\r\0\n\r\n"), lone_cr },
    { BYTES(OK "\rX: a\r\n\r\n"), lone_cr },
    { BYTES(CHUNKED "1\rx\r\n0\r\n\r\n"), lone_cr },
    { BYTES(CHUNKED "1\r\nx\rx\n0\r\n\r\n"), lone_cr },
    /* header lines */
    { BYTES(OK "Content-Length : 3\r\n\r\nabc"), no_header },
    { BYTES(OK "X\t: y\r\n\r\n"), no_header },
    { BYTES(OK "X Y: z\r\n\r\n"), no_header },
    { BYTES(OK "X\xe4: z\r\n\r\n"), no_header },
    { BYTES(OK "X(: z\r\n\r\n"), no_header },
    { BYTES(OK ": x\r\n\r\n"), no_header },
    { BYTES(OK "x\r\n\r\n"), no_header },
    { BYTES(OK " X: folded into the status line\r\n\r\n"), no_header },
    { BYTES(OK " \r\n\r\n"), no_header },
    { BYTES("HTTP/1.1 100\r\nX: y\r\n\r\n" OK " X: y\r\n\r\n"), no_header },
    { BYTES(OK "Content-\r\n Length: 3\r\n\r\nabc"), no_header },
    { BYTES(OK "X\r\n : y\r\n\r\n"), no_header },
    { BYTES(CHUNKED "0\r\nx\r\n\r\n"), no_header },
    { BYTES(CHUNKED "0\r\nX : y\r\n\r\n"), no_header },
    { BYTES(CHUNKED "0\r\n X: y\r\n\r\n"), no_header },
    /* Content-Length */
    { BYTES(OK "Content-Length:\r\n\r\n"), no_length },
    { BYTES(OK "Content-Length: ,\r\n\r\n"), no_length },
    { BYTES(OK "Content-Length: abc\r\n\r\nabc"), no_length },
    { BYTES(OK "Content-Length: -3\r\n\r\nabc"), no_length },
    { BYTES(OK "Content-Length: +3\r\n\r\nabc"), no_length },
    { BYTES(OK "Content-Length: 0x3\r\n\r\nabc"), no_length },
    { BYTES(OK "Content-Length: 3;\r\n\r\nabc"), no_length },
    { BYTES(OK "Content-Length: 3 3\r\n\r\nabc"), no_length },
    { BYTES(OK "Content-Length: 3\r\n 3\r\n\r\nabc"), no_length },
    { BYTES(OK "Content-Length: 3.0\r\n\r\nabc"), no_length },
    { BYTES(OK "Content-Length: \"3\"\r\n\r\nabc"), no_length },
    { BYTES(OK "Content-Length: 4611686018427387905\r\n\r\n"), no_length },
    { BYTES(OK "Content-Length: 9223372036854775808\r\n\r\n"), no_length },
    { BYTES(OK "Content-Length: 18446744073709551617\r\n\r\n"), no_length },
    { BYTES(OK "Content-Length: 99999999999999999999999999\r\n\r\n"), no_length },
    { BYTES(OK "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc"),
      "two different Content-Length values" },
    { BYTES(OK "Content-Length: 3, 4\r\n\r\nabc"), "two different Content-Length values" },
    { BYTES("HTTP/1.1 204 N\r\nContent-Length: x\r\n\r\n"), no_length },
    /* Transfer-Encoding */
    { BYTES(OK "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"), both },
    { BYTES(OK "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"), both },
    { BYTES(OK "Content-Length: 0\r\nTransfer-Encoding: gzip\r\n\r\n"), both },
    { BYTES("HTTP/1.1 304 N\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"), both },
    { BYTES(OLD "Transfer-Encoding: chunked\r\n\r\n"), "Transfer-Encoding in HTTP/1.0" },
    { BYTES(OLD "Transfer-Encoding: gzip\r\n\r\n"), "Transfer-Encoding in HTTP/1.0" },
    { BYTES(OK "Transfer-Encoding: chunked, chunked\r\n\r\n"), "chunked twice" },
    { BYTES(OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
      "chunked twice" },
    { BYTES(OK "Transfer-Encoding: chunked;a=b\r\n\r\n"), "chunked with a parameter" },
    { BYTES(OK "Transfer-Encoding: chunked foo\r\n\r\n"), "chunked with a parameter" },
    /* chunks */
    { BYTES(CHUNKED "\r\n"), no_size },
    { BYTES(CHUNKED "xyz\r\nabc"), no_size },
    { BYTES(CHUNKED "-3\r\nabc"), no_size },
    { BYTES(CHUNKED "+3\r\nabc"), no_size },
    { BYTES(CHUNKED " 3\r\nabc"), no_size },
    { BYTES(CHUNKED ";a\r\nabc"), no_size },
    { BYTES(CHUNKED "0x3\r\nabc"), bad_size },
    { BYTES(CHUNKED "3g\r\nabc"), bad_size },
    { BYTES(CHUNKED "3 3\r\nabc"), bad_size },
    { BYTES(CHUNKED "3,\r\nabc"), bad_size },
    { BYTES(CHUNKED "4000000000000001\r\n"), large_chunk },
    { BYTES(CHUNKED "8000000000000000\r\n"), large_chunk },
    { BYTES(CHUNKED "ffffffffffffffff\r\n"), large_chunk },
    { BYTES(CHUNKED "ffffffffffffffff1\r\n"), large_chunk },
    { BYTES(CHUNKED "10000000000000003\r\nabc\r\n0\r\n\r\n"), large_chunk },
    { BYTES(CHUNKED "3\r\nabcd\r\n0\r\n\r\n"), long_chunk },
    { BYTES(CHUNKED "3\r\nabcd\n0\r\n\r\n"), long_chunk },
    { BYTES(CHUNKED "3\r\nabc0\r\n\r\n"), long_chunk },
    { BYTES(CHUNKED "3\r\nabcdef"), long_chunk }, /* and that before any line's end */
};

/* prefix, `count` times unit, middle, `fill` times 'a', suffix */
#define A64       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A512      A64 A64 A64 A64 A64 A64 A64 A64
#define A4096     A512 A512 A512 A512 A512 A512 A512 A512
#define LEN(text) ((int)sizeof(text) - 1)
#define NONE      "HTTP/1.1 204 N\r\n"
#define EARLY     "HTTP/1.1 103 E\r\nL: " A4096 "\r\n\r\n"
#define FIELD     "X: " A4096 "\r\n"
#define HEAD_REST(count, unit)                                                                     \
    (MIRROR_RESPONSE_HEAD_MAX - LEN(NONE) - (count)*LEN(unit) - LEN("Y: \r\n\r\n"))
#define TRAILER_REST(count, unit)                                                                  \
    (MIRROR_RESPONSE_TRAILER_MAX - (count)*LEN(unit) - LEN("Y: \r\n\r\n"))

static const char long_line[] = "a line that is too long";
static const char long_head[] = "a head that is too long";
static const char many_headers[] = "too many headers";
static const char long_size[] = "a chunk size line that is too long";
static const char long_trailers[] = "trailers that are too long";

static const struct {
    const char *prefix;
    const char *unit;
    int count;
    const char *middle;
    int fill;
    const char *suffix;
    const char *fault; /* NULL: it is complete */
    int keepalive;
} caps[] = {
    { "", "", 0, "HTTP/1.1 204 ", MIRROR_RESPONSE_LINE_MAX - 15, "\r\n\r\n", NULL, 1 },
    { "", "", 0, "HTTP/1.1 204 ", MIRROR_RESPONSE_LINE_MAX - 14, "\r\n\r\n", long_line, 0 },
    { NONE, "", 0, "X: ", MIRROR_RESPONSE_LINE_MAX - 5, "\r\n\r\n", NULL, 1 },
    { NONE, "", 0, "X: ", MIRROR_RESPONSE_LINE_MAX - 4, "\n\r\n", NULL, 1 },
    { NONE, "", 0, "X: ", MIRROR_RESPONSE_LINE_MAX - 4, "\r\n\r\n", long_line, 0 },
    { NONE, "", 0, "X: ", MIRROR_RESPONSE_LINE_MAX, "", long_line, 0 },
    { NONE, FIELD, 15, "Y: ", HEAD_REST(15, FIELD), "\r\n\r\n", NULL, 1 },
    { NONE, FIELD, 15, "Y: ", HEAD_REST(15, FIELD) + 1, "\r\n\r\n", long_head, 0 },
    { "", EARLY, 15, NONE "Y: ", HEAD_REST(15, EARLY), "\r\n\r\n", NULL, 1 },
    { "", EARLY, 15, NONE "Y: ", HEAD_REST(15, EARLY) + 1, "\r\n\r\n", long_head, 0 },
    { NONE "X: y\r\n", " " A4096 "\r\n", 15, "", 0, "\r\n", NULL, 1 },
    { NONE "X: y\r\n", " " A4096 "\r\n", 16, "", 0, "\r\n", long_head, 0 },
    { NONE, "A: b\r\n", MIRROR_RESPONSE_HEADERS_MAX, "", 0, "\r\n", NULL, 1 },
    { NONE, "A: b\r\n", MIRROR_RESPONSE_HEADERS_MAX + 1, "", 0, "\r\n", many_headers, 0 },
    { NONE, "A: b\r\n c\r\n", MIRROR_RESPONSE_HEADERS_MAX, "", 0, "\r\n", NULL, 1 },
    { CHUNKED "0\r\n", "A: b\r\n", MIRROR_RESPONSE_HEADERS_MAX - 1, "", 0, "\r\n", NULL, 1 },
    { CHUNKED "0\r\n", "A: b\r\n", MIRROR_RESPONSE_HEADERS_MAX, "", 0, "\r\n", many_headers, 0 },
    { "", "HTTP/1.1 100\r\n\r\n", MIRROR_RESPONSE_INTERIM_MAX, "", 0, NONE "\r\n", NULL, 1 },
    { "", "HTTP/1.1 100\r\n\r\n", MIRROR_RESPONSE_INTERIM_MAX + 1, "", 0, NONE "\r\n",
      "too many interim responses", 0 },
    { CHUNKED, "", 0, "0;", MIRROR_RESPONSE_CHUNK_LINE_MAX - 4, "\r\n\r\n", NULL, 1 },
    { CHUNKED, "", 0, "0;", MIRROR_RESPONSE_CHUNK_LINE_MAX - 3, "\r\n\r\n", long_size, 0 },
    { CHUNKED, "1;" A4096 "\r\nx\r\n", 1, "", 0, "", long_size, 0 },
    { CHUNKED "0\r\n", FIELD, 3, "Y: ", TRAILER_REST(3, FIELD), "\r\n\r\n", NULL, 1 },
    { CHUNKED "0\r\n", FIELD, 3, "Y: ", TRAILER_REST(3, FIELD) + 1, "\r\n\r\n", long_trailers, 0 },
    { CHUNKED "0\r\n", "", 0, "Y: ", MIRROR_RESPONSE_TRAILER_MAX, "", long_trailers, 0 },
    { CHUNKED, "1\r\nx\r\n", 20000, "", 0, "0\r\n\r\n", NULL, 1 },
    { CHUNKED, "1;" A512 "\r\nx\r\n", 200, "", 0, "0\r\n\r\n", NULL, 1 },
    { CHUNKED "186A0\r\n", "0\r\n\r\n", 20000, "", 0, "\r\n0\r\n\r\n", NULL, 1 },
    /* what is kept of a line is too little */
    { NONE, "", 0, "", 254, ": x\r\n\r\n", NULL, 1 },
    { NONE, "", 0, "", 255, ": x\r\n\r\n", NULL, 1 },
    { NONE, "", 0, "", 1000, ": x\r\n\r\n", NULL, 1 },
    { NONE "x ", "", 0, "", 1000, ": x\r\n\r\n", no_header, 0 },
    { NONE "Connection: keep-alive, ", "", 0, "", 300, "\r\n\r\n", NULL, 0 },
    { NONE "Connection: x\r\n ", "", 0, "", 300, "\r\n\r\n", NULL, 0 },
    { NONE "Content-Length: ", "0", 300, "", 0, "\r\n\r\n", "a Content-Length that is too long",
      0 },
    { NONE "Content-Length: 3\r\n", " ", 300, "", 0, "4\r\n\r\n",
      "a Content-Length that is too long", 0 },
    { OK "Transfer-Encoding: ", ",", 300, "chunked", 0, "\r\n\r\n",
      "a Transfer-Encoding that is too long", 0 },
    { NONE "Connection: ", "abc, ", 100, "close", 0, "\r\n\r\n", NULL, 0 },
    { NONE "Content-Length: ", "0, ", 200, "0", 0, "\r\n\r\n", "a Content-Length that is too long",
      0 },
    { CHUNKED, "0", 255, "", 0, "\r\n\r\n", NULL, 1 },
    { CHUNKED, "0", 256, "", 0, "\r\n\r\n", bad_size, 0 },
    { CHUNKED, "0", 300, "3", 0, "\r\nabc\r\n0\r\n\r\n", bad_size, 0 },
    { CHUNKED "3", " ", 300, "x", 0, "\r\n", bad_size, 0 },
};

/* ---- tests, one for each row of a table ---- */

START_TEST(test_complete)
{
    const complete_t *row = &complete[_i];
    seen_t expected = {
        APR_SUCCESS, row->len, 1, row->status, row->interim, row->keepalive, 0, NULL
    };
    char *more = malloc(row->len + 8);
    mirror_response_t r;
    apr_size_t cut;
    seen_t seen = read_all_ways(&r, row->data, row->len, row->head);

    ck_assert_same(&seen, &expected);
    memcpy(more, row->data, row->len); /* what follows belongs to none */
    memcpy(more + row->len, "\r\nHTTP/1", 8);
    seen = read_all_ways(&r, more, row->len + 8, row->head);
    ck_assert_same(&seen, &expected);
    free(more);
    for (cut = 0; cut < row->len; cut++) {
        seen = read_parts(&r, row->data, cut, row->head, cut, 1);
        ck_assert_int_eq(seen.rv, APR_INCOMPLETE);
        ck_assert_int_eq(seen.keepalive, 0);
        ck_assert_int_eq(mirror_response_end(&r), seen.begun ? APR_EGENERAL : APR_EOF);
        ck_assert_int_eq(seen.begun, cut > strspn(row->data, "\r\n"));
    }
}
END_TEST

START_TEST(test_closed)
{
    mirror_response_t r;
    seen_t seen = read_all_ways(&r, closed[_i].data, closed[_i].len, 0);

    ck_assert_int_eq(seen.rv, APR_INCOMPLETE);
    ck_assert_int_eq(seen.begun, closed[_i].end != APR_EOF);
    ck_assert_int_eq(seen.status, closed[_i].status);
    ck_assert_int_eq(seen.keepalive, 0);
    ck_assert_int_eq(mirror_response_end(&r), closed[_i].end);
    ck_assert_int_eq(mirror_response_keepalive(&r), 0);
    ck_assert_pstr_eq(mirror_response_fault(&r),
                      closed[_i].end == APR_EGENERAL ? "an incomplete response" : NULL);
    ck_assert_int_eq(mirror_response_end(&r), closed[_i].end);
}
END_TEST

START_TEST(test_faulty)
{
    mirror_response_t r;
    seen_t seen = read_all_ways(&r, faulty[_i].data, faulty[_i].len, 0);

    ck_assert_pstr_eq(seen.fault, faulty[_i].fault);
    ck_assert_int_eq(seen.rv, APR_EGENERAL);
}
END_TEST

START_TEST(test_caps)
{
    apr_size_t unit = strlen(caps[_i].unit), len = 0;
    char *data =
        malloc(strlen(caps[_i].prefix) + (apr_size_t)caps[_i].count * unit +
               strlen(caps[_i].middle) + (apr_size_t)caps[_i].fill + strlen(caps[_i].suffix) + 1);
    mirror_response_t r;
    seen_t seen;
    int n;

    len += strlen(memcpy(data, caps[_i].prefix, strlen(caps[_i].prefix) + 1));
    for (n = 0; n < caps[_i].count; n++, len += unit) {
        memcpy(data + len, caps[_i].unit, unit);
    }
    len += strlen(memcpy(data + len, caps[_i].middle, strlen(caps[_i].middle) + 1));
    memset(data + len, 'a', (apr_size_t)caps[_i].fill);
    len += (apr_size_t)caps[_i].fill;
    len += strlen(memcpy(data + len, caps[_i].suffix, strlen(caps[_i].suffix) + 1));
    seen = read_all_ways(&r, data, len, 0);
    free(data);
    ck_assert_pstr_eq(seen.fault, caps[_i].fault);
    ck_assert_int_eq(seen.rv, caps[_i].fault ? APR_EGENERAL : APR_SUCCESS);
    if (!caps[_i].fault) {
        ck_assert_uint_eq(seen.used, len);
        ck_assert_int_eq(seen.keepalive, caps[_i].keepalive);
    }
}
END_TEST

/* Thousands of them exist. */
START_TEST(test_is_small)
{
    ck_assert_uint_le(sizeof(mirror_response_t), 336);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("response");
    TCase *tcase = tcase_create("response");

    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_complete, 0, ROWS(complete));
    tcase_add_loop_test(tcase, test_closed, 0, ROWS(closed));
    tcase_add_loop_test(tcase, test_faulty, 0, ROWS(faulty));
    tcase_add_loop_test(tcase, test_caps, 0, ROWS(caps));
    tcase_add_test(tcase, test_is_small);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
