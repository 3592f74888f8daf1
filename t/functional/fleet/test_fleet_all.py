"""All mirrors of a fleet at once: /fleet/mirrors, and "Stop all" on the page of a node."""
from __future__ import annotations

import json

import pytest

from fleetlab import DOWN, change, document, fleet_call, in_force, node, state     # noqa: F401, the fixture
from httpdlab import location, to, wait_for
from managerlab import JSON, delete, patch, refused
from redislab import needs_redis, redis        # noqa: F401, the fixture
from stoplab import call, enabled, form_of, page_of, post

pytestmark = needs_redis


@pytest.fixture
def three(node, origin, mirror):
    """Nodes with the mirrors m, a, and b, which the file of the first node disables."""
    def make(b: str = "enabled=false", **options):
        more = location("/a/", origin, to(mirror, "", "a")) + location("/b/", origin, to(mirror, b, "b"))
        return node(more=options.pop("more", "") + more, **options)
    make.server = node.server
    return make


def all_of(h, method: str, data=None, headers=(JSON,)):
    return fleet_call(h, method, "/mirrors", data, headers)


def results(answer, status: int = 200) -> dict[str, tuple[str, bool]]:
    assert answer.status == status, answer.raw
    data = json.loads(answer.body)
    assert data["scope"] == "fleet"
    return {one["name"]: (one["result"], one["enabled"]) for one in data["mirrors"]}


def everywhere(what: dict[str, bool], *nodes) -> None:
    for h in nodes:
        wait_for(f"{what}", lambda h=h: enabled(h) == what, 2)


STOPPED = {"m": False, "a": False, "b": False}


@pytest.mark.valgrind
@pytest.mark.smoke
def test_stop_start_and_back(three, mirror):
    one, two = three(), three("enabled=true")
    assert results(all_of(one, "PATCH", {"enabled": False})) == {
        "m": ("changed", False), "a": ("changed", False), "b": ("changed", False)}
    everywhere(STOPPED, one, two)
    two.get_many(["/o/1", "/a/1", "/b/1"])
    assert not mirror.requests
    assert results(all_of(two, "PATCH", {"enabled": False}))["m"] == ("unchanged", False)
    assert results(all_of(two, "PATCH", {"enabled": True}))["b"] == ("changed", True)
    everywhere({"m": True, "a": True, "b": True}, one, two)
    listed = json.loads(all_of(two, "GET", headers=()).body)["mirrors"]
    assert {each["name"]: each["attributes"] for each in listed} == {name: {"enabled": True} for name in "mab"}
    assert all(each["revision"] and each["node"] for each in listed)
    assert results(all_of(one, "DELETE", None, ())) == {"m": ("changed", True), "a": ("changed", True), "b": ("changed", False)}
    everywhere({"m": True, "a": True, "b": False}, one)
    everywhere({"m": True, "a": True, "b": True}, two)
    assert json.loads(all_of(two, "GET", headers=()).body) == {"mirrors": []}
    assert one.log_lines("PM0901: stop of all mirrors for the fleet web: 3 of 3 changed, 0 failed")
    assert len(one.log_lines("PM0903: ")) == 6


def test_what_a_node_has_of_its_own(three):
    """The node that is asked gives it up; another one is named."""
    one, two = three(), three()
    change(one, {"enabled": False})
    in_force(two, {"enabled": False})
    for h in (one, two):
        patch(h, {"enabled": True, "max_queue": 7})
    wait_for("both to report it", lambda: "each of 2 nodes has settings of its own" in str(state(one).get("warnings")), 3)
    got = all_of(one, "PATCH", {"enabled": False}, [JSON, "Prefer: wait=2"])
    assert results(got)["a"] == ("changed", False) and "settings of its own over those of the fleet" in json.loads(got.body)["warnings"][0]
    everywhere(STOPPED, one)
    assert one.mirror()["attributes"]["max_queue"] == 7 and one.mirror()["layer"] == "node"
    everywhere({**STOPPED, "m": True}, two)
    delete(two)
    everywhere(STOPPED, two)


def test_only_this_node_is_said(three):
    one, two = three(), three()
    got = json.loads(call(one, "PATCH", {"enabled": False}).body)
    assert got["scope"] == "node" and "fleet/mirrors" in got["warnings"][0]
    everywhere(STOPPED, one)
    assert enabled(two)["m"] is True and json.loads(all_of(one, "GET", headers=()).body) == {"mirrors": []}
    assert json.loads(call(one, "DELETE", None, ()).body)["scope"] == "node"
    assert enabled(one)["m"] is True


