"""Connections to mirrors that are used again, or not any more, and what is then sent twice."""
from __future__ import annotations

import time

import pytest

from copies import assert_next_is_intact
from httpdlab import scaled, wait_for
from recorder import ok
from wire import request, reset


@pytest.mark.smoke
def test_connection_is_used_again(proxy, mirror):
    h = proxy(mirror, children=1)
    for n in range(1, 11):
        assert h.request("POST", "/o/a", [], b"x" * n).status == 200
        assert h.ended(n) == {"mirrored": n}
    assert mirror.connections == 1
    assert h.mirror()["state"]["connections"] == 1


def test_keepalive_of_0(proxy, mirror):
    h = proxy(mirror, "keepalive=0", children=1)
    for n in range(1, 4):
        assert h.get("/o/a").status == 200
        assert h.ended(n) == {"mirrored": n}
    mirror.wait_until("closed connections", lambda: mirror.open == 0)
    assert mirror.connections == 3
    wait_for("no connection", lambda: h.mirror()["state"]["connections"] == 0)


def test_keepalive_runs_out(proxy, mirror):
    h = proxy(mirror, "keepalive=100ms", children=1)
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1}
    mirror.wait_until("closed connection", lambda: mirror.open == 0)
    wait_for("no connection", lambda: h.mirror()["state"]["connections"] == 0)
    assert_next_is_intact(h, mirror, mirrored=1)
    assert mirror.connections == 2


def test_mirror_closes_an_idle_connection(proxy, mirror):
    """That is noticed before the next copy comes."""
    gate = mirror.gate()
    mirror.answer = lambda sock, message: ok(sock, message) and message.target != "/o/bad"
    h = proxy(mirror, children=1)
    assert h.get("/o/bad").status == 200
    assert h.ended(1) == {"mirrored": 1}
    wait_for("no connection", lambda: h.mirror()["state"]["connections"] == 0)
    assert_next_is_intact(h, mirror, mirrored=1)
    gate.set()


def stale_after(first: str):
    """Answers the first request of a connection, and resets it when the second comes, as a mirror does that closes it
    at that very moment."""
    served = set()

    def serve(sock, message):
        if message.target == first:
            served.add(sock)
            return ok(sock, message)
        if sock in served:
            reset(sock)
            return False
        return ok(sock, message)
    return serve


def with_stale_connection(proxy, mirror):
    """An httpd with one connection, which the mirror resets with the next copy."""
    mirror.answer = stale_after("/o/first")
    h = proxy(mirror, children=1)
    assert h.get("/o/first").status == 200
    assert h.ended(1) == {"mirrored": 1}
    return h


@pytest.mark.smoke
def test_stale_connection_get_is_sent_again(proxy, mirror):
    h = with_stale_connection(proxy, mirror)
    assert h.get("/o/again").status == 200
    assert h.ended(2) == {"mirrored": 2}
    assert [copy.target for copy in mirror.requests] == ["/o/first", "/o/again", "/o/again"]
    assert mirror.connections == 2


def test_second_attempt_has_what_is_left_of_the_time(proxy, mirror):
    """One deadline for the copy, and not one for each attempt."""
    late = mirror.gate()

    def serve(sock, message):
        if message.target == "/o/first":
            return ok(sock, message)
        if len(mirror.requests) == 2:           # the connection that was used before
            late.wait(scaled(1.2))
            reset(sock)
            return False
        return late.wait() and False
    mirror.answer = serve
    h = proxy(mirror, f"timeout={int(scaled(2000))}ms", children=1)
    assert h.get("/o/first").status == 200
    assert h.ended(1) == {"mirrored": 1}
    begun = time.monotonic()
    assert h.get("/o/again").status == 200
    assert h.ended(2) == {"mirrored": 1, "timed_out": 1}
    took = time.monotonic() - begun
    assert scaled(1.9) < took < scaled(2.8)
    assert len(mirror.requests) == 3


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "OPTIONS"])
def test_stale_connection_idempotent_methods_are_sent_again(proxy, either, method):
    """RFC 9110 9.2.2. What is sent again is whole, with its body; and it is sent no third time."""
    mirror = either()
    h = with_stale_connection(proxy, mirror)
    body = b"x" * 100000 if method == "PUT" else None
    assert h.request(method, "/o/again", [], body).status == 200
    assert h.ended(2) == {"mirrored": 2}
    copies = [copy for copy in mirror.requests if copy.target == "/o/again"]
    assert len(copies) == mirror.connections == 2
    assert copies[1].complete and copies[1].body == (body or b"")


