"""Mirrors of HTTP/2 that are nearly right: heads, padding, SETTINGS, compression and ends that a client must bound or bear."""
from __future__ import annotations

import socket
import struct
import threading

import pytest

from frames import literal
from http2lab import (CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, OF_A_SANITIZER, SETTINGS, Http2Recorder, frame,
                      memory, respond)
from httpdlab import location, scaled, to, wait_for
from marks import needs_http2

pytestmark = needs_http2
STATUS = b"\x88"        # :status 200 (RFC 7541 A)
DOWN = r"PM0\d+: mirror m is (down|up)"


@pytest.fixture
def two(httpd, origin, recorder):
    """An httpd with a mirror m, and another one; and that one."""
    other = recorder()

    def make(mirror, attributes="", timeout=2, **options):
        return httpd(location("/o/", origin, to(mirror, f"retry=0 timeout={scaled(timeout)}s {attributes}"), to(other, "", "n")),
                     children=1, **options)
    return make


def block(*fields: tuple[str, str]) -> bytes:
    return b"".join(literal(name, value) for name, value in fields)


HEADS = {
    "no status": block(("a", "b")),
    "two statuses": STATUS * 2,
    "no digits": block((":status", "2x0")),
    "negative": block((":status", "-20")),
    "four digits": block((":status", "2000")),
    "empty": block((":status", "")),
    "99": block((":status", "099")),
    "101": block((":status", "101")),
    "600": block((":status", "600")),
    "status after a field": block(("a", "b")) + STATUS,
    "a request": block((":method", "GET"), (":path", "/")),
    "unknown pseudo field": STATUS + block((":x", "y")),
    "upper case": STATUS + block(("X-A", "b")),
    "connection": STATUS + block(("connection", "close")),
    "transfer-encoding": STATUS + block(("transfer-encoding", "chunked")),
    "two lengths": STATUS + block(("content-length", "3"), ("content-length", "4")),
    "negative length": STATUS + block(("content-length", "-3")),
    "longer than its length": STATUS + block(("content-length", "2")),
    "shorter than its length": STATUS + block(("content-length", "4")),
    "empty name": STATUS + block(("", "b")),
    "line end in a value": STATUS + block(("a", "b\r\nc: d")),
}


@pytest.mark.parametrize("what", HEADS)
def test_heads(two, http2, what):
    """A bad head ends its stream at most; no such status is counted."""
    def bad(peer, request):
        if request.path != "/o/a":
            respond()(peer, request)
            return
        peer.raw(frame(HEADERS, END_HEADERS, request.stream, HEADS[what]) + frame(DATA, END_STREAM, request.stream, b"ok\n"))
    h = two(http2(bad))
    h.expected.append(DOWN)
    assert h.get("/o/a").status == 200
    outcomes = h.ended(1)
    assert outcomes == {"broken": 1}, outcomes
    assert h.get("/o/b").status == 200
    assert h.ended(2) == {"broken": 1, "mirrored": 1}
    assert h.mirror()["responses"]["2xx"] == 1
    assert h.ended(2, "n") == {"mirrored": 2}


@pytest.mark.parametrize("where", ["data", "headers"])
def test_padding(two, http2, where):
    """Frames of one byte and 255 bytes of padding are a response, whose windows are as long."""
    def padded(peer, request):
        head = STATUS if where == "data" else b"\xff" + STATUS + bytes(255)
        peer.raw(frame(HEADERS, END_HEADERS | (0 if where == "data" else 0x8), request.stream, head))
        for _ in range(2000):
            peer.raw(frame(DATA, 0x8, request.stream, b"\xff" + b"x" + bytes(255)))
        peer.raw(frame(DATA, END_STREAM | 0x8, request.stream, b"\xff" + bytes(255)))
    h = two(http2(padded), timeout=20)
    for n in range(2):
        assert h.get(f"/o/{n}").status == 200
    assert h.ended(2) == {"mirrored": 2}
    assert h.mirror()["state"]["connections"] == 1


