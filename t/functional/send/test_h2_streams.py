"""Many copies on few connections of HTTP/2: the bounds of streams, time, flow control, GOAWAY and resets."""
from __future__ import annotations

import os
import signal
import socket
import tempfile
import threading
import time
from types import SimpleNamespace

import pytest

from http2lab import OF_A_SANITIZER, Http2Recorder, memory, respond
from httpdlab import scaled, wait_for
from managerlab import MANAGER, patch
from marks import needs_http2

pytestmark = needs_http2

@pytest.fixture
def proxy(proxy):
    def make(mirror, attributes="", conf="", **options):
        return proxy(mirror, attributes, conf, **{"children": 1, **options})
    return make


@pytest.fixture
def mirror(http2) -> Http2Recorder:
    return http2()


def in_flight(h, count: int) -> None:
    wait_for(f"{count} copies in flight", lambda: h.mirror()["state"]["in_flight"] == count)


def warm(h, mirror, count: int = 1) -> None:
    """A connection whose SETTINGS have come."""
    assert h.get("/o/warm").status == 200
    assert h.ended(count) == {"mirrored": count}


# ---- streams ----

@pytest.mark.long
def test_thousand_copies_and_hundred_streams(proxy, http2):
    mirror = http2(settings={"streams": 100})
    go = mirror.hold()
    h = proxy(mirror, f"timeout={scaled(20)}s")
    assert h.get_many(f"/o/{n}" for n in range(1000)) == [200] * 1000
    in_flight(h, 1000)
    assert mirror.connections <= 14
    go()
    assert h.ended(1000) == {"mirrored": 1000}
    assert max(peer.most for peer in mirror.peers) <= 100
    assert set(mirror.times().values()) == {1}


def test_attribute_streams(proxy, mirror):
    go = mirror.hold()
    h = proxy(mirror, f"streams=5 max_connections=2 timeout={scaled(20)}s")
    assert h.get_many(f"/o/{n}" for n in range(30)) == [200] * 30
    in_flight(h, 10)
    wait_for("20 queued", lambda: h.mirror()["state"]["queued"] == 20)
    assert mirror.connections == 2
    go()
    assert h.ended(30) == {"mirrored": 30}
    assert max(peer.most for peer in mirror.peers) <= 5
    assert mirror.connections == 2


def test_one_stream_of_the_mirror(proxy, http2):
    mirror = http2(settings={"streams": 1})
    go = mirror.hold()
    h = proxy(mirror, f"max_connections=4 timeout={scaled(20)}s")
    assert h.get_many(f"/o/{n}" for n in range(12)) == [200] * 12
    in_flight(h, 4)
    go()
    assert h.ended(12) == {"mirrored": 12}
    assert [peer.most for peer in mirror.peers] == [1] * 4


def test_no_stream_and_then_ten(proxy, mirror):
    """The copy that was sent before the SETTINGS came is refused, and waits with the others."""
    def refuse(peer, request):
        peer.settings(0)
        peer.reset(request.stream, 7)
    mirror.respond = refuse
    h = proxy(mirror, f"timeout={scaled(20)}s")
    assert h.get("/o/0").status == 200
    mirror.wait_until("a refusal", lambda: mirror.peers and mirror.peers[0].settings_acked == 2)
    mirror.respond = respond()
    assert h.get_many(f"/o/{n}" for n in range(1, 30)) == [200] * 29
    wait_for("29 queued", lambda: h.mirror()["state"]["queued"] == 29)
    assert mirror.connections == 1
    mirror.peers[0].most = 0
    mirror.peers[0].settings(10)
    assert h.ended(30) == {"mirrored": 30}
    assert mirror.connections <= 3
    assert mirror.peers[0].most <= 10


@pytest.mark.long
def test_no_stream_for_ever(proxy, http2):
    """Copies do not wait for longer than `timeout`."""
    def refuse(peer, request):
        peer.settings(0)
        peer.reset(request.stream, 7)
    mirror = http2(refuse, settings={"streams": 1})
    h = proxy(mirror, f"max_connections=1 timeout={scaled(1)}s")
    assert h.get_many(f"/o/{n}" for n in range(10)) == [200] * 10
    outcomes = h.ended(10)
    assert outcomes["timed_out"] >= 1 and outcomes["timed_out"] + outcomes.get("broken", 0) == 10


