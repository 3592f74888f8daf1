"""What the mirror gets of a proxied request, byte for byte."""
from __future__ import annotations

import gzip
import random

import pytest

from copies import ADDED, assert_copy
from httpdlab import location, to
from recorder import answer
from wire import chunked, request

EVERY_BYTE = bytes(range(256))


@pytest.fixture
def proxy(httpd, origin, mirror):
    """An httpd whose /o/ is proxied to the origin and mirrored."""
    def make(*lines, attributes="", **options):
        return httpd(location("/o/", origin, to(mirror, attributes), *lines), **options)
    return make


@pytest.mark.smoke
def test_get(proxy, origin, mirror):
    h = proxy()
    got = h.get("/o/a?x=1", ["Accept: text/*", "X-Empty:"])
    assert (got.status, got.body) == (200, b"ok\n")
    assert origin.one().target == "/a?x=1"
    assert_copy(mirror.one(), "GET /o/a?x=1", "Accept: text/*", "X-Empty: ")
    assert h.ended(1) == {"mirrored": 1}


@pytest.mark.smoke
@pytest.mark.valgrind
def test_post(proxy, origin, mirror):
    h = proxy()
    assert h.request("POST", "/o/a", ["Content-Type: x/y"], EVERY_BYTE).status == 200
    assert origin.one().body == EVERY_BYTE
    assert_copy(mirror.one(), "POST /o/a", "Content-Type: x/y", "Content-Length: 256", body=EVERY_BYTE)
    assert h.ended(1) == {"mirrored": 1}


@pytest.mark.smoke
def test_post_of_10_megabytes(proxy, origin, mirror):
    h = proxy(attributes="max_body=10M")
    body = random.Random(1).randbytes(10 * 1024 * 1024)
    assert h.request("POST", "/o/a", [], body).status == 200
    assert origin.one().body == body
    assert_copy(mirror.one(), "POST /o/a", f"Content-Length: {len(body)}", body=body)
    assert h.ended(1) == {"mirrored": 1}


@pytest.mark.parametrize("size", [0, 1, 8191, 8192, 8193, 16384, 65536, 1048576])
def test_sizes_of_a_body(proxy, origin, mirror, size):
    h = proxy()
    body = random.Random(size).randbytes(size)
    assert h.request("PUT", "/o/a", [], body).status == 200
    assert_copy(mirror.one(), "PUT /o/a", f"Content-Length: {size}", body=body)
    assert origin.one().body == body
    assert h.ended(1) == {"mirrored": 1}


@pytest.mark.smoke
@pytest.mark.valgrind
def test_chunked_put_with_extensions_and_trailers(proxy, origin, mirror):
    h = proxy()
    head = request("PUT", "/o/a", ["Transfer-Encoding: chunked", "Trailer: X-T", "X-A: 1"])
    got = h.exchange(head + b'3;a=b\r\nabc\r\n00004;x="y z"\r\ndefg\r\n0;last\r\nX-T: v\r\n\r\n')
    assert got.status == 200
    assert origin.one().body == b"abcdefg"
    assert_copy(mirror.one(), "PUT /o/a", "X-A: 1", "Content-Length: 7", body=b"abcdefg")
    assert h.ended(1) == {"mirrored": 1}


def test_chunks_in_many_pieces(proxy, origin, mirror):
    h = proxy()
    pieces = [random.Random(n).randbytes(n) for n in range(1, 400, 7)]
    with h.client() as client:
        client.send(request("POST", "/o/a", ["Transfer-Encoding: chunked"]))
        for byte in chunked(*pieces).split(b"\r\n"):
            client.send(byte + b"\r\n")
        assert client.answer().status == 200
    body = b"".join(pieces)
    assert origin.one().body == body
    assert_copy(mirror.one(), "POST /o/a", f"Content-Length: {len(body)}", body=body)
    assert h.ended(1) == {"mirrored": 1}


def test_empty_chunked_body(proxy, mirror):
    h = proxy()
    assert h.exchange(request("POST", "/o/a", ["Transfer-Encoding: chunked"]) + chunked()).status == 200
    assert_copy(mirror.one(), "POST /o/a", "Content-Length: 0")
    assert h.ended(1) == {"mirrored": 1}


def test_head_answers_have_no_body(proxy, origin, mirror):
    h = proxy(children=1)
    with h.client() as client:
        for path in ("/o/a", "/o/b"):
            client.send(request("HEAD", path, close=False))
            assert client.answer("HEAD").header("Content-Length") == ["3"]
    assert h.ended(2) == {"mirrored": 2}
    assert sorted(copy.start for copy in mirror.wait(2)) == ["HEAD /o/a HTTP/1.1", "HEAD /o/b HTTP/1.1"]
    assert_copy(mirror.requests[0], mirror.requests[0].start[:-9])
    assert len(origin.requests) == 2


@pytest.mark.parametrize("method, body", [("DELETE", None), ("PROPFIND", b"<propfind/>"), ("OPTIONS", None),
                                          ("PATCH", b"{}"), ("BREW", b"coffee"), ("DELETE", b"x"), ("GET", b"x")])
