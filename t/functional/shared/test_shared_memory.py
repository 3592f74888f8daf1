"""Code in a child that writes to shared memory what it likes: the parent, which is root, lives and begins anew.

A child's memory is written to from outside, by /proc/PID/mem, in place of code that runs in it."""
from __future__ import annotations

import os
import random
import signal
import struct
import threading

import pytest

from httpdlab import location, to, wait_for
from managerlab import MANAGER, attributes, call, patch
from recorder import answer
from segmentlab import (CELL, COUNTS, FINDINGS, FLEET, FOR_EVER, LOAD, LOCK, LOST, PLACES, PLACES_MAX,
                        PLACES_USED, SERVERS, SLOT, SLOTS, SLOTS_USED, STORE, Segment, U32, U64, VERSION)
from serverslab import counts, gets, listed, one_by_one, servers       # noqa: F401, a fixture

DAMAGE = "PM0202: the shared memory of mirrors is damaged"
KILLED = [r"AH00052: child pid \d+ exit signal Killed"]         # by the tests


@pytest.fixture
def served(httpd, origin, mirror):
    """Makes an httpd with a mirror that was used and changed, and the segment of one of its two children."""
    made = []

    def make(*expect: str, conf: str = ""):
        h = httpd(conf + MANAGER + f"ProxyMirrorSlots {SLOTS}\n" + location("/o/", origin, to(mirror)) +
                  location("/p/", origin, to(mirror, name="other")), children=2, threads=8, expect=[*KILLED, *expect])
        assert h.get_many(["/o/a"] * 3) == [200] * 3
        assert h.ended(3) == {"mirrored": 3}
        patch(h, {"count": 3})
        h.victim = h.pids()[0]
        made.append(Segment(h.victim))
        return h, made[-1]
    yield make
    for segment in made:
        segment.close()


def kill_child(h) -> None:
    os.kill(h.victim, signal.SIGKILL)
    wait_for("the child's end", lambda: h.victim not in h.pids(), 20)
    wait_for("another child", lambda: len(h.pids()) >= h.children, 20)


def assert_begins_anew(h, lines: int = 1) -> None:
    """After a graceful restart the parent is the same one, serves, counts from 0, and has logged one line."""
    parent = h.process.pid
    assert h.get("/o/during").status == 200
    h.graceful()
    assert h.running() and h.process.pid == parent
    assert h.get("/o/after").status == 200
    assert h.ended(1) == {"mirrored": 1}
    assert h.mirror()["overridden"] is False
    assert patch(h, {"count": 5})["attributes"]["count"] == 5
    h.graceful()
    assert attributes(h)["count"] == 5
    assert h.ended(1) == {"mirrored": 1}
    assert len(h.log_lines(DAMAGE)) == lines


@pytest.mark.parametrize("kind", ["ones", "zeros", "seed 1", "seed 2", "seed 3", "seed 4"])
@pytest.mark.parametrize("end", ["killed", "of itself"])
def test_filled_by_a_child_that_ends(served, kind, end):
    h, segment = served(DAMAGE, conf="MaxConnectionsPerChild 30\n")
    segment.fill(kind)
    if end == "killed":
        kill_child(h)
    else:
        wait_for("the child's end", lambda: h.get("/index.html").status == 200 and h.victim not in h.pids(), 20)
    wait_for("the line in the log", lambda: h.log_lines(DAMAGE))
    assert_begins_anew(h)


@pytest.mark.parametrize("kind", ["ones", "zeros", "seed 5"])
def test_filled_by_a_child_that_runs_on(served, kind):
    """The restart ends it. Then it happens once more, and a stop comes."""
    h, segment = served(DAMAGE)
    segment.fill(kind)
    damaged = set(h.pids())
    assert_begins_anew(h)
    wait_for("the end of the children that have the segment of before", lambda: not damaged & set(h.pids()), 20)
    again = Segment(h.listeners()[0])           # others may be of the restart before, and just ending
    try:
        again.fill(kind)
    finally:
        again.close()
    assert h.get("/o/again").status == 200
    h.hanging = True                            # what it says of copies under way is not true


