"""A reference, which runs the old version: it tells what is noise."""
from __future__ import annotations

import gzip
import itertools
import json
import random
import uuid

import pytest

from comparelab import JSON, compared, comparison, noise, rows, say, skipped, start_anew, verdicts
from http2lab import OF_A_SANITIZER
from httpdlab import location, to, wait_for
from recorder import answer


def test_time_and_id_are_noise(three):
    h, *servers = three()
    for server in servers:
        say(server, lambda: b'{"id": "%s", "a": 1}' % str(uuid.uuid4()).encode())
    for n in range(50):
        assert h.get(f"/o/{n}").status == 200
    data = compared(h, 50)
    assert verdicts(data) == {"noise": 50} and data["findings"] == [] and data["verdict"] == "alike"
    assert noise(data) == [("body/id", "value", "reference")] and data["reference"] == "old"
    assert h.ended(50, "old") == {"mirrored": 50}


def test_difference_of_the_mirror_alone(three):
    h, primary, mirror, reference = three()
    for server in (primary, reference):
        say(server, lambda: b'{"a": 1}')
    say(mirror, lambda: b'{"a": 2}')
    for n in range(50):
        assert h.get(f"/o/{n}").status == 200
    data = compared(h, 50)
    assert data["verdict"] == "differs" and rows(data) == [("body/a", "value", 50)]
    (row,) = data["findings"][0]["rows"]
    assert (row["mirror_alone"], row["reference_alone"]) == (50, 0)


PAGE = "<html>\n<h1>Order</h1>\n<!-- served as %s -->\n<p>Total: %s</p>\n</html>\n"


@pytest.mark.parametrize("coding", [None, "gzip"])
@pytest.mark.parametrize("total, verdict", [("10.00", "alike"), ("10,00", "differs")])
def test_page_with_an_id(three, total, verdict, coding):
    """The id makes all three pages differ. That hides nothing in the other lines."""
    h, *servers = three("compare_values=full")
    headers = ["Content-Type: text/html", *([f"Content-Encoding: {coding}"] if coding else [])]

    def page(amount):
        text = (PAGE % (uuid.uuid4(), amount)).encode()
        return answer("200 OK", gzip.compress(text) if coding else text, headers)
    for server, amount in zip(servers, ("10.00", total, "10.00")):
        server.answer = lambda sock, message, amount=amount: page(amount)(sock, message)
    for n in range(40):
        assert h.get(f"/o/{n}").status == 200
    data = compared(h, 40)
    assert data["verdict"] == verdict and verdicts(data) == {"noise" if verdict == "alike" else "different": 40}
    assert noise(data) == ([("body", "text", "reference")] if verdict == "alike" else [])
    if verdict == "differs":
        got = json.loads(h.get("/manager/mirrors/m/comparison").body)
        ((value,),) = [one["values"] for one in got["findings"][0]["examples"] if "values" in one]
        assert (value["primary"], value["mirror"]) == ("line 4: <p>Total: 10.00</p>", "line 4: <p>Total: 10,00</p>")
        assert rows(data) == [("body", "text", 40)]


def test_page_of_which_a_line_varies(three):
    """As often in the mirror as in the reference: noise, whichever of them is first."""
    h, *servers = three()
    for server, dice in zip(servers, map(random.Random, (1, 2, 3))):
        server.answer = lambda sock, message, dice=dice: answer(
            "200 OK", (PAGE % (uuid.uuid4(), dice.choice("12"))).encode(), ["Content-Type: text/html"])(sock, message)
    for n in range(150):
        assert h.get(f"/o/{n}").status == 200
    data = compared(h, 150)
    assert data["verdict"] == "alike" and noise(data) == [("body", "text", "reference")]


