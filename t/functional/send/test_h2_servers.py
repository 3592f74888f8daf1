"""Real servers of HTTP/2 as mirrors: nghttpd, and httpd's own mod_http2; and comparison of their responses."""
from __future__ import annotations

import os
import signal
import socket
import subprocess
from types import SimpleNamespace

import pytest

from http2lab import respond
from httpdlab import free_port, location, scaled, to, wait_for
from marks import needs_http2, needs_mod_http2
from recorder import answer

pytestmark = needs_http2
SIZES = [0, 1, 70000, 1000000, 10_000_000]


@pytest.fixture
def nghttpd(tmp_path):
    """A server of nghttp2 without TLS that keeps its log; .requests() are its lines."""
    made = []

    def make(port=None):
        port = port or free_port()
        os.makedirs(tmp_path / "docs", exist_ok=True)
        (tmp_path / "docs" / "a").write_text("ok\n")
        log = open(tmp_path / "log", "ab")     # pylint: disable=consider-using-with
        process = subprocess.Popen(["stdbuf", "-oL", "nghttpd", "-v", "--no-tls", "--echo-upload", "-d", str(tmp_path / "docs"), "-a",
                                    "127.0.0.1", str(port)], stdout=log, stderr=subprocess.STDOUT)
        made.append((process, log))

        def is_there():
            with socket.socket() as sock:
                return sock.connect_ex(("127.0.0.1", port)) == 0
        wait_for("nghttpd", is_there)
        return SimpleNamespace(url=f"h2c://127.0.0.1:{port}", port=port, pid=process.pid, process=process,
                               log=lambda: (tmp_path / "log").read_text(errors="replace"))
    yield make
    for process, log in made:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait()
        log.close()


@pytest.fixture
def proxy(proxy):
    def make(mirror, attributes="", **options):
        return proxy(mirror, attributes, **{"children": 1, **options})
    return make


@pytest.mark.parametrize("size", SIZES)
def test_nghttpd(proxy, nghttpd, size):
    """It sends back a body that it gets."""
    mirror = nghttpd()
    h = proxy(mirror, "max_body=20M")
    assert h.request("POST" if size else "GET", "/o/a", [], os.urandom(size) if size else None).status == 200
    assert h.ended(1) == {"mirrored": 1}
    assert ":path: /o/a" in mirror.log()
    assert h.mirror()["responses"]["2xx" if size else "4xx"] == 1


@pytest.mark.long
def test_nghttpd_is_killed(proxy, nghttpd):
    """Again and again, and started anew: no POST arrives twice, and no GET three times."""
    mirror = nghttpd()
    h = proxy(mirror, f"retry=0 timeout={scaled(10)}s", expect=[r"PM0400: mirror m is down", r"PM0401|mirror m is up"])
    sent = arrived = 0
    for turn in range(8):
        for n in range(60):
            if n == 30:
                arrived = wait_for("copies of this turn", lambda: (found := h.outcomes().get("mirrored", 0)) > arrived and found)
                mirror.process.kill()
            assert h.request("POST", f"/o/p{turn}-{n}.", [], b"body").status == 200
            assert h.get(f"/o/g{turn}-{n}.").status == 200
            sent += 2
        mirror.process.wait()
        mirror = nghttpd(mirror.port)
    outcomes = h.ended(sent)
    assert set(outcomes) <= {"mirrored", "broken", "unreachable"}, outcomes
    log = mirror.log()
    for turn in range(8):
        for n in range(60):
            assert log.count(f":path: /o/p{turn}-{n}.") <= 1
            assert log.count(f":path: /o/g{turn}-{n}.") <= 2
    assert h.get("/o/last").status == 200
    assert h.ended(sent + 1)["mirrored"] == outcomes["mirrored"] + 1


