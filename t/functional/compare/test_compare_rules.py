"""ProxyMirrorCompare and compare_rules, the other attributes, and what is refused of them."""
from __future__ import annotations

import json
import re
import uuid

import pytest

from comparelab import (JSON, LOG, compare, compared, comparison, decided, documents, exchange, fresh, heads, judged,
                        log_lines, noise,
                        rows, skipped, start_anew, texts, verdicts)
from httpdlab import location, to, wait_for
from managerlab import MANAGER, attributes, call, patch, refused
from recorder import answer

URL = "http://127.0.0.1:9"


# ---- rules ----

RULES = [
    # the rule; the two bodies; what is left of the differences
    ("body/a ignore", {"a": 1}, {"a": 2}, []),
    ("body/a ignore", {"a": 1}, {}, []),
    ("body/a ignore", {}, {"a": {"b": 1}}, []),
    ("body/a ignore", {"a": {"b": 1}}, {"a": {"b": 2}}, []),
    ("body/b ignore", {"a": 1}, {"a": 2}, ["body/a value"]),
    ("body/*/p ignore", {"a": {"p": 1}, "b": {"p": 2}}, {"a": {"p": 3}, "b": {"p": 4}}, []),
    ("body/*/p ignore", {"a": {"x": {"p": 1}}}, {"a": {"x": {"p": 2}}}, ["body/a/x/p value"]),
    ("body/**/p ignore", {"p": 1, "a": {"x": {"p": 1}}}, {"p": 2, "a": {"x": {"p": 2}}}, []),
    ("body/items/*/p ignore", {"items": [{"p": 1}]}, {"items": [{"p": 2}]}, []),
    ("body/items/0/p ignore", {"items": [{"p": 1}]}, {"items": [{"p": 2}]}, []),
    ("body/a presence", {"a": 1}, {"a": "x"}, []),
    ("body/a presence", {"a": 1}, {}, ["body/a missing"]),
    ("body/a match ^[0-9]+$", {"a": "12"}, {"a": "7"}, []),
    ("body/a match ^[0-9]+$", {"a": "12"}, {"a": "x"}, ["body/a value"]),
    ("body/a match ^[0-9]+$", {"a": "12"}, {"a": 12}, ["body/a type"]),
    ("body/a mask [0-9]+", {"a": "v12-x"}, {"a": "v7-x"}, []),
    ("body/a mask [0-9]+", {"a": "v12-x"}, {"a": "v7-y"}, ["body/a value"]),
    ("body/a mask [0-9]+\nbody/a mask x", {"a": "v12-x"}, {"a": "v7-"}, []),
    ("body/a within 0.5", {"a": 1}, {"a": 1.5}, []),
    ("body/a within 0.5", {"a": 1}, {"a": 1.51}, ["body/a value"]),
    ("body/a within 2s", {"a": "2026-11-27T12:00:00Z"}, {"a": "2026-11-27T13:00:02+01:00"}, []),
    ("body/a within 2s", {"a": "2026-11-27T12:00:00Z"}, {"a": "2026-11-27T12:00:03Z"}, ["body/a value"]),
    ("body/a within 500ms", {"a": 1795824000000}, {"a": 1795824000500}, []),
    ("body/a unordered", {"a": [1, 2]}, {"a": [2, 1]}, []),
    ("body/a unordered", {"a": [1, 2]}, {"a": [2, 3]}, ["body/a/* value"]),
    ("body/a key /id", {"a": [{"id": 1, "v": 1}, {"id": 2, "v": 2}]}, {"a": [{"id": 2, "v": 2}, {"id": 1, "v": 0}]},
     ["body/a/*/v value"]),
    ("body/a key /id", {"a": [{"id": 1}]}, {"a": [{"id": 1}, {"id": 2}]}, ["body/a/* extra"]),
    ("body ignore", {"a": 1}, [], []),
    ("body/a~1b ignore", {"a/b": 1}, {"a/b": 2}, []),
    ("body/~0 ignore", {"~": 1}, {"~": 2}, []),
    ("body/~2 ignore", {"*": 1, "a": 1}, {"*": 2, "a": 2}, ["body/a value"]),
    ('"body/a b" ignore', {"a b": 1}, {"a b": 2}, []),
    ("body/ ignore", {"": 1}, {"": 2}, []),
]


