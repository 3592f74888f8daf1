"""What a copy has to look like, byte for byte."""
from __future__ import annotations

from httpdlab import Httpd
from recorder import Recorder
from wire import Message

# what every copy has beside what the client sent, from `Host: t` on 127.0.0.1 to ServerName localhost
ADDED = ("X-Forwarded-For: 127.0.0.1", "X-Forwarded-Host: t", "X-Forwarded-Server: localhost", "X-Proxy-Mirror: lab")


def assert_copy(copy: Message, start: str, *headers: str, body: bytes = b"", added: tuple[str, ...] = ADDED) -> None:
    """It has that first line, exactly these header lines beside `Host: t` and `added` in any order, and that body; and
    nothing else is between or behind them."""
    assert copy.complete
    assert copy.start == f"{start} HTTP/1.1"
    lines = [f"{name}: {value}" for name, value in copy.headers]
    expected = [*headers, *added]
    if not any(line.startswith("Host:") for line in headers):
        expected.append("Host: t")
    assert sorted(lines) == sorted(expected)
    assert copy.body == body
    head = "\r\n".join([copy.start, *lines]) + "\r\n\r\n"
    assert copy.raw == head.encode("latin-1") + body


def assert_next_is_intact(h: Httpd, mirror: Recorder, count: int = 1, **outcomes: int) -> None:
    """After `count` copies of the mirror m with these outcomes: one more, with a body."""
    assert h.request("POST", "/o/next", [], b"next").status == 200
    expected = dict(outcomes)
    expected["mirrored"] = expected.get("mirrored", 0) + 1
    assert h.ended(count + 1) == expected
    copies = [copy for copy in mirror.requests if copy.target == "/o/next"]
    assert len(copies) == 1
    assert_copy(copies[0], "POST /o/next", "Content-Length: 4", body=b"next")
