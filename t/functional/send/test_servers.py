"""Several servers behind one mirror: turns, weights, shares, failures."""
from __future__ import annotations

import json
import threading
import time

import pytest

from httpdlab import get_until, location, scaled, wait_for
from recorder import answer
from serverslab import DOWN, EJECTED, SERVER_DOWN, connect_all, copy_until, counts, gets, listed, named, one_by_one, servers, state, with_names  # noqa: F401

PRELOADS = ("names",)


@pytest.fixture
def httpd(names, preload, httpd):
    return with_names(httpd, preload, names)


# ---- turns ----

@pytest.mark.valgrind
@pytest.mark.smoke
@pytest.mark.parametrize("keepalive", ["60s", "0"])
@pytest.mark.parametrize("resolve", ["all", "first"])
def test_all_addresses_of_a_name(httpd, origin, servers, names, resolve, keepalive):
    """With resolve=first all copies go to the first one."""
    made = servers(3)
    names.set(some="127.0.0.1 127.0.0.2 127.0.0.3")
    attributes = f"keepalive={keepalive} resolve={resolve}"
    h = httpd(location("/o/", origin, f'ProxyMirror "http://some.test:{made[0].port}" name=m {attributes}'))
    one_by_one(h, 60)
    assert h.outcomes() == {"mirrored": 60}
    if resolve == "first":
        assert counts(made) == [60, 0, 0] and h.mirror()["state"]["servers"] is None
        return
    assert sum(counts(made)) == 60 and all(abs(n - 20) <= 2 for n in counts(made)), counts(made)
    assert names.lookups("some") == 1
    port = made[0].port
    assert [one["address"] for one in h.mirror()["state"]["servers"]] == [f"127.0.0.{n}:{port}" for n in (1, 2, 3)]
    for one, n in zip(h.mirror()["state"]["servers"], counts(made)):
        assert one["down_until"] is None and one["failed"] == one["in_flight"] == 0 and one["mirrored"] == n
        assert one["connections"] == (1 if keepalive != "0" else 0)


def test_weights(httpd, origin, servers):
    """In each cycle a server has as many copies as its weight, and they alternate."""
    made = servers(3)
    order: list[int] = []
    for n, one in enumerate(made):
        one.answer = lambda sock, message, n=n: order.append(n) or answer()(sock, message)
    h = httpd(location("/o/", origin, listed(made, weights=(1, 2, 1))))
    connect_all(h, made)
    order.clear()
    one_by_one(h, 80, h.mirror()["seen"])
    assert h.outcomes().keys() == {"mirrored"}
    assert all(abs(order.count(n) - expected) <= 1 for n, expected in enumerate((20, 40, 20))), order
    assert not any(order[i] == order[i + 1] == order[i + 2] for i in range(len(order) - 2)), order


def test_names_in_servers(httpd, origin, servers, names):
    """Each is looked up; of the name of the URL nobody asks."""
    made = servers(3)
    names.set(one="127.0.0.1", two="127.0.0.2 127.0.0.3")
    port = made[0].port
    h = httpd(location("/o/", origin, f'ProxyMirror "http://some.test:{port}" name=m servers=one.test,two.test '
                       "host_header=target"))
    connect_all(h, made[:2])
    before = counts(made)
    one_by_one(h, 20, sum(before))
    assert h.outcomes() == {"mirrored": sum(before) + 20}
    assert counts(made)[2] == 0 and all(abs(after - n - 10) <= 1 for n, after in list(zip(before, counts(made)))[:2])
    assert names.lookups("some") == 0 and names.lookups("one") == names.lookups("two") == 1
    assert [one["address"] for one in h.mirror()["state"]["servers"]] == [f"one.test:{port}", f"two.test:{port}"]
    for one in made[:2]:
        assert all(message.header("Host") == [f"some.test:{port}"] for message in one.requests)


