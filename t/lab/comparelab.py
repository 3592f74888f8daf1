"""A primary and a mirror whose responses are compared, and what the status page's JSON says of them."""
from __future__ import annotations

import json
import os
import queue
import socket
import uuid
from typing import Any, Callable, Iterable, Iterator, Tuple

import pytest

from httpdlab import Httpd, location, scaled, to, wait_for
from managerlab import MANAGER, patch
from recorder import Answer, Recorder, answer
from wire import Client, Message

Made = Tuple[Httpd, Recorder, Recorder]         # httpd, primary, mirror
LOG = "logs/mirror_log"
JSON = "Content-Type: application/json"


def comparison(h: Httpd, name: str = "m", path: str = "") -> dict[str, Any]:
    got = h.get(f"/mirror-status/mirrors/{name}/comparison{path}", ["Host: localhost"])
    assert got.status == 200, got.raw
    return json.loads(got.body)


def decided(data: dict[str, Any]) -> int:
    return data["compared"] + sum(data["skipped"].values())


def compared(h: Httpd, count: int, name: str = "m") -> dict[str, Any]:
    """The JSON once so many pairs were compared or skipped; its sums hold."""
    wait_for(f"{count} comparisons", lambda: decided(comparison(h, name)) >= count, 20)
    data = comparison(h, name)
    assert decided(data) == count, data
    assert sum(data["verdicts"].values()) == data["compared"]
    assert sum(group["compared"] for group in data["groups"]) == data["compared"]
    return data


def verdicts(data: dict[str, Any]) -> dict[str, int]:
    """Those that are not 0."""
    return {word: n for word, n in data["verdicts"].items() if n}


def skipped(data: dict[str, Any]) -> dict[str, int]:
    return {word: n for word, n in data["skipped"].items() if n}


def rows(data: dict[str, Any]) -> list[tuple[str, str, int]]:
    """Field, kind and count of all rows of findings, as the findings have them."""
    return sorted({(row["field"], row["kind"], row["count"]) for found in data["findings"] for row in found["rows"]})


def noise(data: dict[str, Any]) -> list[tuple[str, str, str]]:
    return sorted((one["field"], one["kind"], one["why"]) for one in data["noise"])


@pytest.fixture
def pairs(httpd, recorder) -> Callable[..., Made]:
    """Makes an httpd whose /o/ is proxied to a primary, and compared with a mirror."""
    def make(attributes: str = "", conf: str = "", extra: str = "", **options) -> Made:
        primary, mirror = recorder(), recorder()
        lines = f"{to(mirror, f'compare=all {attributes}')}\n{extra}"
        return httpd(MANAGER + conf + location("/o/", primary, *lines.splitlines()), **options), primary, mirror
    return make


@pytest.fixture
def three(httpd, recorder) -> Callable[..., Tuple[Httpd, Recorder, Recorder, Recorder]]:
    """Makes an httpd with a primary, a mirror and a reference."""
    def make(attributes: str = "", reference_attributes: str = "", **options) -> Tuple[Httpd, Recorder, Recorder, Recorder]:
        primary, mirror, reference = recorder(), recorder(), recorder()
        lines = [to(mirror, f"compare=all {attributes}"), to(reference, f"role=reference {reference_attributes}", "old")]
        return httpd(MANAGER + location("/o/", primary, *lines), **options), primary, mirror, reference
    return make


def let(server: Recorder, make: Callable[[], Answer]) -> None:
    """It makes each answer anew."""
    server.answer = lambda sock, message: make()(sock, message)


def say(server: Recorder, make: Callable[[], bytes]) -> None:
    """Let it answer with JSON that is made each time."""
    let(server, lambda: answer("200 OK", make(), (JSON,)))


def both(primary: Recorder, mirror: Recorder, a: bytes, b: bytes, *headers: str, status: str = "200 OK") -> None:
    """Let them answer with these bodies."""
    primary.answer = answer(status, a, headers)
    mirror.answer = answer(status, b, headers)


def twins(primary: Recorder, mirror: Recorder, *lines: str, attributes: str = "") -> str:
    """The same <Location> twice: /o/ is compared, /p/ is not."""
    return (location("/o/", primary, to(mirror, f"compare=all {attributes}"), *lines)
            + location("/p/", primary, *lines))


def plain(raw: bytes) -> bytes:
    """A response without what differs between two of them by nature."""
    head, _, body = raw.partition(b"\r\n\r\n")
    kept = [line for line in head.split(b"\r\n") if not line.lower().startswith((b"date:", b"age:", b"expires:"))]
    return b"\r\n".join(kept) + b"\r\n\r\n" + body


def same(h: Httpd, path: str, headers: tuple[str, ...] = (), method: str = "GET") -> Message:
    """The response to a request below /o/, which is that of the same below /p/ to the byte."""
    got = h.request(method, f"/o/{path}", headers)
    other = h.request(method, f"/p/{path}", headers)
    assert plain(got.raw).replace(b"/o/", b"/p/") == plain(other.raw)
    return got


