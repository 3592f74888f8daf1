"""A store that was emptied and is restored: all documents at once, or none."""
from __future__ import annotations

import json
import threading

import pytest

from fleetlab import DOCS, DOWN, HEAD, INDEX, LOG, NODES, Between, between, change, conf, document, fleet_call, in_force, state     # noqa: F401, fixtures
from httpdlab import Httpd, location, to, wait_for
from managerlab import JSON, MANAGER, refused
from redislab import needs_redis, redis        # noqa: F401, the fixture

pytestmark = needs_redis
NAMES = [f"m{n}" for n in range(6)]
EMPTIED = "PM0936: "


@pytest.fixture
def nodes(between, httpd, origin, mirror):
    """Two nodes with several mirrors: the first one's store is `between`, the other one's the server."""
    def make(fleet: str = "interval=100ms", expect=(EMPTIED, DOWN)) -> list[Httpd]:
        lines = location("/o/", origin, *(to(mirror, "count=7", name) for name in NAMES))
        return [httpd(MANAGER + conf(port, fleet) + lines, expect=list(expect)) for port in (between.port, between.server.port)]
    return make


def empty(between: Between, *hs: Httpd) -> None:
    between.server("FLUSHALL")
    for h in hs:
        wait_for("the line", lambda h=h: h.log_lines(EMPTIED), 3)


def restore(h: Httpd):
    return fleet_call(h, "POST", "/restore", None, ())


def test_no_node_sees_a_part_of_it(nodes, between):
    """A mirror that the index lacks counts as deleted, so a store that is slow must not be seen half restored."""
    one, two = nodes()
    for n, name in enumerate(NAMES):
        change(one, {"count": 10 + n}, name=name)
        in_force(two, {"count": 10 + n}, name=name)
    wait_for("the poll of the last one", lambda: state(one)["nodes"]["in_force"] == 2)
    empty(between, one, two)
    late = threading.Event()
    between.rule = lambda words: late.wait(0.3) or None if words[0] in (b"EVALSHA", b"EVAL") else None
    answer = restore(one)
    assert answer.status == 200 and json.loads(answer.body) == {"restored": len(NAMES)}
    wait_for("all in force", lambda: state(two)["nodes"]["in_force"] == 2, 5)
    for h in (one, two):
        for n, name in enumerate(NAMES):
            assert document(h, name)["attributes"] == {"count": 10 + n} and h.mirror(name)["attributes"]["count"] == 10 + n
        assert not h.log_lines("PM0935")
    log = json.loads(fleet_call(two, "GET", "/log").body)["log"]
    assert [entry["revision"] for entry in log] == list(range(len(NAMES), 0, -1))
    assert {entry["mirror"] for entry in log} == set(NAMES) and "restored" in log[0]["changes"]
    assert change(two, {"count": 5}, name="m0")["revision"] == len(NAMES) + 1
    in_force(one, {"count": 5}, name="m0")


def test_nothing_was_set(nodes, between):
    """Then the store begins anew, for all nodes."""
    one, two = nodes()
    change(one, {"count": 2}, name="m1")
    assert fleet_call(two, "DELETE", "/mirrors/m1", headers=()).status == 204
    wait_for("the last revision", lambda: state(one)["nodes"]["in_force"] == 2)
    empty(between, one, two)
    refused(fleet_call(two, "PATCH", "/mirrors/m1", {"count": 3}), 409, "restore first")
    assert json.loads(restore(one).body) == {"restored": 0}
    wait_for("all in force", lambda: state(two)["nodes"]["in_force"] == 2 and not state(two)["emptied"] and not state(one)["emptied"], 3)
    refused(restore(two), 409, "must be empty")
    assert all(document(one, name) is None for name in NAMES)
    change(two, {"count": 3}, name="m1")
    in_force(one, {"count": 3}, name="m1")


def test_the_head_alone_was_lost(nodes, between):
    """What else is in the store is replaced: nobody reads it without a head."""
    one, two = nodes()
    change(one, {"count": 2}, name="m1")
    in_force(two, {"count": 2}, name="m1")
    wait_for("the revision", lambda: state(one)["nodes"]["in_force"] == 2)
    between.server("DEL", HEAD)
    for h in (one, two):
        wait_for("the line", lambda h=h: h.log_lines(EMPTIED), 3)
    assert json.loads(restore(one).body) == {"restored": 1}
    wait_for("all in force", lambda: state(two)["nodes"]["in_force"] == 2 and not state(two)["emptied"], 3)
    assert one.mirror("m1")["attributes"]["count"] == two.mirror("m1")["attributes"]["count"] == 2


