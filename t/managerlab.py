"""A manager to talk to: JSON in, JSON out."""
from __future__ import annotations

import json
from typing import Any, Iterable

from httpdlab import Httpd
from wire import Message, request

MANAGER = '<Location "/manager">\nSetHandler proxy-mirror-manager\n<IfModule proxy_module>\nProxyPass "!"\n</IfModule>\n</Location>\n'
JSON = "Content-Type: application/json"
FORM = "Content-Type: application/x-www-form-urlencoded"


def call(h: Httpd, method: str, name: str = "m", data: Any = None, headers: Iterable[str] = (JSON,),
         location: str = "/manager") -> Message:
    """`data` is sent as it is if it is bytes, and as JSON if it is anything else but None."""
    body = data if data is None or isinstance(data, bytes) else json.dumps(data).encode()
    sent = request(method, f"{location}/mirrors/{name}", list(headers), body)
    if any(header.startswith("Host:") for header in headers):
        sent = sent.replace(b"Host: t\r\n", b"", 1)
    return h.exchange(sent, method)


def changed(answer: Message) -> dict:
    """The mirror that a change was answered with."""
    assert answer.status == 200, answer.raw
    assert answer.header("Content-Type") == ["application/json"]
    return json.loads(answer.body)


def patch(h: Httpd, data: Any, name: str = "m") -> dict:
    return changed(call(h, "PATCH", name, data))


def put(h: Httpd, data: Any, name: str = "m") -> dict:
    return changed(call(h, "PUT", name, data))


def delete(h: Httpd, name: str = "m") -> dict:
    return changed(call(h, "DELETE", name, None, ()))


def attributes(h: Httpd, name: str = "m") -> dict:
    return h.mirror(name)["attributes"]


def refused(answer: Message, status: int, *words: str) -> str:
    """The error, which has these words."""
    assert answer.status == status, answer.raw
    assert answer.header("Content-Type") == ["application/json"]
    data = json.loads(answer.body)
    assert list(data) == ["error"]
    for word in words:
        assert word in data["error"], data
    return data["error"]
