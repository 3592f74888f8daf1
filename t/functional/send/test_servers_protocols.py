"""Several servers behind one mirror that speak TLS or HTTP/2, of which one does so badly, or hardly ever."""
from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from types import SimpleNamespace

import pytest

from http2lab import respond
from httpdlab import location, scaled, to, wait_for
from managerlab import MANAGER, patch
from marks import needs_http2
from recorder import answer
from serverslab import DOWN, EJECTED, SERVER_DOWN, counts, gets, listed, one_by_one, servers, state      # noqa: F401, a fixture
from tlslab import server, strict

TLS = ["AH02411", "AH01114", "AH02003", "AH01998", "AH02039", "SSL"]


def silent(sock) -> None:
    """Read, and never write."""
    while sock.recv(65536):
        pass


def garbage(sock) -> None:
    sock.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def closes(sock) -> None:
    pass


def copy_without_pause(h, what: str, condition) -> None:
    """Requests, whether their copies have ended or not, until that is true."""
    def found() -> bool:
        assert h.get("/o/a").status == 200
        return condition()
    wait_for(what, found)


@pytest.fixture
def late():
    """Responds to a request over HTTP/2 some time later."""
    timers = []

    def start(peer, request, seconds: float = 0.2) -> None:
        timers.append(threading.Timer(seconds, respond(), (peer, request)))
        timers[-1].start()
    yield start
    for timer in timers:
        timer.join()


@pytest.mark.parametrize("fault", [silent, garbage, closes])
def test_one_that_does_not_shake_hands(httpd, origin, authority, https, recorder, fault):
    """It alone is down, the others have the copies, and when it shakes hands it has its share."""
    good = server(authority.issue("some", "DNS:some.test"))
    first = https(good, host="127.0.0.1")
    made = [first, https(good, host="127.0.0.3", port=first.port)]
    bad = recorder(host="127.0.0.2", port=first.port, takeover=fault)
    h = httpd(strict(authority) + location("/o/", origin, listed(
        [bad, *made], f"retry=1h connect_timeout={int(scaled(1) * 1000)}ms keepalive=0", scheme="https")), modules=("ssl",),
        children=1, expect=[SERVER_DOWN, *TLS])
    began = time.monotonic()
    one_by_one(h, 20)
    assert time.monotonic() - began < scaled(5)
    wait_for("the server to be down", lambda: h.get("/o/a").status == 200 and state(h)["127.0.0.2"]["down_until"])
    h.wait_idle()
    assert list(h.outcomes()) == ["mirrored"] and all(counts(made))
    assert [state(h)[f"127.0.0.{n}"]["down_until"] is None for n in (1, 2, 3)] == [True, False, True]
    assert len(h.log_lines(SERVER_DOWN)) == 1 and not h.log_lines(DOWN)


def test_one_that_closes_after_the_handshake(httpd, origin, authority, https):
    """As one that rejects a certificate with TLS 1.3: what it gets are few copies, and the mirror is up."""
    good = server(authority.issue("some", "DNS:some.test"))
    first = https(good, host="127.0.0.1")
    made = [first, https(good, host="127.0.0.3", port=first.port)]
    bad = https(good, host="127.0.0.2", port=first.port, takeover=lambda sock: sock.unwrap())
    h = httpd(strict(authority) + location("/o/", origin, listed([bad, *made], "retry=1h", scheme="https")), modules=("ssl",),
              children=1, expect=[SERVER_DOWN, *TLS])
    one_by_one(h, 40)
    got = h.outcomes()
    assert got["mirrored"] >= 38 and got.keys() <= {"mirrored", "tls_failed", "broken"}, got
    assert sum(counts(made)) == got["mirrored"] and all(counts(made))
    out = state(h)["127.0.0.2"]
    assert h.mirror()["state"]["name"] == "up" and not h.log_lines(DOWN)
    # others may keep all copies from it, after the first
    assert len(h.log_lines(SERVER_DOWN)) == 1 if out["down_until"] else out["failed"] <= 2


