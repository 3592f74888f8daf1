"""Bodies that wait on disk: what arrives, what they take, and what happens when there is no room for them."""
from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import threading

import pytest

from httpdlab import INSTRUMENTED, LAB, Httpd, location, scaled, to, wait_for
from large import MEGABYTE, Large, LargeTls, Memory, digest_of, files_in, head, origin, pieces, slow_down, spooled, upload  # noqa: F401
from recorder import Recorder, ok
from tlslab import server, strict
from wire import reset

PATIENT = "max_body=200M timeout=2min connect_timeout=1min"
SPOOL = r"PM0420: (bodies over 64 KiB use|a body over 64 KiB cannot be written)"


@pytest.fixture
def mirror(recorder) -> Large:
    recorder.made.append(Large(scaled(60)))
    return recorder.made[-1]


@pytest.fixture
def mirrors(recorder, mirror, authority):
    """Makes a mirror: "http", "https" or "unix"."""
    folder = tempfile.mkdtemp(prefix="httpdlab.")
    os.chmod(folder, 0o755)                     # so that httpd's children may enter it

    def make(scheme: str) -> Recorder:
        if scheme == "unix":
            recorder.made.append(Large(scaled(60), path=f"{folder}/mirror.sock"))
            return recorder.made[-1]
        if scheme == "https":
            recorder.made.append(LargeTls(scaled(60), server(authority.server)))
            return recorder.made[-1]
        return mirror
    yield make
    shutil.rmtree(folder)


@pytest.fixture
def proxy(httpd, origin, authority):
    """An httpd of one child whose /o/ is mirrored, with a folder of its own for bodies, and little
    memory: a body of half of that has no room there."""
    def make(mirror, attributes=PATIENT, size="", conf="", memory="1M", **options) -> Httpd:
        modules = ("ssl",) if isinstance(mirror, LargeTls) else ()
        trust = strict(authority) if modules else ""
        return httpd(lambda h: f"{conf}\n{trust}ProxyMirrorSpool {h.folder('spool')} {size}\n"
                     + f"ProxyMirrorMemory {memory}\n"
                     + location("/o/", origin, to(mirror, attributes)), children=1, modules=modules, **options)
    return make


def helper(name: str) -> tuple[str, str]:
    """A program of ours that runs httpd."""
    return sys.executable, f"{LAB}/{name}.py"


def refused(h: Httpd) -> list[str]:
    return h.log_lines(SPOOL)


# ---- what arrives ----

@pytest.mark.long
@pytest.mark.parametrize("scheme", ["http", "https", "unix"])
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("megabytes", [10, 100])
def test_arrives(proxy, origin, mirrors, scheme, chunked, megabytes):
    """Byte for byte, and the child hardly grows by it."""
    mirror = mirrors(scheme)
    h = proxy(mirror)
    assert upload(h, "/o/first", 70000).status == 200
    assert h.ended(1) == {"mirrored": 1}
    memory = Memory(h.pids()[0])
    gate = mirror.hold()
    size = megabytes * MEGABYTE + 7
    assert upload(h, "/o/a", size, chunked).status == 200
    assert h.mirror()["state"]["bytes"] < 100000
    gate.set()
    assert h.ended(2) == {"mirrored": 2}
    assert INSTRUMENTED or memory.grown() < 8 * MEGABYTE
    for one in (origin, mirror):
        assert [(got.length, got.digest) for got in one.requests] == [(n, digest_of(n)) for n in (70000, size)]
    assert mirror.requests[1].header("Content-Length") == [str(size)]
    assert mirror.connections == 1
    wait_for("no file", lambda: not spooled(h))     # a long one is closed by a thread of its own
    assert h.mirror()["state"]["bytes"] == 0


