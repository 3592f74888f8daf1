"""When a copy leaves, and that nobody waits for it."""
from __future__ import annotations

import statistics
import threading
import time

import pytest

from copies import assert_copy
from httpdlab import location, scaled, to, wait_for
from recorder import answer, ok
from wire import chunked, request


def in_background(call):
    """Run it in a thread; its result is appended to the list that is returned, once the thread was joined."""
    got = []
    thread = threading.Thread(target=lambda: got.append(call()), daemon=True)
    thread.start()
    return thread, got


@pytest.mark.smoke
def test_copy_leaves_when_the_response_begins(httpd, origin, mirror):
    gate = origin.hold()
    h = httpd(location("/o/", origin, to(mirror)))
    thread, got = in_background(lambda: h.request("POST", "/o/a", [], b"body"))
    origin.wait(1)
    wait_for("the body to be captured", lambda: h.mirror()["state"]["queued"] == 1)
    assert mirror.connections == 0
    gate.set()
    thread.join(scaled(10))
    assert got[0].status == 200
    assert_copy(mirror.one(), "POST /o/a", "Content-Length: 4", body=b"body")


def test_copy_leaves_before_the_response_is_over(httpd, origin, mirror):
    gate = origin.gate()

    def begin_then_wait(sock, _):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhal")
        gate.wait()
        sock.sendall(b"ves")
        return True
    origin.answer = begin_then_wait
    h = httpd(location("/o/", origin, to(mirror), conf="flushpackets=on"))
    with h.client() as client:
        client.send(request("GET", "/o/a"))
        assert mirror.one().target == "/o/a"
        assert not gate.is_set()
        gate.set()
        assert client.answer().body == b"halves"


def test_interim_answers_do_not_begin_the_response(httpd, origin, mirror):
    gate = origin.gate()

    def hint_then_wait(sock, message):
        sock.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        gate.wait()
        return ok(sock, message)
    origin.answer = hint_then_wait
    h = httpd(location("/o/", origin, "SetEnv proxy-interim-response RFC", to(mirror)))
    with h.client() as client:
        client.send(request("GET", "/o/a"))
        assert client.stream.line().startswith(b"HTTP/1.1 103")
        assert mirror.connections == 0
        gate.set()
        assert client.stream.line().startswith(b"Link")
        assert client.stream.line() == b""
        assert client.answer().status == 200
    mirror.wait(1)


def test_copy_leaves_when_the_request_is_complete(httpd, origin, mirror):
    gate = origin.hold()
    h = httpd(location("/o/", origin, to(mirror, "when=request")))
    thread, got = in_background(lambda: h.request("POST", "/o/a", [], b"body"))
    assert_copy(mirror.one(), "POST /o/a", "Content-Length: 4", body=b"body")
    assert not got
    gate.set()
    thread.join(scaled(10))
    assert got[0].status == 200


def test_no_copy_before_the_body_is_complete(httpd, mirror):
    """Also when the response has begun long before: mod_reflector sends back what it reads."""
    h = httpd(f"""
        <Location "/o/">
            SetHandler reflector
            {to(mirror, "", "a")}
            {to(mirror, "when=request", "b")}
        </Location>""", modules=["reflector"])
    with h.client() as client:
        piece = b"x" * 60000
        client.send(request("POST", "/o/a", ["Transfer-Encoding: chunked"]) + b"%x\r\n%s\r\n" % (len(piece), piece))
        assert client.stream.line() == b"HTTP/1.1 200 OK"
        assert [h.mirror(name)["state"]["queued"] for name in "ab"] == [1, 1]
        assert mirror.connections == 0
        client.send(chunked(b"end"))
        assert client.stream.rest().endswith(b"end\r\n0\r\n\r\n")
    copies = mirror.wait(2)
    assert [copy.body == piece + b"end" for copy in copies] == [True, True]


@pytest.mark.smoke
def test_nobody_waits_for_the_mirror(httpd, origin, mirror):
    """The next requests on the client's connection, while the mirror holds the copy of the first."""
    gate = mirror.hold()
    h = httpd(location("/o/", origin, to(mirror)))
    took = []
    with h.client() as client:
        assert client.get("/o/first").status == 200
        mirror.wait(1)
        for n in range(20):
            start = time.monotonic()
            assert client.get(f"/o/{n}").status == 200
            took.append(time.monotonic() - start)
    assert not gate.is_set()
    assert statistics.median(took) < scaled(0.010)
    gate.set()
    assert h.ended(21) == {"mirrored": 21}


def test_nobody_waits_for_a_mirror_that_takes_nothing(httpd, origin, recorder):
    gate = threading.Event()
    mirror = recorder(takeover=lambda sock: gate.wait(scaled(30)))
    h = httpd(location("/o/", origin, to(mirror, "max_connections=2 timeout=60s")))
    with h.client() as client:
        for n in range(5):
            start = time.monotonic()
            client.send(request("POST", f"/o/{n}", [], b"x" * 1000000, close=False))
            assert client.answer().status == 200
            assert time.monotonic() - start < scaled(2)
    gate.set()
    assert h.ended(5) == {"broken": 5}


@pytest.mark.smoke
@pytest.mark.parametrize("how", ["", "when=request"])
def test_mirror_that_is_this_very_server(httpd, origin, how):
    h = httpd(lambda h: location("/o/", origin, f'ProxyMirror "http://127.0.0.1:{h.port}" name=m keepalive=0 {how}'))
    assert h.request("POST", "/o/a", [], b"x").status == 200
    assert h.ended(2) == {"mirrored": 1, "looped": 1}
    assert [r.body for r in origin.requests] == [b"x", b"x"]


def test_circle_of_two_servers(httpd, origin):
    """Two nodes of a fleet, with one id, each the mirror of the other."""
    second = httpd(location("/o/", origin))
    first = httpd(location("/o/", origin, f'ProxyMirror "http://127.0.0.1:{second.port}" name=m'))
    second.conf = location("/o/", origin, f'ProxyMirror "http://127.0.0.1:{first.port}" name=m')
    second.configure()
    second.graceful()
    assert first.get("/o/a").status == 200
    assert first.ended(1) == {"mirrored": 1}
    assert second.ended(1) == {"looped": 1}
    assert len(origin.wait(2)) == 2


def test_random_ids_differ_and_stay(httpd, origin, mirror):
    ids = []
    for _ in range(2):
        h = httpd(location("/o/", origin, to(mirror)), mirror_id=None)
        for _ in range(2):
            before = len(mirror.requests)
            assert h.get("/o/a").status == 200
            ids.append(mirror.wait(before + 1)[before].header("X-Proxy-Mirror")[0])
            h.graceful()
    assert ids[0] == ids[1] != ids[2] == ids[3]
    assert len(ids[0]) >= 16


def test_answers_of_a_slow_mirror_are_read_to_their_end(httpd, origin, mirror):
    mirror.answer = answer(body=b"x" * 3000000)
    h = httpd(location("/o/", origin, to(mirror)), children=1)
    for n in range(3):
        assert h.get(f"/o/{n}").status == 200
        assert h.ended(n + 1) == {"mirrored": n + 1}
    assert mirror.connections == 1
