"""A store that comes back empty: a node that has never seen the settings must not begin it before the others are back."""
from __future__ import annotations

import json
import time

import pytest

from clocklab import DAY, HOUR, clock     # noqa: F401, a fixture
from fleetlab import DOWN, HEAD, NODES, Between, between, change, conf, fleet_call, in_force, state     # noqa: F401, fixtures
from httpdlab import Httpd, location, to, wait_for
from managerlab import MANAGER, refused
from redislab import needs_redis, redis        # noqa: F401, the fixture

PRELOADS = "clock", "connect"
pytestmark = needs_redis
EMPTIED = "PM0936: "
HELD = "must have been empty for some seconds"


@pytest.fixture
def nodes(between, httpd, origin, mirror):
    """A node behind `between`, and one at the server itself."""
    def make(fleet: str = "", **options) -> list[Httpd]:
        options.setdefault("expect", [EMPTIED, DOWN, "PM0901: "])
        return [httpd(MANAGER + conf(port, fleet) + location("/o/", origin, to(mirror)), **options)
                for port in (between.port, between.server.port)]
    return make


def restart_empty(between: Between, late: Httpd, *others: Httpd) -> None:
    """The store fails; `late`, which was stopped, starts meanwhile; and the store comes back."""
    between.server.kill()
    for h in others:
        wait_for("the line", lambda h=h: h.log_lines(DOWN), 5)
    late.start()
    wait_for("the line", lambda: late.log_lines(DOWN), 5)
    between.server.start()


def knows(between: Between) -> bool:
    """Whether a node has told the store that it knows settings."""
    return any(json.loads(text)["epoch"].strip("0") for text in between.server("HVALS", NODES))


def retry_after(h: Httpd, method: str, what: str, data=None) -> int:
    answer = fleet_call(h, method, what, data)
    assert answer.status == 503, answer.raw
    return int(answer.header("Retry-After")[0])


def test_a_node_that_has_started_meanwhile(nodes, between):
    one, two = nodes()
    two.stop()
    change(one, {"count": 2})
    wait_for("the poll of the change", lambda: state(one)["nodes"]["in_force"] == 1, 5)
    between.rule = lambda words: b""        # the node that knows is slower to come back
    restart_empty(between, two, one)
    assert 0 < retry_after(two, "PATCH", "/mirrors/m", {"count": 9}) <= 10      # at once: the poller has not seen it up
    wait_for("the line", lambda: two.log_lines("PM0931"), 7)
    for method, what, data in (("PATCH", "/mirrors/m", {"count": 9}), ("PUT", "/mirrors/m", {"count": 9}), ("PATCH", "/mirrors", {"enabled": False}),
                               ("DELETE", "/mirrors/m", None), ("DELETE", "/mirrors", None), ("POST", "/restore", None)):
        assert 2 < retry_after(two, method, what, data) <= 10
    assert HELD in json.loads(fleet_call(two, "POST", "/restore", None, ()).body)["error"]
    between.rule = lambda words: None
    wait_for("the other node", lambda: one.log_lines(EMPTIED), 7)
    wait_for("its state", lambda: between.server("HLEN", NODES) == 2, 3)
    refused(fleet_call(two, "PATCH", "/mirrors/m", {"count": 9}), 409, "restore first")
    refused(fleet_call(two, "POST", "/restore", None, ()), 409, "on a node that has its settings")
    assert not between.server("EXISTS", HEAD)
    assert json.loads(fleet_call(one, "POST", "/restore", None, ()).body) == {"restored": 1}
    in_force(two, {"count": 2}, 3)


def test_the_store_is_lost_twice(nodes, between):
    """A node that has reported the first time reports again, as its state was lost with the store."""
    one, two = nodes()
    two.stop()
    change(one, {"count": 2})
    wait_for("the poll of the change", lambda: state(one)["nodes"]["in_force"] == 1, 5)
    between.server("FLUSHALL")
    wait_for("the line", lambda: one.log_lines(EMPTIED), 3)
    restart_empty(between, two, one)
    wait_for("the line", lambda: one.log_lines("PM0931") and two.log_lines("PM0931"), 14)
    for _ in range(3):
        wait_for("its state", lambda: knows(between), 4)
        refused(fleet_call(two, "PATCH", "/mirrors/m", {"count": 9}), 409, "restore first")
        between.server("FLUSHALL")


def began(h: Httpd) -> bool:
    """Whether the node begins the store; else it says when."""
    answer = fleet_call(h, "PATCH", "/mirrors/m", {"count": 9})
    assert answer.status == 200 or answer.status == 503 and answer.header("Retry-After"), answer.raw
    return answer.status == 200


@pytest.mark.long
def test_nobody_has_settings(nodes, between):
    """Then the store is begun after some seconds."""
    one, two = nodes("redis_timeout=200")
    one.stop()
    two.stop()
    restart_empty(between, two)
    start = time.monotonic()
    wait_for("a change", lambda: began(two), 20)
    assert time.monotonic() - start > 5
    one.start()
    in_force(one, {"count": 9})


def test_a_store_that_has_settings_is_changed_at_once(nodes, between):
    one, two = nodes()
    two.stop()
    change(one, {"count": 2})
    between.server.pause()
    two.start()
    wait_for("the line", lambda: two.log_lines(DOWN), 5)
    between.server.go_on()
    assert change(two, {"count": 3})["revision"] == 2
    in_force(one, {"count": 3}, 7)


@pytest.mark.parametrize("step", [2 * HOUR, -2 * HOUR, DAY, -DAY])
def test_the_clock_of_the_node_is_wrong(redis, httpd, origin, mirror, clock, preload, step):
    """The others seem silent, and may know the settings all the same."""
    server = redis()
    text = MANAGER + conf(server.port) + location("/o/", origin, to(mirror))
    one = httpd(text, expect=[EMPTIED])
    two = httpd(text, children=1, env={"HTTPD_PRELOAD": preload, "TEST_CLOCK": clock.path})
    change(one, {"count": 2})
    two.stop()
    server("FLUSHALL")
    wait_for("the line", lambda: one.log_lines(EMPTIED), 3)
    clock.step(step)
    two.start()
    wait_for("both states", lambda: server("HLEN", NODES) == 2, 3)
    refused(fleet_call(two, "PATCH", "/mirrors/m", {"count": 9}), 409, "restore first")
    refused(fleet_call(two, "POST", "/restore", None, ()), 409, "on a node that has its settings")
    one.stop()
    change(two, {"count": 9})       # the state of a node that is gone does not change
    assert server("HLEN", NODES) == 2


def test_the_states_of_nodes_cannot_be_read(nodes, between):
    """Whether others know the settings is not known then."""
    one, two = nodes(expect=[EMPTIED, DOWN, "PM0940: "])
    two.stop()
    change(one, {"count": 2})
    between.server("FLUSHALL")
    wait_for("the line", lambda: one.log_lines(EMPTIED), 3)
    one.stop()
    between.server("DEL", NODES)
    between.server("SET", NODES, "x")
    two.start()
    refused(fleet_call(two, "PATCH", "/mirrors/m", {"count": 9}), 503, "WRONGTYPE")
    refused(fleet_call(two, "POST", "/restore", None, ()), 503, "WRONGTYPE")
    between.server("DEL", NODES)
    change(two, {"count": 9})
