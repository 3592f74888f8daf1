"""compare_values: what examples have of values, who sees them, who may set it, and how long they stay."""
from __future__ import annotations

import json

import pytest

import pagelab
from comparelab import LOG, compare, comparison, documents, heads, start_anew, texts
from managerlab import FORM, attributes, call, patch, put, refused

HOST = "Host: localhost"
A = {"name": "hunter2 Alice", "n": 17, "password": "hunter2-x", "note": "hunter2-y", "pin": "hunter2-1", "tokens": {"one": "hunter2-z"}}
B = {"name": "hunter2 Bob", "n": 18, "password": "hunter2-u", "note": "hunter2-v", "pin": "hunter2-2", "tokens": {"one": "hunter2-w"}}


def results(h, start: str = "/manager") -> dict:
    got = h.get(f"{start}/mirrors/m/comparison", [HOST])
    assert got.status == 200, got.raw
    return json.loads(got.body)


def values(data: dict) -> dict[str, tuple]:
    """Primary's and mirror's by field, of all examples."""
    return {one["field"]: (one["primary"], one["mirror"]) for found in data["findings"]
            for example in found["examples"] for one in example.get("values", [])}


@pytest.mark.parametrize("mode, name, number", [
    ("full", ('"hunter2 Alice"', '"hunter2 Bob"'), ("17", "18")),
    ("masked", ('"aaaaaa9 aaaaa"', '"aaaaaa9 aaa"'), ("99", "99")),
    ("off", None, None)])
def test_values_of_examples(pairs, mode, name, number):
    """Those whose name or rule says that they are secret are hidden, whatever is asked for."""
    made = pairs(f"compare_values={mode}", conf=f"ProxyMirrorLog {LOG}\n", extra="ProxyMirrorCompare body/note secret")
    h = made[0]
    compare(made, documents(A, B))
    hidden = ("***", "***")
    assert values(results(h)) == ({} if mode == "off" else {
        "body/name": name, "body/n": number, "body/password": hidden, "body/note": hidden, "body/pin": hidden, "body/tokens/one": hidden})
    assert b"hunter2-" not in h.get("/manager/mirrors/m/comparison", [HOST]).body
    assert "hunter2" not in h.read(LOG) + h.log()
    rule = {one["rule"]: one["hits"] for one in results(h)["rules"]}
    assert rule == {"body/note secret": int(mode != "off")}


def test_values_of_headers(pairs):
    made = pairs("compare_values=full")
    compare(made, heads(("X-A: one", "X-B: 1", "Set-Cookie: a=hunter2"), ("X-A: two", "X-Auth-Token: hunter2")))
    assert values(results(made[0])) == {
        "header/x-a": ("one", "two"), "header/x-b": ("1", None), "header/set-cookie": ("***", None),
        "header/x-auth-token": (None, "***")}


def test_bytes_are_not_kept(pairs):
    made = pairs("compare_values=full")
    compare(made, texts(b"hunter2-a", b"hunter2-b", "Content-Type: application/octet-stream"))
    data = results(made[0])
    assert data["verdicts"]["different"] == 1 and values(data) == {} and "hunter2" not in json.dumps(data)


@pytest.mark.parametrize("mode, kept", [("full", ("line 2: <b>1</b>", "line 2: <b>2</b>")),
                                        ("masked", ("line 2: <a>9</a>", "line 2: <a>9</a>")), ("off", None)])
def test_first_difference_of_texts(pairs, mode, kept):
    made = pairs(f"compare_values={mode}")
    compare(made, texts(b"same\n<b>1</b>\nhunter2", b"same\n<b>2</b>\nhunter2", "Content-Type: text/html"))
    data = results(made[0])
    assert values(data) == ({} if mode == "off" else {"body": kept}) and "hunter2" not in json.dumps(data)


@pytest.mark.parametrize("first, rule", [(b'<input name="csrf_token" value="hunter2-%d">', ""),
                                         (b"hunter2-%d", "ProxyMirrorCompare body secret")])