@pytest.mark.parametrize("part", range(4))
def test_rules_of_bodies(pairs, part):
    made = pairs()
    for rule, a, b, left in RULES[part::4]:
        assert judged(made, documents(a, b), *rule.split("\n")) == ("different" if left else "ignored", left), rule


def test_rules_of_other_bodies(pairs):
    made = pairs()
    plain = "Content-Type: text/plain"
    assert judged(made, texts(b"at 12:00\n", b"at 12:01\n", plain), "body mask [0-9:]+") == ("ignored", [])
    assert judged(made, texts(b"a", b"b", plain), "body match ^[ab]$") == ("ignored", [])
    assert judged(made, texts(b"a", b"c", plain), "body match ^[ab]$") == ("different", ["body text"])
    assert judged(made, texts(b"a\0", b"b\0"), "body ignore") == ("ignored", [])
    assert judged(made, texts(b"{1", b"{2", JSON), "body/a ignore") == ("different", ["body text"])


def test_rules_of_headers_and_status(pairs):
    made = pairs()
    pair = heads(("X-A: a1",), ("X-A: a2",))
    assert judged(made, pair, "header/x-a ignore") == judged(made, pair, "header/X-A presence") == ("ignored", [])
    assert judged(made, pair, "header/x-a mask [0-9]") == judged(made, pair, "header/x-a match ^a") == ("ignored", [])
    assert judged(made, heads(("X-A: 1",), ()), "header/x-a presence") == ("different", ["header/x-a missing"])
    assert judged(made, heads(("X-A: 1",), ()), "header/x-a ignore") == ("ignored", [])
    assert judged(made, heads(("X-A: 10",), ("X-A: 11",)), "header/x-a within 1") == ("ignored", [])
    ids = heads(("X-Request-Id: 1",), ("X-Request-Id: 2",))
    assert judged(made, ids) == ("same", [])
    assert judged(made, ids, "header/x-request-id compare") == ("different", ["header/x-request-id value"])
    created = (answer("200 OK", b"a", ("X-A: 1",)), answer("201 Made", b"a", ("X-A: 1",)))
    assert judged(made, created, "status ignore") == ("ignored", [])
    assert judged(made, (created[0], answer("201 Made", b"b", ("X-A: 2",))), "status ignore") == (
        "different", ["body bytes", "header/x-a value"])


def rule_states(data) -> dict[str, tuple]:
    return {one["rule"]: (one["source"], one["state"], one["hits"], one["failed"]) for one in data["rules"]}


def test_rule_with_a_wrong_path(pairs):
    """It is told once it has been tried long enough; a rule that hits makes its responses `ignored`, and its field noise."""
    made = pairs(extra="ProxyMirrorCompare body/a/c ignore")
    h = made[0]
    pair = documents({"a": {"b": 1}}, {"a": {"b": 2}})
    assert judged(made, pair) == ("different", ["body/a/b value"])
    assert judged(made, pair, "body/a/b ignore") == ("ignored", [])
    data = comparison(h)
    assert noise(data) == [("body/a/b", "value", "rule")]
    assert rule_states(data) == {"body/a/c ignore": ("file", "collecting", 0, 0),
                                 "body/a/b ignore": ("manager", "used", 1, 0)}
    patch(h, {"compare_rules": ["header/x-typo ignore", "body/a/b ignore"]})
    data = compare(made, pair, 999)
    looked = data["verdicts"]["ignored"]
    while looked < 1000:                        # those without budget do not count
        data = compare(made, pair, 50)
        looked = data["verdicts"]["ignored"]
    assert rule_states(data) == {"body/a/c ignore": ("file", "matches_nothing", 0, 0),
                                 "header/x-typo ignore": ("manager", "collecting" if looked < 1001 else "matches_nothing",
                                                          0, 0),
                                 "body/a/b ignore": ("manager", "used", looked, 0)}
    assert {one["rule"]: one["compared"] for one in data["rules"]} == {
        "body/a/c ignore": looked, "header/x-typo ignore": looked - 1, "body/a/b ignore": looked}