def test_mirror_that_says_nothing(proxy, http2):
    """No SETTINGS come, so a connection carries one copy: with the second one all copies time out, not one after the other."""
    mirror = http2(raw=lambda _: mirror.gate().wait())
    h = proxy(mirror, f"timeout={scaled(2)}s")
    assert h.get_many(f"/o/{n}" for n in range(10)) == [200] * 10
    assert h.ended(10) == {"timed_out": 10}
    assert mirror.connections == 2
    assert h.get_many(f"/o/{n}" for n in range(10)) == [200] * 10
    assert h.ended(20) == {"timed_out": 20}
    assert mirror.connections == 3
    mirror.raw = None
    assert h.get("/o/last").status == 200
    assert h.ended(21) == {"timed_out": 20, "mirrored": 1}


@pytest.mark.parametrize("attributes", ["", "max_connections=1"])
def test_one_connection_that_says_nothing(proxy, http2, attributes):
    """As during a restart: it costs its own copy, and not those that wait."""
    silent = []
    mirror = http2()
    h = proxy(mirror, f"timeout={scaled(2)}s {attributes}")
    for turn in (1, 2):
        mirror.raw = lambda sock: silent.append(sock) or mirror.gate().wait()
        assert h.get_many(f"/o/{n}" for n in range(10)) == [200] * 10
        wait_for("the connection", lambda turn=turn: len(silent) == turn)
        mirror.raw = None
        assert h.ended(10 * turn) == {"timed_out": turn, "mirrored": 9 * turn}
        mirror.peers[-1].sock.shutdown(socket.SHUT_RDWR)
        wait_for("the end of the connections", lambda: h.mirror()["state"]["connections"] == 0)


def test_lower_limit_while_streams_are_open(proxy, mirror):
    h = proxy(mirror, f"max_connections=1 timeout={scaled(20)}s")
    warm(h, mirror)
    go = mirror.hold()
    assert h.get_many(f"/o/{n}" for n in range(10)) == [200] * 10
    mirror.wait_complete(11)
    peer = mirror.peers[0]
    peer.update(streams=2)
    wait_for("acknowledged", lambda: peer.settings_acked >= 2)
    assert h.get_many(f"/o/b{n}" for n in range(10)) == [200] * 10
    wait_for("10 queued", lambda: h.mirror()["state"]["queued"] == 10)
    peer.most = 0
    go()
    assert h.ended(21) == {"mirrored": 21}
    assert peer.most <= 10 and not mirror.errors


# ---- time ----

def test_one_of_ten_times_out(proxy, mirror):
    h = proxy(mirror, f"timeout={scaled(1)}s")
    warm(h, mirror)
    mirror.respond = lambda peer, request: request.path == "/o/3" or respond()(peer, request)
    assert h.get_many(f"/o/{n}" for n in range(10)) == [200] * 10
    assert h.ended(11) == {"mirrored": 10, "timed_out": 1}
    mirror.wait_until("a reset", lambda: list(mirror.peers[0].resets.values()) == [8])
    assert h.get("/o/last").status == 200
    assert h.ended(12) == {"mirrored": 11, "timed_out": 1}
    assert mirror.connections == 1


def test_silent_connection(proxy, mirror):
    """Nothing is read any more: all its copies end, and the next one has a new connection."""
    h = proxy(mirror, f"timeout={scaled(1)}s")
    warm(h, mirror)
    go = mirror.hold()
    assert h.get_many(f"/o/{n}" for n in range(10)) == [200] * 10
    assert h.ended(11) == {"mirrored": 1, "timed_out": 10}
    go()
    assert h.get("/o/last").status == 200
    assert h.ended(12) == {"mirrored": 2, "timed_out": 10}
    assert mirror.connections == 2


