"""The fleet on the page: what it says, and forms that change all nodes, or one."""
from __future__ import annotations

from urllib.parse import urlencode

import pytest

import pagelab
from fleetlab import DOWN, HEAD, change, document, in_force, node     # noqa: F401, the fixture
from httpdlab import Httpd, to, wait_for
from managerlab import FORM, MANAGER, patch, refused
from redislab import needs_redis, redis        # noqa: F401, the fixture

pytestmark = needs_redis


def page_of(h: Httpd) -> pagelab.Element:
    got = h.get("/manager/", ["Host: localhost"])
    assert got.status == 200, got.raw
    return pagelab.parse(got.body)


def post(h: Httpd, accept: str = "text/html", **fields: str):
    nonce = page_of(h).all("input", name="nonce")[0].get("value")
    return h.request("POST", "/manager/mirrors/m", [FORM, "Host: localhost", f"Accept: {accept}"],
                     urlencode({"nonce": nonce, **fields}).encode())


def test_forms_change_all_nodes_or_one(node):
    one, two = node(), node()
    form = page_of(one).one("article").all("select", name="layer")
    assert len(form) >= 4 and [option.get("value") for option in form[0].all("option")] == ["fleet", "node"]
    assert post(one, layer="fleet", action="set", enabled="false").status == 303
    in_force(two, {"enabled": False})
    answer = post(one, "application/json", layer="fleet", action="set", sample_ratio="50%")
    assert answer.status == 200 and b'"sample_ratio": 0.5' in answer.body and b'"layer": "fleet"' in answer.body
    assert document(two)["attributes"] == {"enabled": False, "sample_ratio": 0.5}
    assert post(one, layer="node", action="set", enabled="true").status == 303
    assert one.mirror()["layer"] == "node" and two.mirror()["attributes"]["enabled"] is False
    assert post(one, layer="node", action="reset").status == 303
    assert one.mirror()["layer"] == "fleet"
    assert post(one, layer="fleet", action="reset").status == 303
    assert document(one) is None
    in_force(two, {"enabled": True, "sample_ratio": 1})


@pytest.mark.parametrize("fields, words", [
    ({"layer": "all"}, "layer: must be node"), ({"layer": "fleet", "action": "restart_comparison"}, "layer: must be node"),
    ({"layer": "fleet", "redis_host": "127.0.0.1"}, "redis_host: "), ({"layer": "fleet", "count": "0"}, "count: "),
    ({"layer": "fleet", "nonsense": "0"}, "nonsense")])
def test_forms_that_are_refused(node, fields, words):
    h = node()
    refused(post(h, "application/json", **fields), 400, words)
    assert document(h) is None


def test_rules_of_comparing_are_for_all_nodes_or_one(node):
    one, two = node("compare=status,body"), node("compare=status,body")
    assert post(one, layer="fleet", action="add_rule", rule="header/date ignore").status == 303
    in_force(two, {"compare_rules": ["header/date ignore"]})
    assert document(two)["attributes"] == {"compare_rules": ["header/date ignore"]}
    assert post(two, layer="node", action="add_rule", rule="body/id ignore").status == 303
    assert two.mirror()["attributes"]["compare_rules"] == ["header/date ignore", "body/id ignore"]
    assert one.mirror()["attributes"]["compare_rules"] == ["header/date ignore"]
    assert post(one, layer="fleet", action="remove_rule", rule="header/date ignore").status == 303
    wait_for("the removal", lambda: not one.mirror()["attributes"].get("compare_rules"))
    refused(post(one, "application/json", layer="fleet", action="add_rule", rule="nonsense"), 400, "rule: ")


def test_a_form_that_is_refused_is_a_page(node):
    """Without JavaScript the person sees why, and the forms."""
    h = node(expect=[DOWN])
    got = post(h, layer="fleet", action="set", count="0")
    assert got.status == 400 and got.header("Content-Type") == ["text/html; charset=utf-8"]
    page = pagelab.parse(got.body)
    assert "count: " in page.one("p", class_="refusal").text and page.all("select", name="layer")
    node.server.kill()
    got = post(h, layer="fleet", action="set", count="2")
    assert got.status == 503 and "its store must respond" in pagelab.parse(got.body).one("p", class_="refusal").text
    got = post(h, "application/json", layer="fleet", action="set", count="2")
    refused(got, 503, "its store must respond")
    assert got.header("Retry-After") == ["2"]


def test_a_form_does_not_put_what_the_file_has_into_the_store(node, tmp_path):
    """A Unix socket of the file may be kept by the manager, and is no destination for other nodes."""
    socket = f"unix:{tmp_path}/s|http://localhost"
    h = node(lines=f'ProxyMirror "{socket}" name=u\n')
    nonce = page_of(h).all("input", name="nonce")[0].get("value")

    def send(**fields: str):
        return h.request("POST", "/manager/mirrors/u", [FORM, "Host: localhost"],
                         urlencode({"nonce": nonce, "layer": "fleet", **fields}).encode())
    refused(send(redis_password="***"), 400, "redis_password: ")
    refused(send(host=socket.replace("/s|", "/t|")), 400, "host: ")
    assert document(h, "u") is None
    assert send(host=socket, count="2").status == 200
    assert document(h, "u")["attributes"] == {"count": 2}