@pytest.mark.parametrize("scheme", ["http", "https", "unix"])
@pytest.mark.parametrize("chunked", [False, True])
def test_arrives_from_memory(proxy, mirrors, scheme, chunked):
    """In blocks that were another body's before."""
    mirror = mirrors(scheme)
    h = proxy(mirror, memory="64M")
    sizes = [MEGABYTE, 5 * MEGABYTE + 1, MEGABYTE + 7, 3 * MEGABYTE]
    for n, size in enumerate(sizes, 1):
        gate = mirror.hold()
        assert upload(h, "/o/a", size, chunked).status == 200
        mirror.wait(n)
        assert not spooled(h)
        assert size < h.mirror()["state"]["bytes"] < size + 2 * 65536 + 10000
        gate.set()
        assert h.ended(n) == {"mirrored": n}
    assert [got.digest for got in mirror.requests] == [digest_of(size) for size in sizes]
    assert h.mirror()["state"]["bytes"] == 0


@pytest.mark.smoke
@pytest.mark.valgrind
@pytest.mark.parametrize("memory", ["64M", "1M"])
@pytest.mark.parametrize("chunked", [False, True])
def test_around_the_bound(proxy, mirror, chunked, memory):
    """Lengths at which a part is full, or has one byte more, or about half of the memory."""
    h = proxy(mirror, memory=memory)
    sizes = [8191, 8192, 8193, 65535, 65536, 65537, 73728, 131071, 131072, 131073, 200000, 458752, 520000, 530000,
             MEGABYTE, 5 * MEGABYTE + 1]
    for n, size in enumerate(sizes, 1):
        assert upload(h, "/o/a", size, chunked).status == 200
        assert h.ended(n) == {"mirrored": n}
    assert [got.length for got in mirror.requests] == sizes
    assert [got.digest for got in mirror.requests] == [digest_of(size) for size in sizes]
    assert not spooled(h)


@pytest.mark.parametrize("chunked", [False, True])
def test_short_bodies_are_not_on_disk(proxy, mirror, chunked):
    """Though there is room for only half of them beside longer ones."""
    gate = mirror.hold()
    h = proxy(mirror)
    for n in range(12):
        assert upload(h, f"/o/{n}", 65536, chunked).status == 200
    mirror.wait(12)
    assert not spooled(h)
    assert upload(h, "/o/a", 65537).status == 200
    mirror.wait(13)
    assert len(spooled(h)) == 1
    gate.set()
    assert h.ended(13) == {"mirrored": 13}


@pytest.mark.parametrize("chunked", [False, True])
def test_long_bodies_are_in_memory_while_there_is_room(proxy, mirror, chunked):
    """A part of one that has begun there goes to disk with the rest."""
    gate = mirror.hold()
    h = proxy(mirror)
    assert upload(h, "/o/a", 300000, chunked).status == 200
    mirror.wait(1)
    assert not spooled(h)
    assert 300000 < h.mirror()["state"]["bytes"] < 400000
    assert upload(h, "/o/b", 300000, chunked).status == 200
    mirror.wait(2)
    assert len(spooled(h)) == 1
    assert h.mirror()["state"]["bytes"] < 500000
    gate.set()
    mirror.answer = ok
    assert h.ended(2) == {"mirrored": 2}
    assert h.mirror()["state"]["bytes"] == 0
    gate = mirror.hold()
    assert upload(h, "/o/c", 300000, chunked).status == 200
    mirror.wait(3)
    assert not spooled(h)
    gate.set()
    assert h.ended(3) == {"mirrored": 3}
    assert [got.digest for got in mirror.requests] == [digest_of(300000)] * 3


