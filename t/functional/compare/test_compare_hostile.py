"""Responses that are made to harm: no crash, no wrong count, and the comparer is back in time. From the mirror, and once
from the primary."""
from __future__ import annotations

import gzip
import json
import os
import re
import time
import zlib

import pytest

from comparelab import (JSON, LOG, compare, compared, comparison, decided, documents, exchange, judged, log_lines, memory, rows,
                        skipped, start_anew, texts, verdicts)
from httpdlab import location, scaled, to, wait_for
from managerlab import MANAGER
from recorder import answer

MB = 1 << 20
OF_A_SANITIZER = 32 * MB if "san" in os.environ.get("HTTPD_PRELOAD", "") else 0     # keeps what was freed, and has data of its own
LARGE = "compare_max_body=2M"
GOOD = b'{"a": 1}'


@pytest.fixture(params=["mirror", "primary"])
def victim(request, pairs):
    """Makes a function that compares a good response with a hostile one, from either side: (hostile, good, *rules) ->
    what judged() returns. Afterwards the comparer still works."""
    def make(attributes: str = LARGE, **options):
        made = pairs(attributes, **options)

        def ask(hostile, good=answer("200 OK", GOOD, (JSON,)), *rules):
            start = time.monotonic()
            found = judged(made, (hostile, good) if request.param == "primary" else (good, hostile), *rules)
            assert time.monotonic() - start < scaled(8)     # without budget a pair before this one counts, too
            assert judged(made, documents({"a": 1}, {"a": 1})) == ("same", [])
            return found
        ask.made, ask.by_mirror = made, request.param == "mirror"
        return ask
    return make


def document(data: bytes, *headers: str):
    return answer("200 OK", data, (JSON, *headers))


# ---- without an end ----

def test_endless_body(pairs):
    """The copy ends by its time limit, and no more is kept than compare_max_body."""
    made = pairs("timeout=1s")
    piece = b"10000\r\n" + b"[" * 65536 + b"\r\n"

    def endless(sock, _):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            sock.sendall(piece)
    compare(made, texts(b"a", b"a"))
    before = memory(made[0])
    assert skipped(compare(made, (document(GOOD), endless))) == {"no_answer": 1}
    assert made[0].outcomes() == {"mirrored": 1, "timed_out": 1}
    assert memory(made[0]) - before < 8 * MB + OF_A_SANITIZER


def test_long_bodies(pairs):
    made = pairs()
    compare(made, texts(b"a", b"a"))
    before = memory(made[0])
    long = document(b"[" + b"1," * (16 * MB) + b"1]")
    assert judged(made, (document(GOOD), long)) == ("different", ["body length"])
    assert judged(made, (long, document(GOOD))) == ("different", ["body length"])
    assert judged(made, (long, long)) == ("too_large", [])
    assert memory(made[0]) - before < 24 * MB + OF_A_SANITIZER     # httpd's own buffers are among them


# ---- JSON ----

LENGTH = ["body length"]        # beside little
TOO_MUCH = [
    (b"[" * 100000, "different", LENGTH), (b'{"a":' * 200000, "different", LENGTH), (b'[{"a":' * 50000 + b"1", "different", LENGTH),
    (b"[" * 128 + b"]" * 128, "different", ["body type"]), (b"[" * 129 + b"]" * 129, "different", LENGTH),
    (b"[" + b'"",' * 199999 + b'""]', "different", LENGTH), (b"[" + b"{}," * 199999 + b"{}]", "different", LENGTH),
    (b"[" + b"1," * 32766 + b"1]", "different", ["body type"]), (b"[" + b"1," * 32767 + b"1]", "different", LENGTH),
    (b"{" + b",".join(b'"%d":1' % n for n in range(40000)) + b"}", "different", LENGTH),
    (b"[" + b"9" * MB + b"]", "different", ["body type"]), (b'"' + b"\\u0041" * 300000 + b'"', "different", ["body type"]),
    (b"1e" + b"9" * 100000, "different", ["body type"]), (b'{"' + b"k" * MB + b'": 1}', "different", None)]


