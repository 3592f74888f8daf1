"""Clients that speak HTTP/2: responses are compared as those of HTTP/1.1."""
from __future__ import annotations

import gzip
import subprocess

import pytest

from comparelab import JSON, Events, both, compared, comparison, rows, skipped, twins, verdicts
from frames import Frames
from httpdlab import scaled, wait_for
from managerlab import MANAGER
from marks import needs_mod_http2
from recorder import answer

pytestmark = needs_mod_http2


@pytest.fixture
def h2(httpd, recorder):
    def make(*lines, attributes="", modules=(), **options):
        primary, mirror = recorder(), recorder()
        h = httpd(f"Protocols h2c http/1.1\nH2Direct on\n{MANAGER}{twins(primary, mirror, *lines, attributes=attributes)}",
                  modules=["http2", *modules], **options)
        return h, primary, mirror
    return make


def curl(h, path: str, *arguments: str) -> bytes:
    done = subprocess.run(["curl", "-sS", "--max-time", str(scaled(20)), "--http2-prior-knowledge", *arguments,
                           f"http://127.0.0.1:{h.port}{path}"], capture_output=True, timeout=scaled(30), check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def same(h, path: str, *arguments: str) -> bytes:
    got = curl(h, f"/o/{path}", *arguments)
    assert got == curl(h, f"/p/{path}", *arguments)
    return got


@pytest.mark.smoke
def test_identical_responses(h2):
    h, primary, mirror = h2()
    for n in range(10):
        primary.answer = answer("200 OK", b'{"a": 1}', (JSON, f"X-Request-Id: {n}"))
        mirror.answer = answer("200 OK", b'{"a": 1}', (JSON, f"X-Request-Id: m{n}"))
        assert same(h, "a") == b'{"a": 1}'
    data = compared(h, 10)
    assert verdicts(data) == {"same": 10} and data["findings"] == []


def test_different_values(h2):
    h, primary, mirror = h2()
    both(primary, mirror, b'{"items": [{"price": 1}, {"price": 2}]}', b'{"items": [{"price": 1}, {"price": 3}]}', JSON)
    same(h, "items/7")
    data = compared(h, 1)
    assert rows(data) == [("body/items/*/price", "value", 1)]
    assert data["findings"][0]["group"] == "GET /o/items/*"


def test_codings(h2):
    """The primary's gzip against the mirror's plain text."""
    h, primary, mirror = h2()
    primary.answer = answer("200 OK", gzip.compress(b'{"a": 1}'), (JSON, "Content-Encoding: gzip"))
    mirror.answer = answer("200 OK", b'{"a":1}', (JSON,))
    assert gzip.decompress(same(h, "a")) == b'{"a": 1}'
    data = compared(h, 1)
    assert verdicts(data) == {"same_decoded": 1} and data["findings"] == []


def test_filters_of_httpd(h2):
    h, primary, mirror = h2("SetOutputFilter SUBSTITUTE;DEFLATE", "Substitute s/foo/bar/",
                            modules=["filter", "substitute", "deflate"])
    both(primary, mirror, b"foo " * 100, b"foo " * 100, "Content-Type: text/plain")
    assert same(h, "a", "--compressed") == b"bar " * 100
    assert verdicts(compared(h, 1)) == {"same": 1}


def test_head(h2):
    h, primary, mirror = h2()
    both(primary, mirror, b"x" * 10, b"x" * 10, JSON)
    assert b"content-length: 10" in curl(h, "/o/a", "-I")
    assert verdicts(compared(h, 1)) == {"same": 1}


def test_error_override(h2):
    h, primary, mirror = h2("ProxyErrorOverride on")
    both(primary, mirror, b"own", b"own", status="500 No")
    assert b"own" not in same(h, "a")
    assert skipped(compared(h, 1)) == {"primary_replaced": 1}


def test_events(h2):
    """They come at once; the client resets the stream, so there is no end of it."""
    h, primary, mirror = h2(expect=[r"(http2|proxy|proxy_http|core):(error|warn)"])
    mirror.answer = answer("200 OK", b"data: 0\n\n" * 4, ("Content-Type: text/event-stream",))
    with Events(primary) as events, Frames(h.port, scaled(20)) as client:
        stream = client.headers("GET", "/o/s", end=True)
        for n in range(3):
            event = b"data: %d\n\n" % n
            events.give(event)
            wait_for("the event", lambda: client.read_for(0.01) or client.received.get(stream, b"").endswith(event))
        client.cancel(stream)
        wait_for("the stream's end", lambda: client.read_for(0.01) or events.give(b"data: 9\n\n")
                 or comparison(h)["skipped"]["primary_incomplete"])
        data = compared(h, 1)
    assert skipped(data) == {"primary_incomplete": 1} and data["findings"] == []
