"""A manager to talk to: JSON in, JSON out."""
from __future__ import annotations

import json
from typing import Any, Iterable

from httpdlab import Httpd
from wire import Message

MANAGER = '<Location "/manager">\nSetHandler proxy-mirror-manager\n<IfModule proxy_module>\nProxyPass "!"\n</IfModule>\n</Location>\n'
JSON = "Content-Type: application/json"
FORM = "Content-Type: application/x-www-form-urlencoded"
ANN = "Authorization: Basic YW5uOnRlc3Q="       # ann:test
OUTCOMES = ["mirrored", "disabled", "filtered", "sampled_out", "looped", "upgrade", "limited", "too_large",
            "incomplete", "queue_full", "memory_full", "unreachable", "tls_failed", "timed_out", "broken",
            "limit_failed", "shut_down"]
USER_MODULES = ["authn_core", "authn_file", "auth_basic", "authz_user"]


def user(h: Httpd, path: str = "/manager") -> str:
    """A <Location> in which a user is needed, who is ann."""
    h.write("users", "ann:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=\n")
    return (f'<Location "{path}">\nAuthType Basic\nAuthName x\nAuthBasicProvider file\nAuthUserFile "{h.root}/users"\n'
            "Require valid-user\n</Location>\n")


def call(h: Httpd, method: str, name: str = "m", data: Any = None, headers: Iterable[str] = (JSON,),
         location: str = "/manager") -> Message:
    """`data` is sent as it is if it is bytes, and as JSON if it is anything else but None."""
    body = data if data is None or isinstance(data, bytes) else json.dumps(data).encode()
    return h.request(method, f"{location}/mirrors/{name}", list(headers), body)


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


def overwrite_shared(pid: int, before: bytes, after: bytes) -> None:
    """Exchange bytes that are somewhere in the memory a process shares with others."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as f:
        spans = [line.split()[0].split("-") for line in f if line.split()[1] == "rw-s"]
    found = 0
    with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
        for begin, end in ((int(one, 16), int(other, 16)) for one, other in spans):
            memory.seek(begin)
            at = memory.read(end - begin).find(before)
            if at >= 0:
                memory.seek(begin + at)
                memory.write(after)
                found += 1
    assert found == 1 and len(before) == len(after)