def test_waiting_for_all(three):
    one = three()
    two = three()
    wait_for("both nodes", lambda: sum(state(one)["nodes"].values()) == 2)
    got = json.loads(all_of(one, "PATCH", {"enabled": False}, [JSON, "Prefer: wait=5"]).body)
    assert got["nodes"] == {"in_force": 2, "behind": 0, "refused": 0, "silent": 0}
    assert enabled(two) == STOPPED


@pytest.mark.parametrize("data, headers, status, word", [
    ({}, (JSON,), 400, "attributes: must be "), ({"enabled": False, "count": 1}, (JSON,), 400, "attributes: must be "),
    (b"{", (JSON,), 400, "JSON"), (b"{}", (), 415, "Content-Type: "), ({"enabled": False}, (JSON, 'If-Match: "x"'), 412, "If-Match: "),
    ({"enabled": False}, (JSON, "Origin: http://elsewhere.example"), 403, "Origin: ")])
def test_refused(three, data, headers, status, word):
    h = three()
    refused(all_of(h, "PATCH", data, headers), status, word)
    assert document(h) is None
    got = all_of(h, "PUT", {"enabled": False})
    refused(got, 405, "method: ")
    assert got.header("Allow") == ["GET, HEAD, PATCH, DELETE"]


def test_the_store_is_down(three):
    """Nothing is changed, and one failure is waited for, not three."""
    h = three(fleet="redis_timeout=500", expect=[DOWN, "PM0901: "])
    node_server = three.server
    node_server.pause()
    got = all_of(h, "PATCH", {"enabled": False})
    assert results(got, 503) == {"m": ("failed", True), "a": ("failed", True), "b": ("failed", False)}
    assert got.header("Retry-After") == ["2"]
    errors = [one["error"] for one in json.loads(got.body)["mirrors"]]
    assert "its store must respond" in errors[0] and all("was not tried" in error for error in errors[1:])
    assert all_of(h, "GET", headers=()).status == 503
    page = page_of(h, post(h, form_of(page_of(h), "Stop all")))
    failed = post(h, form_of(page, "Stop all mirrors on all nodes"))
    assert failed.status == 503
    page = page_of(h, failed)           # and this node can be stopped from there
    assert "its store must respond" in page.one("p", class_="refusal").text
    assert post(h, form_of(page, "Stop all mirrors on this node only")).status == 303
    assert enabled(h) == STOPPED
    node_server.go_on()


def test_the_store_was_emptied(three):
    h = three(expect=["PM0936: ", "PM0901: "])
    change(h, {"count": 2})
    three.server("FLUSHALL")
    wait_for("the line", lambda: h.log_lines("PM0936"), 2)
    assert results(all_of(h, "PATCH", {"enabled": False}), 409)["a"] == ("failed", True)


def test_a_store_that_was_emptied_has_nothing_to_delete(three):
    """The node has the documents in force, so the response must not say that there are none."""
    h = three(expect=["PM0936: ", "PM0901: "])
    assert results(all_of(h, "PATCH", {"enabled": False}))["m"] == ("changed", False)
    three.server("FLUSHALL")
    wait_for("the line", lambda: h.log_lines("PM0936"), 2)
    refused(fleet_call(h, "GET", "/mirrors/m", None, ()), 404, "its store, which was emptied")
    refused(fleet_call(h, "DELETE", "/mirrors/m", None, ()), 409, "restore first")
    assert results(all_of(h, "DELETE", None, ()), 409)["m"] == ("failed", False)
    assert post(h, form_of(page_of(h), "Resume all"), layer="fleet").status == 409
    assert enabled(h) == STOPPED
    assert fleet_call(h, "POST", "/restore").status == 200
    assert results(all_of(h, "DELETE", None, ()))["m"] == ("changed", True)


def test_resume_keeps_the_rest_of_a_document(three):
    one, two = three(), three()
    change(one, {"max_queue": 9})
    page = page_of(one)
    question = page_of(one, post(one, form_of(page, "Stop all")))
    assert "node of a fleet" in question.one("section", class_="question").text
    assert post(one, form_of(question, "Stop all mirrors on all nodes")).status == 303
    everywhere(STOPPED, one, two)
    resume = form_of(page_of(two), "Resume all")
    assert [option.get("value") for option in resume.all("option")] == ["fleet", "node"]
    assert post(two, resume, layer="node").status == 303            # there is nothing of its own
    assert enabled(two) == STOPPED
    assert post(two, resume, layer="fleet").status == 303
    everywhere({"m": True, "a": True, "b": False}, one, two)
    assert document(one)["attributes"] == {"max_queue": 9} and document(one, "a") is None
    assert one.mirror("a")["layer"] == "file"