@needs_http2
def test_one_without_settings(httpd, origin, http2):
    """A connection that was never confirmed takes one copy; the server is left out in the end."""
    first = http2(host="127.0.0.1")
    made = [first, http2(host="127.0.0.3", port=first.port)]
    bad = http2(host="127.0.0.2", port=first.port, raw=silent)
    timeout = scaled(0.5)
    h = httpd(location("/o/", origin, listed([bad, *made], f"retry=1h timeout={int(timeout * 1000)}ms", scheme="h2c")),
              children=1, expect=[EJECTED, SERVER_DOWN])
    count, end = 0, time.monotonic() + scaled(20)
    while not state(h)["127.0.0.2"]["down_until"]:
        assert time.monotonic() < end
        gets(h, 20)
        count += 20
    got = h.ended(count)
    assert got.keys() == {"mirrored", "timed_out"} and got["timed_out"] <= 22 + 6, got      # its share of connections
    before = bad.connections
    gets(h, 40)
    assert h.ended(count + 40) == {**got, "mirrored": got["mirrored"] + 40}
    assert bad.connections == before and h.mirror()["state"]["name"] == "up"


@needs_http2
def test_one_that_does_not_speak_http2(httpd, origin, http2, recorder):
    """It alone is down, with no copy lost that it has not read."""
    first = http2(host="127.0.0.1")
    made = [first, http2(host="127.0.0.3", port=first.port)]
    bad = recorder(host="127.0.0.2", port=first.port, takeover=garbage)
    h = httpd(location("/o/", origin, listed([bad, *made], "retry=1h", scheme="h2c")), children=1, expect=[SERVER_DOWN])
    one_by_one(h, 30)
    copy_without_pause(h, "the server to be down", lambda: state(h)["127.0.0.2"]["down_until"])
    count = h.mirror()["seen"]
    got = h.ended(count)
    assert bad.connections < 3 and all(counts(made)), counts(made)
    assert got["mirrored"] >= count - 1 and got.keys() <= {"mirrored", "broken"}, got
    assert state(h)["127.0.0.2"]["down_until"] and len(h.log_lines(SERVER_DOWN)) == 1 and not h.log_lines(DOWN)


@needs_http2
def test_servers_that_leave_all_the_time(httpd, origin, http2):
    """Each sends GOAWAY after every few requests, with what it has not processed: no copy is responded to twice,
    and broken are only those that two servers in a row have not processed."""
    first = http2(host="127.0.0.1")
    made = [first, *(http2(host=f"127.0.0.{n}", port=first.port) for n in (2, 3))]
    answered: list[str] = []
    lock = threading.Lock()

    def leaving(peer, request) -> None:
        with lock:
            if peer.left or peer.mirror_last and request.stream > peer.mirror_last:
                return
            answered.append(request.path)
            leaves = request.stream >= 9
            if leaves:
                peer.mirror_last = request.stream
        respond()(peer, request)
        if leaves:
            peer.goaway(request.stream)
    for one in made:
        one.respond = leaving
    h = httpd(location("/o/", origin, listed(made, "max_queue=10000 streams=2", scheme="h2c")), children=1,
              expect=[EJECTED])
    h.get_many(f"/o/{n}" for n in range(300))
    got = h.ended(300)
    assert got.keys() <= {"mirrored", "broken"} and got["mirrored"] == len(answered) >= 200, got
    assert len(set(answered)) == len(answered) and all(counts(made))
    times = sum((one.times() for one in made), Counter())
    assert max(times.values()) <= 2 and got.get("broken", 0) <= sum(n == 2 for n in times.values())


def test_one_that_accepts_and_closes(httpd, origin, recorder, servers):
    """As a load balancer without servers does: its turn comes in vain each time, and not in place of another's."""
    made = servers(2)
    bad = recorder(host="127.0.0.3", port=made[0].port, takeover=closes)
    h = httpd(location("/o/", origin, listed([bad, *made], "retry=1h")), children=1, expect=[EJECTED])
    one_by_one(h, 60)
    got = h.outcomes()
    assert got["mirrored"] >= 50 and got.keys() <= {"mirrored", "broken"}, got
    assert min(counts(made)) >= 20, counts(made)


