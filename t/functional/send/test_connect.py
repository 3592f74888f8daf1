"""Connecting: what this host lacks says nothing of a mirror; and a child that ends does not wait
for a connect."""
from __future__ import annotations

import errno
import os
import signal
import tempfile
import time

import pytest

from httpdlab import Httpd, location, scaled, to, wait_for
from recorder import fill

PRELOADS = "names", "connect", "behind"
DOWN = r"PM\d+: mirror m is down"
LACKS = ["PM0412: mirror m: .* failed: out of descriptors, ports or memory",
         "PM0420: .* ports are left"]
local = pytest.mark.parametrize("error", [errno.EADDRNOTAVAIL, errno.EAGAIN, errno.EMFILE,
                                          errno.ENOBUFS])


@pytest.fixture
def behind(control) -> str:
    """The file with a line for each child that left a thread behind."""
    path = f"{control}/behind"
    open(path, "w", encoding="ascii").close()
    os.chmod(path, 0o666)
    return path


@pytest.fixture
def httpd(names, faults, behind, preload, httpd):
    def make(conf, **options) -> Httpd:
        options.setdefault("children", 1)
        variables = {"HTTPD_PRELOAD": preload, "TEST_NAMES": names.path,
                     "TEST_CONNECT": faults.path, "TEST_BEHIND": behind}
        return httpd(conf, env=variables, **options)
    return make


@pytest.fixture
def proxy(httpd, origin):
    """Makes httpds whose /o/ is mirrored to a recorder."""
    def make(mirror, attributes="", **options) -> Httpd:
        return httpd(location("/o/", origin, to(mirror, attributes)), **options)
    return make


def until_mirrored(h: Httpd, count: int, what: str) -> dict[str, int]:
    """Copies after the first `count`, one by one, until one gets through."""
    outcomes: dict[str, int] = {}

    def is_mirrored() -> bool:
        nonlocal count, outcomes
        count += 1
        assert h.get("/o/a").status == 200
        outcomes = h.ended(count)
        return "mirrored" in outcomes
    wait_for(what, is_mirrored)
    return outcomes


# ---- what this host lacks ----

@local
@pytest.mark.parametrize("times", [1, 2])
def test_mirror_is_not_down_for_what_this_host_lacks(proxy, mirror, faults, error, times):
    """Nothing is opened for a second, and then it is tried again."""
    faults.set(mirror.port, error, times)
    h = proxy(mirror, "retry=1h", expect=LACKS)
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"memory_full": 1}
    assert h.mirror()["state"]["down_until"] is None
    outcomes = until_mirrored(h, 1, "the end of the pauses")
    assert set(outcomes) == {"mirrored", "memory_full"}
    assert faults.left() == (0, 0)
    assert len(h.log_lines("PM0412")) == times
    assert not h.log_lines(DOWN)


def test_connections_that_are_open_go_on_without_ports(proxy, mirror, faults):
    """What waits gets one that is there."""
    gate = mirror.hold()
    h = proxy(mirror, "timeout=1min", expect=LACKS)
    assert h.get("/o/a").status == 200
    mirror.wait(1)
    faults.set(mirror.port, errno.EADDRNOTAVAIL, 1)
    assert h.get("/o/b").status == 200
    wait_for("the attempt", lambda: h.log_lines("PM0412"))
    gate.set()
    assert h.ended(2) == {"mirrored": 2}
    assert mirror.connections == 1


def test_host_without_an_address_for_the_mirror(proxy, mirror, faults):
    """As with IPv6 where there is none: the same errno, but it lasts, and so the mirror is down."""
    faults.set(mirror.port, errno.EADDRNOTAVAIL, 1, 1 << 20)
    h = proxy(mirror, expect=[DOWN])
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"unreachable": 1}
    assert len(h.log_lines(DOWN)) == 1


@pytest.mark.parametrize("error", [errno.EACCES, errno.EPERM, errno.ENETUNREACH,
                                   errno.EHOSTUNREACH])
def test_way_that_is_barred_is_down(proxy, mirror, faults, error):
    faults.set(mirror.port, error, 1)
    h = proxy(mirror, expect=[DOWN])
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"unreachable": 1}
    assert os.strerror(error) in h.log_lines(DOWN)[0]


def test_address_without_ports_leaves_the_others(httpd, origin, mirror, names, faults):
    """Ports are used up for each address of its own."""
    names.set(some="127.0.0.2 127.0.0.1")
    faults.set(mirror.port, errno.EADDRNOTAVAIL, 1)
    h = httpd(location("/o/", origin, f'ProxyMirror "http://some.test:{mirror.port}" name=m'))
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1}


