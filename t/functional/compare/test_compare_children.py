"""Comparisons over several children, killed ones and restarts; compare switched under load; DELETE meanwhile."""
from __future__ import annotations

import json
import os
import signal

import pytest

from clients import Load, run_together
from comparelab import JSON, both, compared, comparison, decided, memory_is_back, rows, skipped, verdicts
from httpdlab import THREADED, location, to, wait_for
from managerlab import MANAGER, call, patch, refused
from recorder import answer

PRELOADS = ("comparer",)
MANY = "compare=all max_queue=100000"
BY_METHOD = "compare_group=%{REQUEST_METHOD}"
KILLED = [r"AH0005\d", "exit signal", r"AH1039\d"]
ALL = {"compare": ["status", "headers", "body"]}
OFF: dict = {"compare": []}


@pytest.fixture
def served(httpd, recorder):
    def make(attributes="", conf="", **options):
        primary, mirror = recorder(), recorder()
        both(primary, mirror, b'{"a": 1}', b'{"a": 2}', JSON)
        return (httpd(MANAGER + conf + location("/o/", primary, to(mirror, f"{MANY} {attributes}")), **options),
                primary, mirror)
    return make


def forget(h) -> None:
    got = h.request("DELETE", "/manager/mirrors/m/comparison", ["Host: localhost"])
    assert got.status in (200, 204), got.raw


def settled(h) -> dict:
    """The JSON once all pairs of the only child are decided: a last one, of another group than those of the load, is."""
    def count() -> int:
        return sum(one["compared"] for one in comparison(h)["groups"] if one["group"] == "GET")
    before = count()
    assert h.get("/o/last").status == 200
    wait_for("the last comparison", lambda: count() > before, 20)
    data = comparison(h)
    assert sum(data["verdicts"].values()) == data["compared"] == sum(group["compared"] for group in data["groups"])
    return data


def kill_child(h) -> None:
    victim = h.pids()[0]
    os.kill(victim, signal.SIGKILL)
    wait_for("another child", lambda: victim not in h.pids() and len(h.pids()) >= h.children, 20)


@pytest.mark.smoke
def test_sums_over_several_children(served):
    h, primary, mirror = served(children=4, threads=4)
    run_together(8, lambda n: [h.get(f"/o/{n}") for _ in range(25)])
    data = compared(h, 200)
    assert set(skipped(data)) <= {"busy"}       # another child had the lock of the results for half a second
    assert data["verdicts"]["different"] + data["verdicts"]["unexamined"] == data["compared"] > 0
    assert rows(data) == [("body/a", "value", data["verdicts"]["different"])]
    assert data["truncated"] == {"fields": 0, "groups": 0}


def test_killed_child(served, hold, preload):
    """What it had not compared is counted as shut_down; what was counted stays, and goes on."""
    h, primary, mirror = served(children=1, env={"HTTPD_PRELOAD": preload, "TEST_COMPARER": hold.path}, expect=KILLED)
    assert h.get_many(["/o/a"] * 20) == [200] * 20
    data = compared(h, 20)
    assert rows(data) == [("body/a", "value", 20)]
    kill_child(h)
    assert compared(h, 20) == data
    hold.hold()
    assert h.get_many(["/o/a"] * 30) == [200] * 30
    assert h.ended(50) == {"mirrored": 50}
    assert comparison(h)["compared"] == 20
    kill_child(h)
    hold.release()
    data = compared(h, 50)
    assert skipped(data) == {"shut_down": 30} and rows(data) == [("body/a", "value", 20)]
    assert h.get_many(["/o/a"] * 5) == [200] * 5
    data = compared(h, 55)
    assert rows(data) == [("body/a", "value", 25)] and verdicts(data) == {"different": 25}


def test_children_killed_under_load(served):
    h, primary, mirror = served(children=3, threads=5, expect=KILLED)
    load = Load(h)
    for _ in range(4):
        load.wait_more(50)
        os.kill(h.pids()[0], signal.SIGKILL)
    load.wait_more(50)
    load.end()
    h.wait_idle()
    assert set(h.outcomes()) <= {"mirrored", "shut_down", "incomplete"}
    wait_for("all comparisons", lambda: decided(comparison(h)) == h.mirror()["seen"], 20)
    data = compared(h, h.mirror()["seen"])
    assert set(skipped(data)) <= {"shut_down", "no_answer", "busy", "primary_incomplete"}
    assert data["compared"] > 0 and data["verdict"] == "differs"
    assert {row[:2] for row in rows(data)} == {("body/a", "value")}