@pytest.mark.long
def test_servers_that_flap(httpd, origin, servers):
    """They break six copies, and respond to the one that tests them: each time a server is left out, it is for `retry`, and
    that is said once each time. The others have what it does not get."""
    made = servers(4)
    retry = scaled(0.5)
    for one in made[:2]:
        one.answer = lambda sock, message, one=one: len(one.requests) % 7 == 0 and answer()(sock, message)
    h = httpd(location("/o/", origin, listed(made, f"retry={int(retry * 1000)}ms")), children=1, expect=[EJECTED])
    count, began = 0, time.monotonic()
    while time.monotonic() < began + 6 * retry:
        count += 1
        one_by_one(h, 1, count - 1)
    took = time.monotonic() - began
    lines = len(h.log_lines(EJECTED))
    assert 2 <= lines <= 2 * (took / retry + 2)
    assert len(h.log_lines("PM0433")) <= lines
    got = h.outcomes()
    assert got["broken"] <= 5 * lines + 10 and not h.log_lines(DOWN)
    assert sum(counts(made[2:])) > 3 * sum(counts(made[:2]))


@needs_http2
@pytest.mark.parametrize("path", ["/o/a", "/o/never"])
def test_more_servers_than_connections_of_http2(httpd, origin, http2, late, path):
    """The only connection always has copies: it gets no more of them after a moment, and the other server has the next ones, also
    if one of its copies is not responded to. Then there are two connections for that time."""
    first = http2(host="127.0.0.1")
    made = [first, http2(host="127.0.0.2", port=first.port)]
    held = []

    def later(peer, request) -> None:
        if request.path == "/o/never":
            held.append((peer, request))
            return
        late(peer, request)
    for one in made:
        one.respond = later
    h = httpd(location("/o/", origin, listed(made, "max_connections=1 timeout=1h", scheme="h2c")), children=1)
    assert h.get(path).status == 200
    count, most = 1, 0

    def both() -> bool:
        nonlocal count, most
        count += 1
        assert h.get("/o/a").status == 200
        most = max(most, sum(one["connections"] for one in state(h).values()))
        return min(counts(made)) >= (5 if path == "/o/a" else 1) and max(counts(made)) >= 40
    wait_for("copies at both servers", both)
    for peer, request in held:
        respond()(peer, request)
    assert h.ended(count) == {"mirrored": count} and most <= 2


@needs_http2
def test_retried_copies_beside_busy_connections_of_http2(httpd, origin, http2, late):
    """A connection that has yielded ends without a response. Its copy is retried at the only server that is left, though that always
    has copies on the one connection that it may have."""
    first = http2(host="127.0.0.1")
    made = [first, http2(host="127.0.0.2", port=first.port)]
    held = []

    def later(peer, request) -> None:
        if request.path == "/o/once" and not held:
            held.append(peer)
            return
        late(peer, request, 1)
    for one in made:
        one.respond = later
    down = SimpleNamespace(host="127.0.0.3", port=first.port)
    h = httpd(location("/o/", origin, listed([*made, down], "max_connections=1 timeout=1h retry=1h", scheme="h2c")) + MANAGER,
              children=1, expect=[SERVER_DOWN])
    assert h.get("/o/once").status == 200
    wait_for("the copy that waits", lambda: held)
    leaves = held[0].mirror
    (stays,) = set(made) - {leaves}
    copy_without_pause(h, "responses of both servers", lambda: state(h)["127.0.0.3"]["down_until"] and
                       state(h)[leaves.host]["in_flight"] == 1 and state(h)[stays.host]["mirrored"])
    patch(h, {"servers": [f"{one.host}:{one.port}" for one in (stays, down)]})
    held[0].sock.shutdown(socket.SHUT_RDWR)
    copy_without_pause(h, "the second attempt", lambda: stays.times()["/o/once"])
    count = h.mirror()["seen"]
    assert h.ended(count) == {"mirrored": count}