def test_slow_response_and_others(proxy, mirror):
    """What began later has its own time, though nothing was read for the whole time of the first one; until something is
    read, the next copies have a new connection."""
    h = proxy(mirror, f"timeout={scaled(2)}s")
    warm(h, mirror)
    kept = []
    mirror.respond = lambda peer, request: kept.append((peer, request))
    assert h.get("/o/slow").status == 200
    then = time.monotonic()
    wait_for("half of its time", lambda: time.monotonic() - then > scaled(1))
    for n in range(5):
        assert h.request("POST", f"/o/{n}", [], b"x").status == 200
    wait_for("the end of /o/slow", lambda: h.outcomes().get("timed_out"))
    mirror.respond = respond()
    assert h.get("/o/next").status == 200
    wait_for("the next one", lambda: h.outcomes() == {"mirrored": 2, "timed_out": 1})
    assert mirror.connections == 2
    for peer, request in kept[1:]:
        respond()(peer, request)
    assert h.ended(8) == {"mirrored": 7, "timed_out": 1}
    assert h.get_many(f"/o/{n}" for n in range(5)) == [200] * 5
    assert h.ended(13) == {"mirrored": 12, "timed_out": 1}
    assert mirror.connections == 2


def test_second_attempt_with_little_time(proxy, mirror):
    """It times out soon, and says nothing of the connection and its other copies."""
    h = proxy(mirror, f"timeout={scaled(2)}s")
    warm(h, mirror)
    kept = []

    def serve(peer, request):
        if request.path == "/o/a" and mirror.times()["/o/a"] == 1:
            threading.Timer(scaled(1.5), peer.reset, (request.stream, 7)).start()
        else:
            kept.append((peer, request))
    mirror.respond = serve
    assert h.get("/o/a").status == 200
    mirror.wait_complete(3)
    assert h.get("/o/b").status == 200
    mirror.wait_complete(4)
    wait_for("the end of /o/a", lambda: h.outcomes().get("timed_out"))
    respond()(*kept[1])
    assert h.ended(3) == {"mirrored": 2, "timed_out": 1}
    assert mirror.connections == 1


def test_keepalive(proxy, mirror):
    h = proxy(mirror, "keepalive=200ms")
    warm(h, mirror)
    mirror.wait_until("GOAWAY", lambda: mirror.peers[0].left)
    mirror.wait_until("a close", lambda: mirror.open == 0)
    warm(h, mirror, 2)
    assert mirror.connections == 2


def test_no_keepalive(proxy, mirror):
    h = proxy(mirror, "keepalive=0")
    warm(h, mirror)
    warm(h, mirror, 2)
    mirror.wait_until("two closes", lambda: mirror.open == 0 and mirror.connections == 2)


# ---- what is refused, and comes again ----

@pytest.mark.parametrize("double", [False, True])
def test_goaway_with_fifty_streams(proxy, mirror, double):
    """Those above its last stream arrive once, on a new connection, POSTs among them."""
    h = proxy(mirror, f"timeout={scaled(20)}s max_connections=1")
    warm(h, mirror)
    go = mirror.hold()
    for n in range(50):
        assert h.request("POST", f"/o/{n}", [], b"body").status == 200
    mirror.wait_complete(51)
    peer = mirror.peers[0]
    kept = sorted(peer.requests)[1:21]
    if double:
        peer.goaway(0x7fffffff)
    lost = [peer.requests[n].path for n in peer.requests if n > kept[-1]]
    peer.goaway(kept[-1])
    mirror.wait_until("the others again", lambda: len(mirror.requests) >= 51 or mirror.connections > 1)
    go()
    assert h.ended(51) == {"mirrored": 51}
    times = mirror.times()
    assert {path for path, n in times.items() if n == 2} == set(lost)
    assert max(times.values()) == 2
    assert mirror.connections == 2


def test_refused_once(proxy, mirror):
    seen = set()

    def once(peer, request):
        if request.path in seen:
            respond()(peer, request)
        else:
            seen.add(request.path)
            peer.reset(request.stream, 7)
    mirror.respond = once
    h = proxy(mirror)
    for n in range(5):
        assert h.request("POST", f"/o/{n}", [], b"body").status == 200
    assert h.ended(5) == {"mirrored": 5}
    assert set(mirror.times().values()) == {2}
    assert mirror.connections == 1