def test_methods(proxy, origin, mirror, method, body):
    h = proxy()
    assert h.request(method, "/o/a", ["Depth: 1"], body).status == 200
    length = [] if body is None else [f"Content-Length: {len(body)}"]
    assert origin.one().body == (body or b"")
    assert_copy(mirror.one(), f"{method} /o/a", "Depth: 1", *length, body=body or b"")
    assert h.ended(1) == {"mirrored": 1}


@pytest.mark.parametrize("in_chunks", [False, True])
def test_head_with_a_body(proxy, origin, mirror, in_chunks):
    sent = (request("HEAD", "/o/a", ["Transfer-Encoding: chunked"]) + chunked(b"bo", b"dy") if in_chunks else
            request("HEAD", "/o/a", [], b"body"))
    h = proxy()
    assert h.exchange(sent, "HEAD").status == 200
    assert origin.one().body == b"body"
    assert_copy(mirror.one(), "HEAD /o/a", "Content-Length: 4", body=b"body")
    assert h.ended(1) == {"mirrored": 1}


def test_expect(proxy, origin, mirror):
    h = proxy()
    with h.client() as client:
        client.send(request("POST", "/o/a", ["Expect: 100-continue", "Content-Length: 5"]))
        assert client.stream.line() == b"HTTP/1.1 100 Continue"
        assert client.stream.line() == b""
        client.send(b"12345")
        assert client.answer().status == 200
    assert origin.one().body == b"12345"
    assert_copy(mirror.one(), "POST /o/a", "Content-Length: 5", body=b"12345")
    assert h.ended(1) == {"mirrored": 1}


def test_100_pipelined(proxy, origin, mirror):
    h = proxy()
    paths = [f"/o/{n}" for n in range(100)]
    with h.client() as client:
        client.send(b"".join(request("GET", path, close=False) for path in paths))
        assert [client.answer().status for _ in paths] == [200] * 100
    assert h.ended(100) == {"mirrored": 100}
    assert sorted(copy.target for copy in mirror.requests) == sorted(paths)
    assert [r.target for r in origin.requests] == [f"/{n}" for n in range(100)]


def test_pipelined_with_bodies(proxy, mirror):
    h = proxy()
    bodies = [b"%d" % n * n for n in range(1, 30)]
    with h.client() as client:
        client.send(b"".join(request("POST", "/o/a", [], body, close=False) for body in bodies))
        assert [client.answer().status for _ in bodies] == [200] * len(bodies)
    assert h.ended(len(bodies)) == {"mirrored": len(bodies)}
    assert sorted(copy.body for copy in mirror.requests) == sorted(bodies)


def test_101_headers_are_refused(proxy, mirror):
    h = proxy()
    assert h.get("/o/a", [f"X-{n}: {n}" for n in range(99)]).status == 400
    assert h.get("/o/b", [f"X-{n}: {n}" for n in range(98)]).status == 200
    assert_copy(mirror.one(), "GET /o/b", *[f"X-{n}: {n}" for n in range(98)])
    assert h.ended(1) == {"mirrored": 1}


def test_hop_by_hop_headers_stay_here(proxy, mirror):
    h = proxy()
    got = h.exchange(b"GET /o/a HTTP/1.1\r\nHost: t\r\nConnection: close, X-Hop\r\nconnection: x-other\r\n"
                     b"X-Hop: 1\r\nX-Other: 2\r\nX-Keep: 3\r\nKeep-Alive: timeout=5\r\nTE: trailers\r\nTrailer: X-T\r\n"
                     b"Proxy-Authorization: Basic eDp5\r\nProxy-Authenticate: x\r\nUpgrade: x/1\r\n\r\n")
    assert got.status == 200
    assert_copy(mirror.one(), "GET /o/a", "X-Keep: 3")


def test_host_cannot_be_listed_away(proxy, mirror):
    h = proxy()
    assert h.exchange(b"GET /o/a HTTP/1.1\r\nHost: t\r\nConnection: close, Host, X-Proxy-Mirror\r\n\r\n").status == 200
    assert_copy(mirror.one(), "GET /o/a")


def test_forwarded_headers_are_appended(proxy, origin, mirror):
    h = proxy()
    sent = ["X-Forwarded-For: 10.1.1.1", "X-Forwarded-Host: outer", "X-Forwarded-Server: edge"]
    assert h.get("/o/a", sent).status == 200
    appended = ["X-Forwarded-For: 10.1.1.1, 127.0.0.1", "X-Forwarded-Host: outer, t",
                "X-Forwarded-Server: edge, localhost"]
    assert_copy(mirror.one(), "GET /o/a", *appended, added=("X-Proxy-Mirror: lab",))
    for line in appended:
        name, _, value = line.partition(": ")
        assert origin.one().header(name) == [value]


def test_proxy_add_headers_off(proxy, origin, mirror):
    h = proxy("ProxyAddHeaders Off")
    assert h.get("/o/a", ["X-Forwarded-For: 10.1.1.1"]).status == 200
    assert_copy(mirror.one(), "GET /o/a", "X-Forwarded-For: 10.1.1.1", added=("X-Proxy-Mirror: lab",))
    assert origin.one().header("X-Forwarded-Host") == []