@needs_http2
@pytest.mark.parametrize("most", [64, 2])
def test_one_of_http2_that_comes_back(httpd, origin, http2, late, most):
    """After it was down, and after it was left out: a connection tests it without a copy, also if the others have copies on all
    connections that the mirror may have."""
    first = http2(host="127.0.0.1")
    made = [first, http2(host="127.0.0.2", port=first.port)]
    for one in made:
        one.respond = late
    down = SimpleNamespace(host="127.0.0.3", port=first.port)
    h = httpd(location("/o/", origin, listed([*made, down], f"max_connections={most} retry=100ms", scheme="h2c")), children=1,
              expect=[SERVER_DOWN, EJECTED])
    copy_without_pause(h, "the server to be down", lambda: state(h)[down.host]["down_until"] and all(counts(made)))
    third = http2(host=down.host, port=down.port)
    copy_without_pause(h, "copies to it", lambda: state(h)[down.host]["mirrored"] >= 3)
    third.respond = lambda peer, request: peer.reset(request.stream, 8)
    copy_without_pause(h, "its ejection", lambda: state(h)[down.host]["down_until"])
    third.respond = respond()
    before = state(h)[down.host]["mirrored"]
    copy_without_pause(h, "copies to it again", lambda: state(h)[down.host]["mirrored"] >= before + 3)
    count = h.mirror()["seen"]
    assert h.ended(count).keys() == {"mirrored", "broken"}
    assert len(h.log_lines("PM0433: .*127.0.0.3:.* is up again")) == 2


@needs_http2
def test_one_that_never_confirms_a_test(httpd, origin, http2):
    """A test of a server that accepts connections, and does not send SETTINGS, lasts `connect_timeout`; there is one at a time."""
    first = http2(host="127.0.0.1")
    down = SimpleNamespace(host="127.0.0.2", port=first.port)
    h = httpd(location("/o/", origin, listed([first, down], "retry=10ms connect_timeout=1s", scheme="h2c")), children=1,
              expect=[SERVER_DOWN])
    copy_without_pause(h, "the server to be down", lambda: state(h)[down.host]["down_until"])
    bad = http2(host=down.host, port=down.port, raw=silent)
    began = time.monotonic()
    copy_without_pause(h, "the second test", lambda: bad.connections >= 2)
    assert time.monotonic() - began > 0.9
    wait_for("the end of the first one", lambda: bad.open <= 1)
    count = h.mirror()["seen"]
    assert h.ended(count) == {"mirrored": count}


@needs_http2
@pytest.mark.parametrize("count", [1, 3])
def test_fewer_connections_of_http2(httpd, origin, http2, late, count):
    """A lower max_connections is followed although no connection is ever without copies. Of several servers, the one whose turn it
    is has a connection while that of another one ends its copies."""
    first = http2(host="127.0.0.1")
    made = [first, *(http2(host=f"127.0.0.{n}", port=first.port) for n in range(2, count + 1))]
    for one in made:
        one.respond = late
    mirrors = listed(made, "streams=2", scheme="h2c") if count > 1 else f'ProxyMirror "h2c://127.0.0.1:{first.port}" name=m streams=2'
    h = httpd(MANAGER + location("/o/", origin, mirrors), children=1)
    copy_without_pause(h, "four connections", lambda: h.mirror()["state"]["connections"] >= 4)
    patch(h, {"max_connections": 1, "streams": 100})
    copy_without_pause(h, "fewer connections", lambda: h.mirror()["state"]["connections"] <= min(count, 2))
    assert h.ended(h.mirror()["seen"]).keys() == {"mirrored"}


@needs_http2
def test_fewer_connections_of_http2_with_long_calls(httpd, origin, http2, late):
    """A lower max_connections is followed although each connection has a copy that takes long: all but one get no more copies. If it is
    raised again meanwhile, they do, and no others are opened beside them."""
    mirror = http2()
    long, latest = {}, []

    def some(peer, request) -> None:
        latest.append(peer)
        if long.setdefault(peer, request) is not request:
            late(peer, request, 0.05)
    mirror.respond = some
    h = httpd(MANAGER + location("/o/", origin, to(mirror, "streams=2 max_connections=4 timeout=1h")), children=1)
    copy_without_pause(h, "four connections", lambda: len(long) == 4)
    assert set(h.get_many(["/o/a"] * 200)) == {200}
    for most in (1, 4):
        patch(h, {"max_connections": most})
        assert h.get("/o/a").status == 200
        latest.clear()
        wait_for(f"copies on {most} of them", lambda: len(set(latest[-10:])) == most and len(latest) >= 10)
    assert mirror.connections == 4 and h.mirror()["state"]["queued"]
    for peer, request in long.items():
        respond()(peer, request)
    assert h.ended(h.mirror()["seen"]).keys() == {"mirrored"}