def test_refused_always(proxy, mirror):
    mirror.respond = lambda peer, request: peer.reset(request.stream, 7)
    h = proxy(mirror)
    assert h.get_many(f"/o/{n}" for n in range(5)) == [200] * 5
    assert h.ended(5) == {"broken": 5}
    assert set(mirror.times().values()) == {2}


@pytest.mark.parametrize("code, outcome", [(0, "mirrored"), (8, "mirrored"), (7, "mirrored")])
def test_reset_behind_a_whole_response(proxy, mirror, code, outcome):
    """A mirror that responds before the whole body has come, and wants no more of it."""
    mirror.updates = False
    mirror.settings = {}

    def early(request):
        peer = request.peer
        respond()(peer, request)
        peer.raw(b"\0\0\4\3\0" + request.stream.to_bytes(4, "big") + code.to_bytes(4, "big"))
    note = mirror.note

    def at_once(request):
        note(request)
        if request.path == "/o/early":
            early(request)
    mirror.note = at_once
    h = proxy(mirror)
    warm(h, mirror)
    assert h.request("POST", "/o/early", [], b"x" * 500000).status == 200
    assert h.ended(2) == {outcome: 2}
    warm(h, mirror, 3)


@pytest.mark.parametrize("code", [1, 2, 8, 11])
def test_reset_before_the_end(proxy, mirror, code):
    mirror.respond = lambda peer, request: peer.reset(request.stream, code)
    h = proxy(mirror)
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"broken": 1}
    assert len(mirror.requests) == 1


def test_http_1_1_required(proxy, mirror):
    mirror.respond = lambda peer, request: peer.reset(request.stream, 13)
    h = proxy(mirror, "retry=10s", expect=["mirror m is down"])
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"broken": 1}
    assert h.get("/o/b").status == 200
    assert h.ended(2) == {"broken": 1, "unreachable": 1}


def test_server_of_http_1_1(proxy, recorder):
    """It counts as down: one connection for each `retry`."""
    mirror = recorder()
    h = proxy(SimpleNamespace(url=mirror.url.replace("http:", "h2c:")), "retry=10s", expect=["mirror m is down: HTTP/2"])
    assert h.get_many(f"/o/{n}" for n in range(20)) == [200] * 20
    outcomes = h.ended(20)
    assert outcomes["broken"] == mirror.connections <= 2
    assert outcomes["unreachable"] == 20 - outcomes["broken"]


# ---- a connection that is lost ----

def test_lost_connection(proxy, mirror):
    """Copies without a response: GETs come again, POSTs do not."""
    h = proxy(mirror, f"timeout={scaled(20)}s max_connections=1")
    warm(h, mirror)
    go = mirror.hold()
    for n in range(5):
        assert h.request("POST", f"/o/p{n}", [], b"body").status == 200
        assert h.get(f"/o/g{n}").status == 200
    mirror.wait_complete(11)
    mirror.respond = respond()
    mirror.peers[0].sock.shutdown(2)
    assert h.ended(11) == {"mirrored": 6, "broken": 5}
    times = mirror.times()
    assert all(times[f"/o/p{n}"] == 1 and times[f"/o/g{n}"] == 2 for n in range(5))
    assert mirror.connections <= 6      # each of them may be alone: the mirror has ended a connection after one response
    go()


# ---- flow control ----

@pytest.mark.parametrize("window", [1, 1000])
def test_small_window(proxy, http2, window):
    mirror = http2(settings={"window": window})
    h = proxy(mirror, f"timeout={scaled(20)}s")
    warm(h, mirror)
    body = os.urandom(2000 if window == 1 else 300000)
    assert h.request("POST", "/o/a", [], body).status == 200
    assert h.ended(2) == {"mirrored": 2}
    assert mirror.requests[1].body == body


