"""Threads of a child: how many are started, those that cannot be, and connects that hang."""
from __future__ import annotations

import os
import time

import pytest

from httpdlab import INSTRUMENTED, Httpd, get_until, location, scaled, to, wait_for
from recorder import Recorder, answer
from redislab import Redis, needs_redis, redis, wrk    # noqa: F401, the fixture

PRELOADS = ("threads",)
DOWN = r"PM\d+: mirror \w+ is down"
NO_HELPER = "PM0410: mirror m: no helper thread is available"
NO_SENDER = "PM0424: "
ALWAYS = 1 << 30
TIMES = pytest.mark.parametrize("times", [1, 3, ALWAYS], ids=["once", "thrice", "always"])


class Threads:
    """The file that says which threads cannot be started, and the log of all that were tried."""

    def __init__(self, folder: str) -> None:
        self.path = f"{folder}/threads"
        open(f"{self.path}.log", "w", encoding="ascii").close()
        os.chmod(f"{self.path}.log", 0o666)

    def fail(self, kind: str, times: int) -> None:
        """So often from now on, in a server with one child."""
        with open(f"{self.path}.new", "w", encoding="ascii") as f:
            f.write(f"{kind} {self.count(kind, 'failed') + times}\n")
        os.rename(f"{self.path}.new", self.path)

    def count(self, kind: str, what: str) -> int:
        with open(f"{self.path}.log", encoding="ascii") as f:
            return f.read().splitlines().count(f"{kind} {what}")


@pytest.fixture
def threads(control) -> Threads:
    return Threads(control)


@pytest.fixture
def httpd(threads, preload, httpd):
    """With one child, whose threads can be made to fail."""
    def make(conf, **options) -> Httpd:
        env = {"HTTPD_PRELOAD": preload, "TEST_THREADS": threads.path}
        return httpd(conf, children=1, env=env, **options)
    return make


def assert_each_arrived_once(h: Httpd, mirror: Recorder, **failed: int) -> None:
    """50 more requests are mirrored, none twice; before that, `failed` of each outcome."""
    before = h.mirror()
    assert h.get_many(f"/o/{n}" for n in range(50)) == [200] * 50
    mirrored = before["outcomes"]["mirrored"] + 50
    assert h.ended(before["seen"] + 50) == {"mirrored": mirrored, **failed}
    assert len(mirror.requests) == mirrored
    assert len({request.target for request in mirror.requests[-50:]}) == 50


def limit(server: Redis) -> str:
    return (f"enable_limit_count=true count=1000000 policy=redis redis_host=127.0.0.1 "
            f"redis_port={server.port} redis_timeout={int(scaled(5000))}")


# ---- helpers that cannot be started ----

@TIMES
def test_connects_without_threads(httpd, origin, mirror, threads, times):
    """Copies are dropped meanwhile, and nothing else."""
    threads.fail("helper", times)
    h = httpd(location("/o/", origin, to(mirror, "keepalive=0")), expect=[NO_HELPER, "PM0420: "])
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"memory_full": 1}
    assert len(h.log_lines(NO_HELPER)) == 1
    if times == ALWAYS:
        get_until(h, "a third failure", lambda: threads.count("helper", "failed") >= 3)
        assert not mirror.requests
        threads.fail("helper", 0)
    get_until(h, "a copy", lambda: h.outcomes().get("mirrored"))
    h.wait_idle()
    assert_each_arrived_once(h, mirror, memory_full=h.outcomes()["memory_full"])


@needs_redis
@TIMES
def test_limits_without_threads(httpd, origin, mirror, threads, redis, times):
    """The fallback holds meanwhile."""
    server = redis()
    threads.fail("helper", times)
    h = httpd(location("/o/", origin, to(mirror, f"{limit(server)} limit_fallback=drop")),
              expect=["PM0600: "])
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"limit_failed": 1}
    assert len(h.log_lines("PM0600: mirror m: .*no helper thread is available")) == 1
    if times == ALWAYS:
        get_until(h, "a fifth failure", lambda: threads.count("helper", "failed") >= 5)
        assert not mirror.requests
        threads.fail("helper", 0)
    get_until(h, "a copy", lambda: h.outcomes().get("mirrored"))
    h.wait_idle()
    assert_each_arrived_once(h, mirror, limit_failed=h.outcomes()["limit_failed"])
    assert server.used("proxy-mirror:v1:m") == h.outcomes()["mirrored"]