def test_several_mirrors_and_copies(httpd, origin, mirror, recorder):
    recorder.made.append(Large(scaled(60)))
    second = recorder.made[-1]
    h = httpd(lambda h: f"ProxyMirrorSpool {h.folder('spool')}\nProxyMirrorMemory 1M\n"
              + location("/o/", origin, to(mirror, f"copies=3 {PATIENT}"), to(second, PATIENT, "n")), children=1)
    assert upload(h, "/o/a", 3 * MEGABYTE).status == 200
    assert h.ended(3) == {"mirrored": 3}
    assert h.ended(1, "n") == {"mirrored": 1}
    assert {got.digest for got in mirror.requests + second.requests} == {digest_of(3 * MEGABYTE)}
    assert not spooled(h)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_slow_reader_holds_up_nobody(proxy, mirrors, scheme):
    """While one mirror's connection is full, other copies go."""
    mirror = mirrors(scheme)
    gate = mirror.gate()
    take = mirror._take_body

    def take_slowly(stream, message):
        if message.target == "/o/slow":
            gate.wait()
        take(stream, message)
    mirror._take_body = take_slowly
    h = proxy(mirror)
    assert upload(h, "/o/slow", 20 * MEGABYTE).status == 200
    mirror.wait(1)
    assert upload(h, "/o/b", 2 * MEGABYTE).status == 200
    wait_for("the other copy", lambda: h.outcomes() == {"mirrored": 1})
    assert len(spooled(h)) == 1
    gate.set()
    assert h.ended(2) == {"mirrored": 2}
    assert {got.target: got.digest for got in mirror.requests} == {"/o/slow": digest_of(20 * MEGABYTE),
                                                                  "/o/b": digest_of(2 * MEGABYTE)}


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("cut", [0, 1000, MEGABYTE])
def test_stale_connection_is_sent_again_from_the_start(proxy, mirrors, scheme, cut):
    mirror = mirrors(scheme)
    h = proxy(mirror)
    assert upload(h, "/o/first", 1000).status == 200
    assert h.ended(1) == {"mirrored": 1}
    mirror.cut = cut
    assert upload(h, "/o/again", 5 * MEGABYTE, method="PUT").status == 200
    assert h.ended(2) == {"mirrored": 2}
    assert [got.target for got in mirror.requests] == ["/o/first", "/o/again", "/o/again"]
    assert (mirror.requests[1].length, mirror.requests[1].complete) == (cut, False)
    assert mirror.requests[2].digest == digest_of(5 * MEGABYTE)
    assert mirror.connections == 2
    assert not spooled(h)


def test_broken_connection_ends_a_post(proxy, mirror):
    h = proxy(mirror)
    mirror.cut = MEGABYTE
    assert upload(h, "/o/a", 5 * MEGABYTE).status == 200
    assert h.ended(1) == {"broken": 1}
    assert not spooled(h)


def test_mirror_that_never_reads(proxy, recorder):
    gate = threading.Event()
    recorder.made.append(Large(scaled(60), takeover=lambda sock: slow_down(sock) or gate.wait()))
    h = proxy(recorder.made[-1], f"max_body=200M timeout={int(scaled(700))}ms")
    assert upload(h, "/o/a", 20 * MEGABYTE).status == 200
    assert h.ended(1) == {"timed_out": 1}
    wait_for("no file", lambda: not spooled(h))
    gate.set()


# ---- what clients do ----

