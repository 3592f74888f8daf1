"""Many changes at once, and changes that make no sense, while requests are served."""
from __future__ import annotations

import json
import os
import random
import signal
import threading
import time

import pytest

from httpdlab import location, scaled, to, wait_for
from managerlab import MANAGER, attributes, call, delete

NUMBERS = ("count", "time_window", "max_queue", "max_connections", "redis_timeout", "redis_database", "redis_port")
TIMES = ("timeout", "connect_timeout", "keepalive", "retry", "ttl")
EACH = 10                                       # changes of each attribute
PAIRS = 80                                      # changes of two attributes that belong together


class Crew:
    """Threads; the first one that fails fails the test."""

    def __init__(self) -> None:
        self.threads: list[threading.Thread] = []
        self.errors: list[BaseException] = []
        self.over = threading.Event()

    def start(self, work, *arguments) -> threading.Thread:
        def run() -> None:
            try:
                work(*arguments)
            except BaseException as error:      # pylint: disable=broad-except
                self.errors.append(error)
                self.over.set()
        thread = threading.Thread(target=run)
        thread.start()
        self.threads.append(thread)
        return thread

    def finish(self, workers: list[threading.Thread]) -> None:
        """When the workers are done the others are told."""
        for thread in workers:
            thread.join(scaled(60))
        self.over.set()
        for thread in self.threads:
            thread.join(scaled(30))
            assert not thread.is_alive()
        if self.errors:
            raise self.errors[0]


@pytest.mark.smoke
def test_200_changes_at_once_under_load(httpd, origin, mirror):
    """Of two attributes that are always changed together no copy and no answer has one alone; and each change that was
    answered with 200 is there in the end."""
    h = httpd(MANAGER + location("/o/", origin, to(mirror, "path=/start host_header=start")), children=3, threads=16)
    crew, sent = Crew(), []

    def change(name: str, values: list) -> None:
        for value in values:
            answer = call(h, "PATCH", "m", {name: value})
            assert answer.status == 200, answer.raw
            assert json.loads(answer.body)["attributes"][name] == value

    def change_both(first: int) -> None:
        for n in range(first, PAIRS, 4):
            answer = call(h, "PATCH", "m", {"path": f"/p{n}", "host_header": f"p{n}"})
            assert answer.status == 200, answer.raw
            assert h.get("/o/a").status == 200
            sent.append(1)

    def read() -> None:
        while not crew.over.is_set():
            now = attributes(h)
            assert now["path"] == "/" + now["host_header"], now

    def load() -> None:
        while not crew.over.is_set():           # a busy event would close connections that are kept
            assert h.get("/o/a").status == 200
            sent.append(1)
    for _ in range(2):
        crew.start(load)
        crew.start(read)
    workers = [crew.start(change, name, list(range(2000, 2000 + EACH))) for name in NUMBERS]
    workers += [crew.start(change, name, [f"{n}s" for n in range(20, 20 + EACH)]) for name in TIMES]
    workers += [crew.start(change_both, first) for first in range(4)]
    assert len(NUMBERS + TIMES) * EACH + PAIRS == 200
    crew.finish(workers)
    now = attributes(h)
    assert {name: now[name] for name in NUMBERS} == dict.fromkeys(NUMBERS, 2000 + EACH - 1)
    assert {name: now[name] for name in TIMES} == dict.fromkeys(TIMES, f"{20 + EACH - 1}s")
    outcomes = h.ended(len(sent))
    assert outcomes.get("mirrored", 0) > 0
    for copy in mirror.requests:
        assert copy.target == "/" + copy.header("Host")[0]
    assert len({copy.target for copy in mirror.requests}) > 1
    assert len(h.log_lines("PM0900: ")) == 200


def test_changes_of_the_host_under_load(httpd, origin, mirror, recorder):
    """No request is lost or held up, no copy goes to a host that it was not made for."""
    other = recorder()
    h = httpd(f"{MANAGER}ProxyMirrorAllowHost 127.0.0.1\n" +
              location("/o/", origin, to(mirror, "host_header=target max_queue=100000")), children=2)
    crew, sent, clients = Crew(), [], 3

    def load() -> None:
        while not crew.over.is_set():           # a busy event would close connections that are kept
            assert h.get("/o/a").status == 200
            sent.append(1)

    def change() -> None:
        for n in range(60):
            assert call(h, "PATCH", "m", {"host": (other, mirror)[n % 2].url}).status == 200
            enough = len(sent) + clients + 1    # so that one of them began after the change
            wait_for("a request of each host", lambda: len(sent) >= enough or crew.over.is_set())
    for _ in range(clients):
        crew.start(load)
    crew.finish([crew.start(change)])
    assert h.ended(len(sent)) == {"mirrored": len(sent)}
    for one in (mirror, other):
        assert one.requests
        assert all(copy.header("Host") == [one.url.split("//")[1]] for copy in one.requests)