def test_closed_window_and_others(proxy, http2):
    mirror = http2(settings={"window": 0})
    h = proxy(mirror, f"timeout={scaled(20)}s max_connections=1")
    warm(h, mirror)
    assert h.request("POST", "/o/a", [], b"x" * 100000).status == 200
    mirror.wait(2)
    assert h.get("/o/other").status == 200
    wait_for("the other one", lambda: h.outcomes() == {"mirrored": 2})
    assert h.mirror()["state"]["in_flight"] == 1
    mirror.peers[0].update(window=1 << 20)
    assert h.ended(3) == {"mirrored": 3}
    assert mirror.requests[1].body == b"x" * 100000


@pytest.mark.long
def test_long_response_and_others(proxy, http2):
    mirror = http2()
    piece = b"x" * 16384
    done = []

    def respond_long(peer, request):
        if request.path != "/o/long":
            respond()(peer, request)
            return
        threading.Thread(target=stream, args=(peer, request), daemon=True).start()

    def stream(peer, request):
        peer.send(request.stream, [(":status", "200")])
        for _ in range(100 << 20 >> 14):
            peer.send(request.stream, None, piece)
        peer.send(request.stream, None, b"end", end=True)
        done.append(1)
    mirror.respond = respond_long
    h = proxy(mirror, f"timeout={scaled(60)}s max_connections=1")
    warm(h, mirror)
    before = memory(h)
    assert h.get("/o/long").status == 200
    for n in range(20):
        assert h.get(f"/o/{n}").status == 200
    outcomes = wait_for("others", lambda: h.outcomes().get("mirrored", 0) >= 21 and h.outcomes())
    assert outcomes["mirrored"] >= 21
    wait_for("the end", lambda: h.outcomes().get("mirrored", 0) == 22, 60)
    wait_for("the end of its thread", lambda: done)
    assert memory(h) - before < (2 << 20) + OF_A_SANITIZER
    assert mirror.connections == 1


# ---- change and end ----

@pytest.mark.long
def test_host_from_http_to_h2c_and_back(proxy, mirror, recorder):
    plain = recorder()
    h = proxy(plain, f"timeout={scaled(20)}s", MANAGER)
    sent = 0
    for turn in range(6):
        target = mirror if turn % 2 == 0 else plain
        assert h.get_many(f"/o/{turn}-{n}" for n in range(50)) == [200] * 50
        patch(h, {"host": target.url})
        assert h.get_many(f"/o/{turn}+{n}" for n in range(50)) == [200] * 50
        sent += 100
    assert h.ended(sent) == {"mirrored": sent}
    assert len(mirror.requests) + len(plain.requests) == sent
    assert len(mirror.requests) >= 150 and len(plain.requests) >= 150


def test_graceful_restart_drains_streams(proxy, mirror):
    h = proxy(mirror, f"timeout={scaled(20)}s", children=None)     # under prefork, a new child has to start beside the old one
    warm(h, mirror)
    go = mirror.hold()
    assert h.get_many(f"/o/{n}" for n in range(20)) == [200] * 20
    mirror.wait_complete(21)
    h.graceful()
    go()
    assert h.ended(21) == {"mirrored": 21}


def test_drain_timeout(proxy, mirror):
    h = proxy(mirror, f"timeout={scaled(60)}s", "ProxyMirrorDrainTimeout 1s\n")
    warm(h, mirror)
    mirror.hold()
    assert h.get_many(f"/o/{n}" for n in range(20)) == [200] * 20
    mirror.wait_complete(21)
    h.graceful()
    assert h.ended(21) == {"mirrored": 1, "shut_down": 20}
    mirror.wait_until("closed", lambda: mirror.open == 0)


def test_killed_child(proxy, mirror):
    h = proxy(mirror, f"timeout={scaled(60)}s")
    warm(h, mirror)
    mirror.hold()
    assert h.get_many(f"/o/{n}" for n in range(20)) == [200] * 20
    mirror.wait_complete(21)
    (pid,) = h.pids()
    h.expected.append("exit signal Killed")
    os.kill(pid, signal.SIGKILL)
    assert h.ended(21) == {"mirrored": 1, "shut_down": 20}


def test_unix_socket(proxy, http2):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        mirror = http2(path=f"{folder}/s")
        h = proxy(mirror, "host_header=target")
        warm(h, mirror)
        assert mirror.one().header(":authority") == ["mirror.local"]
