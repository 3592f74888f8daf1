"""The store of a fleet over TLS: a certificate that is trusted, one that is not, and none."""
from __future__ import annotations

import pytest

from fleetlab import DOWN, change, document, fleet_call, in_force, state     # noqa: F401
from httpdlab import Httpd, location, to, wait_for
from managerlab import MANAGER, patch, refused
from redislab import needs_redis, redis        # noqa: F401, the fixture
from tlslab import Authority, strict

pytestmark = needs_redis


@pytest.fixture
def server(redis, authority):
    """Makes Redis servers that speak TLS, and want no certificate of ours."""
    def make(pem: str | None = None):
        pem = pem or authority.server
        return redis("--tls-cert-file", pem, "--tls-key-file", pem, "--tls-ca-cert-file", authority.path, "--tls-auth-clients", "no", tls=True)
    return make


@pytest.fixture
def stranger(tmp_path) -> str:
    """A certificate of somebody else."""
    return Authority(str(tmp_path / "other")).issue("server")


@pytest.fixture
def secure(server, httpd, origin, mirror, authority):
    """Makes nodes whose store is `port` of localhost, over TLS."""
    def make(port: int, ssl_lines: str | None = None, **options) -> Httpd:
        store = f"ProxyMirrorFleet web policy=redis redis_ssl=true redis_host=localhost redis_port={port}\n"
        conf = strict(authority) if ssl_lines is None else ssl_lines
        return httpd(conf + MANAGER + store + location("/o/", origin, to(mirror)), modules=("ssl",), **options)
    return make


@pytest.mark.smoke
def test_a_change_over_tls(secure, server):
    store = server()
    one, two = secure(store.port), secure(store.port, children=3)
    change(one, {"count": 2})
    in_force(two, {"count": 2})
    assert document(two) == document(one)
    wait_for("both in force", lambda: state(two)["nodes"]["in_force"] == 2, 2)
    two.stop()
    change(one, {"enabled": False})
    two.start()                 # with the first request, over TLS as well
    two.get("/o/a")
    assert two.ended(1) == {"disabled": 1}
    two.graceful()
    change(one, {"count": 4})
    in_force(two, {"count": 4}, 3)


def test_a_certificate_that_is_not_trusted(secure, server, stranger):
    store = server(stranger)
    h = secure(store.port, expect=[DOWN])
    wait_for("the line", lambda: h.log_lines("PM0930"), 5)
    assert "TLS handshake" in h.log_lines("PM0930")[0] and h.mirror()["layer"] == "file"
    refused(fleet_call(h, "PATCH", "/mirrors/m", {"count": 2}), 503, "TLS handshake")
    assert not store("EXISTS", "proxy-mirror:v1:{web}:head")
    assert patch(h, {"count": 3})["layer"] == "node"


def test_a_store_without_tls(secure, redis):
    h = secure(redis().port, expect=[DOWN])
    wait_for("the line", lambda: h.log_lines("PM0930"), 8)
    refused(fleet_call(h, "PATCH", "/mirrors/m", {"count": 2}), 503, "its store must respond")


@pytest.mark.unstarted
def test_without_mod_ssl(lab):
    """httpd -t says it, and not the first poll."""
    line = "ProxyMirrorFleet web policy=redis redis_ssl=true redis_host=localhost\nProxyMirror http://127.0.0.1:1 name=m\n"
    done = lab(line).test_configuration()
    assert done.returncode != 0 and "ProxyMirrorFleet" in done.stderr and "mod_ssl" in done.stderr, done.stderr
