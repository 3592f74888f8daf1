"""Several servers behind one mirror, and what is hostile or broken about them: names of very many addresses, servers that all
hang, flap or are down, changes at run time under load, foreign data in shared memory."""
from __future__ import annotations

import glob
import os
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from http2lab import OF_A_SANITIZER, memory
from httpdlab import location, scaled, to, wait_for
from managerlab import MANAGER, patch
from recorder import answer
from serverslab import DOWN, EJECTED, SERVER_DOWN, counts, gets, listed, named, one_by_one, servers, state, with_names  # noqa: F401

PRELOADS = ("names",)


@pytest.fixture
def httpd(names, preload, httpd):
    return with_names(httpd, preload, names)


def sender_time(h) -> float:
    """Seconds of a processor that the senders have had."""
    total = 0
    for pid in h.pids():
        for task in glob.glob(f"/proc/{pid}/task/*"):
            with open(f"{task}/comm", encoding="ascii") as comm, open(f"{task}/stat", encoding="ascii") as stat:
                if comm.read() == "mirror-sender\n":
                    total += sum(map(int, stat.read().rsplit(")", 1)[1].split()[11:13]))
    return total / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("kind", ["in another order", "others"])
def test_name_of_very_many_addresses(httpd, origin, recorder, names, kind):
    """16 are used, those that there were stay, and a lookup takes the sender some milliseconds at most."""
    mirror = recorder(host="0.0.0.0")
    every = [[f"127.{a}.{b}.{c}" for b in range(100) for c in range(1, 101)] for a in (1, 2)]
    random.Random(1).shuffle(every[0])
    names.set(some=" ".join(every[0]))
    h = httpd(location("/o/", origin, named(mirror.port, "ttl=100ms")), expect=["PM0430"])
    one_by_one(h, 20)
    first, before, count = sorted(state(h)), sender_time(h), 20
    for n in range(1, 11):
        random.Random(n + 1).shuffle(every[n % 2])
        names.set(some=" ".join(every[n % 2 if kind == "others" else 0]))
        lookups = names.lookups("some")
        while names.lookups("some") == lookups:
            count += 1
            one_by_one(h, 1, count - 1)
    took = sender_time(h) - before
    assert took < (2 if OF_A_SANITIZER else 0.3), took
    assert h.outcomes() == {"mirrored": count}
    assert len(state(h)) == 16 and (sorted(state(h)) == first) == (kind != "others")
    assert len(h.log_lines("PM0430: mirror m: some.test has 10000 addresses, of which 16 are used")) == 1


def test_servers_that_leave_keep_no_lists(httpd, origin, recorder, names):
    """A copy is under way at each server that has left: of the thousands of addresses that it came with one is kept."""
    mirror = recorder(host="0.0.0.0")
    h = httpd(location("/o/", origin, named(mirror.port, "ttl=100ms timeout=1h")), expect=["PM0430"])
    names.set(some="127.0.0.1 127.0.0.2")
    one_by_one(h, 20)
    gate, count, used = mirror.gate(), 20, 0
    mirror.answer = lambda sock, message: (message.target != "/o/held" or gate.wait()) and answer()(sock, message)
    for n in range(1, 25):
        names.set(some=" ".join(f"127.{n}.{b}.{c}" for b in range(100) for c in range(1, 101)))
        while not all(address.startswith(f"127.{n}.") for address in state(h)):
            count += 1
            assert h.get("/o/a").status == 200
        count += 1
        assert h.get("/o/held").status == 200
        mirror.wait_until("the copy", lambda n=n: sum(message.target == "/o/held" for message in mirror.requests) == n)
        used = used or memory(h)
    assert OF_A_SANITIZER or memory(h) < used + (16 << 20)
    gate.set()
    assert h.ended(count) == {"mirrored": count}


# ---- servers that hang ----

def assert_other_goes_on(h, mirror, count: int) -> None:
    """Copies to the mirror beside are as quick as ever."""
    for n in range(1, count + 1):
        began = time.monotonic()
        assert h.get("/p/a").status == 200
        mirror.wait_until("the copy beside", lambda n=n: len(mirror.requests) >= n)
        assert time.monotonic() - began < scaled(0.5)


@pytest.mark.long
def test_sixteen_that_do_not_respond(httpd, origin, mirror, servers):
    """They hold their connections, and half of them are left out in the end; clients and another mirror notice nothing."""
    made = servers(16)
    for one in made:
        one.hold()
    timeout = scaled(1)
    h = httpd(location("/o/", origin, listed(made, f"timeout={int(timeout * 1000)}ms retry=1h max_queue=100")) +
              location("/p/", origin, to(mirror, name="other")), expect=[EJECTED, "PM0420"])
    gets(h, 300)
    one = h.mirror()
    assert one["state"]["connections"] <= 64
    assert one["outcomes"]["queue_full"] + one["outcomes"]["timed_out"] >= 300 - 64 - 100 - 1
    assert_other_goes_on(h, mirror, 20)
    count = 300
    while len(h.log_lines(EJECTED)) < 8:
        gets(h, 10)
        count += 10
    assert_other_goes_on(h, mirror, 40)
    got = h.ended(count)
    assert got.keys() == {"timed_out", "queue_full"} and got["timed_out"] == sum(counts(made))
    assert sum(one["down_until"] is not None for one in h.mirror()["state"]["servers"]) == 8
    assert len(h.log_lines(EJECTED)) == 8 and not h.log_lines(DOWN)


