"""The resource: /mirrors/NAME/comparison and /verdict, of manager and status."""
from __future__ import annotations

import json
import re
import time

import pytest

from comparelab import compare, compared, comparison, documents, exchange, noise, rows, start_anew, texts, verdicts
from httpdlab import location, to, wait_for
from managerlab import ANN, JSON, MANAGER, USER_MODULES, patch, refused, user
from recorder import answer
from wire import Message

PRELOADS = ("comparer",)
HOST = "Host: localhost"
MEMBERS = ["mirror", "reference", "reference_unlike", "since", "verdict", "compared", "verdicts", "skipped", "pending", "status",
           "latency_ms", "groups",
           "findings", "noise", "rules", "truncated"]
VERDICTS = ["same", "same_decoded", "ignored", "noise", "different", "unexamined"]
SKIPS = ["no_answer", "primary_incomplete", "primary_broken", "primary_replaced", "cached", "range", "conditional",
         "streamed",
         "too_large", "memory", "busy", "timeout", "undecodable", "decoded_too_large", "too_deep", "too_many_nodes",
         "no_reference", "shut_down"]


def resource(h, method: str = "GET", path: str = "", headers: tuple[str, ...] = (HOST,), start: str = "/manager") -> Message:
    return h.request(method, f"{start}/mirrors/m/comparison{path}", list(headers))


def verdict(h, query: str = "") -> dict:
    got = resource(h, path="/verdict" + query)
    assert got.status == 200, got.raw
    assert got.header("Content-Type") == ["application/json"]
    return json.loads(got.body)


def test_nothing_yet(pairs):
    h, _, _ = pairs()
    data = comparison(h)
    assert list(data) == MEMBERS and list(data["verdicts"]) == VERDICTS and list(data["skipped"]) == SKIPS
    assert (data["mirror"], data["reference"], data["verdict"], data["compared"]) == ("m", None, "nothing", 0)
    assert not any(data["verdicts"].values()) and not any(data["skipped"].values())
    assert data["groups"] == data["findings"] == data["noise"] == data["status"] == []
    assert data["truncated"] == {"fields": 0, "groups": 0}
    assert verdict(h) == {"verdict": "collecting", "compared": 0, "different": 0, "no_answer": 0}


def test_off(httpd, origin, mirror):
    h = httpd(MANAGER + location("/o/", origin, to(mirror)))
    assert h.get("/o/a").status == 200
    h.ended(1)
    data = comparison(h)
    assert list(data) == MEMBERS and (data["verdict"], data["compared"], data["reference"]) == ("nothing", 0, None)
    assert resource(h, "DELETE").status == 204


def test_members(pairs):
    made = pairs()
    before = time.time()
    data = compare(made, documents({"a": 1}, {"a": 2}), 5)
    assert list(data) == MEMBERS and data["verdict"] == "collecting"
    (found,) = data["findings"]
    assert list(found) == ["group", "count", "first", "last", "rows", "examples"]
    assert found["rows"] == [{"field": "body/a", "kind": "value", "count": 5, "mirror_alone": 0, "reference_alone": 0}] or (
        found["rows"][0]["mirror_alone"] == 5)
    assert list(found["examples"][0]) == ["time", "request_id", "method", "path", "status"]
    for text in (data["since"], found["first"], found["last"], found["examples"][0]["time"]):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", text)
        assert abs(before - time.mktime(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) + time.timezone) < 60
    assert found["first"] <= found["last"]
    latency = data["latency_ms"]
    assert list(latency) == ["primary", "mirror", "difference"]
    for part in latency.values():
        assert list(part) == ["p50", "p90", "p99"] and part["p50"] <= part["p90"] <= part["p99"]
    assert latency["primary"]["p50"] > 0


def test_verdicts_of_the_mirror(pairs):
    made = pairs()
    same, other = texts(b"a", b"a"), texts(b"a", b"b")
    assert compare(made, same, 29)["verdict"] == "collecting"
    assert compare(made, same, 1)["verdict"] == "alike"
    assert compare(made, other, 1)["verdict"] == "differs"
    start_anew(made[0])
    assert compare(made, same, 30)["verdict"] == "alike"