def test_rule_that_fails(pairs):
    made = pairs()
    assert judged(made, texts(b"a" * 200000 + b"b", b"a" * 200000 + b"c"), "body match ^(a+)+$") == (
        "different", ["body bytes"])
    assert rule_states(comparison(made[0])) == {"body match ^(a+)+$": ("manager", "collecting", 0, 1)}


def test_sections(pairs):
    """Lines of all scopes apply, and only those of the request's; compare_rules come on top."""
    made = pairs(conf="ProxyMirrorCompare body/server ignore\n",
                 extra="ProxyMirrorCompare body/outer ignore\nProxyMirrorCompare header/x-a ignore")
    h = made[0]
    h.stop()
    h.conf += '<Location "/o/in/">\nProxyMirrorCompare body/inner ignore\n</Location>\n'
    h.configure()
    h.start()
    a, b = ({key: n for key in ("server", "outer", "inner", "json")} for n in (1, 2))
    pair = documents(a, b)
    found = compare(made, pair, path="/o/x")["findings"][0]["rows"]
    assert sorted(row["field"] for row in found) == ["body/inner", "body/json"]
    found = compare(made, pair, path="/o/in/x")["findings"]
    assert sorted(sorted(row["field"] for row in one["rows"]) for one in found) == [["body/inner", "body/json"],
                                                                                    ["body/json"]]
    patch(h, {"compare_rules": ["body/json ignore"]})
    assert verdicts(compare(made, pair, path="/o/in/x")) == {"different": 2, "ignored": 1}


def test_rule_of_an_outer_section_is_first(httpd, recorder):
    """The first rule that pairs elements by a member is taken: an outer one, and a file's before one of compare_rules."""
    primary, mirror = recorder(), recorder()
    h = httpd(MANAGER + "ProxyMirrorCompare body/l key /a\n" + location(
        "/o/", primary, to(mirror, "compare=all"), "ProxyMirrorCompare body/l key /b"))
    made = h, primary, mirror
    pair = documents({"l": [{"a": 1, "b": 1}, {"a": 2, "b": 2}]}, {"l": [{"a": 2, "b": 1}, {"a": 1, "b": 2}]})
    assert judged(made, pair, "body/l key /b") == ("different", ["body/l/*/b value"])


def test_more_rules_than_are_applied(pairs):
    """Sections are merged for each request. What is left out of them is told once."""
    made = pairs(conf="ProxyMirrorCompare body/server ignore\n" * 256,
                 extra="\n".join(["ProxyMirrorCompare body/outer ignore"] * 256), expect=["PM0953"])
    h = made[0]
    h.stop()
    h.conf += '<Location "/o/in/">\nProxyMirrorCompare body/inner ignore\nProxyMirrorCompare body/last ignore\n</Location>\n'
    h.configure()
    h.start()
    pair = documents(*({key: n for key in ("server", "outer", "inner")} for n in (1, 2)))
    assert verdicts(compare(made, pair, path="/o/x")) == {"different": 1} and not h.log_lines("PM0953")
    compare(made, pair, 3, path="/o/in/x")
    (line,) = h.log_lines("PM0953")
    assert "mirror m: more than 512 rules" in line and "the last 2 are ignored" in line
    assert rows(comparison(h)) == [("body/inner", "value", 1), ("body/inner", "value", 3)]     # of each group


def test_run_time_rules_are_printed_as_they_were_given(pairs):
    h, _, _ = pairs()
    given = ["body/a  ignore", 'header/X-A match "a, b"', "status presence"]
    assert patch(h, {"compare_rules": given})["attributes"]["compare_rules"] == attributes(h)["compare_rules"]
    assert len(attributes(h)["compare_rules"]) == 3
    patch(h, {"compare_rules": []})
    assert not attributes(h).get("compare_rules")
    patch(h, {"compare_rules": ["body ignore"] * 256})
    refused(call(h, "PATCH", "m", {"compare_rules": ["body ignore"] * 257}), 400, "compare_rules", "256")