@needs_mod_http2
def test_head_to_both(httpd, origin, nghttpd, recorder):
    """Their responses have the length of a body, and none. For a path that is not there nghttpd sends one, though."""
    behind = recorder()
    second = httpd("Protocols h2c\nH2Direct on\n" + location("/o/", SimpleNamespace(url=behind.url + "/o")), modules=("http2",))
    first = nghttpd()
    h = httpd(location("/o/", origin, to(first, "path=/a"), to(SimpleNamespace(url=f"h2c://127.0.0.1:{second.port}"), "", "n")), children=1)
    for n in range(1, 4):
        assert h.exchange(b"HEAD /o/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "HEAD").status == 200
        assert h.ended(n) == h.ended(n, "n") == {"mirrored": n}
    assert ":method: HEAD" in first.log()
    assert [request.start for request in behind.requests] == ["HEAD /o/a HTTP/1.1"] * 3
    assert h.mirror()["state"]["connections"] == 1


def test_nghttpd_is_stopped(proxy, nghttpd):
    """SIGSTOP: no copy waits for longer than the timeout; SIGCONT: copies go on."""
    mirror = nghttpd()
    h = proxy(mirror, f"timeout={scaled(1)}s")
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1}
    os.kill(mirror.pid, signal.SIGSTOP)
    assert h.get_many(f"/o/{n}" for n in range(10)) == [200] * 10
    assert h.ended(11) == {"mirrored": 1, "timed_out": 10}
    os.kill(mirror.pid, signal.SIGCONT)
    assert h.get("/o/a").status == 200
    assert h.ended(12) == {"mirrored": 2, "timed_out": 10}


@needs_mod_http2
@pytest.mark.parametrize("size", SIZES)
def test_httpd(httpd, origin, recorder, size):
    """The mirror is an httpd with mod_http2, which passes what it gets to a recorder."""
    behind = recorder()
    second = httpd("Protocols h2c\nH2Direct on\n" + location("/o/", SimpleNamespace(url=behind.url + "/o")),
                   modules=("http2",))
    h = httpd(location("/o/", origin, to(SimpleNamespace(url=f"h2c://127.0.0.1:{second.port}"), "max_body=20M")), children=1)
    body = os.urandom(size)
    method = "POST" if size else "GET"
    assert h.request(method, "/o/a?x=%2f", ["X-A: 1", "Cookie: c=d"], body or None).status == 200
    assert h.ended(1) == {"mirrored": 1}
    copy = behind.one()
    assert copy.start == f"{method} /o/a?x=%2f HTTP/1.1"
    assert copy.body == body
    assert copy.header("X-A") == ["1"] and copy.header("Cookie") == ["c=d"]
    assert h.mirror()["responses"]["2xx"] == 1


@pytest.mark.long
@needs_mod_http2
def test_httpd_restarts(httpd, origin, recorder):
    """No copy arrives twice but idempotent ones; each ends."""
    behind = recorder()
    second = httpd("Protocols h2c\nH2Direct on\n" + location("/o/", SimpleNamespace(url=behind.url + "/o")),
                   modules=("http2",))
    h = httpd(location("/o/", origin, to(SimpleNamespace(url=f"h2c://127.0.0.1:{second.port}"), "retry=0")), children=1)
    sent = 0
    for turn in range(5):
        for n in range(40):
            assert h.request("POST", f"/o/{turn}-{n}", [], b"body").status == 200
            sent += 1
        # what is under way may be broken: a POST is not sent again
        wait_for("few copies to be under way", lambda: sum(h.mirror()["state"][name] for name in ("queued", "in_flight")) <= 4)
        second.graceful()
    outcomes = h.ended(sent)
    assert outcomes["mirrored"] >= sent * 0.9, outcomes
    targets = [message.target for message in behind.requests]
    assert len(targets) == len(set(targets))


# ---- comparison ----

@pytest.mark.parametrize("same", [True, False])
def test_comparison(httpd, origin, http2, same):
    mirror = http2(respond(body=b"ok\n" if same else b"no\n", fields=(("content-type", "text/plain"),)))
    origin.answer = answer(headers=("Content-Type: text/plain",))
    h = httpd("ProxyMirrorLog logs/copies\n" + location("/o/", origin, to(mirror, "compare=all")), children=1)
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1}

    def line():
        text = h.read("logs/copies")
        return text and '"compare"' in text and text
    text = wait_for("a line", line)
    assert ('"verdict": "same"' in text) == same, text
    assert ('"verdict": "different"' in text) != same, text
    assert h.request("POST", "/o/b", [], b"x" * 100000).status == 200
    h.ended(2)
