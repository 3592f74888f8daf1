"""Mirrors that misbehave: each copy ends as the contract says, the next one is intact, the client notices nothing."""
from __future__ import annotations

import os
import ssl
import time

import pytest

from copies import assert_next_is_intact
from httpdlab import scaled, wait_for
from recorder import Recorder, answer, bytes_answer, ok, read_slowly
from tlslab import end_tls
from wire import reset

DOWN = r"PM\d+: mirror m is down"
SHORT = f"timeout={int(scaled(500))}ms"


def one_then_well(mirror: Recorder, fault) -> None:
    """Misbehave for the target /o/bad, and answer all others well."""
    mirror.answer = lambda sock, message: (fault if message.target == "/o/bad" else ok)(sock, message)


def then_end(fault):
    """And then close the connection, over TLS by saying so."""
    def serve(sock, message):
        fault(sock, message)
        return end_tls(sock) if isinstance(sock, ssl.SSLSocket) else False
    return serve


# ---- answers ----

HEAD = b"HTTP/1.1 200 OK\r\n"
WELL = {
    "content-length": HEAD + b"Content-Length: 3\r\n\r\nabc",
    "same length twice": HEAD + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "extensions and trailers": HEAD + b'Transfer-Encoding: chunked\r\n\r\n3;a="b"\r\nabc\r\n0;x\r\nX-T: v\r\n\r\n',
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "not modified": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n",
    "interim": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + HEAD
                + b"Content-Length: 0\r\n\r\n"),
    "ten interim": b"HTTP/1.1 102 Processing\r\n\r\n" * 10 + HEAD + b"Content-Length: 0\r\n\r\n",
    "no reason": b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n",
    "early 413": b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n",
}
WELL_AND_CLOSED = {
    "until close": HEAD + b"\r\nabc",
    "http/1.0": b"HTTP/1.0 200 OK\r\n\r\nabc",
    "http/1.0 with length": b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "connection: close": HEAD + b"Connection: close\r\nContent-Length: 3\r\n\r\nabc",
}
BROKEN = {
    "not http": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "http/2": b"HTTP/2 200\r\n\r\n",
    "no status": b"HTTP/1.1 \r\n\r\n",
    "status of two digits": b"HTTP/1.1 20 OK\r\n\r\n",
    "nul": b"\0" * 100,
    "switching protocols": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
    "length not a number": HEAD + b"Content-Length: abc\r\n\r\nabc",
    "negative length": HEAD + b"Content-Length: -3\r\n\r\nabc",
    "two lengths": HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "huge length": HEAD + b"Content-Length: 99999999999999999999\r\n\r\nabc",
    "bad chunk size": HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n0\r\n\r\n",
    "negative chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n",
    "chunk without its end": HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcde\r\n0\r\n\r\n",
    "huge chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc",
    "endless interim": b"HTTP/1.1 102 Processing\r\n\r\n" * 100000,
    "endless head": HEAD + b"X-A: 1234567890\r\n" * 100000,
    "endless line": HEAD + b"X-A: " + b"a" * 2000000,
}
BROKEN_AND_CLOSED = {
    "nothing": b"",
    "half a status line": b"HTTP/1.1 2",
    "half a head": HEAD + b"X-A: ",
    "half a body": HEAD + b"Content-Length: 10\r\n\r\nabc",
    "half a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc",
    "no last chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
}


@pytest.mark.parametrize("name", WELL)
def test_answer_that_leaves_the_connection_open(proxy, either, name):
    mirror = either()
    one_then_well(mirror, bytes_answer(WELL[name]))
    h = proxy(mirror, children=1)
    assert h.get("/o/bad").status == 200
    assert h.ended(1) == {"mirrored": 1}
    assert_next_is_intact(h, mirror, mirrored=1)
    assert mirror.connections == 1


