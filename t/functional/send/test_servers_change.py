"""Several servers behind one mirror: changes at run time, TLS, HTTP/2, several children, a minute of changes in DNS."""
from __future__ import annotations

import os
import re
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import pagelab
from http2lab import OF_A_SANITIZER, memory, respond
from httpdlab import location, scaled, wait_for
from managerlab import MANAGER, patch
from marks import needs_http2
from recorder import answer
from serverslab import EJECTED, copy_until, counts, gets, listed, named, one_by_one, servers, state, with_names  # noqa: F401
from tlslab import server, strict

PRELOADS = ("names",)


@pytest.fixture
def httpd(names, preload, httpd):
    return with_names(httpd, preload, names)


def addresses(made) -> list[str]:
    return [f"{one.host}:{one.port}" for one in made]


# ---- the manager ----

@pytest.mark.smoke
def test_servers_change_under_load(httpd, origin, servers):
    """No copy is lost. No request that comes after the change is copied to the one that was removed, and nothing at all
    100 ms later; the one that was added has its share."""
    made = servers(3)
    h = httpd(MANAGER + "ProxyMirrorAllowHost 127.0.0.1 127.0.0.2 127.0.0.3\n" +
              location("/o/", origin, listed(made[:2])))
    over, sent, arrived = threading.Event(), [0, 0], []
    made[0].answer = lambda sock, message: arrived.append(time.monotonic()) or answer()(sock, message)

    def load(n: int) -> None:
        while not over.is_set():
            sent[n] += 1
            assert h.get(f"/o/{n}-{sent[n]}").status == 200
    threads = [threading.Thread(target=load, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    try:
        made[0].wait(20)
        patch(h, {"servers": addresses(made[1:])})
        changed, sent_before = time.monotonic(), sent[:]
        made[2].wait(1)
        wait_for("the end of the time for its last copies", lambda: time.monotonic() > changed + scaled(0.1))
        wait_for("the end of its connections", lambda: made[0].open == 0)
        before = counts(made)
        made[2].wait(before[2] + 50)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert h.ended(sum(sent)) == {"mirrored": sum(sent)}
    assert max(arrived) < changed + scaled(0.1)
    late = [message.target for message in made[0].requests
            if int(message.target.split("-")[1]) > sent_before[int(message.target[3])]]
    assert not late
    after = counts(made)
    assert after[0] == before[0] and sum(after) == sum(sent)
    gained = [after[n] - before[n] for n in (1, 2)]
    assert 0.7 < gained[0] / gained[1] < 1.4, gained
    assert sorted(state(h)) == ["127.0.0.2", "127.0.0.3"]


@pytest.mark.parametrize("kind", ["down", "ejected"])
def test_shorter_retry(httpd, origin, servers, recorder, kind):
    """It is in force at once, also for a server that is out already."""
    made = servers(2)
    third = recorder(host="127.0.0.3", port=made[0].port, listen=kind == "ejected", answer=lambda sock, message: False)
    h = httpd(MANAGER + location("/o/", origin, listed([*made, third], "retry=1h")), expect=["PM0432", EJECTED])
    copy_until(h, "a server that is out", lambda: state(h)["127.0.0.3"]["down_until"])
    third.answer = answer()
    if kind == "down":
        third.listen()
    before = counts([third])[0]
    one_by_one(h, 12, h.mirror()["seen"])
    assert counts([third])[0] == before and state(h)["127.0.0.3"]["down_until"]
    patch(h, {"retry": "1s"})
    copy_until(h, "its return", lambda: state(h)["127.0.0.3"]["down_until"] is None and counts([third])[0] > before)


def test_from_one_server_to_several_and_back(httpd, origin, servers, names):
    made = servers(3)
    names.set(some="127.0.0.1 127.0.0.2")
    h = httpd(MANAGER + "ProxyMirrorAllowHost 127.0.0.3 127.0.0.2\n" + location(
        "/o/", origin, f'ProxyMirror "http://some.test:{made[0].port}" name=m'))
    one_by_one(h, 6)
    assert counts(made) == [6, 0, 0]
    patch(h, {"resolve": "all"})
    one_by_one(h, 6, 6)
    assert counts(made) == [9, 3, 0] and sorted(state(h)) == ["127.0.0.1", "127.0.0.2"]
    patch(h, {"servers": addresses(made[1:])})
    one_by_one(h, 6, 12)
    assert counts(made) == [9, 6, 3] and sorted(state(h)) == ["127.0.0.2", "127.0.0.3"]
    patch(h, {"servers": None, "resolve": None})
    one_by_one(h, 6, 18)
    assert counts(made) == [15, 6, 3] and h.mirror()["state"]["servers"] is None
    assert h.outcomes() == {"mirrored": 24}


@pytest.mark.parametrize("dead", [1, 3])
def test_copies_for_former_servers(httpd, origin, servers, recorder, dead):
    """They wait when the mirror gets other servers, and then one of the former servers ends: the others get all of them. If all
    end, the copies do, too. That is no evidence about the new servers, also if one has the same address."""
    made = servers(3)
    new = recorder(host="127.0.0.4", port=made[0].port)
    h = httpd(MANAGER + "ProxyMirrorAllowHost new.test 127.0.0.1 127.0.0.4\n" + location(
        "/o/", origin, listed(made, "max_connections=3 retry=1h")))
    held = [one.hold(answer(close=True)) for one in made]
    gets(h, 60)
    wait_for("a copy at each", lambda: counts(made) == [1, 1, 1])
    patch(h, {"host": f"http://new.test:{new.port}", "servers": addresses([made[0], new])})
    assert h.get("/o/a").status == 200
    wait_for("a copy with the new servers", lambda: counts([made[0], new]) != [1, 0])
    for one in made[3 - dead:]:
        one.stop_listening()
    for gate in held:
        gate.set()
    h.wait_idle()
    arrived = sum(counts([*made, new]))
    assert h.outcomes() == ({"mirrored": 61} if dead == 1 else {"mirrored": arrived, "unreachable": 61 - arrived})
    assert dead == 1 or arrived == 4
    assert all(one["down_until"] is None and one["failed"] <= dead for one in state(h).values())
    assert not h.log_lines("PM0432|PM0400")


def test_other_names_have_places(httpd, origin, recorder, names):
    """Of the servers of former names none keeps a place, so those of the last one are shown, each with what it has."""
    mirror = recorder(host="0.0.0.0")
    hosts = ["some", "two", "three", "four"]
    names.set(**{name: " ".join(f"127.{n}.0.{k}" for k in range(1, 17)) for n, name in enumerate(hosts, 1)})
    h = httpd(MANAGER + "ProxyMirrorAllowHost *.test\n" + location("/o/", origin, named(mirror.port)))
    for n, name in enumerate(hosts):
        patch(h, {"host": f"http://{name}.test:{mirror.port}"})
        one_by_one(h, 32, 32 * n)
        shown = h.mirror()["state"]["servers"]
        assert len(shown) == 16 and sum(one["mirrored"] for one in shown) == 32


def test_place_is_taken_while_copies_are_under_way(httpd, origin, recorder, names):
    """What they count is not counted for the server that has the place now."""
    mirror = recorder(host="0.0.0.0")
    gate = mirror.gate()
    mirror.answer = lambda sock, message: (message.target != "/o/held" or gate.wait()) and answer()(sock, message)
    h = httpd(location("/o/", origin, named(mirror.port, "ttl=100ms timeout=1h")))
    for n in (1, 2, 3):
        names.set(some=" ".join(f"127.{n}.0.{k}" for k in range(1, 17)))
        wait_for("the servers", lambda n=n: h.get("/o/a").status == 200 and all(one.startswith(f"127.{n}.") for one in state(h)))
        gets(h, 32)                     # a connection to each
        assert set(h.get_many(["/o/held"] * 16)) == {200}
        wait_for("the copies", lambda n=n: sum(message.target == "/o/held" for message in mirror.requests) == 16 * n)
    wait_for("the others", lambda: h.mirror()["state"]["in_flight"] == 48 and h.mirror()["state"]["queued"] == 0)
    assert sum(one["in_flight"] for one in state(h).values()) == 16
    mirrored = sum(one["mirrored"] for one in state(h).values())
    gate.set()
    h.wait_idle()
    assert sum(one["mirrored"] for one in state(h).values()) == mirrored + 16
    assert not any(one["in_flight"] for one in state(h).values())


def test_page_and_metrics(httpd, origin, servers, recorder):
    made = servers(2)
    dead = recorder(host="127.0.0.3", port=made[0].port, listen=False)
    h = httpd(location("/o/", origin, listed([*made, dead], "retry=1h")), expect=["PM0432"])
    one_by_one(h, 6)
    article = pagelab.parse(h.get("/mirror-status", ["Host: localhost", "Accept: text/html"]).body).one("article", id="m-m")
    section = article.one("section", class_="servers")
    assert "2 of 3 up" in section.shown and section.get("data-partly") is not None
    rows = [row.text for row in section.all("tr")[1:]]
    assert [("Up" in row, "Down" in row) for row in rows] == [(True, False), (True, False), (False, True)]
    assert addresses([*made, dead]) == [row.one("code").text for row in section.all("tr")[1:]]
    text = h.get("/mirror-status/metrics").body.decode()
    for one, up in zip([*made, dead], (1, 1, 0)):
        assert f'proxy_mirror_server_up{{mirror="m",server="{one.host}:{one.port}"}} {up}\n' in text
        assert f'proxy_mirror_server_connections{{mirror="m",server="{one.host}:{one.port}"}} {up}\n' in text


# ---- up and down ----

@pytest.mark.parametrize("kind", ["servers", "resolve", "one more", "reload", "reload of one"])
def test_other_servers_are_used_at_once(httpd, origin, servers, recorder, names, kind):
    """The mirror is down, for an hour: of its new servers nobody knows that."""
    made = servers(2)
    dead = [recorder(host=f"127.0.0.{n}", port=made[0].port, listen=False) for n in (3, 4)]
    names.set(some="127.0.0.1 127.0.0.2")
    one = 'ProxyMirror "http://%s" name=m retry=1h'
    line = {"resolve": f'ProxyMirror "http://some.test:{made[0].port}" servers={",".join(addresses(dead))} name=m retry=1h',
            "reload of one": one % addresses(dead)[0]}.get(kind, listed(dead, "retry=1h"))
    h = httpd(MANAGER + "ProxyMirrorAllowHost *\n" + location("/o/", origin, line), expect=["PM0400", "PM0432"])
    one_by_one(h, 3)
    assert h.outcomes() == {"unreachable": 3} and h.mirror()["state"]["name"] == "down"
    if kind.startswith("reload"):
        h.conf = location("/o/", origin, listed(made, "retry=1h") if kind == "reload" else one % addresses(made)[0])
        h.configure()
        h.graceful()
    else:
        patch(h, {"servers": {"servers": addresses(made)}, "resolve": {"servers": None, "resolve": "all"},
                  "one more": {"servers": addresses([*dead, made[0]])}}[kind])
    assert h.mirror()["state"]["name"] == "ready"
    one_by_one(h, 8, 3)
    assert h.outcomes() == {"unreachable": 3, "mirrored": 8}


def test_old_children_do_not_set_a_new_server_down(httpd, origin, servers, recorder):
    """They have copies for the former server, which has ended, when a reload has given the mirror another one."""
    made = servers(2)
    gate = made[0].hold(answer(close=True))
    h = httpd("ProxyMirrorDrainTimeout 1h\n" + location(
        "/o/", origin, f'ProxyMirror "{made[0].url}" name=m max_connections=1 retry=1h'))
    assert set(h.get_many(["/o/a"] * 5)) == {200}
    made[0].wait(1)
    h.conf = location("/o/", origin, f'ProxyMirror "{made[1].url}" name=m retry=1h')
    h.configure()
    h.graceful()
    made[0].stop_listening()
    gate.set()
    assert h.ended(5) == {"mirrored": 1, "unreachable": 4}
    assert h.mirror()["state"]["down_until"] is None
    assert h.get("/o/a").status == 200
    assert h.ended(6) == {"mirrored": 2, "unreachable": 4}
    assert not h.log_lines("PM0400")


def test_copies_for_a_former_host_set_no_server_up(httpd, origin, servers, authority):
    """They are responded to over HTTP, when the mirror is at the same servers over HTTPS, which they do not have."""
    made = servers(2)
    h = httpd(MANAGER + "ProxyMirrorAllowHost *\n" + strict(authority) + location(
        "/o/", origin, listed(made, f"max_connections=2 timeout=1h retry=1h connect_timeout={int(scaled(1) * 1000)}ms")),
        modules=("ssl",), expect=["PM0400", "PM0432"])
    held = [one.hold(answer(close=True)) for one in made]
    gets(h, 20)
    wait_for("a copy at each", lambda: counts(made) == [1, 1])
    patch(h, {"host": "https://some.test"})
    wait_for("the end of both", lambda: h.get("/o/a").status == 200 and h.log_lines("PM0400"))
    assert all(one["down_until"] for one in state(h).values())
    for gate in held:
        gate.set()
    h.wait_idle()
    assert h.outcomes()["mirrored"] == 20
    assert all(one["down_until"] for one in state(h).values()) and h.mirror()["state"]["name"] == "down"
    assert not h.log_lines("PM0433|PM0401")


# ---- TLS ----

def test_one_has_a_bad_certificate(httpd, origin, authority, https):
    """It alone is down; of all the certificate must have the name of the URL."""
    good = server(authority.issue("some", "DNS:some.test"))
    first = https(good, host="127.0.0.1")
    made = [first, https(server(authority.issue("other", "DNS:other.test")), host="127.0.0.2", port=first.port),
            https(good, host="127.0.0.3", port=first.port)]
    h = httpd(strict(authority) + location("/o/", origin, listed(made, "retry=1h", scheme="https")), modules=("ssl",),
              expect=["PM0432", "AH02411", "AH01114", "SSL"])
    copy_until(h, "copies at two, and the other one down", lambda: all(counts(made)[::2]) and state(h)["127.0.0.2"]["down_until"])
    seen, before = h.mirror()["seen"], counts(made)
    one_by_one(h, 12, seen)
    assert h.outcomes() == {"mirrored": seen + 12}
    assert counts(made)[1] == 0 and all(abs(n - m - 6) <= 2 for n, m in zip(counts(made)[::2], before[::2])), (before, counts(made))
    assert [state(h)[f"127.0.0.{n}"]["down_until"] is None for n in (1, 2, 3)] == [True, False, True]
    assert state(h)["127.0.0.2"]["failed"] >= 1
    assert set(made[2].names) == {"some.test"}      # of the first one, too: they share a context
    assert len(h.log_lines("PM0432: .*127.0.0.2:.* is down: TLS handshake")) == 1


# ---- HTTP/2 ----

@needs_http2
def test_streams_of_several_servers(httpd, origin, http2):
    """A connection to each, and GOAWAY of one moves what it has not processed to another."""
    first = http2(host="127.0.0.1")
    made = [first, http2(host="127.0.0.2", port=first.port)]
    h = httpd(location("/o/", origin, listed(made, scheme="h2c")))
    one_by_one(h, 20)
    assert h.outcomes() == {"mirrored": 20}
    assert all(abs(n - 10) <= 2 for n in counts(made)) and [one.connections for one in made] == [1, 1]
    before = counts(made)

    def leave(peer, request) -> None:
        peer.goaway(request.stream - 2)
    made[0].respond = leave
    one_by_one(h, 4, 20)
    assert h.outcomes() == {"mirrored": 24}
    assert counts(made)[1] - before[1] == 4


@needs_http2
def test_all_addresses_over_http2(httpd, origin, http2, names):
    first = http2(host="127.0.0.1", respond=respond())
    made = [first, *(http2(host=f"127.0.0.{n}", port=first.port) for n in (2, 3))]
    names.set(some="127.0.0.1 127.0.0.2 127.0.0.3")
    h = httpd(location("/o/", origin, named(first.port, scheme="h2c")))
    wait_for("a connection to each", lambda: h.get("/o/a").status == 200 and all(counts(made)))
    h.wait_idle()
    before = counts(made)
    one_by_one(h, 30, sum(before))
    assert all(abs(after - n - 10) <= 2 for n, after in zip(before, counts(made))), counts(made)
    gets(h, 300)
    assert h.ended(sum(before) + 330) == {"mirrored": sum(before) + 330}
    assert sum(counts(made)) == sum(before) + 330 and [one.connections for one in made] == [1, 1, 1]


# ---- children ----

def all_at_once(h, origin, children: int) -> None:
    """Eight requests for each child of two threads; the first ones are held until half of all threads have one, and so
    several children. (Not until all have: a child of event accepts a connection more than it has threads now and then.)"""
    gate, before = origin.hold(), len(origin.requests)
    with ThreadPoolExecutor(2 * children) as clients:
        answers = clients.map(h.get, ["/o/a"] * 8 * children)
        origin.wait(before + children)
        gate.set()
        assert {answer.status for answer in answers} == {200}


@pytest.mark.parametrize("children", [4, 8])
def test_children_agree_on_who_is_out(httpd, origin, servers, children):
    """What a child finds holds for all: each has sent one copy more to the server at most. A killed child and a graceful
    restart leave it as it is."""
    made = servers(2)
    h = httpd(location("/o/", origin, listed(made, "retry=1h keepalive=0 max_connections=2 max_queue=1000")),
              children=children, threads=2, expect=[EJECTED, "AH00052"])
    made[1].answer = lambda sock, message: False
    count = 0

    def is_out() -> bool:
        nonlocal count
        count += children * 8
        all_at_once(h, origin, children)
        return bool(state(h)["127.0.0.2"]["down_until"])
    wait_for("the ejection", is_out)
    assert h.ended(count)["broken"] == len(made[1].requests)
    out = len(made[1].requests)
    assert 5 <= out <= 4 + children
    all_at_once(h, origin, children)
    count += children * 8
    assert h.ended(count) == {"mirrored": count - out, "broken": out} and len(made[1].requests) == out
    assert len({re.search(r"pid (\d+)", line)[1] for line in h.log_lines("PM0413")}) > 1    # several have connected
    failed, until = state(h)["127.0.0.2"]["failed"], state(h)["127.0.0.2"]["down_until"]
    os.kill(h.pids()[0], signal.SIGKILL)
    h.graceful()
    all_at_once(h, origin, children)
    h.wait_idle()
    one = state(h)["127.0.0.2"]
    assert one["failed"] == failed and one["down_until"] and len(made[1].requests) == out
    assert until[:10] == one["down_until"][:10]
    assert len(h.log_lines(EJECTED)) == 1
    wait_for("all children", lambda: len(h.listeners()) >= children)     # none is just starting when httpd is stopped


# ---- DNS, for a minute ----

def open_files(h) -> int:
    return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in h.pids())


@pytest.mark.long
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("kind", ["four", "any"])
def test_addresses_come_and_go(httpd, origin, servers, recorder, names, method, kind):
    """Several times a second, for some time (TEST_DNS_SECONDS), under load: no copy that a server accepted is lost, none
    arrives twice but a GET that was retried, and connections and memory go back to what they were. Either of four, with
    one beside them that refuses; or others each time."""
    made = servers(4) if kind == "four" else [recorder(host="0.0.0.0")]
    names.set(some="127.0.0.1 127.0.0.2")
    seconds = float(os.environ.get("TEST_DNS_SECONDS", "8"))
    h = httpd(location("/o/", origin, named(made[0].port, "ttl=100ms keepalive=1s max_queue=100000 retry=300ms")),
              expect=["PM0432"])
    one_by_one(h, 4)
    made[0].wait_until("closed connections", lambda: sum(one.open for one in made) == 0)
    files = open_files(h)
    over, sent, lock = threading.Event(), [4], threading.Lock()

    def load() -> None:
        while not over.is_set():
            with lock:
                n = sent[0] = sent[0] + 1
            body = b"x" if method == "POST" else None
            assert h.request(method, f"/o/{n}", [], body).status == 200

    def some(n: int) -> list[str]:
        if kind == "any":
            return [f"127.{1 + n % 200}.{n // 200}.{k}" for k in range(1, 3 + n % 12)]
        return [f"127.0.0.{1 + (n + k) % 4}" for k in range(1 + n % 3)] + ["127.0.0.5"] * (n % 5 == 0)
    with ThreadPoolExecutor(3) as clients:
        loads = [clients.submit(load) for _ in range(3)]
        try:
            began, n, used = time.monotonic(), 0, 0
            while time.monotonic() < began + seconds:
                n += 1
                names.set(some=" ".join(some(n)))
                over.wait(0.25)
                if not used and time.monotonic() > began + seconds / 2:
                    used = memory(h)
        finally:
            over.set()
    for one in loads:
        one.result()
    assert h.ended(sent[0]) == {"mirrored": sent[0]}
    targets = [message.target for one in made for message in one.requests if message.target != "/o/a"]
    assert len(set(targets)) == sent[0] - 4
    assert method == "GET" or len(targets) == len(set(targets))
    assert all(counts(made))
    wait_for("closed connections", lambda: sum(one.open for one in made) == 0)
    assert h.mirror()["state"]["connections"] == 0
    assert all(one["connections"] == one["in_flight"] == 0 for one in h.mirror()["state"]["servers"])
    assert open_files(h) <= files + 8       # what threads keep that were started since
    assert OF_A_SANITIZER or memory(h) < used + (4 << 20)       # which keeps what was freed
