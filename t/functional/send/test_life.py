"""Children that come, go and are killed; restarts and stops; memory, descriptors, threads."""
from __future__ import annotations

import datetime
import os
import re
import signal
import threading
import time

import pytest

from clients import Load, run_together
from httpdlab import THREADED, location, scaled, to, wait_for
from marks import needs_threads
from recorder import answer, ok
from wire import chunked, request

MANY = "max_queue=100000"

def assert_each_once(answered: list[str], mirror) -> None:
    """Each answered request was mirrored once, and no other one twice."""
    copied = [copy.target for copy in mirror.requests]
    assert len(set(copied)) == len(copied)
    assert set(answered) <= set(copied)


# ---- counts ----

@pytest.mark.smoke
def test_counts_are_exact_over_several_children(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror, MANY)), children=3, threads=5)
    run_together(6, lambda n: [h.get(f"/o/{n}-{m}") for m in range(50)])
    assert h.ended(300) == {"mirrored": 300}
    assert len({copy.target for copy in mirror.requests}) == len(mirror.requests) == 300
    assert h.mirror()["responses"]["2xx"] == 300


@pytest.mark.smoke
def test_killed_children(httpd, origin, mirror):
    """What they still had is moved to shut_down; what was counted stays."""
    h = httpd(location("/o/", origin, to(mirror, "max_connections=2")), expect=[r"AH0005\d", "exit signal"])
    assert h.get_many(["/o/a"] * 5) == [200] * 5
    assert h.ended(5) == {"mirrored": 5}
    mirror.hold()
    assert h.get_many(["/o/b"] * 7) == [200] * 7
    wait_for("copies in flight", lambda: h.mirror()["state"]["in_flight"] == 2)
    before = h.pids()
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_for("new children", lambda: len(set(h.pids()) - set(before)) >= h.children, 20)
    assert h.ended(12) == {"mirrored": 5, "shut_down": 7}
    state = h.mirror()["state"]
    assert (state["connections"], state["bytes"]) == (0, 0)
    mirror.release()
    mirror.answer = ok
    assert h.get("/o/c").status == 200
    assert h.ended(13) == {"mirrored": 6, "shut_down": 7}


def test_children_killed_under_load(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror, MANY)), children=3, threads=5,
              expect=[r"AH0005\d", "exit signal", r"AH1039\d"])
    load = Load(h)
    for _ in range(4):
        load.wait_more(50)
        os.kill(h.pids()[0], signal.SIGKILL)
    load.wait_more(50)
    answered = load.end()
    h.wait_idle()
    outcomes = h.outcomes()
    assert set(outcomes) <= {"mirrored", "shut_down", "incomplete"}
    assert outcomes["mirrored"] == len([r for r in mirror.requests if r.complete]) or outcomes["shut_down"] > 0
    copied = [copy.target for copy in mirror.requests if copy.complete]
    assert len(set(copied)) == len(copied)
    assert h.mirror()["seen"] >= len(answered)


# ---- restarts and stops ----

@pytest.mark.smoke
def test_graceful_restarts_under_load(httpd, origin, mirror):
    """Every request that was answered 200 is mirrored exactly once, and no count is lost."""
    h = httpd(location("/o/", origin, to(mirror, MANY)), children=2 if THREADED else 8)
    load = Load(h)
    for _ in range(3):
        load.wait_more(100)
        h.graceful()
    load.wait_more(100)
    answered = load.end()
    h.wait_idle()
    assert_each_once(answered, mirror)
    one = h.mirror()
    assert one["seen"] == one["outcomes"]["mirrored"] == len(mirror.requests)


def test_counts_stay_over_a_graceful_restart(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror, "max_body=1")))
    assert h.get("/o/a").status == 200
    assert h.request("POST", "/o/a", [], b"xx").status == 200
    assert h.ended(2) == {"mirrored": 1, "too_large": 1}
    for n in range(3, 6):
        h.graceful()
        assert h.get("/o/a").status == 200
        assert h.ended(n) == {"mirrored": n - 1, "too_large": 1}


