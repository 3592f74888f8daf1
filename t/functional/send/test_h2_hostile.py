"""Mirrors that break the rules of HTTP/2, or flood: each ends as the manual says, within bounds, and the next copy and other
mirrors go on."""
from __future__ import annotations

import os
import socket
import struct
import threading
from typing import Iterator

import pytest

from frames import literal
from http2lab import (ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, OF_A_SANITIZER, PING, PREFACE, PUSH_PROMISE,
                      RST_STREAM, SETTINGS, WINDOW_UPDATE, Http2Recorder, frame, memory, respond)
from httpdlab import location, scaled, to, wait_for
from marks import needs_http2

pytestmark = needs_http2
OK = frame(SETTINGS)
STATUS = b"\x88"        # :status 200 (RFC 7541 A)
RESET = frame(RST_STREAM, 0, 1, struct.pack(">I", 8))
REPLY = frame(HEADERS, END_HEADERS, 1, STATUS) + frame(DATA, END_STREAM, 1, b"ok\n")


@pytest.fixture
def other(recorder):
    return recorder()


@pytest.fixture
def two(httpd, origin, other):
    """An httpd with a hostile mirror m, and another one."""
    def make(mirror, attributes="", **options):
        return httpd(location("/o/", origin, to(mirror, f"retry=0 timeout={scaled(2)}s {attributes}"), to(other, "", "n")),
                     children=1, **options)
    return make


def until_closed(sock: socket.socket) -> None:
    """Read what comes, until the other side has closed."""
    try:
        while sock.recv(65536):
            pass
    except OSError:
        pass


class Frames:
    """Kind and stream of each frame, behind the preface, until the other side has closed."""

    def __init__(self, sock: socket.socket) -> None:
        self.file = sock.makefile("rb")

    def __iter__(self) -> Iterator[tuple[int, int]]:
        try:
            assert self.file.read(len(PREFACE)) == PREFACE
            while len(head := self.file.read(9)) == 9:
                self.file.read(int.from_bytes(head[:3], "big"))
                yield head[3], int.from_bytes(head[5:], "big") & 0x7fffffff
        except OSError:
            pass


def read_request(sock: socket.socket) -> None:
    """The preface, and frames until a HEADERS frame has come."""
    data = b""
    while len(data) < len(PREFACE):
        more = sock.recv(65536)
        if not more:
            raise EOFError
        data += more
    assert data.startswith(PREFACE), data
    data = data[len(PREFACE):]
    while True:
        while len(data) < 9 or len(data) < 9 + int.from_bytes(data[:3], "big"):
            more = sock.recv(65536)
            if not more:
                raise EOFError
            data += more
        kind = data[3]
        data = data[9 + int.from_bytes(data[:3], "big"):]
        if kind == HEADERS:
            return


def after_request(*parts: bytes, close: bool = False):
    """Wait for the request, then send these bytes."""
    def raw(sock: socket.socket) -> None:
        read_request(sock)
        for part in parts:
            sock.sendall(part)
        if not close:
            until_closed(sock)
    return raw