@pytest.mark.parametrize("text, word, found", [pytest.param(*row, id=f"{n}") for n, row in enumerate(TOO_MUCH)])
def test_json_that_is_too_much(victim, text, word, found):
    got = victim()(document(text))
    assert got[0] == word and (found is None or got[1] == found)


def test_json_that_is_too_much_on_both_sides(pairs):
    made = pairs(LARGE)
    assert judged(made, documents(b"[" * 100000, b"[" * 100001)) == ("too_deep", [])
    assert judged(made, documents(b"[" * 100000, b"[" * 100000)) == ("same", [])       # by bytes
    assert judged(made, documents(b"[" + b"1," * 32767 + b"1]", b"[" + b"1," * 32767 + b"2]")) == ("too_many_nodes", [])


def colliding(bits: int) -> list[str]:
    """Names that have one hash of the kind h = 33 h + c."""
    return ["".join(("Ez", "FY")[n >> bit & 1] for bit in range(bits)) for n in range(1 << bits)]


def test_names_with_one_hash(victim):
    ask = victim()
    names = colliding(14)
    a = json.dumps(dict.fromkeys(names, 1)).encode()
    b = json.dumps({**dict.fromkeys(reversed(names), 1), names[7]: 2}).encode()
    assert ask(document(a), document(b)) == ("different", ["body/* value"])


def test_a_name_many_times(victim):
    ask = victim()
    a = b"{" + b",".join(b'"a":%d' % n for n in range(30000)) + b"}"
    word, found = ask(document(a), document(b'{"a": 29999}'))
    assert (word, found) == ("different", ["body/a duplicate"])


def test_arrays_of_equal_elements(victim):
    """Nothing is quadratic: elements without the key, and all alike."""
    ask = victim()
    many = b"[" + b'{"x":[1]},' * 9000 + b'{"x":[2]}]'
    few = b"[" + b'{"x":[2]},' * 9000 + b'{"x":[1]}]'
    for rules in ((), ("body key /id",), ("body unordered",)):
        assert ask(document(many), document(few), *rules)[0] == "different"


# ---- many fields, groups ----

def test_random_names_are_one_row(pairs):
    made = pairs()
    for n in range(20):
        names = {os.urandom(6).hex(): 1 for _ in range(1000)}
        exchange(made, documents({"users": {"a": 1}}, {"users": names}))
    assert {(field, kind) for field, kind, _ in rows(compared(made[0], 20))} == {("body/users/*", "extra"),
                                                                                 ("body/users/*", "missing")}


def test_fields_are_bounded(pairs):
    """512 rows and one for the rest; older ones still count."""
    made = pairs()
    compare(made, documents({"old": 1}, {"old": 2}))
    for n in range(20):
        exchange(made, documents({}, {f"f_{n}_{m}": 1 for m in range(60)}))
    compared(made[0], 21)
    data = compare(made, documents({"old": 1}, {"old": 2}))
    assert data["truncated"]["fields"] > 0 and data["truncated"]["groups"] == 0
    found = rows(data)
    assert ("body/old", "value", 2) in found and len(found) <= 513
    assert max(count for field, _, count in found if field == "(more)") == data["truncated"]["fields"]
    assert sum(group["compared"] for group in data["groups"]) == 22


def test_depths_are_bounded(pairs):
    made = pairs()
    for n in range(15):
        tree: dict = {}
        for m in range(50):
            tree[f"a{n}x{m}"] = {f"b{n}": {f"c{m}": {f"d{n}": 1}}}
        exchange(made, documents({}, {"t": tree}))
        exchange(made, documents({"t": {key: {} for key in tree}}, {"t": tree}))
    data = compared(made[0], 30)
    fields = [field for field, _, _ in rows(data)]
    assert len(fields) <= 513 and all(len(field.encode()) <= 120 for field in fields) and data["truncated"]["fields"] > 0