@pytest.mark.parametrize("busy", [True, False])
@pytest.mark.parametrize("count", [1, 3])
def test_fewer_connections_of_http1(httpd, origin, recorder, count, busy):
    """A lower max_connections is followed by those that copies wait for, and by those that are idle."""
    first = recorder(host="127.0.0.1")
    made = [first, *(recorder(host=f"127.0.0.{n}", port=first.port) for n in range(2, count + 1))]
    begun, slow = first.gate(), first.gate()
    for one in made:
        one.answer = lambda sock, message: begun.wait() and (slow.wait(0.05) or answer()(sock, message))
    mirrors = listed(made) if count > 1 else to(first)
    h = httpd(MANAGER + location("/o/", origin, mirrors), children=1)
    copy_without_pause(h, "eight connections", lambda: h.mirror()["state"]["connections"] >= 8)
    begun.set()
    if not busy:
        h.ended(h.mirror()["seen"])
    patch(h, {"max_connections": 3, "max_queue": 10000})
    copy_without_pause(h, "fewer connections", lambda: h.mirror()["state"]["connections"] <= 3)
    assert h.ended(h.mirror()["seen"]).keys() == {"mirrored"}


@needs_http2
@pytest.mark.parametrize("more", [0, 1])
def test_connecting_to_a_test_that_hangs(httpd, origin, http2, recorder, late, more):
    """It takes no place of max_connections: the copies go on, on the only connection that the mirror may have."""
    first = http2(host="127.0.0.1")
    made = [first, *(http2(host=f"127.0.0.{n + 3}", port=first.port) for n in range(more))]
    hanging = recorder(host="127.0.0.2", port=first.port, listen=False)
    waiting = hanging.fill_backlog()
    times = []

    def note(peer, request) -> None:
        times.append(time.monotonic())
        late(peer, request)
    for one in made:
        one.respond = note
    h = httpd(location("/o/", origin, listed([*made, hanging], f"max_connections=1 streams=100 retry=100ms "
                       f"connect_timeout={int(scaled(2) * 1000)}ms", scheme="h2c")), children=1, expect=[SERVER_DOWN])
    copy_without_pause(h, "the server to be down", lambda: state(h)[hanging.host]["down_until"])
    times.clear()
    began = time.monotonic()
    copy_without_pause(h, "two tests", lambda: time.monotonic() - began > scaled(5))
    assert max(after - before for before, after in zip(times, times[1:])) < scaled(1.2)
    assert h.ended(h.mirror()["seen"]).keys() == {"mirrored"}
    for sock in waiting:
        sock.close()


@needs_http2
def test_mirror_that_is_down_with_a_new_server_that_is_silent(httpd, origin, http2):
    """Its connection is the mirror's probe, which has the whole timeout for its copy, and no test beside others."""
    port = http2(host="127.0.0.3").port
    down = [SimpleNamespace(host="127.0.0.1", port=port), SimpleNamespace(host="127.0.0.4", port=port)]
    h = httpd("ProxyMirrorAllowHost 127.0.0.2\n" + MANAGER + location("/o/", origin, listed(
        down, f"retry={int(scaled(2) * 1000)}ms connect_timeout=1s timeout=1s", scheme="h2c")), children=1, expect=[DOWN, SERVER_DOWN])
    copy_without_pause(h, "the mirror to be down", lambda: h.mirror()["state"]["name"] == "down")
    bad = http2(host="127.0.0.2", port=port, raw=silent)
    patch(h, {"servers": [f"{one.host}:{port}" for one in (*down, bad)]})
    copy_without_pause(h, "a connection to it", lambda: bad.connections)
    began = time.monotonic()
    copy_without_pause(h, "the end of the probe", lambda: time.monotonic() - began > scaled(1.5))
    assert bad.connections <= 2
    assert h.ended(h.mirror()["seen"])["timed_out"] >= 1