@pytest.mark.parametrize("name, values", [("table", (0, 0xffffffff)), ("frame", (16384, 16777215)), ("list", (0, 1))])
def test_settings_at_their_bounds(two, http2, name, values):
    """SETTINGS_HEADER_TABLE_SIZE, MAX_FRAME_SIZE and MAX_HEADER_LIST_SIZE: copies arrive, and memory does not grow."""
    number = {"table": 1, "frame": 5, "list": 6}[name]
    for value in values:
        def serve(peer, request, value=value):
            peer.raw(frame(SETTINGS, 0, 0, struct.pack(">HI", number, value)))
            respond()(peer, request)
        mirror = http2(serve)
        h = two(mirror, "max_body=10M")
        assert h.get("/o/first").status == 200
        assert h.ended(1) == {"mirrored": 1}
        before = memory(h)
        for n in range(20):
            assert h.request("POST", f"/o/{n}", [f"X-{n}: {'v' * 4000}"], bytes(100000)).status == 200
        assert h.ended(21) == {"mirrored": 21}
        assert all(len(request.body) == 100000 for request in mirror.requests[1:])
        assert memory(h) - before < (8 << 20) + OF_A_SANITIZER


def test_compression_bomb(two, http2):
    """A field of 4,000 bytes, and 16,000 references to it: 64 MB as fields, in one frame."""
    def bomb(peer, request):
        field = b"\x40\x01a\x7f\xa1\x1e" + b"v" * 4000        # literal with indexing; 127 + 0x21 + 0x1e * 128
        peer.raw(frame(HEADERS, 0, request.stream, STATUS + field + b"\xbe" * 12000)
                 + frame(CONTINUATION, END_HEADERS, request.stream, b"\xbe" * 16000) + frame(DATA, END_STREAM, request.stream, b"ok\n"))
    h = two(http2(bomb))
    before = memory(h)
    assert h.get_many(f"/o/{n}" for n in range(20)) == [200] * 20
    assert h.ended(20) == {"broken": 20}
    assert memory(h) - before < (8 << 20) + OF_A_SANITIZER
    assert h.ended(20, "n") == {"mirrored": 20}


def test_end_of_an_interim_response(two, http2):
    def serve(peer, request):
        peer.raw(frame(HEADERS, END_HEADERS | END_STREAM, request.stream, block((":status", "103"))))
    h = two(http2(serve))
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"broken": 1}


def test_response_without_end(two, http2):
    """It advances all the time, and ends with the timeout."""
    def serve(peer, request):
        def drip() -> None:
            peer.send(request.stream, [(":status", "200")])
            try:
                while request.stream not in peer.resets:
                    peer.send(request.stream, None, b"x")
                    with peer.mirror.changed:
                        peer.mirror.changed.wait(0.01)
            except (OSError, AssertionError, Exception):     # pylint: disable=broad-except
                pass
        if request.path == "/o/endless":
            threading.Thread(target=drip, daemon=True).start()
        else:
            respond()(peer, request)
    mirror = http2(serve)
    h = two(mirror)
    assert h.get("/o/endless").status == 200
    assert h.ended(1) == {"timed_out": 1}
    assert h.get("/o/b").status == 200
    assert h.ended(2) == {"timed_out": 1, "mirrored": 1}
    assert mirror.connections == 1


@pytest.mark.parametrize("how", ["goaway", "goaway after a response", "close"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_each_connection_ends(two, http2, how, method):
    """No copy is sent more than twice, none needs more than two connections, and all end."""
    def raw(sock: socket.socket) -> None:
        Http2Recorder._serve_h2(mirror, sock)

    def serve(peer, request):
        if how == "goaway after a response" and request.stream == 1:
            respond()(peer, request)
            peer.goaway(1)
        elif how != "close":
            peer.raw(frame(GOAWAY, 0, 0, struct.pack(">II", 0, 0)))
        peer.sock.shutdown(socket.SHUT_RDWR)
    mirror = http2(serve)
    h = two(mirror, timeout=20)
    h.expected.append(DOWN)
    for n in range(100):
        assert h.request(method, f"/o/{n}", [], b"body" if method == "POST" else None).status == 200
    outcomes = h.ended(100)
    assert outcomes == {"mirrored" if how == "goaway after a response" else "broken": 100}, outcomes
    assert max(mirror.times().values()) <= 2
    assert mirror.connections <= 200
    wait_for("no connection", lambda: h.mirror()["state"]["connections"] == 0)
    assert h.ended(100, "n") == {"mirrored": 100}
