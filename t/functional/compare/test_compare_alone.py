"""Who of primary, mirror and reference stands alone, if only a part of the responses can be compared."""
from __future__ import annotations

import itertools
import json
import random
import uuid

import pytest

from comparelab import JSON, compared, noise, rows, say, start_anew, verdicts
from httpdlab import Httpd
from recorder import Answer, Recorder, answer

TEXT = "Content-Type: text/html"
BUSY = answer("200 OK", b"busy", ["Content-Type: text/plain"])


def token() -> str:
    return uuid.uuid4().hex


def let(server: Recorder, make) -> None:
    """It makes each answer anew."""
    server.answer = lambda sock, message: make()(sock, message)


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
