"""The nodes of a fleet, as the responses and the page report them."""
from __future__ import annotations

import json
import time

import pytest

import pagelab
from browserlab import browser, open_page, wait_text      # noqa: F401, fixtures
from fleetlab import NODES, change, conf, fleet_call, in_force, node, state     # noqa: F401, the fixture
from httpdlab import Httpd, location, to, wait_for
from managerlab import MANAGER, patch
from redislab import needs_redis, redis        # noqa: F401, the fixture

pytestmark = needs_redis


def report(server, name: str, **more) -> None:
    """As a node does."""
    server("HSET", NODES, name, json.dumps({"at": int(time.time()), "revision": 1, "id": "0" * 15 + "1", "module": "0.1.0", **more}))


@pytest.mark.parametrize("module, warned", [
    ("0.0.9", True), ("0.0.10-dev", True), ("9.0.0", False), ("", False), ("x", False), ("0.0", False), ("99999999999999999999.0.0", False),
    (7, False)])
def test_an_older_module(node, module, warned):
    h = node()
    report(node.server, "old.example.com:80-1", module=module)
    warnings = change(h, {"count": 2}).get("warnings", [])
    assert len(warnings) == warned
    if warned:
        assert warnings[0].startswith(f"1 node runs an older module, such as old.example.com:80-1 with {module};")
        report(node.server, "old.example.com:80-2", module="0.0.7")
        assert "2 nodes run an older module, such as old.example.com:80-2 with 0.0.7;" in state(h)["warnings"][0]
        report(node.server, "old.example.com:80-2", module="0.0.7", at=int(time.time()) - 100)      # it is silent
        assert "1 node runs" in state(h)["warnings"][0]


def test_more_mirrors_than_a_node_lists(node):
    """A change is not silent about a mirror that the list of a node lacks."""
    h = node()
    names = [f"x{n}" for n in range(20)]
    more = {"own": [*names], "refused": {name: {"id": "1-" + "0" * 16, "why": "z"} for name in names}}
    report(node.server, "big:80-1", own=names[1:], refused={name: more["refused"][name] for name in names[1:]})
    assert "warnings" not in change(h, {"count": 2})
    report(node.server, "big:80-1", **more)
    warnings = change(h, {"count": 3})["warnings"]
    assert any("has settings of its own" in text for text in warnings) and any("refuses the last document" in text for text in warnings)


def test_a_node_with_many_mirrors(redis, httpd, origin, mirror):
    server, names = redis(), [f"m{n}" for n in range(22)]
    lines = MANAGER + conf(server.port) + location("/o/", origin, *(to(mirror, "", name) for name in names))
    one, two = httpd(lines), httpd(lines)
    for name in names:
        patch(two, {"count": 3}, name)
    wait_for("the state", lambda: any('"m19"]' in text for text in server("HGETALL", NODES)), 3)
    for name in (names[0], names[-1]):
        assert "has settings of its own" in str(change(one, {"enabled": False}, name=name).get("warnings"))


def fleet_of(h: Httpd) -> pagelab.Element:
    got = h.get("/manager/", ["Host: localhost"])
    assert got.status == 200, got.raw
    return pagelab.parse(got.body).one("section", class_="fleet")


def test_the_page_lists_documents_and_nodes(node):
    one = node(more="ProxyMirrorAllowHost *\n")
    two = node(more="ProxyMirrorAllowHost 127.0.0.1\n", expect=["PM0932: "])
    wait_for("both nodes", lambda: sum(state(one)["nodes"].values()) == 2)
    assert "the newest revision is in force on" in fleet_of(one).text
    change(one, {"host": "http://other.example.com"}, headers=["Content-Type: application/json", "Prefer: wait=5"])
    report(node.server, "gone:80-1", at=int(time.time()) - 100)
    section = fleet_of(one)
    assert "in force on 1 of 3; 0 behind, 1 refuse, 1 silent for over 30 seconds" in section.text
    rows = {row.one("th").text: row.text for row in section.all("tr") if row.get("data-key")}
    assert "without a user" in rows["m"] and "covered" not in rows["m"]
    assert "silent" in rows["gone:80-1"]
    assert "refuses" in next(text for name, text in rows.items() if f":{two.port}-" in name and "m:" in text and "ProxyMirrorAllowHost" in text)
    assert "in force" in next(text for name, text in rows.items() if f":{one.port}-" in name)
    patch(one, {"count": 3})
    assert "covered by settings of this node" in fleet_of(one).text
    wait_for("the warning", lambda: "1 node has settings of its own" in fleet_of(two).text, 3)
    only = pagelab.parse(one.get("/manager/?fleet", ["Host: localhost"]).body)
    assert len(only.one("body").all("section")) == 1 and "1 of 3" in only.text


