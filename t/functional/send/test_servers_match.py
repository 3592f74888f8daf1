"""Several servers behind one mirror, several copies on a connection: each copy has the response of the server that got it,
also if that one leaves in between."""
from __future__ import annotations

import json
import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from http2lab import respond
from httpdlab import location, scaled, wait_for
from marks import needs_http2
from recorder import answer
from serverslab import EJECTED, counts, gets, listed, one_by_one, servers, state  # noqa: F401, a fixture

LOG = "ProxyMirrorLog logs/copies\n"


def status_of(n: int, path: str) -> int:
    """Another one for each server and request."""
    return 200 + random.Random(f"{n} {path}").randrange(400)


def answer_by_path(n: int):
    def send(sock, message) -> bool:
        status = status_of(n, message.target)
        body = b"" if status in (204, 304) else b"x" * (status * 7)
        return answer(f"{status} X", body)(sock, message)
    return send


def respond_by_path(n: int):
    def send(peer, request) -> None:
        status = status_of(n, request.path)
        respond(status, b"" if status in (204, 304) else b"x" * (status * 7))(peer, request)
    return send


def load(h, count: int, clients: int = 4) -> None:
    """Requests of which each has another path."""
    with ThreadPoolExecutor(clients) as pool:
        statuses = pool.map(h.get_many, [[f"/o/{k}-{n}" for n in range(count // clients)] for k in range(clients)])
        assert {status for some in statuses for status in some} == {200}


def lines(h, count: int) -> list[dict]:
    wait_for("the lines", lambda: h.read("logs/copies").count("\n") >= count)
    return [json.loads(line) for line in h.read("logs/copies").splitlines()]


def assert_matched(h, made, count: int) -> None:
    """The log has for each copy the server that has it, and the status which that one gave it."""
    numbers = {f"{one.host}:{one.port}": n for n, one in enumerate(made)}
    got = [{getattr(message, "path", None) or message.target for message in one.requests} for one in made]
    for line in lines(h, count):
        n = numbers[line["server"]]
        assert line["uri"] in got[n] and line["response"]["status"] == status_of(n, line["uri"]), line


@pytest.mark.parametrize("attributes", ["pipeline=8 max_connections=6", "pipeline=100 max_connections=3", "max_connections=3"])
def test_batches_never_cross(httpd, origin, servers, attributes):
    made = servers(3)
    for n, one in enumerate(made):
        one.answer = answer_by_path(n)
    h = httpd(LOG + location("/o/", origin, listed(made, attributes + " max_queue=10000")), children=1)
    load(h, 1200)
    assert h.ended(1200) == {"mirrored": 1200}
    assert sum(counts(made)) == 1200 and min(counts(made)) > 100
    assert_matched(h, made, 1200)


def test_copies_of_a_batch_that_times_out_count(httpd, origin, servers):
    """Each of them has failed at its server, which is ejected after five."""
    made = servers(2)
    h = httpd(location("/o/", origin, listed(made, f"pipeline=8 max_connections=2 timeout={int(scaled(1) * 1000)}ms retry=1h")),
              expect=[EJECTED])
    one_by_one(h, 8)
    held = [one.hold() for one in made]
    assert h.get_many(["/o/a"] * 2) == [200] * 2
    wait_for("a copy at each", lambda: counts(made) == [5, 5])
    gets(h, 16)
    for one, gate in zip(made, held):
        one.hold()
        gate.set()
    assert h.ended(26) == {"mirrored": 10, "timed_out": 16}
    assert sorted(one["failed"] for one in state(h).values()) == [8, 8]
    assert len(h.log_lines(EJECTED)) == 1       # half of them at most


def test_batches_of_servers_that_close(httpd, origin, servers):
    """Now and then, in the middle of a batch: what was not answered is sent once more at most, and its response is the
    second server's."""
    made = servers(3)
    answered: Counter = Counter()
    lock = threading.Lock()
    for n, one in enumerate(made):
        def serve(sock, message, n=n) -> bool:
            if random.Random(f"end {n} {message.target}").randrange(20) == 0:
                return False
            with lock:
                answered[message.target] += 1
            return answer_by_path(n)(sock, message)
        one.answer = serve
    h = httpd(LOG + location("/o/", origin, listed(made, "pipeline=8 max_connections=6 max_queue=10000 retry=0")),
              children=1, expect=["PM0434"])
    load(h, 1200)
    got = h.ended(1200)
    assert got.keys() <= {"mirrored", "broken"} and got["mirrored"] > 1000, got
    came = Counter(message.target for one in made for message in one.requests)
    assert max(came.values()) <= 2 and len(came) == 1200
    assert got["mirrored"] <= len(answered)
    numbers = {f"{one.host}:{one.port}": n for n, one in enumerate(made)}
    for line in lines(h, 1200):
        assert line["outcome"] == "broken" or line["response"]["status"] == status_of(numbers[line["server"]], line["uri"]), line


@pytest.fixture
def http2_servers(http2):
    def make(count: int):
        first = http2(host="127.0.0.1")
        made = [first, *(http2(host=f"127.0.0.{n}", port=first.port) for n in range(2, count + 1))]
        for n, one in enumerate(made):
            one.respond = respond_by_path(n)
        return made
    return make


@needs_http2
@pytest.mark.parametrize("streams", [100, 3])
def test_streams_never_cross(httpd, origin, http2_servers, streams):
    made = http2_servers(3)
    h = httpd(LOG + location("/o/", origin, listed(made, f"streams={streams} max_queue=10000", scheme="h2c")), children=1)
    load(h, 1200)
    assert h.ended(1200) == {"mirrored": 1200}
    assert sum(counts(made)) == 1200 and min(counts(made)) > 100
    assert_matched(h, made, 1200)


@needs_http2
def test_goaway_moves_many_streams(httpd, origin, http2_servers):
    """50 copies are under way at one server when it leaves, with half of them: the other half goes to the other server, and
    all end as they were answered. POSTs among them: what was not processed is no repetition."""
    made = http2_servers(2)
    h = httpd(LOG + location("/o/", origin, listed(made, "max_queue=10000 timeout=1h", scheme="h2c")), children=1)
    one_by_one(h, 4)
    go = [one.hold(respond_by_path(n)) for n, one in enumerate(made)]
    for n in range(100):
        assert h.request("GET" if n % 2 else "POST", f"/o/{n}", [], None if n % 2 else b"x").status == 200
    wait_for("all copies under way", lambda: sum(counts(made)) == 104)
    under_way = [message for message in made[0].requests if message.path != "/o/a"]
    assert len(under_way) > 40 and len({message.peer for message in under_way}) == 1
    kept, moved = under_way[:len(under_way) // 2], under_way[len(under_way) // 2:]
    kept[0].peer.goaway(kept[-1].stream)
    wait_for("the others at the other one", lambda: {one.path for one in moved} <= {one.path for one in made[1].requests})
    assert not {one.path for one in kept} & {one.path for one in made[1].requests}
    for one in go:
        one()
    assert h.ended(104) == {"mirrored": 104}
    times = Counter(one.path for server in made for one in server.requests)
    assert all(times[one.path] == 2 for one in moved) and all(times[one.path] == 1 for one in kept)
    assert_matched(h, made, 104)
    for line in lines(h, 104):
        if line["uri"] in {one.path for one in moved}:
            assert line["server"].startswith("127.0.0.2:")