def endless(piece: bytes):
    """Wait for the request, then send the same bytes until the other side has closed."""
    def raw(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(OK)
        try:
            while True:
                sock.sendall(piece)
        except OSError:
            pass
    return raw


def cpu(h) -> float:
    """Seconds of processor time of the one child."""
    total = 0
    for pid in h.pids():
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


DOWN = r"PM0\d+: mirror m is (down|up)"


def assert_ends(h, mirror, other, outcomes=("broken",)) -> None:
    """A copy ends so, and leaves no connection; the other mirror got its copy, and gets the next."""
    h.expected.append(DOWN)
    before = cpu(h)
    assert h.get("/o/a").status == 200
    assert set(h.ended(1)) <= set(outcomes)
    wait_for("no connection", lambda: h.mirror()["state"]["connections"] == 0)
    assert h.ended(1, "n") == {"mirrored": 1}
    assert h.get("/o/b").status == 200
    assert h.ended(2, "n") == {"mirrored": 2}
    h.ended(2)
    assert cpu(h) - before < scaled(1)


WRONG = {
    "garbage": [OK, os.urandom(4096) + b"\xff" * 64],
    "no settings first": [frame(PING, 0, 0, b"12345678")],
    "HTTP/1.1": [b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"],
    "data on stream 0": [OK, frame(DATA, 0, 0, b"x")],
    "headers on stream 0": [OK, frame(HEADERS, END_HEADERS, 0, STATUS)],
    "push": [OK, frame(PUSH_PROMISE, END_HEADERS, 1, struct.pack(">I", 2) + STATUS)],
    "a stream of its own": [OK, frame(HEADERS, END_HEADERS, 2, STATUS)],
    "window overflow": [OK, frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 0x7fffffff)) * 2],
    "window of 0": [OK, frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 0))],
    "huge frame": [OK, b"\xff\xff\xff" + struct.pack(">BBI", DATA, 0, 1) + b"x" * 100000],
    "padding": [OK, frame(HEADERS, END_HEADERS, 1, STATUS), frame(DATA, 0x8, 1, b"\xff" + b"x" * 10)],
    "continuation without headers": [OK, frame(CONTINUATION, END_HEADERS, 1, STATUS)],
    "data before headers": [OK, frame(DATA, END_STREAM, 1, b"x")],
    "settings of 5 bytes": [frame(SETTINGS, 0, 0, b"12345")],
    "too many settings": [frame(SETTINGS, 0, 0, b"\0\3\0\0\0\1" * 2000)],
    "bad hpack": [OK, frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\xff\xff")],
    "continuation flood": [OK, frame(HEADERS, 0, 1, STATUS), *[frame(CONTINUATION, 0, 1, literal("a", "b") * 2000)] * 30],
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_frames(two, http2, other, what):
    mirror = http2(raw=after_request(*WRONG[what]))
    assert_ends(two(mirror), mirror, other)


@pytest.mark.parametrize("what", WRONG)
def test_wrong_frames_at_once(two, http2, other, what):
    """Before the request is read, and with a close."""
    def raw(sock: socket.socket) -> None:
        for part in WRONG[what]:
            sock.sendall(part)
        sock.shutdown(socket.SHUT_WR)
        until_closed(sock)
    mirror = http2(raw=raw)
    assert_ends(two(mirror), mirror, other, ("broken", "mirrored"))


FLOODS = {
    "ping": frame(PING, 0, 0, b"12345678") * 1000,
    "ping acknowledged": frame(PING, ACK, 0, b"12345678") * 1000,
    "settings": OK * 1000,
    "empty data": (frame(HEADERS, END_HEADERS, 1, STATUS), frame(DATA, 0, 1) * 1000),
    "window updates": frame(WINDOW_UPDATE, 0, 1, struct.pack(">I", 1)) * 1000,
    "unknown": frame(0x55, 0, 0, b"x") * 1000,
    "priority": frame(2, 0, 1, b"\0\0\0\0\x10") * 1000,
    "resets of a closed stream": (frame(HEADERS, END_HEADERS, 1, STATUS), RESET * 1000),
    "resets of an idle stream": frame(RST_STREAM, 0, 0x7fffffff, struct.pack(">I", 8)) * 1000,
    "resets of a stream of its own": frame(RST_STREAM, 0, 2, struct.pack(">I", 8)) * 1000,
    "resets of the connection": frame(RST_STREAM, 0, 0, struct.pack(">I", 8)) * 1000,
    "resets of 3 bytes": frame(RST_STREAM, 0, 1, b"\0\0\x08") * 1000,
    "data of a closed stream": (RESET, frame(DATA, 0, 1, b"x") * 1000),
    "headers of a closed stream": (RESET, frame(HEADERS, END_HEADERS, 1, STATUS) * 1000),
    "trailers": (frame(HEADERS, END_HEADERS, 1, STATUS), frame(HEADERS, END_HEADERS, 1, literal("a", "b")) * 1000),
    "windows of streams": b"".join(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, size)) for size in (0, 0x7fffffff)) * 500,
    "streams": b"".join(frame(SETTINGS, 0, 0, struct.pack(">HI", 3, most)) for most in (0, 1000)) * 500,
}


@pytest.mark.long
@pytest.mark.parametrize("what", FLOODS)
def test_floods(two, http2, other, what):
    piece = FLOODS[what]
    first, piece = piece if isinstance(piece, tuple) else (b"", piece)

    def raw(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(OK + first)
        reader = threading.Thread(target=until_closed, args=(sock,), daemon=True)
        reader.start()
        try:
            while reader.is_alive():
                sock.sendall(piece)
        except OSError:
            pass
    mirror = http2(raw=raw)
    assert_ends(two(mirror), mirror, other)


@pytest.mark.parametrize("what", ["ping", "settings"])
def test_floods_whose_replies_are_not_read(two, http2, other, what):
    mirror = http2(raw=endless(FLOODS[what]))
    h = two(mirror)
    before = memory(h)
    assert_ends(h, mirror, other, ("broken", "timed_out"))
    assert memory(h) - before < (8 << 20) + OF_A_SANITIZER


def test_many_headers(two, http2, other):
    """Their stream is reset, and the connection goes on."""
    def many(peer, request):
        fields = [(f"x-{n}", "v" * 100) for n in range(300)]
        peer.send(request.stream, [(":status", "200"), *(fields if request.path == "/o/a" else [])], b"ok\n", end=True)
    mirror = http2(many)
    h = two(mirror)
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"broken": 1}
    assert h.get("/o/b").status == 200
    assert h.ended(2) == {"broken": 1, "mirrored": 1}
    assert mirror.connections == 1


