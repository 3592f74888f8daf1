"""h2:// mirrors: ALPN, certificates, and copies over TLS."""
from __future__ import annotations

import pytest

from http2lab import respond
from httpdlab import location, scaled, to
from marks import needs_http2
from tlslab import Authority, server, strict

pytestmark = needs_http2
DOWN = r"PM0400: mirror m is down: TLS"


@pytest.fixture
def proxy(httpd, origin, authority):
    def make(mirror, attributes="", lines="", **options):
        return httpd(strict(authority, lines) + location("/o/", origin, to(mirror, attributes)), modules=("ssl",),
                     **{"children": 1, **options})
    return make


@pytest.mark.smoke
def test_copies_over_tls(proxy, http2_tls):
    mirror = http2_tls()
    h = proxy(mirror)
    assert h.request("POST", "/o/a", [], b"x" * 100000).status == 200
    copy = mirror.inner.one()
    assert copy.header(":scheme") == ["https"] and copy.body == b"x" * 100000
    assert mirror.alpn == "h2" and mirror.names == ["localhost"]
    assert h.ended(1) == {"mirrored": 1}
    assert h.get_many(f"/o/{n}" for n in range(50)) == [200] * 50
    assert h.ended(51) == {"mirrored": 51}
    assert mirror.connections <= 2


@pytest.mark.parametrize("alpn", [("http/1.1",), ()])
def test_server_without_h2(proxy, http2_tls, https, authority, alpn):
    mirror = http2_tls(alpn=alpn) if alpn else https()
    if not alpn:
        port = mirror.port
        mirror = type("Url", (), {"url": f"h2://localhost:{port}"})()
    h = proxy(mirror, "retry=10s", expect=[DOWN, "AH0"])
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"tls_failed": 1}
    assert h.get("/o/b").status == 200
    assert h.ended(2) == {"tls_failed": 1, "unreachable": 1}
    assert ["(localhost, ALPN h2) failed" in line for line in h.log_lines(DOWN)] == [True]


def test_wrong_certificate(proxy, http2_tls, tmp_path):
    stranger = Authority(str(tmp_path / "other"))
    mirror = http2_tls(server(stranger.issue("server")))
    h = proxy(mirror, expect=[DOWN, "AH0"])
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"tls_failed": 1}
    assert not mirror.inner.requests


def test_rejected_client_certificate(proxy, http2_tls, authority):
    """With TLS 1.3 the mirror rejects us after the handshake."""
    mirror = http2_tls(server(authority.server, clients=authority.path))
    h = proxy(mirror, "retry=10s", expect=[DOWN, "AH0"])
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"tls_failed": 1}
    assert h.get("/o/b").status == 200
    assert h.ended(2) == {"tls_failed": 1, "unreachable": 1}


def test_client_certificate(proxy, http2_tls, authority):
    mirror = http2_tls(server(authority.server, clients=authority.path))
    h = proxy(mirror, lines=f"SSLProxyMachineCertificateFile {authority.client}")
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1}


def test_long_response_over_tls(proxy, http2_tls):
    mirror = http2_tls(respond=respond(body=b"x" * 60000))
    h = proxy(mirror, f"timeout={scaled(20)}s")
    assert h.get_many(f"/o/{n}" for n in range(100)) == [200] * 100
    assert h.ended(100) == {"mirrored": 100}


def test_grpcs(proxy, http2_tls):
    mirror = http2_tls(respond=respond(trailers=(("grpc-status", "0"),)))
    mirror.scheme = "grpcs"
    h = proxy(mirror)
    assert h.request("POST", "/s/m".replace("/s", "/o"), ["Content-Type: application/grpc"], b"\0\0\0\0\0").status == 200
    copy = mirror.inner.one()
    assert copy.header("te") == ["trailers"] and not copy.header("content-length")
    assert h.ended(1) == {"mirrored": 1}


def test_scheme_without_tls_directives(lab, origin):
    for scheme, article in (("h2", "an"), ("grpcs", "a")):
        h = lab(location("/o/", origin, f'ProxyMirror "{scheme}://mirror.local"'))
        said = h.test_configuration()
        assert said.returncode
        assert f"{article} {scheme}:// mirror requires mod_ssl" in said.stderr, said.stderr