def test_each_server_of_many_addresses_is_one_of_16(httpd, origin, servers, names):
    made = servers(17)
    names.set(some=" ".join(one.host for one in made))
    h = httpd(location("/o/", origin, named(made[0].port, f"ttl={int(scaled(100))}ms")), expect=["PM0430"])
    one_by_one(h, 64)
    assert h.outcomes() == {"mirrored": 64}
    assert sorted(counts(made))[0] == 0 and sorted(counts(made))[1] > 0
    assert len(h.mirror()["state"]["servers"]) == 16
    assert len(h.log_lines("PM0430: mirror m: some.test has 17 addresses, of which 16 are used")) == 1


# ---- a server that is down ----

def test_one_that_refuses(httpd, origin, servers, recorder):
    """No copy is lost, one line is logged; when it is back it has its share, within `retry` and a second."""
    made = servers(2)
    dead = recorder(host="127.0.0.3", port=made[0].port, listen=False)
    retry = scaled(0.3)
    h = httpd(location("/o/", origin, listed([*made, dead], f"retry={int(retry * 1000)}ms")), expect=[SERVER_DOWN])
    one_by_one(h, 30)
    assert h.outcomes() == {"mirrored": 30}
    assert all(abs(n - 15) <= 2 for n in counts(made)), counts(made)
    assert state(h)["127.0.0.3"]["down_until"] and state(h)["127.0.0.1"]["down_until"] is None
    assert h.mirror()["state"]["down_until"] is None and h.mirror()["state"]["name"] == "up"
    dead.listen()
    count, began = 30, time.monotonic()

    def back() -> bool:
        nonlocal count
        count += 1
        one_by_one(h, 1, count - 1)
        return bool(dead.requests)
    wait_for("the server", back)
    assert time.monotonic() - began < retry + scaled(1)
    before = counts([*made, dead])
    one_by_one(h, 30, count)
    assert all(abs(after - n - 10) <= 2 for n, after in zip(before, counts([*made, dead])))
    assert state(h)["127.0.0.3"]["down_until"] is None
    assert len(h.log_lines(SERVER_DOWN)) == 1 and len(h.log_lines("PM0433: .*127.0.0.3:.* is up again")) == 1
    assert not h.log_lines(DOWN)


def test_all_are_dead_and_one_comes_back(httpd, origin, recorder):
    first = recorder(host="127.0.0.1", listen=False)
    made = [first] + [recorder(host=f"127.0.0.{n}", port=first.port, listen=False) for n in (2, 3)]
    h = httpd(location("/o/", origin, listed(made, f"retry={int(scaled(300))}ms")), expect=[DOWN, SERVER_DOWN])
    gets(h, 10)
    assert h.ended(10) == {"unreachable": 10}
    assert h.mirror()["state"]["name"] == "down"
    assert all(one["down_until"] for one in h.mirror()["state"]["servers"])
    count = 10
    for _ in range(3):
        wait_for("the end of the pause", lambda: h.mirror()["state"]["down_until"] is None)
        count += 1
        one_by_one(h, 1, count - 1)
    assert h.outcomes() == {"unreachable": count}
    assert len(h.log_lines(DOWN)) == 1 and len(h.log_lines(SERVER_DOWN)) == 3
    made[1].listen()
    wait_for("the end of the pause", lambda: h.mirror()["state"]["down_until"] is None)
    one_by_one(h, 1, count)
    assert h.outcomes() == {"unreachable": count, "mirrored": 1}
    one_by_one(h, 5, count + 1)
    assert h.outcomes()["mirrored"] == 6
    assert len(h.log_lines("PM0401: mirror m is up again")) == 1