@pytest.mark.parametrize("kind", ["application/pdf", "text/html"])
def test_empty_body_beside_ones_that_vary(three, kind):
    """No response is like another one, of either length. None at all is still none of them."""
    h, *servers = three()
    dice = random.Random(1)
    for server in servers:
        server.answer = lambda sock, message: answer(
            "200 OK", b"".join(b"<p>%d\n" % dice.getrandbits(60) for _ in range(dice.randint(1, 90))), [f"Content-Type: {kind}"])(sock, message)
    servers[1].answer = answer("200 OK", b"", [f"Content-Type: {kind}"])
    for n in range(40):
        assert h.get(f"/o/{n}").status == 200
    data = compared(h, 40)
    assert data["verdict"] == "differs" and rows(data) == [("body", "missing", 40)]
    (row,) = data["findings"][0]["rows"]
    assert (row["mirror_alone"], row["reference_alone"]) == (40, 0)


@pytest.mark.parametrize("lengths, found", [
    ((1, 9999, 1), "difference"), ((9999, 1, 9999), "difference"), ((1, 9999, 9999), "noise"), ((9999, 1, 1), "noise")])
def test_bodies_of_which_some_are_too_long(three, lengths, found):
    """A list that has lost its limit, or has one, is a difference; one that the old version has as well is noise."""
    h, *servers = three("compare_max_body=1K")
    for server, length in zip(servers, lengths):
        server.answer = answer("200 OK", b'["%s"]' % (b"a" * length), [JSON])
    for n in range(40):
        assert h.get(f"/o/{n}").status == 200
    data = compared(h, 40)
    if found == "noise":
        assert data["verdict"] == "alike" and noise(data) == [("body", "length", "reference")]
        return
    assert data["verdict"] == "differs" and rows(data) == [("body", "length", 40)]
    (row,) = data["findings"][0]["rows"]
    assert (row["mirror_alone"], row["reference_alone"]) == (40, 0)


TOO_MUCH = {
    "too large": ("text/plain", lambda: b"a" * 2000),
    "too large and empty": ("text/plain", lambda: b"a" * 2000),
    "too large when decoded": ("text/plain", lambda: gzip.compress(bytes(1 << 20))),
    "too deep": ("application/json", lambda: b"[" * 200 + b'"%d"' % random.getrandbits(60) + b"]" * 200),
    "too many values": ("application/json", lambda: b'[%s"%d"]' % (b"1," * 33000, random.getrandbits(60)))}


@pytest.mark.parametrize("kind", TOO_MUCH)
def test_bodies_that_are_too_much_at_random(three, kind):
    """As often in the mirror as in the reference, whichever of them is alone: noise."""
    h, *servers = three("compare_max_body=%s" % ("1K" if "too large" in kind else "1M"))
    media_type, long = TOO_MUCH[kind]
    headers = [f"Content-Type: {media_type}"]
    little = answer("200 OK", b"" if "empty" in kind else b"[1]", headers)
    if "decoded" in kind:
        headers.append("Content-Encoding: gzip")
    for server, dice in zip(servers, map(random.Random, (1, 2, 3))):
        server.answer = lambda sock, message, dice=dice: (
            answer("200 OK", long(), headers) if dice.random() < 0.5 else little)(sock, message)
    for n in range(400):
        assert h.get(f"/o/{n}").status == 200
    data = compared(h, 400)
    assert data["findings"] == [] and noise(data)
    # of so many values, the processor time that there is does for some
    assert data["verdict"] == "alike" or (kind == "too many values" and data["verdict"] == "collecting")


@pytest.mark.parametrize("what", ["500 No", "X-Broken: 1"])
def test_other_status_or_header_beside_too_long_bodies(three, what):
    """Each body is too long to be compared. The mirror's status or header is not."""
    h, *servers = three("compare_max_body=1K")
    for server in servers:
        server.answer = answer("200 OK", b"a" * 2000, ["Content-Type: text/plain"])
    servers[1].answer = (answer(what, b"", ["Content-Type: text/plain"]) if ":" not in what else
                         answer("200 OK", b"a" * 2000, ["Content-Type: text/plain", what]))
    for n in range(40):
        assert h.get(f"/o/{n}").status == 200
    data = compared(h, 40)
    assert data["verdict"] == "differs" and verdicts(data) == {"different": 40}
    (row,) = data["findings"][0]["rows"]
    assert (row["mirror_alone"], row["reference_alone"]) == (40, 0)