@pytest.mark.parametrize("offset, data", [
    pytest.param(0, U64(0), id="magic"),
    pytest.param(PLACES_USED, U32(0xffffffff), id="places_used"),
    pytest.param(PLACES_USED, U32(0), id="no_places_used"),
    pytest.param(SLOTS_USED, U32(0x7fffffff), id="slots_used"),
    pytest.param(SLOTS_USED, U32(0), id="no_slots_used"),
    pytest.param(LOAD, U32(0xffffffff), id="load"),
    pytest.param(LOCK, U64(FOR_EVER), id="lock"),
    pytest.param(SLOT, b"x" * 8, id="canary"),
    pytest.param(SLOT, b"x" * SLOTS * 128, id="slots"),
    pytest.param(PLACES, b"\xff" * 16 * 9, id="places"),
    pytest.param(PLACES + 16, U64(7 << 32 | 0x80000000) * 8, id="owners")])
def test_words_that_cannot_be(served, offset, data):
    h, segment = served(DAMAGE)
    segment.write(offset, data)
    kill_child(h)
    assert_begins_anew(h)


# ---- what nobody can tell from what children write ----

def test_places_and_locks_in_the_name_of_a_process_that_lives(served):
    """They are free after a restart, as the parent has its own list of children."""
    h, segment = served("PM0201")
    init = U64(1 << 32 | 1)
    segment.write(LOCK, init)
    segment.write(PLACES_USED, U32(PLACES_MAX))
    segment.write(PLACES + 16, init * 2 * (PLACES_MAX - 1))     # owner and settler of each
    kill_child(h)
    assert h.get("/o/b").status == 200
    h.graceful()
    before = len(h.log_lines("PM0201"))
    assert h.get("/o/c").status == 200
    assert patch(h, {"count": 4})["attributes"]["count"] == 4
    h.graceful()
    assert attributes(h)["count"] == 4
    assert len(h.log_lines("PM0201")) == before  # the children have places of their own again
    assert not h.log_lines(DAMAGE)
    h.hanging = True


def test_version_that_moves_on_while_the_configuration_is_read(served):
    h, _ = served()
    segment = Segment(h.process.pid)            # the same memory, for longer than a child has it
    stop = threading.Event()

    def move() -> None:
        version = 1 << 20
        while not stop.is_set():
            version += 2
            segment.write(VERSION, U64(version))
    mover = threading.Thread(target=move, daemon=True)
    mover.start()
    try:
        h.conf = h.conf.replace("name=m ", "name=m count=7 ")      # so that the parent drops what is stored
        h.configure()
        h.graceful()
        assert attributes(h)["count"] == 7
    finally:
        stop.set()
        mover.join()
        segment.close()
    h.graceful()
    assert attributes(h)["count"] == 7
    assert patch(h, {"count": 8})["attributes"]["count"] == 8


