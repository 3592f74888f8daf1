"""Copies over TLS: connections that are used again, answers, bodies; what mod_ssl holds back, and what the socket does."""
from __future__ import annotations

import pytest

from copies import assert_next_is_intact
from httpdlab import scaled, wait_for
from recorder import Recorder, answer, bytes_answer, ok, read_slowly
from tlslab import TlsRecorder, end_tls
from wire import reset

HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def mirror(https) -> TlsRecorder:
    return https()


@pytest.fixture
def proxy(proxy):
    """An httpd of one child."""
    def make(mirror, attributes="", **options):
        return proxy(mirror, attributes, children=1, **options)
    return make


# ---- connections ----

@pytest.mark.smoke
def test_one_handshake_for_many_copies(proxy, mirror):
    h = proxy(mirror)
    for n in range(1, 31):
        assert h.request("POST", f"/o/{n}", [], b"x" * n * 300).status == 200
        assert h.ended(n) == {"mirrored": n}
    assert mirror.shaken == mirror.connections == 1
    assert [len(copy.body) for copy in mirror.requests] == [n * 300 for n in range(1, 31)]


def test_many_at_a_time(proxy, mirror):
    gate = mirror.hold()
    h = proxy(mirror, "max_connections=20")
    assert h.get_many(f"/o/{n}" for n in range(100)) == [200] * 100
    mirror.wait(20)
    gate.set()
    mirror.answer = ok
    assert h.ended(100) == {"mirrored": 100}
    assert mirror.shaken == 20
    assert sorted(int(copy.target[3:]) for copy in mirror.requests) == list(range(100))


def test_keepalive_of_0_ends_tls(proxy, mirror):
    ends = []

    def serve(sock, message):
        ok(sock, message)
        ends.append(sock.recv(1))                       # b"" is close_notify; without it, that is an error
        return False
    mirror.answer = serve
    h = proxy(mirror, "keepalive=0")
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1}
    mirror.wait_until("closed connection", lambda: mirror.open == 0)
    assert ends == [b""]


def test_mirror_ends_an_idle_connection(proxy, mirror):
    """close_notify, while the socket stays open: that is noticed before the next copy comes."""
    gate = mirror.gate()

    def serve(sock, message):
        ok(sock, message)
        if message.target == "/o/first":
            end_tls(sock)
            gate.wait()
            return False
        return True
    mirror.answer = serve
    h = proxy(mirror)
    assert h.get("/o/first").status == 200
    assert h.ended(1) == {"mirrored": 1}
    wait_for("no connection", lambda: h.mirror()["state"]["connections"] == 0)
    assert_next_is_intact(h, mirror, mirrored=1)
    assert mirror.shaken == 2
    gate.set()


@pytest.mark.parametrize("end", [end_tls, reset])
def test_stale_connection_get_is_sent_again(proxy, mirror, end):
    """The mirror ends it when it has the next copy."""
    served = set()

    def serve(sock, message):
        if sock in served:
            end(sock)
            return False
        served.add(sock)
        return ok(sock, message)
    mirror.answer = serve
    h = proxy(mirror)
    assert h.get("/o/first").status == 200
    assert h.ended(1) == {"mirrored": 1}
    assert h.get("/o/again").status == 200
    assert h.ended(2) == {"mirrored": 2}
    assert [copy.target for copy in mirror.requests] == ["/o/first", "/o/again", "/o/again"]
    assert mirror.shaken == 2


def test_copies_that_end_while_the_mirror_is_down_do_not_put_it_up(proxy, mirror):
    """They were under way before. What tells is the probe, however many times it fails."""
    gates = [mirror.gate() for _ in range(10)]
    mirror.answer = lambda sock, message: ok(sock, message) if message.target == "/o/first" else (
        gates[int(message.target[3:])].wait() and reset(sock))
    h = proxy(mirror, "max_connections=64 retry=50ms", expect=[r"PM0400: mirror m is down: connect"])
    assert h.get("/o/first").status == 200
    assert h.ended(1) == {"mirrored": 1}
    for n in range(10):
        assert h.request("POST", f"/o/{n}", [], b"x").status == 200
    mirror.wait(11)
    mirror.stop_listening()
    for n, gate in enumerate(gates):
        before = h.outcomes().get("unreachable", 0)
        wait_for("a copy that cannot be sent", lambda: h.get("/o/0").status == 200 and
                 h.outcomes().get("unreachable", 0) > before) 
        gate.set()
        wait_for("the end of one that could", lambda n=n: h.outcomes().get("broken") == n + 1)
    assert len(h.log_lines("PM0400")) == 1
    assert not h.log_lines("PM0401")


def test_graceful_restart_finishes(proxy, mirror):
    gate = mirror.hold()
    h = proxy(mirror)
    assert h.get_many(["/o/a"] * 5) == [200] * 5
    mirror.wait(5)
    h.graceful()
    gate.set()
    assert h.ended(5) == {"mirrored": 5}


# ---- answers ----

def one_then_well(mirror: Recorder, fault) -> None:
    """Misbehave for the target /o/bad, and answer all others well."""
    mirror.answer = lambda sock, message: (fault if message.target == "/o/bad" else ok)(sock, message)


