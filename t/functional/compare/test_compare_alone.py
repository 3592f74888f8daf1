"""Who of primary, mirror and reference stands alone, if only a part of the responses can be compared."""
from __future__ import annotations

import itertools
import json
import random
import uuid

import pytest

from comparelab import JSON, compared, let, noise, rows, say, start_anew, verdicts
from httpdlab import Httpd
from recorder import Answer, answer

TEXT = "Content-Type: text/html"
ZSTD = "Content-Encoding: zstd"
PRELOADS = "comparer",
BUSY = answer("200 OK", b"busy", ["Content-Type: text/plain"])


def token() -> str:
    return uuid.uuid4().hex


def ask(h: Httpd, count: int, *headers: str) -> dict:
    start_anew(h)
    for n in range(count):
        assert h.request("GET", f"/o/{n}", headers).status in (200, 304, 500)
    return compared(h, count)


def alone(data: dict) -> dict[str, tuple[int, int]]:
    return {row["field"]: (row["mirror_alone"], row["reference_alone"]) for found in data["findings"] for row in found["rows"]}


@pytest.mark.parametrize("good, bad", [
    ("Set-Cookie: sid={0}; HttpOnly; Secure", "Set-Cookie: sid={0}"),
    ("Content-Security-Policy: script-src 'nonce-{0}'", "Content-Security-Policy: script-src 'nonce-{0}' 'unsafe-inline'"),
    ("Location: http://{0}.test/a", "Location: http://{0}.test/b"), ('ETag: "{0}"', 'ETag: W/"{0}"')])
def test_header_that_always_differs_by_nature(three, good, bad):
    """The built-in list forgives that, in the reference as well. It hides nothing else of the header."""
    h, *servers = three()
    for server in servers:
        let(server, lambda: answer("200 OK", b"ok", [TEXT, good.format(token())]))
    field = f"header/{good.split(':')[0].lower()}"
    data = ask(h, 40)
    assert verdicts(data) == {"same": 40} and noise(data) == [(field, "value", "built_in")]
    let(servers[1], lambda: answer("200 OK", b"ok", [TEXT, bad.format(token())]))
    data = ask(h, 40)
    assert data["verdict"] == "differs" and rows(data) == [(field, "value", 40)] and alone(data) == {field: (40, 0)}
    for server, dice in zip(servers, map(random.Random, (1, 2, 3))):        # as often in the reference, it is noise
        let(server, lambda dice=dice: answer("200 OK", b"ok", [TEXT, dice.choice((good, bad)).format(token())]))
    data = ask(h, 150)
    assert data["verdict"] == "alike" and noise(data) == [(field, "value", "reference")]


@pytest.mark.parametrize("bad, field", [
    (lambda: answer("500 No", b"broken", [TEXT]), "status"),
    (lambda: answer("200 OK", token().encode(), [TEXT, ZSTD, "X-Bad: 1"]), "header/x-bad"),
    (lambda: answer("200 OK", b"An error", [TEXT]), "body")], ids=["status", "header", "body"])
def test_bodies_of_an_unknown_coding(three, bad, field):
    """No body of the old version can be decoded. What else the mirror has is found, as it is without a reference."""
    h, primary, mirror, reference = three()
    for server in (primary, reference):
        let(server, lambda: answer("200 OK", token().encode(), [TEXT, ZSTD]))
    let(mirror, bad)
    data = ask(h, 40)
    assert data["verdict"] == "differs" and alone(data)[field] == (40, 0)
    for server, dice in zip((primary, mirror, reference), map(random.Random, (1, 2, 3))):
        let(server, lambda dice=dice: bad() if dice.random() < 0.5 else answer("200 OK", token().encode(), [TEXT, ZSTD]))
    data = ask(h, 200)
    assert data["findings"] == [] and data["verdict"] == "alike"