@pytest.mark.parametrize("rule", ['"body/{}" compare', "body/** compare"])
@pytest.mark.parametrize("name", ["id", 'my"id', "a~0b"])
def test_it_matters(pairs, rule, name):
    """A rule with the printed field, or with a wider one, takes it off the guessed noise at once."""
    made = pairs()
    key = name.replace("~0", "~")
    rule = rule.format(name.replace('"', '\\"'))
    data = compare(made, (fresh(key), fresh(key)), 220)
    assert noise(data) == [(f"body/{name}", "value", "guessed")]
    patch(made[0], {"compare_rules": [rule]})
    data = compare(made, (fresh(key), fresh(key)))
    assert noise(data) == [] and rows(data) == [(f"body/{name}", "value", 221)]


# ---- attributes ----

def test_compare_ratio(pairs):
    made = pairs("compare_ratio=25%")
    h = made[0]
    exchange(made, texts(b"a", b"a"), 400)
    assert h.ended(400) == {"mirrored": 400}
    wait_for("some comparisons", lambda: 50 <= decided(comparison(h)) <= 150)
    patch(h, {"compare_ratio": 1})
    exchange(made, texts(b"a", b"b"))
    wait_for("the last one", lambda: verdicts(comparison(h)).get("different"))
    assert 50 <= decided(comparison(h)) <= 150
    patch(h, {"compare_ratio": 0})
    start_anew(h)
    exchange(made, texts(b"a", b"a"), 20)
    patch(h, {"compare_ratio": 1})
    assert compare(made, texts(b"a", b"a"))["compared"] == 1


def compared_of(h) -> int:
    """How many were compared or skipped, once none is on its way."""
    wait_for("the comparisons", lambda: comparison(h)["pending"] == 0)
    return decided(comparison(h))


def test_compare_ratio_by_key(pairs):
    """One key is compared always or never, and the share is one of the mirror's copies."""
    made = pairs("""sample_ratio=0.5 "sample_key=%{req:X-Key}" compare_ratio=0.5 "compare_group=%{req:X-Key}" """)
    h, primary, mirror = made
    primary.answer = mirror.answer = answer()
    with h.client() as client:
        for _ in range(2):
            for n in range(48):
                assert client.get("/o/a", [f"X-Key: {n}"]).status == 200
    outcomes = h.ended(96)
    wait_for("both of each key", lambda: {group["compared"] for group in comparison(h)["groups"]} == {2})
    groups = comparison(h)["groups"]
    copied = {copy.header("X-Key")[0] for copy in mirror.requests}
    assert {group["group"] for group in groups} < copied and len(copied) * 2 == outcomes["mirrored"]
    assert 4 <= len(groups) <= 20


def test_compare_group(pairs):
    made = pairs("""'compare_group=%{req:X-Group}/%{REQUEST_METHOD}'""")
    h = made[0]
    for value in ("a", "b", "a", "x" * 300, "\u00e9".encode().decode("latin-1"), "<b>"):
        assert h.get("/o/a", [f"X-Group: {value}"]).status == 200
    data = compared(h, 6)
    groups = {group["group"]: group["compared"] for group in data["groups"]}
    assert groups["a/GET"] == 2 and groups["b/GET"] == groups["\u00e9/GET"] == groups["<b>/GET"] == 1
    (long,) = (group for group in groups if group.startswith("xx"))
    assert len(long.encode()) <= 120 and long.endswith("/GET")
    patch(h, {"compare_group": None})
    for path in ("/o/items/17/x?a=b", "/o/items/9/x", f"/o/items/{uuid.uuid4()}/x", "/o/items/2026-11-27/x",
                 "/o/1/2/3/4/5/6/7/8/9"):
        assert h.get(path).status == 200
    groups = {group["group"]: group["compared"] for group in compared(h, 11)["groups"]}
    assert groups["GET /o/items/*/x"] == 4 and groups["GET /o/*/*/*/*/*/*/*/**"] == 1


@pytest.mark.parametrize("count", [0, 1, 3, 10])
def test_compare_examples(pairs, count):
    made = pairs(f"compare_examples={count}")
    data = compare(made, texts(b"a", b"b"), 15, "/o/a?secret=1")
    (found,) = data["findings"]
    assert found["count"] == 15 and len(found["examples"]) == count
    for example in found["examples"]:
        assert (example["method"], example["path"], example["status"]) == ("GET", "/o/a", [200, 200])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", example["time"])
    assert "secret" not in json.dumps(data)