def test_old_child_goes_on_counting(httpd, origin, mirror):
    """Its copies are delivered after the new children have come, and counted where they look."""
    gate = mirror.hold()
    h = httpd(f"ProxyMirrorDrainTimeout {int(scaled(20))}s\n{location('/o/', origin, to(mirror, 'timeout=1min'))}")
    assert h.get_many(["/o/a"] * 10) == [200] * 10
    wait_for("copies in flight", lambda: h.mirror()["state"]["in_flight"] == 10)
    old = h.pids()
    h.graceful()
    wait_for("new children", lambda: set(h.pids()) - set(old))
    assert h.mirror()["seen"] == 10
    gate.set()
    assert h.ended(10) == {"mirrored": 10}
    wait_for("the old children to end", lambda: not set(h.pids()) & set(old), 20)
    assert h.ended(10) == {"mirrored": 10}


@pytest.mark.smoke
@pytest.mark.valgrind
def test_graceful_stop_delivers_what_is_queued(httpd, origin, mirror):
    gate = mirror.hold()
    h = httpd(f"ProxyMirrorDrainTimeout {int(scaled(20))}s\n"
              + location("/o/", origin, to(mirror, f"max_connections=4 {MANY} timeout=1min")), children=1)
    assert h.get_many(f"/o/{n}" for n in range(500)) == [200] * 500
    mirror.wait(4)
    h.tell(signal.SIGWINCH)
    wait_for("the stop to begin", lambda: h.log_lines("AH00492|AH00297|shutting down"))
    gate.set()
    h.wait_end(30)
    assert sorted(int(copy.target[3:]) for copy in mirror.requests) == list(range(500))
    assert all(copy.complete for copy in mirror.requests)


def test_graceful_stop_opens_connections(httpd, origin, mirror):
    """The mirror closes each one after its answer, so that what is queued needs new ones."""
    gate = mirror.hold(then=answer(close=True))
    h = httpd(f"ProxyMirrorDrainTimeout {int(scaled(20))}s\n"
              + location("/o/", origin, to(mirror, "max_connections=2 timeout=1min")), children=1)
    assert h.get_many(f"/o/{n}" for n in range(20)) == [200] * 20
    mirror.wait(2)
    h.tell(signal.SIGWINCH)
    wait_for("the stop to begin", lambda: h.log_lines("AH00492|AH00297|shutting down"))
    gate.set()
    h.wait_end(30)
    assert sorted(int(copy.target[3:]) for copy in mirror.requests) == list(range(20))


def test_graceful_stop_waits_for_requests_and_then_for_copies(httpd, origin, mirror):
    """The copy of a request that is under way when the stop begins."""
    gate = origin.hold()
    h = httpd(location("/o/", origin, to(mirror)), children=1)
    got = []
    thread = threading.Thread(target=lambda: got.append(h.request("POST", "/o/a", [], b"body")), daemon=True)
    thread.start()
    origin.wait(1)
    h.tell(signal.SIGWINCH)
    wait_for("the stop to begin", lambda: h.log_lines("AH00492|AH00297|shutting down"))
    gate.set()
    thread.join(scaled(20))
    assert got[0].status == 200
    h.wait_end(30)
    assert mirror.one().body == b"body"


@pytest.mark.smoke
def test_hanging_mirror_ends_within_the_drain_timeout(httpd, origin, mirror):
    mirror.hold()
    h = httpd(f"ProxyMirrorDrainTimeout 500ms\n{location('/o/', origin, to(mirror, 'max_connections=3'))}")
    assert h.get_many(["/o/a"] * 20) == [200] * 20
    mirror.wait(1)
    assert h.mirror()["state"]["queued"] > 0
    old = h.pids()
    h.graceful()
    begun = time.monotonic()
    wait_for("the old children to end", lambda: not set(h.pids()) & set(old), 20)
    assert time.monotonic() - begun < scaled(5)
    assert h.ended(20) == {"shut_down": 20}
    state = h.mirror()["state"]
    assert (state["connections"], state["bytes"]) == (0, 0)
    mirror.release()
    mirror.answer = ok
    assert h.get("/o/b").status == 200
    assert h.ended(21) == {"shut_down": 20, "mirrored": 1}


