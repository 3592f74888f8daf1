"""Bodies that are too long to be kept: made in pieces, sent in pieces, and hashed as they come."""
from __future__ import annotations

import hashlib
import os
import random
import socket
from typing import Iterator

import pytest

from httpdlab import Httpd, scaled
from recorder import Recorder
from tlslab import TlsRecorder
from wire import Message, Stream, read_fields

MEGABYTE = 1 << 20
PIECE = random.Random(1).randbytes(65521)


def pieces(size: int) -> Iterator[bytes]:
    """A body of `size` bytes; none of its pieces is like another."""
    for n in range(0, size, len(PIECE)):
        yield (n.to_bytes(8, "big") + PIECE[8:])[:size - n]


def digest_of(size: int) -> str:
    digest = hashlib.sha256()
    for piece in pieces(size):
        digest.update(piece)
    return digest.hexdigest()


def head(path: str, size: int | None, method: str = "POST") -> bytes:
    """Of a request with a body of that size; None: in chunks."""
    length = "Transfer-Encoding: chunked" if size is None else f"Content-Length: {size}"
    return f"{method} {path} HTTP/1.1\r\nHost: t\r\n{length}\r\n\r\n".encode("latin-1")


def upload(h: Httpd, path: str, size: int, chunked: bool = False, method: str = "POST") -> Message:
    """The answer to a request with the body of pieces(size)."""
    with h.client() as client:
        client.send(head(path, None if chunked else size, method))
        for piece in pieces(size):
            client.send(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            client.send(b"0\r\n\r\n")
        return client.answer(method)


class LargeMessage(Message):
    """A request of which head, length and hash were kept."""

    def __init__(self) -> None:
        super().__init__()
        self.hash = hashlib.sha256()
        self.length = 0

    @property
    def digest(self) -> str:
        return self.hash.hexdigest()

    def take(self, stream: Stream, length: int) -> None:
        while length > 0:
            piece = stream.exactly(min(length, 65536))
            stream.taken.clear()
            self.hash.update(piece)
            self.length += len(piece)
            length -= len(piece)


class Large(Recorder):
    """A recorder that keeps no bodies; its requests are of LargeMessage. With `cut` it closes the connection that a body
    comes on when it has so many bytes of it."""

    cut: int | None = None

    def _record(self, stream: Stream) -> Message:
        message = LargeMessage()
        message.start = stream.line().decode("latin-1")
        message.headers = read_fields(stream)
        with self.changed:
            self.requests.append(message)
            self.changed.notify_all()
        self._take_body(stream, message)
        message.complete = True
        return message

    def _take_body(self, stream: Stream, message: LargeMessage) -> None:
        if "chunked" in message.header("Transfer-Encoding"):
            while size := int(stream.line(), 16):
                message.take(stream, size)
                stream.line()
            stream.line()
            return
        length = int((message.header("Content-Length") or ["0"])[0])
        if self.cut is not None and length > self.cut:
            message.take(stream, self.cut)
            self.cut = None
            raise EOFError
        message.take(stream, length)


class LargeTls(Large, TlsRecorder):
    """The same with TLS."""


@pytest.fixture
def origin(recorder) -> Large:
    recorder.made.append(Large(scaled(60)))
    return recorder.made[-1]


def files_in(pid: int, folder: str) -> list[str]:
    """The descriptors of a process that lead into a folder."""
    found = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            if os.readlink(f"/proc/{pid}/fd/{name}").startswith(f"{folder}/"):
                found.append(name)
        except FileNotFoundError:
            pass                                # it was just closed
    return found


def spooled(h: Httpd) -> list[str]:
    """The files of bodies that the child of an httpd with `ProxyMirrorSpool {folder("spool")}` has open."""
    return files_in(h.pids()[0], h.path("spool"))


class Memory:
    """How much the resident size of a process has ever grown since this was made."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as f:
            f.write("5")                        # its peak begins anew
        self.before = self._read("VmRSS")

    def _read(self, key: str) -> int:
        with open(f"/proc/{self.pid}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) * 1024 for line in f if line.startswith(f"{key}:"))

    def now(self) -> int:
        """How much it has grown so far, less what was given back."""
        return self._read("VmRSS") - self.before

    def grown(self) -> int:
        return self._read("VmHWM") - self.before


def slow_down(sock: socket.socket) -> None:
    """Let only a few bytes be under way to this socket."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
