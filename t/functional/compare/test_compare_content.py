"""What counts as equal: statuses, header fields, JSON by value, texts, bytes, content codings."""
from __future__ import annotations

import json
import subprocess
import uuid
import zlib

import pytest

from comparelab import (JSON, compare, compared, comparison, decided, documents, exchange, fresh, heads, judged, noise,
                        rows, skipped,
                        texts, verdicts)
from httpdlab import MODULE, wait_for
from managerlab import patch
from recorder import answer, bytes_answer


def packed(data: bytes, bits: int = 31, level: int = 6) -> bytes:
    """gzip; bits 15 are deflate, -15 raw deflate."""
    z = zlib.compressobj(level, zlib.DEFLATED, bits)
    return z.compress(data) + z.flush()


def brotli(data: bytes) -> bytes:
    """As br (RFC 7932): one block of at most 64 KiB that is not compressed, and an empty last one."""
    head = (len(data) - 1) << 4 | 1 << 20       # a window of 16 bits, four nibbles of length, and a bit that says so
    return head.to_bytes(3, "little") + data + b"\x03"


def coded(data: bytes, coding: str = "", *headers: str):
    return answer("200 OK", data, (*headers, JSON, *([f"Content-Encoding: {coding}"] if coding else [])))


# ---- headers and status ----

def test_headers_that_differ_by_nature(pairs):
    made = pairs()
    for n in range(100):
        exchange(made, heads((f"X-Request-Id: {n}", f'ETag: "a{n}"', "Date: Fri, 27 Nov 2026 00:00:00 GMT", "Age: 1"),
                             (f"x-request-id: m{n}", f'ETag: "b{n}"', "Date: Fri, 27 Nov 2026 00:00:01 GMT",
                              f"Age: {n + 2}")))
    data = compared(made[0], 100)
    assert verdicts(data) == {"same": 100} and data["findings"] == [] and data["verdict"] == "alike"
    assert noise(data) == [(f"header/{name}", "value", "built_in") for name in ("age", "date", "etag", "x-request-id")]
    assert {row["count"] for row in data["noise"]} == {100}


def test_header_that_one_side_lacks(pairs):
    made = pairs()
    data = compare(made, heads(("X-Request-Id: 1",), ()), 100)
    assert rows(data) == [("header/x-request-id", "missing", 100)] and verdicts(data) == {"different": 100}
    assert judged(made, heads((), ("X-More: 1",))) == ("different", ["header/x-more extra"])
    assert judged(made, heads(("X-A: 1",), ("X-A: 2",))) == ("different", ["header/x-a value"])


def test_every_tenth_response_is_an_error(pairs):
    made = pairs()
    for n in range(100):
        good = answer("200 OK", b'{"a": 1}', (JSON,))
        exchange(made, (good, answer("500 No", b'{"error": 1}', (JSON, "X-Error: 1")) if n % 10 == 9 else good))
    data = compared(made[0], 100)
    assert data["status"] == [{"primary": 200, "mirror": 500, "count": 10}] and data["verdict"] == "differs"
    assert rows(data) == [("status", "status", 10)]         # one cause, one row: nothing of headers and body
    assert verdicts(data) == {"same": 90, "different": 10}
    assert data["findings"][0]["examples"][0]["status"] == [200, 500]


def test_both_directions_of_a_status(pairs):
    made = pairs()
    found, lost = answer("200 OK", b"x"), answer("404 Not Found", b"y")
    exchange(made, (lost, found), 2)
    exchange(made, (found, lost), 3)
    data = compared(made[0], 5)
    assert data["status"] == [{"primary": 200, "mirror": 404, "count": 3}, {"primary": 404, "mirror": 200, "count": 2}]
    assert rows(data) == [("status", "status", 5)]


# ---- JSON ----

