"""The poller of a node: one connection, a small command at a time, whichever child is killed."""
from __future__ import annotations

import json
import os
import signal
import threading
import time

import pytest

from fleetlab import DOWN, HEAD, NODES, between, change, conf, fleet_call, in_force, node, state    # noqa: F401, fixtures
from httpdlab import THREADED, location, scaled, to, wait_for
from managerlab import MANAGER, patch
from redislab import needs_redis, redis        # noqa: F401, the fixture

pytestmark = needs_redis


def polls(server) -> int:
    return server.calls("hmget")



def owner(h, server) -> int | None:
    """The child that is connected to the store."""
    ports = {int(line.split(" addr=127.0.0.1:")[1].split()[0]) for line in server.clients()}
    for pid in h.pids():
        for fd in os.listdir(f"/proc/{pid}/fd"):
            try:
                target = os.readlink(f"/proc/{pid}/fd/{fd}")
            except OSError:
                continue
            if target.startswith("socket:[") and port_of(target[8:-1], pid) in ports:
                return pid
    return None


def port_of(inode: str, pid: int) -> int | None:
    with open(f"/proc/{pid}/net/tcp", encoding="ascii") as table:
        for line in table.read().splitlines()[1:]:
            fields = line.split()
            if fields[9] == inode:
                return int(fields[1].split(":")[1], 16)
    return None


def test_one_connection_and_few_commands(node):
    h = node(children=4)
    wait_for("polls", lambda: polls(node.server) >= 2)
    start, before, others = time.monotonic(), polls(node.server), node.server.calls("hset")
    wait_for("more polls", lambda: polls(node.server) >= before + 6, 6)
    seconds = time.monotonic() - start
    assert polls(node.server) - before <= seconds / 0.45 + 2
    assert node.server.calls("hset") - others <= 1 + seconds / 10
    assert node.server.calls("hscan") <= 1 and len(node.server.clients()) == 1
    h.get("/o/a")


@pytest.mark.long
def test_the_leader_is_killed_again_and_again(node):
    """Each time the next change is in force within three seconds, and there is one connection."""
    one, two = node(), node(children=8 if THREADED else 12)
    for n in range(2, 6):
        pid = wait_for("a leader", lambda: owner(two, node.server))
        os.kill(pid, signal.SIGKILL)
        change(one, {"count": n})
        in_force(two, {"count": n}, 3)
        wait_for("one connection for each node", lambda: len(node.server.clients()) == 2, 3)


@pytest.mark.long
def test_graceful_restarts_while_changes_go_on(node):
    one, two = node(), node(children=4 if THREADED else 12)
    for n in range(2, 6):
        two.graceful()
        change(one, {"count": n})
        in_force(two, {"count": n}, 3)
    wait_for("one connection for each node", lambda: len(node.server.clients()) == 2, 5)


def test_a_store_that_hangs_holds_up_nobody(node):
    """Requests, the manager of the node and the end of the children do not wait for it."""
    h = node(expect=[DOWN])
    change(h, {"count": 2})
    node.server.pause()
    wait_for("the line", lambda: h.log_lines("PM0930"), 5)
    start = time.monotonic()
    h.get_many(["/o/a"] * 20)
    assert h.mirror()["attributes"]["count"] == 2
    assert time.monotonic() - start < scaled(1)
    start = time.monotonic()
    h.stop()
    assert time.monotonic() - start < scaled(2)
    node.server.go_on()


def test_a_store_that_hangs_at_the_start_holds_it_up_for_redis_timeout(node):
    node.server.pause()
    start = time.monotonic()
    h = node(fleet="redis_timeout=500", expect=[DOWN])
    h.get("/o/a")
    assert time.monotonic() - start < scaled(5)
    assert h.ended(1) == {"mirrored": 1}
    node.server.go_on()
    # it came back without settings: other nodes may have them
    wait_for("a change", lambda: fleet_call(h, "PATCH", "/mirrors/m", {"enabled": False}).status == 200, 20)


def test_a_change_of_a_child_of_before_a_reload_to_another_fleet(redis, between, httpd, origin, mirror):
    """It is written to the former fleet, and is not in force in the other one, whose store has nothing that would replace it."""
    h = httpd(MANAGER + conf(between.port, "redis_timeout=20000") + location("/o/", origin, to(mirror)), expect=[DOWN])
    change(h, {"count": 2})
    release, answers = threading.Event(), []
    between.rule = lambda words: release.wait(30) and None if words[0] == b"EVALSHA" else None
    seen = between.seen.count(b"EVALSHA")
    client = threading.Thread(target=lambda: answers.append(fleet_call(h, "PATCH", "/mirrors/m", {"count": 3})))
    client.start()
    wait_for("the request to wait", lambda: between.seen.count(b"EVALSHA") > seen, 3)
    h.conf = h.conf.replace(conf(between.port, "redis_timeout=20000"), conf(redis().port, fleet="other"))
    h.configure()
    h.graceful()
    wait_for("the other fleet", lambda: state(h)["name"] == "other" and h.mirror()["layer"] == "file", 10)
    release.set()
    client.join()
    assert answers[0].status == 200 and between.server("HGET", HEAD, "rev") == "2"
    assert h.mirror()["layer"] == "file" and h.mirror()["attributes"]["count"] == 1


@pytest.mark.long
def test_a_long_interval_makes_no_silent_node(node):
    """It reports its state meanwhile; and at once what it has of its own, of which responses to changes warn."""
    one, two = node(), node(fleet="interval=60s")
    wait_for("both nodes", lambda: sum(state(one)["nodes"].values()) == 2)
    times = lambda: [json.loads(text)["at"] for text in node.server("HGETALL", NODES)[1::2]]     # noqa: E731
    start = max(times())
    patch(two, {"count": 3})
    wait_for("the warning", lambda: "of its own" in str(state(one).get("warnings")), 3)
    wait_for("later states of both", lambda: min(times()) >= start + 10, 25)


def test_another_fleet_after_a_reload(node):
    """Its documents do not apply any more."""
    h = node()
    change(h, {"count": 2})
    wait_for("the poll of the change", lambda: state(h)["nodes"]["in_force"] == 1, 5)
    h.conf = h.conf.replace("ProxyMirrorFleet web", "ProxyMirrorFleet other")
    h.configure()
    h.graceful()
    wait_for("the file", lambda: h.mirror()["layer"] == "file", 5)
    assert state(h)["name"] == "other"
    wait_for("the first poll of the other fleet", lambda: state(h)["revision"] == 0, 5)
    change(h, {"count": 3})
    h.conf = h.conf.replace("ProxyMirrorFleet other", "ProxyMirrorFleet web")
    h.configure()
    h.graceful()
    in_force(h, {"count": 2}, 5)
    h.conf = "\n".join(line for line in h.conf.split("\n") if "ProxyMirrorFleet" not in line)
    h.configure()
    h.graceful()
    wait_for("the file", lambda: h.mirror()["layer"] == "file", 5)
    assert fleet_call(h, "GET", "").status == 404
