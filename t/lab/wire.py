"""HTTP/1.1 as bytes: reads requests and answers off a socket, one at a time, and keeps every byte of them."""
from __future__ import annotations

import socket
import struct
from dataclasses import dataclass, field


@dataclass
class Message:
    """A request or an answer."""
    start: str = ""                                                 # its first line
    headers: list[tuple[str, str]] = field(default_factory=list)    # in order, names as sent
    body: bytes = b""                                               # transfer coding undone
    trailers: list[tuple[str, str]] = field(default_factory=list)
    raw: bytes = b""                                                # every byte, as it came
    complete: bool = False                                          # false: the peer broke it off
    interim: list[str] = field(default_factory=list)                # first lines of 1xx answers before it

    @property
    def target(self) -> str:
        """Of a request: what its first line asks for."""
        return self.start.split(" ")[1]

    @property
    def status(self) -> int:
        """Of an answer."""
        return int(self.start.split(" ")[1])

    def header(self, name: str) -> list[str]:
        """The values of all headers of that name."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


class Stream:
    """Reads a socket in the portions that a protocol has, and remembers what was read."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.buffer = bytearray()
        self.taken = bytearray()

    def _more(self) -> None:
        """Read what there is; EOFError at the end."""
        data = self.sock.recv(262144)
        if not data:
            raise EOFError
        self.buffer += data

    def exactly(self, length: int) -> bytes:
        while len(self.buffer) < length:
            self._more()
        data = bytes(self.buffer[:length])
        del self.buffer[:length]
        self.taken += data
        return data

    def line(self) -> bytes:
        """One line without its CRLF."""
        while (end := self.buffer.find(b"\r\n")) < 0:
            self._more()
        return self.exactly(end + 2)[:-2]

    def rest(self) -> bytes:
        """All that comes until the peer closes."""
        try:
            while True:
                self._more()
        except EOFError:
            return self.exactly(len(self.buffer))


def read_fields(stream: Stream) -> list[tuple[str, str]]:
    """Header or trailer fields, with the empty line that ends them."""
    fields = []
    while line := stream.line():
        name, _, value = line.decode("latin-1").partition(":")
        fields.append((name, value.strip(" \t")))
    return fields


def _read_chunks(stream: Stream, message: Message) -> None:
    body = bytearray()
    while size := int(stream.line().split(b";")[0], 16):
        body += stream.exactly(size)
        if stream.line():
            raise ValueError("a chunk is longer than its size")
    message.body = bytes(body)
    message.trailers = read_fields(stream)


def _read_sized_body(stream: Stream, message: Message) -> bool:
    """The body, if the head says how long it is. Returns whether it does."""
    if "chunked" in ",".join(message.header("Transfer-Encoding")).lower():
        _read_chunks(stream, message)
        return True
    lengths = message.header("Content-Length")
    if lengths:
        message.body = stream.exactly(int(lengths[0]))
    return bool(lengths)


def read_request(stream: Stream, message: Message) -> None:
    """The next request. What came of it is in `message.raw` also when it ends with an exception. To one that expects
    it, 100 Continue is said."""
    stream.taken.clear()
    try:
        message.start = stream.line().decode("latin-1")
        message.headers = read_fields(stream)
        if "100-continue" in ",".join(message.header("Expect")).lower():
            stream.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        _read_sized_body(stream, message)
        message.complete = True
    finally:
        message.raw = bytes(stream.taken if message.complete else stream.taken + stream.buffer)


def read_answer(stream: Stream, method: str = "GET") -> Message:
    """The next answer that is not an interim one (101 is final); `method` is that of its request."""
    stream.taken.clear()
    message = Message()
    message.start = stream.line().decode("latin-1")
    message.headers = read_fields(stream)
    if 100 <= message.status < 200 and message.status != 101:
        interim = message.start
        message = read_answer(stream, method)
        message.interim.insert(0, interim)
        return message
    bodiless = method == "HEAD" or message.status in (101, 204, 304) or (method == "CONNECT" and message.status == 200)
    if not bodiless and not _read_sized_body(stream, message):
        message.body = stream.rest()
    message.complete = True
    message.raw = bytes(stream.taken)
    return message


def request(method: str, path: str, headers: list[str] | tuple[str, ...] = (), body: bytes | None = None,
            close: bool = True) -> bytes:
    """The bytes of a request to the host `t`, or of `headers`; with a Content-Length if there is a body. Manager and status
    need another one: a name of httpd's own."""
    lines = [f"{method} {path} HTTP/1.1"]
    if not any(header.lower().startswith("host:") for header in headers):
        lines.append("Host: localhost" if path.startswith(("/mirror-status", "/manage")) else "Host: t")
    if close:
        lines.append("Connection: close")
    lines += headers
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (body or b"")


def chunked(*chunks: bytes) -> bytes:
    """A body in these chunks, and its end."""
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def reset(sock: socket.socket) -> None:
    """Close it with a RST: whatever was not read or sent is lost."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class Client:
    """One connection to httpd."""

    def __init__(self, port: int, timeout: float) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout)
        self.stream = Stream(self.sock)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def answer(self, method: str = "GET") -> Message:
        return read_answer(self.stream, method)

    def get(self, path: str, headers: list[str] | tuple[str, ...] = ()) -> Message:
        """A GET that leaves the connection open."""
        self.send(request("GET", path, headers, close=False))
        return self.answer()