@pytest.mark.parametrize("json_of", [
    pytest.param(lambda text: b"[" * 200 + text + b"]" * 200, id="too deep"),
    pytest.param(lambda text: b"[%s%s]" % (b"1," * 33000, text), id="too many values")])
def test_little_json_beside_ones_that_are_too_much(three, json_of):
    """The old version never responds twice with the same bytes, but always with that much."""
    h, *servers = three()
    for server in servers:
        say(server, lambda: json_of(b'"%s"' % str(uuid.uuid4()).encode()))
    say(servers[1], lambda: b"[]")
    for n in range(3):
        assert h.get(f"/o/{n}").status == 200
    data = compared(h, 3)
    found = verdicts(data)
    different = found.pop("different")
    # a sanitizer takes more processor time than there is for all
    assert found == ({"unexamined": 3 - different} if OF_A_SANITIZER and different < 3 else {})
    assert rows(data) == [("body", "length", different)]
    (row,) = data["findings"][0]["rows"]
    assert (row["mirror_alone"], row["reference_alone"]) == (different, 0)


def test_reference_that_is_unlike_the_primary(three):
    """It has other data. Its responses say nothing of fields, and the administrator is told."""
    h, primary, mirror, reference = three()
    say(primary, lambda: b'{"a": 1, "id": "%s"}' % str(uuid.uuid4()).encode())
    say(mirror, lambda: b'{"a": 2, "id": "%s"}' % str(uuid.uuid4()).encode())
    reference.answer = answer("404 Not Found", b"x")
    for n in range(60):
        assert h.get(f"/o/{n}").status == 200
    data = compared(h, 60)
    assert data["reference_unlike"] == 60 and data["verdict"] == "differs"
    rows_of = {row["field"]: (row["mirror_alone"], row["reference_alone"]) for row in data["findings"][0]["rows"]}
    assert rows_of["body/a"] == (0, 0)
    assert noise(data) == [("body/id", "value", "guessed")]        # as without a reference
    page = h.get("/manager").body.decode()
    assert "The reference is unlike the primary: in 60 responses it has another status." in page
    say(reference, lambda: b'{"a": 1, "id": "%s"}' % str(uuid.uuid4()).encode())
    start_anew(h)
    assert h.get("/o/1").status == 200
    assert compared(h, 1)["reference_unlike"] == 0 and "is unlike" not in h.get("/manager").body.decode()


def test_a_few_failures_of_each_group(three):
    """The old version never fails, so there is nothing to wait for."""
    h, primary, mirror, reference = three()
    for server in (primary, reference):
        say(server, lambda: b'{"a": 1}')
    mirror.answer = answer("500 Internal Server Error", b"x")
    for group in "abcdefghij":
        for n in range(4):
            assert h.get(f"/o/{group}/{n}").status == 200
    data = compared(h, 40)
    assert verdicts(data) == {"different": 40} and data["verdict"] == "differs" and noise(data) == []
    assert comparison(h, path="/verdict") == {"verdict": "differs", "compared": 40, "different": 40, "no_answer": 0}


def test_coin(three):
    """A value that is random in all three is noise; one that the old version has in 90 % and the new in 50 % is not."""
    chance = random.Random(1)
    h, *servers = three()
    for server in servers:
        say(server, lambda: b'{"a": %d}' % chance.randrange(2))
    for n in range(400):
        assert h.get(f"/o/{n}").status == 200
    data = compared(h, 400)
    assert data["verdict"] == "alike" and noise(data) == [("body/a", "value", "reference")]
    start_anew(h)
    for server, share in zip(servers, (0.9, 0.5, 0.9)):
        say(server, lambda share=share: b'{"a": %d}' % (chance.random() < share))
    for n in range(600):
        assert h.get(f"/o/{n}").status == 200
    data = compared(h, 600)
    (row,) = data["findings"][0]["rows"]
    assert data["verdict"] == "differs" and row["mirror_alone"] > 3 * row["reference_alone"]


