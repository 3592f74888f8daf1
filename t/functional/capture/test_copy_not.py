"""Requests that are not copied, or not as a whole; and that the primary never notices the module."""
from __future__ import annotations

import contextlib
import re

import pytest

from copies import assert_copy
from httpdlab import MODULE, location, to
from wire import Client, chunked, read_answer, request, reset

PROXY_FAILED = r"\[(proxy|proxy_http|core|http):(error|warn)\]"


@pytest.mark.parametrize("size, outcome", [(1000, "mirrored"), (1001, "too_large")])
@pytest.mark.parametrize("in_chunks", [False, True])
def test_max_body(httpd, origin, mirror, size, outcome, in_chunks):
    h = httpd(location("/o/", origin, to(mirror, "max_body=1000")))
    body = b"b" * size
    if in_chunks:
        pieces = [body[n:n + 100] for n in range(0, size, 100)]
        got = h.exchange(request("POST", "/o/a", ["Transfer-Encoding: chunked"]) + chunked(*pieces))
    else:
        got = h.request("POST", "/o/a", [], body)
    assert got.status == 200
    assert origin.one().body == body
    assert h.ended(1) == {outcome: 1}
    assert len(mirror.requests) == (outcome == "mirrored")


def test_max_body_of_0(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror, "max_body=0")))
    assert h.request("POST", "/o/a", [], b"x").status == 200
    assert h.request("POST", "/o/b", [], b"").status == 200
    assert h.ended(2) == {"too_large": 1, "mirrored": 1}
    assert mirror.one().target == "/o/b"


def test_body_off(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror, "body=off")))
    assert h.request("POST", "/o/a", ["Content-Type: x/y"], b"x" * 100000).status == 200
    assert_copy(mirror.one(), "POST /o/a", "Content-Type: x/y")
    assert h.exchange(request("POST", "/o/b", ["Transfer-Encoding: chunked"]) + chunked(b"abc")).status == 200
    assert h.ended(2) == {"mirrored": 2}
    copy = mirror.wait(2)[1]
    assert copy.start == "POST /o/b HTTP/1.1" and copy.body == b"" and not copy.header("Content-Length")
    assert [len(r.body) for r in origin.requests] == [100000, 3]


