"""A mirror that hangs takes nothing from the others: no memory, room on disk, files or connections."""
from __future__ import annotations

import pytest

from httpdlab import Httpd, location, scaled, to, wait_for
from large import Large, files_in, upload
from recorder import ok

FULL = r"PM0420: (bodies over 64 KiB use|a body over 64 KiB cannot be written|copies use|mirror hung: )"
MEGABYTE = 1 << 20


@pytest.fixture
def origin(recorder) -> Large:
    recorder.made.append(Large(scaled(60)))
    return recorder.made[-1]


@pytest.fixture
def pair(httpd, origin, recorder):
    """An httpd of one child with a mirror "hung", which accepts and never reads or answers, behind
    /hung/, and another one "m", behind /o/; and both mirrors. All settings are the default ones, but
    for `conf` and `attributes`, which both have; and no copy of "hung" times out while a slow machine
    still sends more."""
    def make(conf="", attributes="", **options):
        hung = recorder(takeover=lambda sock: gate.wait())
        gate = hung.gate()
        recorder.made.append(Large(scaled(60)))
        mirror = recorder.made[-1]
        h = httpd(lambda h: f"ProxyMirrorSpool {h.folder('spool')}\n{conf}\n"
                  + location("/hung/", origin, to(hung, f"timeout=1h {attributes}", "hung"))
                  + location("/o/", origin, to(mirror, attributes)),
                  children=1, expect=[FULL], **options)
        return h, hung, mirror
    yield make


def burden(h: Httpd, size: int, count: int) -> dict[str, int]:
    """Send `count` requests to the mirror that hangs, and return the outcomes so far."""
    body = bytes(size)
    with h.client() as client:
        head = b"POST /hung/a HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n" % size
        for _ in range(count):
            client.send(head + body)
            assert client.answer("POST").status == 200
    return h.outcomes("hung")


def assert_all_arrive(h: Httpd, size: int, count: int = 50) -> None:
    for n in range(1, count + 1):
        assert upload(h, f"/o/{n}", size).status == 200
        assert h.ended(n) == {"mirrored": n}


def assert_gives_all_back(h: Httpd, hung, total: int) -> None:
    """When the mirror that hung has closed its connections, nothing is taken any more."""
    hung.takeover = None
    hung.answer = ok
    hung.release()
    wait_for("the end of all copies", lambda: sum(h.outcomes("hung").values()) == total)
    for name in ("hung", "m"):
        assert h.mirror(name)["state"]["bytes"] == 0
    wait_for("no file", lambda: not files_in(h.pids()[0], h.path("spool")))
    # and all of it can be had again
    gate = hung.hold()
    assert burden(h, 60000, 5).get("memory_full", 0) == h.outcomes("hung").get("memory_full", 0)
    gate.set()


@pytest.mark.long
@pytest.mark.parametrize("size, count", [(65000, 1100), (MEGABYTE, 300)])
def test_hanging_mirror_leaves_memory_and_disk(pair, size, count):
    """More than what its queue or its share takes."""
    h, hung, mirror = pair()
    refused = burden(h, size, count)
    assert set(refused) <= {"memory_full", "queue_full"} and sum(refused.values()) > 0
    assert_all_arrive(h, 65000)
    for n in range(51, 71):
        assert upload(h, f"/o/{n}", MEGABYTE).status == 200
        assert h.ended(n) == {"mirrored": n}
    assert len(mirror.requests) == 70
    assert_gives_all_back(h, hung, count)


@pytest.mark.parametrize("hogs", [2, 5])
def test_several_hanging_mirrors_leave_room(httpd, origin, recorder, hogs):
    """Each has all that it can get before the next one begins."""
    made = [recorder(takeover=lambda sock: gate.wait()) for _ in range(hogs)]
    gate = made[0].gate()
    recorder.made.append(Large(scaled(60)))
    lines = "".join(location(f"/hung{n}/", origin, to(one, "timeout=1h", f"hung{n}"))
                    for n, one in enumerate(made))
    h = httpd(lambda h: f"ProxyMirrorMemory 8M\nProxyMirrorSpool {h.folder('spool')} 8M\n{lines}"
              + location("/o/", origin, to(recorder.made[-1])), children=1, expect=[r"PM0420: "])
    for n in range(hogs):
        for size in (60000, 300000):
            while not h.outcomes(f"hung{n}").get("memory_full"):
                assert upload(h, f"/hung{n}/a", size).status == 200
    assert_all_arrive(h, 60000, 20)
    for n in range(21, 26):
        assert upload(h, f"/o/{n}", 600000).status == 200
        assert h.ended(n) == {"mirrored": n}
    gate.set()
    h.hanging = True


@pytest.mark.parametrize("sizes", [(1000, MEGABYTE), (MEGABYTE, 1000)])
def test_hanging_mirror_leaves_files_and_connections(pair, sizes):
    """A quarter of 96 descriptors are for mirrors, and half of these for files; a body of 1 MiB has no
    room in memory."""
    h, hung, mirror = pair("ProxyMirrorMemory 2M", "max_connections=100 max_queue=100",
                           wrapper=("prlimit", "--nofile=96:96"))
    for size in sizes:
        burden(h, size, 60)
    wait_for("connections", lambda: h.mirror("hung")["state"]["connections"] >= 12)
    assert files_in(h.pids()[0], h.path("spool"))
    assert_all_arrive(h, MEGABYTE, 20)
    hung.release()
    h.hanging = True


def test_longest_idle_connection_makes_room(httpd, origin, recorder):
    """A quarter of 48 descriptors: two mirrors have six each, and a third one needs one."""
    mirrors = {name: recorder() for name in ("first", "second", "third")}
    h = httpd("".join(location(f"/{name}/", origin, to(one, "max_connections=6", name))
                      for name, one in mirrors.items()),
              children=1, wrapper=("prlimit", "--nofile=48:48"))
    for name in ("first", "second"):
        gate = mirrors[name].hold()
        assert h.get_many([f"/{name}/a"] * 6) == [200] * 6
        mirrors[name].wait(6)
        gate.set()
        assert h.ended(6, name) == {"mirrored": 6}
    assert h.get("/third/a").status == 200
    assert h.ended(1, "third") == {"mirrored": 1}
    assert [h.mirror(name)["state"]["connections"] for name in mirrors] == [5, 6, 1]
