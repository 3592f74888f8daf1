"""HTTP/2 (mod_http2, without TLS), by curl and nghttp: copies are HTTP/1.1, one for each stream. mod_http2 does not run
under prefork."""
from __future__ import annotations

import os
import socket
import subprocess

import pytest

from frames import Frames
from httpdlab import location, scaled, to
from marks import needs_mod_http2

pytestmark = needs_mod_http2

# curl's and nghttp's own headers are none of our business
OF_A_COPY = {"Host", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Server", "X-Proxy-Mirror"}


@pytest.fixture
def h2(httpd, origin, mirror):
    def make(attributes="", **options):
        return httpd("Protocols h2c http/1.1\nH2Direct on\nH2Upgrade on\n"
                     + location("/o/", origin, to(mirror, attributes)), modules=["http2"], **options)
    return make


def run(*command: str, stdin: bytes = b"") -> bytes:
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=scaled(30), check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def curl(h, path: str, *arguments: str, stdin: bytes = b"") -> bytes:
    return run("curl", "-sS", "--max-time", str(scaled(20)), "--http2-prior-knowledge", *arguments,
               f"http://127.0.0.1:{h.port}{path}", stdin=stdin)


def assert_h2_copy(copy, start: str, body: bytes = b"") -> None:
    assert copy.start == f"{start} HTTP/1.1"
    assert copy.body == body
    names = [name for name, _ in copy.headers]
    for name in OF_A_COPY:
        assert [n.lower() for n in names].count(name.lower()) == 1, names
    for name in ("Transfer-Encoding", "Connection", "Upgrade", "HTTP2-Settings", "TE", "Expect"):
        assert not copy.header(name)
    assert not [name for name in names if name.startswith(":")]


@pytest.mark.smoke
def test_get(h2, origin, mirror):
    h = h2()
    assert curl(h, "/o/a?x=%2f", "-H", "X-A: 1") == b"ok\n"
    assert_h2_copy(mirror.one(), "GET /o/a?x=%2f")
    assert mirror.one().header("X-A") == ["1"]
    assert mirror.one().header("Host") == [f"127.0.0.1:{h.port}"]
    assert not mirror.one().header("Content-Length")
    assert len(origin.requests) == 1
    assert h.ended(1) == {"mirrored": 1}


@pytest.mark.parametrize("size", [0, 1, 70000, 1000000])
def test_body_with_a_length(h2, origin, mirror, size):
    h = h2()
    body = bytes(n % 251 for n in range(size))
    assert curl(h, "/o/a", "--data-binary", "@-", stdin=body) == b"ok\n"
    assert origin.one().body == body
    assert_h2_copy(mirror.one(), "POST /o/a", body)
    assert mirror.one().header("Content-Length") == [str(size)]
    assert h.ended(1) == {"mirrored": 1}


@pytest.mark.valgrind
@pytest.mark.smoke
@pytest.mark.parametrize("size", [1, 70000, 1000000])
def test_body_without_a_length(h2, origin, mirror, size):
    h = h2()
    body = bytes(n % 251 for n in range(size))
    assert curl(h, "/o/a", "-T", "-", stdin=body) == b"ok\n"
    assert origin.one().body == body
    assert_h2_copy(mirror.one(), "PUT /o/a", body)
    assert mirror.one().header("Content-Length") == [str(size)]
    assert h.ended(1) == {"mirrored": 1}


def test_body_that_is_too_long(h2, origin, mirror):
    h = h2("max_body=100000")
    assert curl(h, "/o/a", "-T", "-", stdin=b"x" * 100001) == b"ok\n"
    assert curl(h, "/o/b", "--data-binary", "@-", stdin=b"x" * 100001) == b"ok\n"
    assert h.ended(2) == {"too_large": 2}
    assert mirror.connections == 0


def test_head(h2, mirror):
    h = h2()
    curl(h, "/o/a", "-I")
    assert_h2_copy(mirror.one(), "HEAD /o/a")
    assert h.ended(1) == {"mirrored": 1}


def test_upgrade_to_http2(h2, mirror):
    """The first request of the connection is HTTP/1.1, with Upgrade: h2c."""
    h = h2()
    assert run("curl", "-sS", "--http2", f"http://127.0.0.1:{h.port}/o/a") == b"ok\n"
    assert_h2_copy(mirror.one(), "GET /o/a")
    assert h.ended(1) == {"mirrored": 1}


def test_many_streams(h2, origin, mirror):
    h = h2("max_queue=100000")
    run("nghttp", "-n", *(f"http://127.0.0.1:{h.port}/o/{n}" for n in range(50)))
    assert h.ended(50) == {"mirrored": 50}
    targets = [f"/o/{n}" for n in range(50)]
    assert sorted(copy.target for copy in mirror.requests) == sorted(targets)
    assert len(origin.requests) == 50


def test_many_connections_and_streams(h2, origin, mirror):
    h = h2("max_queue=100000", threads=25)
    out = run("h2load", "-n", "1000", "-c", "4", "-m", "20", f"http://127.0.0.1:{h.port}/o/a")
    assert b"1000 succeeded" in out and b"0 errored" in out
    assert h.ended(1000) == {"mirrored": 1000}
    assert len(mirror.requests) == len(origin.requests) == 1000


def test_many_streams_with_bodies(h2, origin, mirror, tmp_path):
    h = h2("max_queue=100000", threads=25)
    body = bytes(n % 253 for n in range(30000))
    (tmp_path / "body").write_bytes(body)
    run("h2load", "-n", "200", "-c", "2", "-m", "10", "-d", str(tmp_path / "body"), f"http://127.0.0.1:{h.port}/o/a")
    assert h.ended(200) == {"mirrored": 200}
    assert [copy.body == body for copy in mirror.requests] == [True] * 200


def test_stream_that_is_broken_off(h2, origin, mirror):
    """curl gives up in the middle of the body."""
    h = h2()
    h.expected += [r"\[(proxy|proxy_http|http2|core):(error|warn)\]"]
    gate = mirror.gate()
    process = subprocess.Popen(["curl", "-sS", "--http2-prior-knowledge", "-T", "-", f"http://127.0.0.1:{h.port}/o/a"],
                               stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with process:
        process.stdin.write(b"x" * 100000)
        process.stdin.flush()
        origin.wait_until("connection", lambda: origin.connections == 1)
        process.kill()
    assert h.ended(1) == {"incomplete": 1}
    assert mirror.connections == 0
    gate.set()


# ---- a stream whose end comes later than its HEADERS ----

@pytest.fixture
def late(httpd, origin, mirror):
    """An httpd with a file, a path that is not there, and a proxied one; all are mirrored."""
    return httpd(f"Protocols h2c http/1.1\nH2Direct on\n{to(mirror)}\n{location('/o/', origin)}", modules=["http2"],
                 expect=["AH00128"])


def send_late(h, method: str, path: str, after: float) -> None:
    """HEADERS, and after that time DATA without a byte, which ends the stream."""
    with Frames(h.port, scaled(20)) as client:
        stream = client.headers(method, path)
        client.read_for(after)
        client.data(stream)
        client.wait(stream)


@pytest.mark.smoke
@pytest.mark.parametrize("after", [0, 0.05])
@pytest.mark.parametrize("path", ["/index.html", "/none", "/o/a"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_end_of_a_stream_without_a_body(late, mirror, method, path, after):
    """mod_http2 says that there is a body; and no handler reads to the end, but for a proxy's."""
    send_late(late, method, path, after)
    assert late.ended(1) == {"mirrored": 1}
    assert_h2_copy(mirror.one(), f"{method} {path}")


@pytest.mark.parametrize("after", [0, 0.05])
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_end_of_a_stream_that_is_read(late, mirror, method, after):
    send_late(late, method, "/o/a", after)
    assert late.ended(1) == {"mirrored": 1}
    assert_h2_copy(mirror.one(), f"{method} /o/a")
    assert mirror.one().header("Content-Length") in ([], ["0"])       # []: mod_http2 knew of the end when it began


@pytest.mark.parametrize("after", [0, 0.05])
@pytest.mark.parametrize("path", ["/index.html", "/none"])
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_end_of_a_stream_that_is_not_read(late, mirror, method, path, after):
    """It may have had a body, unless the end has come when the response ends."""
    send_late(late, method, path, after)
    assert late.ended(1) in ({"incomplete": 1}, {"mirrored": 1})
    for copy in mirror.requests:
        assert_h2_copy(copy, f"{method} {path}")


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_body_that_comes_after_the_response(late, mirror, method):
    """The outcome is known once mod_http2 logs the request. If it ends after its stream, mod_http2 does that when the
    connection is used again or ends: c1c2_stream_joined() of h2_mplx.c does not wake it. So the connection ends first."""
    with Frames(late.port, scaled(20)) as client:
        stream = client.headers(method, "/index.html")
        client.wait(stream)
        client.data(stream, b"body")
    assert late.ended(1) == {"incomplete": 1}
    assert mirror.connections == 0


def test_end_of_a_stream_with_a_body_that_is_read(late, origin, mirror):
    """A GET with a body has it in its copy, if a handler reads it."""
    with Frames(late.port, scaled(20)) as client:
        stream = client.headers("GET", "/o/a")
        client.read_for(0.05)
        client.data(stream, b"body", end=False)
        client.read_for(0.05)
        client.data(stream)
        client.wait(stream)
    assert late.ended(1) == {"mirrored": 1}
    assert origin.one().body == b"body"
    assert_h2_copy(mirror.one(), "GET /o/a", b"body")


def send_together(client, method: str, path: str, data: bytes, end: bool, *fields: tuple[str, str]) -> int:
    """HEADERS and DATA in one packet, so that httpd has both when its handler begins."""
    client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    stream = client.headers(method, path, *fields)
    client.data(stream, data, end=end)
    client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
    return stream


@pytest.mark.parametrize("path", ["/index.html", "/none"])
@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
def test_body_that_no_handler_reads(late, mirror, method, path):
    """A copy without it would look complete."""
    with Frames(late.port, scaled(20)) as client:
        client.wait(send_together(client, method, path, b"body", True))
    assert late.ended(1) == {"mirrored": 1}
    assert_h2_copy(mirror.one(), f"{method} {path}", b"body")


@pytest.mark.parametrize("end", ["later", "never"])
@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
def test_part_of_a_body_that_no_handler_reads(late, mirror, method, end):
    late.expected += [r"\[(http2|core):(error|warn)\]"]
    with Frames(late.port, scaled(20)) as client:
        stream = send_together(client, method, "/index.html", b"body", False)
        client.wait(stream)
        if end == "later":
            client.data(stream, b"more")
        else:
            client.cancel(stream)
    assert late.ended(1) == {"incomplete": 1}
    assert mirror.connections == 0


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("fields", [(), (("content-length", "20"),)], ids=["no length", "length"])
@pytest.mark.parametrize("path, size", [("/big", 60000), ("/none", None), ("/redirected/none", 60000), ("/folder/", 60000)])
def test_body_over_the_limit_that_no_handler_reads(httpd, mirror, path, size, fields, method):
    """The client has the response that it has without the module, whole."""
    def responses(conf: str) -> tuple:
        def configure(h) -> str:
            h.write("htdocs/big", "x" * 60000)
            os.makedirs(h.path("htdocs/folder"), exist_ok=True)
            h.write("htdocs/folder/big", "x" * 60000)
            return ("Protocols h2c http/1.1\nH2Direct on\nLimitRequestBody 10\nDirectoryIndex big\n"
                    f'<Location "/redirected">\nErrorDocument 404 /big\n</Location>\n{conf}')
        h = httpd(configure, modules=["http2", "dir"], expect=[r"\[(http2|core|http):(error|warn|info)\]", "AH01588|AH01587"])
        with Frames(h.port, scaled(20)) as client:
            stream = send_together(client, method, path, b"b" * 20, True, *fields)
            client.wait(stream)
            return h, stream in client.reset, client.received.get(stream, b"")
    _, *without = responses("")
    h, *response = responses(to(mirror))
    assert response == without
    if method == "GET":
        assert not response[0] and (size is None or response[1] == b"x" * size)
        assert h.ended(1) == {"incomplete": 1}
        assert mirror.connections == 0


def reset(client, stream: int) -> None:
    """Returns when mod_http2 has aborted the stream. It ends the body first, so that origin and response could be quicker
    than the thread of the connection; that thread takes the next stream only then."""
    client.cancel(stream)
    client.wait(client.headers("GET", "/index.html", end=True))


def test_stream_that_is_reset_while_it_is_read(late, origin, mirror):
    """A body of which something was read, and that breaks off, is none that is complete."""
    late.expected += [r"\[(proxy|proxy_http|http2|core):(error|warn)\]"]
    gate = origin.hold()
    with Frames(late.port, scaled(20)) as client:
        stream = client.headers("GET", "/o/a")
        for _ in range(4):
            client.data(stream, b"x" * 10000, end=False)
        origin.wait_until("connection", lambda: origin.connections == 1)    # so much does mod_proxy read before
        reset(client, stream)
        gate.set()
    assert late.ended(2) == {"incomplete": 1, "mirrored": 1}
    assert [copy.start.split()[1] for copy in mirror.requests] == ["/index.html"]


@pytest.mark.parametrize("fields", [(), (("content-length", "4"),)], ids=["no length", "length"])
def test_stream_that_is_reset_before_the_response(late, origin, mirror, fields):
    """Its body was complete."""
    late.expected += [r"\[(proxy|proxy_http|http2|core):(error|warn)\]"]
    gate = origin.hold()
    with Frames(late.port, scaled(20)) as client:
        stream = send_together(client, "PUT", "/o/a", b"body", True, *fields)
        origin.wait(1)
        reset(client, stream)
        gate.set()
    assert late.ended(2) == {"mirrored": 2}
    assert sorted(copy.start.split()[0] for copy in mirror.requests) == ["GET", "PUT"]


@pytest.mark.long
@pytest.mark.parametrize("path", ["/index.html", "/o/a"])
def test_proxy_that_speaks_http2_in_front(httpd, late, mirror, path):
    """mod_proxy_http2 sends HEADERS, and the end of the stream when it has looked for a body."""
    front = httpd(f'ProxyPass "/" "h2c://127.0.0.1:{late.port}/"', modules=["proxy_http2"])
    assert front.get_many([path] * 1000) == [200] * 1000
    assert late.ended(1000) == {"mirrored": 1000}
    assert len(mirror.wait(1000)) == 1000