def test_stale_connection_twice(proxy, mirror):
    """Neither is it sent again a second time, nor is the mirror down for it."""
    mirror.answer = lambda sock, message: ok(sock, message) if message.target == "/o/first" else reset(sock)
    h = proxy(mirror, children=1)
    assert h.get("/o/first").status == 200
    assert h.ended(1) == {"mirrored": 1}
    assert h.get("/o/again").status == 200
    assert h.ended(2) == {"mirrored": 1, "broken": 1}
    assert [copy.target for copy in mirror.requests] == ["/o/first", "/o/again", "/o/again"]
    mirror.answer = ok
    assert_next_is_intact(h, mirror, 2, mirrored=1, broken=1)


def test_answer_that_began_is_not_asked_for_again(proxy, either):
    """One byte of it is enough."""
    def serve(sock, message):
        if message.target != "/o/bad":
            return ok(sock, message)
        sock.sendall(b"H")
        return False
    mirror = either()
    mirror.answer = serve
    h = proxy(mirror, children=1)
    assert h.get("/o/first").status == 200
    assert h.ended(1) == {"mirrored": 1}
    assert h.get("/o/bad").status == 200
    assert h.ended(2) == {"mirrored": 1, "broken": 1}
    assert [copy.target for copy in mirror.requests] == ["/o/first", "/o/bad"]
    assert_next_is_intact(h, mirror, 2, mirrored=1, broken=1)


@pytest.mark.parametrize("method, outcomes", [("GET", {"mirrored": 2}), ("POST", {"mirrored": 1, "broken": 1})])
@pytest.mark.parametrize("line", [b"\r\n", b"\n"])
def test_stray_empty_line_is_no_answer(proxy, either, line, method, outcomes):
    """Some servers send one behind an answer; here it comes with the next copy, and then the end of the connection."""
    def serve(sock, message):
        if message.target != "/o/again" or mirror.connections > 1:
            return ok(sock, message)
        sock.sendall(line)
        return False
    mirror = either()
    mirror.answer = serve
    h = proxy(mirror, children=1)
    assert h.get("/o/first").status == 200
    assert h.ended(1) == {"mirrored": 1}
    assert h.request(method, "/o/again").status == 200
    assert h.ended(2) == outcomes
    assert [copy.target for copy in mirror.requests] == ["/o/first"] + ["/o/again"] * outcomes["mirrored"]
    assert_next_is_intact(h, mirror, 2, **outcomes)


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_stale_connection_post_is_not_sent_again(proxy, either, method):
    """The mirror may have acted on it."""
    mirror = either()
    h = with_stale_connection(proxy, mirror)
    assert h.request(method, "/o/once", [], b"x").status == 200
    assert h.ended(2) == {"mirrored": 1, "broken": 1}
    assert [copy.target for copy in mirror.requests] == ["/o/first", "/o/once"]
    assert_next_is_intact(h, mirror, 2, mirrored=1, broken=1)


def test_fresh_connection_that_breaks_is_not_tried_again(proxy, mirror):
    mirror.answer = lambda sock, message: reset(sock)
    h = proxy(mirror)
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"broken": 1}
    assert len(mirror.requests) == 1


def test_pipelined_clients_and_a_mirror_that_resets_all(proxy, mirror):
    mirror.answer = lambda sock, message: reset(sock)
    h = proxy(mirror)
    with h.client() as client:
        client.send(request("POST", "/o/a", [], b"x", close=False) * 50)
        assert [client.answer().status for _ in range(50)] == [200] * 50
    assert h.ended(50) == {"broken": 50}
