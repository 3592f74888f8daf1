"""A fleet: httpds that share a store, and requests to their managers."""
from __future__ import annotations

import contextlib
import json
import socket
import threading
from typing import Any, Callable, Iterable, Iterator

import pytest

from httpdlab import Httpd, location, scaled, to, wait_for
from managerlab import JSON, MANAGER
from redislab import Redis
from wire import Message

HEAD, INDEX, DOCS, LOG, NODES = (f"proxy-mirror:v1:{{web}}:{name}" for name in ("head", "index", "docs", "log", "nodes"))

DOWN = r"PM0930: "


def conf(port: int, more: str = "", fleet: str = "web") -> str:
    return f"ProxyMirrorFleet {fleet} policy=redis redis_host=127.0.0.1 redis_port={port} {more}\n"


def fleet_call(h: Httpd, method: str, what: str = "/mirrors/m", data: Any = None, headers: Iterable[str] = (JSON,)) -> Message:
    body = data if data is None or isinstance(data, bytes) else json.dumps(data).encode()
    return h.request(method, f"/manager/fleet{what}", list(headers), body)


def state(h: Httpd) -> dict:
    answer = fleet_call(h, "GET", "")
    assert answer.status == 200, answer.raw
    return json.loads(answer.body)


def change(h: Httpd, data: Any, method: str = "PATCH", name: str = "m", headers: Iterable[str] = (JSON,)) -> dict:
    """The document that a change was answered with; it has the key "etag"."""
    answer = fleet_call(h, method, f"/mirrors/{name}", data, headers)
    assert answer.status == 200, answer.raw
    return {**json.loads(answer.body), "etag": answer.header("ETag")[0]}


def document(h: Httpd, name: str = "m") -> dict | None:
    """The same, as it is read; None if there is none."""
    answer = fleet_call(h, "GET", f"/mirrors/{name}")
    if answer.status == 404:
        return None
    assert answer.status == 200, answer.raw
    return {**json.loads(answer.body), "etag": answer.header("ETag")[0]}


def holds(h: Httpd, what: dict, name: str = "m") -> bool:
    """Whether attributes are in force on a node."""
    attributes = h.mirror(name)["attributes"]
    return all(attributes.get(key) == value for key, value in what.items())


def in_force(h: Httpd, what: dict, seconds: float = 1, name: str = "m") -> None:
    """Attributes are in force on a node, soon."""
    wait_for(f"{what} to be in force", lambda: holds(h, what, name), seconds)


def pollers(server: Redis) -> list[str]:
    """The connections of nodes."""
    return [line for line in server.clients() if "cmd=hmget" in line or "cmd=hset" in line]


@pytest.fixture
def node(redis, httpd, origin, mirror) -> Callable[..., Httpd]:
    """Makes nodes of one fleet; node.server is the store."""
    def make(attributes: str = "", more: str = "", fleet: str = "", lines: str = "", **options) -> Httpd:
        text = MANAGER + conf(make.server.port, fleet) + lines + more + location("/o/", origin, to(mirror, attributes))
        return httpd(text, **options)
    make.server = redis()
    return make


class Between:
    """A Redis that does what a test says with each command: `rule(words)` returns what is answered in place of the server (bytes,
    b"" closes the connection); LOST: the server gets it, and its reply is lost; None: nothing special."""

    LOST = object()

    def __init__(self, server: Redis) -> None:
        self.server = server
        self.rule: Callable[[list[bytes]], Any] = lambda words: None
        self.seen: list[bytes] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.server.port)) as there:
            commands, replies = client.makefile("rb"), there.makefile("rb")
            while raw := b"".join(whole(commands)):
                words = [line for line in raw.split(b"\r\n")[2::2]]
                self.seen.append(words[0])
                reply = self.rule(words)
                if reply is None or reply is self.LOST:
                    there.sendall(raw)
                    answer = b"".join(whole(replies))
                    if reply is self.LOST:
                        return
                    reply = answer
                if not reply:
                    return
                client.sendall(reply)

    def close(self) -> None:
        self.listener.close()


def whole(stream) -> Iterator[bytes]:
    """The parts of one command or reply."""
    line = stream.readline()
    yield line
    if line[:1] == b"$" and line != b"$-1\r\n":
        yield stream.read(int(line[1:]) + 2)
    elif line[:1] == b"*":
        for _ in range(max(0, int(line[1:]))):
            yield from whole(stream)


@pytest.fixture
def between(redis) -> Iterator[Between]:
    made = Between(redis())
    yield made
    made.close()
