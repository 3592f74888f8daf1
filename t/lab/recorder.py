"""Servers that record every byte they get, and behave as a Python function says. They live in the process of the test,
so that it can hold an answer back, look at what the client already has, and then let go."""
from __future__ import annotations

import os
import socket
import threading
from typing import Callable

from ports import free_port, release_port
from wire import Message, Stream, read_request

threading.stack_size(512 * 1024)        # a thread per connection: 2,000 of them shall fit into the addresses of 32 bits

Answer = Callable[[socket.socket, Message], bool]       # answers a request; False: close the connection


def answer(status: str = "200 OK", body: bytes = b"ok\n", headers: tuple[str, ...] = (), close: bool = False) -> Answer:
    """An answer with a Content-Length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, *(["Connection: close"] if close else [])]
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def send(sock: socket.socket, message: Message) -> bool:
        sock.sendall(head if message.start.startswith("HEAD ") else head + body)
        return not close
    return send


def bytes_answer(data: bytes, close: bool = False) -> Answer:
    """An answer of these very bytes."""
    def send(sock: socket.socket, _: Message) -> bool:
        sock.sendall(data)
        return not close
    return send


ok = answer()


def read_slowly(got: bytearray) -> Callable[[socket.socket], None]:
    """A takeover that reads in small pieces, into `got`, up to the bytes END, and then responds."""
    def read(sock: socket.socket) -> None:
        while not got.endswith(b"END"):
            data = sock.recv(777)
            if not data:
                return
            got.extend(data)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    return read


def fill(path: str) -> list[socket.socket]:
    """Connect until nobody can any more."""
    made = []
    while True:
        made.append(socket.socket(socket.AF_UNIX))
        made[-1].setblocking(False)
        if made[-1].connect_ex(path):
            return made


class Recorder:
    """A server on `host`, an address, or at the Unix socket `path`."""

    def __init__(self, limit: float, answer: Answer = ok, takeover: Callable[[socket.socket], None] | None = None,
                 listen: bool = True, backlog: int = 1024, path: str | None = None, host: str = "127.0.0.1",
                 port: int = 0) -> None:
        """`limit`: how many seconds a wait may take. `takeover` gets each connection as it was accepted, instead of
        requests being read off it. Without `listen` the port is closed until listen() is called."""
        self.limit = limit
        self.answer = answer
        self.takeover = takeover
        self.requests: list[Message] = []       # those that were broken off, too
        self.connections = 0                    # ever accepted
        self.open = 0                           # of these, now
        self.changed = threading.Condition()    # guards the three
        self._gates: list[threading.Event] = []
        self._sockets: set[socket.socket] = set()
        self.path = path
        self.host = host
        self._reserves = False                  # the port, until close()
        if path:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(path)
            os.chmod(path, 0o666)
        else:
            self._listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._reserves = not port
            self.port = port or free_port(host)
            self._listener.bind((host, self.port))
        self._backlog = backlog
        if listen:
            self.listen()

    @property
    def url(self) -> str:
        if self.path:
            return f"unix:{self.path}|http://mirror.local"
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"

    def listen(self) -> None:
        self._listener.listen(self._backlog)
        threading.Thread(target=self._accept, daemon=True).start()

    def fill_backlog(self) -> list[socket.socket]:
        """Listen, but do not accept; and the connections that leave no room for another, so that connecting hangs."""
        self._listener.listen(0)
        waiting = []
        for _ in range(4):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex((self.host, self.port))
            waiting.append(sock)
        return waiting

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.changed:
                self.connections += 1
                self.open += 1
                self._sockets.add(sock)
                self.changed.notify_all()
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            if self.takeover:
                self.takeover(sock)
                return
            stream = Stream(sock)
            while True:
                message = self._record(stream)
                if not self.answer(sock, message):      # as it is by now
                    return
        except (EOFError, OSError, ValueError):
            pass
        finally:
            with self.changed:
                self.open -= 1
                self._sockets.discard(sock)
                self.changed.notify_all()
            sock.close()

    def _record(self, stream: Stream) -> Message:
        message = Message()
        try:
            read_request(stream, message)
        finally:
            if message.raw:
                with self.changed:
                    self.requests.append(message)
                    self.changed.notify_all()
        return message

    def gate(self) -> threading.Event:
        """An event for answers to wait on; it is set at the end of the test at the latest."""
        gate = threading.Event()
        self._gates.append(gate)
        return gate

    def hold(self, then: Answer = ok) -> threading.Event:
        """From now on, no request is answered until the event is set."""
        gate = self.gate()
        self.answer = lambda sock, message: gate.wait() and then(sock, message)
        return gate

    def release(self) -> None:
        """Open all gates."""
        for gate in self._gates:
            gate.set()

    def wait(self, count: int) -> list[Message]:
        """All requests, when there are so many."""
        self.wait_until(f"{count} requests", lambda: len(self.requests) >= count)
        return self.requests[:]

    def one(self) -> Message:
        """The first request, which has to be the only one and complete."""
        messages = self.wait(1)
        assert len(messages) == 1, [message.start for message in messages]
        assert messages[0].complete
        return messages[0]

    def wait_until(self, what: str, condition: Callable[[], bool]) -> None:
        """Until `condition`, on requests, connections or open, holds."""
        with self.changed:
            if not self.changed.wait_for(condition, self.limit):
                raise AssertionError(f"no {what}: {len(self.requests)} requests, {self.connections} connections, "
                                     f"{self.open} of them open")

    def stop_listening(self) -> None:
        """The port is closed from here; connections are not."""
        try:
            self._listener.shutdown(socket.SHUT_RDWR)       # wakes accept(), which close() alone does not
        except OSError:
            pass
        self._listener.close()

    def close(self) -> None:
        self.release()
        self.stop_listening()
        if self._reserves:
            release_port(self.port)
        with self.changed:
            sockets = list(self._sockets)
        for sock in sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
