"""Ports for servers of the tests, of which no two get the same one, whatever runs beside."""
from __future__ import annotations

import random
import socket

_reserved: dict[int, list[socket.socket]] = {}


def free_port(host: str = "127.0.0.1", beside: int = 0) -> int:
    """A port to listen on, and the one that is so much above, both of those that the system does not give to clients.

    It stays ours until release_port() or the end of this process, while its server starts, runs, ends and starts again: a socket
    has it that does not listen. The socket is bound without SO_REUSEADDR, which fails if any other has the port. It gets that
    option then, so that a server can listen beside it that sets it, too, as all do here."""
    while True:
        port = random.SystemRandom().randrange(10000, 32768 - beside)
        made: list[socket.socket] = []
        try:
            for each in sorted({port, port + beside}):
                made.append(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET))
                made[-1].bind((host, each))
        except OSError:
            for sock in made:
                sock.close()
            continue
        for sock in made:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _reserved.setdefault(port, []).extend(made)     # the same one of two hosts
        return port


def release_port(port: int) -> None:
    """Nobody listens there any more."""
    for sock in _reserved.pop(port, []):
        sock.close()