def test_notation_of_json_does_not_count(pairs):
    made = pairs()
    data = compare(made, documents(b'{"a": 1, "b": ["A", 100, -0]}', b' {"b":["\\u0041",1e2,0.0],\n"a":1.0}'), 20)
    assert verdicts(data) == {"same_decoded": 20} and data["findings"] == [] and noise(data) == []


def test_one_element_of_fifty(pairs):
    made = pairs()
    items = [{"id": n, "price": n} for n in range(50)]
    other = [{**item, "price": item["price"] + (item["id"] == 3)} for item in items]
    data = compare(made, documents({"items": items}, {"items": other}), 30)
    assert rows(data) == [("body/items/*/price", "value", 30)]
    every = [{**item, "price": -1} for item in items]
    data = compare(made, documents({"items": items}, {"items": every}), 30)
    assert rows(data) == [("body/items/*/price", "value", 60)]     # requests, not elements


def test_element_at_the_front(pairs):
    made = pairs()
    items = [{"id": n} for n in range(50)]
    assert rows(compare(made, documents({"items": items}, {"items": [{"id": 99}, *items]}), 5)) == [("body/items",
                                                                                                     "length", 5)]


def test_order_of_an_array(pairs):
    made = pairs()
    items = [{"id": n, "price": n} for n in range(20)]
    pair = documents({"items": items}, {"items": items[7:] + items[:7]})
    assert rows(compare(made, pair, 100)) == [("body/items", "order", 100)]
    assert judged(made, pair, "body/items unordered") == ("ignored", [])
    assert judged(made, pair, "body/items key /id") == ("ignored", [])
    dearer = [{**item, "price": item["price"] + (item["id"] == 3)} for item in items]
    pair = documents({"items": items}, {"items": dearer[::-1]})
    assert judged(made, pair, "body/items key /id") == ("different", ["body/items/*/price value"])
    assert judged(made, pair, "body/else key /id") == ("different", ["body/items/*/id value", "body/items/*/price value"])


def test_compare_arrays(pairs):
    made = pairs("compare_arrays=unordered")
    assert judged(made, documents({"a": [1, 2, 3]}, {"a": [3, 2, 1]})) == ("same_decoded", [])
    assert judged(made, documents({"a": [1, 2, 3]}, {"a": [3, 2, 4]})) == ("different", ["body/a/* value"])
    patch(made[0], {"compare_arrays": "ordered"})
    assert judged(made, documents({"a": [1, 2, 3]}, {"a": [3, 2, 1]})) == ("different", ["body/a order"])


@pytest.mark.parametrize("a, b, found", [
    ("9007199254740993", "9007199254740992", "value"), ('"1"', "1", "type"), ("1", "null", "null"), ("null", "[]", "null"),
    ("[]", "{}", "type"), ("true", "1", "type"), ("1", "1.0000000000000000000000000000000001", "value"),
    ("18446744073709551617", "18446744073709551616", "value"), ('"a"', '"A"', "value"), ('"\\u00e9"', '"e\\u0301"', "value"),
    ('""', "null", "null"), ("[1, 2]", "[1]", "length"), ("[1, 2]", "[2, 1]", "order")])
def test_values_that_are_not_equal(pairs, a, b, found):
    made = pairs()
    pair = documents(f'{{"v": {a}}}'.encode(), f'{{"v": {b}}}'.encode())
    assert judged(made, pair) == ("different", [f"body/v {found}"])
    assert judged(made, pair[::-1]) == ("different", [f"body/v {found}"])


def test_members_that_one_side_lacks(pairs):
    made = pairs()
    assert judged(made, documents(b'{"v": null}', b"{}")) == ("different", ["body/v missing"])
    assert judged(made, documents(b"{}", b'{"v": {"w": 1}}')) == ("different", ["body/v extra"])