def test_address_without_ports_beside_one_that_is_closed(httpd, origin, recorder, names, faults):
    """The first one may be there."""
    mirror = recorder()
    names.set(some="127.0.0.1 127.0.0.2")
    faults.set(mirror.port, errno.EADDRNOTAVAIL, 1)
    h = httpd(location("/o/", origin, f'ProxyMirror "http://some.test:{mirror.port}" name=m'),
              expect=LACKS)
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"memory_full": 1}
    assert not h.log_lines(DOWN)
    until_mirrored(h, 1, "the end of the pause")


@pytest.mark.parametrize("resolve", ["first", "all"])
def test_look_up_that_lacks_memory(httpd, origin, mirror, names, resolve):
    names.set(some="!")
    h = httpd(location("/o/", origin, f'ProxyMirror "http://some.test:{mirror.port}" name=m retry=1h resolve={resolve}'),
              expect=LACKS)
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"memory_full": 1}
    assert h.get("/o/a").status == 200              # in the pause
    assert h.ended(2) == {"memory_full": 2}
    assert h.mirror()["state"]["down_until"] is None and not h.log_lines(DOWN)
    names.set(some="127.0.0.1")
    until_mirrored(h, 2, "the end of the pause")


# ---- a connect that takes long ----

def test_connect_that_takes_long_comes_about(proxy, recorder):
    """It is waited for in slices; TCP sends the first segment again after a second."""
    mirror = recorder(listen=False)
    filling = mirror.fill_backlog()
    h = proxy(mirror, f"connect_timeout={int(scaled(20))}s", expect=[])
    assert h.get("/o/a").status == 200
    wait_for("the connect", lambda: connects(h.pids()))
    mirror.listen()
    assert h.ended(1) == {"mirrored": 1}
    for sock in filling:
        sock.close()


def test_connect_that_is_refused_late(proxy, recorder):
    """The reason is the server's, and not the clock's."""
    mirror = recorder(listen=False)
    filling = mirror.fill_backlog()
    h = proxy(mirror, f"connect_timeout={int(scaled(20))}s", expect=[DOWN])
    assert h.get("/o/a").status == 200
    wait_for("the connect", lambda: connects(h.pids()))
    mirror.stop_listening()
    assert h.ended(1) == {"unreachable": 1}
    assert os.strerror(errno.ECONNREFUSED) in h.log_lines(DOWN)[0]
    for sock in filling:
        sock.close()


# ---- the end of a child ----

@pytest.mark.parametrize("kind", ["tcp", "unix"])
@pytest.mark.parametrize("how", [signal.SIGUSR1, signal.SIGTERM])
def test_end_while_a_connect_hangs(httpd, origin, recorder, behind, kind, how):
    """Whatever connect_timeout is: it ends soon after the drain, with all of its threads."""
    if kind == "tcp":
        mirror = recorder(listen=False)
        filling = mirror.fill_backlog()
    else:
        folder = tempfile.mkdtemp(prefix="httpdlab.")
        os.chmod(folder, 0o755)
        mirror = recorder(path=f"{folder}/s", listen=False)
        mirror._listener.listen(0)
        filling = fill(mirror.path)
    h = httpd("ProxyMirrorDrainTimeout 100ms\n"
              + location("/o/", origin, to(mirror, "connect_timeout=1h")))
    assert h.get("/o/a").status == 200
    wait_for("the connect", lambda: connects(h.pids()))
    old = h.pids()
    began = time.monotonic()
    if how == signal.SIGUSR1:
        h.graceful()
        wait_for("the end of the old child", lambda: not set(old) & set(h.pids()))
        assert h.ended(1) == {"shut_down": 1}
    else:
        h.hanging = True
        h.stop()
    assert time.monotonic() - began < scaled(4)
    with open(behind, encoding="ascii") as f:
        assert f.read() == ""
    for sock in filling:
        sock.close()


def connects(pids: list[int]) -> bool:
    """Whether one of these has a helper thread."""
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/comm", encoding="ascii") as f:
                if f.read().startswith("mirror-helper"):
                    return True
    return False


def test_end_while_a_look_up_hangs_leaves_a_thread(httpd, origin, mirror, names, behind):
    """Nothing can end that one; so the test above can fail."""
    names.set(some="?")
    h = httpd("ProxyMirrorDrainTimeout 100ms\n" + location(
        "/o/", origin, f'ProxyMirror "http://some.test:{mirror.port}" name=m'))
    assert h.get("/o/a").status == 200
    wait_for("the look-up", lambda: names.lookups("some") == 1)
    old = h.pids()
    h.graceful()
    wait_for("the end of the old child", lambda: not set(old) & set(h.pids()))
    assert h.ended(1) == {"shut_down": 1}
    with open(behind, encoding="ascii") as f:
        assert f.read() == "left behind\n"