def test_groups_are_bounded(pairs):
    made = pairs()
    h = made[0]
    made[1].answer, made[2].answer = texts(b"a", b"b")
    assert h.get_many(f"/o/{chr(97 + n % 26)}{chr(97 + n // 26)}/x{chr(97 + n % 17)}" for n in range(200)) == [200] * 200
    data = compared(h, 200)
    groups = {group["group"]: group["compared"] for group in data["groups"]}
    assert len(groups) == 64 and groups["(more)"] == 137 == data["truncated"]["groups"]
    assert "(more)" in {found["group"] for found in data["findings"]}


# ---- odd characters ----

NO_JSON = [b"", b" ", b"{}x", b"{} {}", b'{"a":1}\0', b'"\xff"', b'"\xc0\x80"', b'"\xed\xa0\x80"', b"\xef\xbb\xbf{}",
           b'"a\nb"', b'"a\0b"', b'\v{"a": 1}', b'{"a":\f1}',
           b"{'a':1}", b"[1,]", b"{,}", b"01", b"+1", b".5", b"1.", b"NaN", b"tru", b'"\\x41"', b'"\\u12"', b'{"a"}',
           b"[", b'"', b"\x1f\x8b",
           b"<html>", b"// x\n{}", b"/**/{}"]


@pytest.mark.parametrize("part", range(4))
def test_texts_that_are_no_json(victim, part):
    ask = victim()
    for text in NO_JSON[part::4]:
        assert ask(document(text)) == ("different", ["body syntax"]), text


def test_odd_strings(victim):
    ask = victim()
    for text, field in ((b'{"a": "\\ud800"}', "body/a type"), (b'{"a": "\\u0000"}', "body/a type"),
                        (b'{"a": "\\ud800\\udc00"}', "body/a type")):
        assert ask(document(text)) == ("different", [field]), text
    assert judged(ask.made, documents(b'{"a": "\\ud800"}', b'{"a": "?"}')) == ("different", ["body/a value"])
    assert judged(ask.made, documents(b'{"a": "\\u0000"}', b'{"a": ""}')) == ("different", ["body/a value"])
    assert judged(ask.made, documents(b'{"a\\u0000b": 1}', b'{"a\\u0000c": 1}'))[0] == "different"


NAMES = ["<script>alert(1)</script>", '"; DROP TABLE x', "a/b", "a~b", "a*b", "a\nb", "\x1b[31mred", "\u202eabc",
         "x" * 10240, "\u00e9\u00df",
         "a\\b", "a'b&c", "**", "*", "~", "\u200b", "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
         "%00%0a", "a b", "\x7f", '"a"', "", "}"]


@pytest.mark.parametrize("part", range(4))
def test_odd_names(pairs, part):
    """What is printed is inert, and as a rule it matches."""
    made = pairs(conf=f"ProxyMirrorLog {LOG}\n")
    h = made[0]
    for name in NAMES[part::4]:
        pair = documents({name: {"v": 1}}, {name: {"v": 2}})
        word, found = judged(made, pair)
        assert word == "different" and len(found) == 1, name
        field = found[0].rpartition(" ")[0]
        assert field.startswith("body/") and len(field.encode()) <= 120 and "\n" not in field
        assert not re.search("[\x00-\x1f\x7f\u200b\u202a-\u202e]", field), name
        assert judged(made, pair, f"{field} ignore") == ("ignored", []), (name, field)
        got = h.get("/mirror-status/", ["Accept: text/html", "Host: localhost"])
        assert got.status == 200 and b"<script>alert" not in got.body
        lines = log_lines(h, h.mirror()["outcomes"]["mirrored"])
        assert f"{field} value" in [one for line in lines for one in line["compare"].get("fields", [])]
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f]", h.read(LOG))


def test_odd_header_names_and_values(victim):
    ask = victim(expect=["AH02429"])
    word, found = ask(answer("200 OK", b"ok\n", ("X-<b>: 1", "X-A: \xff\xfe\x01")), answer("200 OK", b"ok\n", ()))
    assert (word, found) == ("no_answer" if ask.by_mirror else "primary_replaced", [])