def test_killed_children_lose_and_block_nothing(httpd, origin, mirror):
    """Of changes that were answered; and one that is killed in the midst of one is no bar to the next."""
    h = httpd(MANAGER + location("/o/", origin, to(mirror)), children=3, threads=8, expect=["AH00052", "AH10392"])
    crew = Crew()
    last = [0]

    def change() -> None:
        while not crew.over.is_set():
            try:
                if call(h, "PATCH", "m", {"count": last[0] + 1}).status == 200:
                    last[0] += 1
            except (OSError, EOFError):
                last[0] = -1                    # nobody knows whether that one was made
                return
    for _ in range(3):
        delete(h)
        last[0] = 1
        crew.over.clear()
        worker = crew.start(change)
        before = h.pids()
        wait_for("some changes", lambda: last[0] < 0 or last[0] > 20)
        os.kill(before[0], signal.SIGKILL)
        crew.over.set()
        worker.join(scaled(20))
        assert not crew.errors
        if last[0] > 0:
            assert attributes(h)["count"] == last[0]
        assert call(h, "PATCH", "m", {"count": 99}).status == 200


# ---- bodies that make no sense ----

SEEDS = [
    {"enabled": False, "count": 5, "time_window": 60}, {"methods": ["GET", "POST"], "status": ["2xx", "404"]},
    {"expr": "%{REQUEST_URI} =~ m#^/o/# && -n '%{HTTP:X-A}'", "sample_key": "%{REMOTE_ADDR}", "sample_ratio": 0.25},
    {"timeout": "1500ms", "retry": "2s", "ttl": None, "max_body": "64K"}, {"path": "/a", "path_concat_mode": "prefix"},
    {"redis_host": "127.0.0.1", "redis_port": 6379, "redis_password": "x", "redis_cluster_nodes": ["127.0.0.1:1", "127.0.0.1:2"]},
    {"host_header": "a.example.com:80", "uri": "backend", "when": "request", "copies": 3, "name": "m", "x": {"y": [1, [2]]}},
]
BITS = [b"{", b"}", b"[", b"]", b'"', b":", b",", b"\\", b"\\u0000", b"\\ud800", b"\xff", b"\xc3\x28", b"\0", b"null", b"true",
        b"-1", b"1e999", b"99999999999999999999", b"0.1", b"%{", b"m#", b"'", b"(", b"*" * 70, b'"count"', b'"path":"/"', b"\n"]

VALUES = [None, True, 0, 1, -1, 60, 65535, 1e3, 0.5, "", "1", "/", "GET", "10s", "5M", "request", "prefix", "***", [], ["GET"],
          ["a:1", "a:2"], {}, "x" * 300, "\u00e9", "true", "%{REQUEST_URI}", "-n 'x'", "local", "redis", "127.0.0.1"]


def mutate(rng: random.Random) -> bytes:
    """A body that is a little wrong, or very."""
    seed = dict(rng.choice(SEEDS), **rng.choice(SEEDS)) if rng.random() < 0.4 else rng.choice(SEEDS)
    if rng.random() < 0.4:
        seed = {rng.choice(list(seed)): rng.choice(VALUES), **({} if rng.random() < 0.5 else {"count": 7})}
    body = bytearray(json.dumps(seed).encode())
    for _ in range(rng.choice((0, 1, 1, 2, 5))):
        at = rng.randrange(len(body) + 1)
        choice = rng.randrange(4)
        if choice == 0:
            body[at:at] = rng.choice(BITS)
        elif choice == 1:
            del body[at:at + rng.randrange(1, 9)]
        elif choice == 2 and at < len(body):
            body[at] = rng.randrange(256)
        else:
            body[at:at] = body[:rng.randrange(len(body) + 1)][-40:]
    return bytes(body)


@pytest.mark.long
def test_10000_mutated_bodies(httpd, origin, mirror):
    """Each is refused and changes nothing, or is a change; and nobody dies of one."""
    rng = random.Random(20)
    h = httpd(MANAGER + location("/o/", origin, to(mirror)), children=1)
    pids, end, answered = h.pids(), time.monotonic() + 20, {200: 0, 400: 0}
    etag = call(h, "GET", "m", None, ()).header("ETag")
    for n in range(10000):
        body = mutate(rng)
        answer = call(h, "PATCH", "m", body)
        assert answer.status in answered, (body, answer.raw)
        answered[answer.status] += 1
        if answer.status == 200:
            etag = answer.header("ETag")
        if n % 50 == 0:
            assert call(h, "GET", "m", None, ()).header("ETag") == etag, body
            assert h.get("/o/a").status == 200
        if time.monotonic() > end:
            break
    assert min(answered.values()) > 50, answered
    assert h.pids() == pids
    call(h, "PUT", "m", {"host": mirror.url})
    assert h.mirror()["overridden"] is False