@pytest.mark.smoke
def test_a_restart_does_not_wait_for_a_hanging_mirror(httpd, origin, mirror):
    """Until all children have ended httpd serves nobody; only a graceful end may drain."""
    mirror.hold()
    h = httpd(f"ProxyMirrorDrainTimeout 30s\n{location('/o/', origin, to(mirror, 'timeout=1min'))}")
    assert h.get_many(["/o/a"] * 5) == [200] * 5
    mirror.wait(1)
    old = h.pids()
    h.wait_rest()
    begun = time.monotonic()
    h.tell(signal.SIGHUP)
    wait_for("the old children to end", lambda: not set(h.pids()) & set(old), 20)
    wait_for("new children", h.pids)
    assert h.get("/o/b").status == 200
    assert time.monotonic() - begun < scaled(5)
    assert h.mirror()["outcomes"]["shut_down"] == 5
    mirror.release()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGWINCH])
def test_stop_with_a_hanging_mirror(httpd, origin, mirror, number):
    mirror.hold()
    h = httpd(f"ProxyMirrorDrainTimeout 500ms\n{location('/o/', origin, to(mirror))}")
    assert h.get_many(["/o/a"] * 20) == [200] * 20
    mirror.wait(1)
    begun = time.monotonic()
    h.stop(number)
    assert time.monotonic() - begun < scaled(5)


def test_stop_while_a_name_is_looked_up(httpd, origin):
    """Nobody can end a look-up: the helper is left behind."""
    h = httpd(f'ProxyMirrorDrainTimeout 300ms\n{location("/o/", origin)}ProxyMirror "http://mirror.invalid" name=m',
              expect=["mirror m is down"], env={"RES_OPTIONS": "timeout:3 attempts:1"})
    assert h.get("/o/a").status == 200
    begun = time.monotonic()
    h.stop()
    assert time.monotonic() - begun < scaled(5)


@pytest.mark.valgrind
def test_stop_with_copies_under_way(httpd, origin, mirror):
    """SIGTERM just after a load; plain httpd 2.4.71 sometimes crashes by itself while it is still on."""
    h = httpd(f"ProxyMirrorDrainTimeout 1s\n{location('/o/', origin, to(mirror, MANY))}", children=2)
    run_together(4, lambda n: [h.request("POST", f"/o/{n}-{m}", [], b"x" * m) for m in range(40)])
    h.stop()
    copied = [copy.target for copy in mirror.requests]
    assert len(set(copied)) == len(copied)


def test_stop_without_any_request(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror)), children=2)
    h.stop()
    assert mirror.connections == 0


# ---- bounds ----

@pytest.mark.smoke
def test_memory_is_bounded(httpd, origin, mirror):
    gate = mirror.hold()
    h = httpd(f"ProxyMirrorMemory 1M\n{location('/o/', origin, to(mirror))}", children=1,
              expect=[r"PM\d+: .*ProxyMirrorMemory"])
    with h.client() as client:
        for n in range(40):
            client.send(request("POST", f"/o/{n}", [], b"x" * 60000, close=False))
            assert client.answer().status == 200
    one = h.mirror()
    refused = one["outcomes"]["memory_full"]
    assert 40 - 1048576 // 60000 <= refused <= 32
    assert 8 * 60000 <= one["state"]["bytes"] <= 1048576
    wait_for("a line in the log", lambda: h.log_lines(r"PM\d+: .*ProxyMirrorMemory"))
    gate.set()
    assert h.ended(40) == {"memory_full": refused, "mirrored": 40 - refused}
    assert h.mirror()["state"]["bytes"] == 0
    assert {len(copy.body) for copy in mirror.requests} == {60000}
    assert h.request("POST", "/o/more", [], b"x" * 900000).status == 200
    assert h.ended(41) == {"memory_full": refused, "mirrored": 41 - refused}
    assert len(h.log_lines(r"proxy_mirror:warn.*ProxyMirrorMemory")) == 1