def test_numbers_beyond_all_counting_are_not_shown(served):
    h, segment = served()
    cells = PLACES + -(-PLACES_MAX * 16 // 64) * 64
    size = PLACES_MAX * SLOTS * CELL
    segment.write(cells, b"\xff" * size)
    texts = (2 * SLOTS + 1) * STORE + FLEET
    assert 0 <= segment.end - segment.start - cells - size - texts - SLOTS * (LOST + FINDINGS + SERVERS + PLACES_MAX * COUNTS) < 4096 + 64     # so these are the cells
    one = h.mirror()
    assert one["seen"] == 0 and one["state"]["bytes"] == 0 and one["latency_ms"]["p99"] is None
    assert h.get("/o/b").status == 200
    assert h.get("/manager/").status == 200
    h.hanging = True


# ---- stored texts ----

def stored(segment: Segment, slot: int = 0) -> int:
    """Where the text of the first change of a slot is: the second of its two."""
    size = os.pread(segment.mem, segment.end - segment.start, segment.start)
    found = size.rfind(b'{"count":3}')
    assert found > 0
    return found


def test_a_host_that_is_not_allowed_is_not_used_whoever_stored_it(served, recorder):
    """The children check what they find: no other child can turn their copies away."""
    h, segment = served("PM0911")
    thief = recorder()
    at = stored(segment)
    text = f'{{"host":"http://10.9.8.7:{thief.port}"}}'.encode() + b"\0"
    segment.write(at - 8, U64(len(text)))
    segment.write(at, text)
    version = struct.unpack("<Q", os.pread(segment.mem, 8, segment.start + VERSION))[0]
    segment.write(VERSION, U64(version + 4))    # the same one of the two
    assert h.get_many(["/o/b"] * 6) == [200] * 6
    assert h.ended(9) == {"mirrored": 9}
    assert h.mirror()["overridden"] is False
    assert len(h.log_lines("PM0911: .*ProxyMirrorAllowHost")) == 1
    assert call(h, "PATCH", "m", {"count": 9}).status == 200
    assert not thief.requests


@pytest.mark.parametrize("text", [b"{" * 2000, b"\xff" * 2000, b"", b'{"count":0}'],
                         ids=["deep", "binary", "empty", "number"])
def test_a_text_that_is_none(served, text):
    """The parent does not look at it; the first child that starts does, and says so once."""
    h, segment = served("PM0911")
    at = stored(segment)
    segment.write(at - 8, U64(len(text) + 1))
    segment.write(at, text + b"\0")
    h.graceful()
    assert h.get("/o/b").status == 200
    assert h.ended(4) == {"mirrored": 4}
    assert attributes(h)["count"] != 3 and h.mirror()["overridden"] is False
    h.graceful()
    assert len(h.log_lines("PM0912: mirror m ")) == 1


# ---- servers of a mirror that has several ----

LISTS = PLACES + -(-PLACES_MAX * 16 // 64) * 64 + PLACES_MAX * SLOTS * CELL + SLOTS * (LOST + STORE + FINDINGS) + (
    SLOTS + 1) * STORE + FLEET
WORDS, KEPT = 88, 8             # bytes of one place, and of its key, the first


def overwrite_servers(segment: Segment, kind: str) -> None:
    seed = random.Random(kind)
    words = 32 * WORDS
    for offset in range(LISTS, LISTS + SLOTS * SERVERS, SERVERS):
        was = os.pread(segment.mem, words, segment.start + offset)
        for at in range(0, words, WORDS):
            place = {"ones": b"\xff" * WORDS, "zeros": bytes(WORDS), "all but keys": was[at:at + KEPT] + b"\xff" * (WORDS - KEPT)}
            segment.write(offset + at, place.get(kind) or seed.randbytes(WORDS))
    size = SLOTS * PLACES_MAX * COUNTS
    segment.write(LISTS + SLOTS * SERVERS, bytes(size) if kind == "zeros" else b"\xff" * size)


@pytest.mark.parametrize("kind", ["ones", "zeros", "all but keys", "seed 6", "seed 7"])
def test_servers_are_overwritten(httpd, origin, servers, kind):
    """All live and serve. One line is logged but for zeros, which are free places. Each server has its share again, also one
    that is out, and what is shown is possible."""
    made = servers(3)
    made[2].answer = lambda sock, message: False
    h = httpd(MANAGER + f"ProxyMirrorSlots {SLOTS}\n" + location("/o/", origin, listed(
        made, "retry=1h max_connections=12")), children=2, threads=8, expect=["PM0434", "PM0435"])
    parent = h.process.pid
    count = 0
    while not any(one["down_until"] for one in h.mirror()["state"]["servers"]):
        count += 1
        one_by_one(h, 1, count - 1)
    made[2].answer = answer()
    segment = Segment(h.pids()[0])
    assert struct.unpack("<Q", os.pread(segment.mem, 8, segment.start + LISTS))[0] != 0     # so it is there
    overwrite_servers(segment, kind)
    segment.close()
    for one in h.mirror()["state"]["servers"]:
        assert all(0 <= one[name] <= count for name in ("connections", "in_flight", "mirrored", "failed"))
    assert h.get("/manager/").status == 200
    wait_for("copies at the third one again", lambda: h.get("/o/a").status == 200 and len(made[2].requests) > 10)
    h.wait_idle()
    gates, before = [one.hold() for one in made], counts(made)
    gets(h, 12)
    wait_for("the share of each", lambda: sum(counts(made)) == sum(before) + 12)
    for gate in gates:
        gate.set()
    h.wait_idle()
    outcomes = h.outcomes()
    assert outcomes.pop("broken") == 5 and list(outcomes) == ["mirrored"]
    lines = h.log_lines("PM0435: mirror m: code outside this module has overwritten the state of its servers")
    assert len(lines) == (kind != "zeros")
    assert h.process.pid == parent and not h.log_lines(DAMAGE)
    h.graceful()
    assert h.get("/o/after").status == 200 and h.process.pid == parent