def test_error_beside_a_reference_that_knows_another_etag(three):
    """The client has the primary's page, which the reference sends again. The mirror fails."""
    h, primary, mirror, reference = three()
    primary.answer = lambda sock, message: sock.sendall(b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n') is None
    reference.answer = answer("200 OK", b"ok", [TEXT, 'ETag: "b"'])
    mirror.answer = answer("500 No", b"broken", [TEXT])
    data = ask(h, 40, 'If-None-Match: "a"')
    assert data["verdict"] == "differs" and alone(data) == {"status": (40, 0)}


@pytest.mark.parametrize("bad", [BUSY, answer("200 OK", b"", [JSON]), answer("200 OK", b"oops", [JSON]), answer("200 OK", b"[]", [JSON])],
                         ids=["media type", "empty", "syntax", "type"])
def test_reference_that_sometimes_fails_as_a_whole(three, bad):
    """Then it says nothing of a token, which is as random in the mirror as in itself."""
    h, *servers = three()
    for server in servers:
        say(server, lambda: b'{"token": "%s"}' % token().encode())
    number = itertools.count()
    let(servers[2], lambda: answer("200 OK", b'{"token": "%s"}' % token().encode(), [JSON]) if next(number) % 5 else bad)
    data = ask(h, 100)
    assert data["verdict"] == "alike" and noise(data) == [("body/token", "value", "reference")]
    say(servers[1], lambda: b'{"token": 7}')
    data = ask(h, 100)
    assert data["verdict"] == "differs" and rows(data) == [("body/token", "type", 100)]


@pytest.mark.parametrize("bad", [
    lambda: [], lambda: None, lambda: {"t": {}}, lambda: {"t": [token()], "list": []}, lambda: {"list": [{"t": token()}]}])
def test_reference_in_which_something_sometimes_differs_as_a_whole(three, bad):
    """That says nothing of what is in it: the mirror's ids in there stay noise, and its other differences are found."""
    h, *servers = three()

    def good() -> dict:
        return {"t": token(), "list": [{"t": token()}, {"t": token()}], "total": 7}
    for server in servers:
        let(server, lambda: answer("200 OK", json.dumps({"a": good()}).encode(), [JSON]))
    dice = random.Random(1)
    let(servers[2], lambda: answer("200 OK", json.dumps({"a": good() if dice.random() < 0.7 else bad()}).encode(), [JSON]))
    data = ask(h, 150)
    assert data["verdict"] == "alike" and data["findings"] == []
    let(servers[1], lambda: answer("200 OK", json.dumps({"a": {**good(), "total": 8}}).encode(), [JSON]))
    data = ask(h, 150)
    assert data["verdict"] == "differs" and [field for field, counts in alone(data).items() if any(counts)] == ["body/a/total"]


def test_failures_at_random_beside_many_noisy_fields(three):
    """A reference that fails says nothing of the rows without room either."""
    h, *servers = three()

    def page(dice: random.Random) -> Answer:
        if dice.random() < 0.2:
            return answer("500 No", b"x")
        return answer("200 OK", json.dumps({a: {b: dice.random() for b in "abcdefghijklmnopqrstuvwxyz"} for a in "xyz"}).encode(), [JSON])
    for server, dice in zip(servers, map(random.Random, (1, 2, 3))):
        let(server, lambda dice=dice: page(dice))
    data = ask(h, 200)
    assert data["verdict"] == "alike" and ("(more)", "value", "reference") in noise(data), rows(data)


def test_failures_at_random_without_a_budget(three, preload):
    """Those of the reference are counted beside a mirror that nobody looks into, as those of the mirror are."""
    h, *servers = three(env={"HTTPD_PRELOAD": preload, "TEST_COMPARER_COST": "1000"})
    for server, dice in zip(servers, map(random.Random, (1, 2, 3))):
        let(server, lambda dice=dice: answer("500 No", b"x") if dice.random() < 0.3 else
            answer("200 OK", json.dumps([token()] * 300).encode(), [JSON]))
    data = ask(h, 300)
    assert data["verdicts"]["unexamined"] > 50
    assert ("status", "status", "reference") in noise(data) and data["findings"] == [], alone(data)