def test_secret_texts(pairs, first, rule):
    made = pairs("compare_values=full", extra=rule)
    compare(made, texts(first % 1, first % 2, "Content-Type: text/html"))
    data = results(made[0])
    assert values(data)["body"][0].endswith("***") and "hunter2" not in json.dumps(data)


def test_long_and_odd_values(pairs):
    made = pairs("compare_values=full")
    compare(made, documents({"a": "x" * 300, "b": "<script>\n\x1b", "c": None}, {"a": "y" * 300, "b": "\u202e", "c": []}))
    found = values(results(made[0]))
    assert found["body/a"] == tuple(f'"{letter * 251}..."' for letter in "xy")
    assert found["body/b"][0] == '"<script>??"' and found["body/c"] == ("null", None)
    page = made[0].get("/manager", [HOST, "Accept: text/html"]).body
    assert b"<script>?" not in page and b"&lt;script&gt;??" in page


def test_only_the_manager_shows_them(pairs):
    made = pairs("compare_values=full")
    h = made[0]
    compare(made, documents(A, B))
    assert values(results(h)) and not values(results(h, "/mirror-status"))
    for path in ("/mirror-status", "/mirror-status/?comparison", "/mirror-status/metrics"):
        assert b"hunter2" not in h.get(path, [HOST, "Accept: text/html"]).body, path
    section = pagelab.parse(h.get("/manager", [HOST, "Accept: text/html"]).body).one("section", class_="comparison")
    lines = [[cell.text for cell in line.all("td")] for line in section.all("tr", class_="values")]
    assert ["", "body/name", '"hunter2 Alice" → "hunter2 Bob"'] in lines and ["", "body/password", "*** → ***"] in lines


def test_only_the_file_sets_them(pairs):
    """The manager may switch it off, and back to what the file says."""
    made = pairs("compare_values=masked")
    h = made[0]
    refused(call(h, "PATCH", "m", {"compare_values": "full"}), 400, "compare_values", "off, masked or full",
            "only in the configuration file", '"full"')
    for value in ("x", 1, True, ["off"], {}):
        refused(call(h, "PATCH", "m", {"compare_values": value}), 400, "compare_values", "off, masked or full")
    before = attributes(h)
    assert before["compare_values"] == "masked" and put(h, before)["attributes"] == before
    assert not h.mirror()["overridden"]
    assert patch(h, {"compare_values": "off"})["attributes"]["compare_values"] == "off"
    assert patch(h, {"compare_values": "masked"})["attributes"]["compare_values"] == "masked"
    assert patch(h, {"compare_values": None})["attributes"]["compare_values"] == "off"


def test_a_form_does_not_set_them_either(pairs):
    h, _, _ = pairs()
    page = pagelab.parse(h.get("/manager", [HOST, "Accept: text/html"]).body)
    (nonce,) = {one.get("value") for one in page.all("input") if one.get("name") == "nonce"}
    got = h.request("POST", "/manager/mirrors/m", [FORM, HOST, "Accept: application/json"],
                    f"nonce={nonce}&compare_values=full".encode())
    refused(got, 400, "compare_values", "only in the configuration file")
    assert attributes(h)["compare_values"] == "off"


@pytest.mark.parametrize("end", ["restart", "off", "values off", "a reload without it"])
def test_values_are_forgotten(pairs, end):
    made = pairs("compare_values=full")
    h = made[0]
    compare(made, documents(A, B))
    assert values(results(h))
    if end == "restart":
        start_anew(h)
    elif end == "a reload without it":
        h.conf = h.conf.replace("compare_values=full", "compare_values=off")
        h.configure()
        h.graceful()
    else:
        patch(h, {"compare": []} if end == "off" else {"compare_values": "off"})
        results(h)
        patch(h, {"compare": ["body"]} if end == "off" else {"compare_values": "full"})
    data = results(h)
    assert not values(data)
    if end == "values off":
        assert data["findings"][0]["examples"] and comparison(h)["compared"] == 1