def test_counter_is_noise(three):
    """It grows with each request, so all three differ, or the primary does."""
    h, *servers = three()
    count = itertools.count()
    for server in servers:
        say(server, lambda: b'{"n": %d}' % next(count))
    for n in range(40):
        assert h.get(f"/o/{n}").status == 200
    assert compared(h, 40)["verdict"] == "alike"


def examined(h, count: int, path: str = "/o/") -> dict:
    """The comparison after requests until so many pairs were looked into: a slow machine leaves some out."""
    sent = itertools.count(comparison(h)["compared"] + 1)

    def more():
        assert h.get(path).status == 200
        data = compared(h, next(sent))
        return data if data["compared"] - data["verdicts"]["unexamined"] == count else None
    return wait_for(f"{count} pairs", more, 20)


def test_many_noisy_fields(three):
    """More than there are rows for; and a difference among them is found as long as it has a row."""
    h, primary, mirror, reference = three()
    count = itertools.count()
    names = [chr(97 + n % 26) + chr(97 + n // 26) for n in range(300)]

    def document(**more) -> bytes:
        return json.dumps({**more, "x": {a: {name: next(count) for name in names[:60]} for a in "abc"}}).encode()
    for server in (primary, reference):
        say(server, lambda: document(first=1))
    say(mirror, lambda: document(first=1))
    data = examined(h, 20)
    assert data["verdicts"]["noise"] == 20 and data["findings"] == []
    assert ("(more)", "value", "reference") in noise(data) and data["truncated"]["fields"] == 20
    say(mirror, lambda: document(first=2))
    data = examined(h, 21)
    assert data["verdicts"]["different"] == 1 and "body/first" in [row[0] for row in rows(data)]


COUNT = itertools.count()                       # as the old version it never says the same twice


def pairs_of_names(value):
    return [{"name": "uptime", "value": next(COUNT)}, {"name": "limit", "value": value}]


def map_of_names(value):
    return {**{f"k{n}": n for n in range(70)}, "now": next(COUNT), "limit": value}


def long_names(value):
    long = "x" * 50
    return {long: {"now": {long: {long: next(COUNT)}}, "limit": {long: {long: value}}}}


def many_fields(value):
    return {**{part: {f"k{n}": next(COUNT) for n in range(50)} for part in "ab"}, "limit": value}


@pytest.mark.parametrize("document, field", [(pairs_of_names, "body/*/value"), (map_of_names, "body/*"),
                                             (long_names, None), (many_fields, "(more)")])
def test_difference_in_the_row_of_noise(three, document, field):
    """One of the values of a row is noise. That hides no other one."""
    h, *servers = three()

    def ask(values, count):
        start_anew(h)
        for server, value in zip(servers, values):
            say(server, lambda value=value: json.dumps(document(value)).encode())
        return examined(h, count)
    data = ask((1, 1, 1), 40)
    assert data["verdicts"]["noise"] == 40 and data["verdict"] == "alike"
    data = ask((1, 2, 1), 40)
    assert data["verdict"] == "differs" and data["verdicts"]["different"] >= 30
    (row,) = [row for row in data["findings"][0]["rows"] if field in (row["field"], None)]
    assert (row["mirror_alone"], row["reference_alone"]) == (40, 0)
    assert ask((1, 1, 2), 40)["verdict"] == "alike"


def test_difference_in_the_rows_that_have_no_room(three):
    """All rows are in use, so noise and difference of a further group are in one."""
    h, *servers = three()
    for server in servers:
        say(server, lambda: json.dumps({f"k{n}": next(COUNT) for n in range(60)}).encode())
    for group in "abcdefgh":
        assert h.get(f"/o/{group}").status == 200
    compared(h, 8)
    for server, value in zip(servers, (1, 2, 1)):
        say(server, lambda value=value: json.dumps({"now": next(COUNT), "price": value}).encode())
    for _ in range(40):
        assert h.get("/o/last").status == 200
    data = compared(h, 48)
    assert data["verdict"] == "differs" and ("(more)", "value", 40) in rows(data)


@pytest.mark.parametrize("fields", [100, 150])
def test_many_coins(three, fields):
    """More fields that are random than a response has rows for are counted for the reference as well."""
    h, *servers = three()

    def toss(number):
        def send(sock, message):
            dice = random.Random(f"{number} {message.target}")
            data = {f"g{g}": {f"k{n}": dice.randrange(2) for n in range(50)} for g in range(fields // 50)}
            return answer("200 OK", json.dumps(data).encode(), (JSON,))(sock, message)
        return send
    for number, server in enumerate(servers):
        server.answer = toss(number)
    for n in range(150):
        assert h.get(f"/o/{n}").status == 200
    data = compared(h, 150)
    assert data["verdict"] == "alike", rows(data)


def test_type_that_changes_beside_noise(three):
    h, primary, mirror, reference = three()
    count = itertools.count()
    for server in (primary, reference):
        say(server, lambda: b'{"t": "%d"}' % next(count))
    say(mirror, lambda: b'{"t": %d}' % next(count))
    for n in range(40):
        assert h.get(f"/o/{n}").status == 200
    data = compared(h, 40)
    assert data["verdict"] == "differs" and rows(data) == [("body/t", "type", 40)]
    assert noise(data) == []


def test_reference_gets_only_what_is_compared(three):
    h, *_, reference = three("compare_ratio=0")
    for n in range(5):
        assert h.get(f"/o/{n}").status == 200
    h.ended(5)
    assert not reference.requests and h.mirror("old")["seen"] == 0


@pytest.mark.parametrize("attributes", ["", "methods=GET,HEAD"])
def test_post_is_compared_without_the_reference(three, attributes):
    h, primary, mirror, reference = three("", attributes)
    for server in (primary, mirror):
        say(server, lambda: b'{"a": 1}')
    assert h.request("POST", "/o/a", [], b"x").status == 200
    assert verdicts(compared(h, 1)) == {"same": 1} and not reference.requests


def test_lost_reference(three):
    h, primary, mirror, reference = three()
    for server in (primary, mirror):
        say(server, lambda: b'{"a": 1}')
    reference.answer = lambda sock, message: False
    for n in range(3):
        assert h.get(f"/o/{n}").status == 200
    data = compared(h, 3)
    assert skipped(data) == {"no_reference": 3} and comparison(h)["compared"] == 0


def test_copy_that_the_reference_rejects_is_logged(httpd, recorder):
    log = "logs/mirror_log"
    h = httpd(lambda h: f'ProxyMirrorLog "{h.path(log)}"\n' + location(
        "/o/", recorder(), to(recorder(), "compare=all"), to(recorder(), "role=reference methods=POST max_body=10", "old")))
    assert h.request("POST", "/o/a", [], b"x" * 11).status == 200
    wait_for("two lines", lambda: h.read(log).count("\n") == 2)
    lines = {line["mirror"]: line for line in map(json.loads, h.read(log).splitlines())}
    assert lines["m"]["outcome"] == "mirrored" and lines["m"]["compare"] == {"skipped": "no_reference"}
    assert lines["old"]["outcome"] == "too_large" and h.ended(1, "old") == {"too_large": 1}


def test_reference_that_is_none(three, lab):
    lines = 'ProxyMirror "http://127.0.0.1:1" name=m compare=all compare_reference=%s\nProxyMirror "http://127.0.0.1:2" name=other\n'
    lines += '<Location "/a">\nProxyMirror "http://127.0.0.1:3" name=far role=reference\n</Location>\n'
    for name in ("none", "other", "far"):
        h = lab(lambda _, name=name: lines % name)
        out = h.test_configuration()
        assert out.returncode != 0
        assert "PM0106: " in out.stderr and f'must be the name of a mirror with role=reference in the same section, got "{name}"' in out.stderr
    h, *_ = three()
    got = h.request("PATCH", "/manager/mirrors/m", [JSON, "Host: localhost"], b'{"compare_reference": "m"}')
    assert got.status == 400 and b"compare_reference: must be the name of a mirror" in got.body
