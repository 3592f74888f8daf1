"""A fleet: httpds that share a store, and requests to their managers."""
from __future__ import annotations

import json
from typing import Any, Callable, Iterable

import pytest

from httpdlab import Httpd, location, scaled, to, wait_for
from managerlab import JSON, MANAGER
from redislab import Redis
from wire import Message

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


def in_force(h: Httpd, what: dict, seconds: float = 1, name: str = "m") -> None:
    """Attributes are in force on a node, soon."""
    def holds() -> bool:
        attributes = h.mirror(name)["attributes"]
        return all(attributes.get(key) == value for key, value in what.items())
    wait_for(f"{what} to be in force", holds, seconds)


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