@pytest.mark.long
def test_sixteen_that_cannot_be_connected(httpd, origin, mirror, recorder):
    """Connecting hangs. Another mirror has helpers, and the mirror is down in the end, once."""
    first = recorder(host="127.0.0.1", listen=False)
    made = [first] + [recorder(host=f"127.0.0.{n}", port=first.port, listen=False) for n in range(2, 17)]
    filling = [sock for one in made for sock in one.fill_backlog()]
    h = httpd("ProxyMirrorThreads 8\n" + location(
        "/o/", origin, listed(made, f"connect_timeout={int(scaled(0.5) * 1000)}ms retry=1h keepalive=0")) +
        location("/p/", origin, to(mirror, "keepalive=0", name="other")), expect=[DOWN, SERVER_DOWN])
    gets(h, 100)
    assert_other_goes_on(h, mirror, 40)
    wait_for("the end", lambda: h.mirror()["state"]["name"] == "down", 20)
    assert h.ended(100) == {"unreachable": 100}
    assert len(h.log_lines(SERVER_DOWN)) == 16 and len(h.log_lines(DOWN)) == 1
    for sock in filling:
        sock.close()


@pytest.mark.parametrize("keepalive", ["0", "60s"])
def test_name_server_that_hangs_is_of_one_server(httpd, origin, servers, names, keepalive):
    """The lookup of one name of a list has no end: those of the others go on, and copies with them."""
    made = servers(3)
    names.set(one="127.0.0.1", two="?", three="127.0.0.3")
    h = httpd(location("/o/", origin, f'ProxyMirror "http://some.test:{made[0].port}" name=m '
                       f"servers=two.test,one.test,three.test keepalive={keepalive} ttl=100ms"))
    began, count = time.monotonic(), 0
    while names.lookups("one") < 3 or names.lookups("three") < 3:
        count += 1
        one_by_one(h, 1, count - 1)
        assert time.monotonic() - began < scaled(5), [names.lookups(name) for name in ("one", "two", "three")]
        if keepalive != "0":
            made[0].answer = made[2].answer = answer(close=True)
    assert names.lookups("two") == 1
    names.set(two="127.0.0.2")
    wait_for("all three", lambda: h.get("/o/a").status == 200 and all(counts(made)))
    h.wait_idle()
    assert set(h.outcomes()) == {"mirrored"}


@pytest.mark.parametrize("kind", ["lookup", "connect"])
def test_retried_copy_waits_for_no_server_that_hangs(httpd, origin, servers, recorder, names, kind):
    """A server closes its only connection without a response while the other one hangs: it gets the copy again, and others."""
    one = servers(1)[0]
    other = recorder(host="127.0.0.2", port=one.port, listen=False)
    waiting = other.fill_backlog()
    names.set(one="127.0.0.1", two="?" if kind == "lookup" else "127.0.0.2")
    h = httpd(location("/o/", origin, f'ProxyMirror "http://some.test:{one.port}" name=m '
                       "servers=one.test,two.test connect_timeout=1h timeout=1h"))
    used = []
    one.answer = lambda sock, _: (used.append(sock) or len(used) == 1 or sock is not used[0]) and answer()(sock, _)
    one_by_one(h, 1)
    assert h.get_many(["/o/a"] * 3) == [200] * 3
    assert h.ended(4) == {"mirrored": 4} and len(used) == 5
    assert state(h)["one.test"]["mirrored"] == 4 and state(h)["two.test"]["down_until"] is None
    names.set(two="127.0.0.1")
    for sock in waiting:
        sock.close()


@pytest.mark.parametrize("retry", ["0", "1ms"])
def test_no_copies_no_tests(httpd, origin, servers, recorder, retry):
    """Without copies, a server that is down is tested by the sender's tick at most, however short the pause is."""
    made = servers(2)
    dead = recorder(host="127.0.0.3", port=made[0].port, listen=False)
    h = httpd(location("/o/", origin, listed([*made, dead], f"retry={retry}")), expect=[SERVER_DOWN])
    one_by_one(h, 20)
    h.wait_idle()
    failed = state(h)["127.0.0.3"]["failed"]
    assert 1 <= failed <= 20 * 3
    began, before = time.monotonic(), sender_time(h)
    for _ in range(100):
        assert h.get("/mirror-status").status == 200
    ticks = time.monotonic() - began
    # and those that were on their way: one in a helper, and one that its report begins
    assert state(h)["127.0.0.3"]["failed"] <= failed + 3 + ticks and sender_time(h) - before < 0.1 + ticks / 10
    dead.listen()
    wait_for("copies at all", lambda: h.get("/o/a").status == 200 and all(counts([*made, dead])))
    h.wait_idle()
    assert list(h.outcomes()) == ["mirrored"]


