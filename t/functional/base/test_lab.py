"""What tests of all wings rely on: ports that are theirs, and a start and a restart that are over."""
from __future__ import annotations

import errno
import os
import socket

import pytest

from httpdlab import location, to
from ports import free_port, release_port


def bound(port: int, *options: int, listen: bool = False) -> socket.socket:
    sock = socket.socket()
    for option in options:
        sock.setsockopt(socket.SOL_SOCKET, option, 1)
    try:
        sock.bind(("127.0.0.1", port))
        if listen:
            sock.listen()
        return sock
    except OSError:
        sock.close()
        raise


def test_port_is_kept_between_two_servers():
    port = free_port()
    try:
        for _ in range(2):
            with bound(port, socket.SO_REUSEADDR, listen=True):
                socket.create_connection(("127.0.0.1", port)).close()
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port))
            with pytest.raises(OSError) as error:       # as another free_port() tries to
                bound(port)
            assert error.value.errno == errno.EADDRINUSE
    finally:
        release_port(port)
    bound(port, socket.SO_REUSEADDR).close()


def test_port_of_a_recorder_is_kept(recorder):
    gone = recorder()
    gone.stop_listening()
    with pytest.raises(OSError):
        bound(gone.port)
    assert recorder(port=gone.port).port == gone.port


def test_children_have_all_their_threads(httpd, origin, mirror):
    h = httpd(location("/o/", origin, to(mirror)), threads=64)
    for pid in h.listeners():
        assert len(os.listdir(f"/proc/{pid}/task")) > (64 if h.children == 1 else 0)