def test_a_store_without_a_head_has_what_a_change_asks_for(nodes, between):
    """That is not in force on a node which has started since: it follows no store without a head."""
    one, two = nodes()
    change(one, {"enabled": False}, name="m1")
    in_force(two, {"enabled": False}, name="m1")
    wait_for("the revision", lambda: state(one)["nodes"]["in_force"] == 2)
    between.server("DEL", HEAD)
    two.stop()
    two.start()
    assert two.mirror("m1")["attributes"]["enabled"]
    for h in (one, two):
        refused(fleet_call(h, "PATCH", "/mirrors/m1", {"enabled": False}), 409, "restore first")
    one.stop()
    one.start()
    wait_for("no node that knows it", lambda: fleet_call(two, "PATCH", "/mirrors/m1", {"enabled": False}).status == 200, 20)
    for h in (one, two):
        in_force(h, {"enabled": False}, 2, name="m1")


def test_another_fleet_since_a_reload(redis, between, httpd, origin, mirror):
    """A child of before it must not write the documents of the other fleet, which the node has since."""
    h = httpd(MANAGER + conf(between.port, "redis_timeout=20000") + location("/o/", origin, to(mirror)), expect=[EMPTIED, DOWN])
    change(h, {"count": 2})
    wait_for("the revision", lambda: state(h)["nodes"]["in_force"] == 1)
    empty(between, h)
    release, answers = threading.Event(), []
    between.rule = lambda words: release.wait(30) and None if words[0] == b"HMGET" else None
    seen = between.seen.count(b"HMGET")
    client = threading.Thread(target=lambda: answers.append(restore(h)))
    wait_for("the poller to wait", lambda: between.seen.count(b"HMGET") > seen, 3)
    client.start()
    wait_for("the request to wait", lambda: between.seen.count(b"HMGET") > seen + 1, 3)
    h.conf = h.conf.replace(conf(between.port, "redis_timeout=20000"), conf(redis().port, fleet="other"))
    h.configure()
    h.graceful()
    wait_for("the other fleet", lambda: change_of_another(h), 10)
    release.set()
    client.join()
    refused(answers[0], 409, "must be restored on a node that has")
    assert not between.server("EXISTS", HEAD)


def change_of_another(h: Httpd) -> bool:
    return state(h)["name"] == "other" and fleet_call(h, "PATCH", "/mirrors/m", {"count": 9}).status == 200


def test_waiting_for_a_change_after_a_restore(nodes, between):
    """The nodes still have higher revisions of the store before."""
    one, two = nodes(fleet="interval=500ms")
    for n in range(2, 6):
        change(one, {"count": n}, name="m1")
    in_force(two, {"count": 5}, name="m1")
    wait_for("the revision", lambda: state(one)["nodes"]["in_force"] == 2)
    empty(between, one, two)
    wait_for("the states", lambda: sum(state(one)["nodes"].values()) == 2, 4)
    assert restore(one).status == 200
    done = change(one, {"count": 6}, name="m1", headers=[JSON, "Prefer: wait=5"])
    assert done["nodes"]["in_force"] == 2 and two.mirror("m1")["attributes"]["count"] == 6


