"""Mirrors behind a Unix socket: unix:/path|http://name."""
from __future__ import annotations

import os
import shutil
import tempfile

import pytest

from copies import assert_copy, assert_next_is_intact
from httpdlab import location, scaled, to, wait_for
from recorder import fill

DOWN = r"PM\d+: mirror m is down: connect to "


@pytest.fixture
def path():
    """Of a socket that is not there yet, in a folder that httpd's children may enter."""
    folder = tempfile.mkdtemp(prefix="httpdlab.")
    os.chmod(folder, 0o755)
    yield f"{folder}/mirror.sock"
    shutil.rmtree(folder)


@pytest.fixture
def proxy(httpd, origin):
    def make(mirror, attributes="", **options):
        return httpd(location("/o/", origin, to(mirror, attributes)), children=1, **options)
    return make


@pytest.mark.valgrind
@pytest.mark.smoke
def test_copy_arrives(proxy, recorder, path):
    mirror = recorder(path=path)
    h = proxy(mirror)
    assert h.request("POST", "/o/a?b=c", ["X-A: 1"], b"body").status == 200
    assert_copy(mirror.one(), "POST /o/a?b=c", "X-A: 1", "Content-Length: 4", body=b"body")
    assert h.ended(1) == {"mirrored": 1}
    assert h.mirror()["attributes"]["host"] == f"unix:{path}|http://mirror.local"


def test_name_is_the_targets_host(proxy, recorder, path):
    mirror = recorder(path=path)
    h = proxy(mirror, "host_header=target")
    assert h.get("/o/a").status == 200
    assert mirror.one().header("Host") == ["mirror.local"]


def test_connection_is_used_again(proxy, recorder, path):
    mirror = recorder(path=path)
    h = proxy(mirror, "ttl=0 max_body=2M")
    for n in range(1, 11):
        assert h.request("POST", "/o/a", [], b"x" * n * 100000).status == 200
        assert h.ended(n) == {"mirrored": n}
    assert mirror.connections == 1
    assert [len(copy.body) for copy in mirror.requests] == [n * 100000 for n in range(1, 11)]


def test_socket_that_is_not_there(proxy, recorder, path):
    mirror = recorder(path=path)
    os.unlink(path)
    h = proxy(mirror, f"retry={int(scaled(200))}ms", expect=[DOWN])
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"unreachable": 1}
    assert path in h.log_lines(DOWN)[0]
    mirror = recorder(path=path)
    wait_for("the end of the pause", lambda: h.mirror()["state"]["down_until"] is None)
    assert_next_is_intact(h, mirror, unreachable=1)


def test_socket_that_nobody_listens_at(proxy, recorder, path):
    h = proxy(recorder(path=path, listen=False), expect=[DOWN])
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"unreachable": 1}


@pytest.mark.parametrize("accepts", [False, True])
def test_full_backlog(proxy, recorder, path, accepts):
    """Linux refuses at once where TCP would wait: it is tried again until connect_timeout."""
    mirror = recorder(path=path, backlog=0, listen=False)
    mirror._listener.listen(0)
    filling = fill(path)
    timeout = "10s" if accepts else f"{int(scaled(300))}ms"
    h = proxy(mirror, f"connect_timeout={timeout}", expect=[] if accepts else [DOWN])
    assert h.get("/o/a").status == 200
    if accepts:
        mirror.listen()
    assert h.ended(1) == ({"mirrored": 1} if accepts else {"unreachable": 1})
    for sock in filling:
        sock.close()


def test_beside_a_mirror_by_tcp(httpd, origin, recorder, path, mirror):
    h = httpd(location("/o/", origin, to(recorder(path=path), name="socket"), to(mirror)))
    assert h.get_many(f"/o/{n}" for n in range(20)) == [200] * 20
    assert h.ended(20) == h.ended(20, "socket") == {"mirrored": 20}
