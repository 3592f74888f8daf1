"""Two mirrors get the same bodies, and one of them hangs: whatever it has used up, the other one gets its copies."""
from __future__ import annotations

import os

import pytest

from httpdlab import location, scaled, to, wait_for
from large import MEGABYTE, Large, digest_of, files_in, origin, upload  # noqa: F401, a fixture

SIZE = 300000


@pytest.fixture
def pair(httpd, origin, recorder):
    """An httpd of one child; a mirror "hung" that never reads, and another one "m", both behind /o/."""
    def make(conf: str, **options):
        hung = recorder(takeover=lambda sock: gate.wait())
        gate = hung.gate()
        recorder.made.append(Large(scaled(60)))
        attributes = "max_body=100M timeout=1h"
        h = httpd(lambda h: f"ProxyMirrorSpool {h.folder('spool')} 256M\n{conf.format(root=h.root)}\n"
                  + location("/o/", origin, to(hung, attributes, "hung"), to(recorder.made[-1], attributes)),
                  children=1, expect=[r"PM0420: "], **options)
        h.hanging = True
        return h, recorder.made[-1]
    yield make


def assert_all_arrive(h, mirror, count: int, size: int, chunked: bool = False) -> None:
    """`count` more of them, one after the other."""
    before = h.outcomes().get("mirrored", 0)
    for n in range(1, count + 1):
        assert upload(h, "/o/a", size, chunked).status == 200
        wait_for("the copy", lambda: h.mirror()["seen"] == sum(h.outcomes().values()))
        assert h.outcomes() == {"mirrored": before + n}
    assert {got.digest for got in mirror.requests[before:]} == {digest_of(size)}
    assert h.mirror()["state"]["bytes"] == 0


@pytest.mark.parametrize("chunked", [False, True])
def test_disk_that_cannot_be_written(pair, chunked):
    """It drops the copies of the mirror that needs it."""
    h, mirror = pair("ProxyMirrorMemory 8M")
    wait_for("a file", lambda: assert_all_arrive(h, mirror, 1, 900000) or files_in(h.pids()[0], h.path("spool")))
    os.chmod(h.path("spool"), 0o555)
    if os.geteuid() == 0:
        os.chown(h.path("spool"), 0, 0)
    assert_all_arrive(h, mirror, 5, SIZE, chunked)
    assert h.outcomes("hung")["memory_full"] > 0


@pytest.mark.parametrize("chunked", [False, True])
def test_disk_without_room(pair, chunked):
    h, mirror = pair("ProxyMirrorMemory 16M\nProxyMirrorSpool {root}/spool 1M")
    while not h.outcomes("hung").get("memory_full"):
        assert_all_arrive(h, mirror, 1, 900000)
    assert_all_arrive(h, mirror, 5, 2 * MEGABYTE, chunked)


@pytest.mark.parametrize("chunked", [False, True])
def test_no_files(pair, chunked):
    """Three files are reserved for each; ten copies wait, as they have room in memory."""
    h, mirror = pair("ProxyMirrorMemory 16M", wrapper=("prlimit", "--nofile=96:96"))
    while not h.outcomes("hung").get("memory_full"):
        assert_all_arrive(h, mirror, 1, 900000)
    arrived = h.outcomes()["mirrored"]
    gate = mirror.hold()
    for _ in range(10):
        assert upload(h, "/o/a", SIZE, chunked).status == 200
    assert h.outcomes() == {"mirrored": arrived}
    gate.set()
    wait_for("the copies", lambda: h.outcomes() == {"mirrored": arrived + 10})
    assert {got.digest for got in mirror.requests[arrived:]} == {digest_of(SIZE)}




@pytest.mark.valgrind
def test_bytes_are_the_same(httpd, origin, recorder):
    """The copies of the one come from memory, and those of the other one from files, which it gets in the end."""
    recorder.made += [Large(scaled(60)), Large(scaled(60))]
    slow, mirror = recorder.made[-2:]
    gate = slow.hold()
    attributes = "max_body=100M timeout=1h"
    h = httpd(lambda h: f"ProxyMirrorSpool {h.folder('spool')} 256M\nProxyMirrorMemory 8M\n"
              + location("/o/", origin, to(slow, attributes, "slow"), to(mirror, attributes)), children=1)
    sizes = [MEGABYTE, MEGABYTE, MEGABYTE, 65537, 131071, 131072, 131073, 200000, 262145, MEGABYTE + 1]
    for n, size in enumerate([*sizes, *sizes], 1):
        assert upload(h, "/o/a", size, n > len(sizes)).status == 200
        assert h.ended(n) == {"mirrored": n}
    assert len(files_in(h.pids()[0], h.path("spool"))) > len(sizes)
    assert h.mirror("slow")["state"]["bytes"] > 2 * MEGABYTE
    gate.set()
    assert h.ended(2 * len(sizes), "slow") == {"mirrored": 2 * len(sizes)}
    for one in (origin, mirror, slow):
        assert sorted(got.digest for got in one.requests) == sorted(2 * [digest_of(size) for size in sizes])
    assert h.mirror("slow")["state"]["bytes"] == 0
    wait_for("no file", lambda: not files_in(h.pids()[0], h.path("spool")))