def test_examples_have_the_request_id(pairs):
    h, primary, mirror = pairs()
    primary.answer, mirror.answer = texts(b"a", b"b")
    assert h.request("POST", "/o/a", ["X-Request-Id: id-7"], b"x").status == 200
    (example,) = compared(h, 1)["findings"][0]["examples"]
    assert example["method"] == "POST" and example["request_id"] == "id-7"


# ---- the log ----

def test_log_line(pairs):
    made = pairs(conf=f"ProxyMirrorLog {LOG}\n")
    exchange(made, documents({"a": 1, "b": "value-1"}, {"a": 2, "b": "value-2"}))
    exchange(made, heads(("X-A: 1", "X-Request-Id: 1"), ("X-A: 2", "X-Request-Id: 2")))
    exchange(made, documents({"a": 1}, {"a": 1}))
    exchange(made, documents(b'{"a": 1}', b'{"a":1.0}'))
    exchange(made, (answer(), answer("304 Not Modified", b"")))
    exchange(made, documents({'"<\n\\': 1}, {}))
    lines = sorted(json.dumps(line["compare"]) for line in log_lines(made[0], 6))
    assert lines == sorted(json.dumps(line) for line in (
        {"verdict": "different", "fields": ["body/a value", "body/b value"]},
        {"verdict": "different", "fields": ["header/x-a value"]},
        {"verdict": "same"}, {"verdict": "same_decoded"}, {"skipped": "conditional"},
        {"verdict": "different", "fields": ["body/* missing"]}))
    assert "value-" not in made[0].read(LOG)


def test_log_line_of_many_fields(pairs):
    made = pairs(conf=f"ProxyMirrorLog {LOG}\n")
    exchange(made, documents({f'"\\member-{n}{"x" * 30}': 1 for n in range(60)}, {}))
    (line,) = log_lines(made[0], 1)
    fields = line["compare"]["fields"]
    assert 5 < len(fields) < 60 and all(field.endswith(" missing") for field in fields)
    assert len(made[0].read(LOG)) < 4096


def test_log_line_without_comparison(pairs):
    made = pairs("enabled=true", conf=f"ProxyMirrorLog {LOG}\n")
    patch(made[0], {"compare": []})
    exchange(made, texts(b"a", b"b"))
    assert "compare" not in log_lines(made[0], 1)[0]


def test_values_are_nowhere(pairs):
    made = pairs(conf=f"ProxyMirrorLog {LOG}\n")
    h = made[0]
    exchange(made, documents({"secret": "hunter2-a", "list": ["hunter2-b"]}, {"secret": "hunter2-c", "list": []}))
    exchange(made, heads(("X-A: hunter2-d", "Set-Cookie: a=hunter2-e"), ("X-A: hunter2-f", "Set-Cookie: b=hunter2-g"),
                         b"hunter2-h"))
    exchange(made, texts(b"hunter2-i", b"hunter2-j", "Content-Type: text/plain"))
    compared(h, 3)
    for path in ("/mirror-status/mirrors/m/comparison", "/mirror-status/mirrors/m", "/mirror-status/",
                 "/mirror-status/metrics",
                 "/manager/mirrors/m/comparison/verdict"):
        got = h.get(path, ["Accept: text/html", "Host: localhost"])
        assert got.status == 200 and b"hunter2" not in got.raw, path
    assert "hunter2" not in h.read(LOG) + h.log()


# ---- what is refused ----

def mirror(words: str) -> str:
    return f'ProxyMirror "{URL}" {words}'