@pytest.mark.parametrize("name", WELL_AND_CLOSED)
def test_answer_that_closes_the_connection(proxy, either, name):
    mirror = either()
    one_then_well(mirror, then_end(bytes_answer(WELL_AND_CLOSED[name])))
    h = proxy(mirror, children=1)
    assert h.get("/o/bad").status == 200
    assert h.ended(1) == {"mirrored": 1}
    assert_next_is_intact(h, mirror, mirrored=1)
    assert mirror.connections == 2


@pytest.mark.parametrize("name", BROKEN)
def test_answer_that_is_broken(proxy, either, name):
    """The connection is not used again."""
    mirror = either()
    one_then_well(mirror, bytes_answer(BROKEN[name]))
    h = proxy(mirror, children=1)
    assert h.get("/o/bad").status == 200
    assert h.ended(1) == {"broken": 1}
    mirror.wait_until("closed connection", lambda: mirror.open == 0)
    assert_next_is_intact(h, mirror, broken=1)
    assert mirror.connections == 2


@pytest.mark.parametrize("name", BROKEN_AND_CLOSED)
def test_answer_that_is_broken_off(proxy, either, name):
    """Over TLS, a mirror that never said anything may as well have refused us; this one has answered before."""
    mirror = either()
    one_then_well(mirror, then_end(bytes_answer(BROKEN_AND_CLOSED[name])))
    h = proxy(mirror, "keepalive=0", children=1)
    assert h.get("/o/good").status == 200
    assert h.ended(1) == {"mirrored": 1}
    assert h.get("/o/bad").status == 200
    assert h.ended(2) == {"mirrored": 1, "broken": 1}
    mirror.wait_until("closed connections", lambda: mirror.open == 0)
    assert_next_is_intact(h, mirror, 2, mirrored=1, broken=1)
    assert mirror.connections == 3


def test_bytes_after_the_answer(proxy, mirror):
    """They could be taken for the next answer: the connection is not used again."""
    surplus = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
    one_then_well(mirror, bytes_answer(HEAD + b"Content-Length: 3\r\n\r\nabc" + surplus))
    h = proxy(mirror, children=1)
    assert h.get("/o/bad").status == 200
    assert h.ended(1) == {"mirrored": 1}
    assert_next_is_intact(h, mirror, mirrored=1)
    assert mirror.connections == 2
    assert h.mirror()["responses"] == {"1xx": 0, "2xx": 2, "3xx": 0, "4xx": 0, "5xx": 0}


def test_classes_of_answers_are_counted(proxy, mirror):
    statuses = ["200 OK", "201 Created", "301 Moved", "404 Not Found", "403 No", "503 Busy"]
    mirror.answer = lambda sock, message: answer(statuses[int(message.target[3:])])(sock, message)
    h = proxy(mirror)
    h.get_many(f"/o/{n}" for n in range(len(statuses)))
    assert h.ended(6) == {"mirrored": 6}
    assert h.mirror()["responses"] == {"1xx": 0, "2xx": 2, "3xx": 1, "4xx": 2, "5xx": 1}


# ---- connections that break ----

@pytest.mark.smoke
@pytest.mark.valgrind
def test_closed_port(proxy, recorder):
    h = proxy(recorder(listen=False), expect=[r"PM\d+: mirror m is down"])
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"unreachable": 1}
    assert h.mirror()["state"]["down_until"]


def test_reset_at_once(proxy, recorder):
    mirror = recorder(takeover=reset)
    h = proxy(mirror, "retry=0", expect=[DOWN])
    assert h.get("/o/a").status == 200
    outcomes = h.ended(1)
    assert outcomes in ({"broken": 1}, {"unreachable": 1})      # the second if it came before connect() returned
    mirror.takeover = None
    assert_next_is_intact(h, mirror, **outcomes)


def test_reset_in_the_request(proxy, recorder):
    mirror = recorder(takeover=lambda sock: sock.recv(10) and reset(sock))
    h = proxy(mirror)
    assert h.request("POST", "/o/a", [], b"x" * 1000000).status == 200
    assert h.ended(1) == {"broken": 1}
    mirror.takeover = None
    assert_next_is_intact(h, mirror, broken=1)


