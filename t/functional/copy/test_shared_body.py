"""The copies of a request share its body: several mirrors, copies=N and references store it once, and none disturbs another."""
from __future__ import annotations

import pytest

from httpdlab import INSTRUMENTED, Httpd, location, scaled, to, wait_for
from large import MEGABYTE, Large, LargeTls, Memory, digest_of, head, origin, pieces, spooled, upload  # noqa: F401, a fixture
from recorder import Recorder, ok
from tlslab import server, strict

PATIENT = "timeout=2min connect_timeout=1min"
LARGE = " max_body=200M"
NAMES = ("plain", "tls", "twice", "small")
SIZE = 3 * MEGABYTE + 11


@pytest.fixture
def mirrors(recorder, authority) -> dict[str, Recorder]:
    made = {name: Large(scaled(60)) for name in ("plain", "twice", "small")}
    made["tls"] = LargeTls(scaled(60), server(authority.server))
    recorder.made += made.values()
    return made


@pytest.fixture
def proxy(httpd, origin, mirrors, authority):
    """An httpd of one child that mirrors /o/ to four: by http, by https, with two copies, and one that takes 100,000 bytes."""
    more = {"twice": LARGE + " copies=2", "small": " max_body=100000"}

    def make(memory: str, **options) -> Httpd:
        lines = [to(mirrors[name], PATIENT + more.get(name, LARGE), name) for name in NAMES]
        return httpd(lambda h: f"{strict(authority)}ProxyMirrorSpool {h.folder('spool')}\nProxyMirrorMemory {memory}\n"
                     + location("/o/", origin, *lines), children=1, modules=("ssl",), **options)
    return make


@pytest.mark.valgrind
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("memory", ["256M", "1M"])
def test_all_get_the_same_bytes(proxy, mirrors, chunked, memory):
    """From memory, and from one file. The one that a body is too long for gets none."""
    h = proxy(memory)
    gates = [mirror.hold() for mirror in mirrors.values()]
    assert upload(h, "/o/a", SIZE, chunked).status == 200
    for name, count in (("plain", 1), ("tls", 1), ("twice", 2)):
        mirrors[name].wait(count)
    assert len(spooled(h)) == (1 if memory == "1M" else 0)
    for gate in gates:
        gate.set()
    assert h.ended(1, "plain") == h.ended(1, "tls") == {"mirrored": 1}
    assert h.ended(2, "twice") == {"mirrored": 2}
    assert h.ended(1, "small") == {"too_large": 1}
    for name in ("plain", "tls", "twice"):
        assert {got.digest for got in mirrors[name].requests} == {digest_of(SIZE)}
        assert h.mirror(name)["state"]["bytes"] == 0
    assert not spooled(h)


def test_each_mirror_counts_all_of_it(proxy, mirrors):
    """What a mirror that hangs keeps is counted as its own, when the others have ended."""
    h = proxy("256M")
    gate = mirrors["twice"].hold()
    assert upload(h, "/o/a", SIZE).status == 200
    assert h.ended(1, "plain") == h.ended(1, "tls") == {"mirrored": 1}
    assert h.mirror("plain")["state"]["bytes"] == 0
    assert h.mirror("twice")["state"]["bytes"] > 2 * SIZE
    gate.set()
    assert h.ended(2, "twice") == {"mirrored": 2}
    assert {got.digest for got in mirrors["twice"].requests} == {digest_of(SIZE)}


@pytest.mark.parametrize("memory", ["256M", "1M"])
def test_a_mirror_that_breaks_leaves_the_others_alone(proxy, mirrors, memory):
    h = proxy(memory)
    mirrors["plain"].cut = 100000
    for n in range(1, 4):
        assert upload(h, "/o/a", SIZE).status == 200
        assert h.ended(n, "tls") == {"mirrored": n}
        assert h.ended(2 * n, "twice") == {"mirrored": 2 * n}
    assert h.ended(3, "plain") == {"broken": 1, "mirrored": 2}
    assert {got.digest for got in mirrors["tls"].requests + mirrors["twice"].requests} == {digest_of(SIZE)}
    assert not spooled(h)


@pytest.mark.parametrize("memory", ["256M", "1M"])
def test_an_upload_that_is_cut(proxy, mirrors, memory):
    """Nothing of it is kept, and the next one is whole."""
    h = proxy(memory, expect=["AH02608: read request body failed", "AH01097: pass request body failed"])
    with h.client() as client:
        client.send(head("/o/a", SIZE))
        for piece in list(pieces(SIZE))[:20]:
            client.send(piece)
    for name, count in (("plain", 1), ("tls", 1), ("twice", 2), ("small", 1)):
        assert set(h.ended(count, name)) <= {"incomplete", "too_large"}
        assert h.mirror(name)["state"]["bytes"] == 0
    assert not spooled(h)
    for mirror in mirrors.values():
        mirror.answer = ok
    assert upload(h, "/o/a", SIZE).status == 200
    assert h.ended(2, "plain") == {"incomplete": 1, "mirrored": 1}


def test_a_status_that_one_mirror_does_not_want(httpd, origin, mirrors):
    """Its copy ends before those of the others are sent."""
    h = httpd("ProxyMirrorMemory 256M\n" + location("/o/", origin, to(mirrors["plain"], PATIENT + LARGE + " status=500", "plain"),
                                                     to(mirrors["twice"], PATIENT + LARGE, "twice")), children=1)
    for n in range(1, 4):
        assert upload(h, "/o/a", SIZE).status == 200
        assert h.ended(n, "twice") == {"mirrored": n}
    assert h.ended(3, "plain") == {"filtered": 3}
    assert h.mirror("plain")["state"]["bytes"] == 0
    assert {got.digest for got in mirrors["twice"].requests} == {digest_of(SIZE)}


@pytest.mark.long
def test_memory_of_a_burst_comes_back(httpd, origin, mirrors):
    """Within 30 seconds, though freed blocks are kept for a while."""
    h = httpd("ProxyMirrorMemory 256M\n" + location("/o/", origin, to(mirrors["plain"], PATIENT + LARGE, "plain")), children=1)
    assert upload(h, "/o/first", SIZE).status == 200
    assert h.ended(1, "plain") == {"mirrored": 1}
    memory = Memory(h.pids()[0])
    gate = mirrors["plain"].hold()
    for n in range(30):
        assert upload(h, "/o/a", SIZE).status == 200
    assert memory.now() > 25 * SIZE
    gate.set()
    assert h.ended(31, "plain") == {"mirrored": 31}
    if not INSTRUMENTED:
        wait_for("the memory", lambda: memory.now() < 4 * SIZE, 30)