def test_what_was_not_looked_into_is_not_alike(pairs, preload):
    """A pair that takes all of the budget, and then differences that nobody looks into."""
    made = pairs("compare_max_body=1M", env={"HTTPD_PRELOAD": preload, "TEST_COMPARER_COST": "1000"})
    compare(made, documents(["A"] * 3000, ["B"] * 3000))
    start_anew(made[0])
    data = compare(made, documents({"price": 1}, {"price": 2}), 40)
    assert data["verdicts"]["unexamined"] > 10 and data["verdict"] != "alike", data
    assert verdict(made[0])["verdict"] != "alike"
    assert verdict(made[0])["compared"] == 40 - data["verdicts"]["unexamined"]
    same = compare(made, texts(b"a", b"a"), 40)
    assert same["verdict"] == data["verdict"] and verdict(made[0])["verdict"] != "alike"


def test_min_and_max_different(pairs):
    made = pairs()
    compare(made, texts(b"a", b"b"), 2)
    compare(made, texts(b"a", b"a"), 38)
    h = made[0]
    for query, word in (("", "differs"), ("?", "differs"), ("?min=40", "differs"), ("?min=41", "collecting"),
                        ("?max_different=0.05", "alike"),
                        ("?max_different=5%25", "alike"), ("?max_different=5%", "alike"),
                        ("?max_different=4.9%25&min=1", "differs"),
                        ("?max_different=1", "alike"), ("?max_different=0.05&min=40", "alike"),
                        ("?min=41&max_different=1", "collecting"),
                        ("?max_different=0.0499", "differs")):
        assert verdict(h, query) == {"verdict": word, "compared": 40, "different": 2, "no_answer": 0}, query


@pytest.mark.parametrize("query, words", [
    ("min=0", ["min", "1 to 2147483647", "0"]), ("min=-1", ["min", "-1"]), ("min=x", ["min", "x"]), ("min=", ["min"]),
    ("min", ["min"]),
    ("min=1.5", ["min", "1.5"]), ("min=99999999999999999999", ["min", "2147483647"]),
    ("max_different=101%25", ["max_different", "101%"]),
    ("max_different=-1", ["max_different", "0 to 1", "-1"]), ("max_different=", ["max_different"]),
    ("max_different=x", ["max_different", "x"]),
    ("min=1&nonsense=2", ["min", "max_different", "nonsense"]), ("min=%zz", ["min"]), ("a%00=1", ["a"]),
    ("min=1%00", ["min"]),
    ("min=1&min=x", ["min"]), ("%22%3Cb%3E=1", ["max_different"]), ("min=%0a", ["min"])])
def test_bad_query(pairs, query, words):
    h, _, _ = pairs()
    got = resource(h, path=f"/verdict?{query}")
    refused(got, 400, *words)
    assert not re.search(rb"[\x00-\x09\x0b-\x1f]", got.body)


def test_methods(pairs):
    h, _, _ = pairs()
    for path, start, allowed in (("", "/manager", "GET, HEAD, DELETE"), ("/verdict", "/manager", "GET, HEAD"),
                                 ("", "/mirror-status", "GET, HEAD"), ("/verdict", "/mirror-status", "GET, HEAD")):
        for method in ("POST", "PUT", "PATCH", "DELETE", "MKCOL", "X"):
            if method in allowed:
                continue
            got = h.request(method, f"{start}/mirrors/m/comparison{path}", [HOST, JSON], b"{}")
            assert got.header("Allow") == [allowed], (method, path, start)
            refused(got, 405, "method", "GET", method)
        got = resource(h, "OPTIONS", path, start=start)
        assert got.status == 200 and got.header("Allow") == [allowed]
        got = resource(h, "HEAD", path, start=start)
        assert got.status == 200 and got.body == b"" and got.header("Content-Type") == ["application/json"]