def test_graceful_restarts(served):
    """Findings survive, those of requests under way are not lost."""
    h, primary, mirror = served()
    for n in range(3):
        assert h.get_many(["/o/a"] * 10) == [200] * 10
        since = compared(h, 10 * (n + 1))["since"]
        h.graceful()
        data = compared(h, 10 * (n + 1))
        assert data["since"] == since and rows(data) == [("body/a", "value", 10 * (n + 1))]
    gate = mirror.hold(answer("200 OK", b'{"a": 2}', (JSON,)))
    assert h.get("/o/a").status == 200
    mirror.wait(31)
    h.graceful()
    gate.set()
    data = compared(h, 31)
    assert data["compared"] + data["skipped"]["shut_down"] + data["skipped"]["no_answer"] == 31


def test_graceful_restarts_under_load(served):
    h, primary, mirror = served(children=2 if THREADED else 8)
    load = Load(h)
    for _ in range(3):
        load.wait_more(100)
        h.graceful()
    load.wait_more(100)
    load.end()
    h.wait_idle()
    wait_for("all comparisons", lambda: decided(comparison(h)) == h.mirror()["seen"], 20)
    data = compared(h, h.mirror()["seen"])
    assert set(skipped(data)) <= {"shut_down", "no_answer", "busy"}
    assert data["compared"] >= 300


# ---- changes at run time ----

def test_switched_under_load(served):
    """A request is compared by the settings that it began with; sums hold, and memory is given back."""
    h, primary, mirror = served(f"compare_max_body=400000 {BY_METHOD}", conf="ProxyMirrorCompareMemory 1M\n", children=1)
    load = Load(h)
    for n in range(6):
        load.wait_more(40)
        patch(h, OFF if n % 2 == 0 else ALL)
    patch(h, ALL)
    load.wait_more(40)
    load.end()
    h.wait_idle()
    data = settled(h)
    assert data["compared"] > 40 and set(skipped(data)) <= {"busy"}
    assert decided(data) <= h.mirror()["seen"]
    if THREADED:
        memory_is_back(h, primary, mirror, 400000)


def test_off_under_load_compares_no_more(served):
    """Of 50 requests meanwhile none is compared, and one after it is."""
    h, primary, mirror = served(BY_METHOD, children=1)
    load = Load(h)
    load.wait_more(50)
    patch(h, OFF)
    load.end()
    assert h.get_many(["/o/a"] * 50) == [200] * 50
    h.wait_idle()
    patch(h, ALL)
    data = settled(h)
    assert {one["group"]: one["compared"] for one in data["groups"]}["GET"] == 1
    assert decided(data) <= h.mirror()["seen"] - 50


def test_forgotten_under_load(served):
    """After DELETE no row of before is there, and sums hold."""
    h, primary, mirror = served(BY_METHOD, children=1)
    load = Load(h)
    for _ in range(5):
        load.wait_more(30)
        forget(h)
    both(primary, mirror, b'{"b": 1}', b'{"b": 2}', JSON)
    load.end()
    h.wait_idle()
    settled(h)
    forget(h)
    data = comparison(h)
    assert (decided(data), data["findings"], data["groups"], data["noise"]) == (0, [], [], [])
    load = Load(h)
    load.wait_more(50)
    load.end()
    h.wait_idle()
    data = settled(h)
    assert {row[:2] for row in rows(data)} == {("body/b", "value")}
    assert data["compared"] + sum(skipped(data).values()) >= 50


def test_tag_of_a_mirror(served):
    """Each switch changes it; a change by someone with the tag of before is refused."""
    h, primary, mirror = served()
    first = call(h, "GET", "m", None, ()).header("ETag")[0]
    second = call(h, "PATCH", "m", OFF, [JSON, f"If-Match: {first}"])
    assert second.status == 200 and json.loads(second.body)["attributes"]["compare"] == []
    refused(call(h, "PATCH", "m", ALL, [JSON, f"If-Match: {first}"]), 412)
    third = call(h, "PATCH", "m", ALL, [JSON, f"If-Match: {second.header('ETag')[0]}"])
    assert third.status == 200 and json.loads(third.body)["attributes"]["compare"] == ALL["compare"]
    assert second.header("ETag")[0] not in (first, third.header("ETag")[0])


def test_delete_is_guarded(served):
    """As every change: neither by another site's page nor by a client that may only read."""
    h, primary, mirror = served()
    assert h.get("/o/a").status == 200
    compared(h, 1)
    for path, headers in (("/mirror-status", ["Host: localhost"]),
                          ("/manager", ["Host: localhost", "Origin: http://elsewhere.test"])):
        got = h.request("DELETE", f"{path}/mirrors/m/comparison", headers)
        assert got.status in (403, 405), got.raw
    assert compared(h, 1)["compared"] == 1
    forget(h)
    assert compared(h, 0)["verdict"] == "nothing"