def test_members_of_one_name(pairs):
    made = pairs()
    twice = b'{"a": 1, "a": 2}'
    assert judged(made, documents(twice, b'{"a": 2}')) == ("different", ["body/a duplicate"])
    assert judged(made, documents(b'{"a": 2}', twice)) == ("different", ["body/a duplicate"])
    assert judged(made, documents(twice, b'{"a": 2, "a": 1}')) == ("different", ["body/a value"])
    assert judged(made, documents(twice, b'{"a": 3, "a": 2}')) == ("same_decoded", [])


# ---- codings ----

def test_codings(pairs):
    made = pairs()
    plain = json.dumps({"text": "hello " * 500}).encode()
    for a, b in ((coded(packed(plain), "gzip"), coded(plain)), (coded(plain), coded(packed(plain, 15), "deflate")),
                 (coded(packed(plain, -15), "deflate"), coded(packed(plain), "x-gzip")),
                 (coded(plain, "identity"), coded(packed(packed(plain), 15), "gzip, deflate"))):
        assert judged(made, (a, b)) == ("same_decoded", [])     # Content-Encoding is not compared, if bodies were decoded
    assert judged(made, (coded(packed(plain, level=1), "gzip"),
                         coded(packed(plain, level=9), "gzip"))) == ("same_decoded", [])
    other = plain.replace(b"text", b"test")
    assert judged(made, (coded(packed(plain), "gzip"), coded(other))) == ("different",
                                                                          ["body/test extra", "body/text missing"])
    assert judged(made, (coded(packed(plain), "gzip"), coded(packed(plain), "gzip"))) == ("same", [])


def test_br(pairs):
    """It is decoded if the module was built with it; else one body that is br is a difference, and two are skipped."""
    made = pairs()
    plain = json.dumps({"text": "hello " * 500}).encode()
    libraries = subprocess.run(["ldd", MODULE], stdout=subprocess.PIPE, text=True, check=True).stdout
    with_br = "libbrotlidec" in libraries
    for a, b in ((coded(brotli(plain), "br"), coded(plain)), (coded(brotli(plain), "br"), coded(packed(plain), "gzip"))):
        word, found = judged(made, (a, b))
        assert (word, "body encoding" in found) == (("same_decoded", False) if with_br else ("different", True))
    assert judged(made, (coded(brotli(plain), "br"), coded(brotli(plain + b" "), "br")))[0] == (
        "same_decoded" if with_br else "undecodable")
    assert judged(made, (coded(brotli(plain), "br"), coded(brotli(plain), "br"))) == ("same", [])
    assert judged(made, (coded(brotli(plain), "br"), coded(brotli(plain)[:-2], "br")))[0] == (
        "different" if with_br else "undecodable")


@pytest.mark.parametrize("name", ["grpc-status", "X-Sum"])
def test_trailers_of_http1_do_not_count(pairs, name):
    """httpd knows those of the primary."""
    h, primary, mirror = pairs()
    for server, value in ((primary, 0), (mirror, 5)):
        server.answer = bytes_answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n%s: %d\r\n\r\n" % (name.encode(), value))
    assert h.get("/o/a").body == b"ok"
    assert verdicts(compared(h, 1)) == {"same": 1}


def test_content_encoding_counts_if_bodies_do_not(pairs):
    made = pairs("enabled=true")
    patch(made[0], {"compare": ["headers"]})
    plain = b'{"a": 1}'
    assert judged(made, (coded(packed(plain), "gzip"), coded(plain))) == ("different", ["header/content-encoding missing"])


# ---- other bodies ----

def test_texts_and_bytes(pairs):
    made = pairs()
    assert judged(made, texts(b"a\n", b"b\n", "Content-Type: text/plain; charset=utf-8")) == ("different", ["body text"])
    assert judged(made, texts(b"<a/>", b"<b/>", "Content-Type: image/svg+xml")) == ("different", ["body text"])
    assert judged(made, texts(b"a\0", b"b\0", "Content-Type: image/png")) == ("different", ["body bytes"])
    assert judged(made, texts(b"a", b"ab")) == ("different", ["body bytes"])
    assert judged(made, texts(b"{1", b"{2", JSON)) == ("different", ["body text"])      # neither is JSON
    assert judged(made, texts(b"{}", b"{2", JSON)) == ("different", ["body syntax"])
    other = answer("200 OK", b"[]", ("Content-Type: text/html",))
    assert judged(made, (answer("200 OK", b"{}", (JSON,)), other)) == ("different",
                                                                       ["body content_type", "header/content-type value"])