def test_bodies_that_outgrow_the_memory(httpd, origin, mirror):
    """Of 40 copies of one body, which comes in chunks, some had room when it began and have none for the rest of it."""
    h = httpd(f"ProxyMirrorMemory 1M\n{location('/o/', origin, to(mirror, 'copies=40'))}",
              expect=[r"PM\d+: .*ProxyMirrorMemory"])
    body = chunked(*[b"x" * 1000] * 60)
    assert h.exchange(request("POST", "/o/a", ["Transfer-Encoding: chunked"]) + body).status == 200
    outcomes = h.ended(40)
    assert sorted(outcomes) == ["memory_full", "mirrored"]
    assert outcomes["memory_full"] >= 40 - 1048576 // 60000
    assert origin.one().body == b"x" * 60000
    assert {copy.body for copy in mirror.requests} == {b"x" * 60000}
    assert h.mirror()["state"]["bytes"] == 0


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def threads(pid: int) -> list[str]:
    """The names of a process's threads."""
    names = []
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/comm", encoding="ascii") as f:
                names.append(f.read().strip())
        except (FileNotFoundError, ProcessLookupError):
            pass
    return names


def test_threads_are_started_with_the_first_copy(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror)) + '<Location "/o/off">\nProxyMirror off\n</Location>', children=1)
    (pid,) = h.pids()
    assert h.get("/o/off").status == 200
    assert not [name for name in threads(pid) if "mirror" in name]
    assert h.get("/o/a").status == 200
    assert h.ended(1) == {"mirrored": 1}
    assert threads(pid).count("mirror-sender") == 1
    for n in range(2, 20):
        assert h.get("/o/a").status == 200
    assert threads(pid).count("mirror-sender") == 1


def test_descriptors_and_threads_come_back(httpd, origin, recorder):
    healthy, hanging, dead = recorder(), recorder(), recorder(listen=False)
    hanging.hold()
    h = httpd(location("/o/", origin, to(healthy, "keepalive=200ms", "a"),
                       to(hanging, "timeout=300ms keepalive=200ms", "b"), to(dead, "retry=0", "c"),
                       conf="disablereuse=on"),
              children=1, expect=["mirror c is down"])
    (pid,) = h.pids()
    assert h.get("/o/a").status == 200
    for name in "abc":
        h.ended(1, name)
    wait_for("no connection", lambda: not sum(m["state"]["connections"] for m in h.mirrors().values()))
    wait_for("the helpers to end", lambda: "mirror-helper" not in threads(pid))
    h.wait_rest()
    before = descriptors(pid), sorted(threads(pid))
    assert h.get_many(["/o/a"] * 100) == [200] * 100
    for name in "abc":
        h.ended(101, name)
    wait_for("no connection", lambda: not sum(m["state"]["connections"] for m in h.mirrors().values()))
    h.wait_rest()
    wait_for("the helpers to end", lambda: "mirror-helper" not in threads(pid))
    assert (descriptors(pid), sorted(threads(pid))) == before