@pytest.mark.long
def test_no_second_helper_beside_one_that_hangs(httpd, origin, mirror, recorder, threads):
    """A task that is queued is not lost, and gets a thread as soon as there can be one."""
    hanging = recorder(listen=False)
    filling = hanging.fill_backlog()
    slow = to(hanging, f"connect_timeout={int(scaled(8) * 1000)}ms", "hanging")
    h = httpd(location("/hanging/", origin, slow) + location("/o/", origin, to(mirror)),
              expect=[DOWN])
    assert h.get("/hanging/a").status == 200
    wait_for("the helper that hangs", lambda: threads.count("helper", "started") == 1)
    threads.fail("helper", ALWAYS)
    assert h.get("/o/a").status == 200
    wait_for("another try", lambda: threads.count("helper", "failed") >= 2)
    assert h.mirror()["state"]["queued"] == 1
    threads.fail("helper", 0)
    assert h.ended(1) == {"mirrored": 1}
    assert h.mirror("hanging")["state"]["queued"] == 1
    assert h.ended(1, "hanging") == {"unreachable": 1}
    for sock in filling:
        sock.close()


# ---- a sender that cannot be started ----

@TIMES
def test_sender_that_cannot_be_started(httpd, origin, mirror, threads, times):
    """It is tried again, at most once a second; what waited is sent then."""
    began = time.monotonic()
    threads.fail("sender", times)
    h = httpd(location("/o/", origin, to(mirror, "max_queue=100000")), expect=[NO_SENDER])
    assert h.get_many(["/o/a"] * 300) == [200] * 300
    assert threads.count("sender", "failed") <= time.monotonic() - began + 1
    if times == ALWAYS:
        get_until(h, "a third failure", lambda: threads.count("sender", "failed") >= 3)
        assert h.mirror()["state"]["queued"] == h.mirror()["seen"] >= 301
        threads.fail("sender", 0)
    get_until(h, "a copy", lambda: h.outcomes().get("mirrored"))
    h.wait_idle()
    assert h.outcomes() == {"mirrored": h.mirror()["seen"]}
    assert_each_arrived_once(h, mirror)
    assert threads.count("sender", "started") == len(h.log_lines(NO_SENDER)) == 1


@pytest.mark.parametrize("conf, attributes, outcome", [
    ("", "max_connections=1 max_queue=2", "queue_full"),
    ("ProxyMirrorMemory 1M", "", "memory_full"),
], ids=["queue", "memory"])
def test_what_waits_for_a_sender_takes_all_room(httpd, origin, mirror, threads, conf, attributes, outcome):
    """It is tried again although no further copy finds room, and so none is pushed."""
    threads.fail("sender", 1)
    h = httpd(conf + "\n" + location("/o/", origin, to(mirror, attributes)), expect=[NO_SENDER, "PM0420: "])
    for _ in range(30):
        assert h.request("POST", "/o/a", [], bytes(60000)).status == 200
    refused = h.outcomes()[outcome]
    assert h.mirror()["state"]["queued"] == 30 - refused > 0
    get_until(h, "a copy", lambda: h.outcomes().get("mirrored"))
    h.wait_idle()
    assert set(h.outcomes()) == {"mirrored", outcome}
    assert len(mirror.requests) == h.outcomes()["mirrored"]
    assert threads.count("sender", "started") == 1


def test_end_without_a_sender(httpd, origin, mirror, threads):
    threads.fail("sender", ALWAYS)
    h = httpd(location("/o/", origin, to(mirror)), expect=[NO_SENDER])
    assert h.get_many(["/o/a"] * 5) == [200] * 5
    h.graceful()
    assert h.ended(5) == {"shut_down": 5}
    assert not mirror.requests


