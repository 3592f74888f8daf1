"""Servers of HTTP/2 that end each connection after a few responses, with GOAWAY or without: only copies are lost that the server may
have processed, until it is known; and one that ended a connection once gets many streams again."""
from __future__ import annotations

import socket
import time
from types import SimpleNamespace

import pytest

from http2lab import respond
from httpdlab import location, scaled, to, wait_for
from marks import needs_http2

pytestmark = needs_http2


@pytest.fixture
def proxy(proxy):
    def make(mirror, attributes="", conf="", **options):
        return proxy(mirror, f"timeout={scaled(20)}s {attributes}", conf, **{"children": 1, **options})
    return make


def late(mirror) -> int:
    """The number of ends that may have come so late that a later copy was sent on the idle connection."""
    return getattr(mirror, "late", 0)


def ends_after(count: int, goaway: bool):
    """Respond to that many requests of a connection, then close it. What a busy machine delays, the kernel holds back for 200 ms,
    so that the end follows the last response at once; or else it is late."""
    def serve(peer, request) -> None:
        if request.stream > 2 * count - 1:
            return
        then = time.monotonic()
        peer.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, int(request.stream == 2 * count - 1))
        respond()(peer, request)
        if request.stream == 2 * count - 1:
            if goaway:
                peer.goaway(request.stream)
            peer.sock.shutdown(socket.SHUT_RDWR)
            peer.mirror.late = late(peer.mirror) + (time.monotonic() - then > 0.1)
    return serve


def send(h, method: str, numbers) -> None:
    for n in numbers:
        assert h.request(method, f"/o/{n}", [], b"body" if method == "POST" else None).status == 200


@pytest.mark.parametrize("goaway", [False, True], ids=["abrupt", "goaway"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("count", [1, 2, 10])
def test_connections_of_few_responses(proxy, http2, count, method, goaway):
    """A POST in flight is not sent again if the connection just closes. Once it is known when, no more of them are in flight."""
    mirror = http2(ends_after(count, goaway))
    h = proxy(mirror)
    go = mirror.hold(ends_after(count, goaway))
    send(h, method, range(20))
    wait_for("20 in flight", lambda: h.mirror()["state"]["in_flight"] == 20)
    go()
    outcomes = h.ended(20)
    if method == "POST" and not goaway:
        assert outcomes["broken"] + outcomes["mirrored"] == 20 and outcomes["broken"] >= 10
    else:
        assert outcomes == {"mirrored": 20}
    send(h, method, range(20, 220))
    assert outcomes["mirrored"] + 200 - h.ended(220)["mirrored"] <= late(mirror)
    times = mirror.times()
    assert max(times.values()) <= 2
    assert sum(times[f"/o/{n}"] != 1 for n in range(20, 220)) <= late(mirror)


@pytest.mark.parametrize("goaway", [False, True], ids=["abrupt", "goaway"])
def test_idle_connection_that_ends(proxy, http2, goaway):
    """It says nothing of the number of copies: the next connection has many streams at once."""
    def serve(peer, request):
        if request.stream == 1:
            respond()(peer, request)
            return
        gates.append(mirror.hold())
        if goaway:
            peer.goaway(1)
        peer.sock.shutdown(socket.SHUT_RDWR)
    gates = []
    mirror = http2(serve)
    h = proxy(mirror, "max_connections=1")
    send(h, "GET", range(1))
    assert h.ended(1) == {"mirrored": 1}
    then = time.monotonic()
    wait_for("an idle connection", lambda: time.monotonic() - then > 0.2)
    send(h, "GET", range(1, 2))
    wait_for("another connection", lambda: mirror.connections == 2)
    send(h, "GET", range(2, 22))
    wait_for("21 in flight", lambda: h.mirror()["state"]["in_flight"] == 21)
    assert mirror.connections == 2
    gates[0]()
    assert h.ended(22) == {"mirrored": 22}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_more_responses_than_streams(proxy, http2, method):
    """As nginx does it: nothing is lost, and once it is known, nothing is refused."""
    mirror = http2(ends_after(30, True))
    h = proxy(mirror, "streams=10 max_connections=4")
    send(h, method, range(300))
    assert h.ended(300) == {"mirrored": 300}
    send(h, method, range(300, 600))
    assert h.ended(600) == {"mirrored": 600}
    times = mirror.times()
    assert sum(times[f"/o/{n}"] != 1 for n in range(300, 600)) <= late(mirror)


def test_one_stream_and_a_server_that_crashes(proxy, http2):
    """Copies wait for no event that does not come."""
    mirror = http2(lambda peer, request: peer.sock.shutdown(socket.SHUT_RDWR))
    h = proxy(mirror, "streams=1 max_connections=1")
    send(h, "GET", range(3))
    assert h.ended(3) == {"broken": 3}
    mirror.respond = respond()
    send(h, "GET", range(3, 30))
    assert h.ended(30) == {"broken": 3, "mirrored": 27}


def test_one_server_of_two(httpd, origin, http2):
    """The other one has as many streams as before."""
    bad, good = http2(ends_after(1, False)), http2()
    servers = ",".join(mirror.url.removeprefix("h2c://") for mirror in (bad, good))
    h = httpd(location("/o/", origin, to(SimpleNamespace(url="h2c://mirror.local"), f"servers={servers} timeout={scaled(20)}s")),
              children=1)
    send(h, "GET", range(100))
    assert h.ended(100) == {"mirrored": 100}
    go = good.hold()
    gone = bad.connections
    send(h, "GET", range(100, 200))
    wait_for("many streams", lambda: max(peer.open for peer in good.peers) > 10)
    go()
    assert h.ended(200) == {"mirrored": 200}
    assert bad.connections > gone


def test_many_connections_that_last_longer(proxy, http2):
    """All of them test the known number at the same time: that says nothing of more than its double."""
    mirror = http2(ends_after(1, False))
    h = proxy(mirror)
    go = mirror.hold(ends_after(1, False))
    send(h, "GET", range(10))
    wait_for("10 in flight", lambda: h.mirror()["state"]["in_flight"] == 10)
    go()
    assert h.ended(10) == {"mirrored": 10}
    for first in (10, 60):
        go = mirror.hold(ends_after(2, False))
        send(h, "POST", range(first, first + 50))
        wait_for("50 connections", lambda: h.mirror()["state"]["in_flight"] == 50)
        go()
        h.ended(first + 50)
    send(h, "POST", range(110, 310))
    assert 310 - h.ended(310)["mirrored"] <= late(mirror)


@pytest.mark.parametrize("keepalive", ["", "keepalive=0", "keepalive=10ms"])
def test_many_streams_again(proxy, http2, keepalive):
    """The server was restarted. Then it ends no connections."""
    mirror = http2(ends_after(1, False))
    h = proxy(mirror, f"max_connections=2 {keepalive}")
    go = mirror.hold(ends_after(1, False))
    send(h, "GET", range(20))
    wait_for("20 in flight", lambda: h.mirror()["state"]["in_flight"] == 20)
    go()
    mirror.respond = respond()
    assert h.ended(20) == {"mirrored": 20}
    sent = 20
    again = len(mirror.requests) - sent

    def is_shared() -> bool:
        nonlocal sent
        hold = mirror.hold()
        send(h, "GET", range(sent, sent + 50))
        sent += 50
        wait_for("all that were sent", lambda: (state := h.mirror()["state"])["in_flight"] > 0
                 and len(mirror.requests) >= again + sent - state["queued"])
        most = max(peer.open for peer in mirror.peers)
        hold()
        assert h.ended(sent) == {"mirrored": sent}
        return most >= 25
    wait_for("many streams", is_shared)