def test_reset_in_the_answer(proxy, either):
    mirror = either()
    one_then_well(mirror, lambda sock, _: sock.sendall(HEAD + b"Content-Length: 9\r\n\r\nabc") or reset(sock))
    h = proxy(mirror)
    assert h.get("/o/bad").status == 200
    assert h.ended(1) == {"broken": 1}
    assert_next_is_intact(h, mirror, broken=1)


def test_early_answer_without_reading_the_body(proxy, either):
    """413, and closed, before the mirror has read all."""
    data = b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    gate = None

    def refuse(sock):
        sock.recv(1000)
        sock.sendall(data)
        gate.wait()
    mirror = either(takeover=refuse)
    gate = mirror.gate()
    h = proxy(mirror)
    assert h.request("POST", "/o/a", [], b"x" * 1000000).status == 200
    assert h.ended(1) == {"mirrored": 1}
    assert h.mirror()["responses"]["4xx"] == 1
    gate.set()
    mirror.takeover = None
    assert_next_is_intact(h, mirror, mirrored=1)


def test_slow_reader(proxy, mirror, recorder):
    """A body of 1 MB that the mirror reads in small pieces, with a small buffer."""
    got = bytearray()
    size = 1000000
    mirror = recorder(takeover=read_slowly(got))
    h = proxy(mirror)
    body = b"x" * (size - 3) + b"END"
    assert h.request("POST", "/o/a", [], body).status == 200
    assert h.ended(1) == {"mirrored": 1}
    assert got.partition(b"\r\n\r\n")[2] == body


def test_answer_byte_by_byte(proxy, mirror):
    def drip(sock, _):
        for byte in HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n":
            sock.sendall(bytes([byte]))
        return True
    mirror.answer = drip
    h = proxy(mirror, children=1)
    for n in range(1, 4):
        assert h.get(f"/o/{n}").status == 200
        assert h.ended(n) == {"mirrored": n}
    assert mirror.connections == 1


# ---- time ----

def test_no_answer(proxy, either):
    mirror = either()
    gate = mirror.gate()
    one_then_well(mirror, lambda sock, message: gate.wait() and False)
    h = proxy(mirror, SHORT, children=1)
    assert h.get("/o/bad").status == 200
    assert h.ended(1) == {"timed_out": 1}
    assert_next_is_intact(h, mirror, timed_out=1)
    assert mirror.connections == 2


@pytest.mark.parametrize("part", [HEAD + b"X-A: 1\r\n", HEAD + b"Content-Length: 1000000000\r\n\r\nx",
                                  HEAD + b"Transfer-Encoding: chunked\r\n\r\n", HEAD + b"\r\n"])
def test_answer_that_stalls_or_never_ends(proxy, either, part):
    """One deadline for the whole copy: a byte now and then does not put it off."""
    mirror = either()
    gate = mirror.gate()

    def drip(sock, _):
        sock.sendall(part)
        piece = b"1\r\nx\r\n" if b"chunked" in part else b"x"
        while not gate.wait(0.02):
            sock.sendall(piece)
        return False
    one_then_well(mirror, drip)
    h = proxy(mirror, SHORT, children=1)
    began = time.monotonic()
    assert h.get("/o/bad").status == 200
    assert h.ended(1) == {"timed_out": 1}
    assert time.monotonic() - began < scaled(1.5)
    assert_next_is_intact(h, mirror, timed_out=1)
    assert mirror.connections == 2


def test_endless_body(proxy, mirror):
    """As fast as the mirror can: the others are not starved meanwhile."""
    def pour(sock, _):
        sock.sendall(HEAD + b"\r\n")
        while True:
            sock.sendall(b"x" * 65536)
    one_then_well(mirror, pour)
    h = proxy(mirror, SHORT)
    assert h.get("/o/bad").status == 200
    mirror.wait(1)
    assert h.get_many(f"/o/{n}" for n in range(10)) == [200] * 10
    assert h.ended(11) == {"mirrored": 10, "timed_out": 1}