def test_few_descriptors(httpd, origin, mirror):
    """At most a quarter of the limit is for mirrors, so httpd can always accept."""
    limit = 200
    gate = mirror.hold()
    h = httpd(location("/o/", origin, to(mirror, f"max_connections=1000 {MANY} timeout=1min")), children=1,
              wrapper=("prlimit", f"--nofile={limit}:{limit}"))
    (pid,) = h.pids()
    assert h.get_many(f"/o/{n}" for n in range(300)) == [200] * 300
    mirror.wait_until("connections", lambda: mirror.connections >= 20)
    assert h.mirror()["state"]["connections"] <= limit // 4
    assert descriptors(pid) < limit
    gate.set()
    assert h.ended(300) == {"mirrored": 300}
    assert mirror.connections <= limit // 4


def test_hanging_mirrors_leave_a_descriptor_for_others(httpd, origin, recorder):
    hanging, healthy = recorder(), recorder()
    gate = hanging.hold()
    h = httpd(location("/o/", origin, to(hanging, f"max_connections=1000 {MANY} timeout=1min", "hanging"))
              + location("/ok/", origin, to(healthy, "", "healthy")), children=1,
              wrapper=("prlimit", "--nofile=100:100"))
    assert h.get_many(f"/o/{n}" for n in range(100)) == [200] * 100
    hanging.wait_until("connections", lambda: hanging.connections >= 20)
    assert h.get_many(f"/ok/{n}" for n in range(20)) == [200] * 20
    assert len(healthy.wait(20)) == 20
    gate.set()
    assert h.ended(100, "hanging") == {"mirrored": 100}


@needs_threads
def test_process_without_descriptors_does_not_spin(httpd, origin, mirror):
    """Clients have taken all that there are; a connection that is there still works, and a line a second is enough."""
    limit = 48
    gate = mirror.hold()
    h = httpd(location("/o/", origin, to(mirror, "timeout=1min")), children=1,
              wrapper=("prlimit", f"--nofile={limit}:{limit}"),
              expect=[r"PM\d+: mirror m: .* failed: out of descriptors, ports or memory"])
    (pid,) = h.pids()
    clients = [h.client()]
    assert clients[0].get("/o/first").status == 200
    mirror.wait(1)
    while descriptors(pid) < limit:
        clients.append(h.client())
        clients[-1].send(request("OPTIONS", "*", close=False))
        assert clients[-1].answer().status == 200
    for n in range(3):
        assert clients[0].get(f"/o/{n}").status == 200
    wait_for("two lines in the log", lambda: len(h.log_lines("PM0412")) > 1)
    first, second = (datetime.datetime.strptime(line[1:line.index("]")], "%a %b %d %H:%M:%S.%f %Y")
                     for line in h.log_lines("PM0412")[:2])
    assert (second - first).total_seconds() > 0.9
    for client in clients[1:]:
        client.sock.close()
    mirror.wait(4)
    gate.set()
    assert h.ended(4) == {"mirrored": 4}
    clients[0].sock.close()


CGI = """#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
exec ls -l /proc/self/fd
"""


@pytest.mark.parametrize("module", ["cgi", "cgid"])
def test_programs_inherit_no_socket(httpd, origin, mirror, module):
    h = httpd(lambda h: f"""
        {location('/o/', origin, to(mirror))}
        ScriptAlias /cgi/ "{h.root}/htdocs/"
        <Location "/cgi/">
            {to(mirror, name='n')}
        </Location>""", modules=[module], children=1)
    h.write("htdocs/fds", CGI, 0o755)
    assert h.get("/o/a").status == 200
    for n in range(1, 4):
        out = h.get("/cgi/fds").body.decode()
        assert h.ended(n, "n") == {"mirrored": n}
    assert h.mirror("n")["state"]["connections"] == h.mirror("m")["state"]["connections"] == 1
    links = re.findall(r" (\d+) -> (.*)", out)
    assert [fd for fd, _ in links][:3] == ["0", "1", "2"]
    allowed = 1 if module == "cgid" else 0          # the script's standard output and input are the daemon's socket
    sockets = [(fd, link) for fd, link in links if "socket:" in link and (not allowed or int(fd) > 2)]
    assert not sockets and not [link for _, link in links if "eventpoll" in link or "eventfd" in link]
