"""A stream of HTTP/2 whose body ends by a reset, while mod_http2's thread is preempted: its copy is not taken for a whole one. And what
is whole does not wait for the response."""
from __future__ import annotations

import os
import socket
import ssl

import pytest

from frames import Frames
from httpdlab import free_port, location, scaled, to, wait_for
from marks import needs_mod_http2

pytestmark = needs_mod_http2
PRELOADS = ("reset",)       # mod_http2 ends a body, and stops


@pytest.fixture
def stopped(httpd, origin, mirror, preload, control):
    """An httpd, and the file that stops mod_http2."""
    def make(attributes=""):
        file = f"{control}/reset"
        h = httpd("Protocols h2c http/1.1\nH2Direct on\n" + location("/o/", origin, to(mirror, attributes)), modules=["http2"],
                  env={"HTTPD_PRELOAD": preload, "TEST_RESET": file},
                  expect=[r"\[(proxy|proxy_http|http2|core):(error|warn)\]"])
        return h, file
    return make


@pytest.mark.parametrize("attributes", ["", "when=request"])
@pytest.mark.parametrize("size", [0, 4, 40000])
def test_reset_that_mod_http2_has_not_noticed(stopped, origin, mirror, attributes, size):
    h, file = stopped(attributes)
    with Frames(h.port, scaled(20)) as client:
        stream = client.headers("PUT", "/o/a")
        if size:
            client.data(stream, b"x" * min(size, 16384), end=False)
            for _ in range(size // 16384):
                client.data(stream, b"x" * 10000, end=False)
        wait_for("the request", lambda: h.mirror()["seen"] == 1)       # one that has not begun is never run
        client.read_for(scaled(0.2))    # until httpd waits for more of the body: then it reads the end, and not the abort
        with open(file, "w", encoding="ascii"):
            pass
        client.cancel(stream)
        try:
            outcome = wait_for("an outcome", lambda: h.outcomes())
        finally:
            os.unlink(file)
        assert outcome == {"incomplete": 1}, origin.requests
        client.wait(client.headers("GET", "/o/b", end=True))
    assert h.ended(2) == {"incomplete": 1, "mirrored": 1}
    assert [copy.target for copy in mirror.requests] == ["/o/b"]


# ---- the end of a body is known before the response ----

@pytest.fixture
def early(httpd, origin, mirror, authority):
    """An httpd with when=request, also over TLS; its port for that."""
    port = free_port()
    h = httpd("Protocols h2 h2c http/1.1\nH2Direct on\nH2Upgrade on\n" + location("/o/", origin, to(mirror, "when=request"))
              + f"Listen 127.0.0.1:{port}\n<VirtualHost 127.0.0.1:{port}>\nSSLEngine on\nSSLCertificateFile {authority.server}\n"
              "</VirtualHost>\n", modules=["http2", "ssl"], expect=[r"\[(proxy|proxy_http|http2|core|ssl):(error|warn)\]"])
    return h, port


def connect(early, how: str) -> Frames:
    h, port = early
    if how == "tls":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        sock = context.wrap_socket(socket.create_connection(("127.0.0.1", port), scaled(20)))
        assert sock.selected_alpn_protocol() == "h2"
        return Frames(port, scaled(20), sock)
    if how == "upgrade":
        sock = socket.create_connection(("127.0.0.1", h.port), scaled(20))
        sock.sendall(b"GET /none HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                     b"HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += sock.recv(1)
        assert head.startswith(b"HTTP/1.1 101 "), head
        return Frames(h.port, scaled(20), sock, 3)
    return Frames(h.port, scaled(20))


def begin(early, how: str, data: bytes) -> tuple[Frames, int]:
    """A request that is being served, with the begin of its body. After an upgrade mod_http2 may leave at once, with GOAWAY."""
    h, _ = early
    tries = []

    def is_served():
        client = connect(early, how)
        stream = client.headers("PUT", "/o/a")
        client.data(stream, data, end=False)
        tries.append((client, stream))

        def is_over():
            try:
                client.read_for(0.01)
            except (EOFError, OSError):
                if client.last is None or client.last < stream:
                    return True
            return h.mirror()["seen"] == 1
        wait_for("a request, or GOAWAY", is_over)
        if h.mirror()["seen"] == 1:
            return True
        client.sock.close()
        return False
    wait_for("a request", is_served)
    return tries[-1]


@pytest.mark.parametrize("how", ["direct", "tls", "upgrade"])
def test_body_without_a_length_does_not_wait(early, origin, mirror, how):
    """Its copy leaves before the response: END_STREAM has come."""
    h, _ = early
    gate = origin.hold()
    client, stream = begin(early, how, bytes(10000))
    with client:
        for n in range(1, 3):
            client.data(stream, bytes([n]) * 10000, end=False)
        client.data(stream, b"end")
        copy = mirror.one()
        assert copy.body == b"".join(bytes([n]) * 10000 for n in range(3)) + b"end"
        assert h.ended(1) == {"mirrored": 1}
        gate.set()
        if how != "upgrade":        # GOAWAY may come before
            client.wait(stream)


@pytest.mark.parametrize("how", ["direct", "tls", "upgrade"])
def test_reset_without_a_length(early, origin, mirror, how):
    h, _ = early
    gate = origin.hold()
    client, stream = begin(early, how, b"x" * 10000)
    with client:
        client.cancel(stream)
        gate.set()
        assert h.ended(1) == {"incomplete": 1}
    assert mirror.connections == 0


def test_more_streams_than_are_known(early, origin, mirror):
    """A body whose stream is followed by hundreds, and that ends after them, is known when it ends."""
    h, _ = early
    with connect(early, "direct") as client:
        stream = client.headers("PUT", "/o/a")
        client.data(stream, b"x" * 100, end=False)
        for n in range(300):
            client.wait(client.headers("HEAD", f"/none/{n}", end=True))
        client.data(stream, b"end")
        client.wait(stream)
    assert h.ended(1) == {"mirrored": 1}
    assert mirror.one().body == b"x" * 100 + b"end"