@pytest.mark.parametrize("more", ["", "interval=100ms"])
def test_the_index_alone_was_lost(nodes, between, more):
    """As by an eviction. It is no deletion of all documents, which would start mirrors that were stopped."""
    one, two = nodes(more)
    for name in ("m1", "m2"):
        change(one, {"enabled": False, "count": 2}, name=name)
        in_force(two, {"enabled": False, "count": 2}, name=name)
    wait_for("the revision", lambda: state(one)["nodes"]["in_force"] == 2)
    between.server("DEL", INDEX)
    refused(fleet_call(two, "PATCH", "/mirrors/m1", {"count": 3}), 409, "restore first")        # at once, before a poll has seen it
    refused(fleet_call(two, "PATCH", "/mirrors/m3", {"count": 3}), 409, "restore first")
    if not more:
        between.server("HSET", HEAD, "id", "00000000000000aa")      # the index would be read after 50 seconds
    for h in (one, two):
        wait_for("the line", lambda h=h: h.log_lines(EMPTIED), 15)
    one.graceful()
    polls = between.server.calls("hmget")
    wait_for("more polls", lambda: between.server.calls("hmget") >= polls + 6)
    for h in (one, two):
        assert state(h)["emptied"] and all(h.mirror(name)["attributes"]["count"] == 2 for name in ("m1", "m2")), h.log()
    assert json.loads(restore(one).body) == {"restored": 2}
    refused(restore(two), 409, "must be empty")
    wait_for("all in force", lambda: state(two)["nodes"]["in_force"] == 2 and not state(two)["emptied"] and not state(one)["emptied"], 3)
    for name in ("m1", "m2"):
        assert document(two, name)["attributes"] == {"enabled": False, "count": 2}
    assert change(two, {"count": 3}, name="m3")["revision"] == 5
    in_force(one, {"count": 3}, name="m3")
    assert len(one.log_lines(EMPTIED)) == len(two.log_lines(EMPTIED)) == 1


def test_a_node_that_starts_after_the_index_was_lost(nodes, between):
    """It must not restore over those that have the settings, unless no node has them."""
    one, two = nodes()
    change(one, {"count": 2}, name="m1")
    in_force(two, {"count": 2}, name="m1")
    wait_for("the revision", lambda: state(one)["nodes"]["in_force"] == 2)
    two.stop()
    between.server("DEL", INDEX)
    two.start()
    refused(fleet_call(two, "PATCH", "/mirrors/m1", {"count": 9}), 409, "restore first")
    refused(restore(two), 409, "on a node that has its settings")
    between.server("HDEL", NODES, *between.server("HKEYS", NODES))
    one.stop()
    assert json.loads(restore(two).body) == {"restored": 0}
    change(two, {"count": 3}, name="m1")
    one.start()
    in_force(one, {"count": 3}, 5, name="m1")


@pytest.mark.parametrize("reply, status", [
    (Between.LOST, 200), (b"", 503), (b"-OOM command not allowed\r\n", 503), (b"-NOPERM no\r\n", 503), (b"*1\r\n$4\r\nnope\r\n", 503), (b":1\r\n", 503),
    (b"*0\r\n", 503), (b"*1000000000\r\n", 503), (b"*1\r\n:5\r\n", 503), (b"*1\r\n$7\r\npresent\r\n", 409)])
def test_a_reply_that_is_lost_or_lies(nodes, between, reply, status):
    """The head of the store tells whether it was restored."""
    one, two = nodes()
    change(one, {"count": 2}, name="m1")
    in_force(two, {"count": 2}, name="m1")
    wait_for("the revision", lambda: state(one)["nodes"]["in_force"] == 2)
    empty(between, one, two)
    commands = (b"EVAL",) if reply is Between.LOST else (b"EVAL", b"EVALSHA")       # the server does not yet have the script
    between.rule = lambda words: reply if words[0] in commands else None
    assert restore(one).status == status
    between.rule = lambda words: None
    if status != 200:
        assert not between.server("EXISTS", HEAD)
        assert json.loads(restore(one).body) == {"restored": 1}
    wait_for("all in force", lambda: state(two)["nodes"]["in_force"] == 2 and not state(two)["emptied"], 3)
    assert document(two, "m1")["attributes"] == {"count": 2} and len(between.server("LRANGE", LOG, 0, -1)) == 1


@pytest.mark.parametrize("key", [INDEX, DOCS, LOG])
def test_a_key_of_another_type(nodes, between, key):
    """Nothing is written."""
    one, two = nodes()
    change(one, {"count": 2}, name="m1")
    wait_for("the revision", lambda: state(one)["nodes"]["in_force"] == 2)
    between.server("FLUSHALL")
    between.server("SET", key, "x")
    for h in (one, two):
        wait_for("the line", lambda h=h: h.log_lines(EMPTIED), 3)
    refused(restore(one), 503, "WRONGTYPE")
    assert not between.server("EXISTS", HEAD) and one.mirror("m1")["attributes"]["count"] == 2