def resident(pid: int) -> int:
    """The resident size of a process, in bytes."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmRSS:"))


ENDLESS = {
    "head": (HEAD, b"X-A: " + b"a" * 1000 + b"\r\n"),
    "line": (HEAD + b"X-A: ", b"a" * 65536),
    "body": (HEAD + b"\r\n", b"x" * 65536),
    "chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1;" + b"x" * 998 + b"\r\nx\r\n"),
    "interim": (b"", b"HTTP/1.1 102 Processing\r\n\r\n" * 100),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_what_never_ends_takes_no_memory(proxy, either, name):
    """As fast as the mirror can."""
    mirror = either()
    start, piece = ENDLESS[name]

    def pour(sock, _):
        sock.sendall(start)
        while True:
            sock.sendall(piece)
    one_then_well(mirror, pour)
    h = proxy(mirror, SHORT, children=1)
    assert h.get("/o/well").status == 200
    assert h.ended(1) == {"mirrored": 1}
    before = resident(h.pids()[0])
    for _ in range(4):
        assert h.get("/o/bad").status == 200
    outcomes = h.ended(5)
    assert outcomes.pop("mirrored") == 1
    assert sum(outcomes.values()) == 4 and set(outcomes) <= {"broken", "timed_out"}
    if "HTTPD_PRELOAD" not in os.environ:               # a sanitizer keeps what was freed
        assert resident(h.pids()[0]) < before + scaled(4 << 20)
    assert_next_is_intact(h, mirror, 5, mirrored=1, **outcomes)


def test_mirror_that_never_reads(proxy, either):
    gate = None
    mirror = either(takeover=lambda sock: gate.wait())
    gate = mirror.gate()
    h = proxy(mirror, f"{SHORT} max_body=8M", children=1)
    assert h.request("POST", "/o/a", [], b"x" * 8000000).status == 200
    assert h.ended(1) == {"timed_out": 1}
    wait_for("no connection", lambda: h.mirror()["state"]["connections"] == 0)
    gate.set()
    mirror.takeover = None
    assert_next_is_intact(h, mirror, timed_out=1)


def test_part_of_a_copy_never_looks_complete(proxy, either):
    """The mirror reads slowly; what it has when the time is over is less than Content-Length says."""
    got = []

    def read(sock):
        sock.settimeout(scaled(10))
        data = bytearray()
        try:
            while not gate.wait(0.05) and (more := sock.recv(1000)):
                data += more
            while more := sock.recv(65536):
                data += more
        except OSError:
            pass
        got.append(bytes(data))
    mirror = either(takeover=read)
    gate = mirror.gate()
    h = proxy(mirror, f"{SHORT} max_body=32M", children=1)
    body = b"x" * 32000000
    assert h.request("POST", "/o/a", [], body).status == 200
    assert h.ended(1) == {"timed_out": 1}
    gate.set()
    wait_for("the end of the connection", lambda: got)
    head, _, rest = got[0].partition(b"\r\n\r\n")
    assert b"\r\nContent-Length: 32000000" in head
    assert len(rest) < len(body)
    mirror.takeover = None
    assert_next_is_intact(h, mirror, timed_out=1)


def test_full_backlog(proxy, recorder):
    """Connecting takes until connect_timeout; when the mirror accepts again, copies arrive again."""
    mirror = recorder(listen=False)
    filling = mirror.fill_backlog()
    h = proxy(mirror, f"connect_timeout={int(scaled(400))}ms retry={int(scaled(200))}ms", children=1, expect=[DOWN])
    began = time.monotonic()
    assert h.get("/o/a").status == 200
    assert time.monotonic() - began < scaled(0.4)
    assert h.ended(1) == {"unreachable": 1}
    assert h.mirror()["state"]["connections"] == 0
    for sock in filling:
        sock.close()
    mirror.listen()
    wait_for("the end of the pause", lambda: h.mirror()["state"]["down_until"] is None)
    assert_next_is_intact(h, mirror, unreachable=1)