@pytest.mark.parametrize("keepalive", ["0", "60s"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_that_cannot_be_connected_holds_up_no_copy(httpd, origin, servers, recorder, place, keepalive):
    """Connecting to it hangs, also if it is the first that is tried; copies wait for it no longer than a moment."""
    made = servers(2)
    hung = recorder(host="127.0.0.3", port=made[0].port, listen=False)
    filling = hung.fill_backlog()
    some = made[:]
    some.insert(place, hung)
    h = httpd(location("/o/", origin, listed(some, f"connect_timeout=20s keepalive={keepalive}")))
    began = time.monotonic()
    one_by_one(h, 20)
    assert h.outcomes() == {"mirrored": 20}
    wait_for("copies at both others", lambda: h.get("/o/a") and all(counts(made)), 3)
    assert time.monotonic() - began < scaled(3)
    h.wait_idle()
    assert h.outcomes() == {"mirrored": sum(counts(made))}
    for sock in filling:
        sock.close()


# ---- a server that does not respond ----

@pytest.mark.long
@pytest.mark.parametrize("attributes, share, clients", [("max_connections=18", 6, 1), ("", 22, 3)])
def test_one_that_hangs_holds_its_share(httpd, origin, servers, attributes, share, clients):
    """It has at most its share of the connections, and is ejected. The others get the rest."""
    made = servers(3)
    gate = made[0].hold()
    timeout = scaled(1)
    h = httpd(location("/o/", origin, listed(made, f"timeout={int(timeout * 1000)}ms retry=1h {attributes}")),
              expect=[EJECTED])
    took, end = [], time.monotonic() + 3 * timeout

    def load() -> None:
        while time.monotonic() < end:
            began = time.monotonic()
            assert h.get("/o/a").status == 200
            took.append(time.monotonic() - began)
    threads = [threading.Thread(target=load) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    got = h.ended(len(took))
    assert got.keys() == {"mirrored", "timed_out"}, got
    assert got["timed_out"] == len(made[0].requests)
    assert 5 <= got["timed_out"] <= share + 6, got      # its share, and what came until the fifth in a row
    assert len(h.log_lines(EJECTED)) == 1 and not h.log_lines(DOWN)
    one = state(h)["127.0.0.1"]
    assert one["down_until"] and one["failed"] == got["timed_out"] and one["connections"] == 0
    assert h.mirror()["state"]["name"] == "up"
    assert sorted(took)[len(took) * 99 // 100] < scaled(0.5)
    gate.set()


def test_ejected_server_returns_on_trial(httpd, origin, servers):
    """One copy tests it. If that fails, the time is doubled; if not, it has its share again."""
    made = servers(2)
    retry = scaled(0.3)
    made[1].answer = lambda sock, message: False
    h = httpd(location("/o/", origin, listed(made, f"retry={int(retry * 1000)}ms")), expect=[EJECTED])
    copy_until(h, "the ejection", lambda: state(h)["127.0.0.2"]["down_until"])
    assert len(made[1].requests) == 5
    first = time.monotonic()
    copy_until(h, "the trial", lambda: len(made[1].requests) == 6)
    assert time.monotonic() - first >= retry - 0.1
    assert state(h)["127.0.0.2"]["down_until"]
    second = time.monotonic()
    copy_until(h, "another trial", lambda: len(made[1].requests) == 7)
    assert time.monotonic() - second >= 2 * retry - 0.1
    made[1].answer = answer()
    copy_until(h, "the last trial", lambda: len(made[1].requests) == 8)
    assert h.outcomes()["broken"] == 7
    before = counts(made)
    one_by_one(h, 20, h.mirror()["seen"])
    assert all(abs(after - n - 10) <= 2 for n, after in zip(before, counts(made)))
    assert state(h)["127.0.0.2"]["down_until"] is None
    assert len(h.log_lines(EJECTED)) == 1 and len(h.log_lines("PM0433: .*127.0.0.2:.* is up again")) == 1


def test_never_more_than_half_are_ejected(httpd, origin, servers):
    made = servers(3)
    for one in made:
        one.answer = lambda sock, message: False
    h = httpd(location("/o/", origin, listed(made, "retry=1h")), expect=[EJECTED])
    one_by_one(h, 60)
    assert h.outcomes() == {"broken": 60}
    assert sum(one["down_until"] is not None for one in h.mirror()["state"]["servers"]) == 1
    assert sorted(counts(made))[0] == 5 and len(h.log_lines(EJECTED)) == 1


def test_responses_of_5xx_eject_nobody(httpd, origin, servers):
    made = servers(2)
    made[0].answer = answer("503 Service Unavailable")
    h = httpd(location("/o/", origin, listed(made, "retry=1h")))
    connect_all(h, made)
    before = counts(made)
    one_by_one(h, 20, sum(before))
    assert h.outcomes() == {"mirrored": sum(before) + 20}
    assert all(abs(after - n - 10) <= 1 for n, after in zip(before, counts(made)))


@pytest.mark.long
def test_late_binding(httpd, origin, servers):
    """At saturation the faster server gets nearly all, and no copy waits for the slow one."""
    made = servers(2)
    made[0].answer = lambda sock, message: threading.Event().wait(scaled(0.5)) or answer()(sock, message)
    h = httpd(location("/o/", origin, listed(made, "max_connections=4 max_queue=10000")))
    for _ in range(5):
        gets(h, 200)
    assert h.ended(1000) == {"mirrored": 1000}
    assert counts(made)[1] > 900, counts(made)


# ---- DNS ----

@pytest.mark.valgrind
@pytest.mark.smoke
def test_addresses_that_change(httpd, origin, servers, names):
    """The new one joins; the one that is gone ends what it has, and gets nothing more."""
    made = servers(3)
    names.set(some="127.0.0.1 127.0.0.2")
    gate = made[0].hold()
    h = httpd(location("/o/", origin, named(made[0].port, f"ttl={int(scaled(200))}ms timeout=1h")))
    count = get_until(h, "a copy to each", lambda: all(counts(made[:2])))
    names.set(some="127.0.0.2 127.0.0.3")
    began = time.monotonic()
    count += get_until(h, "the new server", lambda: bool(made[2].requests))
    assert time.monotonic() - began < scaled(0.2 + 1)
    held, before, connections = len(made[0].requests), counts(made), made[0].connections
    for _ in range(20):
        count += 1
        assert h.get("/o/a").status == 200
        wait_for("the copy", lambda: sum(counts(made)) >= count)
    assert len(made[0].requests) == held and made[0].connections == connections
    assert all(abs(after - n - 10) <= 3 for n, after in list(zip(before, counts(made)))[1:])
    assert sorted(state(h)) == ["127.0.0.2", "127.0.0.3"]
    gate.set()
    assert h.ended(count) == {"mirrored": count}
    names.set(some="127.0.0.1 127.0.0.3")
    wait_for("its return", lambda: h.get("/o/a") and len(made[0].requests) > held)
    h.wait_idle()


@pytest.mark.parametrize("addresses", ["", "?"])
def test_last_addresses_stay(httpd, origin, servers, names, addresses):
    """Whether the lookup fails, or has no end."""
    made = servers(2)
    names.set(some="127.0.0.1 127.0.0.2")
    h = httpd("ProxyMirrorThreads 4\n" + location("/o/", origin, named(made[0].port, f"ttl={int(scaled(50))}ms keepalive=0")))
    one_by_one(h, 4)
    names.set(some=addresses)
    before = names.lookups("some")
    count = 4

    def looked_up() -> bool:
        nonlocal count
        count += 1
        one_by_one(h, 1, count - 1)
        return names.lookups("some") > before
    wait_for("a lookup", looked_up)
    one_by_one(h, 20, h.mirror()["seen"])
    assert h.outcomes() == {"mirrored": count + 20}
    assert all(counts(made)) and sorted(state(h)) == ["127.0.0.1", "127.0.0.2"]
    names.set(some="127.0.0.1 127.0.0.2")


@pytest.mark.parametrize("keepalive", ["50ms", "60s"])
def test_addresses_are_looked_up_first_after_a_pause(httpd, origin, servers, names, keepalive):
    """Not even the first copy goes to an address that has gone while there were no requests. A slow machine may need more than
    the 0.1 s that it waits."""
    made = servers(2)
    names.set(some="127.0.0.1")
    h = httpd(location("/o/", origin, named(made[0].port, f"ttl=100ms keepalive={keepalive}")))
    one_by_one(h, 1)
    right = 0
    for n in range(1, 9):
        threading.Event().wait(0.4)
        names.set(some=f"127.0.0.{n % 2 + 1}")
        before = counts(made)
        one_by_one(h, 1, n)
        right += counts(made)[n % 2] > before[n % 2]
    assert h.outcomes() == {"mirrored": 9} and right >= 5


@pytest.mark.parametrize("keepalive", ["50ms", "60s"])
def test_name_server_hangs_after_a_pause(httpd, origin, servers, names, keepalive):
    made = servers(2)
    names.set(some="127.0.0.1 127.0.0.2")
    h = httpd(location("/o/", origin, named(made[0].port, f"ttl=100ms keepalive={keepalive}")))
    one_by_one(h, 4)
    threading.Event().wait(0.4)
    names.set(some="?")
    one_by_one(h, 20, 4)
    assert h.outcomes() == {"mirrored": 24} and names.lookups("some") <= 3
    names.set(some="127.0.0.1 127.0.0.2")


def test_name_that_is_unknown_at_first(httpd, origin, servers, names):
    made = servers(2)
    names.set(some="")
    h = httpd(location("/o/", origin, named(made[0].port, f"retry={int(scaled(200))}ms")), expect=[DOWN])
    one_by_one(h, 1)
    assert h.outcomes() == {"unreachable": 1}
    assert h.mirror()["state"]["servers"] == []
    names.set(some="127.0.0.1 127.0.0.2")
    wait_for("the end of the pause", lambda: h.mirror()["state"]["down_until"] is None)
    one_by_one(h, 10, 1)
    assert h.outcomes() == {"unreachable": 1, "mirrored": 10} and all(counts(made))


# ---- retries ----

@pytest.mark.parametrize("method, times", [("GET", 2), ("POST", 1)])
def test_copy_is_retried_at_another_server(httpd, origin, servers, method, times):
    """A kept connection that the server closes: a GET is sent once more, to another one; a POST is not."""
    made = servers(2)
    h = httpd(location("/o/", origin, listed(made)))
    one_by_one(h, 6)
    before = counts(made)
    seen: list[str] = []

    def once(host):
        def respond(sock, message) -> bool:
            seen.append(host)
            return len(seen) > 1 and answer()(sock, message)
        return respond
    for one in made:
        one.answer = once(one.host)
    assert h.request(method, "/o/b", [], b"x" if method == "POST" else None).status == 200
    got = h.ended(7)
    assert len(seen) == times and len(set(seen)) == times, seen
    assert got == ({"mirrored": 7} if times == 2 else {"mirrored": 6, "broken": 1})
    assert sum(counts(made)) == sum(before) + times


# ---- the mirror as a whole ----

def test_limit_is_of_the_mirror(httpd, origin, servers):
    made = servers(3)
    h = httpd(location("/o/", origin, listed(made, "enable_limit_count=true count=10 time_window=3600")))
    gets(h, 30)
    assert h.ended(30) == {"mirrored": 10, "limited": 20}
    assert sum(counts(made)) == 10


def test_log_has_the_server(httpd, origin, servers):
    made = servers(2)
    h = httpd('ProxyMirrorLog logs/mirror.log\n' + location("/o/", origin, listed(made)))
    one_by_one(h, 6)
    wait_for("the lines", lambda: h.read("logs/mirror.log").count("\n") == 6)
    lines = [json.loads(line) for line in h.read("logs/mirror.log").splitlines()]
    assert "server" in lines[0] and sorted(line["server"] for line in lines) == sorted(
        f"{one.host}:{one.port}" for one in made for _ in one.requests)


@pytest.mark.parametrize("attributes", ["pipeline=8", "pipeline=8 keepalive=0"])
def test_pipelines_do_not_cross(httpd, origin, servers, attributes):
    made = servers(3)
    h = httpd(location("/o/", origin, listed(made, attributes + " max_connections=3")))
    for _ in range(10):
        gets(h, 50)
    assert h.ended(500) == {"mirrored": 500}
    assert sum(counts(made)) == 500 and all(counts(made))
