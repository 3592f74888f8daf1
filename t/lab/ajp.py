"""An AJP 1.3 container, to be a Recorder's `takeover`: it answers how many bytes of body it got."""
from __future__ import annotations

import socket
import struct

from wire import Stream

FORWARD, SEND_BODY, SEND_HEADERS, END, GET_BODY = 2, 3, 4, 5, 6
CONTENT_LENGTH = b"\xa0\x08"        # the code of a header's name
PIECE = 8186                        # the most that a packet of 8 KiB has room for


def _packet(stream: Stream) -> bytes:
    magic, length = struct.unpack(">HH", stream.exactly(4))
    assert magic == 0x1234
    return stream.exactly(length)


def _tell(sock: socket.socket, kind: int, content: bytes) -> None:
    sock.sendall(b"AB" + struct.pack(">HB", len(content) + 1, kind) + content)


def _string(text: bytes) -> bytes:
    return struct.pack(">H", len(text)) + text + b"\0"


def _announced(head: bytes) -> int:
    """The length that the head gives; 0 if it gives none."""
    at = head.find(CONTENT_LENGTH)
    return int(head[at + 4:head.index(b"\0", at + 4)]) if at >= 0 else 0


def _body(sock: socket.socket, stream: Stream, announced: int) -> int:
    """What is announced begins to come without being asked for."""
    length, asked = 0, announced > 0
    while True:
        if not asked:
            _tell(sock, GET_BODY, struct.pack(">H", PIECE))
        asked = False
        piece = _packet(stream)
        if len(piece) <= 2:
            return length
        length += len(piece) - 2
        if announced and length >= announced:
            return length


def respond(sock: socket.socket) -> None:
    """Requests on one connection."""
    stream = Stream(sock)
    while True:
        head = _packet(stream)
        assert head[0] == FORWARD
        text = b"%d bytes\n" % _body(sock, stream, _announced(head))
        _tell(sock, SEND_HEADERS, struct.pack(">H", 200) + _string(b"OK") + struct.pack(">H", 0))
        _tell(sock, SEND_BODY, _string(text))
        _tell(sock, END, b"\1")
