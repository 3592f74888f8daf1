"""HTTP/2 as frames (RFC 9113), for what curl and nghttp do not send: a stream whose end comes when the test says so."""
from __future__ import annotations

import socket
import struct
import time

DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY = 0, 1, 3, 4, 7
END_STREAM, END_HEADERS, ACK = 0x1, 0x4, 0x1


def literal(name: str, value: str) -> bytes:
    """A field that is not indexed, without Huffman's code (RFC 7541 6.2.2); both are shorter than 127 bytes."""
    return b"\x00" + b"".join(bytes([len(part)]) + part.encode() for part in (name, value))


class Frames:
    """A connection with prior knowledge. Only one thread uses it."""

    def __init__(self, port: int, timeout: float, sock: socket.socket | None = None, first: int = 1) -> None:
        """`sock`: a connection that is there; `first`: its first stream."""
        self.sock = sock or socket.create_connection(("127.0.0.1", port), timeout)
        self.timeout = timeout
        self.port = port
        self.buffer = b""
        self.next_stream = first
        self.last: int | None = None        # the last stream that the server processes
        self.ended: set[int] = set()        # streams that the server has ended
        self.reset: set[int] = set()        # streams that it has reset
        self.received: dict[int, bytes] = {}    # the bodies of the responses
        self.sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        self._send(SETTINGS, 0, 0)

    def __enter__(self) -> Frames:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def _send(self, kind: int, flags: int, stream: int, payload: bytes = b"") -> None:
        self.sock.sendall(struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload)

    def headers(self, method: str, path: str, *fields: tuple[str, str], end: bool = False) -> int:
        """Begin a stream; its number."""
        stream, self.next_stream = self.next_stream, self.next_stream + 2
        pseudo = ((":method", method), (":scheme", "http"), (":authority", f"127.0.0.1:{self.port}"), (":path", path))
        self._send(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream,
                   b"".join(literal(*field) for field in (*pseudo, *fields)))
        return stream

    def data(self, stream: int, data: bytes = b"", end: bool = True) -> None:
        self._send(DATA, END_STREAM if end else 0, stream, data)

    def cancel(self, stream: int) -> None:
        self._send(RST_STREAM, 0, stream, struct.pack(">I", 8))

    def _read(self) -> bool:
        """One frame. False: there is none in time."""
        while len(self.buffer) < 9 or len(self.buffer) < 9 + int.from_bytes(self.buffer[:3], "big"):
            try:
                more = self.sock.recv(65536)
            except TimeoutError:
                return False
            if not more:
                raise EOFError
            self.buffer += more
        length = int.from_bytes(self.buffer[:3], "big")
        kind, flags, stream = struct.unpack(">BBI", self.buffer[3:9])
        if kind == GOAWAY:
            self.last = int.from_bytes(self.buffer[9:13], "big") & 0x7fffffff
        if kind == DATA:
            self.received[stream] = self.received.get(stream, b"") + self.buffer[9:9 + length]
        self.buffer = self.buffer[9 + length:]
        if kind == SETTINGS and not flags & ACK:
            self._send(SETTINGS, ACK, 0)
        if kind == RST_STREAM:
            self.reset.add(stream)
        if kind == RST_STREAM or kind in (DATA, HEADERS) and flags & END_STREAM:
            self.ended.add(stream)
        if kind == GOAWAY:
            raise EOFError
        return True

    def read_for(self, seconds: float) -> None:
        """Whatever comes in that time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.sock.settimeout(left)
            self._read()
        self.sock.settimeout(self.timeout)

    def wait(self, stream: int) -> None:
        """Until the response of a stream has ended."""
        while stream not in self.ended:
            if not self._read():
                raise AssertionError(f"stream {stream} does not end")