def test_odd_groups(pairs):
    """Paths and groups of clients."""
    made = pairs("'compare_group=%{req:X-Group}'")
    h = made[0]
    for group in ("\x01a", "\xff\xfe", "<script>", "\xe2\x80\xae", '"\\', "(more)", "x" * 8000):
        h.get("/o/%3cscript%3e", [f"X-Group: {group}"])
    h.wait_idle()
    got = h.get("/mirror-status/mirrors/m/comparison", ["Host: localhost"])
    data = json.loads(got.body.decode("utf-8"))
    for group in data["groups"]:
        assert len(group["group"].encode()) <= 120 and not re.search("[\x00-\x1f\x7f\u202e]", group["group"])


# ---- codings ----

def gz(data: bytes) -> bytes:
    return gzip.compress(data)


BOMB = gzip.compress(b"a" * (3 * MB))
BROKEN = [(gz(GOOD)[:-5], "gzip"), (gz(GOOD)[:-8] + b"\0" * 8, "gzip"), (b"garbage", "gzip"), (GOOD, "gzip"),
          (gz(GOOD), "deflate"),
          (zlib.compress(GOOD)[:-1], "deflate"), (gz(GOOD), "gzip, gzip, gzip"), (gz(GOOD), "nonsense"),
          (gz(GOOD) + b"x", "gzip"), (b"\x8b" * 99, "br"),
          (gz(GOOD), "gzip, gzip"), (b"\x1f\x8b\x08\x1c" + b"\xff" * 1000, "gzip")]


@pytest.mark.parametrize("part", range(3))
def test_broken_codings(victim, part):
    ask = victim()
    for data, coding in BROKEN[part::3]:
        hostile = document(data, f"Content-Encoding: {coding}")
        word, found = ask(hostile)
        assert word == "different" and "body encoding" in found, (data, coding)
        other = document(data + b"y", f"Content-Encoding: {coding}")
        assert ask(hostile, other) == ("undecodable", []), (data, coding)


def test_bombs(victim):
    ask = victim()
    compare(ask.made, texts(b"a", b"a"))
    before = memory(ask.made[0])
    for data, coding in ((BOMB, "gzip"), (gz(BOMB), "gzip, gzip"), (gzip.compress(bytes(64 * MB)), "gzip"),
                         (zlib.compress(bytes(20 * MB)), "deflate")):
        word, found = ask(document(data, f"Content-Encoding: {coding}"), document(b"a"))
        assert (word, [one.split()[0] for one in found]) == ("different", ["body", "header/content-encoding"]), coding
    assert memory(ask.made[0]) - before < 16 * MB + OF_A_SANITIZER     # one of the bombs is 64 MB


def test_bomb_alone_is_skipped(pairs):
    made = pairs()
    bomb, other = (document(gzip.compress(b"a" * n), "Content-Encoding: gzip") for n in (3 * MB, 3 * MB + 1))
    assert judged(made, (bomb, other)) == ("decoded_too_large", [])


def test_gzip_of_gzip(pairs):
    made = pairs()
    assert judged(made, (document(gz(gz(GOOD)), "Content-Encoding: gzip, gzip"), document(GOOD))) == ("same_decoded", [])
    assert judged(made, (document(gz(gz(GOOD)), "Content-Encoding: gzip"), document(GOOD))) == ("different", ["body syntax"])


# ---- regular expressions ----

@pytest.mark.parametrize("action", ["match (a+)+$", "mask (a+)+$", "match ^(a|aa)+$", "mask a", r"match ^(a*)*\1b(?<!c)"])
def test_slow_expressions(victim, action):
    ask = victim()
    long = json.dumps({"a": "a" * 200000 + "b"}).encode()
    other = json.dumps({"a": "a" * 200001 + "c"}).encode()
    assert ask(document(long), document(other), f"body/a {action}") == ("different", ["body/a value"])
    many = json.dumps({"a": ["a" * 3000 + "b"] * 200}).encode()
    other = json.dumps({"a": ["a" * 3001 + "c"] * 200}).encode()
    assert ask(document(many), document(other), f"body/a/* {action}") == ("different", ["body/a/* value"])