# ---- how many are started ----

def test_helper_is_used_again(httpd, origin, mirror, threads):
    mirror.answer = answer(close=True)
    h = httpd(location("/o/", origin, to(mirror)))
    for n in range(1, 101):
        assert h.get("/o/a").status == 200
        assert h.ended(n) == {"mirrored": n}
    assert mirror.connections == 100
    assert threads.count("helper", "started") <= 20     # one may not be idle yet, or have ended


def anonymous(pid: int) -> int:
    """The memory of a process that is no file's, in bytes."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("RssAnon:"))


@pytest.mark.long
def test_mirror_that_closes_each_connection(httpd, threads):
    """No thread for each, and no memory."""
    closing = Httpd("KeepAlive Off\n", module=None, threads=64)
    try:
        closing.start()
        h = httpd(f'ProxyMirror "http://127.0.0.1:{closing.port}" name=m', expect=["PM0420: "])
        (pid,) = h.pids()
        load(h, 10000)
        before = anonymous(pid)
        load(h, 20000 if INSTRUMENTED else 200000)
        h.wait_idle()
        assert h.outcomes()["mirrored"] > h.mirror()["seen"] / 20
        assert threads.count("helper", "started") < 100
        if not INSTRUMENTED:                                # a sanitizer keeps what was freed
            assert anonymous(pid) < before + (1 << 20)
    finally:
        closing.finish(False)
        closing.clean()


def load(h: Httpd, requests: int) -> None:
    """Until so many have been seen."""
    def step() -> bool:
        wrk(h, path="/index.html", seconds=2)
        return h.mirror()["seen"] >= requests
    wait_for(f"{requests} requests", step, 240)


# ---- a connect that hangs ----

@pytest.mark.long
@needs_redis
def test_connect_that_hangs_holds_up_no_other(httpd, origin, recorder, redis):
    """Whatever was asked before: idle helpers are no reason to queue one task behind another."""
    server = redis()
    hanging, healthy, limited = recorder(listen=False), recorder(), recorder()
    filling = hanging.fill_backlog()
    patience = scaled(1)
    h = httpd(location("/o/", origin, to(healthy, "keepalive=0", "b"),
                       to(hanging, f"connect_timeout={int(patience * 1000)}ms retry=0", "a"))
              + location("/limited/", origin, to(limited, limit(server), "c")), expect=[DOWN])
    for n in range(1, 11):
        assert h.get("/limited/a").status == 200
        assert h.ended(n, "c") == {"mirrored": n}
        began = time.monotonic()
        assert h.get("/o/a").status == 200
        healthy.wait(n)
        assert time.monotonic() - began < patience / 2
        assert h.ended(n, "b") == {"mirrored": n}
        assert h.ended(n, "a") == {"unreachable": n}
    for sock in filling:
        sock.close()


def test_mirrors_that_hang_keep_no_helper_from_others(httpd, origin, recorder, threads):
    """Two helpers may connect; seven mirrors have always one to ask for, and come before the other one
    in the configuration, which needs a connection for each copy."""
    hung = [recorder(listen=False) for _ in range(7)]
    sockets = [sock for one in hung for sock in one.fill_backlog()]
    mirror = recorder(answer=answer(close=True))
    timeout = int(scaled(100))
    lines = [to(one, f"retry=0 connect_timeout={timeout}ms", f"hung{n}") for n, one in enumerate(hung)]
    h = httpd("ProxyMirrorThreads 4\n" + location("/o/", origin, *lines, to(mirror)), expect=[DOWN])
    for n in range(1, 4):
        get_until(h, "a few copies", lambda: h.outcomes().get("mirrored", 0) >= 20 * n)
    assert all(h.outcomes(f"hung{n}").get("unreachable") for n in range(7))
    for sock in sockets:
        sock.close()
    h.hanging = True