def memory_is_back(h: Httpd, primary: Recorder, mirror: Recorder, size: int, path: str = "/o/memory") -> None:
    """Two bodies of `size` bytes fit: so what ProxyMirrorCompareMemory has given was given back."""
    both(primary, mirror, b"x" * size, b"x" * size)
    before = comparison(h)
    assert h.get(path).body == b"x" * size
    data = compared(h, decided(before) + 1)
    assert data["verdicts"]["same"] == before["verdicts"]["same"] + 1, data


class Events:
    """A primary's response that goes on for ever: each event is sent when the test gives it."""

    def __init__(self, primary: Recorder, kind: str = "text/event-stream") -> None:
        self._events: queue.Queue[bytes] = queue.Queue()
        self._head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n".encode()
        primary.answer = self._send

    def _send(self, sock: socket.socket, _: Message) -> bool:
        sock.sendall(self._head)
        while event := self._events.get(timeout=scaled(60)):
            sock.sendall(event)
        return False

    def give(self, event: bytes) -> None:
        self._events.put(event)

    def __enter__(self) -> Events:
        return self

    def __exit__(self, *_: object) -> None:
        self._events.put(b"")


def read_head(client: Client) -> None:
    while client.stream.line():
        pass


def read_chunk(client: Client) -> bytes:
    data = client.stream.exactly(int(client.stream.line(), 16))
    assert client.stream.line() == b""
    return data


Pair = Tuple[Answer, Answer]                    # what the primary and what the mirror answer


def texts(a: bytes, b: bytes, *headers: str) -> Pair:
    return answer("200 OK", a, headers), answer("200 OK", b, headers)


def documents(a: Any, b: Any) -> Pair:
    """Two JSON texts. What is no bytes is printed."""
    return texts(*(one if isinstance(one, bytes) else json.dumps(one).encode() for one in (a, b)), JSON)


def fresh(member: str) -> Answer:
    """JSON with another UUID each time."""
    def send(sock: socket.socket, message: Message) -> bool:
        return answer("200 OK", json.dumps({member: str(uuid.uuid4())}).encode(), (JSON,))(sock, message)
    return send


def heads(a: Iterable[str], b: Iterable[str], body: bytes = b"ok\n") -> Pair:
    """Two responses that have only other header fields."""
    return answer("200 OK", body, tuple(a)), answer("200 OK", body, tuple(b))


def exchange(made: Made, pair: Pair, count: int = 1, path: str = "/o/a") -> None:
    """`count` requests on one connection; returns when the mirror, too, has answered all of them so."""
    h, primary, mirror = made
    answered: list[bool] = []

    def count_answer(sock: socket.socket, message: Message) -> bool:
        try:
            return pair[1](sock, message)
        finally:
            answered.append(True)
    primary.answer, mirror.answer = pair[0], count_answer
    with h.client() as client:
        for _ in range(count):
            client.get(path)
    wait_for(f"{count} answers", lambda: len(answered) == count)


def compare(made: Made, pair: Pair, count: int = 1, path: str = "/o/a") -> dict[str, Any]:
    """The comparison once `count` more requests were answered so, and compared."""
    before = decided(comparison(made[0]))
    exchange(made, pair, count, path)
    return compared(made[0], before + count)


def start_anew(h: Httpd, name: str = "m") -> None:
    assert h.request("DELETE", f"/manager/mirrors/{name}/comparison", ["Host: localhost"]).status == 204


def judged(made: Made, pair: Pair, *rules: str) -> tuple[str, list[str]]:
    """The verdict about one pair, or the reason to skip it, with these rules alone; and "field kind" of its differences.
    While the comparer has no budget, it is tried again."""
    def examined() -> tuple[str, dict[str, Any]] | None:
        start_anew(made[0])
        data = compare(made, pair)
        (word,) = verdicts(data) or skipped(data)
        return (word, data) if word != "unexamined" else None
    patch(made[0], {"compare_rules": list(rules)})
    word, data = wait_for("a pair that is examined", examined, 30)
    return word, [f"{field} {kind}" for field, kind, _ in rows(data)]


def log_lines(h: Httpd, count: int, file: str = LOG) -> list[dict[str, Any]]:
    """The lines of ProxyMirrorLog, once there are so many."""
    wait_for(f"{count} lines", lambda: h.read(file).count("\n") >= count)
    lines = [json.loads(line) for line in h.read(file).splitlines()]
    assert len(lines) == count
    return lines


def memory(h: Httpd) -> int:
    """Bytes of memory that the children have ever had, together: what hostile responses may not make large."""
    total = 0
    for pid in h.pids():
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            total += next(int(line.split()[1]) for line in f if line.startswith("VmHWM:")) * 1024
    return total


class Hold:
    """A comparer that stands still (preload/comparer.c), from the next one that starts until it is let go."""

    def __init__(self, folder: str) -> None:
        self.path = f"{folder}/comparer"
        self._held: int | None = None

    def hold(self) -> None:
        os.mkfifo(self.path)
        os.chmod(self.path, 0o644)

    def release(self) -> None:
        """Those that wait, and those that come, go on."""
        if self._held is None and os.path.exists(self.path):
            self._held = os.open(self.path, os.O_RDWR)

    def close(self) -> None:
        self.release()
        if self._held is not None:
            os.close(self._held)


@pytest.fixture
def hold(control) -> Iterator[Hold]:
    made = Hold(control)
    yield made
    made.close()