def test_answer_until_the_end_of_tls(proxy, mirror):
    one_then_well(mirror, lambda sock, message: bytes_answer(HEAD + b"\r\nabc")(sock, message) and end_tls(sock))
    h = proxy(mirror)
    assert h.get("/o/bad").status == 200
    assert h.ended(1) == {"mirrored": 1}
    assert_next_is_intact(h, mirror, mirrored=1)


def test_answer_that_was_cut_off(proxy, mirror):
    """The socket was closed, and TLS was not: there may have been more (RFC 9112 9.8)."""
    one_then_well(mirror, bytes_answer(HEAD + b"\r\nabc", close=True))
    h = proxy(mirror)
    assert h.get("/o/bad").status == 200
    assert h.ended(1) == {"broken": 1}
    assert_next_is_intact(h, mirror, broken=1)


def test_no_answer_but_the_end(proxy, mirror):
    """A mirror that has answered before is not one that refuses us."""
    one_then_well(mirror, lambda sock, _: end_tls(sock))
    h = proxy(mirror, "keepalive=0")
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1}
    assert h.get("/o/bad").status == 200
    assert h.ended(2) == {"mirrored": 1, "broken": 1}
    assert_next_is_intact(h, mirror, 2, mirrored=1, broken=1)


def test_an_empty_line_is_no_refusal(proxy, mirror):
    """It is no answer either, but whoever refuses us says nothing at all."""
    one_then_well(mirror, lambda sock, _: sock.sendall(b"\r\n") or end_tls(sock))
    h = proxy(mirror)
    assert h.get("/o/bad").status == 200
    assert h.ended(1) == {"broken": 1}
    assert_next_is_intact(h, mirror, broken=1)


@pytest.mark.parametrize("more", [b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", b"x" * 20000])
@pytest.mark.parametrize("apart", [False, True])
def test_bytes_after_the_answer(proxy, mirror, more, apart):
    """In the same record, or in one that came with it: the connection is not used again."""
    whole = HEAD + b"Content-Length: 3\r\n\r\nabc"

    def serve(sock, _):
        if apart:
            sock.sendall(whole)
            sock.sendall(more)
        else:
            sock.sendall(whole + more)
        return True
    one_then_well(mirror, serve)
    h = proxy(mirror)
    assert h.get("/o/bad").status == 200
    assert h.ended(1) == {"mirrored": 1}
    wait_for("no connection", lambda: h.mirror()["state"]["connections"] == 0)
    assert_next_is_intact(h, mirror, mirrored=1)
    assert mirror.shaken == 2
    assert h.mirror()["responses"]["5xx"] == 0


def test_large_answers(proxy, mirror):
    """More than is read at a time: what mod_ssl holds is read without the socket telling."""
    mirror.answer = answer(body=b"x" * 1000000)
    h = proxy(mirror)
    for n in range(1, 4):
        assert h.get("/o/a").status == 200
        assert h.ended(n) == {"mirrored": n}
    assert mirror.shaken == 1


def test_answer_byte_by_byte(proxy, mirror):
    def drip(sock, _):
        for byte in HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n":
            sock.sendall(bytes([byte]))
        return True
    mirror.answer = drip
    h = proxy(mirror)
    for n in range(1, 3):
        assert h.get(f"/o/{n}").status == 200
        assert h.ended(n) == {"mirrored": n}
    assert mirror.shaken == 1


def test_answer_that_drips_without_end(proxy, mirror):
    gate = mirror.gate()

    def drip(sock, _):
        sock.sendall(HEAD + b"Content-Length: 1000000000\r\n\r\n")
        while not gate.wait(0.02):
            sock.sendall(b"x")
        return False
    one_then_well(mirror, drip)
    h = proxy(mirror, f"timeout={int(scaled(500))}ms")
    assert h.get("/o/bad").status == 200
    assert h.ended(1) == {"timed_out": 1}
    assert_next_is_intact(h, mirror, timed_out=1)


def test_endless_body(proxy, mirror):
    """As fast as the mirror can: the others are not starved meanwhile."""
    def pour(sock, _):
        sock.sendall(HEAD + b"\r\n")
        while True:
            sock.sendall(b"x" * 65536)
    one_then_well(mirror, pour)
    h = proxy(mirror, f"timeout={int(scaled(700))}ms")
    assert h.get("/o/bad").status == 200
    mirror.wait(1)
    assert h.get_many(f"/o/{n}" for n in range(10)) == [200] * 10
    assert h.ended(11) == {"mirrored": 10, "timed_out": 1}


# ---- bodies ----

def test_slow_reader(proxy, https):
    """A body of 1 MB that the mirror reads in small pieces, without our thread ever waiting."""
    got = bytearray()
    body = bytes(range(256)) * 4000 + b"END"
    h = proxy(https(takeover=read_slowly(got)), "max_body=2M")
    assert h.request("POST", "/o/a", [], body).status == 200
    assert h.ended(1) == {"mirrored": 1}
    assert got.partition(b"\r\n\r\n")[2] == body


def test_mirror_that_never_reads(proxy, https):
    mirror = https(takeover=lambda sock: gate.wait())
    gate = mirror.gate()
    h = proxy(mirror, f"timeout={int(scaled(500))}ms max_body=8M")
    assert h.request("POST", "/o/a", [], b"x" * 8000000).status == 200
    assert h.ended(1) == {"timed_out": 1}
    gate.set()