def test_id_is_appended(proxy, origin, mirror):
    h = proxy()
    assert h.get("/o/a", ["X-Proxy-Mirror: one, laboratory"]).status == 200
    assert_copy(mirror.one(), "GET /o/a", "X-Proxy-Mirror: one, laboratory, lab", added=ADDED[:3])
    assert origin.one().header("X-Proxy-Mirror") == ["one, laboratory"]


def test_request_header_directive_shows(proxy, origin, mirror):
    h = proxy("RequestHeader set X-Set 1", "RequestHeader unset X-Gone")
    assert h.get("/o/a", ["X-Gone: 1"]).status == 200
    assert_copy(mirror.one(), "GET /o/a", "X-Set: 1")
    assert origin.one().header("X-Set") == ["1"]


@pytest.mark.parametrize("sent", ["/o/a%20b%2Fc?x=%2F&y=%zz", "/o/x/../y/./z", "/o//double//", "/o/%C3%BC;p=1?a?b",
                                  "/o/a?", "/o/~!$&'()*+,=:@"])
def test_uri_is_escaped_as_sent(httpd, origin, mirror, sent):
    h = httpd("AllowEncodedSlashes NoDecode\n" + location("/o/", origin, to(mirror), conf="nocanon"),
              expect=["AH01136"])
    assert h.get(sent).status == 200
    assert_copy(mirror.one(), f"GET {sent}")


def test_absolute_uri(proxy, mirror):
    h = proxy()
    got = h.exchange(b"GET http://other:81/o/a?b HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")
    assert got.status == 200
    copy = mirror.one()
    assert copy.start == "GET /o/a?b HTTP/1.1"
    assert len(copy.header("Host")) == 1


def test_forward_proxy_request_is_sent_in_origin_form(httpd, origin, mirror):
    h = httpd("ProxyRequests On\n" + to(mirror))
    host = f"127.0.0.1:{origin.port}"
    got = h.exchange(f"GET http://{host}/a?b HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert got.status == 200
    assert origin.one().target == "/a?b"
    assert_copy(mirror.one(), "GET /a?b", f"Host: {host}", added=("X-Proxy-Mirror: lab",))


def test_folded_header(proxy, mirror):
    h = proxy()
    got = h.exchange(b"GET /o/a HTTP/1.1\r\nHost: t\r\nConnection: close\r\nX-A: 1\r\n  2\r\n\t3\r\n\r\n")
    assert got.status == 200
    assert_copy(mirror.one(), "GET /o/a", "X-A: 1 2 3")


def test_repeated_header(proxy, mirror):
    h = proxy()
    assert h.get("/o/a", ["X-A: 1", "X-A: 2", "Cookie: a=1"]).status == 200
    copy = mirror.one()
    assert ", ".join(copy.header("X-A")) == "1, 2"
    assert copy.header("Cookie") == ["a=1"]


def test_content_coding_is_kept(proxy, origin, mirror):
    h = proxy()
    body = gzip.compress(b"text " * 1000)
    assert h.request("POST", "/o/a", ["Content-Encoding: gzip"], body).status == 200
    assert origin.one().body == body
    assert_copy(mirror.one(), "POST /o/a", "Content-Encoding: gzip", f"Content-Length: {len(body)}", body=body)


def test_http_1_0_without_host(proxy, mirror):
    h = proxy()
    assert h.exchange(b"GET /o/a HTTP/1.0\r\nX-A: 1\r\n\r\n").status == 200
    assert_copy(mirror.one(), "GET /o/a", "Host: localhost", "X-A: 1",
                added=tuple(line for line in ADDED if "-Host" not in line))


def test_non_ascii_header(proxy, mirror):
    h = proxy()
    assert h.get("/o/a", ["X-A: \xe9\xff"]).status == 200
    assert_copy(mirror.one(), "GET /o/a", "X-A: \xe9\xff")


def test_content_length_beside_transfer_encoding(proxy, origin, mirror):
    """A way to smuggle: whatever httpd makes of it, the copy is what the origin got."""
    h = proxy()
    got = h.exchange(request("POST", "/o/a", ["Content-Length: 3", "Transfer-Encoding: chunked"]) + chunked(b"12345"))
    assert got.status in (200, 400)
    if got.status == 200:
        assert origin.one().body == b"12345"
        assert_copy(mirror.one(), "POST /o/a", "Content-Length: 5", body=b"12345")
    h.wait_idle()
    assert len(mirror.requests) == len(origin.requests)


def test_answer_of_the_mirror_goes_nowhere(proxy, origin, mirror):
    mirror.answer = answer("500 No", b"mirror" * 1000, ("X-From: mirror", "Set-Cookie: a=b"))
    h = proxy('Header always set X-Env "%{PROXY_MIRROR}e"')
    got = h.get("/o/a")
    assert (got.status, got.body) == (200, b"ok\n")
    assert b"mirror" not in got.raw
    assert h.ended(1) == {"mirrored": 1}
    assert h.mirror()["responses"]["5xx"] == 1