def test_stop_this_node_on_the_page(three):
    one, two = three(), three()
    question = page_of(one, post(one, form_of(page_of(one), "Stop all")))
    assert post(one, form_of(question, "Stop all mirrors on this node only")).status == 303
    assert enabled(one) == STOPPED and enabled(two)["m"] is True and document(one) is None
    assert post(one, form_of(page_of(one), "Resume all"), layer="node").status == 303
    assert enabled(one) == {"m": True, "a": True, "b": False}


@pytest.mark.parametrize("layer, words", [("all", 'layer: must be node or fleet, got "all"')])
def test_another_layer(three, layer, words):
    h = three()
    form = form_of(page_of(h), "Stop all")
    got = post(h, form, headers=("Content-Type: application/x-www-form-urlencoded",), confirm="yes", layer=layer)
    refused(got, 400, words)
    assert enabled(h)["m"] is True


def test_nodes_with_different_mirrors(three, node):
    """A node can stop those mirrors only that it has, and says so."""
    one, two = three(), node()
    for h in (one, two):
        wait_for("both nodes", lambda: sum(state(h)["nodes"].values()) == 2)
        (warning,) = state(h)["warnings"]
        assert "do not have the same mirrors" in warning
    assert set(results(all_of(two, "PATCH", {"enabled": False}))) == {"m"}
    (warning,) = json.loads(all_of(two, "PATCH", {"enabled": False}).body)["warnings"]
    assert "changes those of the node that is asked" in warning
    assert enabled(one)["a"] is True and b"do not have the same mirrors" in one.get("/manager", ["Host: localhost"]).body
    assert "warnings" not in change(one, {"count": 2})          # of one mirror
    two.stop()
    same = three()
    assert results(all_of(same, "PATCH", {"enabled": False})) == {"m": ("unchanged", False), "a": ("changed", False), "b": ("changed", False)}
    everywhere(STOPPED, one)


OWN = "with the settings of this node alone: status: must be used with when=response"


@pytest.mark.parametrize("own", [True, False])
def test_a_node_whose_own_settings_are_at_odds_with_a_document(node, own):
    """It refuses the document, also that which stops all: the response says so, and what stops the mirror here stays."""
    one, two = node(), node(expect=["PM0932: ", "PM0901: "])
    patch(two, {"when": "request", "enabled": own})
    change(one, {"status": ["404"]})
    got = all_of(two, "PATCH", {"enabled": False})
    assert results(got, 409) == {"m": ("failed", own)} and OWN in json.loads(got.body)["mirrors"][0]["error"]
    assert OWN in json.loads(got.body)["error"] and document(one)["attributes"] == {"enabled": False, "status": ["404"]}
    everywhere({"m": False}, one)
    wait_for("the line", lambda: two.log_lines("PM0932"), 3)
    assert enabled(two) == {"m": own}


def test_a_node_that_refuses_still_copies_and_is_named(three):
    """Its AllowHost is at odds with a host that was set before: it refuses the document with enabled=false, too."""
    one, two = three(more="ProxyMirrorAllowHost *\n"), three(more="ProxyMirrorAllowHost 127.0.0.1\n", expect=["PM0932: "])
    change(one, {"host": "http://other.example.com"})
    wait_for("the report", lambda: state(one)["nodes"]["refused"] == 1, 3)
    got = all_of(one, "PATCH", {"enabled": False})
    assert results(got)["m"] == ("changed", False)
    warnings = json.loads(got.body)["warnings"]
    assert len(warnings) == 1 and warnings[0].startswith("1 node refuses the last document") and f":{two.port}-" in warnings[0]
    wait_for("the others", lambda: enabled(two) == {**STOPPED, "m": True}, 3)
    assert "warnings" not in change(one, {"enabled": False, "count": 2}, name="a")
    assert call(two, "PATCH", {"enabled": False}).status == 200      # as the manual says
    assert enabled(two) == STOPPED
    host = two.mirror()["attributes"]["host"]
    assert not [text for text in change(one, {"host": host}, headers=[JSON, "Prefer: wait=5"])["warnings"] if "refuses" in text]


def test_stop_all_on_the_page_of_a_node_that_refuses(node):
    """It offers to stop this node."""
    one, two = node(), node(expect=["PM0932: ", "PM0901: "])
    patch(two, {"when": "request"})
    change(one, {"status": ["404"]})
    question = page_of(two, post(two, form_of(page_of(two), "Stop all")))
    failed = post(two, form_of(question, "Stop all mirrors on all nodes"))
    assert failed.status == 409
    page = page_of(two, failed)
    assert OWN in page.one("p", class_="refusal").text
    assert post(two, form_of(page, "Stop all mirrors on this node only")).status == 303
    assert enabled(two) == {"m": False}