def test_head_has_no_body(pairs):
    h, primary, mirror = pairs()
    primary.answer = answer("200 OK", b"abc", ("Content-Type: text/plain", "X-A: 1"))
    mirror.answer = answer("200 OK", b"abcdef", ("Content-Type: text/plain", "X-A: 1"))
    assert h.request("HEAD", "/o/a").status == 200
    assert verdicts(compared(h, 1)) == {"same": 1}
    mirror.answer = answer("200 OK", b"abcdef", ("Content-Type: text/html", "X-A: 1"))
    assert h.request("HEAD", "/o/a").status == 200
    assert rows(compared(h, 2)) == [("header/content-type", "value", 1)]


def test_parts(pairs):
    made = pairs("enabled=true")
    pair = (answer("200 OK", b"a", ("X-A: 1",)), answer("201 Made", b"b", ("X-A: 2",)))
    for parts, word, found in ((["status"], "different", ["status status"]), (["headers"], "different", ["header/x-a value"]),
                               (["body"], "different", ["body bytes"]),
                               (["body", "headers"], "different", ["body bytes", "header/x-a value"]),
                               (["status", "headers", "body"], "different", ["status status"])):
        patch(made[0], {"compare": parts})
        assert judged(made, pair) == (word, found)
    patch(made[0], {"compare": ["status"]})
    assert judged(made, texts(b"a", b"b")) == ("same", [])


# ---- cookies, Location ----

def test_cookies_and_locations(pairs):
    made = pairs()
    a, b = "Set-Cookie: a=1; Path=/; HttpOnly", "Set-Cookie: b=2; Path=/"
    assert judged(made, heads((a, b), (b, a))) == ("same", [])
    assert judged(made, heads((a, b), ("Set-Cookie: b=9; Path=/", "set-cookie: a=8; httponly; path=/"))) == ("same", [])
    assert judged(made, heads((a,), ("Set-Cookie: a=1; Path=/x; HttpOnly",))) == ("different", ["header/set-cookie value"])
    assert judged(made, heads((a, b), (a,)))[0] == "different"
    assert judged(made, heads(("Location: http://a.example/x",), ("Location: https://b.example:8/x",))) == ("same", [])
    assert judged(made, heads(("Location: http://a/x",), ("Location: http://a/y",))) == ("different",
                                                                                         ["header/location value"])
    assert judged(made, heads(("VARY: a, b",), ("vary: B,A",))) == ("same", [])
    assert judged(made, heads(("X-Upper: 1", "X-Two: a"), ("x-two: a", "x-UPPER: 1"))) == ("same", [])


# ---- verdict before the body cannot be compared ----

def test_a_body_that_is_too_long(pairs):
    made = pairs("compare_max_body=1K")
    assert judged(made, texts(b"a" * 1024, b"a" * 1024)) == ("same", [])
    assert judged(made, texts(b"a" * 1025, b"a" * 1024)) == ("too_large", [])
    assert judged(made, texts(b"a" * 65, b"a" * 1025)) == ("too_large", [])
    assert judged(made, texts(b"a" * 64, b"a" * 1025)) == ("different", ["body length"])
    long, short = answer("200 OK", b"a" * 9999, ("X-A: 1",)), answer("200 OK", b"a", ("X-A: 2",))
    assert judged(made, (long, short)) == ("different", ["body length", "header/x-a value"])
    assert judged(made, (short, answer("404 No", b"a" * 9999))) == ("different", ["status status"])
    patch(made[0], {"compare_max_body": "0"})
    assert judged(made, texts(b"", b"")) == ("same", [])
    assert judged(made, texts(b"a", b"a")) == ("too_large", [])
    patch(made[0], {"compare_max_body": "16M"})
    big = b"a" * (3 << 20)
    assert judged(made, texts(big, big)) == ("same", [])