@pytest.mark.parametrize("chunked", [False, True])
def test_client_that_breaks_off(proxy, mirror, chunked):
    h = proxy(mirror, expect=[r"\[proxy(_http)?:error\]"])
    client = h.client()
    client.send(head("/o/a", None if chunked else 5 * MEGABYTE))
    for piece in pieces(3 * MEGABYTE):
        client.send(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
    wait_for("a file", lambda: spooled(h))
    reset(client.sock)
    assert h.ended(1) == {"incomplete": 1}
    assert not spooled(h)
    assert mirror.connections == 0
    assert upload(h, "/o/b", MEGABYTE).status == 200
    assert h.ended(2) == {"incomplete": 1, "mirrored": 1}


def test_longer_than_max_body(proxy, origin, mirror):
    h = proxy(mirror, "max_body=1M")
    assert upload(h, "/o/a", MEGABYTE + 1, chunked=True).status == 200
    assert h.ended(1) == {"too_large": 1}
    assert origin.requests[0].digest == digest_of(MEGABYTE + 1)
    assert not spooled(h)


# ---- room ----

@pytest.mark.parametrize("chunked", [False, True])
def test_size_is_a_bound(proxy, origin, mirror, chunked):
    h = proxy(mirror, size="1M", expect=[SPOOL])
    assert upload(h, "/o/a", 3 * MEGABYTE, chunked).status == 200
    assert h.ended(1) == {"memory_full": 1}
    assert origin.requests[0].digest == digest_of(3 * MEGABYTE)
    assert mirror.connections == 0
    assert not spooled(h)
    assert "use all 1048576 bytes" in wait_for("a line in the log", lambda: refused(h))[0]
    assert upload(h, "/o/b", MEGABYTE, chunked).status == 200
    assert h.ended(2) == {"memory_full": 1, "mirrored": 1}
    assert mirror.requests[0].digest == digest_of(MEGABYTE)
    assert len(refused(h)) == 1


def test_size_is_for_all_together(proxy, mirror):
    """The newest one is dropped, and when the others are gone there is room again."""
    gate = mirror.hold()
    h = proxy(mirror, size="2M", expect=[SPOOL])
    for n in range(4):
        assert upload(h, f"/o/{n}", 800000).status == 200
    assert h.outcomes() == {"memory_full": 2}
    mirror.wait(2)
    assert len(spooled(h)) == 2
    gate.set()
    assert h.ended(4) == {"memory_full": 2, "mirrored": 2}
    assert [got.digest for got in mirror.requests] == [digest_of(800000)] * 2
    for n in range(5, 9):
        assert upload(h, f"/o/{n}", 800000).status == 200
        assert h.ended(n) == {"memory_full": 2, "mirrored": n - 2}
    assert len(wait_for("a line in the log", lambda: refused(h))) == 1


@pytest.mark.parametrize("chunked", [False, True])
def test_full_disk(proxy, origin, mirror, chunked):
    h = proxy(mirror, expect=[SPOOL], wrapper=(*helper("tinydisk"), "1m"))
    assert upload(h, "/o/a", 3 * MEGABYTE, chunked).status == 200
    assert h.ended(1) == {"memory_full": 1}
    assert origin.requests[0].digest == digest_of(3 * MEGABYTE)
    assert "No space left on device" in wait_for("a line in the log", lambda: refused(h))[0]
    assert not spooled(h)
    for n in range(2, 8):                       # what was given up left nothing on the disk
        assert upload(h, "/o/b", 900000, chunked).status == 200
        assert h.ended(n) == {"memory_full": 1, "mirrored": n - 1}
    assert {got.digest for got in mirror.requests} == {digest_of(900000)}


def test_out_of_descriptors(proxy, mirror):
    """Half of a quarter of 96 files, so that as many connections are left to send with."""
    gate = mirror.hold()
    h = proxy(mirror, f"max_connections=2 {PATIENT}", memory="2M", expect=[SPOOL],
              wrapper=("prlimit", "--nofile=96:96"))
    for n in range(20):
        assert upload(h, f"/o/{n}", 1200000).status == 200
    assert h.outcomes() == {"memory_full": 8}
    assert len(spooled(h)) == 12
    assert "Too many open files" in wait_for("a line in the log", lambda: refused(h))[0]
    gate.set()
    assert h.ended(20) == {"memory_full": 8, "mirrored": 12}
    assert not spooled(h)
    assert upload(h, "/o/more", 1200000).status == 200
    assert h.ended(21) == {"memory_full": 8, "mirrored": 13}


def test_folder_that_children_may_not_write_to(proxy, origin, mirror):
    h = proxy(mirror, expect=[SPOOL, r"PM0500: this child process cannot create files in \S*/spool \(ProxyMirrorSpool\)"])
    assert upload(h, "/o/first", MEGABYTE).status == 200
    assert h.ended(1) == {"mirrored": 1}
    if os.geteuid() == 0:
        os.chown(h.path("spool"), 0, 0)
    os.chmod(h.path("spool"), 0o555)
    old = h.pids()
    os.kill(old[0], signal.SIGKILL)
    wait_for("another child", lambda: h.pids() and h.pids() != old)
    wait_for("its line in the log", lambda: h.log_lines("PM0500"))
    assert upload(h, "/o/a", MEGABYTE).status == 200
    assert upload(h, "/o/b", 1000).status == 200
    assert h.ended(3) == {"memory_full": 1, "mirrored": 2}
    assert [got.length for got in origin.requests] == [MEGABYTE, MEGABYTE, 1000]
    assert "Permission denied" in wait_for("a line in the log", lambda: refused(h))[0]
    h.own("spool")
    os.chmod(h.path("spool"), 0o755)
    assert upload(h, "/o/c", MEGABYTE).status == 200
    assert h.ended(4) == {"memory_full": 1, "mirrored": 3}
    assert len(h.log_lines("PM0500")) == 1


# ---- the files ----

def test_files_have_no_name_and_are_not_inherited(proxy, mirror):
    gate = mirror.hold()
    h = proxy(mirror)
    assert upload(h, "/o/a", MEGABYTE).status == 200
    mirror.wait(1)
    pid = h.pids()[0]
    (name,) = spooled(h)
    assert os.listdir(h.path("spool")) == []
    assert os.readlink(f"/proc/{pid}/fd/{name}").endswith(" (deleted)")
    with open(f"/proc/{pid}/fdinfo/{name}", encoding="ascii") as f:
        flags = next(int(line.split()[1], 8) for line in f if line.startswith("flags:"))
    assert flags & os.O_CLOEXEC
    gate.set()
    assert h.ended(1) == {"mirrored": 1}


def test_default_is_the_temporary_folder(httpd, origin, mirror, tmp_path_factory):
    gate = mirror.hold()
    conf = "ProxyMirrorMemory 1M\n" + location("/o/", origin, to(mirror, PATIENT))
    h = httpd(lambda h: h.env.update(TMPDIR=h.folder("tmp")) or conf, children=1)
    assert upload(h, "/o/a", MEGABYTE).status == 200
    mirror.wait(1)
    assert len(files_in(h.pids()[0], h.path("tmp"))) == 1
    assert os.listdir(h.path("tmp")) == []
    gate.set()
    assert h.ended(1) == {"mirrored": 1}
    assert mirror.requests[0].digest == digest_of(MEGABYTE)


def test_system_without_such_files(proxy, mirror):
    """They have a name for a moment, and are read to be sent."""
    gate = mirror.hold()
    h = proxy(mirror, wrapper=helper("oldsystem"))
    assert upload(h, "/o/a", 5 * MEGABYTE).status == 200
    mirror.wait(1)
    pid = h.pids()[0]
    assert os.listdir(h.path("spool")) == []
    assert [os.path.basename(os.readlink(f"/proc/{pid}/fd/{name}"))[:13] for name in spooled(h)] == ["proxy-mirror."]
    gate.set()
    assert h.ended(1) == {"mirrored": 1}
    assert mirror.requests[0].digest == digest_of(5 * MEGABYTE)


def test_killed_child_leaves_nothing(proxy, mirror):
    mirror.hold()
    h = proxy(mirror, f"max_connections=1 {PATIENT}")
    for n in range(3):
        assert upload(h, f"/o/{n}", MEGABYTE).status == 200
    old = h.pids()
    assert len(spooled(h)) == 3
    os.kill(old[0], signal.SIGKILL)
    wait_for("another child", lambda: h.pids() and h.pids() != old)
    assert os.listdir(h.path("spool")) == []
    mirror.release()
    mirror.answer = ok
    assert h.ended(3) == {"shut_down": 3}


def test_graceful_stop_sends_what_is_on_disk(proxy, mirror):
    gate = mirror.hold()
    h = proxy(mirror, f"max_connections=1 {PATIENT}", conf=f"ProxyMirrorDrainTimeout {int(scaled(30))}s")
    for n in range(5):
        assert upload(h, f"/o/{n}", 2 * MEGABYTE).status == 200
    mirror.wait(1)
    h.tell(signal.SIGWINCH)
    wait_for("the stop to begin", lambda: h.log_lines("AH00492|AH00297|shutting down"))
    gate.set()
    h.wait_end(40)
    assert [got.digest for got in mirror.requests] == [digest_of(2 * MEGABYTE)] * 5
    assert all(got.complete for got in mirror.requests)


def test_stop_gives_up_what_is_on_disk(proxy, mirror):
    mirror.hold()
    h = proxy(mirror, f"max_connections=1 {PATIENT}")
    for n in range(3):
        assert upload(h, f"/o/{n}", 2 * MEGABYTE).status == 200
    h.hanging = True
    h.stop()
    assert os.listdir(h.path("spool")) == []