PARTS = "status, headers and body"
BAD = [
    *((mirror(f'"compare={value}"'), ["compare", PARTS, f'"{value}"']) for value in (
        "", "on", "true", "Status,", ",", "status;body", "off,body", "values", "status, body", "x" * 40)),
    *((mirror(f'"compare=all" "compare_ratio={value}"'), ["compare_ratio", "0 to 1", value]) for value in ("", "-1",
                                                                                                           "1.1", "101%",
                                                                                                           "x")),
    *((mirror(f"compare=all compare_max_body={value}"), ["compare_max_body", "16M", value])
      for value in ("-1", "17M", "16777217", "x", "1G", "1.5M")),
    *((mirror(f"compare=all compare_timeout={value}"), ["compare_timeout", "1s to 10min", value])
      for value in ("0", "999ms", "601s", "11min", "x", "-1s", "1h")),
    *((mirror(f"compare=all compare_arrays={value}"),
       ["compare_arrays", "ordered or unordered", value]) for value in ("on", "sorted")),
    *((mirror(f"compare=all compare_examples={value}"), ["compare_examples", "0 to 10", value])
      for value in ("-1", "11", "x", "1.5", "99999999999999999999")),
    *((mirror(f"compare=all compare_values={value}"), ["compare_values", "off, masked or full", value])
      for value in ("on", "Full", "shape", "masked,full")),
    (mirror("compare=all 'compare_group=%{nothing:'"), ["compare_group", "string expression"]),
    *((mirror(f"compare=all 'compare_rules={value}'"), ["compare_rules", *words]) for value, words in (
        ("", ["JSON array"]), ("body/a ignore", ["JSON array"]), ("[1]", ["rules"]), ("{}", ["rules"]),
        ('["x"]', ["status", '"x"']),
        ('[""]', ["empty"]), ("[[]]", ["JSON array"]),
        ('["body/a explode"]', ["ignore", "explode"]), ('["body/a match ("]', ["VALUE", "regular expression", "("]))),
    # the directive
    *((f"ProxyMirrorCompare {rule}", ["ProxyMirrorCompare", *words]) for rule, words in (
        ("", ["status", "header/NAME", "body"]), ("body", ["ignore", "presence"]),
        ("bodies ignore", ["header/NAME", "bodies"]),
        ("header/ ignore", ["header"]), ('"header/a b" ignore', ["header"]), ("header/a: ignore", ["header"]),
        ("body/a~ ignore", ["~"]), ("body/a~3 ignore", ["~"]), ("body/a*b ignore", ["*"]),
        ("body/" + "a/" * 126 + "a" * 10 + " ignore", ["256"]),
        ("body/a ignores", ["ignore", "ignores"]), ("body/a ignore x", ["ignore", "x"]), ("body/a match", ["match"]),
        ("body/a match (", ["VALUE", "regular expression", "("]), ("body/a mask", ["mask"]),
        ("body/a within", ["within"]), ("body/a within x", ["VALUE", '"x"']),
        ("body/a within -1", ["VALUE", "-1"]), ("body/a within 2d", ["VALUE", "2d"]), ("body/a key", ["key"]),
        ("body/a key id", ["VALUE", "slash", '"id"']),
        ("header/a key /id", ["key"]), ("header/a unordered", ["unordered"]), ("status unordered", ["unordered"]),
        ("status compare", ["compare"]), ("body/a match " + "x" * 1025, ["1024"]), ('"body/a ignore', ['"']))),
    ("ProxyMirrorCompare body/a ignore\n" * 257, ["ProxyMirrorCompare", "at most 256 times in a section"]),
    # its context
    ('<Location "/a">\n<Limit GET>\nProxyMirrorCompare body ignore\n</Limit>\n</Location>', ["ProxyMirrorCompare", "Limit"]),
    # memory
    *((f"ProxyMirrorCompareMemory {value}", ["ProxyMirrorCompareMemory", "1M to 1024G", value])
      for value in ("0", "1K", "1023K", "-1M", "x", "1025G", "99999999999999999999", "32MB")),
    ("ProxyMirrorCompareMemory", ["ProxyMirrorCompareMemory"]),
    ('<Location "/a">\nProxyMirrorCompareMemory 2M\n</Location>', ["ProxyMirrorCompareMemory"]),
]


@pytest.mark.unstarted
@pytest.mark.parametrize("line, words", [pytest.param(*row, id=f"{n}") for n, row in enumerate(BAD)])
def test_bad_configuration(lab, line, words):
    said = lab(line).test_configuration()
    assert said.returncode != 0, line
    for word in words:
        assert word in said.stderr, (line, word, said.stderr)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", said.stderr)