def test_many_values_for_a_slow_expression(pairs):
    """Each value stays below the limit of an expression; there is one for all of them, too."""
    made = pairs("compare_max_body=2M")
    start = time.monotonic()                    # without the limit, 13 s of a processor
    word, found = judged(made, documents(["x" * 700 + "A"] * 2000, ["x" * 700 + "B"] * 2000), "body/** mask [a-z]+[0-9]")
    assert (word, found) == ("different", ["body/* value"])
    assert time.monotonic() - start < scaled(5)


# ---- heads ----

def test_many_headers(victim):
    """Beyond what httpd or the sender read: as ever. Within: compared."""
    ask = victim("", expect=["AH10124", "AH01106", "AH00898", "AH01102"])
    many = answer("200 OK", b"ok\n", tuple(f"X-{n}: {n}" for n in range(90)))
    word, found = ask(many, answer("200 OK", b"ok\n"))
    assert word == "different" and len(found) >= 8
    for hostile, of_primary in (
            (answer("200 OK", b"ok\n", tuple(f"X-{n}: {n}" for n in range(1000))), "different"),
            (answer("200 OK", b"ok\n", tuple(f"X-{n}: {'x' * 1000}" for n in range(90))), "too_large"),
            (answer("200 OK", b"ok\n", ("X-Long: " + "x" * 70000,)), "primary_replaced")):
        word, _ = ask(hostile, answer("200 OK", b"ok\n"))
        assert word == ("no_answer" if ask.by_mirror else of_primary)
    if ask.by_mirror:
        assert ask.made[0].outcomes()["broken"] == 3


def test_set_cookie_many_times(victim):
    ask = victim("")
    cookies = [f"Set-Cookie: c{n}=v{n}; Path=/{n}" for n in range(80)]
    assert ask(answer("200 OK", b"ok\n", tuple(cookies)), answer("200 OK", b"ok\n", tuple(reversed(cookies)))) == ("same", [])


def test_odd_types(victim):
    ask = victim()
    for kind in (";", "application/jso", "x" * 7000, "/", "+json", "text"):
        assert ask(answer("200 OK", b"{}", (f"Content-Type: {kind}",))) == (
            "different", ["body content_type", "header/content-type value"]), kind
    kind = "application/json;" + ";" * 5000
    word, found = ask(answer("200 OK", b"{}", (f"Content-Type: {kind}",)))
    assert (word, len(found)) == ("different", 1) and found[0].startswith("body/a ")


def test_many_hostile_pairs_at_once(pairs):
    """Beyond the budget pairs are not examined, and none is lost."""
    made = pairs(LARGE)
    text = b"[" + b",".join(b'{"id":%d,"x":"%d"}' % (n, n) for n in range(8000)) + b"]"
    exchange(made, (document(text), document(text.replace(b"x", b"y"))), 100)
    data = compared(made[0], 100)
    assert set(verdicts(data)) <= {"different", "unexamined"} and set(skipped(data)) <= {"busy", "memory"}
    assert verdicts(data)["unexamined"] > 0


# ---- others ----

def test_expensive_responses_leave_time_to_other_mirrors(httpd, recorder):
    """Two mirrors of one child: what it costs to look into the responses of m is not taken from n."""
    def answered(body: object):
        server = recorder()
        server.answer = document(json.dumps(body).encode())
        return server
    large = [[{f"k{n}": [n + m, "a" * 20]} for n in range(2000)] for m in (1, 2)]
    h = httpd(MANAGER + location("/o/", answered(large[0]), to(answered(large[1]), "compare=all"))
              + location("/q/", answered({"a": 1}), to(answered({"a": 2}), "compare=all", "n")), children=1)

    def unexamined(name: str) -> int:
        return comparison(h, name)["verdicts"]["unexamined"]

    def leaves_time() -> bool:
        """m is out of its budget, and n is not."""
        start_anew(h, "m")
        start_anew(h, "n")
        while unexamined("m") < 40:
            for _ in range(20):
                assert h.get("/o/a").status == h.get("/q/a").status == 200
        h.wait_idle()
        return unexamined("n") <= 2
    wait_for("time that n has saved", leaves_time, 30)      # at first m has taken it alone