def test_what_the_page_says(node):
    h = node(expect=[DOWN, "PM0936: "])
    change(h, {"count": 2})
    wait_for("the revision", lambda: "revision 1 is in force on this node" in page_of(h).one(class_="fleet").text, 2)
    node.server("FLUSHALL")
    wait_for("the store to be empty", lambda: "Its store was emptied" in page_of(h).one(class_="fleet").text, 2)
    node.server.kill()
    wait_for("the store to be down", lambda: "Its store does not respond" in page_of(h).one(class_="fleet").text, 2)


def restore(h: Httpd, accept: str = "text/html", **fields: str):
    return h.request("POST", "/manager/fleet/restore", [FORM, "Host: localhost", f"Accept: {accept}"], urlencode(fields).encode())


def test_the_store_is_restored_from_the_page(node):
    """Its button is there while the store is empty, and asks before."""
    h, other = (node(expect=["PM0936: "]) for _ in range(2))
    change(h, {"count": 2})
    in_force(other, {"count": 2})
    assert not page_of(h).one(class_="fleet").all("form")
    node.server("FLUSHALL")
    wait_for("the form", lambda: page_of(h).one(class_="fleet").all("form"), 3)
    form = page_of(h).one(class_="fleet").one("form")
    assert form.get("action") == "/manager/fleet/restore" and "Restore the store" in form.one("button").text
    assert not pagelab.parse(h.get("/mirror-status/", ["Host: localhost"]).body).one(class_="fleet").all("form")   # read only
    nonce = form.one("input", name="nonce").get("value")
    asked = restore(h, nonce=nonce)
    assert asked.status == 200 and not node.server("EXISTS", HEAD)
    question = pagelab.parse(asked.body).one("section", class_="question")
    assert "Restore the store of the fleet web?" in question.text and "This node has 1 document." in question.text
    assert {field.get("name"): field.get("value") for field in question.all("input")} == {"nonce": nonce, "confirm": "yes"}
    answer = restore(h, nonce="wrong", confirm="yes")
    assert answer.status == 403 and "nonce: " in pagelab.parse(answer.body).one("p", class_="refusal").text
    assert not node.server("EXISTS", HEAD) and len(h.log_lines("PM0920")) == 1
    answer = restore(h, nonce=nonce, confirm="yes")
    assert answer.status == 303 and answer.header("Location")[0].endswith("/manager/")
    assert document(other)["attributes"] == {"count": 2} and h.log_lines("PM0904")
    assert not page_of(h).one(class_="fleet").all("form")
    answer = restore(h, nonce=nonce, confirm="yes")
    assert answer.status == 409 and "must be empty" in pagelab.parse(answer.body).one("p", class_="refusal").text
    for h in (h, other):
        in_force(h, {"count": 2})


def test_a_page_elsewhere_restores_nothing(node):
    h = node(expect=["PM0936: "])
    change(h, {"count": 2})
    node.server("FLUSHALL")
    wait_for("the form", lambda: page_of(h).one(class_="fleet").all("form"), 3)
    for body, status in ((b"confirm=yes", 403), (b"nonce=x&nonce=y&confirm=yes", 400), (b"", 403), (b"confirm=yes&nonce=" + b"x" * 70000, 413)):
        assert h.request("POST", "/manager/fleet/restore", [FORM, "Host: localhost", "Accept: text/html"], body).status == status
    for headers in (["Origin: http://elsewhere.example"], ["Sec-Fetch-Site: cross-site"]):
        assert h.request("POST", "/manager/fleet/restore", ["Host: localhost", "Accept: text/html", *headers], b"").status == 403
    assert h.request("POST", "/manager/fleet/restore", ["Content-Type: text/plain", "Host: localhost", "Accept: text/html"], b"x").status == 400
    assert not node.server("EXISTS", HEAD)


def test_without_a_fleet_there_is_none(httpd, mirror):
    h = httpd(MANAGER + to(mirror))
    page = page_of(h)
    assert not page.all(class_="fleet") and not page.all("select", name="layer")
    refused(post(h, "application/json", layer="fleet", count="2"), 400, "ProxyMirrorFleet")
    assert patch(h, {})["layer"] == "file"


def test_what_else_a_manager_has(node):
    """The line to keep, the losses and messages are those of the settings in force, with the fleet's in them."""
    h = node("count=7", lines="ProxyMirrorDefaults timeout=7s\n")
    change(h, {"max_queue": 9, "timeout": None})
    got = h.get("/manager/mirrors/m?as=directive")
    assert got.status == 200 and got.body.decode() == h.mirror()["directive"] + "\n"
    assert " name=m count=7 max_queue=9\n" in got.body.decode() or " name=m max_queue=9 count=7\n" in got.body.decode()
    assert page_of(h).one("article").one("code", data_field="directive").text == h.mirror()["directive"]
    assert h.get("/manager/mirrors/m/losses").status == 200
    words = page_of(h).one("article").text
    assert "of all nodes it stays, of this node it ends when httpd stops" in words and "on this node alone ends when httpd stops" in words
    refused(post(h, "application/json", layer="fleet", sampel_ratio="1"), 400, 'did you mean "sample_ratio"')
