"""Copies to mirrors that speak HTTP/2: what arrives, and how many copies share a connection."""
from __future__ import annotations

import pytest

from http2lab import Http2Recorder, respond
from marks import needs_http2

pytestmark = needs_http2
OF_A_COPY = ["host", "x-forwarded-for", "x-forwarded-host", "x-forwarded-server", "x-proxy-mirror"]


@pytest.fixture
def proxy(proxy):
    def make(mirror, attributes="", **options):
        return proxy(mirror, attributes, **{"children": 1, **options})
    return make


@pytest.fixture
def mirror(http2) -> Http2Recorder:
    return http2()


@pytest.mark.smoke
@pytest.mark.valgrind
def test_get(proxy, mirror, origin):
    h = proxy(mirror)
    assert h.get("/o/a?x=%2f", ["X-A: 1", "TE: trailers", "Connection: X-B", "X-B: 2"]).status == 200
    copy = mirror.one()
    assert copy.start == "GET /o/a?x=%2f"
    assert copy.header(":authority") == ["t"]
    assert copy.header(":scheme") == ["http"]
    assert copy.header("x-a") == ["1"]
    assert copy.header("te") == ["trailers"]
    names = [name for name, _ in copy.fields]
    assert names == [name.lower() for name in names]
    assert [name for name in names if name.startswith(":")] == [":method", ":scheme", ":path", ":authority"]
    assert not {"connection", "x-b", "host", "content-length", "upgrade"} & set(names)
    assert names.count("x-proxy-mirror") == 1
    assert not copy.body
    assert h.ended(1) == {"mirrored": 1}
    assert h.mirror()["state"]["connections"] == 1


@pytest.mark.parametrize("size", [0, 1, 8192, 70000, 1000000])
def test_body(proxy, mirror, size):
    h = proxy(mirror)
    body = bytes(n % 251 for n in range(size))
    assert h.request("POST", "/o/a", [], body).status == 200
    copy = mirror.one()
    assert copy.start == "POST /o/a"
    assert copy.body == body
    assert copy.header("content-length") == [str(size)]
    assert h.ended(1) == {"mirrored": 1}


def test_head(proxy, mirror):
    h = proxy(mirror)
    mirror.respond = respond(fields=(("content-length", "1000"),))
    assert h.exchange(b"HEAD /o/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "HEAD").status == 200
    assert mirror.one().start == "HEAD /o/a"
    assert h.ended(1) == {"mirrored": 1}