def test_compare_memory(pairs):
    """What has no room is not compared, and the copy ends as ever."""
    made = pairs("compare_max_body=16M", conf="ProxyMirrorCompareMemory 1M\n")
    big = b"a" * (3 << 20)
    assert judged(made, texts(big, big)) == ("memory", [])
    assert judged(made, (answer("200 OK", big, ("X-A: 1",)), answer("200 OK", b"", ("X-A: 2",)))) == (
        "different", ["header/x-a value"])
    assert judged(made, texts(b"a", b"a")) == ("same", [])
    assert set(made[0].outcomes()) == {"mirrored"}


def test_skips(pairs):
    made = pairs("timeout=300ms compare_timeout=1s")
    h, primary, mirror = made
    start, broken = comparison(h), lambda sock, _: sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab") and False
    assert start["skipped"]["no_answer"] == 0
    exchange(made, (answer(), broken))
    assert skipped(compared(h, 1)) == {"no_answer": 1}
    mirror.answer = answer("304 Not Modified", b"")
    assert h.get("/o/a").status == 200
    assert skipped(compared(h, 2)) == {"no_answer": 1, "conditional": 1}
    gate = primary.hold()
    mirror.answer = answer()
    patch(h, {"when": "request"})
    with h.client() as client:
        client.send(b"GET /o/a HTTP/1.1\r\nHost: localhost\r\n\r\n")
        wait_for("the mirror's half to expire", lambda: decided(comparison(h)) == 3)
        assert skipped(comparison(h)) == {"no_answer": 1, "conditional": 1, "timeout": 1}
        gate.set()
        assert client.answer("GET").status == 200
    assert compared(h, 3)["compared"] == 0 and comparison(h)["verdict"] == "nothing"


# ---- noise that is guessed ----

@pytest.mark.parametrize("children", [1, 2])
def test_noise_that_is_guessed(pairs, children):
    made = pairs(children=children)
    h = made[0]

    def some(count: int) -> dict:
        return compare(made, (fresh("id"), fresh("id")), count, f"/o/items/{count}")

    data = some(40)
    assert rows(data) == [("body/id", "value", 40)] and data["verdict"] == "differs"     # not yet enough of them
    data = some(60)
    assert noise(data) == [("body/id", "value", "guessed")] and data["findings"] == [] and data["verdict"] == "alike"
    assert "same" not in verdicts(data) and verdicts(data)["noise"] >= 50
    patch(h, {"compare_rules": ["body/id compare"]})        # it matters
    data = some(1)
    assert rows(data) == [("body/id", "value", 101)] and noise(data) == [] and data["verdict"] == "differs"


def test_a_constant_is_never_guessed(pairs):
    """The mirror answers everybody with the same id, which is wrong. It is no noise, as it does not change."""
    made = pairs()
    for n in range(60):
        exchange(made, documents({"id": str(uuid.uuid4())}, {"id": "00000000-0000-4000-8000-000000000000"}))
    data = compared(made[0], 60)
    assert rows(data) == [("body/id", "value", 60)] and noise(data) == [] and data["verdict"] == "differs"


def test_no_guess_about_kinds_and_counters(pairs):
    made = pairs()
    for n in range(60):
        exchange(made, documents({"n": n, "id": str(uuid.uuid4())}, {"n": n + 1, "id": None}))
    data = compared(made[0], 60)
    assert rows(data) == [("body/id", "null", 60), ("body/n", "value", 60)] and noise(data) == []