GOOD = [
    *(mirror(f"compare={value}") for value in ("off", "all", "ALL", "status", "body,status", "headers,body,status",
                                               "all,body")),
    mirror("compare=all compare_ratio=0.5 compare_max_body=16M compare_timeout=10min"),
    mirror("compare=all compare_arrays=unordered compare_examples=10 compare_values=masked"),
    "ProxyMirrorDefaults compare_values=full",
    mirror("compare=all compare_ratio=0% compare_max_body=0 compare_timeout=1s compare_examples=0"),
    mirror("""compare=all 'compare_group=%{REQUEST_METHOD} x' 'compare_rules=["body/a ignore", "status ignore"]' """),
    "ProxyMirrorCompare body/a/*/b/** ignore", "ProxyMirrorCompare header/X-A compare",
    'ProxyMirrorCompare "body/a b" match "a b"',
    "ProxyMirrorCompare body key /id", "ProxyMirrorCompare body/a secret", "ProxyMirrorCompareMemory 1M",
    "ProxyMirrorCompareMemory 1024G", "ProxyMirrorDefaults compare=all compare_examples=1",
    "ProxyMirrorCompare body/a within 1.5",
]


@pytest.mark.unstarted
@pytest.mark.parametrize("line", GOOD)
def test_good_configuration(lab, line):
    said = lab(line).test_configuration()
    assert said.returncode == 0, said.stderr


def test_bad_json(pairs):
    h, _, _ = pairs()
    before = attributes(h)
    for name, value, *words in (
            ("compare", "off", PARTS), ("compare", "all", PARTS), ("compare", ["status", "bodies"], PARTS, "bodies"),
            ("compare", [1], PARTS),
            ("compare", {}, PARTS), ("compare", [["status"]], PARTS), ("compare", True, PARTS),
            ("compare", ["off"], PARTS, '"off"'),
            ("compare_ratio", 1.1, "0 to 1", "1.1"), ("compare_ratio", -1, "0 to 1"), ("compare_ratio", "x", "0 to 1"),
            ("compare_ratio", [], "0 to 1"), ("compare_max_body", "17M", "16M", "17M"), ("compare_max_body", -1, "16M"),
            ("compare_max_body", "", "16M"), ("compare_timeout", "500ms", "1s to 10min", "500ms"),
            ("compare_timeout", "1h", "1s to 10min"),
            ("compare_timeout", 5.5, "1s to 10min"), ("compare_arrays", "x", "ordered or unordered", '"x"'),
            ("compare_arrays", 1, "ordered"),
            ("compare_examples", 11, "0 to 10", "11"), ("compare_examples", -1, "0 to 10", "-1"),
            ("compare_examples", 1.5, "0 to 10"),
            ("compare_examples", "3", "0 to 10"), ("compare_group", "%{x:", "string expression"),
            ("compare_group", 1, "string expression"),
            ("compare_rules", "body ignore", "JSON array"), ("compare_rules", [1], "JSON array"),
            ("compare_rules", [""], "empty"),
            ("compare_rules", ["a\nb ignore"], "control character"),
            ("compare_rules", ["body ignore", "bod ignore"], "header/NAME", "bod"),
            ("compare_rules", ["body/a match ("], "regular expression", '"("'),
            ("compare_rules", [["body ignore"]], "JSON array"),
            ("compare_rules", [None], "JSON array"), ("compare_rules", ["body/" + "x" * 1400 + " ignore"], "long"),
            ("compare_values", "full", "compare_values")):
        refused(call(h, "PATCH", "m", {name: value}), 400, name, *words)
    assert attributes(h) == before


def test_off_in_json_and_by_default(pairs):
    h, _, _ = pairs()
    assert attributes(h)["compare"] == ["status", "headers", "body"]
    assert patch(h, {"compare": ["body", "status", "body"]})["attributes"]["compare"] == ["status", "body"]
    assert patch(h, {"compare": []})["attributes"]["compare"] == []
    got = patch(h, {"compare": None})["attributes"]
    assert got["compare"] == [] and not skipped(comparison(h))