@pytest.mark.parametrize("kind", ["name", "list"])
@pytest.mark.parametrize("retry", ["0", "5ms"])
def test_all_are_gone_and_the_pause_is_short(httpd, origin, servers, recorder, names, kind, retry):
    """Each copy ends, whether it tests them or not; no processor is busy; and all is well when they are there."""
    first = recorder(host="127.0.0.1", listen=False)
    made = [first] + [recorder(host=f"127.0.0.{n}", port=first.port, listen=False) for n in (2, 3)]
    names.set(some="")
    h = httpd(location("/o/", origin, named(first.port, f"retry={retry} ttl=100ms") if kind == "name" else
                       listed(made, f"retry={retry}")), expect=[SERVER_DOWN, DOWN])
    gets(h, 50)
    assert h.ended(50) == {"unreachable": 50}
    one_by_one(h, 10, 50)
    before = sender_time(h)
    for _ in range(100):
        assert h.get("/mirror-status").status == 200
    assert h.outcomes() == {"unreachable": 60} and sender_time(h) - before < 0.1
    for one in made:
        one.listen()
    names.set(some="127.0.0.1 127.0.0.2 127.0.0.3")
    wait_for("copies at all", lambda: h.get("/o/a").status == 200 and all(counts(made)))
    h.wait_idle()
    assert set(h.outcomes()) == {"unreachable", "mirrored"}


# ---- bounds ----

@pytest.mark.parametrize("most", [1, 2])
def test_more_servers_than_connections(httpd, origin, servers, recorder, most):
    """max_connections holds, also while servers that were down are tested; and each server has copies."""
    made = servers(4)
    dead = [recorder(host=f"127.0.0.{n}", port=made[0].port, listen=False) for n in (5, 6)]
    h = httpd(location("/o/", origin, listed([*made, *dead], f"max_connections={most} retry={int(scaled(50))}ms")),
              expect=[SERVER_DOWN])
    count = 0

    def one_more() -> None:
        nonlocal count
        count += 1
        one_by_one(h, 1, count - 1)
        # for a moment there is the one that has tested a server
        wait_for("few connections", lambda: h.mirror()["state"]["connections"] <= most, 0.5)

    def all_have_some(some) -> bool:
        one_more()
        return min(counts(some)) >= 3
    wait_for("copies at each", lambda: all_have_some(made))
    for one in dead:
        one.listen()
    wait_for("copies at all", lambda: all_have_some([*made, *dead]))
    assert h.outcomes() == {"mirrored": count}


@pytest.mark.long
@pytest.mark.parametrize("most", [1, 3])
def test_more_servers_than_connections_at_saturation(httpd, origin, servers, most):
    """No connection is ever without a copy; they go from server to server all the same."""
    made = servers(8)
    never = origin.gate()
    for one in made:
        one.answer = lambda sock, message: never.wait(0.003) or answer()(sock, message)
    h = httpd(location("/o/", origin, listed(made, f"max_connections={most} max_queue=100000")))
    for n in range(1, 5):
        gets(h, 250 * most)
        h.ended(n * 250 * most)
    assert h.outcomes() == {"mirrored": 1000 * most}
    got = counts(made)
    assert min(got) >= 10, got


# ---- changes ----

@pytest.mark.long
def test_servers_that_change_all_the_time(httpd, origin, servers):
    """By the manager, under load, in every way: no copy is lost, no POST arrives twice, and nothing is left open."""
    made = servers(16)
    addresses = [f"{one.host}:{one.port}" for one in made]
    h = httpd(MANAGER + "ProxyMirrorAllowHost " + " ".join(f"127.0.0.{n}" for n in range(1, 17)) + "\n" +
              location("/o/", origin, listed(made, "max_queue=100000 keepalive=500ms")), children=2)
    rng, over, sent, lock = random.Random(7), threading.Event(), [0], threading.Lock()

    def load() -> None:
        while not over.is_set():
            with lock:
                n = sent[0] = sent[0] + 1
            assert h.request("POST", f"/o/{n}", [], b"x").status == 200
    with ThreadPoolExecutor(3) as clients:
        loads = [clients.submit(load) for _ in range(3)]
        try:
            for n in range(100000):
                if n >= 60 and sent[0] >= 800:
                    break
                some = rng.sample(addresses, rng.randrange(2, 17))
                patch(h, rng.choice([{"servers": some}, {"servers": [f"{one}*{rng.randrange(1, 100)}" for one in some]},
                                     {"servers": some, "max_connections": rng.randrange(1, 100)}, {"retry": f"{rng.randrange(9)}s"}]))
        finally:
            over.set()
    for one in loads:
        one.result()
    assert h.ended(sent[0]) == {"mirrored": sent[0]}
    came = Counter(message.target for one in made for message in one.requests)
    assert len(came) == sent[0] and max(came.values()) == 1 and all(counts(made))
    wait_for("closed connections", lambda: sum(one.open for one in made) == 0)
    assert h.mirror()["state"]["connections"] == 0