BROKEN_OFF = {
    "in the body": request("POST", "/o/a", ["Content-Length: 100"]) + b"x" * 50,
    "before the body": request("POST", "/o/a", ["Content-Length: 100"]),
    "in a long body": request("POST", "/o/a", ["Content-Length: 300000"]) + b"x" * 200000,
    "in a chunk": request("POST", "/o/a", ["Transfer-Encoding: chunked"]) + b"5\r\nabc",
    "between chunks": request("POST", "/o/a", ["Transfer-Encoding: chunked"]) + b"5\r\nabcde\r\n",
    "in the last chunk": request("POST", "/o/a", ["Transfer-Encoding: chunked"]) + b"5\r\nabcde\r\n0\r\n",
    "by a bad chunk": request("POST", "/o/a", ["Transfer-Encoding: chunked"]) + b"5\r\nabcde\r\nzz\r\nabc\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("where", BROKEN_OFF)
def test_body_broken_off(httpd, origin, mirror, where, how):
    h = httpd(location("/o/", origin, to(mirror)), expect=[PROXY_FAILED])
    client = h.client()
    client.send(BROKEN_OFF[where])
    if how == "close":
        client.sock.close()
    else:
        reset(client.sock)
    assert h.ended(1) == {"incomplete": 1}
    assert mirror.connections == 0


@pytest.mark.valgrind
def test_body_broken_off_while_the_origin_answers(httpd, origin, mirror):
    """The origin answers early; the response has begun when the body is broken off."""
    def answer_then_read(sock):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n")
        sock.recv(1 << 20)
    origin.takeover = answer_then_read
    h = httpd(location("/o/", origin, to(mirror)), expect=[PROXY_FAILED])
    client = h.client()
    client.send(request("POST", "/o/a", ["Content-Length: 1000000"]) + b"x" * 1000)
    client.sock.close()
    assert h.ended(1) == {"incomplete": 1}
    assert mirror.connections == 0


@pytest.mark.parametrize("sent", [b"GET /o/a b HTTP/1.1\r\nHost: t\r\n\r\n", b"GET /o/a HTTP/1.1\r\n\r\n",
                                  b"GET /o/a HTTP/1.1\r\nHost: t\r\nX A: 1\r\n\r\n",
                                  b"GET /o/a HTTP/1.1\r\nHost: t\r\nHost: u\r\n\r\n",
                                  b"POST /o/a HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
                                  b"POST /o/a HTTP/1.1\r\nHost: t\r\nContent-Length: -1\r\n\r\nx",
                                  b"POST /o/a HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: x\r\n\r\nx",
                                  b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n"])
def test_what_is_no_request(httpd, origin, mirror, sent):
    h = httpd(location("/o/", origin, to(mirror)))
    assert h.exchange(sent).status in (400, 501)
    h.wait_idle()
    assert h.mirror()["outcomes"]["mirrored"] == 0
    assert mirror.connections == origin.connections == 0


def test_what_httpd_refuses(httpd, origin, mirror):
    """401 and 403 are said before a handler."""
    h = httpd(lambda h: "\n".join([
        location("/o/", origin, to(mirror)),
        f'<Location "/o/secret/">\nAuthType Basic\nAuthName x\nAuthUserFile "{h.root}/users"\nRequire valid-user\n'
        '</Location>',
        '<Location "/o/closed/">\nRequire all denied\n</Location>']),
        modules=["auth_basic", "authn_core", "authn_file", "authz_user"], expect=["AH01630"])
    assert h.get("/o/secret/a").status == 401
    assert h.request("POST", "/o/closed/a", [], b"x").status == 403
    assert h.mirror()["seen"] == 0
    assert mirror.connections == 0


# what httpd answers before a handler: lines of a section, the request, its status
BEFORE_A_HANDLER = {
    "Redirect": ('Redirect "/away" "http://other/"', request("GET", "/away/a"), 302),
    "RedirectMatch": ('RedirectMatch 404 "^/away"', request("GET", "/away/a"), 404),
    "RewriteRule R": ('RewriteEngine On\nRewriteRule "^/away" "/other" [R=301]', request("GET", "/away"), 301),
    "RewriteRule F": ('RewriteEngine On\nRewriteRule "^/away" "-" [F]', request("GET", "/away"), 403),
    "RewriteRule G": ('RewriteEngine On\nRewriteRule "^/away" "-" [G]', request("GET", "/away"), 410),
    "DirectorySlash": ("", request("GET", "/folder"), 301),
    "AllowMethods": ('<Location "/">\nAllowMethods GET\n</Location>', request("PUT", "/index.html", [], b"x"), 405),
    "Expect": ("", request("GET", "/index.html", ["Expect: the-unexpected"]), 417),
    "TraceEnable": ("TraceEnable Off", request("TRACE", "/index.html"), 405),
}


@pytest.mark.parametrize("what", BEFORE_A_HANDLER)
def test_what_httpd_answers_before_a_handler(httpd, mirror, what):
    lines, sent, status = BEFORE_A_HANDLER[what]
    h = httpd(f"{to(mirror)}\n{lines}", modules=["dir", "allowmethods"], expect=["AH01623", "AH01630", "AH00670"])
    h.folder("htdocs/folder")
    assert h.exchange(sent).status == status
    h.wait_idle()
    assert h.mirror()["seen"] == 0
    assert mirror.connections == 0


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_method_that_no_handler_has(httpd, mirror, method):
    """405 by a handler, whose body httpd reads itself."""
    h = httpd(to(mirror))
    assert h.request(method, "/index.html", [], b"body").status == 405
    assert_copy(mirror.one(), f"{method} /index.html", "Content-Length: 4", body=b"body")
    assert h.ended(1) == {"mirrored": 1}


@pytest.mark.parametrize("status, outcome", [
    *((status, "incomplete") for status in (400, 408, 411, 413, 414, 500, 501, 503)),
    *((status, "mirrored") for status in (404, 405, 410, 502))])
def test_handler_that_fails_without_reading_the_body(httpd, mirror, status, outcome):
    """After some statuses httpd does not read the rest of the request, but closes the connection."""
    h = httpd(lambda h: f'''{to(mirror)}
        <Location "/lua">
            SetHandler lua-script
        </Location>
        Alias /lua "{h.root}/htdocs/fail.lua"''', modules=["lua"])
    h.write("htdocs/fail.lua", f"function handle(r)\n return {status}\nend\n")
    assert h.request("POST", "/lua", [], b"body").status == status
    assert h.get("/lua").status == status
    assert h.ended(2) == ({"mirrored": 2} if outcome == "mirrored" else {"mirrored": 1, outcome: 1})


@pytest.mark.parametrize("size, outcome", [(10, "mirrored"), (100000, "incomplete")])
def test_input_filter_that_fails(httpd, origin, mirror, size, outcome):
    """mod_deflate, on what gzip has not made: it reads no further, and neither does httpd. A body that had come as a whole is
    in the copy, as the client has sent it."""
    h = httpd(location("/o/", origin, "SetInputFilter DEFLATE", to(mirror)), modules=["deflate"],
              expect=[PROXY_FAILED, r"\[deflate:(error|warn)\]"])
    assert h.request("POST", "/o/a", ["Content-Encoding: gzip"], b"x" * size).status >= 400
    assert h.ended(1) == {outcome: 1}
    assert origin.connections == 0
    assert [copy.body for copy in mirror.requests] == ([b"x" * size] if outcome == "mirrored" else [])


@pytest.mark.parametrize("in_chunks", [False, True])
def test_limit_of_httpd_for_bodies(httpd, mirror, in_chunks):
    """413 is said when the handler reads the body. httpd does not say it of proxied requests."""
    h = httpd(f"{to(mirror)}\nLimitRequestBody 10", expect=["AH01588", "AH01587"])
    for size in (11, 100000):
        body = b"x" * size
        if in_chunks:
            head = request("GET", "/index.html", ["Transfer-Encoding: chunked"])
            got = h.exchange(head + chunked(body[:9], body[9:]))
        else:
            got = h.request("GET", "/index.html", [], body)
        assert got.status == 413
    assert h.ended(2) == {"incomplete": 2}
    assert mirror.connections == 0
    assert h.request("GET", "/index.html", [], b"x" * 10).status == 200
    assert mirror.one().body == b"x" * 10


@pytest.mark.parametrize("status", ["404 Not Found", "500 Oops", "302 Found", "204 No Content", "304 Not Modified"])
def test_answers_of_the_origin_do_not_matter(httpd, origin, mirror, status):
    origin.answer = lambda sock, _: sock.sendall(f"HTTP/1.1 {status}\r\nConnection: close\r\n\r\n".encode())
    h = httpd(location("/o/", origin, to(mirror)))
    assert h.request("POST", "/o/a", [], b"x").status == int(status[:3])
    assert_copy(mirror.one(), "POST /o/a", "Content-Length: 1", body=b"x")
    assert h.ended(1) == {"mirrored": 1}


@pytest.mark.parametrize("size", [None, 0, 5, 10000])
def test_origin_that_is_down(httpd, recorder, mirror, size):
    h = httpd(location("/o/", recorder(listen=False), to(mirror)), expect=[r"\[proxy\w*:error\]"])
    body = None if size is None else b"x" * size
    for n in range(2):
        assert h.request("POST", f"/o/{n}", [], body).status == 503
    assert h.ended(2) == {"mirrored": 2}
    assert [copy.body for copy in mirror.requests] == [body or b""] * 2


def test_origin_that_is_down_and_a_long_body(httpd, recorder, mirror):
    """mod_proxy does not read it all before it connects, and 503 ends the connection: nobody has the whole body."""
    h = httpd(location("/o/", recorder(listen=False), to(mirror)), expect=[r"\[proxy\w*:error\]"])
    with contextlib.suppress(EOFError, OSError):
        h.request("POST", "/o/a", [], b"x" * 500000)
    assert h.ended(1) in ({"incomplete": 1}, {"mirrored": 1})
    assert [len(copy.body) for copy in mirror.requests] in ([], [500000])


def test_origin_that_resets(httpd, origin, mirror):
    origin.takeover = lambda sock: sock.recv(1 << 20) and reset(sock)
    h = httpd(location("/o/", origin, to(mirror)), expect=[r"\[proxy\w*:error\]"])
    assert h.get("/o/a").status == 502
    assert_copy(mirror.one(), "GET /o/a")
    assert h.ended(1) == {"mirrored": 1}


def test_connect(httpd, origin, mirror):
    h = httpd(f"ProxyRequests On\nAllowCONNECT {origin.port}\n{to(mirror)}", modules=["proxy_connect"])
    with h.client() as client:
        client.send(f"CONNECT 127.0.0.1:{origin.port} HTTP/1.1\r\nHost: 127.0.0.1:{origin.port}\r\n\r\n".encode())
        assert client.answer("CONNECT").status == 200
        client.send(request("GET", "/inside"))
        assert client.answer().body == b"ok\n"
    assert origin.one().target == "/inside"
    h.wait_idle()
    assert mirror.connections == 0


def test_trace(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror)))
    assert h.request("TRACE", "/o/a").status in (200, 405)
    h.wait_idle()
    assert mirror.connections == 0


def test_options_of_the_server(httpd, mirror):
    h = httpd(to(mirror))
    assert h.request("OPTIONS", "*").status == 200
    h.wait_idle()
    assert [copy.start for copy in mirror.requests] in ([], ["OPTIONS * HTTP/1.1"])


def echo_websocket(sock, message):
    """Switch protocols, and send back what comes."""
    if not message.header("Upgrade"):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        return True
    sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    while data := sock.recv(100):
        sock.sendall(data)
    return False


def test_websocket(httpd, origin, mirror):
    origin.answer = echo_websocket
    h = httpd(location("/o/", origin, to(mirror), conf="upgrade=websocket"))
    with h.client() as client:
        client.send(b"GET /o/a HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        assert read_answer(client.stream).status == 101
        client.send(b"ping")
        assert client.stream.exactly(4) == b"ping"
    assert h.ended(1) == {"upgrade": 1}
    assert mirror.connections == 0


# ---- the primary never notices ----

EXCHANGES = [
    request("GET", "/o/a?b", ["X-A: 1"]),
    request("GET", "/o/a", close=False) + request("GET", "/o/b"),
    request("HEAD", "/o/a"),
    request("POST", "/o/a", ["X-Proxy-Mirror: me"], b"x" * 100000),
    request("POST", "/o/a", ["Expect: 100-continue"], b"abc"),
    request("PUT", "/o/a", ["Transfer-Encoding: chunked", "Trailer: X-T"]) + b"3;a\r\nabc\r\n0\r\nX-T: 1\r\n\r\n",
    request("POST", "/o/a", ["Content-Length: 3", "Transfer-Encoding: chunked"]) + chunked(b"12345"),
    request("POST", "/o/large", [], b"x" * 5000),
    request("GET", "/index.html", [], b"body"),
    request("GET", "/none"),
    request("GET", "/o/closed/a"),
    request("DELETE", "/o/a"),
    request("OPTIONS", "*"),
    request("TRACE", "/o/a", ["X-A: 1"]),
    request("GET", "/o/a", [f"X-{n}: {n}" for n in range(110)]),
    b"GET /o/a HTTP/1.0\r\n\r\n",
    b"GET http://t/o/a HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n",
    b"GET /o/a HTTP/1.1\r\nHost: t\r\nConnection: close\r\nX-A: 1\r\n 2\r\n\r\n",
    b"GET /o/a HTTP/1.1\r\nHost: t\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nTE: trailers\r\n\r\n",
    b"POST /o/a HTTP/1.1\r\nHost: t\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /o/a HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy",
    b"not http\r\n\r\n",
]
MOVES = re.compile(rb"(?<=\r\n)(?:Date|Last-Modified|ETag): [^\r]*\r\n")


def read_all(port: int, sent: bytes) -> bytes:
    with Client(port, 20) as client:
        client.send(sent)
        return MOVES.sub(b"", client.stream.rest())


@pytest.mark.smoke
def test_primary_is_the_same_with_and_without(httpd, recorder, mirror):
    """The bytes that the client and the origin get."""
    seen = []
    for lines in ((to(mirror, "max_body=4K", "one"), to(mirror, "when=request", "two")), ()):
        origin = recorder()
        h = httpd("\n".join([location("/o/", origin), '<Location "/o/closed/">\nRequire all denied\n</Location>',
                             *lines]), module=MODULE if lines else None, children=4,
                  expect=[PROXY_FAILED, "AH01630", "AH00128"])
        answers = [read_all(h.port, sent) for sent in EXCHANGES]
        host = f"127.0.0.1:{origin.port}".encode()
        seen.append((answers, [r.raw.replace(host, b"origin") for r in origin.requests]))
    for sent, mirrored, plain in zip(EXCHANGES, seen[0][0], seen[1][0]):
        assert mirrored == plain, sent[:200]
    assert seen[0][1] == seen[1][1]
