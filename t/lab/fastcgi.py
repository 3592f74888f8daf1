"""A FastCGI responder (FastCGI 1.0), to be a Recorder's `takeover`: it answers what it got."""
from __future__ import annotations

import socket
import struct

from wire import Stream

HEADER = struct.Struct(">BBHHBx")       # version, type, request, length, padding
BEGIN, END, PARAMS, STDIN, STDOUT = 1, 3, 4, 5, 6


def record(kind: int, request: int, content: bytes) -> bytes:
    return HEADER.pack(1, kind, request, len(content), 0) + content


def respond(sock: socket.socket) -> None:
    """One request: the answer says how many bytes of body came."""
    stream = Stream(sock)
    body, request, open_streams = b"", 0, {PARAMS, STDIN}
    while open_streams:
        _, kind, request, length, padding = HEADER.unpack(stream.exactly(HEADER.size))
        content = stream.exactly(length)
        stream.exactly(padding)
        if kind in open_streams and not content:
            open_streams.remove(kind)
        if kind == STDIN:
            body += content
    text = b"Status: 200 OK\r\nContent-Type: text/plain\r\n\r\n%d bytes\n" % len(body)
    sock.sendall(record(STDOUT, request, text) + record(STDOUT, request, b"") + record(END, request, bytes(8)))