def test_megabyte_of_headers(two, http2, other):
    def huge(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(OK + frame(HEADERS, 0, 1, STATUS))
        for n in range(64):
            sock.sendall(frame(CONTINUATION, 0, 1, literal(f"y-{n}", "v" * 100) * 150))
        until_closed(sock)
    mirror = http2(raw=huge)
    h = two(mirror)
    before = memory(h)
    assert_ends(h, mirror, other)
    assert memory(h) - before < (4 << 20) + OF_A_SANITIZER


def test_endless_interim_responses(two, http2, other):
    def interim(peer, request):
        for _ in range(17 if request.path == "/o/a" else 16):
            peer.raw(frame(HEADERS, END_HEADERS, request.stream, b"\x08\x03103"))
        respond()(peer, request)
    mirror = http2(interim)
    h = two(mirror)
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"broken": 1}
    assert h.get("/o/b").status == 200
    assert h.ended(2) == {"broken": 1, "mirrored": 1}
    assert h.mirror()["responses"]["1xx"] == 16


@pytest.mark.parametrize("when", ["at once", "after settings", "after the request", "in the response", "twice"])
@pytest.mark.parametrize("last", [0, 1, 0x7fffffff])
def test_goaway(two, http2, other, when, last):
    """In each state; the copy arrives in the end if another connection behaves."""
    goaway = frame(GOAWAY, 0, 0, struct.pack(">II", last, 0))
    bad = []

    def raw(sock: socket.socket) -> None:
        if bad:
            Http2Recorder._serve_h2(mirror, sock)
            return
        bad.append(sock)
        mirror.raw = None
        if when == "at once":
            sock.sendall(goaway)
        elif when == "after settings":
            sock.sendall(OK + goaway)
        else:
            read_request(sock)
            sock.sendall(OK + (frame(HEADERS, END_HEADERS, 1, STATUS) if when == "in the response" else b"")
                         + goaway * (2 if when == "twice" else 1))
        if last and when != "at once":
            sock.sendall(frame(DATA, END_STREAM, 1, b"ok\n") if when == "in the response" else REPLY)
        until_closed(sock)
    mirror = http2(raw=raw)
    h = two(mirror)
    h.expected.append(DOWN)
    assert h.request("POST", "/o/a", [], b"body").status == 200
    expected = {"broken": 1} if when == "at once" or (when == "in the response" and last == 0) else {"mirrored": 1}
    assert h.ended(1) == expected
    assert h.request("POST", "/o/b", [], b"body").status == 200
    assert h.ended(2)["mirrored"] == 1 + expected.get("mirrored", 0)
    assert mirror.times()["/o/a"] <= 1
    assert other.wait(2)


def test_reset_of_each_stream(two, http2, other):
    mirror = http2(lambda peer, request: peer.reset(request.stream, 8))
    h = two(mirror)
    assert h.get_many(f"/o/{n}" for n in range(50)) == [200] * 50
    assert h.ended(50) == {"broken": 50}
    assert max(mirror.times().values()) == 1
    assert mirror.connections == 1


@pytest.mark.parametrize("code", [0, 2, 7, 8, 11, 13, 0xffffffff])
@pytest.mark.parametrize("first", [b"", STATUS])
def test_rapid_resets(two, http2, other, code, first):
    """Each stream is reset at once, as the client of a rapid reset does, some before their bodies have come: each copy is
    sent at most twice, and costs no more connections."""
    def at_once(sock: socket.socket) -> None:
        frames = Frames(sock)
        sock.sendall(frame(SETTINGS, 0, 0, struct.pack(">HI", 3, 1000)))
        for kind, stream in frames:
            if kind == HEADERS:
                opened.append(stream)
                head = frame(HEADERS, END_HEADERS, stream, first) if first else b""
                sock.sendall(head + frame(RST_STREAM, 0, stream, struct.pack(">I", code)) * 3)
    opened: list[int] = []
    mirror = http2(raw=at_once)
    h = two(mirror, "max_connections=2")
    h.expected.append(DOWN)
    before = memory(h), cpu(h)
    for _ in range(4):
        assert h.get_many(f"/o/{n}" for n in range(50)) == [200] * 50
    assert h.request("POST", "/o/b", [], bytes(100000)).status == 200
    assert set(h.ended(201)) <= {"broken", "unreachable"}
    assert len(opened) <= 402
    assert h.ended(201, "n") == {"mirrored": 201}
    assert memory(h) - before[0] < (8 << 20) + OF_A_SANITIZER and cpu(h) - before[1] < scaled(2)


def test_slow_bytes(two, http2, other):
    """One byte at a time, of a valid connection."""
    def raw(sock: socket.socket) -> None:
        read_request(sock)
        for byte in OK + REPLY:
            sock.sendall(bytes([byte]))
        until_closed(sock)
    mirror = http2(raw=raw)
    h = two(mirror)
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1}