@pytest.mark.parametrize("path", ["/x", "/verdict/", "/verdict/x", "x", "/"])
def test_no_such_resource(pairs, path):
    h, _, _ = pairs()
    for start in ("/manager", "/mirror-status"):
        assert h.get(f"{start}/mirrors/m/comparison{path}", [HOST]).status == 404, path
        assert h.get(f"{start}/mirrors/none/comparison", [HOST]).status == 404


def test_not_cached(pairs):
    h, _, _ = pairs()
    for path in ("", "/verdict"):
        got = resource(h, path=path)
        assert got.header("Cache-Control") == ["no-store"] and got.header("X-Content-Type-Options") == ["nosniff"]


def test_conditional_get(pairs):
    """A client that polls gets the results only if they have changed."""
    made = pairs(children=2)
    h = made[0]
    first = resource(h)
    (tag,) = first.header("ETag")
    assert re.fullmatch('"[0-9a-f]{16}"', tag)
    for start in ("/manager", "/mirror-status"):
        for method in ("GET", "HEAD"):
            got = h.request(method, f"{start}/mirrors/m/comparison", [HOST, f"If-None-Match: {tag}"])
            assert (got.status, got.body, got.header("ETag")) == (304, b"", [tag])
    assert h.get("/manager/mirrors/m/comparison", [HOST, 'If-None-Match: "x"']).body == first.body
    compare(made, texts(b"a", b"b"))
    got = h.get("/manager/mirrors/m/comparison", [HOST, f"If-None-Match: {tag}"])
    assert got.status == 200 and got.header("ETag") != [tag] and json.loads(got.body)["compared"] == 1
    refused(h.get("/manager/mirrors/m/comparison", [HOST, f"If-Match: {tag}"]), 412, "If-Match")


# ---- the error log ----

def told(h, *words: str) -> None:
    """The error log has these changes of the verdict (expressions), and no others."""
    wait_for("the verdict in the log", lambda: len(h.log_lines("PM095[12]: mirror m responds")) >= len(words), 10)
    lines = h.log_lines("PM095[12]")
    assert len(lines) == len(words) and all(map(re.search, words, lines)), lines


def test_verdict_in_the_error_log(pairs):
    made = pairs(children=2)
    h = made[0]
    compare(made, texts(b"a", b"a"), 29)
    compare(made, texts(b"a", b"a"), 1)
    told(h, "like the primary; responses compared: 30")
    compare(made, texts(b"a", b"b"), 5)
    told(h, "like", r"differently from the primary; responses compared: 3([1-5]), different: \1$")  # of which it is told first
    compare(made, texts(b"a", b"b"), 5)
    assert resource(h, "DELETE").status == 204
    compare(made, texts(b"a", b"b"), 40)
    told(h, "like", "differently", r"differently from the primary; responses compared: ([34]\d), different: \1$")
    h.graceful()
    compare(made, texts(b"a", b"b"), 1)
    h.stop()
    told(h, "like", "differently", "differently")


# ---- DELETE ----

def test_start_anew(pairs):
    made = pairs()
    h = made[0]
    data = compare(made, documents({"a": 1}, {"a": 2}), 40)
    assert data["verdict"] == "differs" and len(data["findings"]) == 1
    got = resource(h, "DELETE")
    assert got.status == 204 and got.body == b""
    (line,) = h.log_lines("PM0902")
    assert "mirror m: the comparison is started anew" in line and "127.0.0.1" in line
    data = comparison(h)
    assert (data["verdict"], data["compared"], data["findings"], data["groups"]) == ("nothing", 0, [], [])
    data = compare(made, texts(b"a", b"a"), 3)
    assert verdicts(data) == {"same": 3} and rows(data) == [] and noise(data) == []


@pytest.mark.parametrize("header", ["Origin: http://evil.example.com", "Origin: null", "Sec-Fetch-Site: cross-site",
                                    "X-Forwarded-For: 192.0.2.1", "Via: 1.1 proxy", "Forwarded: for=192.0.2.1"])