def test_a_hostile_store_writes_no_html(node):
    h = node()
    evil = "<script>alert(1)</script>\u202e"
    report(node.server, evil, module=evil, refused={evil: {"id": evil, "why": evil}}, own=[evil, 1, None, {}])
    report(node.server, "b", own={"m": 1}, refused=[1])
    report(node.server, "c", own=[[["x"]]], refused={"m": 1, "n": {"why": 1}})
    wait_for("the nodes", lambda: sum(state(h)["nodes"].values()) == 4)
    section = fleet_of(h)
    assert not section.all("script") and "<script>alert(1)</script>" in section.text and "\u202e" not in section.text


def test_the_page_waits_for_no_store_that_is_down(node):
    """In an emergency it is there at once."""
    h = node(fleet="redis_timeout=2000", expect=["PM0930: "])
    change(h, {"count": 2})
    node.server.pause()
    wait_for("the line", lambda: h.log_lines("PM0930"), 8)
    start = time.monotonic()
    assert "Its store does not respond" in fleet_of(h).text and fleet_of(h).all("tr", data_key="m")
    assert time.monotonic() - start < 1
    node.server.go_on()


def test_the_nodes_are_live(node, open_page):
    h = node()
    page = open_page(h)
    wait_text(page, "section.fleet", "in force on 1 of 1")
    report(node.server, "other:80-1", module="0.0.1")
    wait_text(page, "section.fleet", "other:80-1")
    wait_text(page, "section.fleet .warning", "1 node runs an older module")


# ---- a store that rejects the states ----

def connections(server) -> int:
    (line,) = [line for line in server("INFO", "stats").splitlines() if line.startswith("total_connections_received:")]
    return int(line.split(":")[1])


@pytest.mark.long
def test_a_store_that_is_full_rejects_the_state(node):
    """It is logged once, and costs no connection with each poll. The node follows, and after a restart takes itself for no other."""
    h, late = node(expect=["PM0940: "]), node(expect=["PM0940: "])
    change(h, {"count": 2})
    wait_for("both", lambda: state(h)["nodes"]["in_force"] == 2, 5)
    late.stop()
    node.server("CONFIG", "SET", "maxmemory", "1")
    late.start()
    for one in (h, late):
        wait_for("the line", lambda: one.log_lines("PM0940.*OOM"), 15)
    polls, before, asked = node.server.calls("hmget"), connections(node.server), []
    wait_for("polls of two nodes", lambda: asked.append(1) or node.server.calls("hmget") >= polls + 12)
    assert connections(node.server) - before - len(asked) - 1 <= 2
    node.server("CONFIG", "SET", "maxmemory", "0")
    change(h, {"count": 3})
    in_force(late, {"count": 3})
    wait_for("both again", lambda: state(h)["nodes"]["in_force"] == 2, 15)
    assert all(len(one.log_lines("PM0940")) == 1 and not one.log_lines("PM0939|PM0930") for one in (h, late))


def test_the_state_of_an_earlier_start_comes_back_with_an_older_store(node):
    """It is not another node's."""
    h = node()
    change(h, {"count": 2})
    (name,) = wait_for("the node", lambda: node.server("HKEYS", NODES))
    node.server("HSET", NODES, name, json.dumps({"at": int(time.time()) - 600, "revision": 1, "id": "0" * 16, "start": "00000000000000ff"}))
    change(h, {"count": 3})
    wait_for("its own state", lambda: state(h)["nodes"]["in_force"] == 1)
    assert not h.log_lines("PM0939")
