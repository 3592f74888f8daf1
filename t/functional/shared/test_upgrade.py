"""A reload with a module of another version, whose shared memory has another layout: what was stopped stays stopped.

The parent's private note of the layout is made another one, by /proc/PID/mem: to the module that the reload loads, all that
it finds is of another version."""
from __future__ import annotations

import os
import re
import struct

import pytest

from fleetlab import DOWN, change, in_force, node         # noqa: F401, the fixture
from httpdlab import location, to, wait_for
from managerlab import MANAGER, attributes, patch
from redislab import needs_redis, redis     # noqa: F401, the fixture
from segmentlab import CELL, FLEET, SLOT_SIZE, U32, U64, Segment
from stoplab import call, enabled

KEPT = r"PM0200: .* the module has another version; .* are kept"
NOTE = re.compile(rb"(?s)(?=(.{12}" + re.escape(U32(SLOT_SIZE) + U32(CELL + FLEET)) + rb".{4}))")


def parts(pid: int, mem: int):
    """The private memory of a process that can be written, in parts; not its stack."""
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as f:
        for line in f:
            words = line.split()
            if words[1] == "rw-p" and words[-1] != "[stack]":
                start, end = (int(word, 16) for word in words[0].split("-"))
                if end - start <= 1 << 28:      # those of a sanitizer are larger
                    yield start, os.pread(mem, end - start, start)


def age(h) -> None:
    """Let the parent have what a module of another version has left."""
    pid, found = h.process.pid, 0
    mem = os.open(f"/proc/{pid}/mem", os.O_RDWR)
    try:
        for start, data in parts(pid, mem):
            for match in NOTE.finditer(data):
                version, size = struct.unpack_from("<2I", data, match.start())
                if 0 < version < 1000 and 0 < size < 1000:
                    os.pwrite(mem, U32(version - 1), start + match.start())
                    found += 1
    finally:
        os.close(mem)
    assert found == 1


def two(origin, mirror, more: str = "") -> str:
    return MANAGER + more + location("/o/", origin, to(mirror)) + location("/p/", origin, to(mirror, name="other"))


@pytest.mark.smoke
def test_stopped_mirrors_stay_stopped(httpd, origin, mirror):
    h = httpd(two(origin, mirror), children=2, expect=[KEPT])
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1}
    patch(h, {"count": 3})
    assert call(h, "PATCH", {"enabled": False}).status == 200
    for _ in range(2):          # also from a segment that has got its texts in the same way
        age(h)
        h.graceful()
        assert enabled(h) == {"m": False, "other": False} and attributes(h)["count"] == 3
        assert h.get_many(["/o/b", "/p/b"] * 5) == [200] * 10
        assert h.ended(5) == h.ended(5, "other") == {"disabled": 5}     # counted from 0
    assert len(mirror.requests) == 1
    assert len(h.log_lines(KEPT)) == 2
    assert call(h, "PATCH", {"enabled": True}).status == 200
    assert h.get("/o/c").status == 200
    assert h.ended(6) == {"disabled": 5, "mirrored": 1}
    wait_for("the second copy", lambda: len(mirror.requests) == 2)


@needs_redis
def test_settings_of_the_fleet_stay_without_its_store(node, mirror):    # noqa: F811
    h = node(expect=[KEPT, DOWN, "PM0200: .*ProxyMirrorSlots was increased"])
    change(h, {"enabled": False})
    in_force(h, {"enabled": False})
    node.server.kill()
    for slots in (0, 0, 300):       # the same is true if there are more slots
        if slots:
            h.conf = f"ProxyMirrorSlots {slots}\n" + h.conf
            h.configure()
        else:
            age(h)
        before = len(h.log_lines(DOWN))
        h.graceful()
        wait_for("a poll", lambda: len(h.log_lines(DOWN)) > before)
        assert attributes(h)["enabled"] is False
        assert h.get("/o/a").status == 200
    assert not mirror.requests


def test_a_child_of_before_stays_stopped(httpd, origin, mirror):
    """It ends a request that it has begun to read."""
    h = httpd(two(origin, mirror), expect=[KEPT])
    assert call(h, "PATCH", {"enabled": False}).status == 200
    head = b"GET /o/a HTTP/1.1\r\nHost: localhost\r\n"
    with h.client() as client:
        client.send(head + b"\r\n" + head)
        assert client.answer("GET").status == 200
        age(h)
        h.graceful()
        client.send(b"\r\n")
        assert client.answer("GET").status == 200
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"disabled": 1}
    h.stop()
    assert not mirror.requests


def test_a_changed_line_still_wins(httpd, origin, mirror):
    h = httpd(two(origin, mirror), expect=[KEPT])
    assert call(h, "PATCH", {"enabled": False}).status == 200
    h.conf = two(origin, mirror).replace("name=other", "name=other timeout=2s")
    h.configure()
    age(h)
    h.graceful()
    assert enabled(h) == {"m": False, "other": True}
    assert len(h.log_lines("PM0910: mirror other ")) == 1


@pytest.mark.parametrize("text, is_on", [
    (b'{"enabled":false,"novel":1}', False), (b'{"count":0,"enabled":false}', False), (b'{"enabled":true,"novel":1}', True)])
def test_what_is_not_understood_starts_no_mirror(httpd, origin, mirror, text, is_on):
    """As a text that a later version has stored."""
    h = httpd(two(origin, mirror), children=2, expect=[KEPT])
    patch(h, {"count": 3})
    segment = Segment(h.pids()[0])
    at = os.pread(segment.mem, segment.end - segment.start, segment.start).rfind(b'{"count":3}')
    segment.write(at - 8, U64(len(text) + 1))
    segment.write(at, text + b"\0")
    segment.close()
    age(h)
    h.graceful()
    assert attributes(h)["enabled"] is is_on and attributes(h)["count"] == 1
    assert h.get("/o/a").status == 200
    assert h.ended(1) == ({"mirrored": 1} if is_on else {"disabled": 1})
    h.graceful()
    assert attributes(h)["enabled"] is is_on
    lines = h.log_lines("PM0912: mirror m is reset to the configuration file")
    assert len(lines) == 1 and ("file, but stays stopped; its changes" in lines[0]) is not is_on
    assert patch(h, {"enabled": True, "count": 2})["attributes"]["count"] == 2