def test_delete_from_elsewhere(pairs, header):
    made = pairs()
    h = made[0]
    compare(made, texts(b"a", b"b"), 3)
    got = resource(h, "DELETE", headers=(HOST, header))
    refused(got, 403)
    assert comparison(h)["compared"] == 3 and not h.log_lines("PM0902")
    (line,) = h.log_lines("PM0920")
    assert "DELETE" in line


def test_delete_by_a_user(pairs):
    made = pairs(conf="", modules=USER_MODULES)
    h = made[0]
    h.stop()
    h.conf = user(h) + h.conf
    h.configure()
    h.start()
    assert resource(h, "DELETE").status == 401
    assert resource(h, "DELETE", headers=(HOST, ANN, "X-Forwarded-For: 192.0.2.1")).status == 204
    (line,) = h.log_lines("PM0902")
    assert '"ann"' in line


def test_status_is_read_only(pairs):
    made = pairs()
    h = made[0]
    compare(made, texts(b"a", b"b"), 2)
    refused(resource(h, "DELETE", start="/mirror-status"), 405, "method")
    assert comparison(h)["compared"] == 2 and not h.log_lines("PM0902")


# ---- places ----

@pytest.mark.parametrize("section, start", [
    ('LocationMatch "^/deep/[a-z]+"', "/deep/down"), ('LocationMatch "^/comparison"', "/comparison"),
    ('Location "/comparison"', "/comparison"),
    ('LocationMatch "^/x/comparison/verdict"', "/x/comparison/verdict")])
@pytest.mark.parametrize("name", ["m", "comparison", "verdict"])
def test_sections(httpd, recorder, section, start, name):
    primary, mirror = recorder(), recorder()
    kind = section.split()[0]
    h = httpd(f'<{section}>\nSetHandler proxy-mirror-manager\n</{kind}>\n' +
              location("/o/", primary, to(mirror, "compare=all", name)))
    assert h.get("/o/a").status == 200
    h.ended(1, name)
    for path, member in (("comparison", "verdicts"), ("comparison/verdict", "verdict")):
        got = h.get(f"{start}/mirrors/{name}/{path}", [HOST])
        assert got.status == 200 and member in json.loads(got.body), (path, got.raw)
    assert json.loads(h.get(f"{start}/mirrors/{name}", [HOST]).body)["name"] == name
    assert h.request("DELETE", f"{start}/mirrors/{name}/comparison", [HOST]).status == 204


def test_each_mirror_has_its_own(httpd, recorder):
    primary, one, two = recorder(), recorder(), recorder()
    h = httpd(MANAGER + location("/o/", primary, to(one, "compare=all", "one"), to(two, "compare=body", "two")))
    primary.answer, one.answer, two.answer = answer("200 OK", b"a"), answer("200 OK", b"a"), answer("200 OK", b"b")
    for _ in range(30):
        assert h.get("/o/a").status == 200
    assert compared(h, 30, "one")["verdict"] == "alike" and compared(h, 30, "two")["verdict"] == "differs"
    start_anew(h, "two")
    assert comparison(h, "one")["compared"] == 30 and comparison(h, "two")["compared"] == 0


def test_counts_survive_a_reload(pairs):
    made = pairs()
    h = made[0]
    compare(made, documents({"a": 1}, {"a": 2}), 40)
    h.graceful()
    data = compared(h, 40)
    assert data["verdict"] == "differs" and rows(data) == [("body/a", "value", 40)] and data["findings"][0]["count"] == 40
    assert rows(compare(made, documents({"a": 1}, {"a": 2}), 2)) == [("body/a", "value", 42)]


def test_off_and_on_again(pairs):
    made = pairs()
    compare(made, texts(b"a", b"b"), 3)
    patch(made[0], {"compare": []})
    exchange(made, texts(b"a", b"b"), 3)
    made[0].ended(6)
    data = comparison(made[0])
    assert (data["verdict"], data["compared"], data["findings"]) == ("nothing", 0, [])
    patch(made[0], {"compare": ["body"]})
    assert comparison(made[0])["compared"] == 3
    assert compare(made, texts(b"a", b"b"), 1)["compared"] == 4
